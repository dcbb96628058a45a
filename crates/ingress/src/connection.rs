//! The state of one client connection: what its task, its guard, its requests and the worker's sweep share.
//!
//! All of it is used by one thread; the atomics are there because hyper wants the I/O of an upgradable connection to
//! be `Send`.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

use http::HeaderValue;

use crate::monotonic;
use crate::refusal::Refusal;

/// Until the head of a request has to be there, counted from its first byte. A head fits one packet or a few: what
/// takes longer is an attack or a broken network. Half of nginx's 20 s: it also bounds what 2,000 slow clients hold.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may be idle between requests; above what browsers and load balancers (60 s) keep theirs, so
/// that mostly they close first and no request meets a closed connection.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// How long what a refused client still sends is read, so that a reset does not destroy the answer on its way.
pub(crate) const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// Idle for this long while the ingress drains, a connection is closed. A busy client's next request comes sooner,
/// and is then answered with `Connection: close`.
const DRAIN_IDLE_TIMEOUT: Duration = Duration::from_secs(2);

/// What the sweep has decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Verdict {
    /// Nothing.
    None = 0,
    /// The head took too long: answer 408, then close.
    HeadTimeout = 1,
    /// Close now.
    Close = 2,
}

/// The state of one client connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) peer: IpAddr,
    /// The same as text, for headers and log lines.
    pub(crate) peer_text: Box<str>,
    pub(crate) tls: bool,
    /// When the sweep acts, unless requests are under way. Monotonic milliseconds.
    deadline: AtomicU64,
    active: AtomicU32,
    in_head: AtomicBool,
    verdict: AtomicU8,
    draining: AtomicBool,
    /// Whether an answer to the request under way may have begun.
    answering: AtomicBool,
    /// Set by the guard behind the head of an upgrade: what follows is not to be read as HTTP before it is decided.
    held: AtomicBool,
    waker: Mutex<Option<Waker>>,
    refused: Mutex<Option<Refused>>,
}

/// What the guard answered, kept for the log.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    pub(crate) request_id: HeaderValue,
}

impl Connection {
    /// A connection that was just accepted.
    pub(crate) fn new(peer: IpAddr, tls: bool) -> Self {
        Self {
            peer,
            peer_text: peer.to_string().into(),
            tls,
            deadline: AtomicU64::new(monotonic::millis_after(HEAD_TIMEOUT)),
            active: AtomicU32::new(0),
            in_head: AtomicBool::new(true),
            verdict: AtomicU8::new(Verdict::None as u8),
            draining: AtomicBool::new(false),
            answering: AtomicBool::new(false),
            held: AtomicBool::new(false),
            waker: Mutex::new(None),
            refused: Mutex::new(None),
        }
    }

    /// The first byte of a head came.
    pub(crate) fn head_begins(&self) {
        self.in_head.store(true, Ordering::Relaxed);
        if self.active.load(Ordering::Relaxed) == 0 {
            self.deadline
                .store(monotonic::millis_after(HEAD_TIMEOUT), Ordering::Relaxed);
        }
    }

    /// A head is complete, or a TLS or HTTP/2 preface.
    pub(crate) fn head_ends(&self) {
        self.in_head.store(false, Ordering::Relaxed);
        self.deadline
            .store(monotonic::millis_after(IDLE_TIMEOUT), Ordering::Relaxed);
    }

    /// A request is under way.
    pub(crate) fn request_begins(&self) {
        self.answering.store(false, Ordering::Relaxed);
        self.active.fetch_add(1, Ordering::Relaxed);
    }

    /// A request is answered.
    pub(crate) fn request_ends(&self) {
        if self.active.fetch_sub(1, Ordering::Relaxed) == 1 {
            let in_head = self.in_head.load(Ordering::Relaxed);
            let timeout = if self.is_draining() {
                DRAIN_IDLE_TIMEOUT
            } else if in_head {
                HEAD_TIMEOUT
            } else {
                IDLE_TIMEOUT
            };
            self.deadline
                .store(monotonic::millis_after(timeout), Ordering::Relaxed);
        }
    }

    /// Gives a refused client a moment to read its answer.
    pub(crate) fn linger(&self) {
        self.in_head.store(false, Ordering::Relaxed);
        self.deadline
            .store(monotonic::millis_after(LINGER_TIMEOUT), Ordering::Relaxed);
    }

    /// The answer to the request under way begins.
    pub(crate) fn answer_begins(&self) {
        self.answering.store(true, Ordering::Relaxed);
    }

    /// Whether a part of an answer may be on its way.
    pub(crate) fn is_answering(&self) -> bool {
        self.active.load(Ordering::Relaxed) > 0 && self.answering.load(Ordering::Relaxed)
    }

    /// Keeps what was answered.
    pub(crate) fn refuse(&self, refused: Refused) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(refused);
    }

    /// What the guard answered, if it did.
    pub(crate) fn take_refused(&self) -> Option<Refused> {
        self.refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// What the sweep should do with it at `now`.
    pub(crate) fn sweep(&self, now: u64) {
        if self.active.load(Ordering::Relaxed) > 0 || self.deadline.load(Ordering::Relaxed) > now {
            return;
        }
        let verdict = self.verdict();
        if verdict == Verdict::None && self.in_head.load(Ordering::Relaxed) {
            self.linger();
            self.decide(Verdict::HeadTimeout);
        } else if verdict != Verdict::Close {
            self.decide(Verdict::Close);
        }
    }

    /// How expendable it is when there is no room: none with requests under way, else the earlier the more.
    pub(crate) fn expendable(&self) -> Option<(bool, u64)> {
        let idle = self.active.load(Ordering::Relaxed) == 0 && self.verdict() == Verdict::None;
        idle.then(|| {
            (
                !self.in_head.load(Ordering::Relaxed),
                self.deadline.load(Ordering::Relaxed),
            )
        })
    }

    /// Decides and wakes the connection's task.
    pub(crate) fn decide(&self, verdict: Verdict) {
        self.verdict.store(verdict as u8, Ordering::Relaxed);
        self.wake();
    }

    /// Takes a decision to close back for a moment, in which the client is told.
    pub(crate) fn decide_later(&self) {
        self.verdict.store(Verdict::None as u8, Ordering::Relaxed);
        self.linger();
    }

    /// What was decided.
    pub(crate) fn verdict(&self) -> Verdict {
        match self.verdict.load(Ordering::Relaxed) {
            0 => Verdict::None,
            1 => Verdict::HeadTimeout,
            _ => Verdict::Close,
        }
    }

    /// The ingress drains: after the next answer the connection closes.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        let soon = monotonic::millis_after(DRAIN_IDLE_TIMEOUT);
        self.deadline.fetch_min(soon, Ordering::Relaxed);
        self.wake();
    }

    /// Whether the ingress drains.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Stops or continues reading requests.
    pub(crate) fn hold(&self, held: bool) {
        if self.held.swap(held, Ordering::Relaxed) && !held {
            self.wake();
        }
    }

    /// Whether reading is stopped.
    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    /// Whom to wake.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut slot = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *slot {
            Some(known) => known.clone_from(waker),
            None => *slot = Some(waker.clone()),
        }
    }

    fn wake(&self) {
        let waker = self
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
