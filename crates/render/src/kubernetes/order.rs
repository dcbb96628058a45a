//! The order in which people write the keys of a manifest; the API server does not mind it.

use serde_json::Value;

use crate::yaml::{Map, Yaml};

/// Keys in their order, for every level at once: a level's keys are found here in the order that it wants. What is not
/// here follows by name.
const ORDER: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "namespace",
    "labels",
    "annotations",
    "immutable",
    "type",
    "op",
    // What a workload is before its pods.
    "scaleTargetRef",
    "schedule",
    "timeZone",
    "concurrencyPolicy",
    "startingDeadlineSeconds",
    "successfulJobsHistoryLimit",
    "failedJobsHistoryLimit",
    "backoffLimit",
    "activeDeadlineSeconds",
    "ttlSecondsAfterFinished",
    "serviceName",
    "replicas",
    "minReplicas",
    "maxReplicas",
    "minReadySeconds",
    "progressDeadlineSeconds",
    "revisionHistoryLimit",
    "strategy",
    "updateStrategy",
    "clusterIP",
    "externalTrafficPolicy",
    "ingressClassName",
    "tls",
    "rules",
    "maxUnavailable",
    "unhealthyPodEvictionPolicy",
    "namespaceSelector",
    "podSelector",
    "policyTypes",
    "ingress",
    "egress",
    "selector",
    "template",
    "jobTemplate",
    "volumeClaimTemplates",
    "maxSkew",
    "topologyKey",
    "whenUnsatisfiable",
    "labelSelector",
    // Rules of roles, policies and ingresses.
    "roleRef",
    "subjects",
    "from",
    "to",
    "host",
    "key",
    "path",
    "pathType",
    "backend",
    // Pods and containers.
    "restartPolicy",
    "serviceAccountName",
    "automountServiceAccountToken",
    "hostNetwork",
    "hostPID",
    "terminationGracePeriodSeconds",
    "image",
    "imagePullPolicy",
    "workingDir",
    "command",
    "args",
    "protocol",
    "port",
    "targetPort",
    "containerPort",
    "nodePort",
    "ports",
    "env",
    "apiGroups",
    "accessModes",
    "storageClassName",
    "resources",
    "verbs",
    "requests",
    "limits",
    "startupProbe",
    "readinessProbe",
    "livenessProbe",
    "exec",
    "httpGet",
    "tcpSocket",
    "initialDelaySeconds",
    "value",
    "periodSeconds",
    "timeoutSeconds",
    "successThreshold",
    "failureThreshold",
    "lifecycle",
    "securityContext",
    "runAsNonRoot",
    "runAsUser",
    "runAsGroup",
    "fsGroup",
    "fsGroupChangePolicy",
    "seccompProfile",
    "allowPrivilegeEscalation",
    "readOnlyRootFilesystem",
    "capabilities",
    "weight",
    "mountPath",
    "subPath",
    "volumeMounts",
    "affinity",
    "topologySpreadConstraints",
    "tolerations",
    "initContainers",
    "containers",
    "volumes",
    "spec",
    "metrics",
    "behavior",
    "stabilizationWindowSeconds",
    "selectPolicy",
    "policies",
];

/// Maps whose keys are data and stand by name.
const DATA: &[&str] = &[
    "annotations",
    "data",
    "hard",
    "labels",
    "limits",
    "matchLabels",
    "nodeSelector",
    "requests",
];

/// A list that is longer than this on one line stands on several.
const INLINE: usize = 90;

/// An object as JSON, as a person would have written it.
pub(crate) fn ordered(value: Value) -> Yaml {
    order(value, "")
}

fn order(value: Value, key: &str) -> Yaml {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<(String, Value)> = object.into_iter().collect();
            let place = |key: &str| ORDER.iter().position(|k| *k == key);
            let is_data = DATA.contains(&key);
            entries.sort_by(|(a, _), (b, _)| {
                let rank = |key: &str| place(key).filter(|_| !is_data).unwrap_or(ORDER.len());
                (rank(a), a).cmp(&(rank(b), b))
            });
            let mut map = Map::new();
            for (key, value) in entries {
                let value = order(value, if is_data { "" } else { &key });
                map.set(key, value);
            }
            map.into()
        }
        Value::Array(items) => {
            let short = items.iter().all(|item| match item {
                Value::String(text) => !text.contains('\n'),
                other => other.is_number(),
            });
            let length: usize = items.iter().map(|item| item.to_string().len() + 2).sum();
            let items = items.into_iter().map(|item| order(item, "")).collect();
            if short && length <= INLINE {
                Yaml::Inline(items)
            } else {
                Yaml::List(items)
            }
        }
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::to_text;

    #[test]
    fn a_manifest_has_the_order_of_a_person() {
        let value = serde_json::json!({
            "spec": { "containers": [{ "volumeMounts": [], "image": "a", "name": "b", "args": ["x", "y"] }] },
            "metadata": { "labels": { "name": "z", "app": "b" }, "name": "web" },
            "kind": "Pod", "apiVersion": "v1",
        });
        let expected = "\
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels:
    app: b
    name: z
spec:
  containers:
    - name: b
      image: a
      args: [x, \"y\"]
      volumeMounts: []
";
        assert_eq!(to_text("", &[ordered(value)]), expected);
    }
}
