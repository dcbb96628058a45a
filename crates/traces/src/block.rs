//! Blocks: files of spans that do not change.
//!
//! # Format
//! `blocks/<first>-<last>.spans`: the numbers (8 or more digits) of the cuts that are in it. One cut makes a block, several blocks are merged
//! into one that goes from the first to the last; where a block's numbers lie within another's, it was merged and can go.
//!
//! ```text
//! head     `WHSB`, version u8 (1), three zeros
//! pages    each one zstd frame
//! filter   see the `bloom` module
//! index    below
//! tail     offset of the filter u64, of the index u64, its length u32, its CRC-32C u32, version u8 (1), three zeros, `WHSE`
//! ```
//!
//! Numbers are little-endian. A page holds about 128 KiB of spans, each behind its length (see `codec`), ordered by trace, those
//! of a trace as they came. A page ends with a trace, unless the trace alone is larger than that. The index:
//!
//! ```text
//! level u8, created u64 (milliseconds), last log file that is in it u64, spans u64, traces u64, raw bytes u64
//! services section: for each, in order, its name text and a section of its operations (kind u8, name text); 1000 of each at most
//! tags section: for each, scope u8 (0 resource, 1 span), name text, 1000 at most
//! pages section: for each
//!   offset u64, length u32, raw length u32, CRC-32C u32, first trace u128, last trace u128,
//!   earliest start i64, latest start i64, latest end i64, longest duration u64, errors u8, services section (u32 each, places in the above; 2^32-1: others)
//! ```
//!
//! A reader refuses an unknown version and a file whose tail or index is damaged; a page whose checksum is wrong is left out, and counted.

mod index;
mod reader;
mod writer;

use std::path::{Path, PathBuf};

pub(crate) use index::{Index, OTHERS, PageInfo, Stats};
pub(crate) use reader::{Block, BlockError, frames_of};
pub(crate) use writer::{Cut, Writer};

pub(crate) const HEAD: [u8; 8] = *b"WHSB\x01\0\0\0";
pub(crate) const TAIL_MAGIC: [u8; 4] = *b"WHSE";
pub(crate) const VERSION: u8 = 1;
pub(crate) const TAIL_BYTES: usize = 8 + 8 + 4 + 4 + 4 + 4;
/// A page before it is compressed: what a look-up of one trace unpacks, and large enough for texts to repeat in it.
pub(crate) const PAGE_BYTES: usize = 128 << 10;
/// No page is larger: one more span than the target.
pub(crate) const PAGE_MAX_BYTES: usize = PAGE_BYTES + (4 << 20);
/// Names that an index lists of one kind: beyond, a list in a form is of no use.
pub(crate) const NAMES_MAX: usize = 1_000;

/// The numbers of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Numbers {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Numbers {
    pub(crate) fn path(self, dir: &Path) -> PathBuf {
        dir.join(format!("{:08}-{:08}.spans", self.first, self.last))
    }

    pub(crate) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_suffix(".spans")?;
        let (first, last) = name.split_once('-')?;
        let numbers = Self {
            first: first.parse().ok()?,
            last: last.parse().ok()?,
        };
        (numbers.first <= numbers.last).then_some(numbers)
    }

    pub(crate) fn contains(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}
