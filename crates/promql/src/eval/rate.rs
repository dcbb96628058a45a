//! `rate`, `increase`, `delta`: extrapolated to the ends of the range. `irate`, `idelta`: of the last two samples.

use super::select::Window;

/// What is calculated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    /// It starts again from 0 where it falls, and is never below.
    pub(super) is_counter: bool,
    /// By second.
    pub(super) is_rate: bool,
}

#[expect(
    clippy::cast_precision_loss,
    reason = "durations are far below 2^53 milliseconds"
)]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

/// The change over the whole range.
pub(super) fn extrapolated(window: &Window<'_>, kind: Kind) -> Option<f64> {
    let (first, last) = match window.samples {
        [first, .., last] => (first, last),
        _ => return None,
    };
    let mut change = last.v - first.v;
    if kind.is_counter {
        for fall in window.falls {
            change += window.samples[fall - window.offset - 1].v;
        }
    }
    let mut to_start = seconds(first.t - (window.end - window.range));
    let mut to_end = seconds(window.end - last.t);
    let sampled = seconds(last.t - first.t);
    #[expect(clippy::cast_precision_loss, reason = "as many as fit into memory")]
    let average = sampled / (window.samples.len() - 1) as f64;
    // A sample further away than this from the end of the range is taken for the series' own end.
    let threshold = average * 1.1;
    if to_start >= threshold {
        to_start = average / 2.0;
    }
    if kind.is_counter {
        let mut to_zero = to_start;
        if change > 0.0 && first.v >= 0.0 {
            to_zero = sampled * (first.v / change);
        }
        if to_zero < to_start {
            to_start = to_zero;
        }
    }
    if to_end >= threshold {
        to_end = average / 2.0;
    }
    let mut factor = 1.0;
    if sampled != 0.0 {
        factor = (sampled + to_start + to_end) / sampled;
    }
    if kind.is_rate {
        factor /= seconds(window.range);
    }
    Some(change * factor)
}

/// The change between the last two samples.
pub(super) fn latest(window: &Window<'_>, kind: Kind) -> Option<f64> {
    let [.., before, last] = window.samples else {
        return None;
    };
    if last.t == before.t {
        return None;
    }
    let is_reset = kind.is_counter && last.v < before.v;
    let mut change = if is_reset { last.v } else { last.v - before.v };
    if kind.is_rate {
        change /= seconds(last.t - before.t);
    }
    Some(change)
}
