//! Finding traces.
//!
//! Newest first: a block, or a page, in which nothing began later than the oldest of what was found already is left out, as is
//! one that cannot hold what is looked for. Spans are looked at one by one; a trace of which one may be meant is put together from all its
//! pieces and decided as a whole.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wharf_signal::{Interrupt, Interrupted, SpanStatus, TraceId, Value};

use crate::assemble::{Matched, Patience, Summary, Unpacked, summary};
use crate::block::Block;
use crate::codec::{self, SpanRef, ValueRef};
use crate::names::Range;
use crate::store::{Snapshot, TraceStore};
use crate::traceql::{Expr, Facts, Field, FieldKind, Needs, Op, Query, Static};

/// Traces that one search puts together before it gives up looking for more that fit.
const TRACES_MAX: usize = 20_000;

/// What is looked for.
#[derive(Debug, Clone)]
pub struct Search {
    /// Which spans; a trace is found by one of them.
    pub query: Query,
    /// When they ran.
    pub range: Range,
    /// How many traces, at most.
    pub limit: usize,
    /// How many spans of each are told of.
    pub spans_per_trace: usize,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// The newest first, by the start of their first span.
    pub traces: Vec<Summary>,
    /// Spans that were looked at.
    pub inspected_spans: u64,
    /// What they take, unpacked.
    pub inspected_bytes: u64,
    /// Whether it was given up before everything was looked at.
    pub partial: bool,
}

/// Conditions on a span as forms ask for them. All have to hold.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    found: Vec<Expr>,
}

impl Conditions {
    /// The service.
    #[must_use]
    pub fn service(self, name: &str) -> Self {
        self.attribute("service.name", name)
    }

    /// The span's name.
    #[must_use]
    pub fn name(self, name: &str) -> Self {
        let name = Static::Text(name.to_owned());
        self.with(Expr::Compare(Field(FieldKind::Name), Op::Equal, name))
    }

    /// At least this long.
    #[must_use]
    pub fn min_duration(self, least: Duration) -> Self {
        self.duration(Op::GreaterEqual, least)
    }

    /// At most this long.
    #[must_use]
    pub fn max_duration(self, most: Duration) -> Self {
        self.duration(Op::LessEqual, most)
    }

    /// How it ended.
    #[must_use]
    pub fn status(self, status: SpanStatus) -> Self {
        let status = Static::Status(status);
        self.with(Expr::Compare(Field(FieldKind::Status), Op::Equal, status))
    }

    /// An attribute of the span or of the resource, whose value reads like this: `500` is the number and the text.
    #[must_use]
    pub fn attribute(self, name: &str, value: &str) -> Self {
        let field = || Field::anywhere(name);
        let is = |value| Expr::Compare(field(), Op::Equal, value);
        let mut either = is(Static::Text(value.to_owned()));
        let others = [
            value.parse().ok().map(Static::Int),
            value.parse().ok().map(Static::Float),
            value.parse().ok().map(Static::Bool),
        ];
        for other in others.into_iter().flatten() {
            either = Expr::Or(Box::new(either), Box::new(is(other)));
        }
        self.with(either)
    }

    /// The query for them.
    #[must_use]
    pub fn query(self) -> Query {
        Query::of(self.found)
    }

    fn duration(self, op: Op, than: Duration) -> Self {
        let nanos = i64::try_from(than.as_nanos()).unwrap_or(i64::MAX);
        let field = Field(FieldKind::Duration);
        self.with(Expr::Compare(field, op, Static::Duration(nanos)))
    }

    fn with(mut self, expr: Expr) -> Self {
        self.found.push(expr);
        self
    }
}

impl TraceStore {
    /// Finds traces.
    ///
    /// # Errors
    /// `interrupt` said so.
    pub fn search(&self, search: &Search, interrupt: &dyn Interrupt) -> Result<Found, Interrupted> {
        let mut run = Run {
            store: self,
            search,
            needs: search.query.needs(),
            named: search.query.named(),
            snapshot: self.snapshot(),
            patience: Patience::new(interrupt),
            unpacked: Unpacked::default(),
            seen: BTreeSet::new(),
            best: BTreeMap::new(),
            found: Found::default(),
        };
        run.heads()?;
        let mut blocks: Vec<usize> = (0..run.snapshot.blocks.len()).collect();
        blocks.sort_by_key(|at| Reverse(run.snapshot.blocks[*at].stats.max_start));
        for at in blocks {
            let block = std::sync::Arc::clone(&run.snapshot.blocks[at]);
            run.block(&block)?;
        }
        let mut found = run.found;
        found.traces = run.best.into_values().collect();
        found.partial |= run.seen.len() >= TRACES_MAX;
        Ok(found)
    }
}

/// A search under way.
struct Run<'s> {
    store: &'s TraceStore,
    search: &'s Search,
    needs: Needs,
    named: Vec<Field>,
    snapshot: Snapshot,
    patience: Patience<'s>,
    unpacked: Unpacked,
    /// Traces that were decided.
    seen: BTreeSet<TraceId>,
    /// What was found, in the order in which it is given.
    best: BTreeMap<(Reverse<i64>, TraceId), Summary>,
    found: Found,
}

impl Run<'_> {
    fn heads(&mut self) -> Result<(), Interrupted> {
        let mut candidates = BTreeMap::new();
        for head in std::mem::take(&mut self.snapshot.heads) {
            if self.search.range.meets(&head.stats) {
                for batch in head.batches.iter() {
                    self.spans(batch, &mut candidates)?;
                }
            }
            self.snapshot.heads.push(head);
        }
        self.decide(candidates)
    }

    fn block(&mut self, block: &Block) -> Result<(), Interrupted> {
        let meets = |run: &Self, stats| run.search.range.meets(stats) && run.may_improve(stats);
        if !meets(self, &block.stats) {
            return Ok(());
        }
        let index = match block.index() {
            Ok(index) => index,
            Err(error) => {
                self.store.damaged(&error);
                return Ok(());
            }
        };
        let places = self.needs.places(&index);
        let mut pages: Vec<_> = index
            .pages
            .iter()
            .filter(|page| self.needs.allow(page, places.as_ref()))
            .collect();
        pages.sort_by_key(|page| Reverse(page.stats.max_start));
        for page in pages {
            if !meets(self, &page.stats) {
                continue;
            }
            match block.page(page) {
                Ok(bytes) => {
                    let mut candidates = BTreeMap::new();
                    self.spans(&bytes, &mut candidates)?;
                    self.decide(candidates)?;
                }
                Err(error) => self.store.damaged(&error),
            }
        }
        Ok(())
    }

    /// Whether a trace with a span like these may be among the newest: no trace begins after any of its spans.
    fn may_improve(&self, stats: &crate::block::Stats) -> bool {
        self.has_room()
            || self
                .oldest()
                .is_some_and(|oldest| stats.max_start >= oldest)
    }

    fn has_room(&self) -> bool {
        self.best.len() < self.search.limit
    }

    fn oldest(&self) -> Option<i64> {
        self.best
            .last_key_value()
            .map(|((Reverse(start), _), _)| *start)
    }

    /// Looks at spans for traces that may be meant.
    fn spans(
        &mut self,
        bytes: &[u8],
        candidates: &mut BTreeMap<TraceId, i64>,
    ) -> Result<(), Interrupted> {
        self.found.inspected_bytes += bytes.len() as u64;
        for span in codec::spans(bytes) {
            self.patience.check()?;
            self.found.inspected_spans += 1;
            if self.search.range.has(&span)
                && !self.seen.contains(&span.trace)
                && self.search.query.may_begin_with(&span)
            {
                let start = candidates.entry(span.trace).or_insert(span.start);
                *start = span.start.min(*start);
            }
        }
        Ok(())
    }

    /// Puts traces together, the newest first, and keeps what is found.
    fn decide(&mut self, candidates: BTreeMap<TraceId, i64>) -> Result<(), Interrupted> {
        let mut candidates: Vec<(i64, TraceId)> =
            candidates.into_iter().map(|(id, at)| (at, id)).collect();
        candidates.sort_by_key(|(start, id)| (Reverse(*start), *id));
        for (start, id) in candidates {
            let room = self.has_room() || self.oldest().is_some_and(|oldest| start >= oldest);
            if !room || self.search.limit == 0 || self.seen.len() >= TRACES_MAX {
                break;
            }
            self.patience.check()?;
            self.seen.insert(id);
            let pieces = self.store.pieces(&self.snapshot, id, &mut self.unpacked);
            let spans = pieces.spans();
            self.found.partial |= pieces.truncated();
            let Some(found) = self.told(&spans) else {
                continue;
            };
            self.best.insert((Reverse(found.start_nanos), id), found);
            if self.best.len() > self.search.limit {
                self.best.pop_last();
            }
        }
        Ok(())
    }

    fn told(&self, spans: &[SpanRef<'_>]) -> Option<Summary> {
        let mut told = summary(spans)?;
        let in_range: Vec<SpanRef<'_>> = spans
            .iter()
            .filter(|span| self.search.range.has(span))
            .copied()
            .collect();
        let facts = Facts::of(&told);
        let matched = self.search.query.matched(&in_range, &facts)?;
        told.matched = matched.len();
        told.examples = matched
            .into_iter()
            .take(self.search.spans_per_trace)
            .map(|at| self.example(&in_range[at]))
            .collect();
        Some(told)
    }

    fn example(&self, span: &SpanRef<'_>) -> Matched {
        let mut attributes = vec![];
        for field in &self.named {
            // Those are told of anyway.
            if matches!(field.0, FieldKind::Name | FieldKind::Duration) {
                continue;
            }
            let mut first = None;
            field.values_of(span, &mut |value| {
                first = first.take().or_else(|| owned(value));
            });
            attributes.extend(first.map(|value| (field.label(), value)));
        }
        Matched {
            id: span.id,
            name: span.name.to_owned(),
            service: span.service.to_owned(),
            start_nanos: span.start,
            duration_nanos: span.duration,
            attributes,
        }
    }
}

fn owned(value: ValueRef<'_>) -> Option<Value> {
    Some(match value {
        ValueRef::Text(text) => Value::Text(text.to_owned()),
        ValueRef::Bool(value) => Value::Bool(value),
        ValueRef::Int(number) => Value::Int(number),
        ValueRef::Double(number) => Value::Double(number),
        ValueRef::Bytes(_) | ValueRef::List(_) | ValueRef::Map(_) => return None,
    })
}
