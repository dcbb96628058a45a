//! What has to be done now and then: lines to chunk files, small files to larger ones, old ones to the archive and away.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::sync::Arc;

use crate::chunk::{self, ChunkFile, Tier};
use crate::cut::Change;
use crate::damage::lock;
use crate::merge;
use crate::options::nanos;
use crate::store::{Inner, LogStore};

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// Whether lines went from memory to a chunk file.
    pub cut: bool,
    /// Files that were merged into others.
    pub merged: usize,
    /// Files that went to the archive.
    pub archived: usize,
    /// Files that were deleted: too old, or too many.
    pub deleted: usize,
}

/// What could not be done: one sentence. The rest was, and the next call tries again.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct KeepError(pub String);

/// How far the clock moves before it is written down by itself.
const CLOCK_STEP: u64 = 60 * 60 * 1_000_000_000;

/// From one look at all that is in the archive to the next: a bucket asks a price for it.
const SWEEP: i64 = 24 * 60 * 60 * 1_000_000_000;

/// What an object of S3 that is written at once may have. Chunk files are far smaller.
const MOST_ARCHIVED: u64 = 5 << 30;

impl LogStore {
    /// Does what has to be done now and then; a minute is a good pause. Blocks for as long as it takes to read and write a few
    /// files of [`Options::chunk_bytes`](crate::Options); others push and ask meanwhile.
    ///
    /// Ages are told from `now`, in nanoseconds since the Unix epoch, but a call moves the time on by
    /// [`Options::clock_step`](crate::Options) at most.
    ///
    /// # Errors
    /// Something could not be done; everything else was.
    pub fn maintain(&self, now: i64) -> Result<Kept, KeepError> {
        let inner = &self.0;
        let _only = lock(&inner.keeping);
        let mut kept = Kept::default();
        let mut failed = None;
        let mut note = |e: String| {
            failed.get_or_insert(e);
        };
        if inner.wants_cut(now) {
            match inner.cut() {
                Ok(cut) => kept.cut = cut,
                Err(e) => {
                    lock(&inner.state).trouble = Some(e.clone());
                    note(e);
                }
            }
        }
        let clock = inner.clock(now);
        if let Err(e) = inner.sweep(clock) {
            note(format!("cannot look through the archive: {e}"));
        }
        if let Err(e) = inner.delete(clock, &mut kept) {
            note(format!("cannot delete old lines: {e}"));
        }
        if let Err(e) = inner.archive(clock, &mut kept) {
            note(format!("cannot move lines to the archive: {e}"));
        }
        if let Err(e) = merge::merge(inner, &mut kept) {
            note(format!("cannot merge chunk files: {e}"));
        }
        inner.rest();
        match failed {
            None => Ok(kept),
            Some(e) => Err(KeepError(e)),
        }
    }

    /// Brings all lines from memory to a chunk file, whatever their number: before a copy is made of the folder.
    ///
    /// # Errors
    /// It cannot be written; nothing is lost.
    pub fn flush(&self) -> Result<bool, KeepError> {
        self.0.cut().map_err(KeepError)
    }
}

impl Inner {
    fn wants_cut(&self, now: i64) -> bool {
        let mut state = lock(&self.state);
        if state.frozen.is_some()
            || state.head.bytes() > self.options.head_bytes / 2
            || state.wal.bytes() > self.options.wal_bytes / 2
        {
            return true;
        }
        if !state.head.has_lines() {
            state.head_since = None;
            return false;
        }
        let since = *state.head_since.get_or_insert(now);
        if now < since {
            // The clock was set back.
            state.head_since = Some(now);
        }
        now.saturating_sub(since) >= nanos(self.options.head_age)
    }

    /// The time that retention goes by: it follows `now` in small steps.
    fn clock(&self, now: i64) -> i64 {
        let (written, clock) = {
            let mut state = lock(&self.state);
            let newest = state.files.iter().map(|f| f.summary.max).max();
            // Of a store that never saw one, the last line tells it.
            let from = state.clock.or(newest).unwrap_or(now);
            let step = nanos(self.options.clock_step);
            let clock = now.min(from.saturating_add(step));
            state.clock = Some(clock);
            (state.clock_written, clock)
        };
        if written.is_none_or(|written| clock.abs_diff(written) >= CLOCK_STEP) {
            // If that fails, the next change has it.
            self.install(Change::default()).ok();
        }
        clock
    }

    fn files(&self) -> Arc<Vec<Arc<ChunkFile>>> {
        lock(&self.state).files.clone()
    }

    /// Deletes what is in the archive and belongs to nothing: what could not be deleted when its time came, and what was put there
    /// by a process that ended before it said so.
    fn sweep(&self, clock: i64) -> io::Result<()> {
        let (known, next) = {
            let state = lock(&self.state);
            if state
                .swept
                .is_some_and(|swept| clock.abs_diff(swept) < SWEEP.unsigned_abs())
            {
                return Ok(());
            }
            let archived = state.files.iter().filter(|f| !f.is_hot());
            let known: HashSet<u64> = archived.map(|f| f.summary.id).collect();
            (known, state.next_file)
        };
        for (name, _) in self.archive.list()? {
            let id = chunk::number(&name);
            if id.is_some_and(|id| id < next && !known.contains(&id)) {
                // The next look finds it again.
                self.archive.delete(&name).ok();
            }
        }
        lock(&self.state).swept = Some(clock);
        Ok(())
    }

    fn delete(&self, clock: i64, kept: &mut Kept) -> io::Result<()> {
        let files = self.files();
        let oldest = clock.saturating_sub(nanos(self.options.archive));
        let mut files: Vec<_> = files.iter().collect();
        files.sort_by_key(|f| f.summary.max);
        let mut bytes: u64 = files.iter().map(|f| f.summary.size).sum();
        let mut removed = Vec::new();
        for file in files {
            let over = self.options.max_bytes.is_some_and(|most| bytes > most);
            if file.summary.max >= oldest && !over {
                break;
            }
            bytes = bytes.saturating_sub(file.summary.size);
            removed.push(file.clone());
        }
        if removed.is_empty() {
            return Ok(());
        }
        kept.deleted += removed.len();
        self.install(Change {
            removed,
            ..Change::default()
        })
    }

    /// Moves what is old to the archive. A file is there, and was read there, before the store says so; only then the hot one goes.
    /// Whenever the process ends, one of the two counts.
    fn archive(&self, clock: i64, kept: &mut Kept) -> io::Result<()> {
        let oldest = clock.saturating_sub(nanos(self.options.hot));
        for file in self.files().iter() {
            let Tier::Hot(folder) = &file.tier else {
                continue;
            };
            let old = file.summary.max < oldest;
            if !old || file.damaged.load(std::sync::atomic::Ordering::Relaxed) {
                continue;
            }
            let name = file.summary.name();
            let size = file.summary.size;
            let content = File::open(folder.join(&name))?;
            if size > MOST_ARCHIVED || content.metadata()?.len() != size {
                let what = format!("{} is not what was written; left where it is", file.place());
                lock(&self.damage).add(what);
                continue;
            }
            self.archive.put(&name, &content, size)?;
            let archived = ChunkFile::new(file.summary, Tier::Archive(self.archive.clone()));
            // On the way on which questions come.
            let found = archived.open()?.index(size);
            found.map_err(|e| io::Error::other(format!("{name} was written there, and: {e}")))?;
            self.install(Change {
                added: vec![Arc::new(archived)],
                removed: vec![file.clone()],
                ..Change::default()
            })?;
            kept.archived += 1;
        }
        Ok(())
    }

    /// Brings the log to the disk, and gives back what was kept for the next push or query.
    fn rest(&self) {
        let wal = {
            let mut state = lock(&self.state);
            state.head.sealer.rest();
            state.wal.handle()
        };
        // Acknowledged is what the system has; this is for a loss of power.
        self.indexes.clear();
        if let Some(wal) = wal {
            wal.sync_data().ok();
        }
    }
}
