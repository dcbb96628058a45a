//! `and`, `or`, `unless`.

use std::collections::HashMap;

use wharf_signal::Labels;

use super::Evaluator;
use super::matching::signature;
use super::row::{ABSENT, Grid, Row, merge_same_labels};
use crate::ast::{BinaryOp, Matching};
use crate::error::EvalError;

/// At which steps each group of matching labels has a sample.
fn presence(rows: &[Row], matching: &Matching, grid: Grid) -> HashMap<Labels, Vec<bool>> {
    let mut presence: HashMap<Labels, Vec<bool>> = HashMap::with_capacity(rows.len());
    for row in rows {
        let signature = signature(&row.labels, matching);
        let steps = presence
            .entry(signature)
            .or_insert_with(|| vec![false; grid.steps]);
        for (step, _) in row.present() {
            steps[step] = true;
        }
    }
    presence
}

impl Evaluator<'_> {
    pub(super) fn set_operation(
        &mut self,
        op: BinaryOp,
        matching: &Matching,
        mut lhs: Vec<Row>,
        mut rhs: Vec<Row>,
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        // `or` keeps all of the left; the others filter it.
        let (others, filtered) = if op == BinaryOp::Or {
            (&lhs, &mut rhs)
        } else {
            (&rhs, &mut lhs)
        };
        // A bool a step and group is an eighth of a sample.
        let room = others.len().saturating_mul(grid.steps) / 8;
        self.budget.take(room)?;
        self.budget.work(room)?;
        let presence = presence(others, matching, grid);
        let wanted = op == BinaryOp::And;
        for row in filtered.iter_mut() {
            let steps = presence.get(&signature(&row.labels, matching));
            row.update(|step, value| {
                let matched = steps.is_some_and(|steps| steps[step]);
                if matched == wanted { value } else { ABSENT }
            });
            row.trim();
        }
        if op == BinaryOp::Or {
            lhs.extend(rhs);
        }
        lhs.retain(|row| !row.is_empty());
        merge_same_labels(lhs)
    }
}
