//! Adding samples to a store.

use crate::Labels;

/// Where a store keeps a series; kept by whoever adds to it again and again, valid while the store is open. A store that has
/// forgotten the series since finds it anew by its labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesRef(pub u64);

/// Why a sample was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Older than the newest of its series, and than what may come late.
    #[error("out of order sample")]
    OutOfOrder,
    /// Another value for a time that the series has.
    #[error("duplicate sample for timestamp")]
    Duplicate,
    /// Too old for the store as a whole, or too far in the future.
    #[error("out of bounds")]
    OutOfBounds,
    /// The labels are none: which, and why.
    #[error("{0}")]
    Labels(String),
    /// A limit is reached: which, and how to raise it.
    #[error("{0}")]
    Limit(String),
    /// It cannot be written: the disk is full, or broken. Nothing of the batch was taken.
    #[error("{0}")]
    Storage(String),
}

impl AppendError {
    /// Whether another sample may be taken although this one was not.
    #[must_use]
    pub fn is_of_one_sample(&self) -> bool {
        !matches!(self, Self::Storage(_))
    }
}

/// A batch of samples on its way into a store: dropped, it changes nothing.
pub trait Appender: Send {
    /// Adds one sample. A `known` series saves the look-up.
    ///
    /// # Errors
    /// The sample is not taken; the others of the batch are.
    fn append(
        &mut self,
        known: Option<SeriesRef>,
        labels: &Labels,
        t: i64,
        v: f64,
    ) -> Result<SeriesRef, AppendError>;

    /// Makes the batch durable and visible, as a whole.
    ///
    /// # Errors
    /// Nothing of it was taken.
    fn commit(self: Box<Self>) -> Result<(), AppendError>;
}

/// A store that takes samples.
pub trait SampleSink: Send + Sync {
    /// Begins a batch.
    fn appender(&self) -> Box<dyn Appender + '_>;
}
