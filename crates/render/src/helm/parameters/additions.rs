//! What the manifests do not have and a chart does: a count beside the autoscaler, what an operator says of every pod, hooks.

use super::Writer;
use crate::helm::hooks;
use crate::yaml::{Map, Yaml};

impl Writer<'_, '_> {
    /// What the manifests do not have and a chart does.
    pub(super) fn finish(&mut self, tree: &mut Yaml) {
        match self.kind() {
            "Deployment" if self.at[0] == "services" => {
                self.replicas(tree);
                self.pods(tree, "/spec/template");
            }
            "StatefulSet" => self.pods(tree, "/spec/template"),
            "Job" => {
                hook(
                    tree,
                    &Hook {
                        when: "post-install,pre-upgrade",
                        weight: "0",
                        leaves: "before-hook-creation,hook-succeeded",
                        why: "Before the new replicas; on the first installation after everything that it needs.",
                    },
                );
                self.pods(tree, "/spec/template");
            }
            "ConfigMap" if self.object.name == hooks::variables_name(self.base) => hook(
                tree,
                &Hook {
                    when: "post-install,pre-upgrade",
                    weight: "-1",
                    leaves: "before-hook-creation,hook-succeeded",
                    why: "What the command of this release reads: the other ConfigMap is still that of the last one.",
                },
            ),
            "PersistentVolumeClaim" if self.waits() => hook(
                tree,
                &Hook {
                    when: "pre-install,pre-upgrade",
                    weight: "0",
                    leaves: "",
                    why: "A hook, since Helm would wait for the volume and the first pod that wants it comes at night. It stays.",
                },
            ),
            _ => {}
        }
    }

    /// A service with an autoscaler has a count of its own only while that is off.
    fn replicas(&mut self, tree: &mut Yaml) {
        let scaled = self.variants.iter().any(|variant| {
            variant.objects.iter().any(|object| {
                matches!(object.kind(), "HorizontalPodAutoscaler" | "ScaledObject")
                    && object.yaml.at("/spec/scaleTargetRef/name")
                        == Some(&Yaml::Text(self.object.name.clone()))
            })
        });
        if !scaled {
            return;
        }
        let service: Option<wharf_base::ids::Name> = self.component.parse().ok();
        let each: Vec<Option<Yaml>> = self
            .variants
            .iter()
            .map(|variant| {
                let service = variant.plan.services.get(service.as_ref()?)?;
                Some(Yaml::from(service.replicas))
            })
            .collect();
        let count = self.add(
            &self.own(&["replicaCount"]),
            "How many replicas; without an autoscaler",
            &each,
        );
        let enabled = self.own(&["autoscaling", "enabled"]).join(".");
        let Some(Yaml::Map(spec)) = tree.at_mut("/spec") else {
            return;
        };
        let mut with_count = Map::new();
        self.actions
            .line(&mut with_count, format!("if not $.Values.{enabled}"));
        with_count.set("replicas", Yaml::Raw(format!("{{{{ {count} }}}}")));
        self.actions.line(&mut with_count, "end");
        for entry in spec.entries() {
            with_count.set_with_comment(
                entry.comment.clone(),
                entry.key.clone(),
                entry.value.clone(),
            );
        }
        *spec = with_count;
    }

    /// What an operator may say of every pod.
    fn pods(&mut self, tree: &mut Yaml, template: &str) {
        if let Some(Yaml::Map(spec)) = tree.at_mut(&format!("{template}/spec")) {
            if spec.get("imagePullSecrets").is_none() {
                self.actions
                    .with(spec, "imagePullSecrets", "$.Values.image.pullSecrets");
            }
            if spec.get("nodeSelector").is_none() {
                self.actions
                    .with(spec, "nodeSelector", "$.Values.nodeSelector");
            }
            if spec.get("tolerations").is_none() {
                self.actions
                    .with(spec, "tolerations", "$.Values.tolerations");
            }
        }
        let Some(Yaml::Map(metadata)) = tree.at_mut(&format!("{template}/metadata")) else {
            return;
        };
        match metadata.get_mut("annotations").and_then(Yaml::as_map_mut) {
            Some(annotations) => {
                self.actions
                    .line(annotations, "with $.Values.podAnnotations");
                self.actions.line(annotations, "toYaml . | nindent 8");
                self.actions.line(annotations, "end");
            }
            None => self
                .actions
                .with(metadata, "annotations", "$.Values.podAnnotations"),
        }
    }
}

/// When an object is applied that is none of the release's own.
struct Hook {
    when: &'static str,
    weight: &'static str,
    /// What becomes of it; empty: it stays.
    leaves: &'static str,
    why: &'static str,
}

fn hook(tree: &mut Yaml, hook: &Hook) {
    let Some(Yaml::Map(metadata)) = tree.at_mut("/metadata") else {
        return;
    };
    let mut annotations = match metadata.get("annotations") {
        Some(Yaml::Map(map)) => map.clone(),
        _ => Map::new(),
    };
    annotations.set_with_comment(hook.why, "helm.sh/hook", hook.when);
    annotations.set("helm.sh/hook-weight", hook.weight);
    if !hook.leaves.is_empty() {
        annotations.set("helm.sh/hook-delete-policy", hook.leaves);
    }
    metadata.set("annotations", annotations);
}
