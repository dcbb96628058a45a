//! What a store may keep, and for how long.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::Archive;

/// How a store is run. The default is meant for an engine that always runs beside other things.
#[derive(Clone)]
pub struct Options {
    /// How old a line gets before its chunk moves to the archive.
    pub hot: Duration,
    /// How old a line gets in all: past it its chunk is deleted, wherever it is. If it is less than `hot`, nothing is archived.
    pub archive: Duration,
    /// Where the archive is; none: the folder `archive` of the store.
    pub archive_to: Option<Arc<dyn Archive>>,
    /// How much chunks may take, hot and archived together; the oldest are deleted first.
    pub max_bytes: Option<u64>,
    /// How late an entry of [`Origin::Remote`](crate::Origin) may be, behind the newest of its stream.
    pub late: Duration,
    /// What is refused or cut.
    pub limits: Limits,
    /// Lines that make a block, before compression. Larger ones compress better, smaller ones are left out of a search more often.
    pub block_bytes: usize,
    /// What lines take in memory before they are written to a chunk file. Up to twice as much is taken while that is being done.
    pub head_bytes: usize,
    /// What the log of what is in memory may take; it is read when a store is opened.
    pub wal_bytes: u64,
    /// How long lines stay in memory at most.
    pub head_age: Duration,
    /// Chunk files up to this size are merged with their neighbours of the same day.
    pub chunk_bytes: u64,
    /// What a query may hold of blocks that it has opened.
    pub query_bytes: usize,
    /// The level of zstd.
    pub level: i32,
    /// How far the time that retention goes by may move with one call of `maintain`: a clock that jumps ahead for a
    /// while deletes nothing.
    pub clock_step: Duration,
}

/// What is refused, or cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Streams with lines that are not in a chunk file yet.
    pub streams: usize,
    /// Bytes of a line; a longer one is cut and says so.
    pub line_bytes: usize,
    /// Labels of a stream.
    pub labels: usize,
    /// Bytes of a label's name.
    pub name_bytes: usize,
    /// Bytes of a label's value.
    pub value_bytes: usize,
    /// Pairs of an entry's metadata; what is more is left out.
    pub metadata: usize,
    /// Bytes of an entry's metadata, names and values; what is more is left out.
    pub metadata_bytes: usize,
    /// Sources whose cursors are kept.
    pub cursors: usize,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Options {
    fn default() -> Self {
        Self {
            hot: 14 * DAY,
            archive: 90 * DAY,
            archive_to: None,
            max_bytes: None,
            late: Duration::from_secs(60 * 60),
            limits: Limits::default(),
            block_bytes: 256 << 10,
            head_bytes: 8 << 20,
            wal_bytes: 64 << 20,
            head_age: Duration::from_secs(2 * 60 * 60),
            chunk_bytes: 64 << 20,
            query_bytes: 24 << 20,
            level: 3,
            clock_step: Duration::from_secs(10 * 60),
        }
    }
}

impl Default for Limits {
    /// As many as Loki allows or more, but of streams: each costs memory.
    fn default() -> Self {
        Self {
            streams: 10_000,
            line_bytes: 256 << 10,
            labels: 32,
            name_bytes: 1024,
            value_bytes: 2048,
            metadata: 128,
            metadata_bytes: 64 << 10,
            cursors: 10_000,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("hot", &self.hot)
            .field("archive", &self.archive)
            .field("max_bytes", &self.max_bytes)
            .finish_non_exhaustive()
    }
}

/// Nanoseconds; what is longer than an `i64` holds is the longest that it does.
pub(crate) fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
