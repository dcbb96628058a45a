//! Reads a block.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use wharf_signal::TraceId;

use super::index::{Index, PageInfo, Stats};
use super::{HEAD, Numbers, PAGE_MAX_BYTES, TAIL_BYTES, TAIL_MAGIC, VERSION};
use crate::bloom::{self, Answer, BUCKET_BYTES};
use crate::codec::{self, Bytes};

/// Why a block, or a page of it, cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlockError {
    #[error("{0} cannot be read")]
    Io(PathBuf, #[source] io::Error),
    #[error("{0} is damaged: {1}")]
    Damaged(PathBuf, &'static str),
    #[error("{0} is of version {1}, which this wharf does not know")]
    Version(PathBuf, u8),
}

/// A block, open. Its file may be removed while it is read.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) numbers: Numbers,
    pub(crate) level: u8,
    pub(crate) created: u64,
    pub(crate) wal_through: u64,
    pub(crate) spans: u64,
    pub(crate) stats: Stats,
    /// Of the file.
    pub(crate) bytes: u64,
    pub(crate) path: PathBuf,
    file: File,
    filter_at: u64,
    filter_bytes: usize,
    index_at: u64,
    index_bytes: usize,
    index_sum: u32,
}

impl Block {
    pub(crate) fn open(path: &Path) -> Result<Self, BlockError> {
        let io = |error| BlockError::Io(path.to_owned(), error);
        let damaged = |what| BlockError::Damaged(path.to_owned(), what);
        let numbers = Numbers::of(path).ok_or_else(|| damaged("its name is none of a block"))?;
        let file = File::open(path).map_err(io)?;
        let bytes = file.metadata().map_err(io)?.len();
        let mut head = [0; HEAD.len()];
        let mut tail = [0; TAIL_BYTES];
        let tail_at = bytes
            .checked_sub(TAIL_BYTES as u64)
            .filter(|at| *at >= HEAD.len() as u64)
            .ok_or_else(|| damaged("it is too short"))?;
        file.read_exact_at(&mut head, 0).map_err(io)?;
        file.read_exact_at(&mut tail, tail_at).map_err(io)?;
        if head[..4] != HEAD[..4] || tail[TAIL_BYTES - 4..] != TAIL_MAGIC {
            return Err(damaged("its borders are not there"));
        }
        let mut rest = Bytes(&tail);
        let (filter_at, index_at, index_bytes, index_sum, version) = (|| {
            Some((
                rest.u64()?,
                rest.u64()?,
                rest.u32()?,
                rest.u32()?,
                rest.u8()?,
            ))
        })()
        .ok_or_else(|| damaged("its tail is too short"))?;
        if version != VERSION || head[4] != VERSION {
            return Err(BlockError::Version(path.to_owned(), version.max(head[4])));
        }
        let fits = filter_at >= HEAD.len() as u64
            && index_at >= filter_at
            && index_at.checked_add(u64::from(index_bytes)) == Some(tail_at);
        let filter_bytes = usize::try_from(index_at.saturating_sub(filter_at)).unwrap_or(0);
        if !fits || filter_bytes == 0 || !filter_bytes.is_multiple_of(BUCKET_BYTES) {
            return Err(damaged("its parts do not fit each other"));
        }
        let mut block = Self {
            numbers,
            level: 0,
            created: 0,
            wal_through: 0,
            spans: 0,
            stats: Stats::NONE,
            bytes,
            path: path.to_owned(),
            file,
            filter_at,
            filter_bytes,
            index_at,
            index_bytes: usize::try_from(index_bytes).unwrap_or_default(),
            index_sum,
        };
        let index = block.index()?;
        block.level = index.level;
        block.created = index.created;
        block.wal_through = index.wal_through;
        block.spans = index.spans;
        block.stats = index.stats();
        Ok(block)
    }

    /// Reads the index. It is not kept: an idle store holds nothing of it.
    pub(crate) fn index(&self) -> Result<Index, BlockError> {
        let bytes = self.read(self.index_at, self.index_bytes)?;
        if crc32c::crc32c(&bytes) != self.index_sum {
            return Err(self.damaged("the checksum of its index is wrong"));
        }
        let index = Index::decode(&bytes).ok_or_else(|| self.damaged("its index ends early"))?;
        let fits = |page: &PageInfo| {
            page.offset
                .checked_add(u64::from(page.length))
                .is_some_and(|end| end <= self.filter_at)
        };
        if !index.pages.iter().all(fits) {
            return Err(self.damaged("a page lies beyond its end"));
        }
        Ok(index)
    }

    /// Whether the trace may be in it.
    pub(crate) fn may_hold(&self, trace: TraceId) -> Result<Answer, BlockError> {
        let hash = bloom::hash(trace);
        let at = bloom::bucket(hash, self.filter_bytes);
        let mut bucket = [0; BUCKET_BYTES];
        self.file
            .read_exact_at(&mut bucket, self.filter_at + at as u64)
            .map_err(|error| BlockError::Io(self.path.clone(), error))?;
        Ok(bloom::ask(&bucket, hash))
    }

    /// The bytes of a page's spans, each behind its length.
    pub(crate) fn page(&self, page: &PageInfo) -> Result<Vec<u8>, BlockError> {
        let packed = self.read(page.offset, usize::try_from(page.length).unwrap_or(0))?;
        if crc32c::crc32c(&packed) != page.sum {
            return Err(self.damaged("the checksum of a page is wrong"));
        }
        let raw = usize::try_from(page.raw_length).unwrap_or(usize::MAX);
        if raw > PAGE_MAX_BYTES {
            return Err(self.damaged("a page is larger than pages are"));
        }
        let bytes = zstd::bulk::decompress(&packed, raw)
            .map_err(|_| self.damaged("a page cannot be unpacked"))?;
        if bytes.len() != raw {
            return Err(self.damaged("a page is shorter than it says"));
        }
        Ok(bytes)
    }

    /// The pages that may hold a trace.
    pub(crate) fn pages_of(index: &Index, trace: TraceId) -> impl Iterator<Item = &PageInfo> {
        let from = index.pages.partition_point(|page| page.last < trace);
        index.pages[from..]
            .iter()
            .take_while(move |page| page.first <= trace)
    }

    fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, BlockError> {
        // Offsets and lengths are within the file: checked when they were read.
        let mut bytes = vec![0; length];
        self.file
            .read_exact_at(&mut bytes, offset)
            .map_err(|error| BlockError::Io(self.path.clone(), error))?;
        Ok(bytes)
    }

    /// What is said of a filter whose checksum is wrong.
    pub(crate) fn filter_is_damaged(&self) -> BlockError {
        self.damaged("the checksum of its filter is wrong")
    }

    fn damaged(&self, what: &'static str) -> BlockError {
        BlockError::Damaged(self.path.clone(), what)
    }
}

/// The bytes of the spans of one trace among a page's, which are ordered by trace.
pub(crate) fn frames_of(page: &[u8], trace: TraceId) -> impl Iterator<Item = &[u8]> {
    codec::frames(page)
        .skip_while(move |frame| codec::trace_of(frame).is_some_and(|id| id < trace))
        .take_while(move |frame| codec::trace_of(frame) == Some(trace))
}
