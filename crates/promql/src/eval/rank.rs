//! Aggregations that look at all values of a group at once: `topk`, `bottomk`, `limitk`, `quantile`.

use super::Evaluator;
use super::aggregate::Group;
use super::notes::Note;
use super::row::{Grid, Row, is_present};
use super::statistics::quantile;
use crate::ast::{AggregateOp, Expr};
use crate::error::EvalError;

/// A value of which series.
type Ranked = (f64, usize);

/// The best so far, the worst of them at the front, as a binary heap: which of equal ones goes is what Prometheus's heap
/// makes of it.
struct Best {
    heap: Vec<Ranked>,
    room: usize,
    /// Whether the greatest values are the best.
    greatest: bool,
}

impl Best {
    /// Whether one is worse than another. What is not a number is worse than all.
    fn is_worse(&self, one: f64, other: f64) -> bool {
        one.is_nan()
            || if self.greatest {
                one < other
            } else {
                one > other
            }
    }

    fn offer(&mut self, value: f64, member: usize) {
        if self.heap.len() < self.room {
            self.heap.push((value, member));
            self.rise(self.heap.len() - 1);
            return;
        }
        let Some((worst, _)) = self.heap.first().copied() else {
            return;
        };
        let is_better = if self.greatest {
            worst < value
        } else {
            worst > value
        };
        if is_better || (worst.is_nan() && !value.is_nan()) {
            self.heap[0] = (value, member);
            self.sink();
        }
    }

    fn rise(&mut self, mut index: usize) {
        while index > 0 {
            let parent = (index - 1) / 2;
            if !self.is_worse(self.heap[index].0, self.heap[parent].0) {
                return;
            }
            self.heap.swap(index, parent);
            index = parent;
        }
    }

    fn sink(&mut self) {
        let mut index = 0;
        loop {
            let mut child = 2 * index + 1;
            if child >= self.heap.len() {
                return;
            }
            let right = child + 1;
            if right < self.heap.len() && self.is_worse(self.heap[right].0, self.heap[child].0) {
                child = right;
            }
            if !self.is_worse(self.heap[child].0, self.heap[index].0) {
                return;
            }
            self.heap.swap(index, child);
            index = child;
        }
    }

    /// The best first.
    fn sorted(&mut self) -> &[Ranked] {
        let greatest = self.greatest;
        self.heap.sort_by(|(a, _), (b, _)| {
            let order = a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal);
            let order = if greatest { order.reverse() } else { order };
            a.is_nan().cmp(&b.is_nan()).then(order)
        });
        &self.heap
    }
}

impl Evaluator<'_> {
    /// Some series of each group, as many as the parameter says.
    pub(super) fn ranked(
        &mut self,
        op: AggregateOp,
        parameter: &[f64],
        rows: &[Row],
        groups: &[Group],
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        if parameter.iter().any(|k| k.is_nan()) {
            return Err(EvalError::invalid("Parameter value is NaN"));
        }
        let most = parameter.iter().copied().fold(f64::MIN, f64::max);
        let least = parameter.iter().copied().fold(f64::MAX, f64::min);
        if most < 1.0 {
            return Ok(Vec::new());
        }
        // The limits of 64 bits.
        for (value, beyond, how) in [
            (least, least <= -9_223_372_036_854_775_808.0, "underflows"),
            (most, most >= 9_223_372_036_854_775_808.0, "overflows"),
        ] {
            if beyond {
                let value = crate::text::format_short(value);
                return Err(EvalError::invalid(format!(
                    "Scalar value {value} {how} int64"
                )));
            }
        }
        let mut results: Vec<Row> = rows
            .iter()
            .map(|row| Row::new(row.labels.clone(), row.drop_name))
            .collect();
        let mut order: Vec<usize> = Vec::new();
        let mut best = Best {
            heap: Vec::new(),
            room: 0,
            greatest: op == AggregateOp::Topk,
        };
        for group in groups {
            for (step, k) in parameter.iter().enumerate().take(grid.steps) {
                if *k < 1.0 {
                    continue;
                }
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "at least 1; beyond the count of series it makes no difference"
                )]
                let room = (*k as usize).min(rows.len());
                best.room = room;
                best.heap.clear();
                for member in &group.members {
                    let value = rows[*member].at(step);
                    if !is_present(value) {
                        continue;
                    }
                    if op == AggregateOp::Limitk {
                        if best.heap.len() == room {
                            break;
                        }
                        best.heap.push((value, *member));
                    } else {
                        best.offer(value, *member);
                    }
                }
                let chosen = if op == AggregateOp::Limitk {
                    &best.heap[..]
                } else {
                    best.sorted()
                };
                for (value, member) in chosen {
                    results[*member].push(step, *value);
                    if grid.steps == 1 {
                        order.push(*member);
                    }
                }
                self.budget.work(group.members.len())?;
            }
        }
        if grid.steps == 1 {
            let in_order = order.into_iter().map(|member| {
                let nothing = Row::new(wharf_signal::Labels::empty(), false);
                std::mem::replace(&mut results[member], nothing)
            });
            return Ok(in_order.collect());
        }
        Ok(results)
    }

    /// A quantile of each group.
    pub(super) fn quantiles(
        &mut self,
        about: Option<&Expr>,
        parameter: &[f64],
        rows: &[Row],
        groups: &[Group],
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        if let Some(about) = about.map(Expr::unwrapped) {
            let most = parameter.iter().copied().fold(f64::MIN, f64::max);
            let least = parameter.iter().copied().fold(f64::MAX, f64::min);
            if parameter.iter().any(|q| q.is_nan()) {
                self.note(Note::InvalidQuantile(f64::NAN), about);
            }
            if most > 1.0 {
                self.note(Note::InvalidQuantile(most), about);
            }
            if least < 0.0 {
                self.note(Note::InvalidQuantile(least), about);
            }
        }
        let mut results = Vec::with_capacity(groups.len());
        let mut values = Vec::new();
        for group in groups {
            let mut row = Row::new(group.labels.clone(), group.drop_name);
            for (step, q) in parameter.iter().enumerate().take(grid.steps) {
                values.clear();
                let members = group.members.iter().map(|member| rows[*member].at(step));
                values.extend(members.filter(|value| is_present(*value)));
                if !values.is_empty() {
                    row.push(step, quantile(*q, &mut values));
                }
                self.budget.work(group.members.len())?;
            }
            self.budget.take(row.values.len())?;
            results.push(row);
        }
        Ok(results)
    }
}
