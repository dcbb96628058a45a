//! The node exporter, on every node, and kube-state-metrics.

use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetSpec};
use k8s_openapi::api::core::v1::{
    Container, HostPathVolumeSource, PodSpec, PodTemplateSpec, Toleration, Volume, VolumeMount,
};

use super::super::cluster::{Cluster, small};
use super::super::object::{Object, Stage};
use super::super::pods::{container_port, container_security, mount, pod_security};
use super::super::probes::http_probe;
use super::{account, deployment, may, meta, pod_meta, rule};

pub(super) fn objects(cluster: &Cluster<'_>) -> Vec<Object> {
    let mut objects = node_exporter(cluster);
    objects.extend(state_metrics(cluster));
    objects
}

fn node_exporter(cluster: &Cluster<'_>) -> Vec<Object> {
    const NAME: &str = "node-exporter";
    let container = Container {
        name: NAME.to_owned(),
        image: Some(format!(
            "quay.io/prometheus/node-exporter:v{}",
            cluster.version("node_exporter")
        )),
        args: Some(vec![
            "--path.rootfs=/host/root".to_owned(),
            "--collector.filesystem.mount-points-exclude=^/(dev|proc|run|sys|var/lib/(containerd|docker|kubelet)/.+)($|/)"
                .to_owned(),
        ]),
        ports: Some(vec![container_port("metrics", 9100)]),
        resources: small((25, 200), (32, 64)),
        readiness_probe: Some(http_probe("/", "metrics", 10, 3)),
        liveness_probe: Some(http_probe("/", "metrics", 20, 3)),
        security_context: Some(container_security()),
        volume_mounts: Some(vec![VolumeMount {
            read_only: Some(true),
            mount_propagation: Some("HostToContainer".to_owned()),
            ..mount("root", "/host/root")
        }]),
        ..Container::default()
    };
    let pod = PodSpec {
        service_account_name: Some(NAME.to_owned()),
        automount_service_account_token: Some(false),
        host_network: Some(true),
        host_pid: Some(true),
        security_context: Some(pod_security(65534, false)),
        tolerations: Some(vec![Toleration {
            operator: Some("Exists".to_owned()),
            ..Toleration::default()
        }]),
        containers: vec![container],
        volumes: Some(vec![Volume {
            name: "root".to_owned(),
            host_path: Some(HostPathVolumeSource {
                path: "/".to_owned(),
                type_: None,
            }),
            ..Volume::default()
        }]),
        ..PodSpec::default()
    };
    let set = DaemonSet {
        metadata: meta(cluster, NAME, NAME),
        spec: Some(DaemonSetSpec {
            revision_history_limit: Some(5),
            selector: cluster.selector(NAME),
            template: PodTemplateSpec {
                metadata: Some(pod_meta(cluster, NAME)),
                spec: Some(pod),
            },
            ..DaemonSetSpec::default()
        }),
        ..DaemonSet::default()
    };
    vec![
        account(cluster, NAME, false),
        Object::typed(Stage::Services, "node-exporter-daemonset", &set)
            .comment(
                "/spec/template/spec/hostNetwork",
                "It measures the node: its network, its processes, its disks.",
            )
            .comment(
                "/spec/template/spec/tolerations",
                "On every node, whatever else it refuses.",
            ),
    ]
}

fn state_metrics(cluster: &Cluster<'_>) -> Vec<Object> {
    const NAME: &str = "kube-state-metrics";
    let container = Container {
        name: NAME.to_owned(),
        image: Some(format!(
            "registry.k8s.io/kube-state-metrics/kube-state-metrics:v{}",
            cluster.version("kube_state_metrics")
        )),
        // What it asks for is what it may see.
        args: Some(vec![format!("--resources={}", RESOURCES.join(","))]),
        ports: Some(vec![
            container_port("metrics", 8080),
            container_port("telemetry", 8081),
        ]),
        resources: small((25, 200), (64, 256)),
        readiness_probe: Some(http_probe("/", "telemetry", 10, 3)),
        liveness_probe: Some(http_probe("/healthz", "metrics", 20, 3)),
        security_context: Some(container_security()),
        ..Container::default()
    };
    let pod = PodSpec {
        service_account_name: Some(NAME.to_owned()),
        security_context: Some(pod_security(65534, false)),
        containers: vec![container],
        ..PodSpec::default()
    };
    let look = &["list", "watch"];
    let rules = vec![
        rule(
            &[""],
            &[
                "namespaces",
                "nodes",
                "persistentvolumeclaims",
                "persistentvolumes",
                "pods",
                "resourcequotas",
            ],
            look,
        ),
        rule(
            &["apps"],
            &["daemonsets", "deployments", "replicasets", "statefulsets"],
            look,
        ),
        rule(&["batch"], &["cronjobs", "jobs"], look),
        rule(&["autoscaling"], &["horizontalpodautoscalers"], look),
        rule(&["policy"], &["poddisruptionbudgets"], look),
        rule(&["networking.k8s.io"], &["ingresses"], look),
    ];
    let mut objects = vec![account(cluster, NAME, true)];
    objects.extend(may(cluster, NAME, rules));
    objects.push(deployment(cluster, NAME, pod, &RESOURCES.join(",")));
    objects
}

const RESOURCES: [&str; 15] = [
    "cronjobs",
    "daemonsets",
    "deployments",
    "horizontalpodautoscalers",
    "ingresses",
    "jobs",
    "namespaces",
    "nodes",
    "persistentvolumeclaims",
    "persistentvolumes",
    "poddisruptionbudgets",
    "pods",
    "replicasets",
    "resourcequotas",
    "statefulsets",
];
