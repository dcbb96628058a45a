//! The parts that operators change, by kind and place: where their values stand, and what is said about them.

use super::Writer;
use crate::helm::hooks;
use crate::helm::merge::Variant;
use crate::helm::values;

impl Writer<'_, '_> {
    /// Parts that operators change: where their values stand, and what is said about them.
    pub(super) fn rule(&self, pointer: &str) -> Option<(Vec<String>, &'static str)> {
        let own = |path: &[&str], comment| Some((self.own(path), comment));
        let shared = |path: &[&str], comment| {
            Some((
                path.iter().map(|segment| (*segment).to_owned()).collect(),
                comment,
            ))
        };
        let pod = pointer.strip_prefix("/spec/template/spec");
        let container = pod.and_then(|pod| pod.strip_prefix("/containers/0"));
        match (self.kind(), pointer) {
            ("Deployment" | "StatefulSet", "/spec/replicas") => own(
                &["replicaCount"],
                "How many replicas; without an autoscaler",
            ),
            ("Deployment", "/spec/strategy") => own(&["strategy"], "How a new release takes over"),
            ("Deployment" | "StatefulSet", _) if container.is_some() => match container? {
                "/resources" => own(
                    &["resources"],
                    "CPU and memory: what is set aside, and the most",
                ),
                "/livenessProbe" => own(
                    &["livenessProbe"],
                    "When it fails, the replica is started again",
                ),
                "/readinessProbe" => own(
                    &["readinessProbe"],
                    "While it fails, the replica gets no requests",
                ),
                "/startupProbe" => own(&["startupProbe"], "Until it has passed, the others wait"),
                _ => None,
            },
            ("Deployment" | "StatefulSet", _) if pod == Some("/terminationGracePeriodSeconds") => {
                own(
                    &["terminationGracePeriodSeconds"],
                    "Seconds from the signal to stop until it is killed",
                )
            }
            ("StatefulSet", "/spec/volumeClaimTemplates/0/spec/resources/requests/storage") => {
                own(&["storage", "size"], "How large its volume is")
            }
            ("StatefulSet", "/spec/volumeClaimTemplates/0/spec/storageClassName") => {
                own(&["storage", "className"], "The class of its volume")
            }
            ("HorizontalPodAutoscaler", "/spec/minReplicas")
            | ("ScaledObject", "/spec/minReplicaCount") => {
                own(&["autoscaling", "minReplicas"], "Never fewer")
            }
            ("HorizontalPodAutoscaler", "/spec/maxReplicas")
            | ("ScaledObject", "/spec/maxReplicaCount") => {
                own(&["autoscaling", "maxReplicas"], "Never more")
            }
            ("HorizontalPodAutoscaler", "/spec/metrics") => {
                own(&["autoscaling", "metrics"], "What the count follows")
            }
            ("HorizontalPodAutoscaler", "/spec/behavior") => {
                own(&["autoscaling", "behavior"], "How fast it follows")
            }
            ("ScaledObject", "/spec/triggers") => {
                own(&["autoscaling", "triggers"], "What the count follows")
            }
            ("Service", "/spec/type") => own(&["service", "type"], "How the service is reached"),
            ("Service", "/spec/ports") => own(&["service", "ports"], "Its ports"),
            ("Service", "/metadata/annotations") => {
                own(&["service", "annotations"], "Annotations of the Service")
            }
            ("ServiceAccount", "/metadata/annotations") => own(
                &["serviceAccount", "annotations"],
                "Annotations of the ServiceAccount: the role of AWS that its pods take",
            ),
            ("PodDisruptionBudget", "/spec/maxUnavailable") => own(
                &["podDisruptionBudget", "maxUnavailable"],
                "How many replicas may be missing",
            ),
            ("PodDisruptionBudget", "/spec/minAvailable") => own(
                &["podDisruptionBudget", "minAvailable"],
                "How many replicas have to be there",
            ),
            ("CronJob", "/spec/schedule") => own(&["schedule"], "When it runs; UTC"),
            ("CronJob", "/spec/suspend") => own(&["suspend"], "Whether it is paused"),
            ("Ingress", _) => self.ingress_rule(pointer),
            ("ConfigMap", "/data")
                if self.object.name == self.base.kubernetes.config_map
                    || self.object.name == hooks::variables_name(self.base) =>
            {
                shared(&["config"], "Variables of the services that are no secret")
            }
            ("PersistentVolumeClaim", "/spec/resources/requests/storage") => own(
                &["persistence", &values::key(&self.object.name), "size"],
                "How large the volume is",
            ),
            ("PersistentVolumeClaim", "/spec/storageClassName") => own(
                &["persistence", &values::key(&self.object.name), "className"],
                "The class of the volume",
            ),
            ("ExternalSecret", "/spec/refreshInterval") => shared(
                &["externalSecrets", "refreshInterval"],
                "How often values are read anew",
            ),
            ("ExternalSecret", "/spec/data") => shared(
                &["externalSecrets", "data"],
                "Which keys are read from where",
            ),
            _ => None,
        }
    }

    fn ingress_rule(&self, pointer: &str) -> Option<(Vec<String>, &'static str)> {
        let several = |variant: &Variant<'_>| {
            let ingresses = variant.objects.iter();
            ingresses
                .filter(|object| object.kind() == "Ingress")
                .count()
                > 1
        };
        let at = |key: &str| -> Vec<String> {
            if self.variants.iter().any(several) {
                let name = values::key(&self.object.name);
                vec!["ingress".into(), name, key.into()]
            } else {
                vec!["ingress".into(), key.into()]
            }
        };
        match pointer {
            "/metadata/annotations" => Some((at("annotations"), "What the controller is told")),
            "/spec/ingressClassName" => Some((at("className"), "Which controller serves it")),
            "/spec/rules" => Some((at("rules"), "Hosts and paths")),
            "/spec/tls" => Some((at("tls"), "Certificates")),
            _ => None,
        }
    }
}
