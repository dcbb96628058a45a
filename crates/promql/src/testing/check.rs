//! Whether an answer is the one that is expected.

use std::collections::HashMap;

use wharf_signal::{Labels, Sample, Series};

use super::script::{Eval, Expected, Message, When};
use super::series::Point;
use crate::{Element, Evaluated, Value};

/// How far two numbers may be apart, of their sum.
const TOLERANCE: f64 = 1e-6;

/// Whether two numbers are the same but for rounding.
#[must_use]
pub(super) fn almost_equal(one: f64, other: f64) -> bool {
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

/// Checks an answer; gives its value back if it was to be one.
pub(super) fn answer(
    eval: &Eval,
    answer: Result<Evaluated, String>,
) -> Result<Option<Value>, String> {
    let answer = match (answer, &eval.expect.fail) {
        (Err(why), Some(expected)) if expected.matches(&why) => return Ok(None),
        (Err(why), Some(expected)) => {
            return Err(format!("failed with {why:?}, expected {expected:?}"));
        }
        (Err(why), None) => return Err(format!("failed: {why}")),
        (Ok(_), Some(_)) => return Err("expected to fail".to_owned()),
        (Ok(answer), None) => answer,
    };
    let expect = &eval.expect;
    annotations("warning", &expect.warn, expect.no_warn, &answer.warnings)?;
    annotations("info", &expect.info, expect.no_info, &answer.infos)?;
    value(eval, &answer.value)?;
    Ok(Some(answer.value))
}

fn annotations(
    kind: &str,
    expected: &[Message],
    expect_none: bool,
    found: &[String],
) -> Result<(), String> {
    if expect_none && !found.is_empty() {
        return Err(format!("unexpected {kind}: {found:?}"));
    }
    for message in expected {
        if !found.iter().any(|text| message.matches(text)) {
            return Err(format!("expected {kind} {message:?}, found {found:?}"));
        }
    }
    for text in found {
        if !expected.is_empty() && !expected.iter().any(|message| message.matches(text)) {
            return Err(format!("unexpected {kind} {text:?}"));
        }
    }
    Ok(())
}

fn value(eval: &Eval, value: &Value) -> Result<(), String> {
    match (value, &eval.expect.value) {
        (Value::Scalar(sample), Expected::Scalar(expected)) => {
            if almost_equal(sample.v, *expected) {
                return Ok(());
            }
            Err(format!("expected {expected}, got {}", sample.v))
        }
        (Value::String { v, .. }, Expected::String(expected)) => {
            if v == expected {
                return Ok(());
            }
            Err(format!("expected {expected:?}, got {v:?}"))
        }
        (Value::Vector(found), Expected::Series(expected)) => {
            vector(found, expected, eval.expect.ordered)
        }
        (Value::Matrix(found), Expected::Series(expected)) => {
            let times = match (eval.expect.times, eval.when) {
                (Some(times), _) => times,
                (None, When::Range { start, end, step }) => (start, end, step),
                (None, When::Instant(at)) => (at, at, 1),
            };
            matrix(found, expected, times)
        }
        (found, expected) => Err(format!("expected {expected:?}, got {found:?}")),
    }
}

fn vector(
    found: &[Element],
    expected: &[(Labels, Vec<Point>)],
    ordered: bool,
) -> Result<(), String> {
    // Of two lines for the same series the last counts.
    let places: HashMap<&Labels, usize> = expected
        .iter()
        .enumerate()
        .map(|(place, (labels, _))| (labels, place))
        .collect();
    let mut seen = vec![false; expected.len()];
    for (index, element) in found.iter().enumerate() {
        let labels = &element.labels;
        let value = element.sample.v;
        let place = *places
            .get(labels)
            .ok_or_else(|| format!("unexpected {labels} in the answer, with {value}"))?;
        if ordered && place != index {
            return Err(format!("{labels} is at {index}, expected at {place}"));
        }
        let Some(Point::Value(wanted)) = expected[place].1.first() else {
            return Err(format!("no value is expected for {labels}"));
        };
        if !almost_equal(value, *wanted) {
            return Err(format!("expected {wanted} for {labels}, got {value}"));
        }
        seen[place] = true;
    }
    for (labels, place) in places {
        if !seen[place] {
            return Err(format!("{labels} is not in the answer"));
        }
    }
    Ok(())
}

fn matrix(
    found: &[Series],
    expected: &[(Labels, Vec<Point>)],
    (start, end, step): (i64, i64, i64),
) -> Result<(), String> {
    if !found.is_sorted_by(|a, b| a.labels <= b.labels) {
        return Err("the series are not ordered by their labels".to_owned());
    }
    let mut wanted: HashMap<&Labels, Vec<Sample>> = HashMap::new();
    for (labels, points) in expected {
        let times = (0i64..).map(|index| start.saturating_add(index.saturating_mul(step)));
        let samples = points
            .iter()
            .zip(times)
            .filter_map(|(point, t)| match point {
                Point::Value(v) => Some(Sample { t, v: *v }),
                _ => None,
            });
        let samples: Vec<Sample> = samples.collect();
        if samples.iter().any(|sample| sample.t > end) {
            return Err(format!("{labels} has more values than the range has steps"));
        }
        wanted.insert(labels, samples);
    }
    for series in found {
        let labels = &series.labels;
        let samples = wanted
            .remove(labels)
            .ok_or_else(|| format!("unexpected {labels} in the answer"))?;
        let same = samples.len() == series.samples.len()
            && samples
                .iter()
                .zip(&series.samples)
                .all(|(a, b)| a.t == b.t && almost_equal(a.v, b.v));
        if !same {
            let found = &series.samples;
            return Err(format!("expected {samples:?} for {labels}, got {found:?}"));
        }
    }
    match wanted.into_keys().next() {
        Some(labels) => Err(format!("{labels} is not in the answer")),
        None => Ok(()),
    }
}

/// Checks the middle of a range that is asked around the time of an instant query.
pub(super) fn middle(
    eval: &Eval,
    instant: &Value,
    range: Evaluated,
    at: i64,
) -> Result<(), String> {
    let Value::Matrix(series) = range.value else {
        return Err("the answer is no matrix".to_owned());
    };
    let elements = series.into_iter().filter_map(|series| {
        let sample = *series.samples.iter().find(|sample| sample.t == at)?;
        let labels = series.labels;
        Some(Element { labels, sample })
    });
    let elements: Vec<Element> = elements.collect();
    match (instant, elements.first()) {
        (Value::Scalar(_), Some(element)) => value(eval, &Value::Scalar(element.sample)),
        (Value::Scalar(_), None) => Err("there is no value".to_owned()),
        _ => value(eval, &Value::Vector(elements)),
    }
}
