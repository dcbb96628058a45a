//! The windows of a range aggregation on the line of time.

/// Window `k` is what lies behind `first + k * step - range`, up to `first + k * step` and including it.
#[derive(Debug)]
pub(super) struct Timeline {
    first: i128,
    step: i128,
    range: i128,
    steps: usize,
    /// Where the last time was, and which times are there, too: behind the one, up to the other. Most lines are near the last.
    last: (Place, i128, i128),
}

/// A place between two borders of windows: it is in the windows `ended..begun`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// How many windows begin before it.
    pub(super) begun: usize,
    /// How many windows end before it.
    pub(super) ended: usize,
}

impl Timeline {
    pub(super) fn new(first: i64, step: i64, range: i64, steps: usize) -> Self {
        let nowhere = Place { begun: 0, ended: 0 };
        Self {
            first: first.into(),
            step: step.max(1).into(),
            range: range.into(),
            steps,
            last: (nowhere, 0, 0),
        }
    }

    /// The beginning of the first window, which is not part of it.
    pub(super) fn begin(&self) -> i64 {
        clamp(self.first - self.range)
    }

    /// The end of the last window, which is part of it.
    pub(super) fn end(&self) -> i64 {
        clamp(self.border(self.first, self.steps.saturating_sub(1)))
    }

    /// Of borders of which the first is at `first`.
    fn border(&self, first: i128, number: usize) -> i128 {
        first + self.step * number as i128
    }

    /// How many of the borders of which the first is at `first` lie before a time, and the times for which that is so.
    fn borders_before(&self, first: i128, nanos: i128) -> (usize, i128, i128) {
        let distance = nanos - first;
        if distance <= 0 {
            return (0, i128::MIN, first);
        }
        let count = (distance + self.step - 1) / self.step;
        match usize::try_from(count) {
            Ok(count) if count < self.steps => (
                count,
                self.border(first, count - 1),
                self.border(first, count),
            ),
            _ => {
                let last = self.steps.saturating_sub(1);
                (self.steps, self.border(first, last), i128::MAX)
            }
        }
    }

    /// The place of a time. None, if it is in no window.
    pub(super) fn place(&mut self, nanos: i64) -> Option<Place> {
        let nanos = i128::from(nanos);
        let (mut place, behind, up_to) = self.last;
        if nanos <= behind || nanos > up_to {
            let (begun, behind, up_to) = self.borders_before(self.first - self.range, nanos);
            let (ended, later, sooner) = self.borders_before(self.first, nanos);
            place = Place { begun, ended };
            self.last = (place, behind.max(later), up_to.min(sooner));
        }
        (place.begun > place.ended).then_some(place)
    }
}

fn clamp(nanos: i128) -> i64 {
    let nearest = nanos.clamp(i64::MIN.into(), i64::MAX.into());
    i64::try_from(nearest).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn places_are_in_their_windows(
            first in -20i64..20,
            step in 1i64..9,
            range in 1i64..30,
            steps in 1usize..6,
            times in prop::collection::vec(-60i64..90, 1..40),
        ) {
            let mut timeline = Timeline::new(first, step, range, steps);
            for nanos in times {
                let ends = (0..steps).map(|k| first + k as i64 * step);
                let inside: Vec<usize> = ends
                    .enumerate()
                    .filter(|(_, end)| nanos > end - range && nanos <= *end)
                    .map(|(k, _)| k)
                    .collect();
                let place = timeline.place(nanos);
                let found: Vec<usize> = place.map_or(Vec::new(), |p| (p.ended..p.begun).collect());
                prop_assert_eq!(found, inside, "{}", nanos);
            }
        }
    }

    #[test]
    fn the_ends_of_time_are_no_trouble() {
        for first in [i64::MIN, 0, i64::MAX] {
            let mut timeline = Timeline::new(first, i64::MAX, i64::MAX, usize::MAX);
            for nanos in [i64::MIN, -1, 0, 1, i64::MAX] {
                timeline.place(nanos);
            }
            assert!(timeline.begin() <= timeline.end());
        }
    }
}
