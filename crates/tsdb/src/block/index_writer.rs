//! Writes a block's index, version 2; the format stands at the head of [`super::index`].
//!
//! Symbols come first, then series in their order. Postings are gathered by reading the series again, a few label names at a time, so
//! that the memory it takes is bounded by the number of series and not by that of their labels.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::index::{ChunkRef, MAGIC, VERSION};
use crate::bytes::{Input, put_text, put_uvarint, put_varint};

/// As many entries of postings are gathered at a time, or one name's.
const GATHERED: u64 = 1 << 20;

/// Writes an index.
#[derive(Debug)]
pub(crate) struct IndexWriter {
    path: PathBuf,
    out: BufWriter<File>,
    at: u64,
    series_start: u64,
    /// Of every series, in units of 16 bytes.
    series: Vec<u32>,
    symbols: Arc<[Arc<str>]>,
    /// By the number of their symbol: how many series have them.
    names: BTreeMap<u32, u64>,
    entry: Vec<u8>,
    framed: Vec<u8>,
}

fn too_large() -> io::Error {
    io::Error::other("an index would become too large; compact into smaller blocks")
}

impl IndexWriter {
    /// Begins with symbols that are in order, each once.
    pub(crate) fn create(path: &Path, symbols: Arc<[Arc<str>]>) -> io::Result<Self> {
        let mut writer = Self {
            path: path.to_owned(),
            out: BufWriter::with_capacity(1 << 20, File::create(path)?),
            at: 0,
            series_start: 0,
            series: Vec::new(),
            symbols,
            names: BTreeMap::new(),
            entry: Vec::new(),
            framed: Vec::new(),
        };
        writer.put(&MAGIC.to_be_bytes())?;
        writer.put(&[VERSION])?;
        writer.put_symbols()?;
        writer.series_start = writer.at;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn align(&mut self, to: u64) -> io::Result<()> {
        let padding = self.at.next_multiple_of(to) - self.at;
        self.put(&[0; 16][..padding as usize])
    }

    /// A body behind its length and before its checksum.
    fn section(&mut self, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len()).map_err(|_| too_large())?;
        self.put(&length.to_be_bytes())?;
        self.put(body)?;
        self.put(&crc32c::crc32c(body).to_be_bytes())
    }

    fn put_symbols(&mut self) -> io::Result<()> {
        let mut body = Vec::new();
        let symbols = self.symbols.clone();
        let count = u32::try_from(symbols.len()).map_err(|_| too_large())?;
        body.extend_from_slice(&count.to_be_bytes());
        for symbol in symbols.iter() {
            put_text(&mut body, symbol);
        }
        self.section(&body)
    }

    /// Adds the next series: names and values as symbols, in the order of the names, and its chunks in theirs.
    pub(crate) fn add(&mut self, pairs: &[(u32, u32)], chunks: &[ChunkRef]) -> io::Result<u32> {
        self.align(16)?;
        let id = u32::try_from(self.at / 16).map_err(|_| too_large())?;
        let mut entry = std::mem::take(&mut self.entry);
        entry.clear();
        put_uvarint(&mut entry, pairs.len() as u64);
        for (name, value) in pairs {
            put_uvarint(&mut entry, u64::from(*name));
            put_uvarint(&mut entry, u64::from(*value));
            *self.names.entry(*name).or_default() += 1;
        }
        put_uvarint(&mut entry, chunks.len() as u64);
        let mut before: Option<ChunkRef> = None;
        for chunk in chunks {
            let length = chunk.max.wrapping_sub(chunk.min) as u64;
            match before {
                None => {
                    put_varint(&mut entry, chunk.min);
                    put_uvarint(&mut entry, length);
                    put_uvarint(&mut entry, chunk.at);
                }
                Some(before) => {
                    put_uvarint(&mut entry, chunk.min.wrapping_sub(before.max) as u64);
                    put_uvarint(&mut entry, length);
                    put_varint(&mut entry, chunk.at.wrapping_sub(before.at) as i64);
                }
            }
            before = Some(*chunk);
        }
        let mut framed = std::mem::take(&mut self.framed);
        framed.clear();
        put_uvarint(&mut framed, entry.len() as u64);
        framed.extend_from_slice(&entry);
        framed.extend_from_slice(&crc32c::crc32c(&entry).to_be_bytes());
        self.put(&framed)?;
        (self.entry, self.framed) = (entry, framed);
        self.series.push(id);
        Ok(id)
    }

    /// Writes postings and tables, and puts everything on the disk.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.out.flush()?;
        let postings_start = self.at;
        let mut table = Vec::new();
        let mut entries = 0_u32;
        let series = std::mem::take(&mut self.series);
        self.postings(&mut table, "", "", series.iter().copied())?;
        entries += 1;
        let names: Vec<_> = self
            .names
            .iter()
            .map(|(name, uses)| (*name, *uses))
            .collect();
        let mut rest = names.as_slice();
        while let Some((first, mut uses)) = rest.first().copied() {
            let mut count = 1;
            while let Some((_, more)) = rest.get(count)
                && uses + more <= GATHERED
            {
                uses += more;
                count += 1;
            }
            let last = rest[count - 1].0;
            rest = &rest[count..];
            let gathered = self.gather(&series, first, last, uses)?;
            for list in gathered.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
                let symbols = self.symbols.clone();
                let symbol = |id: u32| symbols.get(id as usize).map_or("", |s| s);
                let (name, value) = (symbol(list[0].0), symbol(list[0].1));
                self.postings(&mut table, name, value, list.iter().map(|p| p.2))?;
                entries = entries.checked_add(1).ok_or_else(too_large)?;
            }
        }
        let label_table = self.at;
        self.section(&0_u32.to_be_bytes())?;
        let postings_table = self.at;
        let mut body = entries.to_be_bytes().to_vec();
        body.append(&mut table);
        self.section(&body)?;
        let mut toc = Vec::with_capacity(52);
        for offset in [
            5,
            self.series_start,
            postings_start,
            label_table,
            postings_start,
            postings_table,
        ] {
            toc.extend_from_slice(&offset.to_be_bytes());
        }
        toc.extend_from_slice(&crc32c::crc32c(&toc).to_be_bytes());
        self.put(&toc)?;
        self.out
            .into_inner()
            .map_err(|e| e.into_error())?
            .sync_all()
    }

    fn postings(
        &mut self,
        table: &mut Vec<u8>,
        name: &str,
        value: &str,
        series: impl Iterator<Item = u32>,
    ) -> io::Result<()> {
        self.align(4)?;
        table.push(2);
        put_text(table, name);
        put_text(table, value);
        put_uvarint(table, self.at);
        let mut body = vec![0; 4];
        let mut count = 0_u32;
        for id in series {
            body.extend_from_slice(&id.to_be_bytes());
            count += 1;
        }
        body[..4].copy_from_slice(&count.to_be_bytes());
        self.section(&body)
    }

    /// Name, value and series of all labels from one name to another, in order.
    fn gather(
        &mut self,
        series: &[u32],
        first: u32,
        last: u32,
        uses: u64,
    ) -> io::Result<Vec<(u32, u32, u32)>> {
        self.out.flush()?;
        let mut file = BufReader::with_capacity(1 << 18, File::open(&self.path)?);
        file.seek(SeekFrom::Start(self.series_start))?;
        let mut at = self.series_start;
        let mut found = Vec::with_capacity(usize::try_from(uses).unwrap_or(0));
        let mut bytes = Vec::new();
        let damaged = || {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "an index changed under its writer",
            )
        };
        for id in series {
            let skip = u64::from(*id) * 16 - at;
            io::copy(&mut (&mut file).take(skip), &mut io::sink())?;
            let mut length = 0_u64;
            let mut head = 0;
            loop {
                let mut byte = [0];
                file.read_exact(&mut byte)?;
                length |= u64::from(byte[0] & 0x7f) << (7 * head);
                head += 1;
                if byte[0] < 0x80 {
                    break;
                }
                if head > 5 {
                    return Err(damaged());
                }
            }
            bytes.clear();
            (&mut file).take(length + 4).read_to_end(&mut bytes)?;
            at += skip + head + length + 4;
            let mut input = Input(&bytes);
            for _ in 0..input.uvarint().ok_or_else(damaged)? {
                let name = input.uvarint().ok_or_else(damaged)? as u32;
                let value = input.uvarint().ok_or_else(damaged)? as u32;
                if (first..=last).contains(&name) {
                    found.push((name, value, *id));
                }
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}
