//! Spans of several places as one sequence, ordered by trace: of a trace, those of an earlier place come first.
//!
//! Of each block one page is in memory.

use std::ops::ControlFlow;

use wharf_signal::TraceId;

use crate::block::{Block, BlockError, Index};
use crate::codec::{self, Bytes, SpanRef};

/// Where spans come from.
pub(crate) enum Source<'a> {
    /// Spans in memory, ordered by trace.
    Memory(std::iter::Peekable<std::vec::IntoIter<&'a [u8]>>),
    Block(Pages<'a>),
}

impl<'a> Source<'a> {
    /// Spans in memory, in the order in which they came.
    pub(crate) fn memory(frames: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut frames: Vec<&[u8]> = frames.into_iter().collect();
        frames.sort_by_key(|frame| codec::trace_of(frame));
        Self::Memory(frames.into_iter().peekable())
    }

    /// Those pages of a block that `keep` keeps.
    pub(crate) fn block(
        block: &'a Block,
        mut index: Index,
        keep: impl Fn(&crate::block::PageInfo) -> bool,
    ) -> Self {
        index.pages.retain(keep);
        Self::Block(Pages {
            block,
            pages: index.pages.into_iter(),
            page: vec![],
            at: 0,
        })
    }

    fn trace(&mut self, report: &mut dyn FnMut(BlockError)) -> Option<TraceId> {
        match self {
            Self::Memory(frames) => frames.peek().and_then(|frame| codec::trace_of(frame)),
            Self::Block(pages) => {
                pages.fill(report);
                let mut rest = Bytes(&pages.page[pages.at..]);
                codec::trace_of(rest.section()?)
            }
        }
    }

    fn next(&mut self) -> Option<&[u8]> {
        match self {
            Self::Memory(frames) => frames.next(),
            Self::Block(pages) => {
                let mut rest = Bytes(&pages.page[pages.at..]);
                let frame = rest.section()?;
                pages.at = pages.page.len() - rest.0.len();
                Some(frame)
            }
        }
    }
}

/// The pages of a block, one after the other.
pub(crate) struct Pages<'a> {
    block: &'a Block,
    pages: std::vec::IntoIter<crate::block::PageInfo>,
    page: Vec<u8>,
    at: usize,
}

impl Pages<'_> {
    /// Sees to it that a span is there, if there is one.
    fn fill(&mut self, report: &mut dyn FnMut(BlockError)) {
        while self.at >= self.page.len() {
            let Some(info) = self.pages.next() else {
                return;
            };
            self.at = 0;
            self.page = self.block.page(&info).unwrap_or_else(|error| {
                report(error);
                vec![]
            });
        }
    }
}

/// Gives every span to `each`, until it breaks. Pages that are damaged are told to `report` and left out.
pub(crate) fn merge<B>(
    mut sources: Vec<Source<'_>>,
    report: &mut dyn FnMut(BlockError),
    each: &mut dyn FnMut(&SpanRef<'_>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    loop {
        let traces: Vec<Option<TraceId>> = sources
            .iter_mut()
            .map(|source| source.trace(report))
            .collect();
        let Some(next) = traces.iter().flatten().min().copied() else {
            return ControlFlow::Continue(());
        };
        for (source, trace) in sources.iter_mut().zip(traces) {
            let mut trace = trace;
            while trace == Some(next) {
                if let Some(span) = source.next().and_then(SpanRef::parse) {
                    each(&span)?;
                }
                trace = source.trace(report);
            }
        }
    }
}
