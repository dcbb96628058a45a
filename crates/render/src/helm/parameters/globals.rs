//! The values that belong to no component.

use wharf_plan::model::Plan;

use super::images::registry;
use crate::helm::merge::Variant;
use crate::helm::values::Values;
use crate::yaml::{Map, Yaml};

/// The values that belong to no component.
pub(in crate::helm) fn globals(base: &Plan, variants: &[Variant<'_>], values: &mut Values) {
    let registries: Vec<Option<Yaml>> = variants
        .iter()
        .map(|variant| Some(Yaml::Text(registry(variant.plan))))
        .collect();
    values.add(
        &["image", "registry"],
        "Registry before the name of every image that the project builds; none if empty",
        &registries,
    );
    values.add_default(
        &["image", "tag"],
        "Tag of every image that the project builds; the chart's appVersion if empty",
        "",
    );
    values.add_default(
        &["image", "pullPolicy"],
        "When images are pulled",
        "IfNotPresent",
    );
    values.add_default(
        &["image", "pullSecrets"],
        "Secrets that open a private registry: a list of `name: …`",
        Yaml::List(vec![]),
    );
    let environments: Vec<Option<Yaml>> = variants
        .iter()
        .map(|variant| {
            let name = variant.plan.environment.as_ref();
            Some(Yaml::Text(
                name.map(ToString::to_string).unwrap_or_default(),
            ))
        })
        .collect();
    values.add(
        &["environment"],
        "What the label app.kubernetes.io/environment says",
        &environments,
    );
    values.add_default(
        &["podAnnotations"],
        "Annotations of every pod of a service",
        Map::new(),
    );
    values.add_default(
        &["nodeSelector"],
        "Labels of the nodes that services run on",
        Map::new(),
    );
    values.add_default(
        &["tolerations"],
        "Taints of nodes that services put up with",
        Yaml::List(vec![]),
    );
    if !base.routes.is_empty() {
        values.add_default(
            &["tests", "image"],
            "Image of `helm test`: anything with wget",
            "docker.io/library/busybox:1.37.0",
        );
    }
}
