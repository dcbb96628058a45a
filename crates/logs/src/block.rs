//! A block: some entries of one stream, compressed together.
//!
//! # Format
//! One zstd frame of
//!
//! ```text
//! the lines, one behind the other, in the order of the entries
//! number of entries, n
//! the time of the first in nanoseconds (signed), then n - 1 differences to the one before
//! n lengths of lines
//! the metadata, as `block/sets.rs` says
//! 4 bytes, little-endian: the length of all lines
//! ```
//!
//! with numbers and label sets as [`codec`](crate::codec) says. Times never fall. What is known of a block without opening it
//! ([`Meta`]) is in the index of its file, with a CRC-32C of the frame and one of the filter.

mod sets;

use zstd::bulk::{Compressor, Decompressor};

use crate::codec::{Damaged, Reader, put_number, put_signed};
use crate::filter;
use crate::rows::{Row, Rows};

pub(crate) use sets::pairs;

/// More than any block that is written: lines of a block, one more of the greatest length, and what is beside them.
pub(crate) const MOST_RAW: usize = 64 << 20;

/// What is known of a block without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) min: i64,
    pub(crate) max: i64,
    /// Blocks of a stream in the order in which their entries came.
    pub(crate) order: u64,
    pub(crate) entries: u32,
    /// Bytes of lines.
    pub(crate) text: u32,
    /// Bytes of the frame, opened.
    pub(crate) raw: u32,
    pub(crate) crc: u32,
    pub(crate) filter_crc: u32,
}

/// A block, compressed, with its filter.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) meta: Meta,
    pub(crate) frame: Vec<u8>,
    pub(crate) filter: Vec<u8>,
}

impl Sealed {
    pub(crate) fn bytes(&self) -> usize {
        self.frame.len() + self.filter.len() + size_of::<Self>()
    }
}

/// Makes blocks; keeps what compression needs.
pub(crate) struct Sealer {
    level: i32,
    compressor: Option<Compressor<'static>>,
    raw: Vec<u8>,
}

impl Sealer {
    pub(crate) fn new(level: i32) -> Self {
        Self {
            level,
            compressor: None,
            raw: Vec::new(),
        }
    }

    /// Gives back the memory, until it is needed again.
    pub(crate) fn rest(&mut self) {
        self.compressor = None;
        self.raw = Vec::new();
    }

    /// Makes a block of entries, of which there is one at least.
    pub(crate) fn seal(&mut self, rows: &Rows, order: u64) -> Result<Sealed, std::io::Error> {
        self.raw.clear();
        encode(rows, &mut self.raw);
        let text: usize = rows.rows.iter().map(|r| r.length as usize).sum();
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            none => none.insert(Compressor::new(self.level)?),
        };
        let frame = compressor.compress(&self.raw)?;
        let filter = filter::build(rows);
        let small = |n: usize| u32::try_from(n).map_err(std::io::Error::other);
        Ok(Sealed {
            meta: Meta {
                min: rows.min(),
                max: rows.max(),
                order,
                entries: small(rows.len())?,
                text: small(text)?,
                raw: small(self.raw.len())?,
                crc: crc32c::crc32c(&frame),
                filter_crc: crc32c::crc32c(&filter),
            },
            frame,
            filter,
        })
    }
}

fn encode(rows: &Rows, out: &mut Vec<u8>) {
    out.reserve(rows.text.len() + rows.sets.len() + rows.len() * 8);
    for row in &rows.rows {
        out.extend_from_slice(rows.line(*row).as_bytes());
    }
    let text = out.len() as u32;
    put_number(out, rows.len() as u64);
    let mut before = None;
    for row in &rows.rows {
        match before {
            None => put_signed(out, row.nanos),
            Some(before) => put_number(out, row.nanos.wrapping_sub(before) as u64),
        }
        before = Some(row.nanos);
    }
    for row in &rows.rows {
        put_number(out, u64::from(row.length));
    }
    sets::encode(rows, out);
    out.extend_from_slice(&text.to_le_bytes());
}

/// Opens blocks; keeps what decompression needs, and buffers to use again.
pub(crate) struct Opener {
    decompressor: Decompressor<'static>,
    spare: Vec<Rows>,
}

/// More are not worth their memory.
const SPARE: usize = 4;

impl Opener {
    pub(crate) fn new() -> Result<Self, std::io::Error> {
        Ok(Self {
            decompressor: Decompressor::new()?,
            spare: Vec::new(),
        })
    }

    /// The entries of a block, whose frame has to be what was written.
    pub(crate) fn open(&mut self, meta: &Meta, frame: &[u8]) -> Result<Rows, Damaged> {
        let raw_length = meta.raw as usize;
        if crc32c::crc32c(frame) != meta.crc || raw_length > MOST_RAW {
            return Err(Damaged);
        }
        let mut rows = self.spare.pop().unwrap_or_default();
        rows.clear();
        let mut raw = std::mem::take(&mut rows.text).into_bytes();
        raw.reserve_exact(raw_length);
        let length = self
            .decompressor
            .decompress_to_buffer(frame, &mut raw)
            .map_err(|_| Damaged)?;
        if length != raw_length {
            return Err(Damaged);
        }
        decode(raw, meta.entries as usize, rows)
    }

    /// Takes the buffers of entries back; the largest are used first and kept longest, so that blocks of many streams in turn do
    /// not leave memory in pieces.
    pub(crate) fn reuse(&mut self, rows: Rows) {
        let size = Rows::held;
        let place = self.spare.partition_point(|r| size(r) <= size(&rows));
        self.spare.insert(place, rows);
        if self.spare.len() > SPARE {
            self.spare.remove(0);
        }
    }
}

/// Reads what was decompressed into rows that are empty but for their buffers.
fn decode(mut raw: Vec<u8>, expected: usize, mut rows: Rows) -> Result<Rows, Damaged> {
    let (front, tail) = raw.split_last_chunk::<4>().ok_or(Damaged)?;
    let text = u32::from_le_bytes(*tail) as usize;
    let (lines, columns) = front.split_at_checked(text).ok_or(Damaged)?;
    let mut reader = Reader(columns);
    let count = reader.count(2)?;
    if count != expected {
        return Err(Damaged);
    }
    rows.rows.reserve(count);
    let mut nanos = 0i64;
    for index in 0..count {
        if index == 0 {
            nanos = reader.signed()?;
        } else {
            let next = nanos.wrapping_add(reader.number()? as i64);
            if next < nanos {
                return Err(Damaged);
            }
            nanos = next;
        }
        rows.rows.push(Row {
            nanos,
            start: 0,
            length: 0,
            set: 0,
        });
    }
    let mut start = 0u32;
    for row in &mut rows.rows {
        row.start = start;
        row.length = reader.small()?;
        start = start.checked_add(row.length).ok_or(Damaged)?;
    }
    if start as usize != text {
        return Err(Damaged);
    }
    sets::decode(&mut reader, lines, &mut rows)?;
    if !reader.0.is_empty() {
        return Err(Damaged);
    }
    raw.truncate(text);
    rows.text = String::from_utf8(raw).map_err(|_| Damaged)?;
    let whole = |r: &Row| rows.text.is_char_boundary(r.start as usize);
    if !rows.rows.iter().all(whole) {
        return Err(Damaged);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::put_labels;
    use proptest::prelude::*;
    use wharf_signal::Labels;

    fn made(entries: &[(i64, String, Option<String>)]) -> Rows {
        let mut rows = Rows::default();
        for (nanos, line, id) in entries {
            let mut set = Vec::new();
            if let Some(id) = id {
                // One value that is in no line, and one that often is.
                let part: String = line.chars().skip(id.len()).take(9).collect();
                let labels = Labels::from_pairs([("id", id.as_str()), ("part", part.as_str())]);
                put_labels(&mut set, &labels);
            }
            rows.push(*nanos, line, &set).expect("room");
        }
        rows
    }

    fn told(rows: &Rows) -> Vec<(i64, String, Labels)> {
        let all = rows.rows.iter();
        all.map(|r| (r.nanos, rows.line(*r).to_owned(), rows.metadata(*r)))
            .collect()
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_opened(entries in prop::collection::vec((any::<i64>(), ".{0,40}", prop::option::of("[a-z]{0,4}")), 1..50), flip: prop::sample::Index) {
            let rows = made(&entries);
            let sealed = Sealer::new(3).seal(&rows, 7).expect("a block");
            let mut opener = Opener::new().expect("a decompressor");
            let opened = opener.open(&sealed.meta, &sealed.frame).expect("what was written");
            prop_assert_eq!(told(&opened), told(&rows));

            let mut frame = sealed.frame.clone();
            let at = flip.index(frame.len());
            frame[at] ^= 0x10;
            prop_assert!(opener.open(&sealed.meta, &frame).is_err());
            // Even if the check is right, nothing worse happens than wrong entries.
            let meta = Meta { crc: crc32c::crc32c(&frame), ..sealed.meta };
            opener.open(&meta, &frame).ok();
        }

        #[test]
        fn any_bytes_are_opened_or_refused(raw: Vec<u8>, entries in 0usize..5) {
            decode(raw, entries, Rows::default()).ok();
        }
    }
}
