//! A Helm chart of the project: the objects of the plain manifests, with a value wherever an operator or an environment
//! wants another.
//!
//! The chart is made from the very objects that the `kubernetes` target writes, so both mean the same. `values.yaml` holds the
//! file as it stands; `values-ENV.yaml` what an environment has otherwise. Objects that only some environments have stand
//! behind a switch. A name is never a value: a chart is installed once in a namespace, and its objects are called as in
//! every other target.
//!
//! What an administrator applies once (namespace, quota, roles) is not in it: a release would take those rights for itself,
//! and a pipeline that may not touch them could not upgrade it.

mod hooks;
mod merge;
mod parameters;
mod schema;
mod test_sets;
mod text;
mod values;

use std::collections::BTreeMap;

use serde_json::json;
use wharf_plan::model::{IngressClass, Plan, TargetKind};

use crate::kubernetes::{self, Object};
use crate::yaml::{self, Yaml};
use crate::{Input, Rendered, Scope, Target, header, map, names, template};

use merge::{Merged, Variant};
use values::Values;

/// The target.
pub const TARGET: Target = Target {
    name: "helm",
    summary: "a Helm chart with values for every environment",
    scope: Scope::Project,
    applies: |_| Ok(()),
    make,
};

fn make(input: &Input<'_>, rendered: &mut Rendered) {
    let base = input.base;
    let chart = base.name.as_str();
    let variants = variants(input);
    let mut values = Values::new(
        variants
            .iter()
            .map(|variant| variant.name.clone())
            .collect(),
    );
    parameters::globals(base, &variants, &mut values);
    let merged = merge::merge(&variants);
    let mut templates: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for object in &merged {
        let body = parameters::template(object, base, &variants, &mut values);
        templates.entry(file_of(object)).or_default().push(body);
    }
    let heading = header(base);
    rendered.yaml(
        &format!("{chart}/Chart.yaml"),
        &heading,
        vec![chart_yaml(base).into()],
    );
    rendered.yaml(
        &format!("{chart}/values.yaml"),
        &format!("{heading}\nEvery value can be set for one release: helm upgrade --set …, or in a file of its own with -f."),
        vec![values.defaults().into()],
    );
    rendered.json(
        &format!("{chart}/values.schema.json"),
        schema::of(&values.defaults()),
    );
    for variant in variants.iter().skip(1) {
        let differs = values.of(&variant.name);
        rendered.yaml(
            &format!("{chart}/values-{}.yaml", variant.name),
            &format!(
                "{heading}\nWhat {} has otherwise than values.yaml says.",
                variant.name
            ),
            vec![differs.into()],
        );
    }
    for (name, set) in test_sets::test_sets(base, &values) {
        rendered.yaml(
            &format!("{chart}/ci/{name}-values.yaml"),
            "A set of values that the chart is tested with.",
            vec![set],
        );
    }
    for (file, bodies) in templates {
        rendered.add(
            format!("{chart}/templates/{file}.yaml"),
            bodies.join("---\n"),
        );
    }
    files(input, &variants, rendered);
}

/// The plans whose objects the chart holds: the file as it stands, and each environment on a cluster.
fn variants<'a>(input: &Input<'a>) -> Vec<Variant<'a>> {
    let on_cluster = input
        .environments
        .iter()
        .filter(|(_, plan)| plan.target.kind == TargetKind::Kubernetes);
    let variant = |name: String, plan: &'a Plan| {
        // Argo CD applies the manifests, not the chart: nothing of it is here.
        let mut objects: Vec<Object> = kubernetes::made(plan, false).objects;
        objects.retain(|object| object.folder.is_empty() && !is_administrators(object.kind()));
        hooks::own_variables(plan, &mut objects);
        Variant {
            name,
            plan,
            objects,
        }
    };
    let mut variants = vec![variant("default".to_owned(), input.base)];
    variants.extend(on_cluster.map(|(name, plan)| variant(name.to_string(), plan)));
    variants
}

/// Kinds that whoever administers the cluster applies.
fn is_administrators(kind: &str) -> bool {
    matches!(
        kind,
        "Namespace"
            | "LimitRange"
            | "ResourceQuota"
            | "Role"
            | "RoleBinding"
            | "ClusterRole"
            | "ClusterRoleBinding"
    )
}

/// The file of an object: one for each kind, called as charts call it.
fn file_of(object: &Merged) -> String {
    let kind = object.kind.as_str();
    match kind {
        "HorizontalPodAutoscaler" => "hpa".to_owned(),
        "PodDisruptionBudget" => "pdb".to_owned(),
        "PersistentVolumeClaim" => "pvc".to_owned(),
        kind => kind.to_ascii_lowercase(),
    }
}

fn chart_yaml(plan: &Plan) -> yaml::Map {
    let mut chart = map! {
        "apiVersion" => "v2",
        "name" => &plan.name,
        "description" => format!("{} on Kubernetes", plan.name),
        "type" => "application",
    };
    chart.set_with_comment(
        "Of the chart: goes up with every change of it.",
        "version",
        "0.1.0",
    );
    chart.set_with_comment(
        "Of the application: the tag of the images, unless `image.tag` says otherwise.",
        "appVersion",
        Yaml::Text(plan.images.tag.clone()),
    );
    chart.set("kubeVersion", ">=1.28.0-0");
    chart
}

fn files(input: &Input<'_>, variants: &[Variant<'_>], rendered: &mut Rendered) {
    let plan = input.base;
    let chart = plan.name.as_str();
    let probed = probed(plan);
    let environments: Vec<_> = variants
        .iter()
        .skip(1)
        .map(|variant| {
            json!({ "name": variant.name, "namespace": variant.plan.kubernetes.namespace })
        })
        .collect();
    let context = json!({
        "chart": chart,
        "release": wharf_plan::pipeline::helm_release(&plan.name),
        "header": header(plan),
        "part_of": plan.name.as_str(),
        "namespace": plan.kubernetes.namespace,
        "secret": plan.kubernetes.secret,
        "environments": environments,
        "jobs": plan.services.values().any(|service| service.release.is_some()),
        "alb": plan.kubernetes.ingress == IngressClass::Alb,
        "service": probed.as_ref().map(|(service, ..)| service),
        "port": probed.as_ref().map(|(_, port, _)| port),
        "test_name": probed.as_ref().map(|(service, ..)| names::dns_label(&format!("{service}-test"), 63)),
        "path": probed.as_ref().map(|(.., path)| path),
    });
    let fill = |source: &str| template::fill(source, &context);
    rendered.add(
        format!("{chart}/templates/_helpers.tpl"),
        fill(include_str!("helm/files/_helpers.tpl")),
    );
    rendered.add(
        format!("{chart}/templates/NOTES.txt"),
        fill(include_str!("helm/files/NOTES.txt")),
    );
    if probed.is_some() {
        rendered.add(
            format!("{chart}/templates/tests/test-connection.yaml"),
            fill(include_str!("helm/files/test-connection.yaml")),
        );
    }
    rendered.add(
        format!("{chart}/README.md"),
        fill(include_str!("helm/files/README.md.in")),
    );
    rendered.add(
        format!("{chart}/.helmignore"),
        include_str!("helm/files/helmignore"),
    );
    // Charts that this one depends on would lie here.
    rendered.add(format!("{chart}/charts/.gitkeep"), "");
}

/// The Service, port and path that tell whether the installed project answers.
fn probed(plan: &Plan) -> Option<(String, u16, String)> {
    let routed = plan.routes.iter().flat_map(|route| route.paths.values());
    let service = routed
        .filter_map(|action| match action {
            wharf_plan::model::RouteAction::Service { service, .. } => Some(service),
            wharf_plan::model::RouteAction::Redirect { .. } => None,
        })
        .find(|service| plan.services.contains_key(*service))?;
    let meant = plan.services.get(service)?;
    let path = match meant.probes.readiness.as_ref().map(|probe| &probe.check) {
        Some(wharf_plan::model::Check::Http { path, .. }) => path.clone(),
        _ => "/".to_owned(),
    };
    let objects = kubernetes::objects(plan);
    let selector = names::selector(plan, service.as_str());
    let found = objects.iter().find(|object| {
        object.kind() == "Service"
            && object.yaml.at("/spec/selector") == Some(&Yaml::from(selector.clone()))
    })?;
    let port = match found.yaml.at("/spec/ports/0/port") {
        Some(Yaml::Int(port)) => u16::try_from(*port).ok()?,
        _ => return None,
    };
    Some((found.name().to_owned(), port, path))
}
