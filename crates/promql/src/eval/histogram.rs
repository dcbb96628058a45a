//! Classic histograms: `histogram_quantile` and `histogram_fraction` of series with `le`.

use std::collections::HashMap;

use wharf_signal::Labels;

use super::Evaluator;
use super::notes::{Monotonicity, Note};
use super::row::{Grid, Row, is_present, merge_same_labels};
use crate::ast::{Call, Expr};
use crate::error::EvalError;

/// Differences between buckets below this are taken for rounding.
const TOLERANCE: f64 = 1e-12;

const LE: &str = "le";

/// How many observations are up to a bound.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    bound: f64,
    count: f64,
}

/// The series of one histogram.
struct Histogram {
    labels: Labels,
    drop_name: bool,
    /// Bounds and rows, ordered by bound.
    series: Vec<(f64, usize)>,
}

impl<'a> Evaluator<'a> {
    pub(super) fn histogram_quantile(
        &mut self,
        call: &'a Call,
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        let [quantile, vector] = &call.args[..] else {
            return Err(EvalError::invalid(
                "histogram_quantile() takes two arguments",
            ));
        };
        let quantiles = self.scalar(quantile, grid)?;
        let rows = self.vector(vector, grid)?;
        let wrong = quantiles.iter().rfind(|q| !(0.0..=1.0).contains(*q));
        if let Some(q) = wrong {
            self.note(Note::InvalidQuantile(*q), quantile.unwrapped());
        }
        let delayed = self.delayed_name_removal;
        let mut forced: Option<Monotonicity> = None;
        let results = self.over_buckets(&rows, vector, grid, |histogram, step, buckets| {
            let (value, correction) = bucket_quantile(quantiles[step], buckets);
            if let Some((from, to, difference)) = correction {
                let metric = if delayed { histogram.labels.name() } else { "" };
                let at = grid.time(step);
                let new = Monotonicity {
                    metric: metric.to_owned(),
                    from,
                    to,
                    difference,
                    count: 1,
                    first: at,
                    last: at,
                };
                forced = Some(match forced.take() {
                    None => new,
                    Some(old) => Monotonicity {
                        from: old.from.min(from),
                        to: old.to.max(to),
                        difference: old.difference.max(difference),
                        count: old.count + 1,
                        first: old.first.min(at),
                        last: old.last.max(at),
                        ..old
                    },
                });
            }
            value
        })?;
        if let Some(forced) = forced {
            self.note(Note::Monotonicity(forced), vector.unwrapped());
        }
        Ok(results)
    }

    pub(super) fn histogram_fraction(
        &mut self,
        call: &'a Call,
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        let [lower, upper, vector] = &call.args[..] else {
            return Err(EvalError::invalid(
                "histogram_fraction() takes three arguments",
            ));
        };
        let (lower, upper) = (self.scalar(lower, grid)?, self.scalar(upper, grid)?);
        let rows = self.vector(vector, grid)?;
        self.over_buckets(&rows, vector, grid, |_, step, buckets| {
            bucket_fraction(lower[step], upper[step], buckets)
        })
    }

    /// Calculates a value of each histogram's buckets at each step.
    fn over_buckets(
        &mut self,
        rows: &[Row],
        about: &Expr,
        grid: Grid,
        mut calculate: impl FnMut(&Histogram, usize, &mut Vec<Bucket>) -> f64,
    ) -> Result<Vec<Row>, EvalError> {
        let histograms = self.histograms(rows, about);
        let mut results = Vec::with_capacity(histograms.len());
        let mut buckets = Vec::new();
        for histogram in &histograms {
            let mut row = Row::new(histogram.labels.clone(), histogram.drop_name);
            for step in 0..grid.steps {
                buckets.clear();
                for (bound, index) in &histogram.series {
                    let count = rows[*index].at(step);
                    if is_present(count) {
                        let bound = *bound;
                        buckets.push(Bucket { bound, count });
                    }
                }
                if !buckets.is_empty() {
                    row.push(step, calculate(histogram, step, &mut buckets));
                }
            }
            self.budget
                .work(histogram.series.len().saturating_mul(grid.steps))?;
            self.budget.take(row.values.len())?;
            self.renamed(&mut row);
            results.push(row);
        }
        merge_same_labels(results)
    }

    /// Series that differ in nothing but `le`, ordered by it.
    fn histograms(&mut self, rows: &[Row], about: &Expr) -> Vec<Histogram> {
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut histograms: Vec<Histogram> = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let le = row.labels.value(LE);
            let Some(bound) = parse_bound(le) else {
                let label = le.to_owned();
                let metric = match self.delayed_name_removal {
                    true => row.labels.name().to_owned(),
                    false => String::new(),
                };
                self.note(Note::BadBucket { label, metric }, about.unwrapped());
                continue;
            };
            let labels = row.labels.without(|name| name == LE);
            let place = *places.entry(labels).or_insert_with_key(|labels| {
                histograms.push(Histogram {
                    labels: labels.clone(),
                    drop_name: row.drop_name,
                    series: Vec::new(),
                });
                histograms.len() - 1
            });
            histograms[place].series.push((bound, index));
        }
        for histogram in &mut histograms {
            let order = |a: f64, b: f64| a.partial_cmp(&b).unwrap_or(std::cmp::Ordering::Equal);
            histogram.series.sort_by(|a, b| order(a.0, b.0));
        }
        histograms
    }
}

/// The bound that `le` names, as Go reads a number.
fn parse_bound(le: &str) -> Option<f64> {
    let lower = le.to_ascii_lowercase();
    let lower = lower.strip_prefix('+').unwrap_or(&lower);
    if lower.is_empty() || lower.starts_with('+') {
        return None;
    }
    lower.parse().ok()
}

/// Adds up buckets with the same bound.
fn coalesce(buckets: &mut Vec<Bucket>) {
    buckets.dedup_by(|next, kept| {
        #[expect(clippy::float_cmp, reason = "the same bound written in two ways")]
        let same = next.bound == kept.bound;
        if same {
            kept.count += next.count;
        }
        same
    });
}

/// Whether two counts differ by rounding only.
fn almost_equal(one: f64, other: f64) -> bool {
    #[expect(clippy::float_cmp, reason = "infinities have no difference")]
    if one == other || (one.is_nan() && other.is_nan()) {
        return true;
    }
    let sum = one.abs() + other.abs();
    let difference = (one - other).abs();
    if one == 0.0 || other == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

/// From which bucket to which counts fell, and by how much at most.
type Correction = (f64, f64, f64);

/// Raises counts that are below those of lower bounds. What differs by rounding is corrected without a word.
fn make_monotonic(buckets: &mut [Bucket]) -> Option<Correction> {
    let mut correction: Option<Correction> = None;
    let (first, rest) = buckets.split_first_mut()?;
    let mut before = first.count;
    for bucket in rest {
        let count = bucket.count;
        #[expect(clippy::float_cmp, reason = "nothing to correct")]
        if count == before {
            continue;
        }
        if almost_equal(before, count) {
            bucket.count = before;
        } else if count < before {
            bucket.count = before;
            let (from, to, difference) =
                correction.unwrap_or((f64::INFINITY, f64::NEG_INFINITY, 0.0));
            correction = Some((
                from.min(bucket.bound),
                to.max(bucket.bound),
                difference.max(before - count),
            ));
        } else {
            before = count;
        }
    }
    correction
}

/// The bound below which a share `q` of the observations is, linear within a bucket.
fn bucket_quantile(q: f64, buckets: &mut Vec<Bucket>) -> (f64, Option<Correction>) {
    if q.is_nan() {
        return (f64::NAN, None);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if q > 1.0 {
        return (f64::INFINITY, None);
    }
    if buckets
        .last()
        .is_none_or(|last| last.bound != f64::INFINITY)
    {
        return (f64::NAN, None);
    }
    coalesce(buckets);
    let correction = make_monotonic(buckets);
    let value = match &buckets[..] {
        [.., below, last] if last.count != 0.0 => {
            let rank = q * last.count;
            let inner = buckets.len() - 1;
            let index = buckets[..inner].partition_point(|b| b.count < rank || b.count.is_nan());
            let found = buckets[index];
            if index == inner {
                below.bound
            } else if index == 0 && found.bound <= 0.0 {
                found.bound
            } else if index == 0 {
                found.bound * (rank / found.count)
            } else {
                let before = buckets[index - 1];
                let share = (rank - before.count) / (found.count - before.count);
                before.bound + (found.bound - before.bound) * share
            }
        }
        _ => f64::NAN,
    };
    (value, correction)
}

/// The share of the observations between two bounds, linear within a bucket.
fn bucket_fraction(lower: f64, upper: f64, buckets: &mut Vec<Bucket>) -> f64 {
    if buckets
        .last()
        .is_none_or(|last| last.bound != f64::INFINITY)
    {
        return f64::NAN;
    }
    coalesce(buckets);
    let count = buckets.last().map_or(0.0, |last| last.count);
    if count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let lowest = buckets.first().map_or(0.0, |first| first.bound);
    let mut start = if lowest <= 0.0 {
        f64::NEG_INFINITY
    } else {
        0.0
    };
    let mut rank = 0.0;
    let (mut lower_rank, mut upper_rank) = (None, None);
    for (index, bucket) in buckets.iter().enumerate() {
        if index > 0 {
            start = buckets[index - 1].bound;
        }
        let within = |value: f64| {
            if start == f64::NEG_INFINITY {
                return bucket.count;
            }
            rank + (bucket.count - rank) * (value - start) / (bucket.bound - start)
        };
        for (value, found) in [(lower, &mut lower_rank), (upper, &mut upper_rank)] {
            if found.is_some() {
                continue;
            }
            if start >= value {
                *found = Some(rank);
            } else if bucket.bound > value {
                *found = Some(within(value));
            }
        }
        if lower_rank.is_some() && upper_rank.is_some() {
            break;
        }
        rank = bucket.count;
    }
    let capped =
        |rank: Option<f64>| rank.map_or(count, |rank| if rank > count { count } else { rank });
    (capped(upper_rank) - capped(lower_rank)) / count
}
