//! What all threads of the ingress share: the configuration that is served, and what outlives it.
//!
//! A worker sees a change by one atomic load a request. Requests keep the table that they began with.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use wharf_base::clock;

use crate::config::{Config, EndpointStatus, Status};
use crate::endpoint::EndpointState;
use crate::metrics::{self, Gauges, Labels, Shard};
use crate::monotonic::{self, NEVER};
use crate::rate::{RateLimiter, RouteCounter};
use crate::table::{Kept, Table, TableError};

/// Why a configuration was not applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    /// A newer one is served.
    #[error("generation {given} is older than generation {served}, which is served")]
    Stale {
        /// The one that was refused.
        given: u64,
        /// The one that stays.
        served: u64,
    },
    /// It contradicts itself.
    #[error("the configuration cannot be served")]
    Table(#[from] TableError),
    /// It could not be written, so a restart would lose it.
    #[error("cannot write the configuration to {}", path.display())]
    Write {
        /// Where to.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What outlives a configuration.
#[derive(Default)]
struct Lasting {
    endpoints: HashMap<String, Arc<EndpointState>>,
    counters: HashMap<String, Arc<RouteCounter>>,
}

/// What all threads share.
pub(crate) struct Shared {
    table: Mutex<Arc<Table>>,
    /// Counts the changes of `table`.
    epoch: AtomicU64,
    lasting: Mutex<Lasting>,
    pub(crate) labels: Labels,
    pub(crate) limiter: RateLimiter,
    pub(crate) shards: Vec<Arc<Mutex<Shard>>>,
    /// Client connections of each worker.
    pub(crate) loads: Vec<AtomicUsize>,
    /// The most client connections of one worker.
    pub(crate) connections_max: usize,
    /// When the ingress cuts what is still under way; [`NEVER`] while it serves.
    drain: watch::Sender<u64>,
    pub(crate) log_dropped: Arc<AtomicU64>,
    config_file: PathBuf,
    listeners: BTreeMap<String, SocketAddr>,
}

impl Shared {
    /// Nothing is configured yet: each request gets 503.
    pub(crate) fn new(
        workers: usize,
        connections_max: usize,
        config_file: PathBuf,
        listeners: BTreeMap<String, SocketAddr>,
        log_dropped: Arc<AtomicU64>,
    ) -> Result<Self, TableError> {
        let labels = Labels::default();
        let lasting = Lasting::default();
        let kept = Kept {
            endpoints: &lasting.endpoints,
            counters: &lasting.counters,
            labels: &labels,
        };
        let table = Table::new(&Config::default(), &kept)?;
        Ok(Self {
            table: Mutex::new(Arc::new(table)),
            epoch: AtomicU64::new(1),
            lasting: Mutex::new(lasting),
            labels,
            limiter: RateLimiter::default(),
            shards: (0..workers).map(|_| Arc::default()).collect(),
            loads: (0..workers).map(|_| AtomicUsize::new(0)).collect(),
            connections_max: connections_max / workers,
            drain: watch::Sender::new(NEVER),
            log_dropped,
            config_file,
            listeners,
        })
    }

    /// The number of the table that is served.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// The table that is served, with its number.
    pub(crate) fn table(&self) -> (u64, Arc<Table>) {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        (self.epoch(), Arc::clone(&table))
    }

    /// Serves `config` from now on. Once this returns, no endpoint that it does not name, or names as draining, gets
    /// another request.
    ///
    /// # Errors
    /// It is stale or invalid; then nothing has changed.
    pub(crate) fn apply(&self, config: &Config) -> Result<(), ApplyError> {
        let mut lasting = self.lasting.lock().unwrap_or_else(PoisonError::into_inner);
        let served = self.table().1.generation;
        if config.generation < served {
            return Err(ApplyError::Stale {
                given: config.generation,
                served,
            });
        }
        let staged = lasting.staged(config);
        let kept = Kept {
            endpoints: &staged.endpoints,
            counters: &staged.counters,
            labels: &self.labels,
        };
        let table = Arc::new(Table::new(config, &kept)?);
        let cut_at = staged.cut_times(config);
        {
            let mut current = self.table.lock().unwrap_or_else(PoisonError::into_inner);
            *current = table;
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
        // After the swap: a request that loses its pick to this finds the new table.
        for (id, endpoint) in &staged.endpoints {
            match cut_at.get(id.as_str()) {
                Some(cut_at) => endpoint.set_leaving(true, *cut_at),
                None => endpoint.set_leaving(false, NEVER),
            }
        }
        for upstream in config
            .upstreams
            .values()
            .filter(|upstream| upstream.health.is_none())
        {
            for endpoint in upstream
                .revisions
                .iter()
                .flat_map(|revision| &revision.endpoints)
            {
                if let Some(state) = staged.endpoints.get(&endpoint.id) {
                    state.set_checked(true);
                }
            }
        }
        *lasting = staged;
        Ok(())
    }

    /// Keeps `config` for the next start, atomically.
    pub(crate) fn save(&self, config: &[u8]) -> Result<(), ApplyError> {
        let failed = |source| ApplyError::Write {
            path: self.config_file.clone(),
            source,
        };
        let mut name = self.config_file.clone().into_os_string();
        name.push(format!(".{}.new", std::process::id()));
        let staged = PathBuf::from(name);
        let write = || -> io::Result<()> {
            use std::io::Write as _;
            use std::os::unix::fs::OpenOptionsExt as _;
            // Headers of a route may hold credentials.
            let mut file = std::fs::OpenOptions::new()
                .create(true)
                .write(true)
                .truncate(true)
                .mode(0o600)
                .open(&staged)?;
            file.write_all(config)?;
            file.sync_data()?;
            std::fs::rename(&staged, &self.config_file)
        };
        write().map_err(failed)
    }

    /// What `GET /status` says.
    pub(crate) fn status(&self) -> Status {
        let now = monotonic::millis();
        let lasting = self.lasting.lock().unwrap_or_else(PoisonError::into_inner);
        let endpoints = lasting.endpoints.iter().map(|(id, endpoint)| {
            (
                id.clone(),
                EndpointStatus {
                    in_flight: endpoint.in_flight(),
                    healthy: may_get_requests(endpoint, now),
                },
            )
        });
        Status {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            generation: self.table().1.generation,
            listeners: self.listeners.clone(),
            connections: self.connections(),
            endpoints: endpoints.collect(),
            draining: self.drain_deadline() != NEVER,
        }
    }

    /// What `GET /metrics` says.
    pub(crate) fn metrics(&self) -> String {
        let now = monotonic::millis();
        let table = self.table().1;
        let lasting = self.lasting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut endpoints: Vec<_> = lasting
            .endpoints
            .values()
            .map(|endpoint| {
                (
                    Arc::clone(&endpoint.id),
                    endpoint.in_flight(),
                    may_get_requests(endpoint, now),
                )
            })
            .collect();
        endpoints.sort();
        drop(lasting);
        let gauges = Gauges {
            project: Arc::clone(&table.project),
            generation: table.generation,
            connections: self.connections(),
            log_lines_dropped: self.log_dropped.load(Ordering::Relaxed),
            endpoints,
        };
        metrics::render(&self.shards, &self.labels, &gauges)
    }

    fn connections(&self) -> u64 {
        self.loads
            .iter()
            .map(|load| load.load(Ordering::Relaxed) as u64)
            .sum()
    }

    /// Stops accepting; what is under way is cut after `timeout`. A second call can only shorten it.
    pub(crate) fn drain(&self, timeout: Duration) {
        let cut_at = monotonic::millis_after(timeout);
        self.drain
            .send_modify(|current| *current = (*current).min(cut_at));
    }

    /// When what is under way is cut.
    pub(crate) fn drain_deadline(&self) -> u64 {
        *self.drain.borrow()
    }

    /// Wakes who serves when the drain begins.
    pub(crate) fn drain_begins(&self) -> watch::Receiver<u64> {
        self.drain.subscribe()
    }
}

fn may_get_requests(endpoint: &EndpointState, now: u64) -> bool {
    !endpoint.is_leaving() && endpoint.is_checked() && !endpoint.is_ejected(now)
}

impl Lasting {
    /// The states for `config`: known ones go on, unknown ones begin, and one that is not named is kept until its
    /// last request has ended.
    fn staged(&self, config: &Config) -> Self {
        let mut staged = Self::default();
        for endpoint in config
            .upstreams
            .values()
            .flat_map(|upstream| &upstream.revisions)
            .flat_map(|r| &r.endpoints)
        {
            let known = self
                .endpoints
                .get(&endpoint.id)
                .filter(|known| known.address == endpoint.address);
            let state = match known {
                Some(known) => Arc::clone(known),
                None => Arc::new(EndpointState::new(&endpoint.id, endpoint.address)),
            };
            staged.endpoints.insert(endpoint.id.clone(), state);
        }
        let draining: Vec<_> = config
            .upstreams
            .values()
            .flat_map(|upstream| &upstream.draining)
            .collect();
        for (id, known) in &self.endpoints {
            let kept = known.in_flight() > 0 || draining.iter().any(|draining| draining.id == *id);
            if kept && !staged.endpoints.contains_key(id) {
                staged.endpoints.insert(id.clone(), Arc::clone(known));
            }
        }
        for draining in draining {
            // After a restart of the ingress there is nothing under way at it, and the engine is told so.
            let unknown = || {
                Arc::new(EndpointState::new(
                    &draining.id,
                    SocketAddr::from(([127, 0, 0, 1], 0)),
                ))
            };
            staged
                .endpoints
                .entry(draining.id.clone())
                .or_insert_with(unknown);
        }
        for route in &config.routes {
            let counter = self
                .counters
                .get(&route.name)
                .map(Arc::clone)
                .unwrap_or_default();
            staged.counters.insert(route.name.clone(), counter);
        }
        staged
    }

    /// When the requests of leaving endpoints are cut, in monotonic milliseconds.
    fn cut_times(&self, config: &Config) -> HashMap<String, u64> {
        let (wall, monotonic) = (clock::now().0, monotonic::millis());
        let mut times: HashMap<String, u64> = self
            .endpoints
            .keys()
            .map(|id| (id.clone(), NEVER))
            .collect();
        for upstream in config.upstreams.values() {
            for endpoint in upstream
                .revisions
                .iter()
                .flat_map(|revision| &revision.endpoints)
            {
                times.remove(&endpoint.id);
            }
        }
        for draining in config
            .upstreams
            .values()
            .flat_map(|upstream| &upstream.draining)
        {
            let left = draining.deadline_millis.saturating_sub(wall);
            times.insert(draining.id.clone(), monotonic.saturating_add(left));
        }
        times
    }
}
