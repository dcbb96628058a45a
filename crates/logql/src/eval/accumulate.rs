//! Values of a window that slides over time.
//!
//! Values are gathered between the borders of windows, and what was gathered is merged as the window moves on: each is merged a
//! constant number of times, however much the windows overlap (two stacks, of which one holds the sums of what follows).

use std::collections::VecDeque;

use crate::ast::RangeOp;

/// What is known of some values in a row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Gathered {
    Count(u64),
    Sum(f64),
    Avg {
        sum: f64,
        count: u64,
    },
    Min(f64),
    Max(f64),
    /// Welford's, merged as Chan, Golub and LeVeque do it.
    Spread {
        count: f64,
        mean: f64,
        squares: f64,
    },
    First(f64),
    Last(f64),
    /// `resets` is what was lost when a counter began anew.
    Counter {
        count: u64,
        first: f64,
        last: f64,
        resets: f64,
    },
}

impl Gathered {
    fn one(op: RangeOp, unwraps: bool, v: f64) -> Self {
        match op {
            RangeOp::Count | RangeOp::Absent => Self::Count(1),
            RangeOp::Rate if !unwraps => Self::Count(1),
            RangeOp::Rate | RangeOp::Bytes | RangeOp::BytesRate | RangeOp::Sum => Self::Sum(v),
            RangeOp::Avg => Self::Avg { sum: v, count: 1 },
            RangeOp::Min => Self::Min(v),
            RangeOp::Max => Self::Max(v),
            RangeOp::Stdvar | RangeOp::Stddev => Self::Spread {
                count: 1.0,
                mean: v,
                squares: 0.0,
            },
            RangeOp::First => Self::First(v),
            // Quantiles are kept elsewhere.
            RangeOp::Last | RangeOp::Quantile => Self::Last(v),
            RangeOp::RateCounter => Self::Counter {
                count: 1,
                first: v,
                last: v,
                resets: 0.0,
            },
        }
    }

    /// Both, of which `later` comes after this.
    pub(super) fn merge(self, later: Self) -> Self {
        match (self, later) {
            (Self::Count(a), Self::Count(b)) => Self::Count(a + b),
            (Self::Sum(a), Self::Sum(b)) => Self::Sum(a + b),
            (Self::Avg { sum, count }, Self::Avg { sum: s, count: c }) => Self::Avg {
                sum: sum + s,
                count: count + c,
            },
            (Self::Min(a), Self::Min(b)) => Self::Min(if b < a || a.is_nan() { b } else { a }),
            (Self::Max(a), Self::Max(b)) => Self::Max(if b > a || a.is_nan() { b } else { a }),
            (
                Self::Spread {
                    count: n,
                    mean,
                    squares,
                },
                Self::Spread {
                    count: m,
                    mean: other,
                    squares: more,
                },
            ) => {
                let delta = other - mean;
                let count = n + m;
                Self::Spread {
                    count,
                    mean: mean + delta * m / count,
                    squares: squares + more + delta * delta * n * m / count,
                }
            }
            (Self::Last(_), Self::Last(b)) => Self::Last(b),
            (
                Self::Counter {
                    count,
                    first,
                    last,
                    resets,
                },
                Self::Counter {
                    count: more,
                    first: next,
                    last: end,
                    resets: lost,
                },
            ) => Self::Counter {
                count: count + more,
                first,
                last: end,
                resets: resets + lost + if next < last { last } else { 0.0 },
            },
            (first, _) => first,
        }
    }

    fn value(self, op: RangeOp, seconds: f64) -> f64 {
        let per_second = matches!(op, RangeOp::Rate | RangeOp::BytesRate);
        let value = match self {
            Self::Count(_) if op == RangeOp::Absent => 1.0,
            Self::Count(count) => count as f64,
            Self::Avg { sum, count } => sum / count as f64,
            Self::Spread { count, squares, .. } if op == RangeOp::Stddev => {
                (squares / count).sqrt()
            }
            Self::Spread { count, squares, .. } => squares / count,
            Self::Counter { count: 0 | 1, .. } => 0.0,
            Self::Counter {
                first,
                last,
                resets,
                ..
            } => (last - first + resets) / seconds,
            Self::Sum(v) | Self::Min(v) | Self::Max(v) | Self::First(v) | Self::Last(v) => v,
        };
        if per_second { value / seconds } else { value }
    }
}

/// What is done with the values of a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation {
    pub(super) op: RangeOp,
    pub(super) unwraps: bool,
    /// The window's length.
    pub(super) seconds: f64,
    pub(super) quantile: f64,
}

/// The window of one series.
#[derive(Debug)]
pub(super) enum Window {
    Sums(Sums),
    /// All values, each with the pane it is of.
    Values(VecDeque<(usize, f64)>),
}

/// Panes are numbered by time; each holds what lies between two borders.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// The oldest on top, each with everything up to the newest here.
    front: Vec<(usize, Gathered)>,
    /// Newer ones.
    back: Vec<(usize, Gathered)>,
    /// All of `back`.
    total: Option<Gathered>,
}

impl Window {
    pub(super) fn new(operation: &Operation) -> Self {
        if operation.op == RangeOp::Quantile {
            return Self::Values(VecDeque::new());
        }
        Self::Sums(Sums::default())
    }

    /// Adds a value, which is no older than any before.
    pub(super) fn add(&mut self, operation: &Operation, pane: usize, v: f64) {
        match self {
            Self::Values(values) => values.push_back((pane, v)),
            Self::Sums(_) => self.gather(pane, Gathered::one(operation.op, operation.unwraps, v)),
        }
    }

    /// The same for values that were gathered already; for quantiles there is no such thing.
    pub(super) fn gather(&mut self, pane: usize, one: Gathered) {
        let Self::Sums(sums) = self else { return };
        match sums.back.last_mut() {
            Some((last, gathered)) if *last == pane => *gathered = gathered.merge(one),
            _ => sums.back.push((pane, one)),
        }
        sums.total = Some(sums.total.map_or(one, |total| total.merge(one)));
    }

    /// Forgets the panes up to one, and returns how many values went that are counted as held.
    pub(super) fn forget(&mut self, up_to: usize) -> usize {
        let sums = match self {
            Self::Values(values) => {
                let before = values.len();
                while values.front().is_some_and(|(pane, _)| *pane <= up_to) {
                    values.pop_front();
                }
                return before - values.len();
            }
            Self::Sums(sums) => sums,
        };
        loop {
            if sums.front.is_empty() {
                if sums.back.first().is_none_or(|(pane, _)| *pane > up_to) {
                    return 0;
                }
                let mut total: Option<Gathered> = None;
                for (pane, gathered) in sums.back.drain(..).rev() {
                    let merged = total.map_or(gathered, |later| gathered.merge(later));
                    total = Some(merged);
                    sums.front.push((pane, merged));
                }
                sums.total = None;
            }
            match sums.front.last() {
                Some((pane, _)) if *pane <= up_to => drop(sums.front.pop()),
                _ => return 0,
            }
        }
    }

    /// The value now; none if there is nothing in the window.
    pub(super) fn value(&self, operation: &Operation) -> Option<f64> {
        match self {
            Self::Values(values) if values.is_empty() => None,
            Self::Values(values) => {
                let mut values: Vec<f64> = values.iter().map(|(_, v)| *v).collect();
                Some(quantile(operation.quantile, &mut values))
            }
            Self::Sums(sums) => {
                let front = sums.front.last().map(|(_, gathered)| *gathered);
                let all = match (front, sums.total) {
                    (Some(front), Some(back)) => front.merge(back),
                    (Some(one), None) | (None, Some(one)) => one,
                    (None, None) => return None,
                };
                Some(all.value(operation.op, operation.seconds))
            }
        }
    }
}

/// Between the two values next to it, in proportion, as Prometheus does it.
fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if q.is_nan() || values.is_empty() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    // What is no number comes first.
    values.sort_unstable_by(|a, b| b.is_nan().cmp(&a.is_nan()).then(a.total_cmp(b)));
    let rank = q * (values.len() - 1) as f64;
    let lower = rank.floor() as usize;
    let upper = (lower + 1).min(values.len() - 1);
    let weight = rank - rank.floor();
    values[lower] * (1.0 - weight) + values[upper] * weight
}
