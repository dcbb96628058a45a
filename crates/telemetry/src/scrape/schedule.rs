//! When a target is asked. Pure.
//!
//! Every target has its own place in the interval, which follows from what it is: after a restart it has the same one, so that
//! the distance between two samples stays one interval. Samples whose distance is always the same take a fraction of the space,
//! so a time that is off by less than the timer's accuracy is written as it was planned.

use std::time::Duration;

use wharf_base::clock::Timestamp;

/// Timers wake late by a millisecond or two; as Prometheus.
const TOLERANCE_MILLIS: u64 = 2;
/// One wakes by so much too early, so that it is off by little on both sides.
pub(super) const EARLY_MILLIS: u64 = 1;

/// A target's times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Schedule {
    interval: u64,
    offset: u64,
}

impl Schedule {
    /// `hash` decides about the place in the interval.
    pub(super) fn new(interval: Duration, hash: u64) -> Self {
        let interval = u64::try_from(interval.as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        Self {
            interval,
            offset: hash % interval,
        }
    }

    /// The next time after `now` and after the one that was `planned` last. A clock that was set back begins anew.
    pub(super) fn next(self, now: Timestamp, planned: Option<Timestamp>) -> Timestamp {
        let planned = planned
            .map_or(0, |planned| planned.0)
            .min(now.0.saturating_add(self.interval));
        let after = now.0.max(planned);
        let begun = after.saturating_sub(self.offset) / self.interval;
        let mut next = begun
            .saturating_mul(self.interval)
            .saturating_add(self.offset);
        if next <= after {
            next = next.saturating_add(self.interval);
        }
        Timestamp(next)
    }

    /// How long to wait for a time.
    pub(super) fn wait(self, now: Timestamp, planned: Timestamp) -> Duration {
        let wake = planned.0.saturating_sub(EARLY_MILLIS);
        Duration::from_millis(wake.saturating_sub(now.0).min(self.interval))
    }

    /// The time that a scrape which begins at `now` is written with.
    pub(super) fn time(self, now: Timestamp, planned: Timestamp) -> Timestamp {
        let tolerance = (self.interval / 100).min(TOLERANCE_MILLIS);
        if now.0.abs_diff(planned.0) <= tolerance {
            planned
        } else {
            now
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_of_a_grid() {
        let schedule = Schedule::new(Duration::from_secs(15), 15_003);
        let check = |now, planned: Option<u64>, expected| {
            let next = schedule.next(Timestamp(now), planned.map(Timestamp));
            assert_eq!(next, Timestamp(expected), "{now} {planned:?}");
        };
        check(0, None, 3);
        check(2, None, 3);
        check(3, None, 15_003);
        check(15_002, Some(15_003), 30_003);
        check(15_010, Some(15_003), 30_003);
        // Ticks that were missed are left out.
        check(60_004, Some(15_003), 75_003);
        // The clock was set back by an hour.
        check(100_000, Some(3_700_000), 120_003);
        assert_eq!(
            schedule.wait(Timestamp(10_000), Timestamp(15_003)),
            Duration::from_millis(5_002)
        );
        assert_eq!(
            schedule.wait(Timestamp(10_000), Timestamp(900_000)),
            Duration::from_secs(15)
        );
    }

    #[test]
    fn what_is_off_by_little_is_on_time() {
        #[track_caller]
        fn check(interval: u64, now: u64, expected: u64) {
            let schedule = Schedule::new(Duration::from_millis(interval), 0);
            let time = schedule.time(Timestamp(now), Timestamp(30_000));
            assert_eq!(time, Timestamp(expected));
        }
        check(15_000, 29_999, 30_000);
        check(15_000, 30_002, 30_000);
        check(15_000, 30_003, 30_003);
        check(100, 30_001, 30_000);
        check(100, 30_002, 30_002);
    }
}
