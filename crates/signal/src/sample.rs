//! Samples, and what a query asks of a store of them.

use crate::{Interrupt, Interrupted, Labels, Matcher};

/// The value that says that a series ended: a NaN that no calculation makes.
pub const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// Whether a value is the mark of a series' end.
#[must_use]
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE.to_bits()
}

/// A value at a time.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Milliseconds since the Unix epoch.
    pub t: i64,
    /// The value.
    pub v: f64,
}

impl PartialEq for Sample {
    /// Values are compared bit by bit: one NaN equals itself.
    fn eq(&self, other: &Self) -> bool {
        self.t == other.t && self.v.to_bits() == other.v.to_bits()
    }
}

/// Samples of one label set, ordered by time, each time once.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Whose samples they are.
    pub labels: Labels,
    /// The samples; marks of staleness are among them.
    pub samples: Vec<Sample>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Select<'a> {
    /// All have to match.
    pub matchers: &'a [Matcher],
    /// The first time that is wanted, in milliseconds, inclusive.
    pub start: i64,
    /// The last, inclusive.
    pub end: i64,
}

/// Why a store gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SourceError {
    /// The query was stopped.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The store failed: what, in one sentence.
    #[error("{0}")]
    Failed(String),
}

/// Series one after another, ordered by their labels.
pub type Selected<'a> = Box<dyn Iterator<Item = Result<Series, SourceError>> + 'a>;

/// A store of samples.
pub trait SampleSource: Send + Sync {
    /// The series that match and have samples in the range, ordered by their labels, each decoded when it is asked for: only one
    /// has to be in memory.
    ///
    /// # Errors
    /// The store failed, or `interrupt` said so.
    fn select<'a>(
        &'a self,
        select: Select<'a>,
        interrupt: &'a dyn Interrupt,
    ) -> Result<Selected<'a>, SourceError>;
}
