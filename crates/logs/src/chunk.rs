//! A chunk file: blocks of many streams, written once.
//!
//! # Format
//! Integers of fixed size are little-endian, others as [`codec`](crate::codec) says.
//!
//! ```text
//! 8 bytes  WHARFLOG
//! 4 bytes  version, 1
//! 4 bytes  zero
//! blocks, each its filter and then its frame
//! the index, one zstd frame
//! 32 bytes the end:
//!    8 bytes  where the index begins
//!    4 bytes  its length, compressed
//!    4 bytes  its length, opened
//!    4 bytes  CRC-32C of the compressed index
//!    8 bytes  WHARFEND
//!    4 bytes  CRC-32C of the 28 bytes before
//! ```
//!
//! The index is the number of streams and, for each in the order of the labels: its label set, the number of its blocks, and for
//! each of these in the order of their `order`: where its filter begins, the length of the filter, the length of the frame, the
//! length of the frame opened, the number of entries, the bytes of lines, the least time (signed), the greatest less the least, the
//! order, CRC-32C of the frame and of the filter (4 bytes each). A reader refuses a version that it does not know.

mod file;
mod writer;

use wharf_signal::Labels;

use crate::block::Meta;
use crate::codec::{Damaged, Reader, put_labels, put_number, put_signed};

pub(crate) use file::{ChunkFile, Handle, ReadError, Tier};
pub(crate) use writer::Writer;

const MAGIC: &[u8; 8] = b"WHARFLOG";
const MAGIC_END: &[u8; 8] = b"WHARFEND";
const VERSION: u32 = 1;
const HEAD_BYTES: u64 = 16;
const END_BYTES: u64 = 32;

/// More than any index that is written: 10,000 streams with labels of the greatest length would have less.
const MOST_INDEX: usize = 256 << 20;

/// Where a block is, and what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockRef {
    pub(crate) offset: u64,
    pub(crate) filter: u32,
    pub(crate) frame: u32,
    pub(crate) meta: Meta,
}

/// A stream's blocks in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamBlocks {
    pub(crate) labels: Labels,
    pub(crate) blocks: Vec<BlockRef>,
}

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) streams: Vec<StreamBlocks>,
}

/// What is known of a file without opening it; kept in the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) id: u64,
    /// The UTC day of the last entry of every block in it; none: of several days.
    pub(crate) day: Option<i64>,
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) entries: u64,
    /// Bytes of lines.
    pub(crate) text: u64,
    /// Bytes of the file.
    pub(crate) size: u64,
    pub(crate) blocks: u64,
    /// The greatest order of a block in it.
    pub(crate) order: u64,
}

impl Summary {
    pub(crate) fn name(&self) -> String {
        name(self.id)
    }
}

pub(crate) fn name(id: u64) -> String {
    format!("{id:016x}.chunk")
}

/// The number of a file with such a name.
pub(crate) fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".chunk")?;
    u64::from_str_radix(digits, 16)
        .ok()
        .filter(|_| digits.len() == 16)
}

const DAY_NANOS: i64 = 24 * 60 * 60 * 1_000_000_000;

/// The UTC day of a time.
pub(crate) fn day(nanos: i64) -> i64 {
    nanos.div_euclid(DAY_NANOS)
}

impl Index {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_number(&mut out, self.streams.len() as u64);
        for stream in &self.streams {
            put_labels(&mut out, &stream.labels);
            put_number(&mut out, stream.blocks.len() as u64);
            for block in &stream.blocks {
                let meta = &block.meta;
                put_number(&mut out, block.offset);
                for small in [block.filter, block.frame, meta.raw, meta.entries, meta.text] {
                    put_number(&mut out, u64::from(small));
                }
                put_signed(&mut out, meta.min);
                put_number(&mut out, meta.max.wrapping_sub(meta.min) as u64);
                put_number(&mut out, meta.order);
                out.extend_from_slice(&meta.crc.to_le_bytes());
                out.extend_from_slice(&meta.filter_crc.to_le_bytes());
            }
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut reader = Reader(bytes);
        let count = reader.count(2)?;
        let mut streams = Vec::with_capacity(count.min(1 << 16));
        for _ in 0..count {
            let labels = reader.labels()?;
            let count = reader.count(17)?;
            let mut blocks = Vec::with_capacity(count);
            for _ in 0..count {
                blocks.push(block(&mut reader)?);
            }
            streams.push(StreamBlocks { labels, blocks });
        }
        if reader.0.is_empty() {
            Ok(Self { streams })
        } else {
            Err(Damaged)
        }
    }

    /// What is known of the file, but its number and size.
    pub(crate) fn summary(&self, id: u64, size: u64) -> Summary {
        let mut summary = Summary {
            id,
            day: None,
            min: i64::MAX,
            max: i64::MIN,
            entries: 0,
            text: 0,
            size,
            blocks: 0,
            order: 0,
        };
        let mut days = None;
        let metas = self.streams.iter().flat_map(|s| &s.blocks).map(|b| b.meta);
        for meta in metas {
            summary.min = summary.min.min(meta.min);
            summary.max = summary.max.max(meta.max);
            summary.entries += u64::from(meta.entries);
            summary.text += u64::from(meta.text);
            summary.blocks += 1;
            summary.order = summary.order.max(meta.order);
            let day = day(meta.max);
            let (first, last) = days.get_or_insert((day, day));
            (*first, *last) = (day.min(*first), day.max(*last));
        }
        summary.day = days.and_then(|(first, last)| (first == last).then_some(first));
        summary
    }
}

fn block(reader: &mut Reader<'_>) -> Result<BlockRef, Damaged> {
    let offset = reader.number()?;
    let (filter, frame) = (reader.small()?, reader.small()?);
    let (raw, entries, text) = (reader.small()?, reader.small()?, reader.small()?);
    let min = reader.signed()?;
    let max = min.wrapping_add(reader.number()? as i64);
    let order = reader.number()?;
    let crc = u32::from_le_bytes(reader.fixed()?);
    let filter_crc = u32::from_le_bytes(reader.fixed()?);
    if max < min || entries == 0 {
        return Err(Damaged);
    }
    Ok(BlockRef {
        offset,
        filter,
        frame,
        meta: Meta {
            min,
            max,
            order,
            entries,
            text,
            raw,
            crc,
            filter_crc,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_block() -> impl Strategy<Value = BlockRef> {
        let times = (any::<i64>(), any::<i64>());
        let numbers = (any::<u64>(), any::<u64>(), any::<[u32; 6]>(), 1u32..);
        (times, numbers).prop_map(|((a, b), (offset, order, small, entries))| BlockRef {
            offset,
            filter: small[0],
            frame: small[1],
            meta: Meta {
                min: a.min(b),
                max: a.max(b),
                order,
                entries,
                text: small[2],
                raw: small[3],
                crc: small[4],
                filter_crc: small[5],
            },
        })
    }

    proptest! {
        #[test]
        fn an_index_is_read_as_it_was_written(streams in prop::collection::vec(("[a-z]{1,5}", prop::collection::vec(any_block(), 0..4)), 0..5)) {
            let streams = streams.into_iter().map(|(value, blocks)| StreamBlocks {
                labels: Labels::from_pairs([("a", value)]),
                blocks,
            });
            let index = Index { streams: streams.collect() };
            prop_assert_eq!(Index::decode(&index.encode()), Ok(index));
        }

        #[test]
        fn any_bytes_are_an_index_or_refused(bytes: Vec<u8>) {
            Index::decode(&bytes).ok();
        }
    }

    #[test]
    fn names_are_numbers() {
        assert_eq!(number(&name(77)), Some(77));
        assert_eq!(number("manifest"), None);
        assert_eq!(number("4d.chunk"), None);
        assert_eq!((day(-1), day(0), day(DAY_NANOS)), (-1, 0, 1));
    }
}
