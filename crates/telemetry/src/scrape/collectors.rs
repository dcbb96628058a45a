//! The collectors of [`wharf_exporters`] as targets.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wharf_base::clock::Timestamp;
use wharf_exporters::postgres::PostgresLogin;
use wharf_exporters::{Families, Host, Replica, Replicas, Root, pgbouncer, postgres, redis};
use wharf_store::{Credentials, PoolSite, RedisList};

use super::collector::{Collecting, Collector};

/// A server that does not answer within this is told of as down, which a scrape that timed out could not.
const SERVER_TIMEOUT: Duration = Duration::from_secs(5);

/// This machine.
pub struct HostCollector(Arc<Host>);

impl HostCollector {
    /// This machine, or a copy of its trees.
    #[must_use]
    pub fn new(root: Root) -> Self {
        Self(Arc::new(Host::new(root)))
    }
}

impl Collector for HostCollector {
    fn collect(&self, now: Timestamp) -> Collecting<'_> {
        let host = Arc::clone(&self.0);
        Box::pin(blocking(move || host.collect(now)))
    }
}

/// The replicas that run, as somebody has told last.
pub struct ReplicasCollector {
    replicas: Arc<Replicas>,
    known: Mutex<Arc<[Replica]>>,
}

impl ReplicasCollector {
    /// None yet.
    #[must_use]
    pub fn new(root: Root) -> Self {
        Self {
            replicas: Arc::new(Replicas::new(root)),
            known: Mutex::new(Arc::from([])),
        }
    }

    /// From now on these run.
    pub fn set(&self, replicas: Vec<Replica>) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = replicas.into();
    }
}

impl Collector for ReplicasCollector {
    fn collect(&self, now: Timestamp) -> Collecting<'_> {
        let known = Arc::clone(&self.known.lock().unwrap_or_else(PoisonError::into_inner));
        let replicas = Arc::clone(&self.replicas);
        Box::pin(blocking(move || replicas.collect(&known, now)))
    }
}

/// Files of the kernel are read on a blocking thread.
async fn blocking(collect: impl FnOnce() -> Families + Send + 'static) -> Result<Families, String> {
    let collected = tokio::task::spawn_blocking(collect).await;
    collected.map_err(|error| format!("the collector ended early: {error}"))
}

/// A PostgreSQL.
pub struct PostgresCollector {
    /// Where it is.
    pub credentials: Credentials,
    /// Who asks.
    pub login: PostgresLogin,
}

impl Collector for PostgresCollector {
    fn collect(&self, _: Timestamp) -> Collecting<'_> {
        Box::pin(async {
            Ok(postgres::collect(&self.credentials, &self.login, SERVER_TIMEOUT).await)
        })
    }
}

/// A Redis.
pub struct RedisCollector {
    /// Where it is.
    pub credentials: Credentials,
    /// Lists whose lengths are told.
    pub watched: Vec<RedisList>,
}

impl Collector for RedisCollector {
    fn collect(&self, now: Timestamp) -> Collecting<'_> {
        Box::pin(async move {
            Ok(redis::collect(&self.credentials, &self.watched, now, SERVER_TIMEOUT).await)
        })
    }
}

/// A PgBouncer.
pub struct PoolCollector(
    /// Where it is.
    pub PoolSite,
);

impl Collector for PoolCollector {
    fn collect(&self, _: Timestamp) -> Collecting<'_> {
        Box::pin(async { Ok(pgbouncer::collect(&self.0, SERVER_TIMEOUT).await) })
    }
}
