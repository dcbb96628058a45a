//! The records of many series in the order of their times. Memory: one record and one chunk a series.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use wharf_base::clock::Timestamp;

use super::format::Record;
use super::series::{Reader, Series, last_records};

/// Where to begin. Both given: the last `tail` records of those since `since`. None given: the oldest record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Start {
    /// So many records before the end, of all series together.
    pub tail: Option<usize>,
    /// Not before this time.
    pub since: Option<Timestamp>,
}

/// An iterator over the records of many series by time. It ends at what is written by now; after [`Merge::refresh`] it goes on.
#[derive(Debug)]
pub struct Merge {
    sources: Vec<Source>,
    known: BTreeSet<Series>,
    /// The times of the next records, by source.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
    since_nanos: u64,
    skip: usize,
}

#[derive(Debug)]
struct Source {
    reader: Reader,
    head: Option<Record>,
}

impl Merge {
    /// Merges these series. A series that cannot be read has no records.
    #[must_use]
    pub fn new(series: Vec<Series>, start: Start) -> Self {
        let mut merge = Self::open(&series, start);
        if let Some(tail) = start.tail {
            let there = Self::open(&series, start).count();
            merge.skip = there.saturating_sub(tail);
        }
        merge
    }

    fn open(series: &[Series], start: Start) -> Self {
        let mut merge = Self {
            sources: Vec::new(),
            known: BTreeSet::new(),
            heads: BinaryHeap::new(),
            since_nanos: start
                .since
                .map_or(0, |since| since.0.saturating_mul(1_000_000)),
            skip: 0,
        };
        for series in series {
            let reader = match (start.tail, start.since) {
                (Some(0), None) => reader_at_end(series),
                (Some(tail), None) => match last_records(series, tail) {
                    Ok(Some((number, offset))) => Reader::at(series.clone(), number, offset),
                    _ => Reader::new(series.clone()),
                },
                (_, Some(since)) => Reader::since(series.clone(), since),
                (None, None) => Reader::new(series.clone()),
            };
            merge.push(reader);
        }
        merge
    }

    /// Adds a series from its beginning, unless it is there already.
    pub fn add(&mut self, series: Series) {
        if !self.known.contains(&series) {
            self.push(Reader::new(series));
        }
    }

    fn push(&mut self, reader: Reader) {
        self.known.insert(reader.series().clone());
        self.sources.push(Source { reader, head: None });
        self.advance(self.sources.len() - 1);
    }

    /// Looks again at the series that had come to their end.
    pub fn refresh(&mut self) {
        for index in 0..self.sources.len() {
            if self.sources[index].head.is_none() {
                self.advance(index);
            }
        }
    }

    fn advance(&mut self, index: usize) {
        let source = &mut self.sources[index];
        source.head = std::iter::from_fn(|| source.reader.next_record())
            .find(|record| record.nanos >= self.since_nanos);
        if let Some(record) = &source.head {
            self.heads.push(Reverse((record.nanos, index)));
        }
    }

    fn take(&mut self) -> Option<Record> {
        let Reverse((_, index)) = self.heads.pop()?;
        let record = self.sources[index].head.take();
        self.advance(index);
        record
    }
}

impl Iterator for Merge {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        while self.skip > 0 {
            self.skip -= 1;
            self.take()?;
        }
        self.take()
    }
}

/// A reader for what comes: behind the last record.
fn reader_at_end(series: &Series) -> Reader {
    let mut reader = match last_records(series, 1) {
        Ok(Some((number, offset))) => Reader::at(series.clone(), number, offset),
        _ => return Reader::new(series.clone()),
    };
    reader.next_record();
    reader
}
