//! Queries for numbers.

use std::collections::BTreeMap;

use wharf_signal::{Interrupt, Labels, LogSource, Sample, Series};

use super::grid::Grid;
use super::{EvalError, Stats, binary, vector};
use crate::ast::{Expr, MetricExpr, RangeOp, VectorOp};
use crate::parser::ParseError;

/// When numbers are asked for, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub struct MetricParams {
    /// The first time.
    pub start: i64,
    /// The last, inclusive.
    pub end: i64,
    /// From one to the next; 0: only `start`, as a vector.
    pub step: i64,
    /// What `now` is in templates.
    pub now: i64,
}

/// What a query may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Series in the answer.
    pub max_series: usize,
    /// Steps of a range.
    pub max_steps: usize,
    /// Series that are held before they are aggregated.
    pub max_held_series: usize,
    /// Values at steps that are held, in all.
    pub max_points: usize,
    /// Values of lines that are held, for quantiles.
    pub max_held_values: usize,
}

impl Default for Limits {
    /// Loki's 500 series and 11,000 steps; the others keep a query below some 100 MB.
    fn default() -> Self {
        Self {
            max_series: 500,
            max_steps: 11_000,
            max_held_series: 50_000,
            max_points: 2_000_000,
            max_held_values: 4_000_000,
        }
    }
}

/// Numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricResult {
    /// One number without labels.
    Scalar(Sample),
    /// One value of each series.
    Vector(Vec<(Labels, Sample)>),
    /// Values over time, ordered by labels.
    Matrix(Vec<Series>),
}

/// Asks for numbers.
///
/// # Errors
/// The query is one for lines, lines could not be read as it wants, a limit is reached, the store failed, or `interrupt` said so.
pub fn metric_query(
    source: &dyn LogSource,
    expr: &Expr,
    params: &MetricParams,
    limits: &Limits,
    interrupt: &dyn Interrupt,
) -> Result<(MetricResult, Stats), EvalError> {
    let Expr::Metric(metric) = expr else {
        return Err(ParseError::whole(
            "log queries are not supported as an instant query type, please change your query to a range query type",
        )
        .into());
    };
    let instant = params.step <= 0;
    let steps = if instant { 1 } else { steps(params, limits)? };
    let mut evaluator = Evaluator {
        source,
        params,
        limits,
        interrupt,
        steps,
        stats: Stats::default(),
    };
    let result = match evaluator.eval(metric)? {
        Operand::Number(v) if instant => MetricResult::Scalar(evaluator.sample(0, v)),
        Operand::Number(v) => evaluator.matrix(evaluator.constant(v))?,
        Operand::Grid(grid) if instant => {
            MetricResult::Vector(evaluator.vector(grid, sorts(metric))?)
        }
        Operand::Grid(grid) => evaluator.matrix(grid)?,
    };
    Ok((result, evaluator.stats))
}

fn steps(params: &MetricParams, limits: &Limits) -> Result<usize, EvalError> {
    let length = i128::from(params.end) - i128::from(params.start);
    if length < 0 {
        return Err(EvalError::Limit("the end is before the start".to_owned()));
    }
    let steps = length / i128::from(params.step) + 1;
    match usize::try_from(steps) {
        Ok(steps) if steps <= limits.max_steps => Ok(steps),
        _ => Err(EvalError::Limit(format!(
            "exceeded maximum resolution of {} points per time series. Try increasing the value of the step parameter",
            limits.max_steps
        ))),
    }
}

/// Whether the order of the values was asked for.
fn sorts(metric: &MetricExpr) -> bool {
    match metric {
        MetricExpr::Vector(vector) => {
            matches!(vector.op, VectorOp::Sort | VectorOp::SortDesc) || sorts(&vector.of)
        }
        MetricExpr::Binary(binary) => sorts(&binary.left) || sorts(&binary.right),
        MetricExpr::LabelReplace(replace) => sorts(&replace.of),
        _ => false,
    }
}

pub(super) struct Evaluator<'e> {
    pub(super) source: &'e dyn LogSource,
    pub(super) params: &'e MetricParams,
    pub(super) limits: &'e Limits,
    pub(super) interrupt: &'e dyn Interrupt,
    pub(super) steps: usize,
    pub(super) stats: Stats,
}

enum Operand {
    Number(f64),
    Grid(Grid),
}

impl Evaluator<'_> {
    fn eval(&mut self, metric: &MetricExpr) -> Result<Operand, EvalError> {
        self.interrupt.check()?;
        Ok(Operand::Grid(match metric {
            MetricExpr::Literal(value) => return Ok(Operand::Number(*value)),
            MetricExpr::VectorLiteral(value) => self.constant(*value),
            MetricExpr::Range(range) => self.range(range, None)?,
            MetricExpr::Vector(aggregation) => {
                let additive = |op| {
                    matches!(
                        op,
                        RangeOp::Bytes
                            | RangeOp::BytesRate
                            | RangeOp::Sum
                            | RangeOp::Rate
                            | RangeOp::Count
                    )
                };
                let grid = match &*aggregation.of {
                    // A sum of sums: the inner ones need no more labels than the outer.
                    MetricExpr::Range(range)
                        if aggregation.op == VectorOp::Sum
                            && additive(range.op)
                            && range.grouping.is_none() =>
                    {
                        self.range(range, Some(&aggregation.grouping))?
                    }
                    of => self.grid(of)?,
                };
                vector::aggregate(aggregation, grid)?
            }
            MetricExpr::LabelReplace(replace) => {
                let grid = self.grid(&replace.of)?;
                vector::replace_label(replace, grid)?
            }
            MetricExpr::Binary(expr) => match (self.eval(&expr.left)?, self.eval(&expr.right)?) {
                (Operand::Grid(left), Operand::Grid(right)) => binary::vectors(expr, left, right)?,
                (Operand::Grid(grid), Operand::Number(v)) => {
                    binary::with_number(expr, grid, v, false)
                }
                (Operand::Number(v), Operand::Grid(grid)) => {
                    binary::with_number(expr, grid, v, true)
                }
                (Operand::Number(a), Operand::Number(b)) => {
                    return Ok(Operand::Number(binary::arithmetic(expr.op, a, b)));
                }
            },
        }))
    }

    fn grid(&mut self, metric: &MetricExpr) -> Result<Grid, EvalError> {
        Ok(match self.eval(metric)? {
            Operand::Grid(grid) => grid,
            Operand::Number(v) => self.constant(v),
        })
    }

    /// The same number at each step.
    fn constant(&self, v: f64) -> Grid {
        Grid {
            series: vec![Labels::empty()],
            steps: vec![vec![(0, v)]; self.steps],
        }
    }

    fn sample(&self, step: usize, v: f64) -> Sample {
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        let nanos = self
            .params
            .step
            .max(0)
            .saturating_mul(step)
            .saturating_add(self.params.start);
        let t = nanos.div_euclid(1_000_000);
        Sample { t, v }
    }

    fn too_many(&self) -> EvalError {
        EvalError::Limit(format!(
            "maximum of series ({}) reached for a single query; consider reducing query cardinality by adding more specific \
stream selectors, reducing the time range, or aggregating results with functions like sum(), count() or topk()",
            self.limits.max_series
        ))
    }

    fn vector(&self, grid: Grid, sorted: bool) -> Result<Vec<(Labels, Sample)>, EvalError> {
        let values = grid.steps.into_iter().next().unwrap_or_default();
        if values.len() > self.limits.max_series {
            return Err(self.too_many());
        }
        let mut vector: Vec<_> = values
            .into_iter()
            .map(|(series, v)| (grid.series[series as usize].clone(), self.sample(0, v)))
            .collect();
        if !sorted {
            vector.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        Ok(vector)
    }

    fn matrix(&self, grid: Grid) -> Result<MetricResult, EvalError> {
        let mut series: BTreeMap<&Labels, Vec<Sample>> = BTreeMap::new();
        for (step, values) in grid.steps.iter().enumerate() {
            for (id, v) in values {
                let samples = series.entry(&grid.series[*id as usize]).or_default();
                samples.push(self.sample(step, *v));
            }
            if series.len() > self.limits.max_series {
                return Err(self.too_many());
            }
        }
        let series = series.into_iter().map(|(labels, samples)| Series {
            labels: labels.clone(),
            samples,
        });
        Ok(MetricResult::Matrix(series.collect()))
    }
}
