//! Binary operations: between numbers, and between a vector and a number. Between vectors: [`super::matching`].

use super::Evaluator;
use super::notes::Note;
use super::row::{ABSENT, Grid, Row, merge_same_labels};
use crate::ast::{Binary, BinaryOp, ValueType};
use crate::error::EvalError;

/// What a comparison says; `None` if the operator is none.
pub(super) fn compare(op: BinaryOp, lhs: f64, rhs: f64) -> Option<bool> {
    #[expect(clippy::float_cmp, reason = "that is what is asked for")]
    Some(match op {
        BinaryOp::Equal => lhs == rhs,
        BinaryOp::NotEqual => lhs != rhs,
        BinaryOp::Greater => lhs > rhs,
        BinaryOp::Less => lhs < rhs,
        BinaryOp::GreaterEqual => lhs >= rhs,
        BinaryOp::LessEqual => lhs <= rhs,
        _ => return None,
    })
}

/// The result of an operator that calculates.
fn calculate(op: BinaryOp, lhs: f64, rhs: f64) -> f64 {
    match op {
        BinaryOp::Add => lhs + rhs,
        BinaryOp::Sub => lhs - rhs,
        BinaryOp::Mul => lhs * rhs,
        BinaryOp::Div => lhs / rhs,
        BinaryOp::Mod => lhs % rhs,
        BinaryOp::Pow => power(lhs, rhs),
        BinaryOp::Atan2 => lhs.atan2(rhs),
        _ => ABSENT,
    }
}

/// As in Go and C alike: 1 to anything is 1, and anything to 0.
fn power(base: f64, exponent: f64) -> f64 {
    base.powf(exponent)
}

/// The result for two samples: [`ABSENT`] if a comparison leaves them out. A comparison keeps `kept`, or gives 0 or 1.
#[inline]
pub(super) fn combine(op: BinaryOp, lhs: f64, rhs: f64, kept: f64, return_bool: bool) -> f64 {
    match compare(op, lhs, rhs) {
        None => calculate(op, lhs, rhs),
        Some(true) if return_bool => 1.0,
        Some(false) if return_bool => 0.0,
        Some(true) => kept,
        Some(false) => ABSENT,
    }
}

impl<'a> Evaluator<'a> {
    pub(super) fn scalar_binary(
        &mut self,
        binary: &'a Binary,
        grid: Grid,
    ) -> Result<Vec<f64>, EvalError> {
        let mut lhs = self.scalar(&binary.lhs, grid)?;
        let rhs = self.scalar(&binary.rhs, grid)?;
        for (left, right) in lhs.iter_mut().zip(rhs) {
            *left = combine(binary.op, *left, right, *left, true);
        }
        Ok(lhs)
    }

    pub(super) fn binary(&mut self, binary: &'a Binary, grid: Grid) -> Result<Vec<Row>, EvalError> {
        let scalar = |side: &crate::ast::Expr| side.value_type() == ValueType::Scalar;
        if scalar(&binary.rhs) {
            let rows = self.vector(&binary.lhs, grid)?;
            let numbers = self.scalar(&binary.rhs, grid)?;
            return self.with_scalar(binary, rows, &numbers, false);
        }
        if scalar(&binary.lhs) {
            let numbers = self.scalar(&binary.lhs, grid)?;
            let rows = self.vector(&binary.rhs, grid)?;
            return self.with_scalar(binary, rows, &numbers, true);
        }
        let lhs = self.vector(&binary.lhs, grid)?;
        let rhs = self.vector(&binary.rhs, grid)?;
        let Some(matching) = &binary.matching else {
            return Err(EvalError::invalid("vectors need a matching"));
        };
        if binary.op.is_set() {
            self.set_operation(binary.op, matching, lhs, rhs, grid)
        } else {
            self.match_vectors(binary, matching, &lhs, &rhs, grid)
        }
    }

    fn with_scalar(
        &mut self,
        binary: &Binary,
        mut rows: Vec<Row>,
        numbers: &[f64],
        scalar_is_left: bool,
    ) -> Result<Vec<Row>, EvalError> {
        let op = binary.op;
        if self.is_of_histograms(binary, !rows.is_empty()) {
            return Ok(Vec::new());
        }
        let changes_metric = op.changes_metric() || binary.return_bool;
        for row in &mut rows {
            row.update(|step, value| {
                let number = numbers.get(step).copied().unwrap_or(f64::NAN);
                if scalar_is_left {
                    combine(op, number, value, value, binary.return_bool)
                } else {
                    combine(op, value, number, value, binary.return_bool)
                }
            });
            row.trim();
            if changes_metric {
                self.renamed(row);
            }
        }
        rows.retain(|row| !row.is_empty());
        merge_same_labels(rows)
    }

    /// Whether it is an operator of native histograms, of which there are none: then it has no result.
    pub(super) fn is_of_histograms(&mut self, binary: &Binary, has_samples: bool) -> bool {
        let op = binary.op;
        let trims = matches!(op, BinaryOp::TrimLower | BinaryOp::TrimUpper);
        if trims && has_samples {
            let at = binary.lhs.position();
            self.notes.add(Note::FloatsInBinary(op.as_str()), at);
        }
        trims
    }
}
