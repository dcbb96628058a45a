//! Aggregations over spans of time: lines to numbers.

use std::ops::ControlFlow;

use wharf_signal::{Direction, LogSelect, MatchOp};

use super::accumulate::Operation;
use super::grid::{Grid, Index};
use super::metric::Evaluator;
use super::panes::{Panes, Sort};
use super::shape::Shape;
use super::timeline::{Place, Timeline};
use super::windows::Windows;
use super::{EvalError, Limits, Order, visit};
use crate::ast::{Conversion, Grouping, LogExpr, RangeAggregation, RangeOp, Stage, Unwrap};
use crate::fields::{ERROR, Fields, PRESERVE_ERROR};
use crate::pipeline::{Need, Pipeline, hints};
use crate::stage::label_filter::LabelTest;
use crate::text::{parse_bytes, parse_float, parse_go_duration};

const EXTRACTION_FAILED: &str = "SampleExtractionErr";

impl Evaluator<'_> {
    /// `outer`: the labels that are left anyway, if that makes no difference to the value.
    pub(super) fn range(
        &mut self,
        range: &RangeAggregation,
        outer: Option<&Grouping>,
    ) -> Result<Grid, EvalError> {
        let unwrap = match &range.range.unwrap {
            Some(unwrap) => Some(Extractor::new(unwrap)?),
            None => None,
        };
        let mut shape = Shape::of(range, outer);
        let mut need = Need {
            labels: shape.need(),
        };
        if let (Some(labels), Some(unwrap)) = (&mut need.labels, &unwrap) {
            labels.push(unwrap.label.clone());
            unwrap
                .filters
                .iter()
                .for_each(|filter| filter.names(labels));
        }
        let log = &range.range.log;
        let stages = without_idle_formats(log, range.op);
        let mut pipeline = Pipeline::new(&stages, &need, self.params.now)?;
        let hints = hints(log);
        let mut timeline = self.timeline(range)?;
        let mut values = Values::new(range, self);
        let order = match values {
            Values::Ordered(_) => Order::Time,
            Values::Any(_) => Order::Any,
        };
        let mut index = Index::default();
        let select = LogSelect {
            matchers: &log.matchers,
            // The first window's beginning is not part of it, its end is.
            start: timeline.begin().saturating_add(1),
            end: timeline.end().saturating_add(1),
            direction: Direction::Forward,
            contains: &hints.contains,
            metadata: &hints.metadata,
        };
        let limits = self.limits;
        let counts_bytes = matches!(range.op, RangeOp::Bytes | RangeOp::BytesRate);
        visit(
            self.source,
            select,
            order,
            self.interrupt,
            &mut self.stats,
            |stream, entry, stats| {
                let Some(place) = timeline.place(entry.nanos) else {
                    return Ok(ControlFlow::Continue(()));
                };
                let processed = pipeline.process(stream, &entry.metadata, entry.nanos, &entry.line);
                let Some(line) = processed else {
                    return Ok(ControlFlow::Continue(()));
                };
                let fields = &mut pipeline.fields;
                let value = match &unwrap {
                    Some(unwrap) => match unwrap.value(fields) {
                        Some(value) => value,
                        None => return Ok(ControlFlow::Continue(())),
                    },
                    None if counts_bytes => line.len() as f64,
                    None => 1.0,
                };
                stats.passed += 1;
                let failed = !fields.error().is_empty();
                if failed && fields.get(PRESERVE_ERROR) != Some("true") {
                    return Err(failure(fields));
                }
                let most = limits.max_held_series;
                let series = if failed {
                    index.of(fields.all(), most)?
                } else {
                    shape.series(fields, &mut index, most)?
                };
                values.add(series, place, value)?;
                Ok(ControlFlow::Continue(()))
            },
        )?;
        let grid = values.finish(index)?;
        Ok(match range.op {
            RangeOp::Absent => absent(range, &grid),
            _ => grid,
        })
    }
}

impl Evaluator<'_> {
    fn timeline(&self, range: &RangeAggregation) -> Result<Timeline, EvalError> {
        let first = self.params.start.checked_sub(range.range.offset);
        let first =
            first.ok_or_else(|| EvalError::Limit("the offset is out of range".to_owned()))?;
        let step = self.params.step;
        Ok(Timeline::new(first, step, range.range.range, self.steps))
    }
}

/// What becomes numbers.
enum Values<'l> {
    /// It comes in the order of time.
    Ordered(Windows<'l>),
    /// It comes in any order, which makes no difference: that costs a store less.
    Any(Panes<'l>),
}

impl<'l> Values<'l> {
    fn new(range: &RangeAggregation, evaluator: &Evaluator<'l>) -> Self {
        let Evaluator { limits, steps, .. } = *evaluator;
        let operation = Operation {
            op: range.op,
            unwraps: range.range.unwrap.is_some(),
            seconds: range.range.range as f64 / 1e9,
            quantile: range.parameter.unwrap_or(f64::NAN),
        };
        match Sort::of(&operation) {
            Some(sort) => Self::Any(Panes::new(operation, sort, steps, limits)),
            None => Self::Ordered(Windows::new(operation, steps, limits)),
        }
    }

    fn add(&mut self, series: u32, place: Place, value: f64) -> Result<(), EvalError> {
        match self {
            Self::Ordered(windows) => windows.add(series, place, value),
            Self::Any(panes) => panes.add(series, place, value),
        }
    }

    fn finish(self, index: Index) -> Result<Grid, EvalError> {
        let mut grid = match self {
            Self::Ordered(windows) => windows.finish()?,
            Self::Any(panes) => panes.finish()?,
        };
        grid.series = index.series;
        Ok(grid)
    }
}

/// More values at steps than a query may have.
pub(super) fn too_many_points(limits: &Limits) -> EvalError {
    EvalError::Limit(format!(
        "more than {} values have to be held for a single query; ask for a longer step or group by fewer labels",
        limits.max_points
    ))
}

/// The stages without formats of lines that nobody looks at afterwards: what they make, and whether that works, does not matter.
fn without_idle_formats(log: &LogExpr, op: RangeOp) -> Vec<Stage> {
    let mut read = matches!(op, RangeOp::Bytes | RangeOp::BytesRate);
    let mut stages = Vec::with_capacity(log.stages.len());
    for stage in log.stages.iter().rev() {
        match stage {
            Stage::LineFormat(_) if !read => continue,
            Stage::Label(_) | Stage::Drop(_) | Stage::Keep(_) => {}
            // Parsers, filters of lines, and templates, which may show it.
            _ => read = true,
        }
        stages.push(stage.clone());
    }
    stages.reverse();
    stages
}

/// Errors are not numbers: they have to be filtered out.
fn failure(fields: &Fields) -> EvalError {
    let error = fields.error();
    EvalError::Pipeline(format!(
        "pipeline error: '{error}' for series: '{}'.\nUse a label filter to intentionally skip this error. \
(e.g | {ERROR}!=\"{error}\").\nTo skip all potential errors you can match empty errors.(e.g {ERROR}=\"\")\nThe label \
filter can also be specified after unwrap. (e.g | unwrap latency | {ERROR}=\"\" )\n",
        fields.all()
    ))
}

/// Makes a number of a label.
struct Extractor {
    label: String,
    conversion: Conversion,
    filters: Vec<LabelTest>,
}

impl Extractor {
    fn new(unwrap: &Unwrap) -> Result<Self, EvalError> {
        let filters: Result<_, String> = unwrap.filters.iter().map(LabelTest::new).collect();
        Ok(Self {
            label: unwrap.label.clone(),
            conversion: unwrap.conversion,
            filters: filters.map_err(crate::parser::ParseError::whole)?,
        })
    }

    /// The number, if the label is there and the filters pass; what is none is an error that these may look at.
    fn value(&self, fields: &mut Fields) -> Option<f64> {
        let text = fields.get(&self.label).filter(|text| !text.is_empty())?;
        let value = match self.conversion {
            Conversion::Float => parse_float(text),
            Conversion::Bytes => parse_bytes(text).map(|bytes| bytes as f64),
            Conversion::Duration | Conversion::DurationSeconds => {
                parse_go_duration(text).map(|nanos| nanos as f64 / 1e9)
            }
        };
        let value = value.unwrap_or_else(|error| {
            fields.set_error(EXTRACTION_FAILED, &error);
            0.0
        });
        let passes = self.filters.iter().all(|filter| filter.passes(fields));
        passes.then_some(value)
    }
}

/// One series where there is nothing, with the labels that the selector asks for.
fn absent(range: &RangeAggregation, grid: &Grid) -> Grid {
    let matchers = &range.range.log.matchers;
    let mut labels = wharf_signal::Builder::default();
    let mut seen: Vec<&str> = Vec::new();
    for matcher in matchers.iter().filter(|m| m.name != wharf_signal::NAME) {
        if matcher.op == MatchOp::Equal && !seen.contains(&matcher.name.as_str()) {
            labels.set(&matcher.name, &matcher.value);
        } else {
            labels.remove(&matcher.name);
        }
        seen.push(&matcher.name);
    }
    let missing = |step: &Vec<(u32, f64)>| match step.is_empty() {
        true => vec![(0, 1.0)],
        false => Vec::new(),
    };
    Grid {
        series: vec![labels.build()],
        steps: grid.steps.iter().map(missing).collect(),
    }
}
