//! What is pushed, and what became of it.

use wharf_signal::{Labels, LogEntry};

/// Lines that are taken together, in one record of the log: all of them are there after a crash, or none.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The lines of each stream, in the order in which they came. A stream may occur more than once.
    pub streams: Vec<(Labels, Vec<LogEntry>)>,
    /// Where they come from.
    pub origin: Origin,
    /// How far the sources of these lines have been read: by name, and kept with the lines.
    pub cursors: Vec<(String, Cursor)>,
    /// Sources that are gone: their cursors are forgotten.
    pub gone: Vec<String>,
}

/// Who pushes, which decides what is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// The engine itself, from files that it reads once: every line counts, however late it is and however often it is the
    /// same.
    #[default]
    Local,
    /// A client that may send again what it has sent, as Loki treats it: an entry with the time and the line of another is
    /// dropped, one too far behind is refused.
    Remote,
}

/// How far a source has been read. What the numbers mean is the reader's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Cursor {
    /// Which of the source's files, such as its number in a series.
    pub file: u64,
    /// The offset in it.
    pub offset: u64,
}

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Entries that were taken.
    pub entries: usize,
    /// The bytes of their lines.
    pub bytes: usize,
    /// Entries that were there already.
    pub duplicates: usize,
    /// Of the taken ones, those whose line was cut.
    pub cut: usize,
    /// Of the taken ones, those that lost metadata to a limit.
    pub metadata_cut: usize,
    /// Entries that were not taken, by stream.
    pub refused: Vec<Refused>,
}

/// Entries of one stream that were not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The stream.
    pub labels: Labels,
    /// How many.
    pub entries: usize,
    /// Why.
    pub why: Refusal,
}

/// Why an entry is not taken, in Loki's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Older than what may come late.
    #[error(
        "entry too far behind, entry timestamp is: {nanos} ns, oldest acceptable timestamp is: {oldest} ns"
    )]
    TooFarBehind {
        /// The time of the first such entry.
        nanos: i64,
        /// The oldest time that would have been taken.
        oldest: i64,
    },
    /// The labels are none, or too many, or too long.
    #[error("{0}")]
    Labels(String),
    /// There are as many streams as there may be.
    #[error(
        "maximum active stream limit exceeded: {0} streams; use fewer label values or raise the limit"
    )]
    Streams(usize),
}

/// Why a batch was not taken. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// It cannot be written.
    #[error(
        "cannot write the log of {path}: {reason}; free space or check the disk, then push again"
    )]
    Storage {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// Lines come faster than they can be written to chunk files, or these cannot be written.
    #[error("the lines in memory cannot be written to a chunk file: {0}; push again later")]
    Full(String),
    /// More than a record holds.
    #[error("the batch has {bytes} bytes, more than {limit}; push it in parts")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The most.
        limit: usize,
    },
    /// More cursors than are kept.
    #[error("more than {0} sources have cursors; name those that are gone")]
    Cursors(usize),
}
