//! What is asked, how often, within which limits; and what became of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use wharf_base::clock::Timestamp;
use wharf_signal::Labels;

use super::address::Address;
use super::collector::Collector;

/// Far above any exposition of one program, and small enough to hold.
const BODY_MAX_BYTES: usize = 64 << 20;

/// Who tells.
#[derive(Clone)]
pub enum Source {
    /// Somebody who speaks HTTP.
    Url(Address),
    /// Something within this process, called by a name that no other is called.
    Collect {
        /// The name: what stands where others have their URL.
        name: String,
        /// What collects.
        collector: Arc<dyn Collector>,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(address) => address.fmt(f),
            Self::Collect { name, .. } => f.write_str(name),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How much of a target is taken. What goes beyond fails the scrape as a whole, as in Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of the unpacked answer.
    pub body_bytes: usize,
    /// Of one scrape.
    pub samples: Option<usize>,
    /// Of one series, with those of its target.
    pub labels: Option<usize>,
    /// Of a label's name.
    pub label_name_bytes: Option<usize>,
    /// Of a label's value.
    pub label_value_bytes: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: BODY_MAX_BYTES,
            samples: None,
            labels: None,
            label_name_bytes: None,
            label_value_bytes: None,
        }
    }
}

/// Something that is scraped. Job, source and labels say which one it is; the rest may change while it stays.
#[derive(Debug, Clone)]
pub struct Target {
    /// The label `job`, unless `labels` have one.
    pub job: String,
    /// Who tells.
    pub source: Source,
    /// What every series of it gets. `instance` is added from the source where it is not among them.
    pub labels: Labels,
    /// From scrape to scrape; at least ten milliseconds.
    pub interval: Duration,
    /// For a whole answer; at most the interval.
    pub timeout: Duration,
    /// Whether labels that the target tells win over those of `labels`; else they become `exported_…`.
    pub honor_labels: bool,
    /// Whether times that the target tells count.
    pub honor_timestamps: bool,
    /// How much of it is taken.
    pub limits: Limits,
}

impl Target {
    /// A target with Prometheus's defaults: its own times count, its own labels do not win.
    #[must_use]
    pub fn new(job: impl Into<String>, source: Source, interval: Duration) -> Self {
        Self {
            job: job.into(),
            source,
            labels: Labels::empty(),
            interval,
            timeout: interval.min(Duration::from_secs(10)),
            honor_labels: false,
            honor_timestamps: true,
            limits: Limits::default(),
        }
    }

    /// The same target with what follows from the rest filled in.
    pub(crate) fn completed(mut self) -> Self {
        let mut labels = self.labels.edit();
        if self.labels.get("job").is_none() {
            labels.set("job", self.job.clone());
        }
        if self.labels.get("instance").is_none() {
            labels.set(
                "instance",
                match &self.source {
                    Source::Url(address) => address.instance(),
                    Source::Collect { name, .. } => name.clone(),
                },
            );
        }
        self.labels = labels.build();
        self.interval = self.interval.max(Duration::from_millis(10));
        self.timeout = self.timeout.min(self.interval);
        self
    }
}

/// Whether a target answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It has not been asked yet.
    Unknown,
    /// It does.
    Up,
    /// It does not, or not as it should.
    Down,
}

impl Health {
    /// The word of Prometheus's API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// A target and what became of it.
#[derive(Debug, Clone)]
pub struct TargetState {
    /// The job that it was given.
    pub job: String,
    /// Its URL, or the name of what collects.
    pub source: String,
    /// Its labels, with `job` and `instance`.
    pub labels: Labels,
    /// From scrape to scrape.
    pub interval: Duration,
    /// For a whole answer.
    pub timeout: Duration,
    /// Whether it answered last.
    pub health: Health,
    /// Why not.
    pub last_error: Option<String>,
    /// Why some samples of the last scrape were not taken, and how many.
    pub refused: Option<(usize, String)>,
    /// When it was asked last.
    pub last_scrape: Option<Timestamp>,
    /// How long that took.
    pub last_duration: Duration,
    /// How many samples it told.
    pub samples: usize,
}
