//! A base with what all environments share, and an overlay for each with what sets it apart.
//!
//! What an overlay makes is what the target `kubernetes` renders for its environment. A patch says what differs and
//! nothing else: as a merge where only maps are concerned, else as the operations of RFC 6902.

mod difference;
mod shared;

use std::collections::BTreeMap;

use wharf_base::ids::Name;
use wharf_plan::model::Plan;

use crate::kubernetes::cluster::Cluster;
use crate::kubernetes::{self, Object, scripts};
use crate::yaml::{Map, Yaml};
use crate::{Input, Rendered, Scope, Target, header, list, map, template};
use difference::{Patch, patch};
use shared::{Key, Parts, parts};

/// The target.
pub const TARGET: Target = Target {
    name: "kustomize",
    summary: "a Kustomize base and an overlay per environment",
    scope: Scope::Project,
    applies,
    make,
};

const API: &str = "kustomize.config.k8s.io/v1beta1";

fn applies(input: &Input<'_>) -> Result<(), &'static str> {
    if environments(input).next().is_none() {
        return Err("no environment runs on Kubernetes");
    }
    Ok(())
}

/// The environments that run on a cluster.
fn environments<'a>(input: &Input<'a>) -> impl Iterator<Item = (&'a Name, &'a Plan)> {
    input
        .environments
        .iter()
        .filter(|(_, plan)| kubernetes::applies(plan).is_ok())
}

fn make(input: &Input<'_>, rendered: &mut Rendered) {
    let waves = kubernetes::waves(input);
    let all: BTreeMap<&Name, Parts> = environments(input)
        .map(|(name, plan)| (name, parts(plan, waves)))
        .collect();
    let base = shared::base(&all);
    let head = header(input.base);
    add_objects(
        rendered,
        "base",
        &head,
        base.iter().map(|(_, object)| object),
    );
    let mut kustomization = map! { "apiVersion" => API, "kind" => "Kustomization" };
    kustomization.set("resources", files(base.iter().map(|(_, object)| object)));
    rendered.yaml("base/kustomization.yaml", &head, vec![kustomization.into()]);
    for (name, plan) in environments(input) {
        if let Some(parts) = all.get(name) {
            overlay(rendered, name, plan, parts, &base);
        }
    }
    rendered.add("README.md", readme(input, &head));
}

fn overlay(
    rendered: &mut Rendered,
    name: &Name,
    plan: &Plan,
    parts: &Parts,
    base: &[(Key, Object)],
) {
    let folder = format!("overlays/{name}");
    let head = header(plan);
    let own: Vec<(Key, Object)> = parts
        .objects
        .iter()
        .filter(|(key, _)| !base.iter().any(|(shared, _)| shared == key))
        .cloned()
        .collect();
    add_objects(
        rendered,
        &folder,
        &head,
        own.iter().map(|(_, object)| object),
    );
    let mut resources = vec![Yaml::from("../../base")];
    resources.extend(files(own.iter().map(|(_, object)| object)));
    let mut kustomization = map! { "apiVersion" => API, "kind" => "Kustomization" };
    kustomization.set("namespace", &plan.kubernetes.namespace);
    kustomization.set(
        "labels",
        list![map! {
            "pairs" => map! { "app.kubernetes.io/environment" => name },
            "includeTemplates" => true,
        }],
    );
    kustomization.set("resources", resources);
    kustomization.set_full("patches", patches(rendered, &folder, &head, parts, base));
    images(&mut kustomization, plan, parts);
    rendered.yaml(
        &format!("{folder}/kustomization.yaml"),
        &head,
        vec![kustomization.into()],
    );
    watchers(rendered, &folder, &head, &parts.watchers);
    let cluster = Cluster { plan, waves: false };
    if let Some(script) = scripts::secret_script(&cluster, "sealed-secret.yaml") {
        rendered.add_program(format!("{folder}/secrets.sh"), script);
    }
    for gap in &parts.gaps {
        rendered.gap(format!("{name}: {}", gap.what), gap.why.clone());
    }
}

/// What watches the environment: built and applied by itself, since it is in another namespace.
fn watchers(rendered: &mut Rendered, folder: &str, head: &str, objects: &[Object]) {
    if objects.is_empty() {
        return;
    }
    let folder = format!("{folder}/monitoring");
    add_objects(rendered, &folder, head, objects.iter());
    let mut kustomization = map! { "apiVersion" => API, "kind" => "Kustomization" };
    kustomization.set("resources", files(objects.iter()));
    rendered.yaml(
        &format!("{folder}/kustomization.yaml"),
        head,
        vec![kustomization.into()],
    );
}

/// The images of the project: the base names them without registry and tag.
fn images(kustomization: &mut Map, plan: &Plan, parts: &Parts) {
    let images: Vec<Yaml> = parts
        .images
        .iter()
        .map(|(short, full)| {
            let (repository, tag) = full.rsplit_once(':').unwrap_or((full, "latest"));
            let mut image = map! { "name" => short };
            if repository != short {
                image.set("newName", repository);
            }
            image.set("newTag", tag);
            image.into()
        })
        .collect();
    if images.is_empty() {
        return;
    }
    let why = if plan.cloud.is_some() && plan.images.registry.is_none() {
        "The pipeline sets registry (with the number of the account) and tag: kustomize edit set image."
    } else {
        "The pipeline sets the tag: kustomize edit set image."
    };
    kustomization.set_with_comment(why, "images", images);
}

/// Writes a patch for each object that differs from the base's, and returns how the kustomization names it.
fn patches(
    rendered: &mut Rendered,
    folder: &str,
    head: &str,
    parts: &Parts,
    base: &[(Key, Object)],
) -> Yaml {
    let mut named = vec![];
    for (key, shared) in base {
        let Some((_, object)) = parts.objects.iter().find(|(own, _)| own == key) else {
            continue;
        };
        let file = format!(
            "patches/{}-{}.yaml",
            object.name(),
            object.kind().to_ascii_lowercase()
        );
        match patch(shared, object) {
            None => continue,
            Some(Patch::Merge(merge)) => {
                rendered.yaml(&format!("{folder}/{file}"), head, vec![merge]);
                named.push(Yaml::from(map! { "path" => file }));
            }
            Some(Patch::Operations(operations)) => {
                rendered.yaml(&format!("{folder}/{file}"), head, vec![operations]);
                let mut target = Map::new();
                if let Some((group, version)) = object.api_version().split_once('/') {
                    target.set("group", group);
                    target.set("version", version);
                } else {
                    target.set("version", object.api_version());
                }
                target.set("kind", object.kind());
                target.set("name", object.name());
                named.push(map! { "path" => file, "target" => target }.into());
            }
        }
    }
    Yaml::List(named)
}

/// The objects, one file for those that belong together.
fn add_objects<'a>(
    rendered: &mut Rendered,
    folder: &str,
    head: &str,
    objects: impl Iterator<Item = &'a Object>,
) {
    let mut documents: BTreeMap<&str, Vec<Yaml>> = BTreeMap::new();
    for object in objects {
        let file = documents.entry(&object.file).or_default();
        file.push(object.yaml.clone());
    }
    for (file, documents) in documents {
        rendered.yaml(&format!("{folder}/{file}.yaml"), head, documents);
    }
}

/// The files of `objects`, in the order of their application.
fn files<'a>(objects: impl Iterator<Item = &'a Object>) -> Vec<Yaml> {
    let mut files: Vec<String> = vec![];
    for object in objects {
        let file = format!("{}.yaml", object.file);
        if !files.contains(&file) {
            files.push(file);
        }
    }
    files.into_iter().map(Yaml::from).collect()
}

fn readme(input: &Input<'_>, head: &str) -> String {
    let names: Vec<String> = environments(input)
        .map(|(name, _)| name.to_string())
        .collect();
    let account = environments(input).any(|(_, plan)| plan.cloud.is_some());
    let watched = environments(input).any(|(_, plan)| plan.kubernetes.monitoring);
    template::fill(
        include_str!("kustomize/README.md.in"),
        serde_json::json!({
            "project": input.base.name.as_str(),
            "header": head,
            "first": names.first(),
            "environments": names,
            "account": account,
            "monitoring": watched,
        }),
    )
}
