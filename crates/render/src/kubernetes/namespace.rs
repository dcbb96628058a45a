//! The namespace, and what it may use.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    LimitRange, LimitRangeItem, LimitRangeSpec, Namespace, ResourceQuota, ResourceQuotaSpec,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use wharf_plan::model::IngressClass;

use super::cluster::{Cluster, bytes};
use super::object::{Object, Stage};

/// The namespace with its Pod Security Standard, its quota and the defaults of its containers.
pub(super) fn objects(cluster: &Cluster<'_>) -> Vec<Object> {
    let mut objects = vec![namespace(cluster), limits(cluster)];
    objects.extend(quota(cluster));
    objects
}

fn namespace(cluster: &Cluster<'_>) -> Object {
    let kubernetes = &cluster.plan.kubernetes;
    let mut metadata = cluster.cluster_meta(&kubernetes.namespace);
    let labels = metadata.labels.get_or_insert_default();
    labels.extend(pod_security("restricted", &kubernetes.version));
    if kubernetes.ingress == IngressClass::Alb {
        labels.insert(
            "elbv2.k8s.aws/pod-readiness-gate-inject".into(),
            "enabled".into(),
        );
    }
    let namespace = Namespace {
        metadata,
        ..Namespace::default()
    };
    Object::typed(Stage::Namespace, "namespace", &namespace)
        .comment(
            "/metadata/labels/elbv2.k8s.aws~1pod-readiness-gate-inject",
            "A pod counts as ready once the load balancer sends it requests, so that a rollout drops none.",
        )
        .comment(
            "/metadata/labels/pod-security.kubernetes.io~1enforce",
            "No pod of this namespace may be root, reach the node or gain rights.",
        )
}

/// The labels of a Pod Security Standard, held at one version so that an upgrade of the cluster changes nothing by itself.
pub(super) fn pod_security(level: &str, version: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for mode in ["enforce", "warn", "audit"] {
        let key = format!("pod-security.kubernetes.io/{mode}");
        labels.insert(format!("{key}-version"), format!("v{version}"));
        labels.insert(key, level.to_owned());
    }
    labels
}

fn limits(cluster: &Cluster<'_>) -> Object {
    let of = |cpu: &str, memory: &str| {
        Some(BTreeMap::from([
            ("cpu".to_owned(), Quantity(cpu.to_owned())),
            ("memory".to_owned(), Quantity(memory.to_owned())),
        ]))
    };
    let range = LimitRange {
        metadata: cluster.meta("container-defaults", cluster.plan.name.as_str()),
        spec: Some(LimitRangeSpec {
            limits: vec![LimitRangeItem {
                type_: "Container".to_owned(),
                default: of("500m", "256Mi"),
                default_request: of("50m", "64Mi"),
                ..LimitRangeItem::default()
            }],
        }),
    };
    Object::typed(Stage::Policy, "limit-range", &range).comment(
        "/spec",
        "For containers that ask for nothing: debug sessions, solvers of certificates.",
    )
}

fn quota(cluster: &Cluster<'_>) -> Option<Object> {
    let quota = cluster.plan.kubernetes.quota.as_ref()?;
    let hard = BTreeMap::from([
        ("requests.cpu".to_owned(), Quantity(quota.cpu.to_string())),
        ("requests.memory".to_owned(), bytes(quota.memory)),
        ("pods".to_owned(), Quantity(quota.pods.to_string())),
    ]);
    let quota = ResourceQuota {
        metadata: cluster.meta("quota", cluster.plan.name.as_str()),
        spec: Some(ResourceQuotaSpec {
            hard: Some(hard),
            ..ResourceQuotaSpec::default()
        }),
        ..ResourceQuota::default()
    };
    Some(Object::typed(Stage::Policy, "resource-quota", &quota))
}
