//! A store, open.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::append::Pending;
use crate::cache::PageCache;
use crate::head::Head;
use crate::maintain::Work;
use crate::state::{Damage, Health, Stats};
use crate::wal::Wal;
use crate::{Options, files, wal};

/// As many places of damage are remembered.
const DAMAGE: usize = 100;

/// What could not be done with a store.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: {source}")]
pub struct StoreError {
    /// What was tried.
    pub what: String,
    /// Why not.
    pub source: io::Error,
}

/// A store of samples. Clones are the same store; it is closed with the last one.
#[derive(Clone)]
pub struct Db {
    pub(crate) inner: Arc<Inner>,
}

/// Locks are taken in the order of the fields.
pub(crate) struct Inner {
    pub(crate) dir: PathBuf,
    pub(crate) options: Options,
    /// The length of the shortest blocks.
    pub(crate) range: i64,
    /// One at a time maintains, deletes or copies the store.
    pub(crate) work: Mutex<Work>,
    pub(crate) log: Mutex<Log>,
    pub(crate) head: RwLock<Head>,
    pub(crate) health: Mutex<Health>,
    pub(crate) cache: Arc<PageCache>,
    /// The time at the last maintenance; `i64::MAX` before the first.
    pub(crate) clock: AtomicI64,
    /// When the newest block was made.
    pub(crate) stamp: AtomicI64,
    pub(crate) counters: Counters,
    /// Of batches that are over.
    pub(crate) spare: Mutex<Vec<Vec<Pending>>>,
    /// Held as long as the store is open.
    pub(crate) _lock: File,
}

/// The log, and what is made for it.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) wal: Wal,
    pub(crate) series: Vec<u8>,
    pub(crate) samples: Vec<u8>,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) appended: AtomicU64,
    pub(crate) late: AtomicU64,
    pub(crate) refused: AtomicU64,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Db").field(&self.inner.dir).finish()
    }
}

impl Inner {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Head> {
        self.head.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Head> {
        self.head.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time that a new block's name says: later than that of all others, whatever the clock says, as of two samples of one time
    /// the older block's counts.
    pub(crate) fn stamp(&self, now: i64) -> i64 {
        let next = |last: i64| now.max(last.saturating_add(1));
        let last = self
            .stamp
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |l| Some(next(l)));
        last.map_or(now, next)
    }

    /// Remembers damage that was found while reading.
    pub(crate) fn damaged(&self, path: &Path, what: String) {
        let mut health = self.health();
        let file = path.strip_prefix(&self.dir).unwrap_or(path);
        let damage = Damage {
            file: file.display().to_string(),
            offset: None,
            what,
        };
        if health.damage.len() < DAMAGE && !health.damage.contains(&damage) {
            health.damage.push(damage);
        }
    }
}

impl Db {
    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// How the store is.
    #[must_use]
    pub fn health(&self) -> Health {
        self.inner.health().clone()
    }

    /// How much there is.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let head = self.inner.read();
        let counters = &self.inner.counters;
        let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            series: head.len(),
            chunks: head.chunks,
            min_time: (head.min_t != i64::MAX).then_some(head.min_t),
            max_time: (head.max_t != i64::MIN).then_some(head.max_t),
            label_pairs: head.postings.pairs(),
            samples_appended: number(&counters.appended),
            samples_late: number(&counters.late),
            samples_refused: number(&counters.refused),
            blocks: head.blocks.len(),
            block_bytes: head.blocks.iter().map(|block| block.size()).sum(),
            symbol_bytes: head.symbols.bytes(),
        }
    }

    /// Removes everything that is in the store.
    ///
    /// # Errors
    /// A file cannot be removed; what was before it is gone.
    pub fn clear(&self) -> Result<(), StoreError> {
        let failed = |source| StoreError {
            what: "empty the store".to_owned(),
            source,
        };
        let mut work = self.inner.work();
        let mut log = self.inner.log();
        let mut head = self.inner.write();
        let blocks = head.blocks.clone();
        head.clear().map_err(failed)?;
        work.reset();
        let dir = self.inner.dir.join("wal");
        let old = log.wal.index();
        log.wal.cut().map_err(failed)?;
        for (_, path) in wal::checkpoints(&dir).map_err(failed)? {
            files::remove_dir(&path).map_err(failed)?;
        }
        for index in wal::segments(&dir).map_err(failed)? {
            if index <= old {
                std::fs::remove_file(wal::segment_path(&dir, index)).map_err(failed)?;
            }
        }
        for block in blocks.iter() {
            files::remove_dir(&block.dir).map_err(failed)?;
        }
        work.mark.write(&self.inner.dir).map_err(failed)
    }

    /// Puts on the disk what is only in the kernel so far.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn sync(&self) -> Result<(), StoreError> {
        let failed = |source| StoreError {
            what: "put the log on the disk".to_owned(),
            source,
        };
        let files = self.inner.log().wal.unsynced().map_err(failed)?;
        for file in files {
            file.sync_data().map_err(failed)?;
        }
        Ok(())
    }
}
