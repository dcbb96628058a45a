//! Asking for entries: in the order of time over all streams, or block by block.
//!
//! What is asked for lies in sources: files, blocks in files, blocks in memory, rows in memory. A heap has them by the first time
//! that each can have. The one on top is opened when its time comes and not before: a file becomes its blocks, a block its rows.
//! So blocks that do not overlap are open one at a time, and the merge costs nothing where one source is ahead of all others for a while.
//!
//! Where many streams lie side by side, each open block holds a slice of its rows only, and is opened again for the next: memory
//! stays bounded, time does not grow by more than the number of slices.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;
use std::sync::Arc;

use wharf_signal::{
    Direction, Interrupt, Labels, LogEntry, LogSelect, LogSource, LogVisit, SourceError,
};

use crate::block::{Opener, Sealed};
use crate::chunk::{BlockRef, ChunkFile, Handle};
use crate::pick::Wanted;
use crate::rows::{Row, Rows};
use crate::snapshot::{Pulse, Snapshot, copy, matches};
use crate::store::{Inner, LogStore};

/// The least that a block holds open, however many there are.
const LEAST_SLICE: usize = 4 << 10;

impl LogSource for LogStore {
    fn visit(
        &self,
        select: LogSelect<'_>,
        interrupt: &dyn Interrupt,
        visit: &mut LogVisit<'_>,
    ) -> Result<(), SourceError> {
        self.ordered(select, Order::Time, interrupt, visit)
    }

    fn visit_unordered(
        &self,
        select: LogSelect<'_>,
        interrupt: &dyn Interrupt,
        visit: &mut LogVisit<'_>,
    ) -> Result<(), SourceError> {
        self.ordered(select, Order::Any, interrupt, visit)
    }
}

/// In which order entries are given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// By time, over all streams.
    Time,
    /// Each block as a whole, as soon as it is open.
    Any,
}

impl LogStore {
    fn ordered(
        &self,
        select: LogSelect<'_>,
        order: Order,
        interrupt: &dyn Interrupt,
        visit: &mut LogVisit<'_>,
    ) -> Result<(), SourceError> {
        let wanted = Wanted::new(select.start, select.end, select.contains, select.metadata);
        let snapshot = self.0.snapshot(select.matchers, &wanted);
        let mut merge = Merge {
            inner: &self.0,
            select,
            order,
            wanted,
            opener: opener()?,
            heap: BinaryHeap::new(),
            sequence: 0,
            slice: self.0.options.query_bytes,
            pulse: Pulse::new(interrupt),
        };
        merge.begin(snapshot);
        merge.run(visit)
    }
}

fn opener() -> Result<Opener, SourceError> {
    Opener::new().map_err(|e| SourceError::Failed(format!("cannot decompress: {e}")))
}

/// The place in the order: by time, what is not open yet first, then in the order in which entries came. Backward, the numbers are turned round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    time: i64,
    open: bool,
    order: u64,
    sequence: u64,
}

/// An open file that its blocks share.
struct Open {
    file: Arc<ChunkFile>,
    handle: Handle,
}

enum Block {
    InFile(Arc<Open>, BlockRef),
    InMemory(Arc<Sealed>),
}

enum Source {
    File(Arc<ChunkFile>),
    /// A block, and how many of its wanted rows were given already.
    Block(Labels, Arc<Block>, usize),
    /// Behind a pointer, for places in the heap are changed all the time.
    Rows(Box<Cursor>),
}

/// Rows in the order in which they are given.
struct Cursor {
    labels: Labels,
    rows: Rows,
    next: usize,
    /// Where more come from, when these are over.
    more: Option<(Arc<Block>, usize)>,
}

struct Item {
    key: Reverse<Key>,
    source: Source,
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl Eq for Item {}
impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Item {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

struct Merge<'a> {
    inner: &'a Inner,
    select: LogSelect<'a>,
    order: Order,
    wanted: Wanted<'a>,
    opener: Opener,
    heap: BinaryHeap<Item>,
    sequence: u64,
    /// What an open block may hold.
    slice: usize,
    pulse: Pulse<'a>,
}

impl Merge<'_> {
    fn backward(&self) -> bool {
        self.order == Order::Time && self.select.direction == Direction::Backward
    }

    /// The place of something whose times lie between these.
    fn key(&mut self, min: i64, max: i64, order: u64, open: bool) -> Key {
        self.sequence += 1;
        if self.backward() {
            Key {
                time: !max,
                open,
                order: !order,
                sequence: !self.sequence,
            }
        } else {
            Key {
                time: min,
                open,
                order,
                sequence: self.sequence,
            }
        }
    }

    fn add(&mut self, key: Key, source: Source) {
        self.heap.push(Item {
            key: Reverse(key),
            source,
        });
    }

    fn begin(&mut self, snapshot: Snapshot) {
        let mut streams = 0;
        for file in snapshot.files {
            let (min, max) = (file.summary.min, file.summary.max);
            let key = self.key(min, max, file.summary.order, false);
            self.add(key, Source::File(file));
        }
        for stream in snapshot.frozen.iter().flat_map(|f| &f.streams) {
            if !matches(&stream.labels, self.select.matchers) {
                continue;
            }
            streams += 1;
            for sealed in &stream.sealed {
                self.add_sealed(&stream.labels, sealed.clone());
            }
            let rows = copy(&stream.labels, &stream.growing, &self.wanted);
            self.add_rows(stream.labels.clone(), rows, stream.order);
        }
        for stream in snapshot.live {
            streams += 1;
            for sealed in stream.sealed {
                self.add_sealed(&stream.labels, sealed);
            }
            // Behind every block there is.
            self.add_rows(stream.labels, stream.growing, u64::MAX);
        }
        self.share(streams);
    }

    /// Divides the memory among as many streams.
    fn share(&mut self, streams: usize) {
        if self.order == Order::Any {
            // One is open at a time.
            return;
        }
        let share = self.inner.options.query_bytes / streams.max(1);
        self.slice = self.slice.min(share.max(LEAST_SLICE));
    }

    fn add_sealed(&mut self, labels: &Labels, sealed: Arc<Sealed>) {
        let meta = sealed.meta;
        if !self.wanted.overlaps(meta.min, meta.max)
            || !self.wanted.may_be_in(labels, &sealed.filter)
        {
            return;
        }
        let key = self.key(meta.min, meta.max, meta.order, false);
        let block = Arc::new(Block::InMemory(sealed));
        self.add(key, Source::Block(labels.clone(), block, 0));
    }

    fn add_rows(&mut self, labels: Labels, mut rows: Rows, order: u64) {
        if self.backward() {
            rows.rows.reverse();
        }
        let cursor = Cursor {
            labels,
            rows,
            next: 0,
            more: None,
        };
        let Some(first) = cursor.row() else { return };
        let key = self.key(first.nanos, first.nanos, order, true);
        self.add(key, Source::Rows(Box::new(cursor)));
    }

    fn run(&mut self, visit: &mut LogVisit<'_>) -> Result<(), SourceError> {
        let mut entry = LogEntry {
            nanos: 0,
            line: String::new(),
            metadata: Labels::empty(),
        };
        while let Some(item) = self.heap.pop() {
            let Reverse(key) = item.key;
            match item.source {
                Source::File(file) => {
                    self.pulse.now()?;
                    self.open_file(file)?;
                }
                Source::Block(labels, block, given) => {
                    self.pulse.now()?;
                    self.open_block(labels, block, given, key)?;
                }
                Source::Rows(cursor) => {
                    if self.give(cursor, key, &mut entry, visit)?.is_break() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    fn open_file(&mut self, file: Arc<ChunkFile>) -> Result<(), SourceError> {
        let Some(index) = self.inner.index(&file)? else {
            return Ok(());
        };
        let handle = match file.open() {
            Ok(handle) => handle,
            Err(e) => return self.inner.left_out(&file, "it", e.into()),
        };
        let open = Arc::new(Open { file, handle });
        let mut streams = 0;
        for stream in &index.streams {
            if !matches(&stream.labels, self.select.matchers) {
                continue;
            }
            streams += 1;
            for block in &stream.blocks {
                let meta = block.meta;
                if !self.wanted.overlaps(meta.min, meta.max)
                    || !self.passes(&open, &stream.labels, block)?
                {
                    continue;
                }
                let key = self.key(meta.min, meta.max, meta.order, false);
                let block = Arc::new(Block::InFile(open.clone(), *block));
                self.add(key, Source::Block(stream.labels.clone(), block, 0));
            }
        }
        self.share(streams);
        Ok(())
    }

    /// Whether the filter of a block of a stream lets it pass.
    fn passes(
        &mut self,
        open: &Open,
        stream: &Labels,
        block: &BlockRef,
    ) -> Result<bool, SourceError> {
        if !self.wanted.asks_filters() {
            return Ok(true);
        }
        self.pulse.beat()?;
        match open.handle.filter(block) {
            Ok(filter) => Ok(self.wanted.may_be_in(stream, &filter)),
            // The block may be sound nevertheless.
            Err(_) => Ok(true),
        }
    }

    fn open_block(
        &mut self,
        labels: Labels,
        block: Arc<Block>,
        given: usize,
        key: Key,
    ) -> Result<(), SourceError> {
        let Some(mut rows) = rows_of(self.inner, &mut self.opener, &block)? else {
            return Ok(());
        };
        let mut picked = self.wanted.of(&labels, &rows);
        if self.backward() {
            picked.reverse();
        }
        let picked = picked.get(given..).unwrap_or_default();
        let (kept, bytes) = fitting(&rows, picked, self.slice);
        let more = (kept < picked.len()).then(|| (block, given + kept));
        let kept = picked.get(..kept).unwrap_or_default();
        let rows = if bytes * 2 > rows.bytes() && rows.held() <= self.slice {
            rows.rows.clear();
            rows.rows.extend_from_slice(kept);
            rows
        } else {
            let own = Rows::copy_of(&rows, kept);
            self.opener.reuse(rows);
            own
        };
        let cursor = Cursor {
            labels,
            rows,
            next: 0,
            more,
        };
        if let Some(row) = cursor.row() {
            let time = match self.order {
                Order::Time => self.turned(row.nanos),
                // Before everything else.
                Order::Any => i64::MIN,
            };
            let open = self.order == Order::Time;
            let key = Key { time, open, ..key };
            self.add(key, Source::Rows(Box::new(cursor)));
        }
        Ok(())
    }

    fn turned(&self, nanos: i64) -> i64 {
        if self.backward() { !nanos } else { nanos }
    }

    /// Gives rows for as long as nothing else comes before them.
    fn give(
        &mut self,
        mut cursor: Box<Cursor>,
        mut key: Key,
        entry: &mut LogEntry,
        visit: &mut LogVisit<'_>,
    ) -> Result<ControlFlow<()>, SourceError> {
        let next = self.heap.peek().map(|item| item.key.0);
        let bound = next.filter(|_| self.order == Order::Time);
        while let Some(row) = cursor.row() {
            key.time = self.turned(row.nanos);
            if bound.is_some_and(|bound| bound < key) {
                self.add(key, Source::Rows(cursor));
                return Ok(ControlFlow::Continue(()));
            }
            self.pulse.beat()?;
            cursor.rows.fill(row, entry);
            if visit(&cursor.labels, entry).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            cursor.next += 1;
        }
        let Cursor {
            labels, rows, more, ..
        } = *cursor;
        self.opener.reuse(rows);
        if let Some((block, given)) = more {
            // Nothing of it comes before what was given last.
            let key = Key { open: false, ..key };
            self.add(key, Source::Block(labels, block, given));
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl Cursor {
    fn row(&self) -> Option<Row> {
        self.rows.rows.get(self.next).copied()
    }
}

/// The rows of a block; none if it is damaged, which is noted.
fn rows_of(inner: &Inner, opener: &mut Opener, block: &Block) -> Result<Option<Rows>, SourceError> {
    match block {
        Block::InFile(open, block) => match open.handle.rows(block, opener) {
            Ok(rows) => Ok(Some(rows)),
            Err(e) => {
                let what = format!("the block at {}", block.offset);
                inner.left_out(&open.file, &what, e).map(|()| None)
            }
        },
        Block::InMemory(sealed) => opener
            .open(&sealed.meta, &sealed.frame)
            .map(Some)
            .map_err(|e| SourceError::Failed(format!("cannot open a block in memory: {e}"))),
    }
}

/// How many of these rows fit, at least one, and what they take.
fn fitting(rows: &Rows, picked: &[Row], most: usize) -> (usize, usize) {
    let mut bytes = 0;
    for (count, row) in picked.iter().enumerate() {
        let more = row.length as usize + rows.set(*row).len() + size_of::<Row>();
        if count > 0 && bytes + more > most {
            return (count, bytes);
        }
        bytes += more;
    }
    (picked.len(), bytes)
}
