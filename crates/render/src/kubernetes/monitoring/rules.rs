//! Prometheus and Alertmanager.

use k8s_openapi::api::core::v1::{Container, PodSpec, SecretVolumeSource, Volume, VolumeMount};
use k8s_openapi::api::rbac::v1::PolicyRule;

use super::super::cluster::{Cluster, small};
use super::super::object::{Object, Stage};
use super::super::pods::{
    claim as claimed, container_port, container_security, mount, pod_security, scratch,
};
use super::super::probes::http_probe;
use super::super::secrets;
use super::super::stores::claim;
use super::{account, config_map, data, deployment, may, meta, mounted, rule, service};
use crate::{alertmanager, prometheus};

/// The user `nobody` of both images.
const USER: i64 = 65534;

pub(super) fn objects(cluster: &Cluster<'_>) -> Vec<Object> {
    let mut objects = server(cluster);
    objects.extend(manager(cluster));
    objects
}

fn server(cluster: &Cluster<'_>) -> Vec<Object> {
    const NAME: &str = "prometheus";
    let plan = cluster.plan;
    let files = prometheus::files(plan);
    let data = data(&files, |_| true);
    let text: String = data.values().map(String::as_str).collect();
    let container = Container {
        name: NAME.to_owned(),
        image: Some(format!("prom/prometheus:v{}", cluster.version(NAME))),
        args: Some(prometheus::flags(plan)),
        ports: Some(vec![container_port("web", prometheus::PORT)]),
        resources: small((250, 1000), (512, 2048)),
        startup_probe: Some(http_probe("/-/ready", "web", 10, 60)),
        readiness_probe: Some(http_probe("/-/ready", "web", 10, 3)),
        liveness_probe: Some(http_probe("/-/healthy", "web", 20, 3)),
        security_context: Some(container_security()),
        volume_mounts: Some(vec![
            mount("config", "/etc/prometheus"),
            mount("data", "/prometheus"),
        ]),
        ..Container::default()
    };
    let pod = PodSpec {
        service_account_name: Some(NAME.to_owned()),
        termination_grace_period_seconds: Some(300),
        security_context: Some(pod_security(USER, true)),
        containers: vec![container],
        volumes: Some(vec![
            mounted("config", "prometheus-config", &files, |_| true),
            claimed("data", NAME),
        ]),
        ..PodSpec::default()
    };
    let mut volume = claim(
        cluster,
        NAME,
        NAME,
        "ReadWriteOnce",
        None,
        plan.telemetry.storage,
    );
    volume.metadata = meta(cluster, NAME, NAME);
    let look = &["get", "list", "watch"];
    let discover = vec![
        rule(&[""], &["nodes", "pods", "services"], look),
        rule(&["discovery.k8s.io"], &["endpointslices"], look),
        rule(&[""], &["nodes/metrics"], &["get"]),
        PolicyRule {
            non_resource_urls: Some(vec!["/metrics".to_owned()]),
            verbs: vec!["get".to_owned()],
            ..PolicyRule::default()
        },
    ];
    let mut objects = vec![account(cluster, NAME, true)];
    objects.extend(may(cluster, NAME, discover));
    objects.extend([
        config_map(cluster, "prometheus-config", NAME, data),
        Object::typed(Stage::Config, "prometheus-pvc", &volume),
        deployment(cluster, NAME, pod, &text)
            .comment(
                "/spec/strategy",
                "Its volume has room for one: the old one stops before the new one starts.",
            )
            .comment(
                "/spec/template/spec/terminationGracePeriodSeconds",
                "Time to write down what is in memory.",
            )
            .comment(
                "/spec/template/spec/containers/0/startupProbe",
                "Ten minutes to read the log of a crash again.",
            ),
        service(cluster, NAME, "web", prometheus::PORT),
    ]);
    objects
}

fn manager(cluster: &Cluster<'_>) -> Vec<Object> {
    const NAME: &str = "alertmanager";
    let plan = cluster.plan;
    let files = alertmanager::files(plan);
    let data = data(&files, |_| true);
    let text: String = data.values().map(String::as_str).collect();
    let keys = secrets::of_alertmanager(cluster);
    let mut mounts = vec![
        mount("config", "/etc/alertmanager"),
        mount("data", "/alertmanager"),
    ];
    let mut volumes = vec![
        mounted("config", "alertmanager-config", &files, |_| true),
        scratch("data", "64Mi"),
    ];
    let mut configuration = "/etc/alertmanager/alertmanager.yml".to_owned();
    if !keys.is_empty() {
        // A volume cannot be mounted into another that is read-only: the configuration lies one level deeper.
        mounts = vec![
            mount("config", "/etc/alertmanager/config"),
            VolumeMount {
                read_only: Some(true),
                ..mount("secrets", alertmanager::SECRETS)
            },
            mount("data", "/alertmanager"),
        ];
        configuration = "/etc/alertmanager/config/alertmanager.yml".to_owned();
        volumes.push(Volume {
            name: "secrets".to_owned(),
            secret: Some(SecretVolumeSource {
                secret_name: Some(secrets::ALERTMANAGER.to_owned()),
                ..SecretVolumeSource::default()
            }),
            ..Volume::default()
        });
    }
    let container = Container {
        name: NAME.to_owned(),
        image: Some(format!("prom/alertmanager:v{}", cluster.version(NAME))),
        args: Some(vec![
            format!("--config.file={configuration}"),
            "--storage.path=/alertmanager".to_owned(),
            // One of them has nobody to agree with.
            "--cluster.listen-address=".to_owned(),
        ]),
        ports: Some(vec![container_port("web", 9093)]),
        resources: small((10, 100), (32, 128)),
        readiness_probe: Some(http_probe("/-/ready", "web", 10, 3)),
        liveness_probe: Some(http_probe("/-/healthy", "web", 20, 3)),
        security_context: Some(container_security()),
        volume_mounts: Some(mounts),
        ..Container::default()
    };
    let pod = PodSpec {
        service_account_name: Some(NAME.to_owned()),
        automount_service_account_token: Some(false),
        security_context: Some(pod_security(USER, true)),
        containers: vec![container],
        volumes: Some(volumes),
        ..PodSpec::default()
    };
    let mut objects = vec![
        account(cluster, NAME, false),
        config_map(cluster, "alertmanager-config", NAME, data),
        deployment(cluster, NAME, pod, &text),
        service(cluster, NAME, "web", 9093),
    ];
    objects.extend(secrets::monitoring_objects(cluster));
    objects
}
