//! Aggregations that make one series of a group: each input series is added to its group over all steps at once.

use std::collections::HashMap;

use wharf_signal::{Labels, NAME};

use super::Evaluator;
use super::row::{Grid, Row};
use super::statistics::{Mean, Sum};
use crate::ast::{Aggregate, AggregateOp};
use crate::error::EvalError;
use crate::text::format_plain;

/// What a group of `count_values` takes, in samples: its labels, twice, and the first of its counts.
const GROUP_SIZE: usize = 24;

/// Series that belong together.
pub(super) struct Group {
    /// The labels of the result.
    pub(super) labels: Labels,
    /// Which of the input's rows.
    pub(super) members: Vec<usize>,
    pub(super) drop_name: bool,
}

/// The labels of the group that a series belongs to.
fn group_labels(labels: &Labels, grouping: &[String], without: bool) -> Labels {
    let named = |name: &str| grouping.iter().any(|label| label == name);
    if without {
        labels.without(|name| name == NAME || named(name))
    } else if grouping.is_empty() {
        Labels::empty()
    } else {
        labels.only(named)
    }
}

/// Groups in the order of their first series.
fn groups(rows: &[Row], aggregate: &Aggregate) -> Vec<Group> {
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let labels = group_labels(&row.labels, &aggregate.grouping, aggregate.without);
        let place = *places.entry(labels).or_insert_with_key(|labels| {
            let labels = labels.clone();
            groups.push(Group {
                labels,
                members: Vec::new(),
                drop_name: false,
            });
            groups.len() - 1
        });
        groups[place].members.push(index);
        groups[place].drop_name |= row.drop_name;
    }
    groups
}

/// What is known of a group at one step, before the first value of which it is `None`.
trait Accumulator: Clone {
    fn begin(value: f64) -> Self;
    fn add(&mut self, value: f64);
    fn end(&self) -> f64;
}

impl Accumulator for Sum {
    fn begin(value: f64) -> Self {
        Self {
            sum: value,
            rest: 0.0,
        }
    }

    fn add(&mut self, value: f64) {
        Sum::add(self, value);
    }

    fn end(&self) -> f64 {
        self.total()
    }
}

impl Accumulator for Mean {
    fn begin(value: f64) -> Self {
        Self::of(value)
    }

    fn add(&mut self, value: f64) {
        Mean::add(self, value);
    }

    fn end(&self) -> f64 {
        self.value()
    }
}

#[derive(Clone)]
struct Min(f64);

impl Accumulator for Min {
    fn begin(value: f64) -> Self {
        Self(value)
    }

    fn add(&mut self, value: f64) {
        if self.0 > value || self.0.is_nan() {
            self.0 = value;
        }
    }

    fn end(&self) -> f64 {
        self.0
    }
}

#[derive(Clone)]
struct Max(f64);

impl Accumulator for Max {
    fn begin(value: f64) -> Self {
        Self(value)
    }

    fn add(&mut self, value: f64) {
        if self.0 < value || self.0.is_nan() {
            self.0 = value;
        }
    }

    fn end(&self) -> f64 {
        self.0
    }
}

#[derive(Clone)]
struct Count(f64);

impl Accumulator for Count {
    fn begin(_: f64) -> Self {
        Self(1.0)
    }

    fn add(&mut self, _: f64) {
        self.0 += 1.0;
    }

    fn end(&self) -> f64 {
        self.0
    }
}

#[derive(Clone)]
struct One;

impl Accumulator for One {
    fn begin(_: f64) -> Self {
        Self
    }

    fn add(&mut self, _: f64) {}

    fn end(&self) -> f64 {
        1.0
    }
}

/// Welford's method.
#[derive(Clone)]
struct Variance {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Accumulator for Variance {
    fn begin(value: f64) -> Self {
        Self {
            count: 1.0,
            mean: value,
            squares: if value.is_finite() { 0.0 } else { f64::NAN },
        }
    }

    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let delta = value - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (value - self.mean);
    }

    fn end(&self) -> f64 {
        self.squares / self.count
    }
}

/// One accumulator a step.
fn accumulate<A: Accumulator>(rows: &[Row], group: &Group, grid: Grid) -> Row {
    let mut states: Vec<Option<A>> = vec![None; grid.steps];
    for member in &group.members {
        for (step, value) in rows[*member].present() {
            match &mut states[step] {
                Some(state) => state.add(value),
                empty => *empty = Some(A::begin(value)),
            }
        }
    }
    let mut row = Row::new(group.labels.clone(), group.drop_name);
    for (step, state) in states.iter().enumerate() {
        if let Some(state) = state {
            row.push(step, state.end());
        }
    }
    row
}

impl<'a> Evaluator<'a> {
    pub(super) fn aggregate(
        &mut self,
        aggregate: &'a Aggregate,
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        let op = aggregate.op;
        let parameter = match &aggregate.parameter {
            Some(parameter) if op != AggregateOp::CountValues => self.scalar(parameter, grid)?,
            _ => Vec::new(),
        };
        let rows = self.vector(&aggregate.expr, grid)?;
        if op == AggregateOp::CountValues {
            return self.count_values(aggregate, &rows);
        }
        let groups = groups(&rows, aggregate);
        match op {
            AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::Limitk => {
                return self.ranked(op, &parameter, &rows, &groups, grid);
            }
            AggregateOp::Quantile => {
                let about = aggregate.parameter.as_deref();
                return self.quantiles(about, &parameter, &rows, &groups, grid);
            }
            _ => {}
        }
        let each = match op {
            AggregateOp::Sum => accumulate::<Sum>,
            AggregateOp::Avg => accumulate::<Mean>,
            AggregateOp::Min => accumulate::<Min>,
            AggregateOp::Max => accumulate::<Max>,
            AggregateOp::Count => accumulate::<Count>,
            AggregateOp::Group => accumulate::<One>,
            AggregateOp::Stddev | AggregateOp::Stdvar => accumulate::<Variance>,
            other => {
                let message = format!("{}() is not available", other.as_str());
                return Err(EvalError::invalid(message));
            }
        };
        let mut results = Vec::with_capacity(groups.len());
        for group in &groups {
            self.budget.take(grid.steps)?;
            let members = group.members.iter().map(|m| rows[*m].values.len());
            self.budget.work(members.sum())?;
            let mut row = each(&rows, group, grid);
            if op == AggregateOp::Stddev {
                row.update(|_, value| value.sqrt());
            }
            results.push(row);
        }
        Ok(results)
    }

    /// How many series have a value, for each value that there is.
    fn count_values(&mut self, aggregate: &Aggregate, rows: &[Row]) -> Result<Vec<Row>, EvalError> {
        let parameter = aggregate.parameter.as_deref();
        let parameter = parameter.ok_or_else(|| EvalError::invalid("expected a label"))?;
        let label = super::label_name(parameter)
            .map_err(|text| EvalError::invalid(format!("invalid label name {text}")))?;
        let mut grouping = aggregate.grouping.clone();
        if !aggregate.without {
            grouping.push(label.to_owned());
        }
        let held = self.budget.held();
        let mut places: HashMap<Labels, usize> = HashMap::new();
        // Steps and counts are kept apart until all series are seen: they come out of order.
        let mut counts: Vec<(Labels, std::collections::BTreeMap<usize, f64>)> = Vec::new();
        for row in rows {
            let mut before: Option<(u64, usize)> = None;
            for (step, value) in row.present() {
                let place = match before {
                    Some((bits, place)) if bits == value.to_bits() => place,
                    _ => {
                        let mut labels = row.labels.edit();
                        labels.set(label, format_plain(value));
                        let labels = group_labels(&labels.build(), &grouping, aggregate.without);
                        *places.entry(labels).or_insert_with_key(|labels| {
                            counts.push((labels.clone(), Default::default()));
                            counts.len() - 1
                        })
                    }
                };
                before = Some((value.to_bits(), place));
                *counts[place].1.entry(step).or_insert(0.0) += 1.0;
            }
            self.budget.work(row.values.len())?;
            // Every value may have made a group.
            let room = counts.len().saturating_mul(GROUP_SIZE);
            self.budget.set(held.saturating_add(room))?;
        }
        let mut results = Vec::with_capacity(counts.len());
        for (labels, steps) in counts {
            let mut row = Row::new(labels, false);
            for (step, count) in steps {
                row.push(step, count);
            }
            self.budget.take(row.values.len())?;
            results.push(row);
        }
        Ok(results)
    }
}
