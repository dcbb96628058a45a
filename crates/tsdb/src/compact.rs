//! Blocks grow together: which, and how.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_signal::Sample;

use crate::block::{Block, BlockWriter, ChunkReader, ChunkRef, Compaction, Entry, Parent, Stones};
use crate::chunk::{self, Chunk, Decoder};
use crate::head::late::merge;

/// The blocks that should become one, as Prometheus chooses: those that overlap; else those that fill a longer range, but
/// for the newest; else one that lost more than a twentieth of its series.
pub(crate) fn plan(blocks: &[Arc<Block>], ranges: &[i64]) -> Vec<Arc<Block>> {
    let mut blocks = blocks.to_vec();
    blocks.retain(|block| !block.is_stuck());
    blocks.sort_by_key(|block| (block.meta.min_time, block.meta.max_time));
    let overlapping = overlapping(&blocks);
    if !overlapping.is_empty() {
        return overlapping;
    }
    let Some(newest) = blocks.pop() else {
        return Vec::new();
    };
    let high = newest.meta.min_time;
    for range in ranges.iter().skip(1) {
        let fits = |block: &&Arc<Block>| {
            let start = block
                .meta
                .min_time
                .div_euclid(*range)
                .saturating_mul(*range);
            block.meta.max_time <= start.saturating_add(*range)
        };
        let candidates: Vec<_> = blocks.iter().filter(fits).cloned().collect();
        let number = |block: &Arc<Block>| block.meta.min_time.div_euclid(*range);
        for part in candidates.chunk_by(|a, b| number(a) == number(b)) {
            let (Some(first), Some(last)) = (part.first(), part.last()) else {
                continue;
            };
            let (start, end) = (first.meta.min_time, last.meta.max_time);
            if part.len() > 1 && (end.saturating_sub(start) == *range || end <= high) {
                return part.to_vec();
            }
        }
    }
    let worn = |block: &&Arc<Block>| {
        let buried = block.stones().len() as u64;
        buried > 0 && buried * 20 > block.meta.stats.num_series
    };
    blocks.iter().find(worn).cloned().into_iter().collect()
}

fn overlapping(blocks: &[Arc<Block>]) -> Vec<Arc<Block>> {
    let mut group: Vec<Arc<Block>> = Vec::new();
    let mut end = i64::MIN;
    for block in blocks {
        if block.meta.min_time >= end {
            if group.len() > 1 {
                return group;
            }
            group.clear();
        }
        end = end.max(block.meta.max_time);
        group.push(block.clone());
    }
    if group.len() > 1 { group } else { Vec::new() }
}

/// A block on its way into another.
struct Input {
    block: Arc<Block>,
    stones: Arc<Stones>,
    ids: std::vec::IntoIter<u32>,
    entry: Entry,
    reader: ChunkReader,
    /// From the block's symbols to the new one's.
    ranks: Vec<u32>,
    /// The series at hand.
    id: u32,
}

/// What came of it.
pub(crate) struct Merged {
    /// The new block; none if nothing is left.
    pub(crate) dir: Option<PathBuf>,
    /// Blocks that had damage, which is not in the new one: what, and where.
    pub(crate) damaged: Vec<(PathBuf, String)>,
}

/// Writes one block with everything of several, without what is deleted.
pub(crate) fn merge_blocks(parent: &Path, blocks: &[Arc<Block>], now: i64) -> io::Result<Merged> {
    let mut blocks = blocks.to_vec();
    // Of two samples of one time the older block's counts.
    blocks.sort_by(|a, b| a.meta.ulid.cmp(&b.meta.ulid));
    let symbols = union_of_symbols(&blocks)?;
    let mut inputs = Vec::new();
    for block in &blocks {
        inputs.push(Input {
            stones: block.stones(),
            ids: block.index.all()?.into_iter(),
            entry: Entry::default(),
            reader: ChunkReader::default(),
            ranks: ranks(block, &symbols)?,
            block: block.clone(),
            id: 0,
        });
    }
    let mut writer = BlockWriter::create(parent, now, symbols)?;
    let mut damaged: Vec<(PathBuf, String)> = Vec::new();
    let mut report = |block: &Block, error: io::Error| {
        if !damaged.iter().any(|(dir, _)| *dir == block.dir) {
            damaged.push((block.dir.clone(), error.to_string()));
        }
    };
    let mut heap = BinaryHeap::new();
    for (index, input) in inputs.iter_mut().enumerate() {
        if let Some(pairs) = input.next(&mut report) {
            heap.push(Reverse((pairs, index)));
        }
    }
    while let Some(Reverse((pairs, index))) = heap.pop() {
        let mut same = vec![index];
        while let Some(Reverse((next, _))) = heap.peek()
            && *next == pairs
            && let Some(Reverse((_, index))) = heap.pop()
        {
            same.push(index);
        }
        let chunks = gather(&mut inputs, &same, &mut report);
        writer.add(&pairs, &chunks)?;
        for index in same {
            if let Some(pairs) = inputs[index].next(&mut report) {
                heap.push(Reverse((pairs, index)));
            }
        }
    }
    let metas = || blocks.iter().map(|block| &block.meta);
    let start = metas().map(|meta| meta.min_time).min().unwrap_or(0);
    let end = metas().map(|meta| meta.max_time).max().unwrap_or(0);
    let level = metas().map(|meta| meta.compaction.level).max().unwrap_or(0);
    let dir = writer.finish(Some((start, end)), |_| {
        let mut sources: Vec<_> = metas()
            .flat_map(|meta| meta.compaction.sources.iter().cloned())
            .collect();
        sources.sort();
        sources.dedup();
        let parent = |meta: &crate::block::Meta| Parent {
            ulid: meta.ulid.clone(),
            min_time: meta.min_time,
            max_time: meta.max_time,
        };
        Compaction {
            level: level + 1,
            sources,
            parents: metas().map(parent).collect(),
            hints: Vec::new(),
        }
    })?;
    Ok(Merged { dir, damaged })
}

fn union_of_symbols(blocks: &[Arc<Block>]) -> io::Result<Arc<[Arc<str>]>> {
    let mut all: Vec<Arc<str>> = Vec::new();
    for block in blocks {
        let known = all.len();
        block.index.symbols(&mut |symbol| {
            let (sorted, _) = all.split_at(known);
            if sorted.binary_search_by(|s| (**s).cmp(symbol)).is_err() {
                all.push(symbol.into());
            }
        })?;
        all.sort_unstable();
        all.dedup();
    }
    Ok(all.into())
}

fn ranks(block: &Block, symbols: &[Arc<str>]) -> io::Result<Vec<u32>> {
    let mut ranks = Vec::with_capacity(block.index.symbol_count() as usize);
    let mut at = 0;
    block.index.symbols(&mut |symbol| {
        while symbols.get(at).is_some_and(|s| **s < *symbol) {
            at += 1;
        }
        ranks.push(at as u32);
    })?;
    Ok(ranks)
}

type Report<'r> = dyn FnMut(&Block, io::Error) + 'r;

impl Input {
    /// The labels of the next series.
    fn next(&mut self, report: &mut Report<'_>) -> Option<Vec<(u32, u32)>> {
        loop {
            self.id = self.ids.next()?;
            if let Err(error) = self.block.index.series(self.id, &mut self.entry) {
                report(&self.block, error);
                continue;
            }
            let rank = |id: u32| self.ranks.get(id as usize).copied();
            let pairs = self.entry.pairs.iter();
            let pairs: Option<Vec<_>> = pairs.map(|(n, v)| Some((rank(*n)?, rank(*v)?))).collect();
            match pairs {
                Some(pairs) => return Some(pairs),
                None => report(
                    &self.block,
                    io::Error::new(io::ErrorKind::InvalidData, "a symbol is not there"),
                ),
            }
        }
    }

    fn bytes(&mut self, chunk: ChunkRef) -> io::Result<Option<Vec<u8>>> {
        let last = self.entry.chunks.last().copied();
        let bytes = self.reader.read(&self.block.chunks, chunk, last)?;
        Ok(bytes.map(<[u8]>::to_vec))
    }
}

/// The chunks of one series in several blocks: as they are where nothing overlaps and nothing is deleted, else made anew.
fn gather(inputs: &mut [Input], same: &[usize], report: &mut Report<'_>) -> Vec<Chunk> {
    // Chunks, and which block they are of.
    let mut chunks: Vec<(Chunk, usize)> = Vec::new();
    let mut worn = false;
    for index in same {
        let input = &mut inputs[*index];
        let stones = input.stones.clone();
        let stones = stones.get(&u64::from(input.id));
        for chunk in input.entry.chunks.clone() {
            let (min, max) = (chunk.min, chunk.max);
            if stones.is_some_and(|s| s.covers(min, max)) {
                continue;
            }
            match input.bytes(chunk) {
                Ok(Some(bytes)) => {
                    worn |= stones.is_some_and(|s| s.touches(min, max));
                    chunks.push((Chunk { min, max, bytes }, *index));
                }
                Ok(None) => {}
                Err(error) => report(&input.block, error),
            }
        }
    }
    let mut order: Vec<_> = (0..chunks.len()).collect();
    order.sort_by_key(|at| chunks[*at].0.min);
    let apart = |w: &[usize]| chunks[w[0]].0.max < chunks[w[1]].0.min;
    if !worn && order.windows(2).all(apart) {
        chunks.sort_by_key(|(chunk, _)| chunk.min);
        return chunks.into_iter().map(|(chunk, _)| chunk).collect();
    }
    let mut samples: Vec<Sample> = Vec::new();
    for (chunk, index) in chunks {
        let mut more: Vec<Sample> = Decoder::new(&chunk.bytes).flatten().collect();
        if let Some(stones) = inputs[index].stones.get(&u64::from(inputs[index].id)) {
            stones.filter(&mut more);
        }
        samples = merge(samples, more);
    }
    chunk::encode(&samples)
}
