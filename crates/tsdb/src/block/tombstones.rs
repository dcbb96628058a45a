//! Ranges of samples that are deleted, and a block's file of them.
//!
//! ```text
//! 0x0130BA30 <4b>   version 1 <1b>
//! each: series <uvarint>, from <varint>, to <varint>      inclusive
//! CRC-32C of the stones <4b>
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use wharf_signal::Sample;

use crate::bytes::{Input, put_uvarint, put_varint};
use crate::files;

const MAGIC: u32 = 0x0130_BA30;
const VERSION: u8 = 1;

/// Ranges, inclusive, in order and apart from each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ranges(Vec<(i64, i64)>);

impl Ranges {
    pub(crate) fn add(&mut self, from: i64, to: i64) {
        if from > to {
            return;
        }
        let (mut from, mut to) = (from, to);
        self.0.retain(|(a, b)| {
            let apart = *b < from.saturating_sub(1) || *a > to.saturating_add(1);
            if !apart {
                from = from.min(*a);
                to = to.max(*b);
            }
            apart
        });
        let at = self.0.partition_point(|(a, _)| *a < from);
        self.0.insert(at, (from, to));
    }

    pub(crate) fn contains(&self, t: i64) -> bool {
        let at = self.0.partition_point(|(_, to)| *to < t);
        self.0.get(at).is_some_and(|(from, _)| *from <= t)
    }

    /// Whether any time of a range is in it.
    pub(crate) fn touches(&self, from: i64, to: i64) -> bool {
        self.0.iter().any(|(a, b)| *a <= to && *b >= from)
    }

    /// Whether all of a range is in it.
    pub(crate) fn covers(&self, from: i64, to: i64) -> bool {
        self.0.iter().any(|(a, b)| *a <= from && *b >= to)
    }

    pub(crate) fn filter(&self, samples: &mut Vec<Sample>) {
        if !self.0.is_empty() {
            samples.retain(|sample| !self.contains(sample.t));
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.0.iter().copied()
    }

    /// Forgets what ends before `t`.
    pub(crate) fn forget_before(&mut self, t: i64) {
        self.0.retain(|(_, to)| *to >= t);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Of each series of a block that lost something.
pub(crate) type Stones = BTreeMap<u64, Ranges>;

const NAME: &str = "tombstones";

/// Reads a block's; none if there is no file.
pub(crate) fn read(dir: &Path) -> io::Result<Stones> {
    let bytes = match fs::read(dir.join(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Stones::new()),
        bytes => bytes?,
    };
    parse(&bytes).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "tombstones: damaged"))
}

fn parse(bytes: &[u8]) -> Option<Stones> {
    let (rest, crc) = bytes.split_last_chunk::<4>()?;
    let mut input = Input(rest);
    if input.u32()? != MAGIC || input.u8()? != VERSION {
        return None;
    }
    if crc32c::crc32c(input.0) != u32::from_be_bytes(*crc) {
        return None;
    }
    let mut stones = Stones::new();
    while !input.is_empty() {
        let ranges: &mut Ranges = stones.entry(input.uvarint()?).or_default();
        ranges.add(input.varint()?, input.varint()?);
    }
    Some(stones)
}

/// Writes a block's.
pub(crate) fn write(dir: &Path, stones: &Stones) -> io::Result<()> {
    let mut body = Vec::new();
    for (series, ranges) in stones {
        for (from, to) in ranges.iter() {
            put_uvarint(&mut body, *series);
            put_varint(&mut body, from);
            put_varint(&mut body, to);
        }
    }
    let mut bytes = MAGIC.to_be_bytes().to_vec();
    bytes.push(VERSION);
    bytes.extend_from_slice(&body);
    bytes.extend_from_slice(&crc32c::crc32c(&body).to_be_bytes());
    files::replace(&dir.join(NAME), &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_grow_together() {
        let mut ranges = Ranges::default();
        for (from, to) in [(10, 20), (40, 50), (21, 25), (0, 3), (30, 29)] {
            ranges.add(from, to);
        }
        assert_eq!(ranges.0, [(0, 3), (10, 25), (40, 50)]);
        assert!(ranges.contains(25) && !ranges.contains(26) && ranges.contains(0));
        ranges.add(i64::MIN, i64::MAX);
        assert_eq!(ranges.0, [(i64::MIN, i64::MAX)]);
    }

    #[test]
    fn a_file_comes_back_and_a_damaged_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut stones = Stones::new();
        stones.entry(7).or_default().add(-5, 5);
        stones.entry(9).or_default().add(0, i64::MAX);
        write(dir.path(), &stones).unwrap();
        assert_eq!(read(dir.path()).unwrap(), stones);
        let bytes = fs::read(dir.path().join(NAME)).unwrap();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            assert_eq!(parse(&damaged), None);
        }
    }
}
