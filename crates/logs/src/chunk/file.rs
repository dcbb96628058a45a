//! Reading a chunk file, wherever it is.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{
    BlockRef, END_BYTES, HEAD_BYTES, Index, MAGIC, MAGIC_END, MOST_INDEX, Summary, VERSION,
};
use crate::archive::{Archive, read_at};
use crate::block::{MOST_RAW, Opener};
use crate::codec::Damaged;
use crate::rows::Rows;

/// Where a file is.
#[derive(Clone)]
pub(crate) enum Tier {
    /// In a folder of this machine.
    Hot(PathBuf),
    Archive(Arc<dyn Archive>),
}

/// A file of the store. Queries share it with the store: one that was replaced or is too old goes when the last of them has let go of it.
pub(crate) struct ChunkFile {
    pub(crate) summary: Summary,
    pub(crate) tier: Tier,
    doomed: AtomicBool,
    /// A block of it cannot be read: it stays as it is, for whoever can repair it.
    pub(crate) damaged: AtomicBool,
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it is damaged")]
    Damaged(#[from] Damaged),
    #[error("it has version {0}, which this program does not know")]
    Version(u32),
}

impl ChunkFile {
    pub(crate) fn new(summary: Summary, tier: Tier) -> Self {
        Self {
            summary,
            tier,
            doomed: AtomicBool::new(false),
            damaged: AtomicBool::new(false),
        }
    }

    pub(crate) fn is_hot(&self) -> bool {
        matches!(self.tier, Tier::Hot(_))
    }

    /// Has it deleted once nobody reads it any more.
    pub(crate) fn doom(&self) {
        self.doomed.store(true, Ordering::Release);
    }

    /// For messages: where it is.
    pub(crate) fn place(&self) -> String {
        match &self.tier {
            Tier::Hot(folder) => folder.join(self.summary.name()).display().to_string(),
            Tier::Archive(_) => format!("{} in the archive", self.summary.name()),
        }
    }

    pub(crate) fn open(&self) -> io::Result<Handle> {
        Ok(match &self.tier {
            Tier::Hot(folder) => Handle::File(File::open(folder.join(self.summary.name()))?),
            Tier::Archive(archive) => Handle::Archived(archive.clone(), self.summary.name()),
        })
    }
}

impl Drop for ChunkFile {
    fn drop(&mut self) {
        if !self.doomed.load(Ordering::Acquire) {
            return;
        }
        let name = self.summary.name();
        // What cannot be deleted is found by the next `open`, which knows that it belongs to nothing.
        match &self.tier {
            Tier::Hot(folder) => fs::remove_file(folder.join(name)).ok(),
            Tier::Archive(archive) => archive.delete(&name).ok(),
        };
    }
}

/// An open file.
pub(crate) enum Handle {
    File(File),
    Archived(Arc<dyn Archive>, String),
}

impl Handle {
    fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        match self {
            Self::File(file) => read_at(file, offset, length),
            Self::Archived(archive, name) => archive.get(name, offset, length),
        }
    }

    /// The index of a file of this size.
    pub(crate) fn index(&self, size: u64) -> Result<Index, ReadError> {
        let place = size.checked_sub(END_BYTES).ok_or(Damaged)?;
        let head = self.read(0, HEAD_BYTES as usize)?;
        let (magic, version) = head.split_first_chunk::<8>().ok_or(Damaged)?;
        let version = version.first_chunk::<4>().ok_or(Damaged)?;
        if magic != MAGIC {
            return Err(Damaged.into());
        }
        let version = u32::from_le_bytes(*version);
        if version != VERSION {
            return Err(ReadError::Version(version));
        }
        let end = self.read(place, END_BYTES as usize)?;
        let (front, crc) = end.split_last_chunk::<4>().ok_or(Damaged)?;
        if crc32c::crc32c(front) != u32::from_le_bytes(*crc) || !front.ends_with(MAGIC_END) {
            return Err(Damaged.into());
        }
        let mut reader = crate::codec::Reader(front);
        let offset = u64::from_le_bytes(reader.fixed()?);
        let length = u32::from_le_bytes(reader.fixed()?) as usize;
        let opened = u32::from_le_bytes(reader.fixed()?) as usize;
        let crc = u32::from_le_bytes(reader.fixed()?);
        if offset.checked_add(length as u64) != Some(place) || opened > MOST_INDEX {
            return Err(Damaged.into());
        }
        let packed = self.read(offset, length)?;
        if crc32c::crc32c(&packed) != crc {
            return Err(Damaged.into());
        }
        let bytes = zstd::bulk::decompress(&packed, opened).map_err(|_| Damaged)?;
        Ok(Index::decode(&bytes)?)
    }

    pub(crate) fn filter(&self, block: &BlockRef) -> Result<Vec<u8>, ReadError> {
        let filter = self.read(block.offset, block.filter as usize)?;
        if crc32c::crc32c(&filter) != block.meta.filter_crc {
            return Err(Damaged.into());
        }
        Ok(filter)
    }

    pub(crate) fn frame(&self, block: &BlockRef) -> Result<Vec<u8>, ReadError> {
        let offset = block.offset.checked_add(u64::from(block.filter));
        let offset = offset.ok_or(Damaged)?;
        if block.frame as usize > MOST_RAW {
            return Err(Damaged.into());
        }
        Ok(self.read(offset, block.frame as usize)?)
    }

    pub(crate) fn rows(&self, block: &BlockRef, opener: &mut Opener) -> Result<Rows, ReadError> {
        let frame = self.frame(block)?;
        Ok(opener.open(&block.meta, &frame)?)
    }
}
