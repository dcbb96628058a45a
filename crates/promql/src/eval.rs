//! Evaluation, series by series over all steps.
//!
//! An instant query is a range query of one step. Each selector asks the store once, for all the time that any of its steps
//! needs, and decodes one series at a time; what is kept is one value a step ([`row::Row`]). Groupings and matchings are worked
//! out once a series, never once a step. What does not change from step to step is evaluated once.

mod absent;
mod aggregate;
mod arithmetic;
mod budget;
mod call;
mod dates;
mod histogram;
mod invariant;
mod matching;
mod natural;
mod notes;
mod over_time;
mod rank;
mod rate;
mod relabel;
mod row;
mod select;
mod sets;
mod statistics;

use std::time::Duration;

use wharf_signal::{Labels, Sample, SampleSource, Series};

use crate::ast::{AtTime, Expr, Shift, ValueType};
use crate::error::EvalError;
use crate::text::MAX_DURATION_MILLIS;
use crate::value::{Element, Evaluated, Options, Value};
use budget::Budget;
use notes::{Note, Notes};
use row::{Grid, Row, cells, is_of_metric, merge_same_labels};

/// Times beyond this are refused, so that no sum of times and durations overflows: 70 million years.
const MAX_TIME: i64 = 1 << 61;

/// Evaluates at one time, in milliseconds since the Unix epoch.
///
/// # Errors
/// It needs too much, was stopped, makes no sense with the data, or the store failed.
pub fn instant(
    source: &dyn SampleSource,
    expr: &Expr,
    at: i64,
    options: &Options<'_>,
) -> Result<Evaluated, EvalError> {
    let grid = Grid::once(checked_time(at)?);
    let mut evaluator = Evaluator::new(source, options, at, at, 0);
    let value = match expr.value_type() {
        ValueType::Scalar => {
            let values = evaluator.scalar(expr, grid)?;
            let v = values.first().copied().unwrap_or(f64::NAN);
            Value::Scalar(Sample { t: at, v })
        }
        ValueType::String => Value::String {
            t: at,
            v: text(expr).to_owned(),
        },
        ValueType::Vector => {
            let rows = evaluator.vector(expr, grid)?;
            let elements = evaluator.finished(rows)?.into_iter().filter_map(|row| {
                let (_, v) = row.present().next()?;
                let sample = Sample { t: at, v };
                let labels = row.labels;
                Some(Element { labels, sample })
            });
            Value::Vector(elements.collect())
        }
        ValueType::Matrix => {
            let mut series = evaluator.matrix(expr, at)?;
            series.sort_by(|a, b| a.labels.cmp(&b.labels));
            Value::Matrix(series)
        }
    };
    Ok(evaluator.told(value))
}

/// Evaluates from `start` to `end` every `step`, all in milliseconds.
///
/// # Errors
/// It needs too much, was stopped, makes no sense with the data, or the store failed.
pub fn range(
    source: &dyn SampleSource,
    expr: &Expr,
    start: i64,
    end: i64,
    step: i64,
    options: &Options<'_>,
) -> Result<Evaluated, EvalError> {
    let (start, end) = (checked_time(start)?, checked_time(end)?);
    if step <= 0 {
        let message = "zero or negative query resolution step widths are not accepted";
        return Err(EvalError::invalid(format!(
            "{message}: try a positive step"
        )));
    }
    let mut evaluator = Evaluator::new(source, options, start, end, step);
    let value_type = expr.value_type();
    if !matches!(value_type, ValueType::Scalar | ValueType::Vector) {
        let got = value_type.as_str();
        return Err(EvalError::invalid(format!(
            "invalid expression type \"{got}\" for range query, must be Scalar or instant Vector"
        )));
    }
    let Some(grid) = Grid::new(start, end, step) else {
        return Ok(evaluator.told(Value::Matrix(Vec::new())));
    };
    let rows = if value_type == ValueType::Scalar {
        let values = evaluator.scalar(expr, grid)?;
        let row = Row {
            values,
            ..Row::new(Labels::empty(), false)
        };
        vec![row]
    } else {
        let rows = evaluator.vector(expr, grid)?;
        evaluator.finished(rows)?
    };
    let mut series: Vec<Series> = rows.into_iter().map(|row| as_series(row, grid)).collect();
    series.retain(|series| !series.samples.is_empty());
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(evaluator.told(Value::Matrix(series)))
}

fn checked_time(t: i64) -> Result<i64, EvalError> {
    if (-MAX_TIME..=MAX_TIME).contains(&t) {
        Ok(t)
    } else {
        Err(EvalError::invalid("time is out of range"))
    }
}

fn as_series(row: Row, grid: Grid) -> Series {
    let samples = row.present().map(|(step, v)| Sample {
        t: grid.time(step),
        v,
    });
    let samples = samples.collect();
    let labels = row.labels;
    Series { labels, samples }
}

/// What a string literal says, whatever parentheses are around it.
fn text(expr: &Expr) -> &str {
    match expr.unwrapped() {
        Expr::String(text) => &text.value,
        _ => "",
    }
}

/// The name of a label that a string literal is to be.
///
/// # Errors
/// It is none: the literal as it is written.
fn label_name(expr: &Expr) -> Result<&str, String> {
    match expr.unwrapped() {
        Expr::String(text) if text.invalid.is_none() && !text.value.is_empty() => Ok(&text.value),
        Expr::String(text) => Err(text.quoted()),
        other => Err(other.to_string()),
    }
}

/// A duration in milliseconds, bounded like those of the language.
fn millis(duration: Duration) -> i64 {
    let millis = i64::try_from(duration.as_millis()).unwrap_or(MAX_DURATION_MILLIS);
    millis.min(MAX_DURATION_MILLIS)
}

/// The evaluation of one query.
struct Evaluator<'a> {
    source: &'a dyn SampleSource,
    /// The whole query's, whatever subquery is evaluated.
    start: i64,
    end: i64,
    step: i64,
    lookback: i64,
    subquery_step: i64,
    delayed_name_removal: bool,
    budget: Budget<'a>,
    notes: Notes,
}

impl<'a> Evaluator<'a> {
    fn new(
        source: &'a dyn SampleSource,
        options: &Options<'a>,
        start: i64,
        end: i64,
        step: i64,
    ) -> Self {
        Self {
            source,
            start,
            end,
            step,
            lookback: millis(options.lookback),
            subquery_step: millis(options.subquery_step).max(1),
            delayed_name_removal: options.delayed_name_removal,
            budget: Budget::new(options.max_samples, options.interrupt),
            notes: Notes::default(),
        }
    }

    fn told(self, value: Value) -> Evaluated {
        let (warnings, infos) = self.notes.told();
        Evaluated {
            value,
            warnings,
            infos,
        }
    }

    /// The time that `@` fixes, if it does, without its offset.
    fn moment(&self, shift: &Shift) -> Option<i64> {
        shift.moment.map(|moment| match moment {
            AtTime::Millis(t) => t,
            AtTime::Start => self.start,
            AtTime::End => self.end,
        })
    }

    /// An expression of numbers: one for each step.
    fn scalar(&mut self, expr: &'a Expr, grid: Grid) -> Result<Vec<f64>, EvalError> {
        self.budget.work(grid.steps)?;
        if grid.steps > 1 && invariant::is_invariant(expr) {
            let value = self.scalar(expr, Grid { steps: 1, ..grid })?;
            let value = value.first().copied().unwrap_or(f64::NAN);
            self.budget.take(grid.steps)?;
            return Ok(vec![value; grid.steps]);
        }
        let held = self.budget.held();
        self.budget.take(grid.steps)?;
        let values = match expr {
            Expr::Number(number) => vec![number.value; grid.steps],
            Expr::Paren(paren) => self.scalar(&paren.expr, grid)?,
            Expr::Unary(unary) => {
                let mut values = self.scalar(&unary.expr, grid)?;
                if unary.negate {
                    values.iter_mut().for_each(|value| *value = -*value);
                }
                values
            }
            Expr::Binary(binary) => self.scalar_binary(binary, grid)?,
            Expr::Call(call) => self.scalar_call(call, grid)?,
            _ => return Err(EvalError::invalid("expected a scalar")),
        };
        self.budget.set(held + values.len())?;
        Ok(values)
    }

    /// An expression of series: those that have samples, with distinct labels.
    fn vector(&mut self, expr: &'a Expr, grid: Grid) -> Result<Vec<Row>, EvalError> {
        self.budget.work(grid.steps)?;
        if grid.steps > 1 && invariant::is_invariant(expr) {
            let held = self.budget.held();
            let mut rows = self.vector(expr, Grid { steps: 1, ..grid })?;
            self.budget
                .set(held.saturating_add(rows.len().saturating_mul(grid.steps)))?;
            for row in &mut rows {
                let value = row.at(0);
                row.values = vec![value; grid.steps];
            }
            return Ok(rows);
        }
        let held = self.budget.held();
        let mut rows = match expr {
            Expr::Selector(selector) => self.select_instant(selector, grid)?,
            Expr::Paren(paren) => self.vector(&paren.expr, grid)?,
            Expr::Unary(unary) => {
                let rows = self.vector(&unary.expr, grid)?;
                if unary.negate {
                    self.mapped(rows, |_, value| -value)?
                } else {
                    rows
                }
            }
            Expr::Aggregate(aggregate) => self.aggregate(aggregate, grid)?,
            Expr::Binary(binary) => self.binary(binary, grid)?,
            Expr::Call(call) => self.call(call, grid)?,
            _ => return Err(EvalError::invalid("expected an instant vector")),
        };
        rows.retain(|row| !row.is_empty());
        self.budget.set(held.saturating_add(cells(&rows)))?;
        self.budget.work(cells(&rows))?;
        Ok(rows)
    }

    /// Every value changed into another metric's.
    fn mapped(
        &mut self,
        mut rows: Vec<Row>,
        change: impl Fn(usize, f64) -> f64,
    ) -> Result<Vec<Row>, EvalError> {
        for row in &mut rows {
            row.update(&change);
            self.renamed(row);
        }
        merge_same_labels(rows)
    }

    /// Takes the metric's name away: now, or at the end.
    fn renamed(&self, row: &mut Row) {
        row.drop_name = true;
        if !self.delayed_name_removal {
            row.labels = row.labels.without(is_of_metric);
        }
    }

    /// Takes the names away that were to go at the end.
    fn finished(&mut self, mut rows: Vec<Row>) -> Result<Vec<Row>, EvalError> {
        if self.delayed_name_removal {
            for row in rows.iter_mut().filter(|row| row.drop_name) {
                row.labels = row.labels.without(is_of_metric);
            }
            return merge_same_labels(rows);
        }
        Ok(rows)
    }

    fn note(&mut self, note: Note, about: &Expr) {
        self.notes.add(note, about.position());
    }
}
