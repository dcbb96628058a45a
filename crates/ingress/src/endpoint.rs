//! What the ingress knows of one replica's port, shared by all workers and kept over configurations.
//!
//! Invariant: a request counts in `in_flight` before it looks whether the endpoint is leaving, and the engine's change
//! marks it as leaving before it reads `in_flight`. So once `in_flight` of a leaving endpoint is 0 it stays 0.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::monotonic::{self, NEVER};
use crate::sticky;

/// Failures of real requests in a row until an endpoint is left alone for a while. One is noise (a replica that
/// restarts), and more than a few are requests that waited for nothing.
const FAILURES_TO_EJECT: u32 = 3;

/// The first time that an endpoint is left alone, in milliseconds; it doubles with each time in a row.
const EJECTION_MILLIS: u64 = 2_000;

/// The longest time that an endpoint is left alone.
const EJECTION_MAX_MILLIS: u64 = 30_000;

/// One replica's port.
#[derive(Debug)]
pub(crate) struct EndpointState {
    pub(crate) id: Arc<str>,
    pub(crate) address: SocketAddr,
    /// What stands for it in a cookie.
    pub(crate) key: u64,
    in_flight: AtomicU64,
    /// Those of `in_flight` that were answered and go on: streams and WebSockets.
    lasting: AtomicU64,
    leaving: AtomicBool,
    /// When what is under way is cut, in monotonic milliseconds.
    cut_at: AtomicU64,
    failures: AtomicU32,
    ejections: AtomicU32,
    ejected_until: AtomicU64,
    /// The verdict of the active health check; true without one.
    checked: AtomicBool,
    pub(crate) check_failures: AtomicU32,
}

impl EndpointState {
    /// An endpoint that may get requests at once.
    pub(crate) fn new(id: &str, address: SocketAddr) -> Self {
        Self {
            id: id.into(),
            address,
            key: sticky::of_replica(id),
            in_flight: AtomicU64::new(0),
            lasting: AtomicU64::new(0),
            leaving: AtomicBool::new(false),
            cut_at: AtomicU64::new(NEVER),
            failures: AtomicU32::new(0),
            ejections: AtomicU32::new(0),
            ejected_until: AtomicU64::new(0),
            checked: AtomicBool::new(true),
            check_failures: AtomicU32::new(0),
        }
    }

    /// Requests, streams and WebSockets under way.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Requests that wait for their answer: what an endpoint is busy with. A silent WebSocket is no work, and must not
    /// keep requests away from whoever holds it.
    pub(crate) fn waiting(&self) -> u64 {
        let lasting = self.lasting.load(Ordering::Relaxed);
        self.in_flight
            .load(Ordering::Relaxed)
            .saturating_sub(lasting)
    }

    /// Counts a request, unless the endpoint is leaving.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<InFlight> {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let entered = InFlight {
            endpoint: Arc::clone(self),
            lasts: false,
        };
        // After the count, see the module's invariant.
        (!self.is_leaving()).then_some(entered)
    }

    /// Whether it gets nothing new.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::SeqCst)
    }

    /// Marks it as leaving or as staying; `cut_at` is when its requests are cut.
    pub(crate) fn set_leaving(&self, leaving: bool, cut_at: u64) {
        self.cut_at.store(cut_at, Ordering::SeqCst);
        self.leaving.store(leaving, Ordering::SeqCst);
    }

    /// When its requests are cut.
    pub(crate) fn cut_at(&self) -> u64 {
        self.cut_at.load(Ordering::Relaxed)
    }

    /// What the active health check found last.
    pub(crate) fn is_checked(&self) -> bool {
        self.checked.load(Ordering::Relaxed)
    }

    pub(crate) fn set_checked(&self, healthy: bool) {
        self.checked.store(healthy, Ordering::Relaxed);
    }

    /// Whether failures of real requests keep it from getting more.
    pub(crate) fn is_ejected(&self, now: u64) -> bool {
        self.ejected_until.load(Ordering::Relaxed) > now
    }

    /// A request got an answer.
    pub(crate) fn succeeded(&self) {
        // Read first: the line is shared by all workers and nearly always clean.
        if self.failures.load(Ordering::Relaxed) != 0 || self.ejections.load(Ordering::Relaxed) != 0
        {
            self.failures.store(0, Ordering::Relaxed);
            self.ejections.store(0, Ordering::Relaxed);
            self.ejected_until.store(0, Ordering::Relaxed);
        }
    }

    /// A request could not connect, lost its connection, or was answered 502.
    pub(crate) fn failed(&self) {
        if self.failures.fetch_add(1, Ordering::Relaxed) + 1 < FAILURES_TO_EJECT {
            return;
        }
        self.failures.store(0, Ordering::Relaxed);
        let times = self.ejections.fetch_add(1, Ordering::Relaxed).min(8);
        let millis = (EJECTION_MILLIS << times).min(EJECTION_MAX_MILLIS);
        self.ejected_until.store(
            monotonic::millis().saturating_add(millis),
            Ordering::Relaxed,
        );
    }
}

/// One request, counted at its endpoint until this is dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    endpoint: Arc<EndpointState>,
    lasts: bool,
}

impl InFlight {
    /// Where it is.
    pub(crate) fn endpoint(&self) -> &Arc<EndpointState> {
        &self.endpoint
    }

    /// It was answered and goes on, as a stream or a WebSocket.
    pub(crate) fn lasts(mut self) -> Self {
        if !self.lasts {
            self.lasts = true;
            self.endpoint.lasting.fetch_add(1, Ordering::Relaxed);
        }
        self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.lasts {
            self.endpoint.lasting.fetch_sub(1, Ordering::Relaxed);
        }
        self.endpoint.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_leaves() {
        let endpoint = Arc::new(EndpointState::new("web-r1-1", ([127, 0, 0, 1], 1).into()));
        let one = endpoint.enter().expect("it stays");
        assert_eq!(endpoint.in_flight(), 1);
        endpoint.set_leaving(true, NEVER);
        assert!(endpoint.enter().is_none());
        assert_eq!(endpoint.in_flight(), 1);
        drop(one);
        assert_eq!(endpoint.in_flight(), 0);
    }

    #[test]
    fn a_stream_is_under_way_and_waits_for_nothing() {
        let endpoint = Arc::new(EndpointState::new("web-r1-1", ([127, 0, 0, 1], 1).into()));
        let stream = endpoint.enter().expect("it stays").lasts();
        let request = endpoint.enter().expect("it stays");
        assert_eq!((endpoint.in_flight(), endpoint.waiting()), (2, 1));
        drop(stream);
        assert_eq!((endpoint.in_flight(), endpoint.waiting()), (1, 1));
        drop(request);
        assert_eq!((endpoint.in_flight(), endpoint.waiting()), (0, 0));
    }

    #[test]
    fn is_left_alone_after_failures_in_a_row() {
        let endpoint = EndpointState::new("web-r1-1", ([127, 0, 0, 1], 1).into());
        let now = monotonic::millis();
        endpoint.failed();
        endpoint.failed();
        endpoint.succeeded();
        endpoint.failed();
        endpoint.failed();
        assert!(!endpoint.is_ejected(now));
        endpoint.failed();
        assert!(endpoint.is_ejected(now));
        endpoint.succeeded();
        assert!(!endpoint.is_ejected(now));
    }
}
