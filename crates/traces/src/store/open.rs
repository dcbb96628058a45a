//! Opens a store: what a crash left is put in order.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, RwLock};

use super::{Inner, State, TraceStore, Trouble, describe, maintain};
use crate::block::{Block, BlockError, Numbers};
use crate::head::Head;
use crate::options::Options;
use crate::wal::{self, Cursors, Wal};

/// How many findings are listed.
const FINDINGS_MAX: usize = 100;

/// What was found when a store was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Spans that were read from the log.
    pub replayed: u64,
    /// What was damaged and left out, a sentence each; the first hundred.
    pub damage: Vec<String>,
    /// Bytes of a last write that was cut short.
    pub torn_bytes: u64,
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A folder or file of it cannot be used.
    #[error("the store of traces cannot use {0}")]
    Io(PathBuf, #[source] io::Error),
    /// Another process has it open.
    #[error("the store of traces in {0} is in use by another process; stop that first")]
    Locked(PathBuf),
    /// A newer wharf wrote it.
    #[error("{0} was written by another version of wharf; open it with that, or move it away")]
    Version(PathBuf),
}

impl TraceStore {
    /// Opens the store in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// See [`OpenError`]. Damage is no error: it is reported, and what is damaged is left out.
    pub fn open(dir: &Path, options: Options) -> Result<(Self, Recovery), OpenError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |error| OpenError::Io(path, error)
        };
        let (wal_dir, block_dir) = (dir.join("wal"), dir.join("blocks"));
        for dir in [&wal_dir, &block_dir] {
            fs::create_dir_all(dir).map_err(io(dir))?;
        }
        let lock_path = dir.join("lock");
        let lock = File::create(&lock_path).map_err(io(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Locked(dir.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io(&lock_path)(error)),
        }
        let mut recovery = Recovery::default();
        let blocks = blocks_in(&block_dir, &mut recovery)?;
        let through = blocks.iter().map(|block| block.wal_through).max();
        let mut head = Head::default();
        let mut cursors = Cursors::new();
        let mut wal_number = through.unwrap_or(0);
        for (number, path) in wal::files(&wal_dir).map_err(io(&wal_dir))? {
            wal_number = wal_number.max(number);
            if Some(number) <= through {
                fs::remove_file(&path).map_err(io(&path))?;
                continue;
            }
            let replayed = wal::replay(&path, &mut cursors)
                .map_err(io(&path))?
                .ok_or_else(|| OpenError::Version(path.clone()))?;
            recovery.torn_bytes += replayed.torn_bytes as u64;
            if replayed.damaged > 0 {
                recovery.finding(format!(
                    "{} is damaged at {} places, which were left out",
                    path.display(),
                    replayed.damaged
                ));
            }
            for batch in replayed.batches {
                head.add(batch);
            }
        }
        recovery.replayed = head.spans;
        // Without room for it the store can still be asked; the next push tries again.
        let wal = Wal::create(&wal_dir, wal_number + 1, &cursors);
        let trouble = Trouble {
            failing: wal.as_ref().err().map(ToString::to_string),
            ..Trouble::default()
        };
        let state = State {
            head,
            sealed: None,
            next_block: blocks.last().map_or(1, |block| block.numbers.last + 1),
            blocks,
            wal_number: wal_number + u64::from(wal.is_ok()),
            wal: wal.ok(),
            cursors,
        };
        let inner = Inner {
            dir: dir.to_owned(),
            options,
            _lock: lock,
            state: RwLock::new(state),
            cutting: Mutex::default(),
            trouble: Mutex::new(trouble),
            clock: AtomicU64::new(0),
            steady: Mutex::new(maintain::Steady::default()),
        };
        let inner = Arc::new(inner);
        Ok((Self { inner }, recovery))
    }
}

impl Recovery {
    fn finding(&mut self, text: String) {
        if self.damage.len() < FINDINGS_MAX {
            self.damage.push(text);
        }
    }
}

/// The blocks of a folder, by their numbers. What was merged into another is removed, what cannot be read set aside.
fn blocks_in(dir: &Path, recovery: &mut Recovery) -> Result<Vec<Arc<Block>>, OpenError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |error| OpenError::Io(path, error)
    };
    let mut blocks: Vec<Arc<Block>> = vec![];
    let mut found = vec![];
    for entry in fs::read_dir(dir).map_err(io(dir))? {
        let path = entry.map_err(io(dir))?.path();
        if path.extension().is_some_and(|kind| kind == "part") {
            fs::remove_file(&path).map_err(io(&path))?;
        } else if let Some(numbers) = Numbers::of(&path) {
            found.push((numbers, path));
        }
    }
    // The widest of those with the same beginning first.
    found.sort_by_key(|(numbers, _)| (numbers.first, std::cmp::Reverse(numbers.last)));
    for (numbers, path) in found {
        let merged = |block: &Arc<Block>| block.numbers.contains(numbers);
        if blocks.last().is_some_and(merged) {
            fs::remove_file(&path).map_err(io(&path))?;
            continue;
        }
        match Block::open(&path) {
            Ok(block) => blocks.push(Arc::new(block)),
            Err(BlockError::Version(path, _)) => return Err(OpenError::Version(path)),
            Err(BlockError::Io(path, error)) => return Err(OpenError::Io(path, error)),
            Err(error @ BlockError::Damaged(..)) => {
                let aside = path.with_extension("spans.broken");
                fs::rename(&path, &aside).map_err(io(&path))?;
                recovery.finding(format!(
                    "{}; it is set aside as {}",
                    describe(&error),
                    aside.display()
                ));
            }
        }
    }
    Ok(blocks)
}
