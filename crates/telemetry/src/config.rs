//! What the engine tells the telemetry.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wharf_alerting::rules::RuleGroup;
use wharf_exporters::Replica;
use wharf_signal::Labels;
use wharf_store::{Credentials, PoolSite, RedisList};

use crate::archive::ArchivePlace;
use crate::notify::Notifications;
use crate::scrape::{Address, Collector};
use crate::tail::LogSources;

/// What is settled before it starts.
pub struct Settings {
    /// Where samples, lines and spans are kept.
    pub dir: PathBuf,
    /// Where it answers: an address of loopback.
    pub listener: TcpListener,
    /// What it is for.
    pub mode: Mode,
    /// Tells of the engine.
    pub engine: Arc<dyn Collector>,
}

/// What a telemetry is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// A project that runs.
    #[default]
    Project,
    /// Tests of the query languages: nothing is scraped or evaluated, samples of any age are taken, and what is stored can be
    /// deleted over HTTP (Prometheus's admin API).
    Test,
}

/// How long what is collected is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// Samples.
    pub samples: Duration,
    /// The most that samples take on disk; the oldest go first.
    pub samples_bytes: u64,
    /// Lines, where they are searched fast; and spans.
    pub logs_hot: Duration,
    /// Lines, at all.
    pub logs_archive: Duration,
}

/// What there is to collect and to watch: whole, whenever it changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The project.
    pub project: String,
    /// How long things are kept.
    pub keep: Keep,
    /// Where lines go that are older than [`Keep::logs_hot`].
    pub archive: ArchivePlace,
    /// From scrape to scrape and from evaluation to evaluation, where nothing else is said.
    pub interval: Duration,
    /// What all series have in common when they leave this project.
    pub external_labels: BTreeMap<String, String>,
    /// What is scraped.
    pub targets: Vec<TargetConfig>,
    /// Files of more targets in Prometheus's form, each with the job of those that name none.
    pub target_files: Vec<(PathBuf, String)>,
    /// What is tailed.
    pub logs: LogSources,
    /// What is evaluated.
    pub rules: Vec<RuleGroup>,
    /// Prometheus's rule files with more of that.
    pub rule_files: Vec<PathBuf>,
    /// Who is told.
    pub notifications: Notifications,
}

/// Something that is scraped.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetConfig {
    /// The label `job`.
    pub job: String,
    /// What is asked.
    pub watched: Watched,
    /// What every series of it gets, beside `job` and `instance`.
    pub labels: Labels,
    /// From scrape to scrape.
    pub interval: Duration,
    /// For a whole answer; none: as usual.
    pub timeout: Option<Duration>,
    /// Whether labels that it tells itself win.
    pub honor_labels: bool,
    /// Whether times that it tells itself count.
    pub honor_timestamps: bool,
    /// How many samples a scrape may have; none: no limit.
    pub sample_limit: Option<usize>,
}

/// What is asked for its metrics.
#[derive(Debug, Clone, PartialEq)]
pub enum Watched {
    /// What speaks HTTP.
    Url(Address),
    /// This machine.
    Host,
    /// The processes of the project.
    Replicas(Vec<Replica>),
    /// A PostgreSQL server.
    Postgres {
        /// Where it is, and who asks.
        credentials: Credentials,
        /// Of a server that Wharf runs, its folder: then its superuser asks.
        own: Option<PathBuf>,
    },
    /// A Redis server.
    Redis {
        /// Where it is, and who asks.
        credentials: Credentials,
        /// The lists whose lengths are told.
        lists: Vec<RedisList>,
    },
    /// A pool of connections.
    PgBouncer(PoolSite),
    /// The engine.
    Engine,
    /// The telemetry itself.
    Telemetry,
}
