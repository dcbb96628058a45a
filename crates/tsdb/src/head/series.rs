//! A series of the head.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::chunk_files::{ChunkFiles, Sealed};
use crate::chunk::{CHUNK_SAMPLES, Encoder, first_time};

/// A series: about a quarter of a kilobyte with its labels, its open chunk and what else refers to it.
#[derive(Debug)]
pub(crate) struct Series {
    /// In the log.
    pub(crate) wal_id: u64,
    /// Of its labels.
    pub(crate) hash: u64,
    /// Names and values, as symbols, in the order of the names.
    pub(crate) pairs: Arc<[(u32, u32)]>,
    /// The chunk that is being written. Its last time and value are the series', even if it is empty.
    pub(crate) open: Encoder,
    /// When the open chunk ends at the latest, exclusive.
    pub(crate) end: i64,
    /// Full ones, in order.
    pub(crate) sealed: Vec<Sealed>,
    /// How many were before them. The open chunk's number follows from it: queries remember it.
    pub(crate) forgotten: u32,
    /// The log knows it.
    pub(crate) logged: bool,
    /// It has no samples, and is forgotten if it gets none.
    pub(crate) dying: AtomicBool,
}

impl Series {
    pub(crate) fn new(wal_id: u64, hash: u64, pairs: Arc<[(u32, u32)]>) -> Self {
        Self {
            wal_id,
            hash,
            pairs,
            open: Encoder::new(),
            end: i64::MAX,
            sealed: Vec::new(),
            forgotten: 0,
            logged: false,
            dying: AtomicBool::new(false),
        }
    }

    /// The time of the newest sample that it ever had in order.
    pub(crate) fn max(&self) -> i64 {
        self.open.t
    }

    /// The first time that is still here.
    pub(crate) fn min(&self) -> Option<i64> {
        match self.sealed.first() {
            Some(sealed) => Some(sealed.min()),
            None => first_time(self.open.bytes()),
        }
    }

    /// The open chunk's number among all that the series ever had.
    pub(crate) fn open_number(&self) -> u32 {
        self.forgotten.wrapping_add(self.sealed.len() as u32)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.sealed.is_empty()
    }

    /// Adds a sample that is newer than all; gives whether a chunk began.
    pub(crate) fn push(&mut self, t: i64, v: f64, range: i64, files: &mut ChunkFiles) -> bool {
        if !self.open.is_empty() && (t >= self.end || self.open.len() >= CHUNK_SAMPLES) {
            self.seal(files);
        }
        let begins = self.open.is_empty();
        if begins {
            self.end = range_end(t, range);
        }
        self.open.push(t, v);
        begins
    }

    /// Ends the open chunk.
    fn seal(&mut self, files: &mut ChunkFiles) {
        let min = first_time(self.open.bytes()).unwrap_or(self.open.t);
        if let Some(sealed) = files.add(self.wal_id, min, self.open.t, self.open.bytes()) {
            self.sealed.reserve_exact(1);
            self.sealed.push(sealed);
        }
        self.open.reset();
    }

    /// Forgets chunks that end before `t`; gives how many.
    pub(crate) fn forget_before(&mut self, t: i64) -> usize {
        let old = self.sealed.partition_point(|sealed| sealed.max() < t);
        self.sealed.drain(..old);
        self.forgotten = self.forgotten.wrapping_add(old as u32);
        if self.sealed.is_empty() {
            self.sealed = Vec::new();
        }
        if !self.open.is_empty() && self.open.t < t {
            self.open.release();
            // Queries that remember the chunk must not take the next one for it.
            self.forgotten = self.forgotten.wrapping_add(1);
            return old + 1;
        }
        old
    }
}

/// The end of the range of this length that a time is in; ranges begin at zero.
pub(crate) fn range_end(t: i64, range: i64) -> i64 {
    let start = t.div_euclid(range).saturating_mul(range);
    start.saturating_add(range)
}
