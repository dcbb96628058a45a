//! What is done from time to time: to the disk, into blocks, together, away.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use wharf_base::clock::Timestamp;

use super::{PushError, TraceStore};
use crate::block::{Block, Cut, Numbers};
use crate::merge::Source;

/// Neighbours of one level that are merged into one of the next.
const MERGE_BLOCKS: usize = 6;
/// The highest level: 216 heads, some 100 MiB.
const LEVEL_MAX: u8 = 3;
/// No merged block is a larger part of what may be kept, in time and in bytes: it goes as a whole.
const MERGED_PART: u32 = 4;
/// Between two calls: longer means that the clock was set, or that the machine slept.
const STEP_MAX: Duration = Duration::from_secs(3_600);

/// What one call did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Maintained {
    /// Blocks that were merged into one.
    pub merged: usize,
    /// Blocks that were deleted for their age or for want of space.
    pub deleted: usize,
}

/// Since when the clock has gone steadily.
#[derive(Debug, Default)]
pub(super) struct Steady {
    last: Option<Timestamp>,
    since: Timestamp,
}

impl Steady {
    /// For how long it has.
    fn at(&mut self, now: Timestamp) -> Duration {
        let steady = self
            .last
            .is_some_and(|last| last <= now && now.since(last) <= STEP_MAX);
        if !steady {
            self.since = now;
        }
        self.last = Some(now);
        now.since(self.since)
    }
}

impl TraceStore {
    /// Brings what was pushed to the disk, makes blocks, merges some, deletes the old. To be called every minute or so, from a
    /// thread that may wait for the disk.
    ///
    /// # Errors
    /// The disk is full, or broken; the next call tries again.
    pub fn maintain(&self, now: Timestamp) -> Result<Maintained, PushError> {
        let done = self.maintained(now);
        match &done {
            Ok(_) => self.works(),
            Err(error) => drop(self.failed(error)),
        }
        done.map_err(PushError::Storage)
    }

    fn maintained(&self, now: Timestamp) -> Result<Maintained, String> {
        self.inner.clock.store(now.0, Ordering::Relaxed);
        let steady = {
            let steady = self.inner.steady.lock();
            let mut steady = steady.unwrap_or_else(std::sync::PoisonError::into_inner);
            steady.at(now)
        };
        // What frees space comes first.
        let deleted = self.delete(now, steady)?;
        self.sync()?;
        let cut = {
            let mut state = self.write();
            let since = state.head.since.filter(|since| *since <= now.0);
            if !state.head.batches.is_empty() {
                state.head.since = Some(since.unwrap_or(now.0));
            }
            let age = since.map_or(Duration::ZERO, |since| now.since(Timestamp(since)));
            let due = age >= self.inner.options.head_age
                || state.head.bytes >= self.inner.options.head_bytes;
            (due && self.seal(&mut state)) || state.sealed.is_some()
        };
        if cut {
            self.cut()?;
        }
        let merged = self.merge_some(now)?;
        Ok(Maintained { merged, deleted })
    }

    fn sync(&self) -> Result<(), String> {
        let io = |error: std::io::Error| error.to_string();
        let file = match &mut self.write().wal {
            Some(wal) => wal.take_unsynced().map_err(io)?,
            None => None,
        };
        file.map_or(Ok(()), |file| file.sync_data()).map_err(io)
    }

    /// Makes a block of everything in memory.
    ///
    /// # Errors
    /// It cannot be written; everything is still there.
    pub fn flush(&self) -> Result<(), PushError> {
        self.cut().map_err(|error| self.failed(&error))?;
        let cut = {
            let mut state = self.write();
            self.seal(&mut state)
        };
        if cut {
            self.cut().map_err(|error| self.failed(&error))?;
        }
        Ok(())
    }

    fn delete(&self, now: Timestamp, steady: Duration) -> Result<usize, String> {
        let _cutting = self.cutting();
        let options = &self.inner.options;
        let millis = u64::try_from(options.retention.as_millis()).unwrap_or(u64::MAX);
        let keep_from = now.0.saturating_sub(millis);
        let blocks = self.read().blocks.clone();
        let mut excess = blocks
            .iter()
            .map(|block| block.bytes)
            .sum::<u64>()
            .saturating_sub(options.max_bytes);
        let mut gone = vec![];
        for block in &blocks {
            let old = steady >= options.steady_clock && age_mark(block) < keep_from;
            if old || excess > 0 {
                excess = excess.saturating_sub(block.bytes);
                gone.push(block.numbers);
            }
        }
        self.remove(&gone)?;
        Ok(gone.len())
    }

    fn remove(&self, gone: &[Numbers]) -> Result<(), String> {
        let mut left = vec![];
        self.write().blocks.retain(|block| {
            let keep = !gone.contains(&block.numbers);
            if !keep {
                left.push(Arc::clone(block));
            }
            keep
        });
        for block in left {
            std::fs::remove_file(&block.path).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Merges the first neighbours that are due; one group a call bounds how long it takes.
    fn merge_some(&self, now: Timestamp) -> Result<usize, String> {
        let _cutting = self.cutting();
        let blocks = self.read().blocks.clone();
        let Some(group) = blocks
            .windows(MERGE_BLOCKS)
            .rev()
            .find(|group| self.may_merge(group))
        else {
            return Ok(0);
        };
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            return Ok(0);
        };
        let mut sources = vec![];
        for block in group {
            match block.index() {
                Ok(index) => sources.push(Source::block(block, index, |_| true)),
                // It is left as it is, for a person to look at.
                Err(error) => {
                    self.damaged(&error);
                    return Ok(0);
                }
            }
        }
        let cut = Cut {
            numbers: Numbers {
                first: first.numbers.first,
                last: last.numbers.last,
            },
            level: first.level.saturating_add(1),
            created: group
                .iter()
                .map(|block| block.created)
                .max()
                .unwrap_or(now.0),
            wal_through: last.wal_through,
        };
        let merged = Arc::new(self.write_block(cut, sources)?);
        let mut state = self.write();
        let from = state
            .blocks
            .iter()
            .position(|block| block.numbers == first.numbers);
        if let Some(from) = from {
            state.blocks.splice(from..from + group.len(), [merged]);
        }
        drop(state);
        for block in group {
            std::fs::remove_file(&block.path).map_err(|error| error.to_string())?;
        }
        Ok(group.len())
    }

    fn may_merge(&self, group: &[Arc<Block>]) -> bool {
        let options = &self.inner.options;
        let marks = || group.iter().map(|block| age_mark(block));
        let span = marks().max().unwrap_or(0) - marks().min().unwrap_or(0);
        let most = options.retention.as_millis() / u128::from(MERGED_PART);
        let level = group.first().map_or(LEVEL_MAX, |block| block.level);
        level < LEVEL_MAX
            && group.iter().all(|block| block.level == level)
            && u128::from(span) <= most
            && group.iter().map(|block| block.bytes).sum::<u64>()
                <= options.max_bytes / u64::from(MERGED_PART)
    }
}

/// What a block's age is counted from: its newest span, or when it was made if its spans say that they are from later.
fn age_mark(block: &Block) -> u64 {
    let newest = u64::try_from(block.stats.max_end / 1_000_000).unwrap_or(0);
    if block.created == 0 {
        newest
    } else {
        newest.min(block.created)
    }
}
