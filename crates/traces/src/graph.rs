//! Who calls whom: edges between services, from spans whose parent is of another.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use wharf_signal::{Interrupt, Interrupted, SpanId, SpanStatus, TraceId};

use crate::assemble::{Patience, Pieces};
use crate::codec::SpanRef;
use crate::merge::{Source, merge};
use crate::names::Range;
use crate::store::TraceStore;

/// Blocks that are read at once, the newest: of each a page is in memory.
const BLOCKS_MAX: usize = 128;
/// Of one trace; the rest of a larger one is left out.
const TRACE_MAX_BYTES: usize = 4 << 20;
/// Pairs of services.
const EDGES_MAX: usize = 10_000;

/// Calls from one service to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Who asked.
    pub client: String,
    /// Who answered.
    pub server: String,
    /// How often.
    pub calls: u64,
    /// How often it failed, for either of them.
    pub errors: u64,
    /// The median time that the answer took, to a thirty-second part.
    pub p50: Duration,
    /// The 95th percentile.
    pub p95: Duration,
}

/// The graph of the services.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceGraph {
    /// By client and server.
    pub edges: Vec<Edge>,
    /// Whether there was more than is looked at.
    pub partial: bool,
}

#[derive(Debug, Default)]
struct Calls {
    calls: u64,
    errors: u64,
    /// How many took how long, by logarithmic bucket.
    durations: BTreeMap<u16, u64>,
}

type Edges = BTreeMap<(String, String), Calls>;

impl TraceStore {
    /// Who called whom in a range of time.
    ///
    /// # Errors
    /// `interrupt` said so.
    pub fn service_graph(
        &self,
        range: Range,
        interrupt: &dyn Interrupt,
    ) -> Result<ServiceGraph, Interrupted> {
        let snapshot = self.snapshot();
        let mut blocks: Vec<_> = snapshot
            .blocks
            .iter()
            .filter(|block| range.meets(&block.stats))
            .collect();
        let mut partial = blocks.len() > BLOCKS_MAX;
        let older = blocks.len().saturating_sub(BLOCKS_MAX);
        blocks.drain(..older);
        let mut sources = vec![];
        for block in blocks {
            match block.index() {
                Ok(index) => {
                    let source = Source::block(block, index, |page| range.meets(&page.stats));
                    sources.push(source);
                }
                Err(error) => self.damaged(&error),
            }
        }
        for head in &snapshot.heads {
            sources.push(Source::memory(head.frames()));
        }
        let mut patience = Patience::new(interrupt);
        let mut edges = Edges::new();
        let mut trace = TraceId::default();
        let mut pieces = Pieces::default();
        let merged = merge(sources, &mut |error| self.damaged(&error), &mut |span| {
            if let Err(interrupted) = patience.check() {
                return ControlFlow::Break(interrupted);
            }
            if span.trace != trace {
                partial |= pieces.truncated();
                add(&pieces, range, &mut edges);
                pieces.clear();
                trace = span.trace;
            }
            pieces.add(span.bytes, TRACE_MAX_BYTES);
            ControlFlow::Continue(())
        });
        if let ControlFlow::Break(interrupted) = merged {
            return Err(interrupted);
        }
        add(&pieces, range, &mut edges);
        partial |= pieces.truncated() || edges.len() >= EDGES_MAX;
        let edges = edges.into_iter().map(|((client, server), calls)| Edge {
            client,
            server,
            calls: calls.calls,
            errors: calls.errors,
            p50: calls.quantile(50),
            p95: calls.quantile(95),
        });
        Ok(ServiceGraph {
            edges: edges.collect(),
            partial,
        })
    }
}

/// Adds the calls of one trace.
fn add(pieces: &Pieces, range: Range, edges: &mut Edges) {
    let spans = pieces.spans();
    let by_id: BTreeMap<SpanId, &SpanRef<'_>> = spans.iter().map(|span| (span.id, span)).collect();
    for span in spans.iter().filter(|span| range.has(span)) {
        let parent = by_id.get(&span.parent);
        let Some(parent) = parent.filter(|parent| parent.service != span.service) else {
            continue;
        };
        let edge = (parent.service.to_owned(), span.service.to_owned());
        if edges.len() >= EDGES_MAX && !edges.contains_key(&edge) {
            continue;
        }
        let failed = |span: &SpanRef<'_>| span.status == SpanStatus::Error;
        let calls = edges.entry(edge).or_default();
        calls.calls += 1;
        calls.errors += u64::from(failed(span) || failed(parent));
        *calls.durations.entry(bucket(span.duration)).or_default() += 1;
    }
}

impl Calls {
    fn quantile(&self, percent: u64) -> Duration {
        let rank = (self.calls * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (bucket, count) in &self.durations {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(middle(*bucket));
            }
        }
        Duration::ZERO
    }
}

/// Sixteen buckets from each power of two to the next.
fn bucket(nanos: u64) -> u16 {
    let power = nanos.checked_ilog2().unwrap_or(0);
    if power < 4 {
        return nanos as u16;
    }
    let part = (nanos >> (power - 4)) & 0xf;
    (power as u16 - 3) * 16 + part as u16
}

/// The middle of a bucket.
fn middle(bucket: u16) -> u64 {
    if bucket < 16 {
        return u64::from(bucket);
    }
    let power = u32::from(bucket / 16) + 3;
    let width = 1_u64 << (power - 4);
    (16 + u64::from(bucket % 16)) * width + width / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_a_thirty_second_part_off_at_most() {
        let mut nanos = 1_u64;
        while nanos < u64::MAX / 3 {
            let off = middle(bucket(nanos)).abs_diff(nanos);
            assert!(off <= nanos / 32 + 1, "{nanos}: {off}");
            nanos += nanos / 20 + 1;
        }
        assert!(middle(bucket(u64::MAX)) > u64::MAX / 32 * 31);
    }
}
