//! Aggregations over spans of time: lines to numbers.

use std::ops::ControlFlow;

use wharf_signal::{Direction, Labels, LogSelect, MatchOp};

use super::accumulate::{Operation, Window};
use super::grid::{Grid, Index};
use super::metric::Evaluator;
use super::{EvalError, visit};
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
        let shape = Shape::of(range, outer);
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
        let mut windows = Windows::new(range, self)?;
        let select = LogSelect {
            matchers: &log.matchers,
            // The first window's beginning is not part of it, its end is.
            start: windows
                .first
                .saturating_sub(windows.range)
                .saturating_add(1),
            end: windows.end(self.steps - 1).saturating_add(1),
            direction: Direction::Forward,
            contains: &hints.contains,
            metadata: &hints.metadata,
        };
        let counts_bytes = matches!(range.op, RangeOp::Bytes | RangeOp::BytesRate);
        visit(
            self.source,
            select,
            self.interrupt,
            &mut self.stats,
            |stream, entry, stats| {
                let Some(pane) = windows.pane(entry.nanos) else {
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
                let labels = if failed {
                    fields.all()
                } else {
                    shape.labels(fields)
                };
                windows.add(labels, entry.nanos, pane, value)?;
                Ok(ControlFlow::Continue(()))
            },
        )?;
        let grid = windows.finish()?;
        Ok(match range.op {
            RangeOp::Absent => absent(range, &grid),
            _ => grid,
        })
    }
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

/// Which labels the samples have.
enum Shape {
    All,
    None,
    By(Vec<String>),
    Without(Vec<String>),
}

impl Shape {
    fn of(range: &RangeAggregation, outer: Option<&Grouping>) -> Self {
        let unwrapped = range
            .range
            .unwrap
            .as_ref()
            .map(|unwrap| unwrap.label.clone());
        if range.op == RangeOp::Absent {
            return Self::None;
        }
        match range.grouping.as_ref().or(outer) {
            Some(grouping) if grouping.is_single() => Self::None,
            Some(grouping) if !grouping.without => Self::By(grouping.labels.clone()),
            grouping => {
                let mut gone = grouping.map_or(Vec::new(), |grouping| grouping.labels.clone());
                gone.extend(unwrapped);
                if gone.is_empty() {
                    Self::All
                } else {
                    Self::Without(gone)
                }
            }
        }
    }

    /// The labels that have to be found; none: all.
    fn need(&self) -> Option<Vec<String>> {
        match self {
            Self::None => Some(Vec::new()),
            Self::By(labels) => Some(labels.clone()),
            Self::All | Self::Without(_) => None,
        }
    }

    fn labels(&self, fields: &Fields) -> Labels {
        match self {
            Self::None => Labels::empty(),
            Self::All => fields.all(),
            Self::Without(gone) => fields.all().without(|name| gone.iter().any(|g| g == name)),
            Self::By(kept) => {
                let mut pairs: Vec<_> = kept
                    .iter()
                    .filter_map(|name| Some((name.as_str(), fields.get(name)?)))
                    .filter(|(_, value)| !value.is_empty())
                    .collect();
                pairs.sort_unstable();
                pairs.dedup();
                Labels::from_sorted(pairs)
            }
        }
    }
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

/// The windows of all series. Window `k` ends at `first + k * step`.
struct Windows<'l> {
    first: i64,
    step: i64,
    range: i64,
    operation: Operation,
    index: Index,
    windows: Vec<Option<Window>>,
    /// The series that have something in their window.
    active: Vec<u32>,
    grid: Grid,
    /// The next step that has to be given.
    next: usize,
    points: usize,
    held: usize,
    limits: &'l super::Limits,
}

impl<'l> Windows<'l> {
    fn new(range: &RangeAggregation, evaluator: &Evaluator<'l>) -> Result<Self, EvalError> {
        let params = evaluator.params;
        let first = params.start.checked_sub(range.range.offset);
        let first =
            first.ok_or_else(|| EvalError::Limit("the offset is out of range".to_owned()))?;
        Ok(Self {
            first,
            step: params.step.max(1),
            range: range.range.range,
            operation: Operation {
                op: range.op,
                unwraps: range.range.unwrap.is_some(),
                seconds: range.range.range as f64 / 1e9,
                quantile: range.parameter.unwrap_or(f64::NAN),
            },
            index: Index::default(),
            windows: Vec::new(),
            active: Vec::new(),
            grid: Grid::new(evaluator.steps),
            next: 0,
            points: 0,
            held: 0,
            limits: evaluator.limits,
        })
    }

    fn end(&self, step: usize) -> i64 {
        let steps = i64::try_from(step).unwrap_or(i64::MAX);
        self.first.saturating_add(self.step.saturating_mul(steps))
    }

    /// How many steps' borders, of which the first is at `first`, lie before a time.
    fn borders_before(&self, first: i128, nanos: i64) -> usize {
        let distance = i128::from(nanos) - first;
        if distance <= 0 {
            return 0;
        }
        let step = i128::from(self.step);
        let count = (distance + step - 1) / step;
        usize::try_from(count).map_or(self.grid.steps.len(), |n| n.min(self.grid.steps.len()))
    }

    /// The pane that a time is in: after how many windows' beginnings. None, if it is in no window.
    fn pane(&self, nanos: i64) -> Option<usize> {
        let first = i128::from(self.first);
        let begun = self.borders_before(first - i128::from(self.range), nanos);
        let ended = self.borders_before(first, nanos);
        (begun > ended).then_some(begun)
    }

    fn add(
        &mut self,
        labels: Labels,
        nanos: i64,
        pane: usize,
        value: f64,
    ) -> Result<(), EvalError> {
        let complete = self.borders_before(i128::from(self.first), nanos);
        self.give(complete)?;
        let id = self.index.of(labels, self.limits.max_held_series)?;
        let at = id as usize;
        if at >= self.windows.len() {
            self.windows.resize_with(at + 1, || None);
        }
        let window = match &mut self.windows[at] {
            Some(window) => window,
            none => {
                self.active.push(id);
                none.insert(Window::new(&self.operation))
            }
        };
        window.add(&self.operation, pane, value);
        if matches!(window, Window::Values(_)) {
            self.held += 1;
            if self.held > self.limits.max_held_values {
                return Err(EvalError::Limit(format!(
                    "more than {} values have to be held for {}; ask for a shorter range or fewer streams",
                    self.limits.max_held_values,
                    self.operation.op.as_str()
                )));
            }
        }
        Ok(())
    }

    /// Gives all steps before one.
    fn give(&mut self, before: usize) -> Result<(), EvalError> {
        while self.next < before {
            let step = self.next;
            self.next += 1;
            if self.active.is_empty() {
                self.next = before;
                return Ok(());
            }
            let Self {
                windows,
                active,
                grid,
                operation,
                held,
                ..
            } = self;
            let values = &mut grid.steps[step];
            active.retain(|id| {
                let slot = &mut windows[*id as usize];
                let value = slot.as_mut().and_then(|window| {
                    // The window that is given begins after as many borders as its number.
                    *held -= window.forget(step);
                    window.value(operation)
                });
                match value {
                    Some(value) => values.push((*id, value)),
                    None => *slot = None,
                }
                value.is_some()
            });
            self.points += values.len();
            if self.points > self.limits.max_points {
                return Err(EvalError::Limit(format!(
                    "more than {} values have to be held for a single query; ask for a longer step or group by fewer labels",
                    self.limits.max_points
                )));
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Grid, EvalError> {
        self.give(self.grid.steps.len())?;
        self.grid.series = self.index.series;
        Ok(self.grid)
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
