//! `patches`: what the model has no word for, laid over what is rendered.

use wharf_plan::model::RENDER_TARGETS;
use wharf_render::{Input, Rendered, TARGETS, Target};

use crate::examples::Plans;

const FILE: &str = "
name: shop
services:
  web: { build: { context: ., language: python }, command: ./serve, port: 8000, environment: { URL: '${db.url}' } }
stores:
  db: { engine: postgres }
";

const ENVIRONMENTS: &str = "
environments:
  dev: { target: kubernetes }
  prod:
    target: kubernetes
    cloud: { region: us-east-1, compute: eks }
";

/// A target with these patches, for `prod`.
fn render(target: &str, patches: &str, of_prod: &str) -> Rendered {
    let patches = if patches.is_empty() {
        String::new()
    } else {
        format!("patches:\n{patches}")
    };
    let file = format!("{FILE}{patches}{ENVIRONMENTS}{of_prod}");
    let plans = Plans::of(file.as_bytes()).unwrap();
    let input = Input {
        plan: &plans.environments["prod"],
        base: &plans.base,
        environments: &plans.environments,
    };
    Target::find(target).unwrap().render(&input)
}

#[track_caller]
fn check(rendered: &Rendered, path: &str, expected: &str) {
    let file = rendered.files.get(path).expect(path);
    assert!(file.text.contains(expected), "{path}:\n{}", file.text);
    let patches = rendered
        .gaps
        .iter()
        .filter(|gap| gap.what.contains("patches"));
    assert_eq!(patches.count(), 0, "{:?}", rendered.gaps);
}

#[test]
fn the_names_of_targets_are_those_of_the_model() {
    assert!(TARGETS.iter().map(|target| target.name).eq(RENDER_TARGETS));
}

#[test]
fn an_object_is_patched_in_manifests_overlays_and_chart() {
    let patches = "  - { target: kubernetes, path: '50-web-deployment.yaml#/spec/template/spec/priorityClassName', value: high }";
    let line = "priorityClassName: high\n";
    let of = |target| render(target, patches, "");
    check(&of("kubernetes"), "50-web-deployment.yaml", line);
    check(&of("kustomize"), "base/web-deployment.yaml", line);
    check(&of("helm"), "shop/templates/deployment.yaml", line);
}

#[test]
fn an_environment_has_patches_of_its_own() {
    let patches = "    patches: [{ target: kubernetes, path: '50-web-deployment.yaml#/spec/template/spec/priorityClassName', value: high }]";
    let of = |target| render(target, "", patches);
    check(
        &of("kubernetes"),
        "50-web-deployment.yaml",
        "priorityClassName: high\n",
    );
    let kustomize = of("kustomize");
    let overlay = "overlays/prod/patches/web-deployment.yaml";
    check(
        &kustomize,
        overlay,
        "/spec/template/spec/priorityClassName\n  value: high\n",
    );
    assert!(
        !kustomize
            .files
            .get("base/web-deployment.yaml")
            .unwrap()
            .text
            .contains("high")
    );
    let helm = of("helm");
    check(&helm, "shop/values-prod.yaml", "priorityClassName: high\n");
    assert!(
        !helm
            .files
            .get("shop/values.yaml")
            .unwrap()
            .text
            .contains("high")
    );
}

#[test]
fn a_pointer_into_several_documents_begins_with_a_number() {
    let patches = "  - { target: kubernetes, path: '10-network-policies.yaml#/1/spec/egress/0/ports/-', value: { port: 5353, protocol: UDP } }";
    let rendered = render("kubernetes", patches, "");
    check(&rendered, "10-network-policies.yaml", "port: 5353\n");
}

#[test]
fn files_of_other_targets_are_patched() {
    let patches = "  - { target: compose, path: 'docker-compose.prod.yml#/services/web/ulimits', value: { nofile: 65536 } }";
    check(
        &render("compose", patches, ""),
        "docker-compose.prod.yml",
        "nofile: 65536\n",
    );
    let patches = "  - { target: helm, path: 'shop/values.yaml#/image/pullPolicy', value: Always }";
    check(
        &render("helm", patches, ""),
        "shop/values.yaml",
        "pullPolicy: Always\n",
    );
    let patches = "  - { target: kustomize, path: 'overlays/prod/kustomization.yaml#/commonAnnotations', value: { owner: shop } }";
    check(
        &render("kustomize", patches, ""),
        "overlays/prod/kustomization.yaml",
        "owner: shop\n",
    );
}

#[test]
fn terraform_is_patched_by_files_that_override() {
    let path = "modules/rds/override.tf.json";
    let patches = format!(
        "  - {{ target: terraform, path: '{path}#/resource/aws_db_instance/this/ca_cert_identifier', value: rds-ca-rsa4096-g1 }}\n  \
           - {{ target: terraform, path: '{path}#/resource/aws_db_instance/this/performance_insights_enabled', value: true }}"
    );
    let rendered = render("terraform", &patches, "");
    check(
        &rendered,
        path,
        "\"ca_cert_identifier\": \"rds-ca-rsa4096-g1\",\n",
    );
    check(&rendered, path, "\"performance_insights_enabled\": true\n");
}

#[test]
fn a_patch_without_a_place_is_told() {
    for (target, path, why) in [
        (
            "kubernetes",
            "50-web-deployment.yaml#/spec/replicas/x",
            "no place",
        ),
        (
            "kubernetes",
            "deployment-web.yaml#/spec",
            "no structured file",
        ),
        (
            "helm",
            "shop/templates/deployment.yaml#/spec",
            "no structured file",
        ),
        ("terraform", "main.tf#/module", "no structured file"),
    ] {
        let rendered = render(
            target,
            &format!("  - {{ target: {target}, path: '{path}', value: 1 }}"),
            "",
        );
        let told = rendered.gaps.iter().find(|gap| gap.what.contains(path));
        assert!(
            told.is_some_and(|gap| gap.why.contains(why)),
            "{path}: {:?}",
            rendered.gaps
        );
    }
}
