//! Reads a block's index.
//!
//! ```text
//! 0xBAAAD700 <4b>   version 2 <1b>
//! symbols           length <4b>, count <4b>, texts <uvarint length, bytes> in order, CRC-32C <4b>
//! series            each at a multiple of 16: length <uvarint>, labels <uvarint>, name and value as symbols <uvarint>,
//!                   chunks <uvarint>, first: from <varint>, length in time <uvarint>, reference <uvarint>; others: from the one
//!                   before <uvarint>, length <uvarint>, reference from the one before <varint>; CRC-32C <4b>
//! postings          each at a multiple of 4: length <4b>, count <4b>, series as offset / 16 <4b each>, CRC-32C <4b>
//! label table       length <4b>, 0 <4b>, CRC-32C <4b>: empty, as readers use the next one
//! postings table    length <4b>, count <4b>, each: 2 <1b>, name, value <uvarint length, bytes>, offset <uvarint>; CRC-32C <4b>
//! contents          six offsets <8b>: symbols, series, label indices, label table, postings, postings table; CRC-32C <4b>
//! ```
//! Of symbols and postings every 32nd is kept in memory; what lies between is read when it is asked for.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::bytes::Input;
use crate::cache::{CachedFile, PageCache};

pub(crate) const MAGIC: u32 = 0xBAAA_D700;
pub(crate) const VERSION: u8 = 2;

const CONTENTS: u64 = 6 * 8 + 4;

/// One of so many symbols and values is kept.
const STRIDE: usize = 32;

/// As many symbols a query keeps at hand.
const MEMO: usize = 1 << 16;

/// Where a chunk is, and what times it is of, inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkRef {
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) at: u64,
}

/// The values of one label.
#[derive(Debug)]
struct Values {
    /// Every 32nd value, and where it stands in the table.
    sampled: Vec<(Box<str>, u64)>,
    end: u64,
    count: usize,
}

/// An index.
#[derive(Debug)]
pub(crate) struct Index {
    file: CachedFile,
    /// Where every 32nd symbol stands, and the end.
    symbols: Vec<u64>,
    symbol_count: u32,
    names: BTreeMap<Box<str>, Values>,
    all: u64,
}

/// Symbols that were looked up.
#[derive(Debug, Default)]
pub(crate) struct Memo(HashMap<u32, Arc<str>>);

/// A series' entry.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    /// Names and values, as symbols.
    pub(crate) pairs: Vec<(u32, u32)>,
    pub(crate) chunks: Vec<ChunkRef>,
    bytes: Vec<u8>,
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("index: {what}"))
}

impl Index {
    pub(crate) fn open(path: &Path, cache: &Arc<PageCache>) -> io::Result<Self> {
        let file = CachedFile::open(path, cache)?;
        let mut bytes = Vec::new();
        file.read(0, 5, &mut bytes)?;
        let mut input = Input(&bytes);
        if input.u32() != Some(MAGIC) || input.u8() != Some(VERSION) {
            return Err(damaged("not of version 2"));
        }
        let at = file
            .len()
            .checked_sub(CONTENTS)
            .ok_or_else(|| damaged("too short"))?;
        file.read(at, CONTENTS as usize, &mut bytes)?;
        let (body, crc) = bytes
            .split_last_chunk::<4>()
            .ok_or_else(|| damaged("too short"))?;
        if crc32c::crc32c(body) != u32::from_be_bytes(*crc) {
            return Err(damaged("the checksum of its contents is wrong"));
        }
        let mut input = Input(body);
        let mut offset = || input.u64().unwrap_or(0);
        let (symbols_at, _, _, _, _, table_at) =
            (offset(), offset(), offset(), offset(), offset(), offset());
        let mut index = Self {
            file,
            symbols: Vec::new(),
            symbol_count: 0,
            names: BTreeMap::new(),
            all: 0,
        };
        index.load_symbols(symbols_at)?;
        index.load_table(table_at)?;
        Ok(index)
    }

    pub(crate) fn size(&self) -> u64 {
        self.file.len()
    }

    /// Reads what stands between a length and a checksum.
    fn section(&self, at: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
        self.file.read(at, 4, bytes)?;
        let length = Input(bytes).u32().ok_or_else(|| damaged("cut off"))? as usize;
        self.file.read(at.saturating_add(4), length + 4, bytes)?;
        if bytes.len() != length + 4 {
            return Err(damaged("cut off"));
        }
        let crc = Input(&bytes[length..]).u32();
        bytes.truncate(length);
        if crc != Some(crc32c::crc32c(bytes)) {
            return Err(damaged("a checksum is wrong"));
        }
        Ok(())
    }

    fn load_symbols(&mut self, at: u64) -> io::Result<()> {
        let mut bytes = Vec::new();
        self.section(at, &mut bytes)?;
        let mut input = Input(&bytes);
        let bad = || damaged("symbols are none");
        let count = input.u32().ok_or_else(bad)?;
        let place = |input: &Input<'_>| at + 4 + (bytes.len() - input.len()) as u64;
        for index in 0..count as usize {
            if index.is_multiple_of(STRIDE) {
                self.symbols.push(place(&input));
            }
            input.text().ok_or_else(bad)?;
        }
        self.symbols.push(place(&input));
        self.symbol_count = count;
        Ok(())
    }

    fn load_table(&mut self, at: u64) -> io::Result<()> {
        let mut bytes = Vec::new();
        self.section(at, &mut bytes)?;
        let mut input = Input(&bytes);
        let bad = || damaged("the table of postings is none");
        let count = input.u32().ok_or_else(bad)?;
        for _ in 0..count {
            let place = at + 4 + (bytes.len() - input.len()) as u64;
            let (name, value, offset) = table_entry(&mut input).ok_or_else(bad)?;
            let end = at + 4 + (bytes.len() - input.len()) as u64;
            if name.is_empty() && value.is_empty() {
                self.all = offset;
                continue;
            }
            let values = match self.names.get_mut(name) {
                Some(values) => values,
                None => self.names.entry(name.into()).or_insert(Values {
                    sampled: Vec::new(),
                    end: 0,
                    count: 0,
                }),
            };
            if values.count.is_multiple_of(STRIDE) {
                values.sampled.push((value.into(), place));
            }
            values.count += 1;
            values.end = end;
        }
        Ok(())
    }

    /// The label names, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(|name| &**name)
    }

    /// Gives every value of a label, in order, with the place of its postings.
    pub(crate) fn values(&self, name: &str, take: &mut dyn FnMut(&str, u64)) -> io::Result<()> {
        let Some(values) = self.names.get(name) else {
            return Ok(());
        };
        let mut bytes = Vec::new();
        for at in 0..values.sampled.len() {
            self.stretch(values, at, &mut bytes, &mut |value, offset| {
                take(value, offset);
                true
            })?;
        }
        Ok(())
    }

    /// Gives the values from a sampled one up to the next one, until `take` has enough.
    fn stretch(
        &self,
        values: &Values,
        at: usize,
        bytes: &mut Vec<u8>,
        take: &mut dyn FnMut(&str, u64) -> bool,
    ) -> io::Result<()> {
        let start = values.sampled[at].1;
        let end = values.sampled.get(at + 1).map_or(values.end, |next| next.1);
        let length = end
            .checked_sub(start)
            .ok_or_else(|| damaged("the table of postings is none"))?;
        self.file.read(start, length as usize, bytes)?;
        let mut input = Input(bytes);
        while !input.is_empty() {
            let entry = table_entry(&mut input);
            let (_, value, offset) =
                entry.ok_or_else(|| damaged("the table of postings is none"))?;
            if !take(value, offset) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Where a label pair's postings are.
    pub(crate) fn find(&self, name: &str, value: &str) -> io::Result<Option<u64>> {
        let Some(values) = self.names.get(name) else {
            return Ok(None);
        };
        let at = values.sampled.partition_point(|(v, _)| **v <= *value);
        let Some(at) = at.checked_sub(1) else {
            return Ok(None);
        };
        let mut found = None;
        self.stretch(values, at, &mut Vec::new(), &mut |v, offset| {
            if v == value {
                found = Some(offset);
            }
            v < value
        })?;
        Ok(found)
    }

    /// Adds the series of a list.
    pub(crate) fn postings(&self, at: u64, out: &mut Vec<u32>) -> io::Result<()> {
        let mut bytes = Vec::new();
        self.section(at, &mut bytes)?;
        let list = bytes.get(4..).ok_or_else(|| damaged("postings are none"))?;
        let (words, _) = list.as_chunks::<4>();
        out.extend(words.iter().map(|word| u32::from_be_bytes(*word)));
        Ok(())
    }

    /// All series, in the order of their labels.
    pub(crate) fn all(&self) -> io::Result<Vec<u32>> {
        let mut out = Vec::new();
        if self.all != 0 {
            self.postings(self.all, &mut out)?;
        }
        Ok(out)
    }

    /// How many symbols there are.
    pub(crate) fn symbol_count(&self) -> u32 {
        self.symbol_count
    }

    /// Gives all symbols, in order.
    pub(crate) fn symbols(&self, take: &mut dyn FnMut(&str)) -> io::Result<()> {
        let mut bytes = Vec::new();
        for stretch in self.symbols.windows(2) {
            self.file
                .read(stretch[0], (stretch[1] - stretch[0]) as usize, &mut bytes)?;
            let mut input = Input(&bytes);
            while !input.is_empty() {
                take(input.text().ok_or_else(|| damaged("symbols are none"))?);
            }
        }
        Ok(())
    }

    /// A symbol.
    pub(crate) fn symbol(&self, id: u32, memo: &mut Memo) -> io::Result<Arc<str>> {
        if let Some(symbol) = memo.0.get(&id) {
            return Ok(symbol.clone());
        }
        let at = id as usize / STRIDE;
        let bad = || damaged("a symbol is not there");
        let (Some(start), Some(end)) = (self.symbols.get(at), self.symbols.get(at + 1)) else {
            return Err(bad());
        };
        let mut bytes = Vec::new();
        self.file.read(*start, (end - start) as usize, &mut bytes)?;
        let mut input = Input(&bytes);
        for _ in 0..id as usize % STRIDE {
            input.text().ok_or_else(bad)?;
        }
        let symbol: Arc<str> = input.text().ok_or_else(bad)?.into();
        if memo.0.len() >= MEMO {
            memo.0.clear();
        }
        memo.0.insert(id, symbol.clone());
        Ok(symbol)
    }

    /// Reads a series' entry.
    pub(crate) fn series(&self, id: u32, entry: &mut Entry) -> io::Result<()> {
        let at = u64::from(id) * 16;
        let mut guess = 512;
        loop {
            let bytes = &mut entry.bytes;
            self.file.read(at, guess, bytes)?;
            let mut input = Input(bytes);
            let length = input
                .uvarint()
                .ok_or_else(|| damaged("a series is cut off"))?;
            let head = bytes.len() - input.len();
            let total = usize::try_from(length)
                .ok()
                .and_then(|l| l.checked_add(head + 4));
            let total = total.filter(|total| *total as u64 <= self.file.len());
            let total = total.ok_or_else(|| damaged("a series is too long"))?;
            if total > bytes.len() {
                if total <= guess {
                    return Err(damaged("a series is cut off"));
                }
                guess = total;
                continue;
            }
            let body = &bytes[head..total - 4];
            if Some(crc32c::crc32c(body)) != Input(&bytes[total - 4..]).u32() {
                return Err(damaged("the checksum of a series is wrong"));
            }
            entry.pairs.clear();
            entry.chunks.clear();
            let parsed = parse_entry(Input(body), &mut entry.pairs, &mut entry.chunks);
            return parsed.ok_or_else(|| damaged("a series is none"));
        }
    }
}

fn table_entry<'a>(input: &mut Input<'a>) -> Option<(&'a str, &'a str, u64)> {
    if input.u8()? != 2 {
        return None;
    }
    Some((input.text()?, input.text()?, input.uvarint()?))
}

fn parse_entry(
    mut input: Input<'_>,
    pairs: &mut Vec<(u32, u32)>,
    chunks: &mut Vec<ChunkRef>,
) -> Option<()> {
    for _ in 0..input.uvarint()? {
        let name = u32::try_from(input.uvarint()?).ok()?;
        pairs.push((name, u32::try_from(input.uvarint()?).ok()?));
    }
    let mut before: Option<ChunkRef> = None;
    for _ in 0..input.uvarint()? {
        let min = match before {
            None => input.varint()?,
            Some(before) => before.max.wrapping_add(input.uvarint()? as i64),
        };
        let max = min.wrapping_add(input.uvarint()? as i64);
        let at = match before {
            None => input.uvarint()?,
            Some(before) => before.at.wrapping_add(input.varint()? as u64),
        };
        let chunk = ChunkRef { min, max, at };
        chunks.push(chunk);
        before = Some(chunk);
    }
    Some(())
}
