//! Grafana, with its data sources and dashboards.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    ConfigMapProjection, Container, PodSpec, ProjectedVolumeSource, Volume, VolumeProjection,
};

use super::super::cluster::{Cluster, small};
use super::super::config::{from_secret_called, value};
use super::super::object::Object;
use super::super::pods::{container_port, container_security, mount, pod_security, scratch};
use super::super::probes::http_probe;
use super::super::secrets;
use super::{account, config_map, deployment, service};
use crate::grafana;

const NAME: &str = "grafana";

/// The user of the image.
const USER: i64 = 472;

pub(super) fn objects(cluster: &Cluster<'_>) -> Vec<Object> {
    let files = grafana::files(cluster.plan);
    let file = |path: &str| -> BTreeMap<String, String> {
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        let found = files.iter().filter(|(known, _)| known.as_str() == path);
        found
            .map(|(_, file)| (name.clone(), file.text.clone()))
            .collect()
    };
    let sources = file("provisioning/datasources/datasources.yml");
    let providers = file("provisioning/dashboards/dashboards.yml");
    let mut text: String = sources
        .values()
        .chain(providers.values())
        .cloned()
        .collect();
    let mut objects = vec![
        account(cluster, NAME, false),
        config_map(cluster, "grafana-datasource-config", NAME, sources),
        config_map(cluster, "grafana-provider-config", NAME, providers),
    ];
    // One ConfigMap a dashboard: all of them together are too large for one.
    let mut dashboards = vec![];
    for (path, dashboard) in &files {
        let Some(name) = path.strip_prefix("dashboards/") else {
            continue;
        };
        let subject = name.trim_end_matches(".json");
        let map = format!("grafana-dashboard-{subject}");
        text.push_str(&dashboard.text);
        let data = BTreeMap::from([(name.to_owned(), dashboard.text.clone())]);
        objects.push(config_map(cluster, &map, NAME, data));
        dashboards.push(map);
    }
    objects.push(
        deployment(cluster, NAME, pod(cluster, dashboards), &text).comment(
            "/spec/template/spec/containers/0/volumeMounts",
            "Everything is provisioned: what people change by hand is gone with the pod.",
        ),
    );
    objects.push(service(cluster, NAME, "web", grafana::PORT));
    objects
}

fn pod(cluster: &Cluster<'_>, dashboards: Vec<String>) -> PodSpec {
    let container = Container {
        name: NAME.to_owned(),
        image: Some(format!("grafana/grafana:{}", cluster.version(NAME))),
        ports: Some(vec![container_port("web", grafana::PORT)]),
        env: Some(vec![
            from_secret_called(
                "GF_SECURITY_ADMIN_PASSWORD",
                secrets::GRAFANA,
                secrets::GRAFANA_PASSWORD,
            ),
            value("GF_ANALYTICS_CHECK_FOR_UPDATES", "false"),
            value("GF_ANALYTICS_REPORTING_ENABLED", "false"),
            value("GF_USERS_ALLOW_SIGN_UP", "false"),
        ]),
        resources: small((50, 500), (128, 512)),
        readiness_probe: Some(http_probe("/api/health", "web", 10, 3)),
        liveness_probe: Some(http_probe("/api/health", "web", 20, 6)),
        security_context: Some(container_security()),
        volume_mounts: Some(vec![
            mount("data", "/var/lib/grafana"),
            mount("tmp", "/tmp"),
            mount("datasources", "/etc/grafana/provisioning/datasources"),
            mount("providers", "/etc/grafana/provisioning/dashboards"),
            mount("dashboards", grafana::DASHBOARDS),
        ]),
        ..Container::default()
    };
    let map = |volume: &str, map: &str| Volume {
        name: volume.to_owned(),
        config_map: Some(k8s_openapi::api::core::v1::ConfigMapVolumeSource {
            name: map.to_owned(),
            ..k8s_openapi::api::core::v1::ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    };
    let sources = dashboards.into_iter().map(|name| VolumeProjection {
        config_map: Some(ConfigMapProjection {
            name,
            ..ConfigMapProjection::default()
        }),
        ..VolumeProjection::default()
    });
    PodSpec {
        service_account_name: Some(NAME.to_owned()),
        automount_service_account_token: Some(false),
        security_context: Some(pod_security(USER, true)),
        containers: vec![container],
        volumes: Some(vec![
            scratch("data", "256Mi"),
            scratch("tmp", "64Mi"),
            map("datasources", "grafana-datasource-config"),
            map("providers", "grafana-provider-config"),
            Volume {
                name: "dashboards".to_owned(),
                projected: Some(ProjectedVolumeSource {
                    sources: Some(sources.collect()),
                    default_mode: None,
                }),
                ..Volume::default()
            },
        ]),
        ..PodSpec::default()
    }
}
