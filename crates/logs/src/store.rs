//! The store: opening it, pushing to it, and what it knows of itself.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::fs::{FlockOperation, flock};

use crate::archive::{Archive, Folder};
use crate::batch::{Batch, Cursor, PushError, Pushed};
use crate::chunk::ChunkFile;
use crate::damage::{Damage, lock};
use crate::head::{Frozen, Head};
use crate::indexes::Indexes;
use crate::listen::Listeners;
use crate::open::{self, Opened};
use crate::options::Options;
use crate::push;
use crate::wal::Wal;

/// A store of log lines in a folder. Clones are the same store.
#[derive(Clone)]
pub struct LogStore(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) folder: PathBuf,
    pub(crate) archive: Arc<dyn Archive>,
    /// Held for as long as memory is changed or a record is written.
    pub(crate) state: Mutex<State>,
    /// Held while lines go from memory to a chunk file. Taken before the others.
    pub(crate) cutting: Mutex<()>,
    /// Held while chunk files are merged, moved and deleted.
    pub(crate) keeping: Mutex<()>,
    /// Held while the manifest is replaced. Taken after `cutting` and `keeping`, before `state`.
    pub(crate) installing: Mutex<()>,
    pub(crate) indexes: Indexes,
    pub(crate) damage: Mutex<Damage>,
    pub(crate) listeners: Listeners,
    /// The lock of the folder, for as long as the store lives.
    _lock: Lock,
}

/// The lock of a folder.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // By itself the system would keep it until a child that is being started this moment has let go of the file, too.
        flock(&self.0, FlockOperation::Unlock).ok();
    }
}

pub(crate) struct State {
    pub(crate) head: Head,
    pub(crate) frozen: Option<Arc<Frozen>>,
    pub(crate) wal: Wal,
    pub(crate) record: Vec<u8>,
    pub(crate) cursors: BTreeMap<String, Cursor>,
    pub(crate) files: Arc<Vec<Arc<ChunkFile>>>,
    /// The last file of the log of which all lines are in chunk files.
    pub(crate) covered: u64,
    pub(crate) next_file: u64,
    /// The time that retention goes by.
    pub(crate) clock: Option<i64>,
    /// What the manifest says of it.
    pub(crate) clock_written: Option<i64>,
    /// When the archive was searched last for what belongs to nothing.
    pub(crate) swept: Option<i64>,
    /// Since when `maintain` has seen lines in memory.
    pub(crate) head_since: Option<i64>,
    /// Why lines cannot be written, or pushed, at present.
    pub(crate) trouble: Option<String>,
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("{} is in use by another process; stop that one first", .0.display())]
    InUse(PathBuf),
    /// It was written by another version.
    #[error("{} has version {version}, which this program does not know; use the one that wrote it", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// It cannot be read or written.
    #[error("cannot open the log store {}; check the folder and its permissions", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// What was found when a store was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Chunk files.
    pub files: usize,
    /// Entries that were read from the log.
    pub entries: u64,
    /// Bytes of the log.
    pub wal_bytes: u64,
    /// Records that were being written when the last process ended: nobody was told that they are there.
    pub torn: u64,
    /// Files that belonged to nothing, and were deleted.
    pub orphans: usize,
    /// What was left out because it is not what was written: where, and what was done. Empty: nothing.
    pub damaged: Vec<String>,
}

/// How a store is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Why lines cannot be written at present, in one sentence; none: they can.
    pub trouble: Option<String>,
    /// What was found damaged since it was opened.
    pub damage: Damage,
    /// Streams with lines in memory, or that had some lately.
    pub streams: usize,
    /// Bytes that lines in memory take, about.
    pub head_bytes: usize,
    /// Bytes of the log.
    pub wal_bytes: u64,
    /// Chunk files in the hot folder, and their bytes.
    pub hot: Tally,
    /// Chunk files in the archive, and their bytes.
    pub archive: Tally,
}

/// What files hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Entries in them.
    pub entries: u64,
    /// Bytes of lines in them, before compression.
    pub text: u64,
}

impl LogStore {
    /// Opens the store in the folder `dir`, which is made where it is not there, and reads what was not yet in chunk files.
    ///
    /// # Errors
    /// Another process has it, or the folder cannot be used. Damage is none: it is reported and left out.
    pub fn open(dir: impl AsRef<Path>, options: Options) -> Result<(Self, Recovery), OpenError> {
        let folder = dir.as_ref().to_path_buf();
        let io = |source| OpenError::Io {
            path: folder.clone(),
            source,
        };
        for part in ["wal", "hot"] {
            fs::create_dir_all(folder.join(part)).map_err(io)?;
        }
        let lock = lock_folder(&folder)?;
        let archive = match &options.archive_to {
            Some(archive) => archive.clone(),
            None => Arc::new(Folder::open(folder.join("archive")).map_err(io)?),
        };
        let Opened {
            state,
            recovery,
            damage,
        } = open::open(&folder, &archive, &options)?;
        let inner = Inner {
            options,
            folder,
            archive,
            state: Mutex::new(state),
            cutting: Mutex::new(()),
            keeping: Mutex::new(()),
            installing: Mutex::new(()),
            indexes: Indexes::default(),
            damage: Mutex::new(damage),
            listeners: Listeners::default(),
            _lock: lock,
        };
        Ok((Self(Arc::new(inner)), recovery))
    }

    /// Takes a batch. When this returns, the system has its lines and cursors, and a `kill -9` loses none of them. Blocks: it
    /// writes to a file, and where lines come faster than they can be compressed, it does that first.
    ///
    /// # Errors
    /// Nothing of the batch was taken.
    pub fn push(&self, batch: &Batch) -> Result<Pushed, PushError> {
        let options = &self.0.options;
        let held = lock(&self.0.state).head.bytes();
        if held > 2 * options.head_bytes {
            self.0.cut().map_err(PushError::Full)?;
        }
        let (pushed, full) = {
            let mut state = lock(&self.0.state);
            let pushed = push::push(&mut state, batch, options);
            match &pushed {
                Ok(_) if state.frozen.is_none() => state.trouble = None,
                Ok(_) => {}
                Err(PushError::Storage { .. }) => {
                    state.trouble = pushed.as_ref().err().map(ToString::to_string);
                }
                Err(_) => {}
            }
            let full =
                state.head.bytes() > options.head_bytes || state.wal.bytes() > options.wal_bytes;
            (pushed?, full && state.trouble.is_none())
        };
        if pushed.entries > 0 {
            self.0.listeners.tell();
        }
        if full && let Err(why) = self.0.cut() {
            // The lines are in the log and in memory; `health` says why they stay there.
            lock(&self.0.state).trouble = Some(why);
        }
        Ok(pushed)
    }

    /// How far sources have been read: what was pushed with the lines that are in the store.
    #[must_use]
    pub fn cursors(&self) -> BTreeMap<String, Cursor> {
        lock(&self.0.state).cursors.clone()
    }

    /// How the store is.
    #[must_use]
    pub fn health(&self) -> Health {
        let damage = lock(&self.0.damage).clone();
        let state = lock(&self.0.state);
        let mut health = Health {
            trouble: state.trouble.clone(),
            damage,
            streams: state.head.live.len(),
            head_bytes: state.head.bytes(),
            wal_bytes: state.wal.bytes(),
            ..Health::default()
        };
        for file in state.files.iter() {
            let tally = if file.is_hot() {
                &mut health.hot
            } else {
                &mut health.archive
            };
            tally.files += 1;
            tally.bytes += file.summary.size;
            tally.entries += file.summary.entries;
            tally.text += file.summary.text;
        }
        health
    }
}

fn lock_folder(folder: &Path) -> Result<Lock, OpenError> {
    let io = |source| OpenError::Io {
        path: folder.to_path_buf(),
        source,
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("lock"))
        .map_err(io)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Lock(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::InUse(folder.to_path_buf())),
        Err(e) => Err(io(e.into())),
    }
}
