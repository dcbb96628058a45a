//! Opening a store: blocks, the head's chunks, then the log.
//!
//! `head.json`: `{"version":1,"before":T,"segment":N,"late_before":T,"late_segment":N}`. All samples before `before` that are in segments
//! before `segment` are in blocks: written after the head went into blocks. Samples before `late_before` from `late_segment` on came
//! late: written before it goes there. Without it every sample of the log is read; those that blocks have as well are found
//! once in answers. A file of another version is refused.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, RwLock};

use serde::{Deserialize, Serialize};

use crate::block::{Block, UNFINISHED, Ulid};
use crate::cache::PageCache;
use crate::db::{Counters, Db, Inner, Log};
use crate::head::Head;
use crate::head::chunk_files::ChunkFiles;
use crate::maintain::Work;
use crate::options::Options;
use crate::replay::replay;
use crate::state::{Damage, Health, Recovery};
use crate::wal::Wal;

/// The file's name.
pub(crate) const MARK: &str = "head.json";

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the store in {} is open already; stop the other process that uses it, or choose another folder", .0.display())]
    Locked(PathBuf),
    /// A file cannot be read or written.
    #[error("the store in {} cannot be opened", .dir.display())]
    Io {
        /// The folder.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It was written by a newer version.
    #[error("{} is of version {version}, which is not known here; use the newer program that wrote it", .file.display())]
    Version {
        /// Which file.
        file: PathBuf,
        /// Its version.
        version: u32,
    },
}

/// How far the head is in blocks.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Mark {
    version: u32,
    pub(crate) before: i64,
    pub(crate) segment: u32,
    pub(crate) late_before: i64,
    pub(crate) late_segment: u32,
}

impl Mark {
    pub(crate) fn new(before: i64, segment: u32) -> Self {
        Self {
            version: 1,
            before,
            segment,
            late_before: before,
            late_segment: segment,
        }
    }

    /// The same, and what will be late. Where that was said before, and nothing came of it, it stays so.
    pub(crate) fn with_late(self, before: i64, segment: u32) -> Self {
        let pending = self.late_before > self.before;
        Self {
            late_before: before.max(self.late_before),
            late_segment: if pending {
                self.late_segment.min(segment)
            } else {
                segment
            },
            ..self
        }
    }

    /// Remembers it.
    pub(crate) fn write(self, dir: &Path) -> io::Result<()> {
        let text = serde_json::to_string(&self).map_err(io::Error::other)?;
        crate::files::replace(&dir.join(MARK), text.as_bytes())
    }
}

impl Db {
    /// Opens the store in a folder, which is created where it is not there.
    ///
    /// # Errors
    /// Another process has it, or it cannot be read or written. Damage is no error: it is left out and said.
    pub fn open(dir: &Path, options: Options) -> Result<(Self, Recovery), OpenError> {
        let io = |source| OpenError::Io {
            dir: dir.to_owned(),
            source,
        };
        fs::create_dir_all(dir.join("wal")).map_err(io)?;
        let lock = File::create(dir.join("lock")).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(OpenError::Locked(dir.to_owned())),
            Err(fs::TryLockError::Error(error)) => return Err(io(error)),
        }
        let mut recovery = Recovery::default();
        let mark = read_mark(dir, &mut recovery)?;
        let cache = PageCache::new(options.cache_bytes);
        let blocks = load_blocks(dir, &cache, &mut recovery).map_err(io)?;
        recovery.blocks = blocks.len();
        let (files, (chunks, damage)) = ChunkFiles::open(&dir.join("chunks_head")).map_err(io)?;
        for (path, offset) in damage {
            recovery.damage.push(Damage {
                file: below(dir, &path),
                offset: Some(offset),
                what: "damaged; cut off there, and read from the log".to_owned(),
            });
        }
        let range = options.range();
        let mut head = Head::new(files, range);
        let in_blocks = blocks.iter().map(|block| block.meta.max_time).max();
        let in_blocks = in_blocks.unwrap_or(i64::MIN);
        let mark = match mark {
            Known::Mark(mark) => mark,
            // A Prometheus wrote this, or nobody did.
            Known::Absent => Mark::new(in_blocks, u32::MAX),
            // What blocks have may be in the log as well: all of it is read.
            Known::Damaged => Mark::new(in_blocks, 0),
        };
        head.min_valid = mark.before;
        let stamp = blocks.last().map_or(0, |block| block.meta.ulid.time());
        head.blocks = Arc::new(blocks);
        replay(dir, &mut head, chunks, mark, &mut recovery).map_err(io)?;
        let wal = Wal::open(&dir.join("wal"), options.segment_bytes).map_err(io)?;
        let mark = Mark {
            segment: mark.segment.min(wal.index()),
            ..mark
        };
        mark.write(dir).map_err(io)?;
        let inner = Inner {
            dir: dir.to_owned(),
            range,
            work: Mutex::new(Work::new(mark)),
            log: Mutex::new(Log {
                wal,
                series: Vec::new(),
                samples: Vec::new(),
            }),
            head: RwLock::new(head),
            health: Mutex::new(Health::default()),
            cache,
            clock: AtomicI64::new(i64::MAX),
            stamp: AtomicI64::new(stamp),
            counters: Counters::default(),
            spare: Mutex::new(Vec::new()),
            options,
            _lock: lock,
        };
        let inner = Arc::new(inner);
        Ok((Self { inner }, recovery))
    }
}

/// A path below the store's folder.
pub(crate) fn below(dir: &Path, path: &Path) -> String {
    path.strip_prefix(dir).unwrap_or(path).display().to_string()
}

/// What is known of the mark.
enum Known {
    Mark(Mark),
    Absent,
    Damaged,
}

fn read_mark(dir: &Path, recovery: &mut Recovery) -> Result<Known, OpenError> {
    let file = dir.join(MARK);
    let bytes = match fs::read(&file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Known::Absent),
        Err(source) => {
            let dir = dir.to_owned();
            return Err(OpenError::Io { dir, source });
        }
    };
    match serde_json::from_slice::<Mark>(&bytes) {
        Ok(mark) if mark.version == 1 => Ok(Known::Mark(mark)),
        Ok(mark) => Err(OpenError::Version {
            file,
            version: mark.version,
        }),
        Err(error) => {
            recovery.damage.push(Damage {
                file: MARK.to_owned(),
                offset: None,
                what: format!("{error}; the whole log is read"),
            });
            Ok(Known::Damaged)
        }
    }
}

/// Opens all blocks, in the order of their creation. One that is damaged gets another name.
fn load_blocks(
    dir: &Path,
    cache: &Arc<PageCache>,
    recovery: &mut Recovery,
) -> io::Result<Vec<Arc<Block>>> {
    let mut blocks: Vec<Arc<Block>> = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(UNFINISHED) || name.ends_with(".tmp-for-deletion") {
            fs::remove_dir_all(&path)?;
            continue;
        }
        if Ulid::parse(&name).is_none() || !path.is_dir() {
            continue;
        }
        match Block::open(&path, cache) {
            Ok(block) => blocks.push(Arc::new(block)),
            Err(error) if !is_damage(&error) => return Err(error),
            Err(error) => {
                let aside = format!("{name}.corrupt");
                fs::rename(&path, dir.join(&aside))?;
                recovery.damage.push(Damage {
                    file: name.into_owned(),
                    offset: None,
                    what: format!("{error}; the block is set aside as {aside}"),
                });
            }
        }
    }
    blocks.sort_by(|a, b| a.meta.ulid.cmp(&b.meta.ulid));
    // A block that went into another one is of no use any more: the process ended before it was removed.
    let parents: Vec<_> = blocks
        .iter()
        .flat_map(|block| block.meta.compaction.parents.iter().map(|p| p.ulid.clone()))
        .collect();
    let (old, blocks): (Vec<_>, Vec<_>) = blocks
        .into_iter()
        .partition(|block| parents.contains(&block.meta.ulid));
    for block in old {
        crate::files::remove_dir(&block.dir)?;
    }
    Ok(blocks)
}

/// Whether what was read is wrong, and not the reading.
fn is_damage(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, NotFound, UnexpectedEof};
    matches!(error.kind(), InvalidData | NotFound | UnexpectedEof)
}
