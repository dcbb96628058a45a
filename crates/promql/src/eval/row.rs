//! Series over the steps of an evaluation.
//!
//! A [`Row`] holds one value a step, from its first sample to its last. A step without a sample holds [`ABSENT`], the mark of
//! staleness: no calculation makes it, and no selector gives it.

use std::collections::HashMap;

use wharf_signal::{Labels, NAME};

use crate::error::EvalError;

/// No sample at this step.
pub(super) const ABSENT: f64 = wharf_signal::STALE;

/// Whether there is a sample.
#[inline]
pub(super) fn is_present(value: f64) -> bool {
    value.to_bits() != ABSENT.to_bits()
}

/// The times at which something is evaluated: at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    /// The first.
    pub(super) start: i64,
    /// Milliseconds between two; at least 1.
    pub(super) step: i64,
    /// How many.
    pub(super) steps: usize,
}

impl Grid {
    /// A single time.
    pub(super) fn once(at: i64) -> Self {
        Self {
            start: at,
            step: 1,
            steps: 1,
        }
    }

    /// The times from `start` to `end`, both included if they fit. None if `end` is before `start`.
    pub(super) fn new(start: i64, end: i64, step: i64) -> Option<Self> {
        let span = end.checked_sub(start).filter(|span| *span >= 0)?;
        let steps = usize::try_from(span / step.max(1)).ok()?.checked_add(1)?;
        Some(Self {
            start,
            step: step.max(1),
            steps,
        })
    }

    #[inline]
    pub(super) fn time(&self, index: usize) -> i64 {
        #[expect(
            clippy::cast_possible_wrap,
            reason = "below steps, which came from an i64"
        )]
        let index = index as i64;
        self.start + index * self.step
    }
}

/// One series.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) labels: Labels,
    /// Whether its metric's name is to go at the end of the evaluation.
    pub(super) drop_name: bool,
    /// The step of the first value.
    pub(super) first: usize,
    pub(super) values: Vec<f64>,
}

impl Row {
    pub(super) fn new(labels: Labels, drop_name: bool) -> Self {
        Self {
            labels,
            drop_name,
            first: 0,
            values: Vec::new(),
        }
    }

    /// The value at a step, or [`ABSENT`].
    #[inline]
    pub(super) fn at(&self, step: usize) -> f64 {
        let index = step.wrapping_sub(self.first);
        self.values.get(index).copied().unwrap_or(ABSENT)
    }

    /// Adds a value behind all others.
    #[inline]
    pub(super) fn push(&mut self, step: usize, value: f64) {
        if self.values.is_empty() {
            self.first = step;
        } else {
            while self.first + self.values.len() < step {
                self.values.push(ABSENT);
            }
        }
        self.values.push(value);
    }

    /// Steps and values that are there.
    pub(super) fn present(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        let values = self.values.iter().copied().enumerate();
        let present = values.filter(|(_, value)| is_present(*value));
        present.map(|(index, value)| (self.first + index, value))
    }

    /// Replaces every value that is there.
    pub(super) fn update(&mut self, change: impl Fn(usize, f64) -> f64) {
        for (index, value) in self.values.iter_mut().enumerate() {
            if is_present(*value) {
                *value = change(self.first + index, *value);
            }
        }
    }

    /// Takes away what is not there at either end.
    pub(super) fn trim(&mut self) {
        let Some(last) = self.values.iter().rposition(|v| is_present(*v)) else {
            self.values.clear();
            return;
        };
        self.values.truncate(last + 1);
        let before = self.values.iter().position(|v| is_present(*v));
        let before = before.unwrap_or_default();
        self.values.drain(..before);
        self.first += before;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Takes over another's values. False if both have one at the same step.
    fn absorb(&mut self, other: &Self) -> bool {
        let first = self.first.min(other.first);
        let end = (self.first + self.values.len()).max(other.first + other.values.len());
        let mut values = Vec::with_capacity(end - first);
        for step in first..end {
            let (one, two) = (self.at(step), other.at(step));
            if is_present(one) && is_present(two) {
                return false;
            }
            values.push(if is_present(one) { one } else { two });
        }
        self.first = first;
        self.values = values;
        true
    }
}

/// How many values rows hold.
pub(super) fn cells(rows: &[Row]) -> usize {
    rows.iter().map(|row| row.values.len()).sum()
}

/// The labels that say what a metric is: they go when the value becomes another.
pub(super) fn is_of_metric(name: &str) -> bool {
    matches!(name, NAME | "__type__" | "__unit__")
}

/// Whether two rows have the same labels.
pub(super) fn has_same_labels(rows: &[Row]) -> bool {
    match rows {
        [] | [_] => false,
        [one, two] => one.labels == two.labels,
        _ => {
            let mut seen = std::collections::HashSet::with_capacity(rows.len());
            !rows.iter().all(|row| seen.insert(row.labels.as_bytes()))
        }
    }
}

/// Makes one row of all that have the same labels.
///
/// # Errors
/// Two of them have a value at the same step.
pub(super) fn merge_same_labels(rows: Vec<Row>) -> Result<Vec<Row>, EvalError> {
    if !has_same_labels(&rows) {
        return Ok(rows);
    }
    let mut places: HashMap<Labels, usize> = HashMap::with_capacity(rows.len());
    let mut merged: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        match places.entry(row.labels.clone()) {
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(merged.len());
                merged.push(row);
            }
            std::collections::hash_map::Entry::Occupied(place) => {
                if !merged[*place.get()].absorb(&row) {
                    return Err(EvalError::same_labels());
                }
            }
        }
    }
    Ok(merged)
}
