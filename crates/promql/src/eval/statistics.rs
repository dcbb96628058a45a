//! Sums, means, variances, quantiles and regressions, to the last bit as Prometheus calculates them.

use wharf_signal::Sample;

/// A sum with its compensation (Kahan's, in Neumaier's form).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    pub(super) sum: f64,
    pub(super) rest: f64,
}

impl Sum {
    #[inline]
    pub(super) fn add(&mut self, value: f64) {
        let total = self.sum + value;
        if total.is_infinite() {
            self.rest = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.rest += (self.sum - total) + value;
        } else {
            self.rest += (value - total) + self.sum;
        }
        self.sum = total;
    }

    #[inline]
    pub(super) fn total(self) -> f64 {
        self.sum + self.rest
    }
}

/// A mean: of the sum as long as that does not overflow, then calculated step by step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mean {
    state: Sum,
    count: f64,
    incremental: bool,
}

impl Mean {
    pub(super) fn of(first: f64) -> Self {
        let state = Sum {
            sum: first,
            rest: 0.0,
        };
        Self {
            state,
            count: 1.0,
            incremental: false,
        }
    }

    #[inline]
    pub(super) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if !self.incremental {
            let mut next = self.state;
            next.add(value);
            if !next.sum.is_infinite() {
                self.state = next;
                return;
            }
            self.incremental = true;
            self.state.sum /= self.count - 1.0;
            self.state.rest /= self.count - 1.0;
        }
        let q = (self.count - 1.0) / self.count;
        self.state.sum *= q;
        self.state.rest *= q;
        self.state.add(value / self.count);
    }

    pub(super) fn value(self) -> f64 {
        let Sum { sum, rest } = self.state;
        if self.incremental {
            sum + rest
        } else {
            sum / self.count + rest / self.count
        }
    }
}

/// The variance of samples, with both of its sums compensated.
pub(super) fn variance(samples: &[Sample]) -> f64 {
    let mut count = 0.0;
    let (mut mean, mut squares) = (Sum::default(), Sum::default());
    for sample in samples {
        count += 1.0;
        let delta = sample.v - mean.total();
        mean.add(delta / count);
        squares.add(delta * (sample.v - mean.total()));
    }
    squares.total() / count
}

/// Sorts with what is not a number first.
pub(super) fn sort(values: &mut [f64]) {
    values.sort_unstable_by(|a, b| {
        let nan = b.is_nan().cmp(&a.is_nan());
        nan.then(a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal))
    });
}

/// A quantile, between two values weighted by how near they are. Sorts the values.
pub(super) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    sort(values);
    let last = values.len() - 1;
    #[expect(clippy::cast_precision_loss, reason = "as many as fit into memory")]
    let rank = q * last as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the last index"
    )]
    let lower = (rank.floor().max(0.0) as usize).min(last);
    let upper = (lower + 1).min(last);
    let weight = rank - rank.floor();
    values[lower] * (1.0 - weight) + values[upper] * weight
}

/// Slope and value at a time (in milliseconds) of the line with the least squares.
pub(super) fn regression(samples: &[Sample], at: i64) -> (f64, f64) {
    let Some(first) = samples.first() else {
        return (f64::NAN, f64::NAN);
    };
    let mut count = 0.0;
    let mut is_constant = true;
    let [mut xs, mut ys, mut xys, mut xxs] = [Sum::default(); 4];
    for (index, sample) in samples.iter().enumerate() {
        #[expect(clippy::float_cmp, reason = "any difference makes it a slope")]
        if index > 0 && sample.v != first.v {
            is_constant = false;
        }
        count += 1.0;
        #[expect(clippy::cast_precision_loss, reason = "differences of times are small")]
        let x = (sample.t - at) as f64 / 1e3;
        xs.add(x);
        ys.add(sample.v);
        xys.add(x * sample.v);
        xxs.add(x * x);
    }
    if is_constant {
        return if first.v.is_infinite() {
            (f64::NAN, f64::NAN)
        } else {
            (0.0, first.v)
        };
    }
    let (x, y, xy, xx) = (xs.total(), ys.total(), xys.total(), xxs.total());
    let covariance = xy - x * y / count;
    let slope = covariance / (xx - x * x / count);
    (slope, y / count - slope * x / count)
}
