//! A Redis server of the cluster.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, ConfigMapVolumeSource, Container, PodSpec, Volume};
use wharf_base::ids::Name;
use wharf_plan::model::Store;

use super::super::cluster::{Cluster, requirements, resources_or};
use super::super::config::{checksum, from_secret};
use super::super::object::{Object, Stage};
use super::super::pods::{container_port, container_security, mount, pod_security, scratch};
use super::super::probes::exec_probe;
use super::stateful;
use crate::values::store_password;

/// The user `redis` of the image.
const USER: i64 = 999;

pub(super) fn objects(cluster: &Cluster<'_>, name: &Name, store: &Store) -> Vec<Object> {
    let resources = resources_or(&store.resources, (50, 250), (64, 256));
    let limit = resources.memory.map(|memory| memory.limit.0);
    let text = configuration(limit);
    // `NAME-config` may be the project's.
    let config = format!("{name}-redis");
    let map = ConfigMap {
        metadata: cluster.meta(&config, name.as_str()),
        data: Some(BTreeMap::from([("redis.conf".to_owned(), text.clone())])),
        ..ConfigMap::default()
    };
    // The password goes into a file of the pod's own: neither the configuration nor the list of processes shows it.
    let start = "umask 077 && printf 'requirepass %s\\n' \"$REDISCLI_AUTH\" > /run/redis/password.conf \
        && exec redis-server /etc/redis/redis.conf";
    let ping = ["sh", "-c", "redis-cli ping | grep -q PONG"];
    let container = Container {
        name: "redis".to_owned(),
        image: Some(format!(
            "redis:{}",
            store.version.as_deref().unwrap_or(cluster.version("redis"))
        )),
        command: Some(["sh", "-c", start].map(str::to_owned).into()),
        ports: Some(vec![container_port("redis", 6379)]),
        env: Some(vec![from_secret(
            cluster,
            "REDISCLI_AUTH",
            &store_password(name),
        )]),
        resources: requirements(&resources),
        startup_probe: Some(exec_probe(&ping, 5, 5, 60)),
        readiness_probe: Some(exec_probe(&ping, 10, 5, 3)),
        liveness_probe: Some(exec_probe(&ping, 20, 5, 6)),
        security_context: Some(container_security()),
        volume_mounts: Some(vec![
            mount("data", "/data"),
            mount("config", "/etc/redis"),
            mount("run", "/run/redis"),
        ]),
        ..Container::default()
    };
    let pod = PodSpec {
        service_account_name: Some(name.to_string()),
        automount_service_account_token: Some(false),
        termination_grace_period_seconds: Some(60),
        security_context: Some(pod_security(USER, true)),
        containers: vec![container],
        volumes: Some(vec![
            Volume {
                name: "config".to_owned(),
                config_map: Some(ConfigMapVolumeSource {
                    name: config.clone(),
                    ..ConfigMapVolumeSource::default()
                }),
                ..Volume::default()
            },
            scratch("run", "1Mi"),
        ]),
        ..PodSpec::default()
    };
    let annotations = BTreeMap::from([("checksum/config".to_owned(), checksum(&text))]);
    let mut objects = vec![Object::typed(Stage::Config, config.clone(), &map)];
    objects.extend(
        stateful(cluster, name, store, pod, annotations)
            .into_iter()
            .map(|object| {
                object
                    .comment(
                        "/spec/template/spec/terminationGracePeriodSeconds",
                        "Time for the last snapshot.",
                    )
                    .comment(
                        "/spec/template/spec/containers/0/command",
                        "The password is in a file of the pod, and in no list of processes.",
                    )
            }),
    );
    objects
}

/// `redis.conf`; `limit` is the container's memory in bytes.
fn configuration(limit: Option<u64>) -> String {
    let mut text = "\
include /run/redis/password.conf
dir /data
# Snapshots: after 15 minutes if anything changed, after 5 if 10 keys did, after one if 10,000 did.
save 900 1
save 300 10
save 60 10000
# Between two snapshots at most one second is lost.
appendonly yes
appendfsync everysec
"
    .to_owned();
    if let Some(limit) = limit {
        // The rest is for the copy that a snapshot makes, and for buffers.
        let most = limit / 4 * 3 / (1 << 20);
        text.push_str(&format!(
            "# Three quarters of the container's memory; the rest is for snapshots and buffers.\n\
             maxmemory {most}mb\n\
             # Only keys with an expiry give way: cached values, never jobs that wait.\n\
             maxmemory-policy volatile-lru\n"
        ));
    }
    text
}
