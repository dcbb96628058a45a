//! Writing a chunk file.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use wharf_signal::Labels;

use super::{BlockRef, HEAD_BYTES, Index, MAGIC, MAGIC_END, StreamBlocks, Summary, VERSION, name};
use crate::block::{Meta, Sealed};

/// Writes one file, which is not there until it is finished: dropped before, nothing is left of it.
pub(crate) struct Writer {
    file: Option<BufWriter<File>>,
    half: PathBuf,
    path: PathBuf,
    id: u64,
    offset: u64,
    index: Index,
}

impl Writer {
    pub(crate) fn create(folder: &Path, id: u64) -> io::Result<Self> {
        let path = folder.join(name(id));
        let half = path.with_extension("part");
        let mut writer = Self {
            file: Some(BufWriter::new(File::create(&half)?)),
            half,
            path,
            id,
            offset: 0,
            index: Index::default(),
        };
        writer.write(MAGIC)?;
        writer.write(&VERSION.to_le_bytes())?;
        writer.write(&[0; 4])?;
        debug_assert_eq!(writer.offset, HEAD_BYTES);
        Ok(writer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = self.file.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        file.write_all(bytes)?;
        self.offset += bytes.len() as u64;
        Ok(())
    }

    /// Adds a block. Streams come in the order of their labels, blocks of one in that of their order.
    pub(crate) fn add(&mut self, labels: &Labels, sealed: &Sealed) -> io::Result<()> {
        self.add_parts(labels, &sealed.meta, &sealed.filter, &sealed.frame)
    }

    pub(crate) fn add_parts(
        &mut self,
        labels: &Labels,
        meta: &Meta,
        filter: &[u8],
        frame: &[u8],
    ) -> io::Result<()> {
        let small = |n: usize| u32::try_from(n).map_err(io::Error::other);
        let block = BlockRef {
            offset: self.offset,
            filter: small(filter.len())?,
            frame: small(frame.len())?,
            meta: *meta,
        };
        self.write(filter)?;
        self.write(frame)?;
        match self.index.streams.last_mut() {
            Some(stream) if stream.labels == *labels => stream.blocks.push(block),
            _ => self.index.streams.push(StreamBlocks {
                labels: labels.clone(),
                blocks: vec![block],
            }),
        }
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.index.streams.is_empty()
    }

    /// Writes the index and makes the file durable, under its name.
    pub(crate) fn finish(mut self) -> io::Result<Summary> {
        let opened = self.index.encode();
        let index = zstd::bulk::compress(&opened, 3)?;
        let mut end = Vec::with_capacity(32);
        end.extend_from_slice(&self.offset.to_le_bytes());
        for small in [index.len(), opened.len()] {
            let small = u32::try_from(small).map_err(io::Error::other)?;
            end.extend_from_slice(&small.to_le_bytes());
        }
        end.extend_from_slice(&crc32c::crc32c(&index).to_le_bytes());
        end.extend_from_slice(MAGIC_END);
        let crc = crc32c::crc32c(&end);
        end.extend_from_slice(&crc.to_le_bytes());
        self.write(&index)?;
        self.write(&end)?;
        let file = self.file.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&self.half, &self.path)?;
        Ok(self.index.summary(self.id, self.offset))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Once finished there is none of that name.
        fs::remove_file(&self.half).ok();
    }
}
