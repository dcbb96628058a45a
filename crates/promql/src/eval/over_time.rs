//! Functions of range vectors.

use wharf_signal::{Labels, Sample};

use super::notes::Note;
use super::rate::{self, Kind};
use super::row::{Grid, Row, has_same_labels};
use super::select::{Ranged, Window};
use super::statistics::{Mean, Sum, quantile, regression, variance};
use super::{Evaluator, statistics};
use crate::ast::Call;
use crate::error::EvalError;

/// The name endings of counters.
const COUNTERS: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];

impl<'a> Evaluator<'a> {
    /// A call of a function that has a range vector among its arguments.
    pub(super) fn over_time(&mut self, call: &'a Call, grid: Grid) -> Result<Vec<Row>, EvalError> {
        let name = call.function.name;
        let mut ranged = None;
        let mut scalars = Vec::new();
        for arg in &call.args {
            if arg.value_type() == crate::ast::ValueType::Matrix {
                ranged = Some(Ranged::new(arg)?);
            } else {
                scalars.push(self.scalar(arg, grid)?);
            }
        }
        let ranged = ranged.ok_or_else(|| EvalError::invalid("expected a range vector"))?;
        let held = self.budget.held();
        let mut rows = self.windows(call, ranged, grid, &scalars)?;
        self.budget.set(held)?;
        if matches!(name, "rate" | "increase") {
            for row in &rows {
                let metric = row.labels.name();
                if !metric.is_empty() && !COUNTERS.iter().any(|end| metric.ends_with(end)) {
                    let note = Note::NotACounter(metric.to_owned());
                    let about = call.args[0].unwrapped();
                    self.note(note, about);
                }
            }
        }
        if name == "absent_over_time" {
            return Ok(self.absent_over_time(call, &rows, grid));
        }
        if !matches!(name, "last_over_time" | "first_over_time") {
            for row in &mut rows {
                self.renamed(row);
            }
        }
        if !self.delayed_name_removal && has_same_labels(&rows) {
            return Err(EvalError::same_labels());
        }
        Ok(rows)
    }

    fn windows(
        &mut self,
        call: &'a Call,
        ranged: Ranged<'a>,
        grid: Grid,
        scalars: &[Vec<f64>],
    ) -> Result<Vec<Row>, EvalError> {
        let scalar = |index: usize, step: usize| {
            let values = scalars.get(index);
            values
                .and_then(|v| v.get(step))
                .copied()
                .unwrap_or(f64::NAN)
        };
        let kind = |is_counter, is_rate| Kind {
            is_counter,
            is_rate,
        };
        let mut run = |apply: &mut dyn FnMut(&Window<'_>) -> Option<f64>| {
            self.over_windows(ranged, grid, apply)
        };
        match call.function.name {
            "rate" => run(&mut |w| rate::extrapolated(w, kind(true, true))),
            "increase" => run(&mut |w| rate::extrapolated(w, kind(true, false))),
            "delta" => run(&mut |w| rate::extrapolated(w, kind(false, false))),
            "irate" => run(&mut |w| rate::latest(w, kind(true, true))),
            "idelta" => run(&mut |w| rate::latest(w, kind(false, false))),
            "resets" => run(&mut |w| Some(count(w.falls.len()))),
            "changes" => run(&mut |w| Some(changes(w.samples))),
            "avg_over_time" => run(&mut |w| Some(average(w.samples))),
            "sum_over_time" => run(&mut |w| Some(sum(w.samples))),
            "count_over_time" => run(&mut |w| Some(count(w.samples.len()))),
            "min_over_time" => run(&mut |w| extreme(w.samples, |new, old| new < old).map(|s| s.v)),
            "max_over_time" => run(&mut |w| extreme(w.samples, |new, old| new > old).map(|s| s.v)),
            "ts_of_min_over_time" => {
                run(&mut |w| extreme(w.samples, |new, old| new <= old).map(time_of))
            }
            "ts_of_max_over_time" => {
                run(&mut |w| extreme(w.samples, |new, old| new >= old).map(time_of))
            }
            "first_over_time" => run(&mut |w| w.samples.first().map(|s| s.v)),
            "last_over_time" => run(&mut |w| w.samples.last().map(|s| s.v)),
            "ts_of_first_over_time" => run(&mut |w| w.samples.first().copied().map(time_of)),
            "ts_of_last_over_time" => run(&mut |w| w.samples.last().copied().map(time_of)),
            "absent_over_time" | "present_over_time" => run(&mut |_| Some(1.0)),
            "stdvar_over_time" => run(&mut |w| Some(variance(w.samples))),
            "stddev_over_time" => run(&mut |w| Some(variance(w.samples).sqrt())),
            "mad_over_time" => run(&mut |w| Some(deviation(w.samples))),
            "deriv" => run(&mut |w| {
                let first = w.samples.first().filter(|_| w.samples.len() > 1)?;
                Some(regression(w.samples, first.t).0)
            }),
            "predict_linear" => run(&mut |w| {
                let (slope, now) = (w.samples.len() > 1).then(|| regression(w.samples, w.at))?;
                Some(slope * scalar(0, w.step) + now)
            }),
            "quantile_over_time" => {
                let mut buffer = Vec::new();
                let mut wrong = None;
                let rows = run(&mut |w| {
                    let q = scalar(0, w.step);
                    if !(0.0..=1.0).contains(&q) {
                        wrong = Some(q);
                    }
                    buffer.clear();
                    buffer.extend(w.samples.iter().map(|s| s.v));
                    Some(quantile(q, &mut buffer))
                });
                if let Some(q) = wrong {
                    self.note(Note::InvalidQuantile(q), call.args[0].unwrapped());
                }
                rows
            }
            "double_exponential_smoothing" => {
                let mut wrong = None;
                let rows = run(&mut |w| {
                    let (smoothing, trend) = (scalar(0, w.step), scalar(1, w.step));
                    for (name, factor) in [("smoothing", smoothing), ("trend", trend)] {
                        if factor <= 0.0 || factor >= 1.0 {
                            let short = if name == "trend" { "tf" } else { "sf" };
                            wrong.get_or_insert(format!(
                                "invalid {name} factor. Expected: 0 < {short} < 1, got: {factor:.6}"
                            ));
                        }
                    }
                    smoothed(w.samples, smoothing, trend)
                })?;
                match wrong {
                    Some(message) => Err(EvalError::invalid(message)),
                    None => Ok(rows),
                }
            }
            other => Err(EvalError::invalid(format!("unknown function {other}"))),
        }
    }

    /// 1 at every step at which there is no sample.
    fn absent_over_time(&self, call: &Call, rows: &[Row], grid: Grid) -> Vec<Row> {
        let labels = match call.args[0].unwrapped() {
            crate::ast::Expr::Range(range) => range.selector.absent_labels(),
            _ => Labels::empty(),
        };
        super::absent::where_absent(labels, rows, grid)
    }
}

#[expect(clippy::cast_precision_loss, reason = "as many as fit into memory")]
fn count(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "times are floats in PromQL")]
fn time_of(sample: Sample) -> f64 {
    sample.t as f64 / 1000.0
}

fn changes(samples: &[Sample]) -> f64 {
    #[expect(clippy::float_cmp, reason = "any difference is a change")]
    let differ =
        |pair: &&[Sample]| pair[0].v != pair[1].v && !(pair[0].v.is_nan() && pair[1].v.is_nan());
    count(samples.windows(2).filter(differ).count())
}

fn sum(samples: &[Sample]) -> f64 {
    let mut sum = Sum::default();
    for sample in samples {
        sum.add(sample.v);
    }
    if sum.sum.is_infinite() {
        sum.sum
    } else {
        sum.total()
    }
}

fn average(samples: &[Sample]) -> f64 {
    let Some((first, rest)) = samples.split_first() else {
        return f64::NAN;
    };
    let mut mean = Mean::of(first.v);
    for sample in rest {
        mean.add(sample.v);
    }
    mean.value()
}

/// The sample that no newer one beats; `beats` gets the newer one first.
fn extreme(samples: &[Sample], beats: impl Fn(f64, f64) -> bool) -> Option<Sample> {
    let mut best = *samples.first()?;
    for sample in samples {
        if beats(sample.v, best.v) || best.v.is_nan() {
            best = *sample;
        }
    }
    Some(best)
}

/// The median of the distances from the median.
fn deviation(samples: &[Sample]) -> f64 {
    let mut values: Vec<f64> = samples.iter().map(|s| s.v).collect();
    if values.iter().any(|v| v.is_nan()) {
        return f64::NAN;
    }
    let median = statistics::quantile(0.5, &mut values);
    values.iter_mut().for_each(|v| *v = (*v - median).abs());
    statistics::quantile(0.5, &mut values)
}

/// Double exponential smoothing.
fn smoothed(samples: &[Sample], smoothing: f64, trend_factor: f64) -> Option<f64> {
    let [first, second, ..] = samples else {
        return None;
    };
    let (mut before, mut now) = (0.0, first.v);
    let mut trend = second.v - first.v;
    for (index, sample) in samples.iter().enumerate().skip(1) {
        let scaled = smoothing * sample.v;
        if index > 1 {
            trend = trend_factor * (now - before) + (1.0 - trend_factor) * trend;
        }
        let rest = (1.0 - smoothing) * (now + trend);
        (before, now) = (now, scaled + rest);
    }
    Some(now)
}
