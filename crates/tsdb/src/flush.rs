//! Writes what the head has of a range of time into a block.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hashbrown::HashMap;
use wharf_signal::Sample;

use crate::block::{BlockWriter, Compaction};
use crate::chunk::{self, Chunk, Decoder, chunk_len, first_time};
use crate::db::Inner;
use crate::head::late::merge;
use crate::head::{LateMap, Seen};

/// As many series are looked at while the head is locked once.
const SLICE: usize = 512;

/// The head's series in the order of their labels, with their labels as symbols in order.
pub(crate) struct Sorted {
    symbols: Arc<[Arc<str>]>,
    /// From the head's symbols to those in order.
    ranks: HashMap<u32, u32>,
    series: Vec<Seen>,
    frozen: Arc<LateMap>,
    /// Late samples that are not frozen are wanted too.
    late: bool,
    _epoch: Arc<()>,
}

impl Sorted {
    /// The series as they are now.
    pub(crate) fn new(db: &Inner, late: bool) -> Self {
        let mut series = Vec::new();
        let (mut symbols, frozen, epoch, end) = {
            let head = db.read();
            let symbols: Vec<_> = head.symbols.iter().map(|(id, s)| (s.clone(), id)).collect();
            (symbols, head.frozen.clone(), head.epoch.clone(), head.end())
        };
        symbols.sort_unstable();
        let ranks: HashMap<u32, u32> = symbols
            .iter()
            .enumerate()
            .map(|(rank, (_, id))| (*id, rank as u32))
            .collect();
        let mut start = 0;
        while start < end {
            let next = start.saturating_add(16 * SLICE as u32).min(end);
            let head = db.read();
            let ids: Vec<u32> = head.series(start..next).map(|(id, _)| id).collect();
            series.append(&mut head.snapshot(&ids, i64::MIN, i64::MAX).seen);
            start = next;
        }
        // Symbols of series that came since are not in order.
        series.retain(|s| {
            s.pairs
                .iter()
                .all(|(n, v)| ranks.contains_key(n) && ranks.contains_key(v))
        });
        let rank = |id: &u32| ranks.get(id).copied().unwrap_or(0);
        series.sort_by(|a, b| {
            let a = a.pairs.iter().map(|(n, v)| (rank(n), rank(v)));
            a.cmp(b.pairs.iter().map(|(n, v)| (rank(n), rank(v))))
        });
        Self {
            symbols: symbols.into_iter().map(|(text, _)| text).collect(),
            ranks,
            series,
            frozen,
            late,
            _epoch: epoch,
        }
    }
}

/// Writes a block below `parent` with the samples from `start` to `end`, exclusive. Nothing: there are none.
pub(crate) fn flush(
    db: &Inner,
    sorted: &Sorted,
    parent: &Path,
    (start, end): (i64, i64),
    now: i64,
) -> io::Result<Option<PathBuf>> {
    let last = end.saturating_sub(1);
    let mut writer = BlockWriter::create(parent, now, sorted.symbols.clone())?;
    let mut pairs = Vec::new();
    for slice in sorted.series.chunks(SLICE) {
        let gathered: Vec<_> = {
            let head = db.read();
            let gather = |seen: &Seen| {
                let stones = head.stones.get(&seen.id).cloned();
                let late = head.late.get(&seen.id).filter(|_| sorted.late);
                let late = late.map(|late| late.read(start, last));
                (head.pieces(seen, start, last), stones, late)
            };
            slice.iter().map(gather).collect()
        };
        for (seen, (pieces, stones, late)) in slice.iter().zip(gathered) {
            let mut late = late.unwrap_or_default();
            if let Some(frozen) = sorted.frozen.get(&seen.id) {
                late = merge(frozen.read(start, last), late);
            }
            let deleted = stones.as_ref().is_some_and(|s| s.touches(start, last));
            let chunks = match late.is_empty() && !deleted {
                true => pieces.chunks(start, last)?,
                false => {
                    let mut failed = None;
                    let samples = pieces.samples(start, last, &mut |what| failed = Some(what));
                    if let Some(what) = failed {
                        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
                    }
                    let mut samples = merge(samples, late);
                    if let Some(stones) = stones {
                        stones.filter(&mut samples);
                    }
                    chunk::encode(&samples)
                }
            };
            pairs.clear();
            let rank = |id: &u32| sorted.ranks.get(id).copied().unwrap_or(0);
            pairs.extend(seen.pairs.iter().map(|(n, v)| (rank(n), rank(v))));
            writer.add(&pairs, &chunks)?;
        }
    }
    writer.finish(Some((start, end)), |ulid| Compaction {
        level: 1,
        sources: vec![ulid.clone()],
        ..Compaction::default()
    })
}

/// A chunk of the head as a block has it: the bytes as they are, where all of them are wanted.
pub(crate) fn trimmed(bytes: Vec<u8>, limit: u16, start: i64, last: i64) -> io::Result<Vec<Chunk>> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "a chunk of the head is damaged");
    let samples: Result<Vec<Sample>, _> = Decoder::new(&bytes).limit(limit).collect();
    let mut samples = samples.map_err(|_| damaged())?;
    let (Some(first), Some(end)) = (first_time(&bytes), samples.last()) else {
        return Ok(Vec::new());
    };
    if first >= start && end.t <= last && limit >= chunk_len(&bytes) {
        let (min, max) = (first, end.t);
        return Ok(vec![Chunk { min, max, bytes }]);
    }
    samples.retain(|s| (start..=last).contains(&s.t));
    Ok(chunk::encode(&samples))
}
