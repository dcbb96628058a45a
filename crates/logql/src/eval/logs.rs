//! Queries for lines.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use wharf_signal::{Direction, Interrupt, Labels, LogSelect, LogSource};

use super::{EvalError, Order, Stats, visit};
use crate::ast::Expr;
use crate::parser::ParseError;
use crate::pipeline::{Need, Pipeline, hints};

/// What a result may take in memory, beside the limit of its lines.
const MAX_BYTES: usize = 64 << 20;

/// Which lines are asked for.
#[derive(Debug, Clone, Copy)]
pub struct LogParams {
    /// The first time, in nanoseconds, inclusive.
    pub start: i64,
    /// The end, exclusive.
    pub end: i64,
    /// How many lines at most.
    pub limit: usize,
    /// From which end.
    pub direction: Direction,
    /// At most one line in so many nanoseconds; 0: all.
    pub interval: i64,
    /// What `now` is in templates.
    pub now: i64,
}

/// A line that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Nanoseconds since the Unix epoch.
    pub nanos: i64,
    /// What the pipeline made of it.
    pub line: String,
    /// What is left of its stream's labels.
    pub stream: Labels,
    /// What is left of its structured metadata.
    pub metadata: Labels,
    /// What parsers and formats added.
    pub parsed: Labels,
}

impl LogLine {
    /// All labels.
    #[must_use]
    pub fn labels(&self) -> Labels {
        if self.metadata.is_empty() && self.parsed.is_empty() {
            return self.stream.clone();
        }
        let parts = [&self.stream, &self.metadata, &self.parsed];
        Labels::from_pairs(parts.into_iter().flatten())
    }
}

/// Lines, in the order that was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogResult {
    /// The lines.
    pub lines: Vec<LogLine>,
    /// What was looked at.
    pub stats: Stats,
}

/// Lines with the same labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// The labels.
    pub labels: Labels,
    /// The lines.
    pub lines: Vec<LogLine>,
}

impl LogResult {
    /// The lines by all of their labels, or by those of their stream only; ordered by labels.
    #[must_use]
    pub fn streams(self, by_stream: bool) -> Vec<Stream> {
        let mut streams: BTreeMap<Labels, Vec<LogLine>> = BTreeMap::new();
        for line in self.lines {
            let labels = if by_stream {
                line.stream.clone()
            } else {
                line.labels()
            };
            streams.entry(labels).or_default().push(line);
        }
        let stream = |(labels, lines)| Stream { labels, lines };
        streams.into_iter().map(stream).collect()
    }
}

/// Asks for lines.
///
/// # Errors
/// The query is one for numbers, the result is too large, the store failed, or `interrupt` said so.
pub fn log_query(
    source: &dyn LogSource,
    expr: &Expr,
    params: &LogParams,
    interrupt: &dyn Interrupt,
) -> Result<LogResult, EvalError> {
    let Expr::Log(log) = expr else {
        return Err(ParseError::whole("the query is one for numbers, not for lines").into());
    };
    let mut pipeline = Pipeline::new(&log.stages, &Need::default(), params.now)?;
    let hints = hints(log);
    let mut result = LogResult::default();
    if params.limit == 0 || params.start >= params.end {
        return Ok(result);
    }
    let LogResult { lines, stats } = &mut result;
    let select = LogSelect {
        matchers: &log.matchers,
        start: params.start,
        end: params.end,
        direction: params.direction,
        contains: &hints.contains,
        metadata: &hints.metadata,
    };
    let mut last: Option<i64> = None;
    let mut held = 0;
    let order = Order::Time;
    visit(
        source,
        select,
        order,
        interrupt,
        stats,
        |stream, entry, stats| {
            let processed = pipeline.process(stream, &entry.metadata, entry.nanos, &entry.line);
            let Some(line) = processed else {
                return Ok(ControlFlow::Continue(()));
            };
            let near = last
                .is_some_and(|last| last.abs_diff(entry.nanos) < params.interval.unsigned_abs());
            if params.interval > 0 && near {
                return Ok(ControlFlow::Continue(()));
            }
            last = Some(entry.nanos);
            stats.passed += 1;
            let line = LogLine {
                nanos: entry.nanos,
                line: line.into_owned(),
                stream: pipeline.fields.stream(),
                metadata: pipeline.fields.metadata(),
                parsed: pipeline.fields.parsed(),
            };
            held += line.line.len() + line.metadata.as_bytes().len() + line.parsed.as_bytes().len();
            if held > MAX_BYTES {
                return Err(EvalError::Limit(format!(
                    "the lines take more than {} MiB; ask for fewer of them or for a shorter time",
                    MAX_BYTES >> 20
                )));
            }
            lines.push(line);
            if lines.len() >= params.limit {
                return Ok(ControlFlow::Break(()));
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(result)
}
