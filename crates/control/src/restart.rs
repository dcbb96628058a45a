//! When a replica that ended is started again, and when it is said to be in a crash loop.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The delay before the first restart. A crash is often gone at the second try; a tenth of a second hides it.
const FIRST_DELAY: Duration = Duration::from_millis(100);

/// The longest delay. Docker waits a minute, Kubernetes five; on one machine a person is watching.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// A replica that ran for so long has recovered: its failures are forgotten.
const RECOVERED_AFTER: Duration = Duration::from_secs(60);

/// Ends in a row, each before the replica had recovered, that make a crash loop: with the delays between them, a
/// dependency has a second and a half to come up.
pub const CRASH_LOOP_FAILURES: u32 = 5;

/// What is remembered of a replica's ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Notes an end after a run of `ran_for` and gives the delay before the next start: 100 ms, doubled with each
    /// end in a row up to 30 s.
    pub fn ended(&mut self, ran_for: Duration) -> Duration {
        if ran_for >= RECOVERED_AFTER {
            self.failures = 0;
        }
        let doublings = self.failures.min(16);
        self.failures = self.failures.saturating_add(1);
        FIRST_DELAY
            .saturating_mul(1 << doublings)
            .min(LONGEST_DELAY)
    }

    /// Ends in a row.
    #[must_use]
    pub fn failures(self) -> u32 {
        self.failures
    }

    /// Whether the ends in a row make a crash loop.
    #[must_use]
    pub fn crash_loop(self) -> bool {
        self.failures >= CRASH_LOOP_FAILURES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap_and_start_again_after_recovery() {
        let mut backoff = Backoff::default();
        let delays: Vec<u64> = (0..12)
            .map(|_| u64::try_from(backoff.ended(Duration::ZERO).as_millis()).unwrap())
            .collect();
        assert_eq!(
            delays,
            [
                100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000
            ]
        );
        assert!(backoff.crash_loop());
        assert_eq!(backoff.ended(RECOVERED_AFTER), FIRST_DELAY);
        assert!(!backoff.crash_loop());
    }
}
