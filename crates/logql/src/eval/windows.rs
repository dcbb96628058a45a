//! Windows over values that come in the order of time.

use super::accumulate::{Operation, Window};
use super::grid::Grid;
use super::range::too_many_points;
use super::timeline::Place;
use super::{EvalError, Limits};

/// The windows of all series.
pub(super) struct Windows<'l> {
    operation: Operation,
    windows: Vec<Option<Window>>,
    /// The series that have something in their window.
    active: Vec<u32>,
    grid: Grid,
    /// The next step that has to be given.
    next: usize,
    points: usize,
    held: usize,
    limits: &'l Limits,
}

impl<'l> Windows<'l> {
    pub(super) fn new(operation: Operation, steps: usize, limits: &'l Limits) -> Self {
        Self {
            operation,
            windows: Vec::new(),
            active: Vec::new(),
            grid: Grid::new(steps),
            next: 0,
            points: 0,
            held: 0,
            limits,
        }
    }

    /// Adds a value, which is no older than any before.
    pub(super) fn add(&mut self, id: u32, place: Place, value: f64) -> Result<(), EvalError> {
        self.give(place.ended)?;
        let at = id as usize;
        if at >= self.windows.len() {
            self.windows.resize_with(at + 1, || None);
        }
        let window = match &mut self.windows[at] {
            Some(window) => window,
            none => {
                self.active.push(id);
                none.insert(Window::new(&self.operation))
            }
        };
        window.add(&self.operation, place.begun, value);
        if matches!(window, Window::Values(_)) {
            self.held += 1;
            if self.held > self.limits.max_held_values {
                return Err(EvalError::Limit(format!(
                    "more than {} values have to be held for {}; ask for a shorter range or fewer streams",
                    self.limits.max_held_values,
                    self.operation.op.as_str()
                )));
            }
        }
        Ok(())
    }

    /// Gives all steps before one.
    fn give(&mut self, before: usize) -> Result<(), EvalError> {
        while self.next < before {
            let step = self.next;
            self.next += 1;
            if self.active.is_empty() {
                self.next = before;
                return Ok(());
            }
            let Self {
                windows,
                active,
                grid,
                operation,
                held,
                ..
            } = self;
            let values = &mut grid.steps[step];
            active.retain(|id| {
                let slot = &mut windows[*id as usize];
                let value = slot.as_mut().and_then(|window| {
                    // The window that is given begins after as many borders as its number.
                    *held -= window.forget(step);
                    window.value(operation)
                });
                match value {
                    Some(value) => values.push((*id, value)),
                    None => *slot = None,
                }
                value.is_some()
            });
            self.points += values.len();
            if self.points > self.limits.max_points {
                return Err(too_many_points(self.limits));
            }
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Grid, EvalError> {
        self.give(self.grid.steps.len())?;
        Ok(self.grid)
    }
}
