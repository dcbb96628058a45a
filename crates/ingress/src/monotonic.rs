//! Monotonic time in milliseconds since the process began: what every deadline of the ingress is counted in.
//!
//! Deadlines are checked by a sweep (see [`crate::worker`]), so a millisecond is more than precise enough and a
//! `u64` fits an atomic.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A deadline that never comes.
pub(crate) const NEVER: u64 = u64::MAX;

/// Milliseconds since the process began.
pub(crate) fn millis() -> u64 {
    u64::try_from(START.elapsed().as_millis()).unwrap_or(NEVER)
}

/// The deadline that is `duration` from now.
pub(crate) fn millis_after(duration: Duration) -> u64 {
    millis().saturating_add(u64::try_from(duration.as_millis()).unwrap_or(NEVER))
}
