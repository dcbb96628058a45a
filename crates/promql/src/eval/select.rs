//! Samples for instant vectors, and windows of samples for functions of range vectors.
//!
//! Both are open on the left: a sample exactly `lookback` or `range` before a time does not belong to it.

use wharf_signal::{Labels, Sample, Select, Series, is_stale};

use super::Evaluator;
use super::row::{Grid, Row, cells};
use crate::ast::{Expr, RangeSelector, Selector, Shift, Subquery};
use crate::error::EvalError;

/// The samples of one series that one step of a function sees, ordered by time: at least one.
pub(super) struct Window<'s> {
    /// The samples.
    pub(super) samples: &'s [Sample],
    /// Where the value falls: positions (from the second sample on) that are below the one before.
    pub(super) falls: &'s [usize],
    /// What `falls` count from.
    pub(super) offset: usize,
    /// The end of the range, inclusive.
    pub(super) end: i64,
    /// Its length in milliseconds.
    pub(super) range: i64,
    /// The time of the evaluation.
    pub(super) at: i64,
    /// Which step it is.
    pub(super) step: usize,
}

/// What a function of a range vector is applied to.
#[derive(Clone, Copy)]
pub(super) struct Ranged<'a> {
    shift: &'a Shift,
    pub(super) range: i64,
    of: Of<'a>,
}

#[derive(Clone, Copy)]
enum Of<'a> {
    Selector(&'a RangeSelector),
    Subquery(&'a Subquery),
}

impl<'a> Ranged<'a> {
    pub(super) fn new(expr: &'a Expr) -> Result<Self, EvalError> {
        match expr.unwrapped() {
            Expr::Range(range) => Ok(Self {
                shift: &range.selector.shift,
                range: range.range,
                of: Of::Selector(range),
            }),
            Expr::Subquery(subquery) => Ok(Self {
                shift: &subquery.shift,
                range: subquery.range,
                of: Of::Subquery(subquery),
            }),
            _ => Err(EvalError::invalid("expected a range vector")),
        }
    }
}

/// Windows over one series that move on with the steps.
struct Sweep {
    first: usize,
    end: usize,
    falls: Vec<usize>,
    first_fall: usize,
    end_fall: usize,
}

impl Sweep {
    fn new(samples: &[Sample]) -> Self {
        let falls = samples.windows(2).enumerate();
        let falls = falls.filter(|(_, pair)| pair[1].v < pair[0].v);
        Self {
            first: 0,
            end: 0,
            falls: falls.map(|(index, _)| index + 1).collect(),
            first_fall: 0,
            end_fall: 0,
        }
    }

    /// Moves on to the samples after `start` until `end`.
    fn advance(&mut self, samples: &[Sample], start: i64, end: i64) {
        while samples.get(self.end).is_some_and(|s| s.t <= end) {
            self.end += 1;
        }
        while self.first < self.end && samples[self.first].t <= start {
            self.first += 1;
        }
        while self.falls.get(self.end_fall).is_some_and(|i| *i < self.end) {
            self.end_fall += 1;
        }
        // A fall counts if the sample before it is in the window.
        while self.first_fall < self.end_fall && self.falls[self.first_fall] <= self.first {
            self.first_fall += 1;
        }
    }
}

/// How a source's selector and steps become the times of the store: the last time of a step's samples.
#[derive(Clone, Copy)]
struct Times {
    grid: Grid,
    fixed: Option<i64>,
    offset: i64,
}

impl Times {
    /// The last time whose sample may belong to a step.
    #[inline]
    fn end(&self, step: usize) -> i64 {
        self.fixed.unwrap_or_else(|| self.grid.time(step)) - self.offset
    }

    fn last(&self) -> i64 {
        self.end(self.grid.steps - 1)
    }
}

impl<'a> Evaluator<'a> {
    fn times(&self, shift: &Shift, grid: Grid) -> Times {
        Times {
            grid,
            fixed: self.moment(shift),
            offset: shift.offset,
        }
    }

    /// Asks the store, and gives each series to `each` while it alone is in memory.
    fn visit(
        &mut self,
        selector: &'a Selector,
        start: i64,
        end: i64,
        mut each: impl FnMut(&mut Self, Series) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        let select = Select {
            matchers: &selector.matchers,
            start,
            end,
        };
        if start > end {
            return Ok(());
        }
        for series in self.source.select(select, self.budget.interrupt())? {
            let series = series?;
            let samples = series.samples.len();
            self.budget.work(samples)?;
            self.budget.take(samples)?;
            each(self, series)?;
            self.budget.give(samples);
        }
        Ok(())
    }

    pub(super) fn select_instant(
        &mut self,
        selector: &'a Selector,
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        self.instants(selector, grid, |sample| sample.v)
    }

    /// The times of the samples, in seconds, instead of their values.
    pub(super) fn select_times(
        &mut self,
        selector: &'a Selector,
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        #[expect(clippy::cast_precision_loss, reason = "times are floats in PromQL")]
        self.instants(selector, grid, |sample| sample.t as f64 / 1000.0)
    }

    fn instants(
        &mut self,
        selector: &'a Selector,
        grid: Grid,
        value: impl Fn(&Sample) -> f64,
    ) -> Result<Vec<Row>, EvalError> {
        let times = self.times(&selector.shift, grid);
        let lookback = self.lookback;
        let mut rows = Vec::new();
        let start = times.end(0) - lookback + 1;
        self.visit(selector, start, times.last(), |this, series| {
            let mut row = Row::new(series.labels, false);
            let samples = &series.samples;
            let mut next = 0;
            for step in 0..grid.steps {
                let end = times.end(step);
                while samples.get(next).is_some_and(|s| s.t <= end) {
                    next += 1;
                }
                let newest = next.checked_sub(1).and_then(|index| samples.get(index));
                if let Some(sample) = newest
                    && sample.t > end - lookback
                    && !is_stale(sample.v)
                {
                    row.push(step, value(sample));
                }
            }
            this.budget.work(grid.steps)?;
            if !row.is_empty() {
                this.budget.take(row.values.len())?;
                rows.push(row);
            }
            Ok(())
        })?;
        Ok(rows)
    }

    /// Applies a function to the window of every step, and gives a row for each series that has a result.
    pub(super) fn over_windows(
        &mut self,
        ranged: Ranged<'a>,
        grid: Grid,
        mut apply: impl FnMut(&Window<'_>) -> Option<f64>,
    ) -> Result<Vec<Row>, EvalError> {
        let times = self.times(ranged.shift, grid);
        let mut rows = Vec::new();
        let mut sweep = |this: &mut Self, labels: Labels, drop_name, samples: &[Sample]| {
            let mut row = Row::new(labels, drop_name);
            let mut sweep = Sweep::new(samples);
            let mut seen = 0;
            for step in 0..grid.steps {
                let end = times.end(step);
                sweep.advance(samples, end - ranged.range, end);
                if sweep.first == sweep.end {
                    continue;
                }
                seen += sweep.end - sweep.first;
                let window = Window {
                    samples: &samples[sweep.first..sweep.end],
                    falls: &sweep.falls[sweep.first_fall..sweep.end_fall],
                    offset: sweep.first,
                    end,
                    range: ranged.range,
                    at: grid.time(step),
                    step,
                };
                if let Some(value) = apply(&window) {
                    row.push(step, value);
                }
                if seen > 1 << 20 {
                    this.budget.work(seen)?;
                    seen = 0;
                }
            }
            this.budget.work(seen)?;
            if !row.is_empty() {
                this.budget.take(row.values.len())?;
                rows.push(row);
            }
            Ok(())
        };
        match ranged.of {
            Of::Selector(range) => {
                let start = times.end(0) - range.range + 1;
                self.visit(&range.selector, start, times.last(), |this, mut series| {
                    series.samples.retain(|sample| !is_stale(sample.v));
                    sweep(this, series.labels, false, &series.samples)
                })?;
            }
            Of::Subquery(subquery) => {
                let (inner, inner_grid) = self.subquery(subquery, times)?;
                for row in inner {
                    let samples = samples_of(&row, inner_grid);
                    sweep(self, row.labels, row.drop_name, &samples)?;
                }
            }
        }
        Ok(rows)
    }

    /// Evaluates a subquery at all the times that any of its windows needs.
    fn subquery(
        &mut self,
        subquery: &'a Subquery,
        times: Times,
    ) -> Result<(Vec<Row>, Grid), EvalError> {
        let step = subquery.step.unwrap_or(self.subquery_step);
        let before = times.end(0) - subquery.range;
        // The first multiple of the step after the start of the range.
        let mut start = before / step * step;
        if start <= before {
            start += step;
        }
        let nothing = Grid::once(start);
        let Some(grid) = Grid::new(start, times.last(), step) else {
            return Ok((Vec::new(), nothing));
        };
        // Whatever it evaluates has at least one sample a step: nothing of that size is begun if there is no room.
        self.budget.take(grid.steps)?;
        self.budget.give(grid.steps);
        Ok((self.vector(&subquery.expr, grid)?, grid))
    }

    /// The samples of a range vector as they are: of an instant query that asks for nothing else.
    pub(super) fn matrix(&mut self, expr: &'a Expr, at: i64) -> Result<Vec<Series>, EvalError> {
        let ranged = Ranged::new(expr)?;
        let times = self.times(ranged.shift, Grid::once(at));
        let mut found = Vec::new();
        match ranged.of {
            Of::Selector(range) => {
                let start = times.end(0) - range.range + 1;
                self.visit(&range.selector, start, times.last(), |this, mut series| {
                    series.samples.retain(|sample| !is_stale(sample.v));
                    if !series.samples.is_empty() {
                        this.budget.take(series.samples.len())?;
                        found.push(series);
                    }
                    Ok(())
                })?;
            }
            Of::Subquery(subquery) => {
                let (rows, grid) = self.subquery(subquery, times)?;
                let rows = self.finished(rows)?;
                self.budget.take(cells(&rows))?;
                let series = rows.into_iter().map(|row| Series {
                    samples: samples_of(&row, grid),
                    labels: row.labels,
                });
                found = series.collect();
            }
        }
        Ok(found)
    }
}

fn samples_of(row: &Row, grid: Grid) -> Vec<Sample> {
    let samples = row.present().map(|(step, v)| Sample {
        t: grid.time(step),
        v,
    });
    samples.collect()
}
