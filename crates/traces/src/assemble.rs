//! A trace from its pieces.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use wharf_signal::{Interrupt, Span, SpanId, SpanStatus, TraceId};

use crate::block::{Block, BlockError, Index, Numbers, PageInfo, frames_of};
use crate::bloom::Answer;
use crate::codec::{self, SpanRef};
use crate::store::{Snapshot, TraceStore};

/// A trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Its id.
    pub id: TraceId,
    /// Its spans by their start, each once.
    pub spans: Vec<Span>,
    /// Whether it is so large that spans are missing.
    pub truncated: bool,
}

/// What is told of a trace that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Its id.
    pub trace: TraceId,
    /// The service of its root: the span without a parent, else the first whose parent is not there.
    pub root_service: String,
    /// What the root did.
    pub root_name: String,
    /// When its first span began, in nanoseconds since the Unix epoch.
    pub start_nanos: i64,
    /// From there to the end of its last.
    pub duration_nanos: u64,
    /// Its spans and errors by service.
    pub services: BTreeMap<String, ServiceStats>,
    /// How many spans were looked for and found in it.
    pub matched: usize,
    /// Some of them.
    pub examples: Vec<Matched>,
}

/// The spans of a service in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServiceStats {
    /// How many.
    pub spans: usize,
    /// How many of them failed.
    pub errors: usize,
}

/// A span that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Matched {
    /// Its id.
    pub id: SpanId,
    /// Its name.
    pub name: String,
    /// Its service.
    pub service: String,
    /// When it began.
    pub start_nanos: i64,
    /// How long it took.
    pub duration_nanos: u64,
    /// Those attributes that the query names.
    pub attributes: Vec<(String, wharf_signal::Value)>,
}

impl Summary {
    /// Whether a span of it failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.services.values().any(|stats| stats.errors > 0)
    }

    /// How many spans it has.
    #[must_use]
    pub fn spans(&self) -> usize {
        self.services.values().map(|stats| stats.spans).sum()
    }
}

/// The spans of a trace in their bytes, one after the other, each behind its length.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    bytes: Vec<u8>,
    truncated: bool,
}

impl Pieces {
    /// Adds a span; false once there is no room.
    pub(crate) fn add(&mut self, frame: &[u8], most: usize) -> bool {
        if self.bytes.len() + frame.len() > most {
            self.truncated = true;
            return false;
        }
        codec::put_section(&mut self.bytes, |out| out.extend_from_slice(frame));
        true
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.truncated = false;
    }

    /// The spans by their start; of those that are the same the one that came first.
    pub(crate) fn spans(&self) -> Vec<SpanRef<'_>> {
        let mut seen = BTreeSet::new();
        let mut spans: Vec<SpanRef<'_>> = codec::spans(&self.bytes)
            .filter(|span| seen.insert(span.identity()))
            .collect();
        spans.sort_by_key(|span| (span.start, span.id));
        spans
    }

    pub(crate) fn truncated(&self) -> bool {
        self.truncated
    }
}

/// What a search has unpacked last: the traces that it decides on are often on the same pages.
#[derive(Default)]
pub(crate) struct Unpacked {
    indexes: Kept<Numbers, Index>,
    pages: Kept<(Numbers, u64), Vec<u8>>,
}

impl Unpacked {
    /// Some megabyte.
    const INDEXES: usize = 32;
    /// Eight megabytes.
    const PAGES: usize = 64;

    fn index(&mut self, store: &TraceStore, block: &Block) -> Option<Rc<Index>> {
        let read = || block.index();
        kept(&mut self.indexes, Self::INDEXES, block.numbers, store, read)
    }

    fn page(&mut self, store: &TraceStore, block: &Block, info: &PageInfo) -> Option<Rc<Vec<u8>>> {
        let key = (block.numbers, info.offset);
        kept(&mut self.pages, Self::PAGES, key, store, || {
            block.page(info)
        })
    }
}

/// By key, the newest first.
type Kept<K, V> = VecDeque<(K, Rc<V>)>;

/// What is kept under a key, or else read. None: it is damaged, which is noted.
fn kept<K: PartialEq, V>(
    kept: &mut Kept<K, V>,
    most: usize,
    key: K,
    store: &TraceStore,
    read: impl FnOnce() -> Result<V, BlockError>,
) -> Option<Rc<V>> {
    if let Some((_, known)) = kept.iter().find(|(known, _)| *known == key) {
        return Some(Rc::clone(known));
    }
    match read() {
        Ok(value) => {
            let value = Rc::new(value);
            kept.truncate(most - 1);
            kept.push_front((key, Rc::clone(&value)));
            Some(value)
        }
        Err(error) => {
            store.damaged(&error);
            None
        }
    }
}

impl TraceStore {
    /// A trace with all its spans; None: there is none of this id.
    #[must_use]
    pub fn trace(&self, id: TraceId) -> Option<Trace> {
        let pieces = self.pieces(&self.snapshot(), id, &mut Unpacked::default());
        let spans: Vec<Span> = pieces.spans().into_iter().map(SpanRef::to_span).collect();
        (!spans.is_empty()).then_some(Trace {
            id,
            spans,
            truncated: pieces.truncated,
        })
    }

    /// Everything of a trace, in the order in which it came.
    pub(crate) fn pieces(
        &self,
        snapshot: &Snapshot,
        id: TraceId,
        unpacked: &mut Unpacked,
    ) -> Pieces {
        let most = self.options().max_trace_bytes;
        let mut pieces = Pieces::default();
        for block in &snapshot.blocks {
            if !self.pieces_of_block(block, id, &mut pieces, unpacked) {
                return pieces;
            }
        }
        for frame in snapshot.heads.iter().flat_map(crate::head::Head::frames) {
            if codec::trace_of(frame) == Some(id) && !pieces.add(frame, most) {
                break;
            }
        }
        pieces
    }

    /// False once there is no room for more.
    fn pieces_of_block(
        &self,
        block: &Block,
        id: TraceId,
        pieces: &mut Pieces,
        unpacked: &mut Unpacked,
    ) -> bool {
        let most = self.options().max_trace_bytes;
        let bucket = block.may_hold(id).unwrap_or_else(|error| {
            self.damaged(&error);
            Answer::Perhaps
        });
        match bucket {
            Answer::No => return true,
            Answer::Perhaps => {}
            Answer::Damaged => self.damaged(&block.filter_is_damaged()),
        }
        let Some(index) = unpacked.index(self, block) else {
            return true;
        };
        for info in Block::pages_of(&index, id) {
            if let Some(page) = unpacked.page(self, block, info)
                && !frames_of(&page, id).all(|frame| pieces.add(frame, most))
            {
                return false;
            }
        }
        true
    }
}

/// The root among spans that are ordered by start.
pub(crate) fn root<'s, 'a>(spans: &'s [SpanRef<'a>]) -> Option<&'s SpanRef<'a>> {
    let ids: BTreeSet<SpanId> = spans.iter().map(|span| span.id).collect();
    spans
        .iter()
        .find(|span| span.parent == SpanId::default())
        .or_else(|| spans.iter().find(|span| !ids.contains(&span.parent)))
        .or_else(|| spans.first())
}

/// What is told of these spans, which are of one trace and ordered by start.
pub(crate) fn summary(spans: &[SpanRef<'_>]) -> Option<Summary> {
    let first = spans.first()?;
    let root = root(spans)?;
    let end = spans.iter().map(SpanRef::end).max()?;
    let mut services: BTreeMap<String, ServiceStats> = BTreeMap::new();
    for span in spans {
        let stats = services.entry(span.service.to_owned()).or_default();
        stats.spans += 1;
        stats.errors += usize::from(span.status == SpanStatus::Error);
    }
    Some(Summary {
        trace: first.trace,
        root_service: root.service.to_owned(),
        root_name: root.name.to_owned(),
        start_nanos: first.start,
        duration_nanos: end.abs_diff(first.start),
        services,
        matched: 0,
        examples: vec![],
    })
}

/// An interrupt asked now and then: every so many spans.
pub(crate) struct Patience<'i> {
    interrupt: &'i dyn Interrupt,
    left: u32,
}

impl<'i> Patience<'i> {
    /// Between two questions: some hundred microseconds of work.
    const SPANS: u32 = 2_000;

    pub(crate) fn new(interrupt: &'i dyn Interrupt) -> Self {
        Self { interrupt, left: 0 }
    }

    pub(crate) fn check(&mut self) -> Result<(), wharf_signal::Interrupted> {
        if self.left == 0 {
            self.left = Self::SPANS;
            self.interrupt.check()?;
        }
        self.left -= 1;
        Ok(())
    }
}
