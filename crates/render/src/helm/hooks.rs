//! What a release does before its replicas, and what that needs.
//!
//! A hook of an upgrade runs before anything of the release is applied, the ConfigMap with its variables included: a
//! command that reads one which this release brings would wait for it in vain. So the commands of releases read a copy of
//! their own, a hook that comes before them.

use wharf_plan::model::Plan;

use crate::kubernetes::Object;
use crate::names;
use crate::yaml::Yaml;

/// What the copy of the ConfigMap is called.
pub(super) fn variables_name(plan: &Plan) -> String {
    names::dns_label(&format!("{}-release", plan.kubernetes.config_map), 63)
}

/// Adds the copy, and lets Jobs read it.
pub(super) fn own_variables(plan: &Plan, objects: &mut Vec<Object>) {
    let shared = &plan.kubernetes.config_map;
    let own = variables_name(plan);
    let is_shared = |object: &Object| object.kind() == "ConfigMap" && object.name() == shared;
    let Some(place) = objects.iter().position(is_shared) else {
        return;
    };
    let mut read = false;
    for job in objects.iter_mut().filter(|object| object.kind() == "Job") {
        read |= redirect(&mut job.yaml, shared, &own);
    }
    if read {
        let mut copy = objects[place].clone();
        if let Some(metadata) = copy.yaml.at_mut("/metadata").and_then(Yaml::as_map_mut) {
            metadata.set("name", own);
        }
        objects.insert(place + 1, copy);
    }
}

/// Whether anything in `yaml` has read the ConfigMap `from`, as it reads `to` now.
fn redirect(yaml: &mut Yaml, from: &str, to: &str) -> bool {
    let mut any = false;
    match yaml {
        Yaml::Map(map) => {
            if let Some(Yaml::Map(reference)) = map.get_mut("configMapKeyRef")
                && let Some(Yaml::Text(name)) = reference.get_mut("name")
                && name == from
            {
                to.clone_into(name);
                any = true;
            }
            for value in map.values_mut() {
                any |= redirect(value, from, to);
            }
        }
        Yaml::List(items) | Yaml::Inline(items) => {
            for item in items {
                any |= redirect(item, from, to);
            }
        }
        _ => {}
    }
    any
}
