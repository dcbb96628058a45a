//! What a store says of itself: what was damaged, what fails, how much there is.

use std::fmt;

/// Something on the disk that is not what was written. It was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Where: a path below the store's folder.
    pub file: String,
    /// At which byte, where that is known.
    pub offset: Option<u64>,
    /// What is wrong, and what became of it.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(offset) = self.offset {
            write!(f, ", byte {offset}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// What was found when a store was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// What was damaged, up to some thousand places.
    pub damage: Vec<Damage>,
    /// How many series were found in the log.
    pub series: usize,
    /// How many samples were found in the log.
    pub samples: u64,
    /// Samples of the log whose series is not known, as its record was damaged.
    pub orphans: u64,
    /// How many blocks there are.
    pub blocks: usize,
}

/// How a store is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Why nothing can be written, in one sentence. Nothing: the last try worked.
    pub storage: Option<String>,
    /// How many commits failed for that.
    pub failed_commits: u64,
    /// Why the last compaction failed.
    pub compaction: Option<String>,
    /// What was found damaged since the store was opened, up to a hundred places.
    pub damage: Vec<Damage>,
}

impl Health {
    /// Whether samples are taken and kept as they should be.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.storage.is_none() && self.compaction.is_none() && self.damage.is_empty()
    }
}

/// How much there is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stats {
    /// Series of the head.
    pub series: usize,
    /// Chunks of the head.
    pub chunks: usize,
    /// The first time in the head.
    pub min_time: Option<i64>,
    /// The last time.
    pub max_time: Option<i64>,
    /// Pairs of a name and a value.
    pub label_pairs: usize,
    /// Samples that were taken since the store was opened.
    pub samples_appended: u64,
    /// Samples that came late, among them.
    pub samples_late: u64,
    /// Samples that were refused.
    pub samples_refused: u64,
    /// How many blocks there are, and what they take.
    pub blocks: usize,
    /// On the disk.
    pub block_bytes: u64,
    /// Of names and values of the head.
    pub symbol_bytes: usize,
}

/// A name and a number.
pub type Count = (String, u64);

/// What takes the most, of the head, as `/api/v1/status/tsdb` tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cardinality {
    /// Series by metric name.
    pub series_by_metric: Vec<Count>,
    /// Values by label name.
    pub values_by_label: Vec<Count>,
    /// Bytes of values by label name.
    pub bytes_by_label: Vec<Count>,
    /// Series by `name=value`.
    pub series_by_pair: Vec<Count>,
}
