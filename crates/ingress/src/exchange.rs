//! One request on its way: its deadline, and why it was cut.
//!
//! The worker's sweep looks at all exchanges a few times a second. That makes a timeout as coarse as the sweep, and a
//! request costs no timer.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::connection::{Connection, Verdict};
use crate::endpoint::EndpointState;
use crate::monotonic::{self, NEVER};

/// How long after its cut an exchange may take to end; then its connection is closed, because the client does not
/// read what would tell it.
const CUT_GRACE_MILLIS: u64 = 3_000;

/// Why a request was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Its deadline passed.
    Timeout,
    /// Its replica is leaving and cannot wait longer.
    Replica,
    /// The ingress itself is.
    Ingress,
}

/// One request on its way. Belongs to one worker.
#[derive(Debug)]
pub(crate) struct Exchange {
    connection: Arc<Connection>,
    deadline: Cell<u64>,
    cut: Cell<Option<Cut>>,
    cut_at: Cell<u64>,
    endpoint: RefCell<Option<Arc<EndpointState>>>,
    waker: RefCell<Option<Waker>>,
}

impl Exchange {
    /// A request of `connection`.
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        Self {
            connection,
            deadline: Cell::new(NEVER),
            cut: Cell::new(None),
            cut_at: Cell::new(NEVER),
            endpoint: RefCell::new(None),
            waker: RefCell::new(None),
        }
    }

    /// It goes to `endpoint`.
    pub(crate) fn goes_to(&self, endpoint: &Arc<EndpointState>) {
        *self.endpoint.borrow_mut() = Some(Arc::clone(endpoint));
    }

    /// It is cut `timeout` from now, if this is not called again.
    pub(crate) fn expect_within(&self, timeout: Duration) {
        self.deadline.set(monotonic::millis_after(timeout));
    }

    /// Why it was cut, if it was; else `waker` is woken when it is.
    pub(crate) fn poll_cut(&self, waker: &Waker) -> Option<Cut> {
        if self.cut.get().is_none() {
            match &mut *self.waker.borrow_mut() {
                Some(known) => known.clone_from(waker),
                slot => *slot = Some(waker.clone()),
            }
        }
        self.cut.get()
    }

    /// Cuts it if it is time, at `now`; `ingress_cut_at` is when the ingress cuts everything.
    pub(crate) fn sweep(&self, now: u64, ingress_cut_at: u64) {
        if self.cut.get().is_some() {
            if now >= self.cut_at.get().saturating_add(CUT_GRACE_MILLIS) {
                self.connection.decide(Verdict::Close);
            }
            return;
        }
        let replica_cut_at = self
            .endpoint
            .borrow()
            .as_ref()
            .map_or(NEVER, |endpoint| endpoint.cut_at());
        let cut = if now >= ingress_cut_at {
            Cut::Ingress
        } else if now >= replica_cut_at {
            Cut::Replica
        } else if now >= self.deadline.get() {
            Cut::Timeout
        } else {
            return;
        };
        self.cut.set(Some(cut));
        self.cut_at.set(now);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

/// The exchanges of a worker.
#[derive(Debug, Default)]
pub(crate) struct Exchanges(RefCell<slab::Slab<Rc<Exchange>>>);

impl Exchanges {
    /// Adds `exchange` until what is returned is dropped.
    pub(crate) fn add(self: &Rc<Self>, exchange: Exchange) -> Registered {
        let exchange = Rc::new(exchange);
        let key = self.0.borrow_mut().insert(Rc::clone(&exchange));
        Registered {
            exchange,
            key,
            among: Rc::clone(self),
        }
    }

    /// Cuts what is to be cut.
    pub(crate) fn sweep(&self, now: u64, ingress_cut_at: u64) {
        for (_, exchange) in &*self.0.borrow() {
            exchange.sweep(now, ingress_cut_at);
        }
    }

    /// Gives memory back after a crowd has gone.
    pub(crate) fn shrink(&self) {
        let mut exchanges = self.0.borrow_mut();
        if exchanges.is_empty() && exchanges.capacity() > 256 {
            *exchanges = slab::Slab::new();
        }
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}

/// An exchange among its worker's.
#[derive(Debug)]
pub(crate) struct Registered {
    exchange: Rc<Exchange>,
    key: usize,
    among: Rc<Exchanges>,
}

impl std::ops::Deref for Registered {
    type Target = Exchange;

    fn deref(&self) -> &Exchange {
        &self.exchange
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.among.0.borrow_mut().remove(self.key);
    }
}
