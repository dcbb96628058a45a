//! PgBouncer before a PostgreSQL.

use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use wharf_base::ids::Name;
use wharf_plan::model::{Pool, PoolMode};

use super::super::cluster::{Cluster, POOL_PORT, small};
use super::super::config::{from_secret, value};
use super::super::object::{Object, Stage};
use super::super::pods::{apart, container_port, container_security, mount, scratch, simple_pod};
use super::super::probes::tcp_probe;
use super::{account, deployment, host, service};
use crate::values::store_password;

/// The user `postgres` of the image.
const USER: i64 = 70;

const EXPORTER: &str = "quay.io/prometheuscommunity/pgbouncer-exporter:v0.10.2";

/// The port of the exporter beside PgBouncer.
pub(crate) const EXPORTER_PORT: u16 = 9127;

/// One of them may be replaced while the other works.
const REPLICAS: u32 = 2;

/// The image; what stands behind the version counts how often it was packaged.
fn image(cluster: &Cluster<'_>) -> String {
    format!("edoburu/pgbouncer:v{}-p2", cluster.version("pgbouncer"))
}

pub(super) fn objects(cluster: &Cluster<'_>, store: &Name, pool: &Pool) -> Vec<Object> {
    let name = Cluster::pool_name(store);
    let address = cluster.server(store);
    let mode = match pool.mode {
        PoolMode::Transaction => "transaction",
        PoolMode::Session => "session",
    };
    let mut env = vec![
        host(cluster, "DB_HOST", store),
        value("DB_PORT", address.port.to_string()),
        value("DB_USER", address.user.clone().unwrap_or_default()),
        from_secret(cluster, "DB_PASSWORD", &store_password(store)),
        value("LISTEN_PORT", POOL_PORT.to_string()),
        value("AUTH_TYPE", "scram-sha-256"),
        value("POOL_MODE", mode),
        value(
            "DEFAULT_POOL_SIZE",
            pool.size.div_ceil(REPLICAS).to_string(),
        ),
        value("MAX_CLIENT_CONN", pool.clients.to_string()),
        value("IGNORE_STARTUP_PARAMETERS", "extra_float_digits,options"),
        // The exporter beside it asks as the same user.
        value("STATS_USERS", address.user.clone().unwrap_or_default()),
    ];
    if address.tls {
        env.push(value("SERVER_TLS_SSLMODE", "require"));
    }
    let container = Container {
        name: "pgbouncer".to_owned(),
        image: Some(image(cluster)),
        ports: Some(vec![container_port("postgres", POOL_PORT)]),
        env: Some(env),
        resources: small((50, 250), (32, 128)),
        readiness_probe: Some(tcp_probe("postgres", 5, 3)),
        liveness_probe: Some(tcp_probe("postgres", 20, 3)),
        security_context: Some(container_security()),
        volume_mounts: Some(vec![mount("config", "/etc/pgbouncer")]),
        ..Container::default()
    };
    let mut pod = PodSpec {
        affinity: Some(apart(cluster, &name)),
        volumes: Some(vec![scratch("config", "1Mi")]),
        ..simple_pod(&name, USER, container)
    };
    pod.containers.push(exporter(cluster, store));
    let replicas = i32::try_from(REPLICAS).unwrap_or(i32::MAX);
    let made = deployment(cluster, &name, replicas, pod);
    let budget = PodDisruptionBudget {
        metadata: cluster.meta(&name, &name),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            selector: Some(cluster.selector(&name)),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    };
    vec![
        account(cluster, &name, None),
        Object::typed(Stage::Stores, format!("{name}-deployment"), &made)
            .comment(
                "/spec/template/spec/containers/0/env",
                format!(
                    "{} connections to the server in all, shared by {REPLICAS} pods.",
                    pool.size
                ),
            )
            .comment(
                "/spec/template/spec/volumes",
                "The image writes its configuration and the list of users here at its start.",
            ),
        Object::typed(
            Stage::Stores,
            format!("{name}-service"),
            &service(cluster, &name, "postgres", POOL_PORT),
        ),
        Object::typed(Stage::Stores, format!("{name}-pdb"), &budget),
    ]
}

/// What tells Prometheus how the connections are used.
fn exporter(cluster: &Cluster<'_>, store: &Name) -> Container {
    let user = cluster.server(store).user.unwrap_or_default();
    let address =
        format!("postgres://{user}:$(DB_PASSWORD)@localhost:{POOL_PORT}/pgbouncer?sslmode=disable");
    Container {
        name: "exporter".to_owned(),
        image: Some(EXPORTER.to_owned()),
        ports: Some(vec![container_port("metrics", EXPORTER_PORT)]),
        env: Some(vec![
            from_secret(cluster, "DB_PASSWORD", &store_password(store)),
            value("PGBOUNCER_EXPORTER_CONNECTION_STRING", address),
        ]),
        resources: small((10, 100), (32, 64)),
        readiness_probe: Some(tcp_probe("metrics", 10, 3)),
        liveness_probe: Some(tcp_probe("metrics", 20, 3)),
        security_context: Some(container_security()),
        ..Container::default()
    }
}
