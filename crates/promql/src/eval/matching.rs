//! Binary operations between two vectors: each pair of series that matches is calculated over all steps at once.
//!
//! Where several series of a side have the same matching labels, which is allowed as long as no two of them have a sample at
//! the same step, each step is looked at.

use std::collections::HashMap;

use wharf_signal::{Labels, NAME};

use super::Evaluator;
use super::arithmetic::combine;
use super::row::{Grid, Row, is_of_metric, is_present, merge_same_labels};
use crate::ast::{Binary, Cardinality, Matching};
use crate::error::EvalError;

/// The labels by which a series is matched.
pub(super) fn signature(labels: &Labels, matching: &Matching) -> Labels {
    let named = |name: &str| matching.labels.iter().any(|label| label == name);
    if matching.on {
        labels.only(named)
    } else {
        labels.without(|name| name == NAME || named(name))
    }
}

/// Series with the same matching labels.
#[derive(Default)]
struct Side {
    many: Vec<usize>,
    one: Vec<usize>,
}

/// An operation with its sides as "many" and "one": of one to one, the left is the many.
struct Operation<'r> {
    binary: &'r Binary,
    matching: &'r Matching,
    many: &'r [Row],
    one: &'r [Row],
}

impl Operation<'_> {
    fn is_swapped(&self) -> bool {
        self.matching.cardinality == Cardinality::OneToMany
    }

    fn combine(&self, many: f64, one: f64) -> f64 {
        let (lhs, rhs) = if self.is_swapped() {
            (one, many)
        } else {
            (many, one)
        };
        combine(self.binary.op, lhs, rhs, lhs, self.binary.return_bool)
    }

    /// The labels of the result of two series.
    fn labels(&self, many: &Labels, one: &Labels, drop_name: bool) -> Labels {
        let matching = self.matching;
        let named = |name: &str| matching.labels.iter().any(|label| label == name);
        let mut labels = many.clone();
        if drop_name || self.binary.op.changes_metric() {
            labels = labels.without(is_of_metric);
        }
        if matching.cardinality == Cardinality::OneToOne {
            labels = if matching.on {
                labels.only(named)
            } else {
                labels.without(named)
            };
        }
        if matching.include.is_empty() {
            return labels;
        }
        let mut labels = labels.edit();
        for name in &matching.include {
            labels.set(name.as_str(), one.value(name));
        }
        labels.build()
    }

    fn duplicate(&self, one: &Row, other: &Row) -> EvalError {
        let group = signature(&one.labels, self.matching);
        let side = if self.is_swapped() { "left" } else { "right" };
        let mut two = [one.labels.to_string(), other.labels.to_string()];
        two.sort();
        let two = two.join(", ");
        EvalError::invalid(format!(
            "found duplicate series for the match group {group} on the {side} hand-side of the operation: [{two}];many-to-many matching not allowed: matching labels must be unique on one side"
        ))
    }
}

impl Evaluator<'_> {
    pub(super) fn match_vectors(
        &mut self,
        binary: &Binary,
        matching: &Matching,
        lhs: &[Row],
        rhs: &[Row],
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        let is_swapped = matching.cardinality == Cardinality::OneToMany;
        let (many, one) = if is_swapped { (rhs, lhs) } else { (lhs, rhs) };
        let operation = Operation {
            binary,
            matching,
            many,
            one,
        };
        let mut places: HashMap<Labels, usize> = HashMap::with_capacity(many.len().max(one.len()));
        let mut sides: Vec<Side> = Vec::new();
        for (rows, is_many) in [(many, true), (one, false)] {
            for (index, row) in rows.iter().enumerate() {
                let next = sides.len();
                let place = *places
                    .entry(signature(&row.labels, matching))
                    .or_insert(next);
                if place == next {
                    sides.push(Side::default());
                }
                let side = &mut sides[place];
                if is_many {
                    side.many.push(index);
                } else {
                    side.one.push(index);
                }
            }
        }
        let has_pairs = sides
            .iter()
            .any(|s| !s.many.is_empty() && !s.one.is_empty());
        if self.is_of_histograms(binary, has_pairs) {
            return Ok(Vec::new());
        }
        self.refuse_duplicates(&operation, &sides, grid)?;
        let mut results = Vec::with_capacity(many.len());
        for side in &sides {
            self.match_side(&operation, side, grid, &mut results)?;
        }
        merge_same_labels(results)
    }

    /// Of the "one" side no two series with the same matching labels may have a sample at the same step, whether they match
    /// anything or not, unless the other side is empty then.
    fn refuse_duplicates(
        &mut self,
        operation: &Operation<'_>,
        sides: &[Side],
        grid: Grid,
    ) -> Result<(), EvalError> {
        // The first step, and of that the first series that comes second.
        let mut found: Option<(usize, usize, usize)> = None;
        for side in sides.iter().filter(|side| side.one.len() > 1) {
            self.budget
                .work(side.one.len().saturating_mul(grid.steps))?;
            let until = found.map_or(grid.steps, |(step, ..)| step + 1);
            for step in 0..until {
                let present = |index: &&usize| is_present(operation.one[**index].at(step));
                let mut there = side.one.iter().filter(present);
                let (Some(first), Some(second)) = (there.next(), there.next()) else {
                    continue;
                };
                let mut many = operation.many.iter();
                if many.any(|row| is_present(row.at(step))) {
                    let here = (step, *second, *first);
                    found = Some(found.map_or(here, |other| other.min(here)));
                    break;
                }
            }
        }
        match found {
            Some((_, second, first)) => {
                Err(operation.duplicate(&operation.one[second], &operation.one[first]))
            }
            None => Ok(()),
        }
    }

    /// The results of series with the same matching labels.
    fn match_side(
        &mut self,
        operation: &Operation<'_>,
        side: &Side,
        grid: Grid,
        results: &mut Vec<Row>,
    ) -> Result<(), EvalError> {
        let return_bool = operation.binary.return_bool;
        let drop_name = return_bool && !self.delayed_name_removal;
        let is_one_to_one = operation.matching.cardinality == Cardinality::OneToOne;
        // At which steps a result of the same labels is there already: whether it is kept or not.
        let mut taken: HashMap<Labels, Vec<bool>> = HashMap::new();
        let may_clash = side.many.len() > 1;
        // A bool a step and label set is an eighth of a sample.
        let sets = if is_one_to_one { 1 } else { side.many.len() };
        let room = if may_clash {
            sets.saturating_mul(grid.steps) / 8
        } else {
            0
        };
        self.budget.take(room)?;
        for many in side.many.iter().map(|index| &operation.many[*index]) {
            for one in side.one.iter().map(|index| &operation.one[*index]) {
                let labels = operation.labels(&many.labels, &one.labels, drop_name);
                let mut row = Row::new(labels, return_bool);
                let start = many.first.max(one.first);
                let end = (many.first + many.values.len()).min(one.first + one.values.len());
                self.budget.work(end.saturating_sub(start))?;
                let clash = if is_one_to_one {
                    Labels::empty()
                } else {
                    row.labels.clone()
                };
                let mut taken = may_clash.then(|| {
                    let nothing = || vec![false; grid.steps];
                    taken.entry(clash).or_insert_with(nothing)
                });
                for step in start..end {
                    let (left, right) = (many.at(step), one.at(step));
                    if !is_present(left) || !is_present(right) {
                        continue;
                    }
                    if let Some(taken) = &mut taken
                        && std::mem::replace(&mut taken[step], true)
                    {
                        let why = if is_one_to_one {
                            "many-to-one matching must be explicit (group_left/group_right)"
                        } else {
                            "grouping labels must ensure unique matches"
                        };
                        let message = format!("multiple matches for labels: {why}");
                        return Err(EvalError::invalid(message));
                    }
                    let value = operation.combine(left, right);
                    if is_present(value) {
                        row.push(step, value);
                    }
                }
                if !row.is_empty() {
                    self.budget.take(row.values.len())?;
                    results.push(row);
                }
            }
        }
        self.budget.give(room);
        Ok(())
    }
}
