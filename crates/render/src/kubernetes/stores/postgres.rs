//! A PostgreSQL server of the cluster.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, ConfigMapVolumeSource, Container, PodSpec, Volume};
use wharf_base::ids::Name;
use wharf_plan::model::Store;

use super::super::cluster::{Cluster, requirements, resources_or};
use super::super::config::{from_secret, value};
use super::super::object::{Object, Stage};
use super::super::pods::{container_port, container_security, mount, pod_security, scratch};
use super::super::probes::exec_probe;
use super::stateful;
use crate::values::store_password;

/// The user `postgres` of the image.
const USER: i64 = 999;

/// The image of a PostgreSQL of the store's version.
pub(super) fn image(cluster: &Cluster<'_>, store: &Store) -> String {
    let version = store.version.as_deref();
    format!(
        "postgres:{}",
        version.unwrap_or(cluster.version("postgres"))
    )
}

pub(super) fn objects(cluster: &Cluster<'_>, name: &Name, store: &Store) -> Vec<Object> {
    let address = cluster.server(name);
    let user = address.user.unwrap_or_default();
    let ready = [
        "pg_isready",
        "--username",
        &user,
        "--dbname",
        &address.database,
    ];
    let mut mounts = vec![
        mount("data", "/var/lib/postgresql/data"),
        mount("run", "/var/run/postgresql"),
        mount("tmp", "/tmp"),
    ];
    let mut volumes = vec![scratch("run", "16Mi"), scratch("tmp", "64Mi")];
    let extensions = extensions(cluster, name, store);
    if extensions.is_some() {
        mounts.push(mount("init", "/docker-entrypoint-initdb.d"));
        volumes.push(Volume {
            name: "init".to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: init_name(name),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        });
    }
    let container = Container {
        name: "postgres".to_owned(),
        image: Some(image(cluster, store)),
        ports: Some(vec![container_port("postgres", 5432)]),
        env: Some(vec![
            value("POSTGRES_USER", user.clone()),
            value("POSTGRES_DB", address.database.clone()),
            from_secret(cluster, "POSTGRES_PASSWORD", &store_password(name)),
            value("PGDATA", "/var/lib/postgresql/data/pgdata"),
        ]),
        resources: requirements(&resources_or(&store.resources, (100, 500), (256, 512))),
        startup_probe: Some(exec_probe(&ready, 5, 5, 60)),
        readiness_probe: Some(exec_probe(&ready, 10, 5, 3)),
        liveness_probe: Some(exec_probe(&ready, 20, 5, 6)),
        security_context: Some(container_security()),
        volume_mounts: Some(mounts),
        ..Container::default()
    };
    let pod = PodSpec {
        service_account_name: Some(name.to_string()),
        automount_service_account_token: Some(false),
        // A fast shutdown ends the sessions and writes a checkpoint.
        termination_grace_period_seconds: Some(120),
        security_context: Some(pod_security(USER, true)),
        containers: vec![container],
        volumes: Some(volumes),
        ..PodSpec::default()
    };
    let mut objects: Vec<Object> = extensions.into_iter().collect();
    objects.extend(
        stateful(cluster, name, store, pod, BTreeMap::new())
            .into_iter()
            .map(|object| {
                object
                    .comment(
                        "/spec/template/spec/terminationGracePeriodSeconds",
                        "Time for the last checkpoint.",
                    )
                    .comment(
                        "/spec/template/spec/containers/0/startupProbe",
                        "Five minutes for the recovery after a crash.",
                    )
            }),
    );
    objects
}

fn init_name(store: &Name) -> String {
    format!("{store}-init")
}

fn extensions(cluster: &Cluster<'_>, name: &Name, store: &Store) -> Option<Object> {
    if store.extensions.is_empty() {
        return None;
    }
    let script: String = store
        .extensions
        .iter()
        .map(|extension| {
            let quoted = extension.replace('"', "\"\"");
            format!("CREATE EXTENSION IF NOT EXISTS \"{quoted}\";\n")
        })
        .collect();
    let map = ConfigMap {
        metadata: cluster.meta(&init_name(name), name.as_str()),
        data: Some(BTreeMap::from([("extensions.sql".to_owned(), script)])),
        ..ConfigMap::default()
    };
    Some(
        Object::typed(Stage::Config, format!("{name}-init-config"), &map)
            .comment("/data", "Run once, when the data folder is made."),
    )
}
