//! What is asked within this process: the host, the replicas, the stores, the engine, and the telemetry itself.

use std::sync::Arc;
use std::time::Duration;

use wharf_base::clock::Timestamp;
use wharf_exporters::postgres::PostgresLogin;
use wharf_exporters::{self as exporters, Families, Host, Replica, Replicas, Root};
use wharf_store::{Credentials, PoolSite, RedisList};

use crate::config::{TargetConfig, Watched};
use crate::scrape::{Collecting, Collector, Source, Target};
use crate::stores::Stores;

/// A store that has not answered after this time is told of as down, well before the scrape itself would end.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// What collectors keep from one scrape to the next.
pub(crate) struct Collectors {
    host: Arc<HostCollector>,
    replicas: Arc<Replicas>,
    engine: Arc<dyn Collector>,
    own: Arc<OwnCollector>,
}

impl Collectors {
    pub(crate) fn new(engine: Arc<dyn Collector>, stores: Stores) -> Self {
        Self {
            host: Arc::new(HostCollector(Arc::new(Host::new(Root::default())))),
            replicas: Arc::new(Replicas::new(Root::default())),
            engine,
            own: Arc::new(OwnCollector(stores)),
        }
    }

    /// The target that a configuration means.
    pub(crate) fn target(&self, config: &TargetConfig) -> Target {
        let collect = |name: &str, collector: Arc<dyn Collector>| Source::Collect {
            name: name.to_owned(),
            collector,
        };
        let source = match &config.watched {
            Watched::Url(address) => Source::Url(address.clone()),
            Watched::Host => collect("host", Arc::clone(&self.host) as Arc<dyn Collector>),
            Watched::Replicas(replicas) => {
                let collector = ReplicasCollector {
                    all: Arc::clone(&self.replicas),
                    replicas: Arc::new(replicas.clone()),
                };
                collect("replicas", Arc::new(collector))
            }
            Watched::Postgres { credentials, own } => {
                let login = match own {
                    Some(dir) => PostgresLogin::Admin(dir.clone()),
                    None => PostgresLogin::Own,
                };
                let collector = PostgresCollector(credentials.clone(), login);
                collect(&credentials.address(), Arc::new(collector))
            }
            Watched::Redis { credentials, lists } => {
                let collector = RedisCollector(credentials.clone(), lists.clone());
                collect(&credentials.address(), Arc::new(collector))
            }
            Watched::PgBouncer(site) => {
                let name = format!("127.0.0.1:{}", site.port);
                collect(&name, Arc::new(PoolCollector(site.clone())))
            }
            Watched::Engine => collect("engine", Arc::clone(&self.engine)),
            Watched::Telemetry => collect("telemetry", Arc::clone(&self.own) as Arc<dyn Collector>),
        };
        Target {
            labels: config.labels.clone(),
            honor_labels: config.honor_labels,
            ..Target::new(&config.job, source, config.interval)
        }
    }
}

/// Runs what blocks on a thread where it may.
fn blocking(collect: impl FnOnce() -> Families + Send + 'static) -> Collecting<'static> {
    Box::pin(async move {
        let collected = tokio::task::spawn_blocking(collect).await;
        collected.map_err(|error| format!("the collector ended by a defect: {error}"))
    })
}

struct HostCollector(Arc<Host>);

impl Collector for HostCollector {
    fn collect(&self, now: Timestamp) -> Collecting<'_> {
        let host = Arc::clone(&self.0);
        blocking(move || host.collect(now))
    }
}

struct ReplicasCollector {
    all: Arc<Replicas>,
    replicas: Arc<Vec<Replica>>,
}

impl Collector for ReplicasCollector {
    fn collect(&self, now: Timestamp) -> Collecting<'_> {
        let (all, replicas) = (Arc::clone(&self.all), Arc::clone(&self.replicas));
        blocking(move || all.collect(&replicas, now))
    }
}

struct PostgresCollector(Credentials, PostgresLogin);

impl Collector for PostgresCollector {
    fn collect(&self, _: Timestamp) -> Collecting<'_> {
        Box::pin(async { Ok(exporters::postgres::collect(&self.0, &self.1, STORE_TIMEOUT).await) })
    }
}

struct RedisCollector(Credentials, Vec<RedisList>);

impl Collector for RedisCollector {
    fn collect(&self, now: Timestamp) -> Collecting<'_> {
        Box::pin(async move {
            Ok(exporters::redis::collect(&self.0, &self.1, now, STORE_TIMEOUT).await)
        })
    }
}

struct PoolCollector(PoolSite);

impl Collector for PoolCollector {
    fn collect(&self, _: Timestamp) -> Collecting<'_> {
        Box::pin(async { Ok(exporters::pgbouncer::collect(&self.0, STORE_TIMEOUT).await) })
    }
}

/// The telemetry's own figures, under Prometheus's names where it has them.
struct OwnCollector(Stores);

impl Collector for OwnCollector {
    fn collect(&self, _: Timestamp) -> Collecting<'_> {
        let stores = self.0.clone();
        blocking(move || {
            let mut families = Families::new();
            let head = stores.db.stats();
            families
                .gauge(
                    "prometheus_tsdb_head_series",
                    "Series that have had samples lately.",
                )
                .add(&[], head.series as f64);
            families
                .gauge("prometheus_tsdb_head_chunks", "Chunks of recent samples.")
                .add(&[], head.chunks as f64);
            families
        })
    }
}
