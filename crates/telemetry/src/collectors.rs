//! What is asked within this process: the host, the replicas, the stores, the engine, and the telemetry itself.

use std::sync::Arc;

use wharf_base::clock::Timestamp;
use wharf_exporters::postgres::PostgresLogin;
use wharf_exporters::{Families, Root};

use crate::config::{TargetConfig, Watched};
use crate::scrape::{
    Collecting, Collector, HostCollector, Limits, PoolCollector, PostgresCollector, RedisCollector,
    ReplicasCollector, Source, Target,
};
use crate::stores::Stores;

/// What collectors keep from one scrape to the next.
pub(crate) struct Collectors {
    host: Arc<HostCollector>,
    replicas: Arc<ReplicasCollector>,
    engine: Arc<dyn Collector>,
    own: Arc<OwnCollector>,
}

impl Collectors {
    pub(crate) fn new(engine: Arc<dyn Collector>, stores: Stores) -> Self {
        Self {
            host: Arc::new(HostCollector::new(Root::default())),
            replicas: Arc::new(ReplicasCollector::new(Root::default())),
            engine,
            own: Arc::new(OwnCollector(stores)),
        }
    }

    /// The target that a configuration means.
    pub(crate) fn target(&self, config: &TargetConfig) -> Target {
        let target = Target::new(&config.job, self.source(&config.watched), config.interval);
        Target {
            labels: config.labels.clone(),
            timeout: config.timeout.unwrap_or(target.timeout),
            honor_labels: config.honor_labels,
            honor_timestamps: config.honor_timestamps,
            limits: Limits {
                samples: config.sample_limit,
                ..target.limits
            },
            ..target
        }
    }

    fn source(&self, watched: &Watched) -> Source {
        let collect = |name: &str, collector: Arc<dyn Collector>| Source::Collect {
            name: name.to_owned(),
            collector,
        };
        match watched {
            Watched::Url(address) => Source::Url(address.clone()),
            Watched::Host => collect("host", Arc::clone(&self.host) as Arc<dyn Collector>),
            Watched::Replicas(replicas) => {
                self.replicas.set(replicas.clone());
                collect("replicas", Arc::clone(&self.replicas) as Arc<dyn Collector>)
            }
            Watched::Postgres { credentials, own } => {
                let collector = PostgresCollector {
                    credentials: credentials.clone(),
                    login: match own {
                        Some(dir) => PostgresLogin::Admin(dir.clone()),
                        None => PostgresLogin::Own,
                    },
                };
                collect(&credentials.address(), Arc::new(collector))
            }
            Watched::Redis { credentials, lists } => {
                let collector = RedisCollector {
                    credentials: credentials.clone(),
                    watched: lists.clone(),
                };
                collect(&credentials.address(), Arc::new(collector))
            }
            Watched::PgBouncer(site) => {
                let name = format!("127.0.0.1:{}", site.port);
                collect(&name, Arc::new(PoolCollector(site.clone())))
            }
            Watched::Engine => collect("engine", Arc::clone(&self.engine)),
            Watched::Telemetry => collect("telemetry", Arc::clone(&self.own) as Arc<dyn Collector>),
        }
    }
}

/// The telemetry's own figures, under Prometheus's names where it has them.
struct OwnCollector(Stores);

impl Collector for OwnCollector {
    fn collect(&self, _: Timestamp) -> Collecting<'_> {
        Box::pin(async {
            let mut out = Families::new();
            let stats = self.0.db.stats();
            let gauges = [
                (
                    "prometheus_tsdb_head_series",
                    "Series that have had samples lately.",
                    stats.series as f64,
                ),
                (
                    "prometheus_tsdb_head_chunks",
                    "Chunks of recent samples.",
                    stats.chunks as f64,
                ),
                (
                    "prometheus_tsdb_blocks_loaded",
                    "Blocks of older samples.",
                    stats.blocks as f64,
                ),
                (
                    "prometheus_tsdb_storage_blocks_bytes",
                    "What these take on the disk.",
                    stats.block_bytes as f64,
                ),
            ];
            for (name, help, value) in gauges {
                out.gauge(name, help).add(&[], value);
            }
            let counters = [
                (
                    "prometheus_tsdb_head_samples_appended_total",
                    "Samples that were taken.",
                    stats.samples_appended,
                ),
                (
                    "prometheus_tsdb_head_out_of_order_samples_appended_total",
                    "Samples that came late, among them.",
                    stats.samples_late,
                ),
                (
                    "prometheus_target_scrapes_sample_out_of_bounds_total",
                    "Samples that were refused.",
                    stats.samples_refused,
                ),
            ];
            for (name, help, value) in counters {
                out.counter(name, help).add(&[], value as f64);
            }
            Ok(out)
        })
    }
}
