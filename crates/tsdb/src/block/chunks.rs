//! A block's chunk files: `chunks/000001` and so on.
//!
//! ```text
//! 0x85BD40DD <4b>   version 1 <1b>   zero <3b>
//! each: length of the data <uvarint>, encoding <1b>, data, CRC-32C of encoding and data <4b>
//! ```
//! A chunk is referred to by its file, counted from zero, in the upper half, and its offset in the lower.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::index::ChunkRef;
use crate::bytes::{Input, put_uvarint};
use crate::chunk::ENCODING_XOR;

const MAGIC: u32 = 0x85BD_40DD;
const VERSION: u8 = 1;
const HEADER: u64 = 8;

/// Prometheus's size of a file.
const FILE_BYTES: u64 = 512 << 20;

/// The most that one chunk may say it is: 120 samples take 2.3 KB, and other writers make longer ones.
const CHUNK_BYTES: u64 = 1 << 20;

/// How much more than asked for is read where one chunk after the other is wanted.
const AHEAD: usize = 128 << 10;

/// Writes chunk files.
#[derive(Debug)]
pub(crate) struct ChunkWriter {
    dir: PathBuf,
    file: Option<BufWriter<File>>,
    number: u64,
    at: u64,
    head: Vec<u8>,
}

impl ChunkWriter {
    pub(crate) fn create(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            file: None,
            number: 0,
            at: 0,
            head: Vec::new(),
        })
    }

    /// Writes a chunk; gives its reference.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let room = self.at + bytes.len() as u64 + 20 <= FILE_BYTES;
        let mut file = match self.file.take() {
            Some(file) if room => file,
            file => {
                finish(file)?;
                self.number += 1;
                let path = self.dir.join(format!("{:06}", self.number));
                let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
                file.write_all(&MAGIC.to_be_bytes())?;
                file.write_all(&[VERSION, 0, 0, 0])?;
                self.at = HEADER;
                file
            }
        };
        let reference = (self.number - 1) << 32 | self.at;
        self.head.clear();
        put_uvarint(&mut self.head, bytes.len() as u64);
        self.head.push(ENCODING_XOR);
        file.write_all(&self.head)?;
        file.write_all(bytes)?;
        file.write_all(&chunk_crc(ENCODING_XOR, bytes).to_be_bytes())?;
        self.at += (self.head.len() + bytes.len() + 4) as u64;
        self.file = Some(file);
        Ok(reference)
    }

    /// Puts everything on the disk.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        finish(self.file.take())
    }
}

fn finish(file: Option<BufWriter<File>>) -> io::Result<()> {
    match file {
        Some(file) => file.into_inner().map_err(|e| e.into_error())?.sync_all(),
        None => Ok(()),
    }
}

fn chunk_crc(encoding: u8, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&[encoding]), bytes)
}

/// The chunk files of a block.
#[derive(Debug)]
pub(crate) struct ChunkFiles(Vec<File>);

impl ChunkFiles {
    /// Opens all of them; gives their size as well.
    pub(crate) fn open(dir: &Path) -> io::Result<(Self, u64)> {
        let mut files = Vec::new();
        let mut size = 0;
        loop {
            let path = dir.join(format!("{:06}", files.len() + 1));
            let file = match File::open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                file => file?,
            };
            let mut head = [0; 5];
            file.read_exact_at(&mut head, 0)?;
            if head[..4] != MAGIC.to_be_bytes() || head[4] != VERSION {
                let name = path.display();
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{name} is no file of chunks"),
                ));
            }
            size += file.metadata()?.len();
            files.push(file);
        }
        Ok((Self(files), size))
    }
}

/// Reads chunks, and ahead of them where they follow each other.
#[derive(Debug, Default)]
pub(crate) struct ChunkReader {
    file: usize,
    start: u64,
    buffer: Vec<u8>,
    /// Reads that began where the one before ended.
    streak: u32,
}

impl ChunkReader {
    /// The chunk's bytes. Nothing: it is of an encoding that is not known here.
    pub(crate) fn read<'r>(
        &'r mut self,
        files: &ChunkFiles,
        chunk: ChunkRef,
        last: Option<ChunkRef>,
    ) -> io::Result<Option<&'r [u8]>> {
        let damaged = |what| io::Error::new(io::ErrorKind::InvalidData, what);
        let file = usize::try_from(chunk.at >> 32).unwrap_or(usize::MAX);
        let offset = chunk.at & 0xffff_ffff;
        // What is read with it: the series' other chunks.
        let span = last
            .filter(|last| last.at >> 32 == chunk.at >> 32)
            .map_or(0, |last| last.at.saturating_sub(chunk.at))
            .min(CHUNK_BYTES);
        let mut wanted = (span + 512) as usize;
        for _ in 0..3 {
            self.fill(files, file, offset, wanted)?;
            let from = (offset - self.start) as usize;
            let mut input = Input(&self.buffer[from.min(self.buffer.len())..]);
            let before = input.len();
            let length = input
                .uvarint()
                .ok_or_else(|| damaged("a chunk is cut off"))?;
            if length > CHUNK_BYTES {
                return Err(damaged("a chunk says that it is too long"));
            }
            let head = before - input.len();
            let total = head + 1 + length as usize + 4;
            if before < total {
                wanted = total;
                continue;
            }
            let body = from + head;
            let data = body + 1..body + 1 + length as usize;
            let encoding = self.buffer[body];
            let crc = Input(&self.buffer[data.end..]).u32();
            if crc != Some(chunk_crc(encoding, &self.buffer[data.clone()])) {
                return Err(damaged("a chunk's checksum is wrong"));
            }
            return Ok((encoding == ENCODING_XOR).then(|| &self.buffer[data]));
        }
        Err(damaged("a chunk is cut off"))
    }

    fn fill(&mut self, files: &ChunkFiles, file: usize, at: u64, wanted: usize) -> io::Result<()> {
        let end = self.start + self.buffer.len() as u64;
        if file == self.file && at >= self.start && at + wanted as u64 <= end {
            return Ok(());
        }
        let near = file == self.file && at >= self.start && at <= end + 4096;
        self.streak = if near { self.streak + 1 } else { 0 };
        let ahead = (1024 << self.streak.min(7)).min(AHEAD);
        let source = files.0.get(file).ok_or(io::ErrorKind::UnexpectedEof)?;
        let length = wanted + if self.streak > 0 { ahead } else { 0 };
        self.buffer.resize(length, 0);
        self.file = file;
        self.start = at;
        let mut filled = 0;
        while filled < length {
            match source.read_at(&mut self.buffer[filled..], at + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buffer.clear();
                    return Err(error);
                }
            }
        }
        self.buffer.truncate(filled);
        Ok(())
    }
}
