//! A block: a folder of samples that does not change any more, but for what is deleted from it.
//!
//! ```text
//! 01JD…/            named by its ULID
//!   meta.json       what it is
//!   index           label sets, and where their chunks are
//!   chunks/000001   samples
//!   tombstones      what is deleted
//! ```
//! It is written under another name and gets its own when it is on the disk as a whole.

mod chunks;
mod index;
mod index_writer;
mod meta;
mod tombstones;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

pub(crate) use chunks::ChunkReader;
pub(crate) use index::{ChunkRef, Entry, Index, Memo};
pub(crate) use meta::{Compaction, Meta, Parent, Stats, Ulid};
pub(crate) use tombstones::{Ranges, Stones};

use crate::cache::PageCache;
use crate::chunk::{Chunk, chunk_len};
use crate::files;
use crate::matching::Lists;

/// What a folder that is being written ends with.
pub(crate) const UNFINISHED: &str = ".tmp-for-creation";

/// A block, open.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) dir: PathBuf,
    pub(crate) meta: Meta,
    pub(crate) index: Index,
    pub(crate) chunks: chunks::ChunkFiles,
    stones: RwLock<Arc<Stones>>,
    size: u64,
    /// It cannot be read as a whole, and stays as it is.
    stuck: AtomicBool,
}

impl Block {
    pub(crate) fn open(dir: &Path, cache: &Arc<PageCache>) -> io::Result<Self> {
        let meta = Meta::read(dir)?;
        let index = Index::open(&dir.join("index"), cache)?;
        let (chunks, size) = chunks::ChunkFiles::open(&dir.join("chunks"))?;
        let stones = tombstones::read(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            size: size + index.size(),
            meta,
            index,
            chunks,
            stones: RwLock::new(Arc::new(stones)),
            stuck: AtomicBool::new(false),
        })
    }

    /// Whether it may have samples of this range, inclusive.
    pub(crate) fn overlaps(&self, start: i64, end: i64) -> bool {
        self.meta.min_time <= end && self.meta.max_time > start
    }

    /// On the disk, in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Whether it may go into another block.
    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }

    /// It answers what it can, and goes into no other block.
    pub(crate) fn set_stuck(&self) {
        self.stuck.store(true, Ordering::Relaxed);
    }

    pub(crate) fn stones(&self) -> Arc<Stones> {
        let stones = self.stones.read();
        stones.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Deletes more.
    pub(crate) fn bury(&self, stones: Stones) -> io::Result<()> {
        tombstones::write(&self.dir, &stones)?;
        let mut meta = self.meta.clone();
        meta.stats.num_tombstones = stones.values().map(|r| r.iter().count() as u64).sum();
        meta.write(&self.dir)?;
        *self.stones.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(stones);
        Ok(())
    }
}

impl Lists for Index {
    fn all(&self) -> io::Result<Vec<u32>> {
        Self::all(self)
    }

    fn with(&self, name: &str, value: &str, out: &mut Vec<u32>) -> io::Result<()> {
        match self.find(name, value)? {
            Some(at) => self.postings(at, out),
            None => Ok(()),
        }
    }

    fn having(
        &self,
        name: &str,
        wanted: &mut dyn FnMut(&str) -> bool,
        out: &mut Vec<u32>,
    ) -> io::Result<()> {
        let mut places = Vec::new();
        self.values(name, &mut |value, at| {
            if wanted(value) {
                places.push(at);
            }
        })?;
        for at in places {
            self.postings(at, out)?;
        }
        Ok(())
    }
}

/// Writes a block, series by series in the order of their labels.
#[derive(Debug)]
pub(crate) struct BlockWriter {
    parent: PathBuf,
    unfinished: PathBuf,
    ulid: Ulid,
    parts: Option<(index_writer::IndexWriter, chunks::ChunkWriter)>,
    stats: Stats,
    span: Option<(i64, i64)>,
    refs: Vec<ChunkRef>,
}

impl BlockWriter {
    /// Begins a block below `parent`. The symbols are in order, each once; series refer to them.
    pub(crate) fn create(parent: &Path, now: i64, symbols: Arc<[Arc<str>]>) -> io::Result<Self> {
        let ulid = Ulid::new(now);
        let unfinished = parent.join(format!("{}{UNFINISHED}", ulid.0));
        fs::create_dir_all(&unfinished)?;
        let parts = (|| {
            let index = index_writer::IndexWriter::create(&unfinished.join("index"), symbols)?;
            let chunks = chunks::ChunkWriter::create(&unfinished.join("chunks"))?;
            Ok::<_, io::Error>((index, chunks))
        })();
        let mut writer = Self {
            parent: parent.to_owned(),
            unfinished,
            ulid,
            parts: None,
            stats: Stats::default(),
            span: None,
            refs: Vec::new(),
        };
        writer.parts = Some(parts?);
        Ok(writer)
    }

    /// Adds the next series, its chunks in order and apart from each other. One without chunks is left out.
    pub(crate) fn add(&mut self, pairs: &[(u32, u32)], chunks: &[Chunk]) -> io::Result<()> {
        let (Some(first), Some(last)) = (chunks.first(), chunks.last()) else {
            return Ok(());
        };
        let Some((index, files)) = &mut self.parts else {
            return Ok(());
        };
        self.refs.clear();
        for chunk in chunks {
            let at = files.add(&chunk.bytes)?;
            let (min, max) = (chunk.min, chunk.max);
            self.refs.push(ChunkRef { min, max, at });
            self.stats.num_samples += u64::from(chunk_len(&chunk.bytes));
        }
        index.add(pairs, &self.refs)?;
        self.stats.num_series += 1;
        self.stats.num_chunks += chunks.len() as u64;
        let (min, max) = self.span.unwrap_or((i64::MAX, i64::MIN));
        self.span = Some((min.min(first.min), max.max(last.max)));
        Ok(())
    }

    /// Ends the block. It says that it covers `range`, the end exclusive, or what is in it where that is not given. Nothing: it would be empty.
    pub(crate) fn finish(
        mut self,
        range: Option<(i64, i64)>,
        compaction: impl FnOnce(&Ulid) -> Compaction,
    ) -> io::Result<Option<PathBuf>> {
        let (Some(span), Some((index, chunks))) = (self.span, self.parts.take()) else {
            return Ok(None);
        };
        chunks.finish()?;
        index.finish()?;
        let (min_time, max_time) = range.unwrap_or((span.0, span.1.saturating_add(1)));
        let meta = Meta {
            ulid: self.ulid.clone(),
            min_time,
            max_time,
            stats: self.stats,
            compaction: compaction(&self.ulid),
            version: 1,
        };
        tombstones::write(&self.unfinished, &Stones::new())?;
        meta.write(&self.unfinished)?;
        files::sync_dir(&self.unfinished.join("chunks"))?;
        files::sync_dir(&self.unfinished)?;
        let dir = self.parent.join(&self.ulid.0);
        fs::rename(&self.unfinished, &dir)?;
        files::sync_dir(&self.parent)?;
        Ok(Some(dir))
    }
}

impl Drop for BlockWriter {
    fn drop(&mut self) {
        self.parts = None;
        // Gone after a finish; else found and removed at the next start if this fails.
        drop(fs::remove_dir_all(&self.unfinished));
    }
}
