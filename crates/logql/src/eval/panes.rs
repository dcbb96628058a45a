//! Windows over values that come in any order.
//!
//! What lies between the same borders of windows is gathered as it comes, and only at the end the windows are made of that. Only for
//! operations whose result does not depend on the order, down to the last bit: an answer does not change when a store puts its
//! blocks in order.

use super::accumulate::{Gathered, Operation, Window};
use super::grid::Grid;
use super::range::too_many_points;
use super::timeline::Place;
use super::{EvalError, Limits};
use crate::ast::RangeOp;

/// How two values become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// Numbers of lines.
    Count,
    /// Numbers of bytes, which are whole.
    Sum,
    Min,
    Max,
}

impl Sort {
    /// Which it is; none, if the order makes a difference.
    pub(super) fn of(operation: &Operation) -> Option<Self> {
        match operation.op {
            RangeOp::Count | RangeOp::Absent => Some(Self::Count),
            RangeOp::Rate if !operation.unwraps => Some(Self::Count),
            RangeOp::Bytes | RangeOp::BytesRate => Some(Self::Sum),
            RangeOp::Min => Some(Self::Min),
            RangeOp::Max => Some(Self::Max),
            _ => None,
        }
    }

    /// What a value adds.
    fn part(self, value: f64) -> f64 {
        match self {
            Self::Count => 1.0,
            Self::Sum | Self::Min | Self::Max => value,
        }
    }

    fn gathered(self, v: f64) -> Gathered {
        match self {
            // It was counted up from 0, one by one.
            Self::Count => Gathered::Count(v as u64),
            Self::Sum => Gathered::Sum(v),
            Self::Min => Gathered::Min(v),
            Self::Max => Gathered::Max(v),
        }
    }

    fn merge(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Count | Self::Sum => a + b,
            Self::Min => match Gathered::Min(a).merge(Gathered::Min(b)) {
                Gathered::Min(v) => v,
                _ => a,
            },
            Self::Max => match Gathered::Max(a).merge(Gathered::Max(b)) {
                Gathered::Max(v) => v,
                _ => a,
            },
        }
    }
}

/// What was gathered of all series.
pub(super) struct Panes<'l> {
    operation: Operation,
    sort: Sort,
    series: Vec<Gatherer>,
    /// The places by the number of their pane.
    places: Vec<Option<Place>>,
    steps: usize,
    held: usize,
    limits: &'l Limits,
}

/// What was gathered of one series.
#[derive(Default)]
struct Gatherer {
    /// Ordered by the number of the pane.
    panes: Vec<(u32, f64)>,
    /// The one that was met last.
    last: usize,
}

impl Gatherer {
    /// Adds a value; true if it is the first of its pane.
    fn add(&mut self, pane: u32, value: f64, sort: Sort) -> bool {
        if !matches!(self.panes.get(self.last), Some((of, _)) if *of == pane) {
            let found = self.panes.binary_search_by_key(&pane, |(of, _)| *of);
            let (Ok(at) | Err(at)) = found;
            self.last = at;
            if found.is_err() {
                self.panes.insert(at, (pane, value));
                return true;
            }
        }
        if let Some((_, all)) = self.panes.get_mut(self.last) {
            *all = sort.merge(*all, value);
        }
        false
    }
}

/// The number of a pane. From one to the next a window begins or ends, or both: later panes have greater numbers.
fn number(place: Place) -> usize {
    place.begun + place.ended
}

impl<'l> Panes<'l> {
    pub(super) fn new(operation: Operation, sort: Sort, steps: usize, limits: &'l Limits) -> Self {
        Self {
            operation,
            sort,
            series: Vec::new(),
            places: vec![None; 2 * steps + 1],
            steps,
            held: 0,
            limits,
        }
    }

    /// Adds a value of a series.
    pub(super) fn add(&mut self, id: u32, place: Place, value: f64) -> Result<(), EvalError> {
        let at = id as usize;
        if at >= self.series.len() {
            self.series.resize_with(at + 1, Gatherer::default);
        }
        let pane = number(place);
        if let Some(slot) = self.places.get_mut(pane) {
            *slot = Some(place);
        }
        // Steps are limited far below.
        let pane = u32::try_from(pane).unwrap_or(u32::MAX);
        if self.series[at].add(pane, self.sort.part(value), self.sort) {
            self.held += 1;
            if self.held > self.limits.max_points {
                return Err(too_many_points(self.limits));
            }
        }
        Ok(())
    }

    /// The values of all windows.
    pub(super) fn finish(self) -> Result<Grid, EvalError> {
        let mut grid = Grid::new(self.steps);
        let mut points = 0;
        for (id, gatherer) in (0..).zip(self.series) {
            let mut window = Window::new(&self.operation);
            let mut next = 0;
            let mut give = |window: &mut Window, next: &mut usize, before: usize| {
                while *next < before {
                    window.forget(*next);
                    let Some(value) = window.value(&self.operation) else {
                        *next = before;
                        break;
                    };
                    if let Some(values) = grid.steps.get_mut(*next) {
                        values.push((id, value));
                        points += 1;
                    }
                    *next += 1;
                }
                if points > self.limits.max_points {
                    return Err(too_many_points(self.limits));
                }
                Ok(())
            };
            for (pane, value) in gatherer.panes {
                let Some(Some(place)) = self.places.get(pane as usize) else {
                    continue;
                };
                give(&mut window, &mut next, place.ended)?;
                window.gather(place.begun, self.sort.gathered(value));
            }
            give(&mut window, &mut next, self.steps)?;
        }
        Ok(grid)
    }
}

#[cfg(test)]
mod tests {
    use super::super::timeline::Timeline;
    use super::super::windows::Windows;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_order_makes_no_difference(
            op in prop::sample::select(vec![RangeOp::Count, RangeOp::Rate, RangeOp::BytesRate, RangeOp::Absent, RangeOp::Min, RangeOp::Max]),
            step in 1i64..9,
            range in 1i64..30,
            steps in 1usize..6,
            values in prop::collection::vec((-60i64..90, 0u32..3, 0u8..100), 0..60),
        ) {
            let operation = Operation {
                op,
                unwraps: matches!(op, RangeOp::Min | RangeOp::Max),
                seconds: range as f64,
                quantile: 0.5,
            };
            let limits = Limits::default();
            let sort = Sort::of(&operation).expect("one of these");
            let mut panes = Panes::new(operation, sort, steps, &limits);
            let mut timeline = Timeline::new(10, step, range, steps);
            let mut sorted = values.clone();
            for (nanos, id, v) in values {
                if let Some(place) = timeline.place(nanos) {
                    panes.add(id, place, f64::from(v)).expect("room");
                }
            }
            sorted.sort_by_key(|(nanos, ..)| *nanos);
            let mut windows = Windows::new(operation, steps, &limits);
            for (nanos, id, v) in sorted {
                if let Some(place) = timeline.place(nanos) {
                    windows.add(id, place, f64::from(v)).expect("room");
                }
            }
            let mut expected = windows.finish().expect("room").steps;
            for values in &mut expected {
                values.sort_by_key(|(id, _)| *id);
            }
            prop_assert_eq!(panes.finish().expect("room").steps, expected);
        }
    }
}
