//! `ci/`: the sets of values that the chart is tested with.

use wharf_plan::model::Plan;

use super::values::Values;
use crate::yaml::{Map, Yaml};
use crate::{list, map};

/// Sets of values that the chart is tested with: without what a cluster may lack, with everything off that can be, and
/// with an operator's own.
pub(super) fn test_sets(base: &Plan, values: &Values) -> Vec<(&'static str, Yaml)> {
    let defaults = values.defaults();
    let mut minimal = Map::new();
    for group in ["networkPolicy", "ingress", "externalSecrets"] {
        if defaults.get(group).is_some() {
            minimal.set(group, map! { "enabled" => false });
        }
    }
    let mut fixed = Map::new();
    if let Some(Yaml::Map(services)) = defaults.get("services") {
        let mut scaled = Map::new();
        for entry in services.entries() {
            if entry.value.at("/autoscaling/enabled").is_some() {
                scaled.set(
                    entry.key.clone(),
                    map! { "replicaCount" => 5, "autoscaling" => map! { "enabled" => false } },
                );
            }
        }
        if !scaled.is_empty() {
            fixed.set("services", scaled);
        }
    }
    fixed.set("image", map! { "tag" => "1.2.3", "pullPolicy" => "Always" });
    let operator = map! {
        "image" => map! { "pullSecrets" => list![map! { "name" => "registry" }] },
        "environment" => format!("{}-preview", base.name),
        "podAnnotations" => map! { "example.com/owner" => "platform" },
        "nodeSelector" => map! { "kubernetes.io/arch" => "amd64" },
        "tolerations" => list![map! { "key" => "dedicated", "operator" => "Exists", "effect" => "NoSchedule" }],
    };
    vec![
        ("fixed-count", fixed.into()),
        ("minimal", minimal.into()),
        ("operator", operator.into()),
    ]
}
