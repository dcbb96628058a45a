//! Monotonic time in milliseconds since the process began: what every deadline of the ingress is counted in.
//!
//! Deadlines are checked by a sweep (see [`crate::worker`]), so a millisecond is more than precise enough and a
//! `u64` fits an atomic.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A deadline that never comes.
pub(crate) const NEVER: u64 = u64::MAX;

/// Milliseconds since the process began.
pub(crate) fn millis() -> u64 {
    u64::try_from(START.elapsed().as_millis()).unwrap_or(NEVER)
}

/// How old [`recent`] may be: the time from one sweep to the next.
pub(crate) const RECENT_MILLIS: u64 = 200;

static RECENT: AtomicU64 = AtomicU64::new(0);

/// [`millis`] of the last sweep. Costs next to nothing, and a request asks several times.
pub(crate) fn recent() -> u64 {
    RECENT.load(Ordering::Relaxed)
}

/// Brings [`recent`] up to date: what it is now.
pub(crate) fn refresh() -> u64 {
    let now = millis();
    RECENT.fetch_max(now, Ordering::Relaxed);
    now
}

/// The deadline that is `duration` from now, or up to [`RECENT_MILLIS`] later.
pub(crate) fn millis_after(duration: Duration) -> u64 {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(NEVER);
    recent()
        .saturating_add(RECENT_MILLIS)
        .saturating_add(millis)
}
