//! Queries over a store.

mod accumulate;
mod binary;
mod grid;
mod logs;
mod metric;
mod panes;
mod range;
mod shape;
mod timeline;
mod vector;
mod windows;

use std::ops::ControlFlow;

use wharf_signal::{Interrupt, Interrupted, Labels, LogEntry, LogSelect, LogSource, SourceError};

use crate::parser::ParseError;

pub(crate) use binary::arithmetic;
pub use logs::{LogLine, LogParams, LogResult, Stream, log_query};
pub use metric::{Limits, MetricParams, MetricResult, metric_query};

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EvalError {
    /// The query has no sense.
    #[error(transparent)]
    Query(#[from] ParseError),
    /// Lines could not be read as the query wants it.
    #[error("{0}")]
    Pipeline(String),
    /// It would take too much.
    #[error("{0}")]
    Limit(String),
    /// The store gave no answer, or nobody waits for it.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// What a query looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Lines that the store gave.
    pub lines: u64,
    /// Their length, with their structured metadata.
    pub bytes: u64,
    /// Lines that passed the pipeline.
    pub passed: u64,
}

/// How many lines between two looks at whether anybody still waits.
const CHECK_EVERY: u64 = 4096;

/// In which order entries are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Time,
    /// Whatever costs the store least.
    Any,
}

/// Visits entries, counts them, and asks now and then whether to go on.
fn visit(
    source: &dyn LogSource,
    select: LogSelect<'_>,
    order: Order,
    interrupt: &dyn Interrupt,
    stats: &mut Stats,
    mut each: impl FnMut(&Labels, &LogEntry, &mut Stats) -> Result<ControlFlow<()>, EvalError>,
) -> Result<(), EvalError> {
    let mut failure = None;
    let mut look = |stream: &Labels, entry: &LogEntry| {
        stats.lines += 1;
        stats.bytes += (entry.line.len() + entry.metadata.as_bytes().len()) as u64;
        if stats.lines.is_multiple_of(CHECK_EVERY)
            && let Err(interrupted) = interrupt.check()
        {
            failure = Some(EvalError::from(interrupted));
            return ControlFlow::Break(());
        }
        match each(stream, entry, stats) {
            Ok(flow) => flow,
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        }
    };
    match order {
        Order::Time => source.visit(select, interrupt, &mut look)?,
        Order::Any => source.visit_unordered(select, interrupt, &mut look)?,
    }
    failure.map_or(Ok(()), Err)
}

impl From<Interrupted> for EvalError {
    fn from(interrupted: Interrupted) -> Self {
        Self::Source(interrupted.into())
    }
}
