//! Loki, and Promtail on every node.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetSpec};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, EnvVar, EnvVarSource, HostPathVolumeSource, ObjectFieldSelector,
    PodSecurityContext, PodSpec, PodTemplateSpec, SeccompProfile, SecurityContext, Toleration,
    Volume, VolumeMount,
};
use wharf_base::units::Bytes;

use super::super::cluster::{ACCOUNT, Cluster, small};
use super::super::config::{checksum, value};
use super::super::object::{Object, Stage};
use super::super::pods::{
    claim as claimed, container_port, container_security, mount, pod_security, scratch,
};
use super::super::probes::http_probe;
use super::super::stores::claim;
use super::{account, config_map, data, deployment, may, meta, mounted, pod_meta, rule, service};
use crate::loki;

/// The user of Loki's image.
const USER: i64 = 10001;

pub(super) fn objects(cluster: &Cluster<'_>) -> Vec<Object> {
    let mut objects = server(cluster);
    objects.extend(collector(cluster));
    objects
}

fn server(cluster: &Cluster<'_>) -> Vec<Object> {
    const NAME: &str = "loki";
    let plan = cluster.plan;
    let files = loki::files(plan);
    let own = |path: &str| path == "loki.yml";
    let data = data(&files, own);
    let text: String = data.values().map(String::as_str).collect();
    let env = plan.cloud.as_ref().map(|cloud| {
        let named = cloud.buckets.get("logs").map(|bucket| bucket.name.clone());
        let bucket = named.unwrap_or_else(|| format!("{}-logs-{{account}}", cloud.prefix));
        let environment = plan.environment.as_ref().map_or("", |name| name.as_str());
        let bucket = bucket
            .replace("{environment}", environment)
            .replace("{account}", ACCOUNT)
            .replace("{project}", plan.name.as_str());
        vec![value(loki::BUCKET_VARIABLE, bucket)]
    });
    let container = Container {
        name: NAME.to_owned(),
        image: Some(format!("grafana/loki:{}", cluster.version(NAME))),
        args: Some(loki::flags(plan)),
        env,
        ports: Some(vec![container_port("http", loki::PORT)]),
        resources: small((100, 1000), (256, 512)),
        startup_probe: Some(http_probe("/ready", "http", 10, 30)),
        readiness_probe: Some(http_probe("/ready", "http", 10, 3)),
        liveness_probe: Some(http_probe("/metrics", "http", 20, 3)),
        security_context: Some(container_security()),
        volume_mounts: Some(vec![
            mount("config", "/etc/loki"),
            mount("data", "/loki"),
            mount("tmp", "/tmp"),
        ]),
        ..Container::default()
    };
    let pod = PodSpec {
        service_account_name: Some(NAME.to_owned()),
        automount_service_account_token: Some(false),
        termination_grace_period_seconds: Some(120),
        security_context: Some(pod_security(USER, true)),
        containers: vec![container],
        volumes: Some(vec![
            mounted("config", "loki-config", &files, own),
            claimed("data", NAME),
            scratch("tmp", "64Mi"),
        ]),
        ..PodSpec::default()
    };
    // With a cloud only what has not been shipped yet is here.
    let size = Bytes(if plan.cloud.is_some() { 10 } else { 50 } << 30);
    let mut volume = claim(cluster, NAME, NAME, "ReadWriteOnce", None, size);
    volume.metadata = meta(cluster, NAME, NAME);
    let mut who = account(cluster, NAME, false);
    if let Some(role) = cluster.role(NAME) {
        who.annotate("eks.amazonaws.com/role-arn", &role);
    }
    vec![
        who.comment(
            "/metadata/annotations",
            "Reads and writes the bucket of the logs.",
        ),
        config_map(cluster, "loki-config", NAME, data),
        Object::typed(Stage::Config, "loki-pvc", &volume),
        deployment(cluster, NAME, pod, &text).comment(
            "/spec/template/spec/terminationGracePeriodSeconds",
            "Time to ship what is in memory.",
        ),
        service(cluster, NAME, "http", loki::PORT),
    ]
}

fn collector(cluster: &Cluster<'_>) -> Vec<Object> {
    const NAME: &str = "promtail";
    let files = loki::files(cluster.plan);
    let own = |path: &str| path == "promtail.yml";
    let data = data(&files, own);
    let text: String = data.values().map(String::as_str).collect();
    let container = Container {
        name: NAME.to_owned(),
        image: Some(format!("grafana/promtail:{}", cluster.version(NAME))),
        args: Some(vec!["-config.file=/etc/promtail/promtail.yml".to_owned()]),
        ports: Some(vec![container_port("http", 9080)]),
        env: Some(vec![EnvVar {
            name: "HOSTNAME".to_owned(),
            value: None,
            value_from: Some(EnvVarSource {
                field_ref: Some(ObjectFieldSelector {
                    field_path: "spec.nodeName".to_owned(),
                    api_version: None,
                }),
                ..EnvVarSource::default()
            }),
        }]),
        resources: small((25, 200), (64, 128)),
        readiness_probe: Some(http_probe("/ready", "http", 10, 5)),
        security_context: Some(SecurityContext {
            capabilities: Some(Capabilities {
                add: Some(vec!["DAC_READ_SEARCH".to_owned()]),
                drop: Some(vec!["ALL".to_owned()]),
            }),
            ..container_security()
        }),
        volume_mounts: Some(vec![
            mount("config", "/etc/promtail"),
            mount("positions", "/run/promtail"),
            VolumeMount {
                read_only: Some(true),
                ..mount("logs", "/var/log/pods")
            },
        ]),
        ..Container::default()
    };
    let host = |name: &str, path: &str, kind: &str| Volume {
        name: name.to_owned(),
        host_path: Some(HostPathVolumeSource {
            path: path.to_owned(),
            type_: Some(kind.to_owned()),
        }),
        ..Volume::default()
    };
    let pod = PodSpec {
        service_account_name: Some(NAME.to_owned()),
        security_context: Some(PodSecurityContext {
            run_as_user: Some(0),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                localhost_profile: None,
            }),
            ..PodSecurityContext::default()
        }),
        tolerations: Some(vec![Toleration {
            operator: Some("Exists".to_owned()),
            ..Toleration::default()
        }]),
        containers: vec![container],
        volumes: Some(vec![
            mounted("config", "promtail-config", &files, own),
            host("positions", "/var/lib/promtail", "DirectoryOrCreate"),
            host("logs", "/var/log/pods", "Directory"),
        ]),
        ..PodSpec::default()
    };
    let mut metadata = pod_meta(cluster, NAME);
    metadata.annotations = Some(BTreeMap::from([(
        "checksum/config".to_owned(),
        checksum(&text),
    )]));
    let set = DaemonSet {
        metadata: meta(cluster, NAME, NAME),
        spec: Some(DaemonSetSpec {
            revision_history_limit: Some(5),
            selector: cluster.selector(NAME),
            template: PodTemplateSpec {
                metadata: Some(metadata),
                spec: Some(pod),
            },
            ..DaemonSetSpec::default()
        }),
        ..DaemonSet::default()
    };
    let mut objects = vec![account(cluster, NAME, true)];
    let find = rule(&[""], &["nodes", "pods"], &["get", "list", "watch"]);
    objects.extend(may(cluster, NAME, vec![find]));
    objects.extend([
        config_map(cluster, "promtail-config", NAME, data),
        Object::typed(Stage::Services, "promtail-daemonset", &set)
            .comment(
                "/spec/template/spec/securityContext",
                "Logs of pods are readable by root only; of its rights it keeps that of reading.",
            )
            .comment(
                "/spec/template/spec/containers/0/env",
                "It reads the files of its own node, and of the pods that run there.",
            ),
    ]);
    objects
}
