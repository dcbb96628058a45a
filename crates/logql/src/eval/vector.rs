//! Aggregations of vectors.

use std::collections::HashMap;

use wharf_signal::{Labels, NAME};

use super::EvalError;
use super::grid::{Grid, Index};
use crate::ast::{Grouping, LabelReplace, VectorAggregation, VectorOp};
use crate::stage::label_filter::whole;

impl Grouping {
    /// The labels of the group that a series belongs to.
    fn labels_of(&self, labels: &Labels) -> Labels {
        let named = |name: &str| self.labels.iter().any(|label| label == name);
        if self.without {
            labels.without(|name| named(name) || name == NAME)
        } else {
            labels.only(named)
        }
    }
}

struct Group {
    value: f64,
    mean: f64,
    count: f64,
}

/// Aggregates each step.
pub(super) fn aggregate(aggregation: &VectorAggregation, grid: Grid) -> Result<Grid, EvalError> {
    let mut groups = Index::default();
    let mut group_of = Vec::with_capacity(grid.series.len());
    for labels in &grid.series {
        let group = aggregation.grouping.labels_of(labels);
        group_of.push(groups.of(group, usize::MAX)?);
    }
    let op = aggregation.op;
    if matches!(
        op,
        VectorOp::TopK
            | VectorOp::BottomK
            | VectorOp::ApproxTopK
            | VectorOp::Sort
            | VectorOp::SortDesc
    ) {
        let steps = grid.steps.into_iter();
        let order = |step| order(aggregation, &group_of, step);
        return Ok(Grid {
            steps: steps.map(order).collect(),
            series: grid.series,
        });
    }
    let mut out = Grid::new(grid.steps.len());
    for (step, values) in grid.steps.iter().enumerate() {
        let mut found: HashMap<u32, Group> = HashMap::new();
        let mut ids = Vec::new();
        for (series, v) in values {
            let id = group_of[*series as usize];
            match found.get_mut(&id) {
                Some(group) => group.add(op, *v),
                None => {
                    ids.push(id);
                    found.insert(id, Group::new(op, *v));
                }
            }
        }
        let values = ids
            .into_iter()
            .filter_map(|id| Some((id, found.get(&id)?.value(op))));
        out.steps[step] = values.collect();
    }
    out.series = groups.series;
    Ok(out)
}

impl Group {
    fn new(op: VectorOp, v: f64) -> Self {
        let spread = matches!(op, VectorOp::Stddev | VectorOp::Stdvar);
        Self {
            value: if spread { 0.0 } else { v },
            mean: v,
            count: 1.0,
        }
    }

    fn add(&mut self, op: VectorOp, v: f64) {
        self.count += 1.0;
        match op {
            VectorOp::Sum => self.value += v,
            VectorOp::Max if self.value < v || self.value.is_nan() => self.value = v,
            VectorOp::Min if self.value > v || self.value.is_nan() => self.value = v,
            VectorOp::Avg => self.mean += (v - self.mean) / self.count,
            VectorOp::Stddev | VectorOp::Stdvar => {
                let delta = v - self.mean;
                self.mean += delta / self.count;
                self.value += delta * (v - self.mean);
            }
            _ => {}
        }
    }

    fn value(&self, op: VectorOp) -> f64 {
        match op {
            VectorOp::Avg => self.mean,
            VectorOp::Count => self.count,
            VectorOp::Stddev => (self.value / self.count).sqrt(),
            VectorOp::Stdvar => self.value / self.count,
            _ => self.value,
        }
    }
}

/// The values of a step by size, and of each group the first ones only where a number of them is asked for.
fn order(
    aggregation: &VectorAggregation,
    group_of: &[u32],
    mut step: Vec<(u32, f64)>,
) -> Vec<(u32, f64)> {
    let ascending = matches!(aggregation.op, VectorOp::BottomK | VectorOp::Sort);
    step.sort_by(|(_, a), (_, b)| {
        // What is no number comes last.
        let order = a.is_nan().cmp(&b.is_nan());
        let by_size = if ascending {
            a.total_cmp(b)
        } else {
            b.total_cmp(a)
        };
        order.then(by_size)
    });
    if !aggregation.op.has_parameter() {
        return step;
    }
    let mut taken: HashMap<u32, usize> = HashMap::new();
    step.retain(|(series, _)| {
        let count = taken.entry(group_of[*series as usize]).or_default();
        *count += 1;
        *count <= aggregation.parameter
    });
    step
}

/// Sets a label of each series by an expression over another.
pub(super) fn replace_label(replace: &LabelReplace, mut grid: Grid) -> Result<Grid, EvalError> {
    let regex = whole(&replace.regex).map_err(crate::parser::ParseError::whole)?;
    for labels in &mut grid.series {
        let Some(captures) = regex.captures(labels.value(&replace.from)) else {
            continue;
        };
        let mut value = String::new();
        captures.expand(&replace.replacement, &mut value);
        let mut edit = labels.edit();
        edit.set(&replace.to, value);
        *labels = edit.build();
    }
    Ok(grid)
}
