//! The exporters of PostgreSQL and Redis, which tell Prometheus how a store is.

use k8s_openapi::api::core::v1::{Container, EnvVar};
use wharf_base::ids::Name;
use wharf_plan::model::{ScaleSource, Store, StoreEngine};

use super::super::cluster::{Cluster, small, suffixed};
use super::super::config::{from_secret, value};
use super::super::object::{Object, Stage};
use super::super::pods::{container_port, container_security, simple_pod};
use super::super::probes::{http_probe, tcp_probe};
use super::super::scaling::database;
use super::{account, deployment, host};
use crate::values::store_password;

const POSTGRES: &str = "quay.io/prometheuscommunity/postgres-exporter";
const REDIS: &str = "oliver006/redis_exporter";

/// What the exporter of a store is called.
pub(crate) fn name(store: &Name) -> String {
    suffixed(store, "exporter")
}

/// The port of the exporter of such a store.
pub(crate) fn port(engine: StoreEngine) -> u16 {
    match engine {
        StoreEngine::Postgres => 9187,
        StoreEngine::Redis => 9121,
    }
}

pub(super) fn objects(cluster: &Cluster<'_>, store: &Name, meant: &Store) -> Vec<Object> {
    let name = name(store);
    let port = port(meant.engine);
    // The users of the images.
    let (image, version, user, env) = match meant.engine {
        StoreEngine::Postgres => (
            POSTGRES,
            "postgres_exporter",
            65534,
            postgres(cluster, store),
        ),
        StoreEngine::Redis => (REDIS, "redis_exporter", 59000, redis(cluster, store)),
    };
    let container = Container {
        name: "exporter".to_owned(),
        image: Some(format!("{image}:v{}", cluster.version(version))),
        ports: Some(vec![container_port("metrics", port)]),
        env: Some(env),
        resources: small((10, 100), (32, 64)),
        readiness_probe: Some(http_probe("/", "metrics", 10, 3)),
        liveness_probe: Some(tcp_probe("metrics", 20, 3)),
        security_context: Some(container_security()),
        ..Container::default()
    };
    let pod = simple_pod(&name, user, container);
    let made = deployment(cluster, &name, 1, pod);
    vec![
        account(cluster, &name, None),
        Object::typed(Stage::Stores, format!("{name}-deployment"), &made),
    ]
}

fn postgres(cluster: &Cluster<'_>, store: &Name) -> Vec<EnvVar> {
    let address = cluster.server(store);
    let mode = if address.tls { "require" } else { "disable" };
    let uri = format!(
        "$(DB_HOST):{}/{}?sslmode={mode}",
        address.port, address.database
    );
    vec![
        host(cluster, "DB_HOST", store),
        value("DATA_SOURCE_URI", uri),
        value("DATA_SOURCE_USER", address.user.unwrap_or_default()),
        from_secret(cluster, "DATA_SOURCE_PASS", &store_password(store)),
    ]
}

fn redis(cluster: &Cluster<'_>, store: &Name) -> Vec<EnvVar> {
    let address = cluster.server(store);
    let scheme = if address.tls { "rediss" } else { "redis" };
    let mut env = vec![
        host(cluster, "REDIS_HOST", store),
        value(
            "REDIS_ADDR",
            format!("{scheme}://$(REDIS_HOST):{}", address.port),
        ),
        from_secret(cluster, "REDIS_PASSWORD", &store_password(store)),
    ];
    let queues = queues(cluster, store);
    if !queues.is_empty() {
        env.push(value("REDIS_EXPORTER_CHECK_SINGLE_KEYS", queues.join(",")));
    }
    env
}

/// The lists whose lengths matter, as the exporter is told of them: `db1=celery`.
fn queues(cluster: &Cluster<'_>, store: &Name) -> Vec<String> {
    let mut queues: Vec<String> = cluster
        .plan
        .services
        .values()
        .filter_map(|service| Some((service, service.scale.as_ref()?)))
        .flat_map(|(service, scale)| {
            scale.metrics.iter().filter_map(move |metric| {
                let ScaleSource::Queue { store: of, list } = &metric.source else {
                    return None;
                };
                let index = database(service, store).map_or("0".to_owned(), |(index, _)| index);
                (of == store).then(|| format!("db{index}={list}"))
            })
        })
        .collect();
    queues.sort();
    queues.dedup();
    queues
}
