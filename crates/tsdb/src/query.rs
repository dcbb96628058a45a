//! Answers of the store: series of the head and of all blocks, merged by their labels, decoded one at a time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use wharf_signal::{
    Interrupt, Labels, Sample, SampleSource, Select, Selected, Series, SourceError,
};

use crate::block::{Block, ChunkReader, ChunkRef, Entry, Memo, Stones};
use crate::chunk::Decoder;
use crate::db::{Db, Inner};
use crate::head::late::merge;
use crate::head::{Seen, Snapshot};
use crate::matching::choose;

/// Labels of so many series are made while the head is locked once.
const SLICE: usize = 1024;

impl SampleSource for Db {
    fn select<'a>(
        &'a self,
        select: Select<'a>,
        interrupt: &'a dyn Interrupt,
    ) -> Result<Selected<'a>, SourceError> {
        let mut merged = Merged::new(&self.inner, select, interrupt)?;
        Ok(Box::new(std::iter::from_fn(move || {
            loop {
                match merged.next() {
                    None => return None,
                    Some(Err(error)) => return Some(Err(error)),
                    Some(Ok(labels)) => {
                        let samples = merged.samples();
                        if !samples.is_empty() {
                            return Some(Ok(Series { labels, samples }));
                        }
                    }
                }
            }
        })))
    }
}

/// Where series come from, in the order of their labels.
enum Source<'a> {
    Head(HeadSource<'a>),
    Block(Box<BlockSource<'a>>),
}

/// The head's series.
struct HeadSource<'a> {
    db: &'a Inner,
    snapshot: Snapshot,
    /// Labels, and places in what was seen; the next one is the last.
    rest: Vec<(Labels, usize)>,
}

/// A block's series.
struct BlockSource<'a> {
    db: &'a Inner,
    block: Arc<Block>,
    stones: Arc<Stones>,
    ids: std::vec::IntoIter<u32>,
    entry: Entry,
    memo: Memo,
    reader: ChunkReader,
}

/// What a source has of the series at hand, not decoded.
enum Part {
    Head(usize),
    Block(u32, Vec<ChunkRef>),
}

/// All sources as one, labels first; the samples of the series at hand are decoded when they are asked for.
pub(crate) struct Merged<'a> {
    interrupt: &'a dyn Interrupt,
    start: i64,
    end: i64,
    sources: Vec<Source<'a>>,
    heap: BinaryHeap<Reverse<(Labels, usize)>>,
    /// The next series of each source.
    parts: Vec<Option<Part>>,
    /// The series at hand: sources and their parts.
    at_hand: Vec<(usize, Part)>,
    count: u32,
}

impl<'a> Merged<'a> {
    pub(crate) fn new(
        db: &'a Inner,
        select: Select<'_>,
        interrupt: &'a dyn Interrupt,
    ) -> Result<Self, SourceError> {
        interrupt.check()?;
        let (start, end) = (select.start, select.end);
        let (snapshot, blocks) = {
            let head = db.read();
            let ids = choose(&*head, select.matchers)
                .map_err(|e| SourceError::Failed(format!("the head cannot be read: {e}")))?;
            (head.snapshot(&ids, start, end), head.blocks.clone())
        };
        let mut sources = Vec::new();
        // In the order of their creation: of two samples of one time the older block's counts.
        for block in blocks.iter().filter(|block| block.overlaps(start, end)) {
            interrupt.check()?;
            match choose(&block.index, select.matchers) {
                Ok(ids) => {
                    sources.push(Source::Block(Box::new(BlockSource::new(db, block, ids))));
                }
                Err(error) => {
                    db.damaged(&block.dir, format!("{error}; it is left out of answers"));
                }
            }
        }
        sources.push(Source::Head(HeadSource::new(db, snapshot, interrupt)?));
        let mut merged = Self {
            interrupt,
            start,
            end,
            parts: sources.iter().map(|_| None).collect(),
            sources,
            heap: BinaryHeap::new(),
            at_hand: Vec::new(),
            count: 0,
        };
        for index in 0..merged.sources.len() {
            merged.advance(index);
        }
        Ok(merged)
    }

    fn advance(&mut self, index: usize) {
        let (start, end) = (self.start, self.end);
        let next = match &mut self.sources[index] {
            Source::Head(head) => head.next(),
            Source::Block(block) => block.next(start, end),
        };
        if let Some((labels, part)) = next {
            self.parts[index] = Some(part);
            self.heap.push(Reverse((labels, index)));
        }
    }

    /// The labels of the next series. It may turn out to have no samples.
    pub(crate) fn next(&mut self) -> Option<Result<Labels, SourceError>> {
        self.at_hand.clear();
        self.count = self.count.wrapping_add(1);
        if self.count.is_multiple_of(16)
            && let Err(error) = self.interrupt.check()
        {
            self.heap.clear();
            return Some(Err(error.into()));
        }
        let Reverse((labels, mut index)) = self.heap.pop()?;
        loop {
            if let Some(part) = self.parts[index].take() {
                self.at_hand.push((index, part));
            }
            self.advance(index);
            match self.heap.peek() {
                Some(Reverse((next, _))) if *next == labels => {}
                _ => return Some(Ok(labels)),
            }
            let Some(Reverse((_, next))) = self.heap.pop() else {
                return Some(Ok(labels));
            };
            index = next;
        }
    }

    /// The samples of the series at hand.
    pub(crate) fn samples(&mut self) -> Vec<Sample> {
        let mut out = Vec::new();
        for (index, part) in self.at_hand.drain(..) {
            let (start, end) = (self.start, self.end);
            let samples = match (&mut self.sources[index], part) {
                (Source::Head(head), Part::Head(at)) => head.samples(at, start, end),
                (Source::Block(block), Part::Block(id, chunks)) => {
                    block.samples(id, &chunks, start, end)
                }
                _ => Vec::new(),
            };
            out = merge(out, samples);
        }
        out
    }
}

impl<'a> HeadSource<'a> {
    fn new(
        db: &'a Inner,
        snapshot: Snapshot,
        interrupt: &dyn Interrupt,
    ) -> Result<Self, SourceError> {
        let mut rest = Vec::with_capacity(snapshot.seen.len());
        for slice in snapshot.seen.chunks(SLICE) {
            interrupt.check()?;
            let head = db.read();
            for seen in slice {
                rest.push((head.labels(&seen.pairs), rest.len()));
            }
        }
        rest.sort_unstable_by(|a, b| b.0.cmp(&a.0));
        Ok(Self { db, snapshot, rest })
    }

    fn next(&mut self) -> Option<(Labels, Part)> {
        let (labels, at) = self.rest.pop()?;
        Some((labels, Part::Head(at)))
    }

    fn samples(&self, at: usize, start: i64, end: i64) -> Vec<Sample> {
        let seen: &Seen = &self.snapshot.seen[at];
        let (pieces, stones) = {
            let head = self.db.read();
            (
                head.pieces(seen, start, end),
                head.stones.get(&seen.id).cloned(),
            )
        };
        let mut out = pieces.samples(start, end, &mut |what| {
            self.db.damaged(&self.db.dir.join("chunks_head"), what);
        });
        if let Some(late) = self.snapshot.frozen.get(&seen.id) {
            out = merge(out, late.read(start, end));
        }
        if let Ok(at) = self.snapshot.late.binary_search_by_key(&seen.id, |l| l.0) {
            out = merge(out, self.snapshot.late[at].1.clone());
        }
        if let Some(stones) = stones {
            stones.filter(&mut out);
        }
        out
    }
}

impl<'a> BlockSource<'a> {
    fn new(db: &'a Inner, block: &Arc<Block>, ids: Vec<u32>) -> Self {
        Self {
            db,
            block: block.clone(),
            stones: block.stones(),
            ids: ids.into_iter(),
            entry: Entry::default(),
            memo: Memo::default(),
            reader: ChunkReader::default(),
        }
    }

    fn next(&mut self, start: i64, end: i64) -> Option<(Labels, Part)> {
        loop {
            let id = self.ids.next()?;
            if let Err(error) = self.block.index.series(id, &mut self.entry) {
                self.db
                    .damaged(&self.block.dir, format!("{error}; a series is left out"));
                continue;
            }
            let wanted = |chunk: &&ChunkRef| chunk.min <= end && chunk.max >= start;
            let chunks: Vec<_> = self.entry.chunks.iter().filter(wanted).copied().collect();
            if chunks.is_empty() {
                continue;
            }
            match self.labels() {
                Ok(labels) => return Some((labels, Part::Block(id, chunks))),
                Err(error) => {
                    self.db
                        .damaged(&self.block.dir, format!("{error}; a series is left out"));
                }
            }
        }
    }

    fn labels(&mut self) -> std::io::Result<Labels> {
        let mut texts = Vec::with_capacity(self.entry.pairs.len());
        for (name, value) in &self.entry.pairs {
            let name = self.block.index.symbol(*name, &mut self.memo)?;
            texts.push((name, self.block.index.symbol(*value, &mut self.memo)?));
        }
        Ok(Labels::from_sorted(texts.iter().map(|(n, v)| (&**n, &**v))))
    }

    fn samples(&mut self, id: u32, chunks: &[ChunkRef], start: i64, end: i64) -> Vec<Sample> {
        let mut out: Vec<Sample> = Vec::new();
        let stones = self.stones.get(&u64::from(id));
        for chunk in chunks {
            if stones.is_some_and(|s| s.covers(chunk.min.max(start), chunk.max.min(end))) {
                continue;
            }
            let bytes = self
                .reader
                .read(&self.block.chunks, *chunk, chunks.last().copied());
            let bytes = match bytes {
                Ok(Some(bytes)) => bytes,
                Ok(None) => continue,
                Err(error) => {
                    self.db
                        .damaged(&self.block.dir, format!("{error}; it is left out"));
                    continue;
                }
            };
            let samples = Decoder::new(bytes).flatten();
            let samples = samples.filter(|s| (start..=end).contains(&s.t));
            if out.last().is_none_or(|last| last.t < chunk.min) {
                out.reserve(usize::from(crate::chunk::chunk_len(bytes)));
                out.extend(samples);
            } else {
                let samples = samples.collect();
                out = merge(out, samples);
            }
        }
        if let Some(stones) = stones {
            stones.filter(&mut out);
        }
        out
    }
}
