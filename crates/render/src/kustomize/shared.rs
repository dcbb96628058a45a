//! What environments have in common.

use std::collections::BTreeMap;

use wharf_base::ids::Name;
use wharf_plan::model::{Plan, Source};

use crate::kubernetes::cluster::Cluster;
use crate::kubernetes::{self, Object};
use crate::yaml::Yaml;
use crate::{Gap, images};

/// What an object is called within an environment: API group and version, kind, name.
pub(super) type Key = (String, String, String);

/// An environment, without what the overlay itself adds.
pub(super) struct Parts {
    /// The objects, without namespace, label of the environment, registry and tag.
    pub(super) objects: Vec<(Key, Object)>,
    /// What watches the environment, in a namespace of its own, as it is.
    pub(super) watchers: Vec<Object>,
    /// The images of the project: what the base calls them, and their full names.
    pub(super) images: BTreeMap<String, String>,
    pub(super) gaps: Vec<Gap>,
}

/// Takes an environment apart.
pub(super) fn parts(plan: &Plan, waves: bool) -> Parts {
    let made = kubernetes::made(plan, waves);
    let cluster = Cluster { plan, waves };
    let names = images::by_service(plan);
    let mut images = BTreeMap::new();
    for (service, meant) in &plan.services {
        if let (Source::Build(_), Some(name), Some(full)) =
            (&meant.source, names.get(service), cluster.image(service))
        {
            images.insert(short(plan, name), full);
        }
    }
    let (application, watchers): (Vec<_>, Vec<_>) = made
        .objects
        .into_iter()
        .partition(|object| object.folder.is_empty());
    let objects = application
        .into_iter()
        .map(|mut object| {
            let key = (
                object.api_version().to_owned(),
                object.kind().to_owned(),
                object.name().to_owned(),
            );
            neutral(&mut object.yaml, &images, true);
            (key, object)
        })
        .collect();
    Parts {
        objects,
        watchers,
        images,
        gaps: made.gaps,
    }
}

/// The name of an image without its registry.
fn short(plan: &Plan, name: &str) -> String {
    let registry = plan.images.registry.as_deref().unwrap_or_default();
    let name = name.strip_prefix(registry.trim_end_matches('/'));
    name.unwrap_or_default().trim_start_matches('/').to_owned()
}

/// Takes away what the overlay adds: the namespace of the object itself, the label of the environment, registries and tags.
fn neutral(yaml: &mut Yaml, images: &BTreeMap<String, String>, top: bool) {
    match yaml {
        Yaml::Map(map) => {
            if top && let Some(metadata) = map.get_mut("metadata").and_then(Yaml::as_map_mut) {
                metadata.retain(|entry| entry.key != "namespace");
            }
            if let Some(labels) = map.get_mut("labels").and_then(Yaml::as_map_mut) {
                labels.retain(|entry| entry.key != "app.kubernetes.io/environment");
            }
            if let Some(Yaml::Text(image)) = map.get("image")
                && let Some((short, _)) = images.iter().find(|(_, full)| *full == image)
            {
                map.set("image", short.clone());
            }
            for value in map.values_mut() {
                neutral(value, images, false);
            }
        }
        Yaml::List(items) => items
            .iter_mut()
            .for_each(|item| neutral(item, images, false)),
        _ => {}
    }
}

/// The objects that all environments have, each as most of them have it.
pub(super) fn base(all: &BTreeMap<&Name, Parts>) -> Vec<(Key, Object)> {
    let mut parts = all.values();
    let Some(first) = parts.next() else {
        return vec![];
    };
    let shared = first.objects.iter().filter(|(key, _)| {
        let has = |parts: &Parts| parts.objects.iter().any(|(own, _)| own == key);
        all.values().all(has)
    });
    shared
        .map(|(key, object)| {
            let variants: Vec<&Object> = all
                .values()
                .filter_map(|parts| parts.objects.iter().find(|(own, _)| own == key))
                .map(|(_, object)| object)
                .collect();
            let count = |object: &Object| {
                let same = |other: &&&Object| plain(&other.yaml) == plain(&object.yaml);
                variants.iter().filter(same).count()
            };
            // The first of those that occur most often.
            let most = variants.iter().map(|object| count(object)).max();
            let chosen = variants.iter().find(|object| Some(count(object)) == most);
            (key.clone(), chosen.copied().unwrap_or(object).clone())
        })
        .collect()
}

/// Without comments.
fn plain(yaml: &Yaml) -> serde_json::Value {
    yaml.clone().into_json()
}
