//! What the manifests do not have and a chart does: a count beside the autoscaler, what an operator says of every pod, hooks.

use super::Writer;
use crate::names;
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
                self.hook(tree);
                self.pods(tree, "/spec/template");
            }
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

    /// A migration runs before the new replicas, each time anew; on the first installation after everything that it needs.
    fn hook(&mut self, tree: &mut Yaml) {
        let Some(Yaml::Map(metadata)) = tree.at_mut("/metadata") else {
            return;
        };
        let name = names::dns_label(&format!("{}-release", self.component), 63);
        metadata.set("name", name);
        let mut annotations = match metadata.get("annotations") {
            Some(Yaml::Map(map)) => map.clone(),
            _ => Map::new(),
        };
        annotations.set("helm.sh/hook", "post-install,pre-upgrade");
        annotations.set("helm.sh/hook-weight", "0");
        annotations.set_with_comment(
            "The Job of the last release makes room; one that failed stays to be looked at.",
            "helm.sh/hook-delete-policy",
            "before-hook-creation,hook-succeeded",
        );
        metadata.set("annotations", annotations);
    }
}
