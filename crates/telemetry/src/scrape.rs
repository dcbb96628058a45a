//! Asks targets for their metrics, again and again.
//!
//! ```text
//! Scraper --one task a target--> wait (schedule) -> ask (fetch, or a Collector) -> append (intake) -> state
//! ```
//!
//! As Prometheus 3 does it: targets are spread over the interval by a hash of what they are, times are aligned where they are
//! off by less than two milliseconds, a series that is not told of any more gets a mark of staleness, and so do all of them when
//! a scrape fails or its target is removed. Every scrape leaves `up`, `scrape_duration_seconds`, `scrape_samples_scraped`,
//! `scrape_samples_post_metric_relabeling`, `scrape_series_added` and `scrape_body_size_bytes`.
//!
//! A scrape is all or nothing: one malformed line, one label too many, and nothing of it is taken. What comes is bounded: bytes
//! (after they were unpacked), samples, labels, time. Exemplars are dropped.
//!
//! The way of a known series allocates nothing: its line is hashed, found where it was expected, and appended by its reference.

mod address;
mod cache;
mod collector;
mod collectors;
mod fetch;
mod files;
mod intake;
mod manager;
mod merge;
mod metadata;
mod schedule;
mod target;
mod task;
pub(crate) mod tls;

pub use address::{Address, AddressError};
pub use collector::{Collecting, Collector};
pub use collectors::{
    HostCollector, PoolCollector, PostgresCollector, RedisCollector, ReplicasCollector,
};
pub use files::TargetFile;
pub use manager::Scraper;
pub use target::{Health, Limits, Source, Target, TargetState};

/// Why a scrape gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScrapeError {
    /// Nobody listens there.
    #[error("cannot connect to {address}: {reason}")]
    Connect {
        /// Where.
        address: String,
        /// Why not.
        reason: String,
    },
    /// The connection broke, or what answered speaks no HTTP.
    #[error("no answer from {address}: {reason}")]
    Http {
        /// Where.
        address: String,
        /// Why not.
        reason: String,
    },
    /// It answered that it does not.
    #[error("server returned HTTP status {0}: check the path and whether it needs a login")]
    Status(http::StatusCode),
    /// It took too long.
    #[error("no whole answer within {}: raise `timeout`, or tell of less", wharf_base::duration::format(*.0))]
    Timeout(std::time::Duration),
    /// More bytes than are taken.
    #[error("body size limit of {0} bytes exceeded")]
    BodySize(usize),
    /// What was packed cannot be unpacked.
    #[error("the answer is no gzip: {0}")]
    Gzip(String),
    /// What came is no exposition.
    #[error("{0}")]
    Malformed(String),
    /// More samples than are taken.
    #[error("sample limit of {0} exceeded")]
    Samples(usize),
    /// Labels beyond a limit, or none at all.
    #[error("{0}")]
    Labels(String),
    /// What collects within this process failed.
    #[error("{0}")]
    Collect(String),
    /// The store took nothing.
    #[error("cannot be stored: {0}")]
    Storage(String),
}

#[cfg(test)]
mod tests;
