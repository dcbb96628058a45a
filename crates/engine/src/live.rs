//! What is known of a running replica beside what is saved: seen by probes, forgotten with the engine.

use std::path::PathBuf;

use tokio::sync::mpsc;
use wharf_base::clock::Timestamp;
use wharf_control::restart::Backoff;

use crate::replica::Order;

/// What is known of a replica beside what is saved.
pub(crate) struct Live {
    pub(crate) phase: Phase,
    pub(crate) pid: Option<u32>,
    pub(crate) shim_pid: Option<u32>,
    pub(crate) cgroups: Vec<PathBuf>,
    pub(crate) started: Timestamp,
    pub(crate) restarts: u32,
    pub(crate) backoff: Backoff,
    /// Changes from ready to unready.
    pub(crate) flaps: u32,
    /// Why it is not ready, or why it ended last.
    pub(crate) reason: Option<String>,
    pub(crate) orders: Option<mpsc::Sender<Order>>,
}

/// Where a replica's process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It starts.
    Starting,
    /// It passes its readiness probe.
    Ready {
        /// Since when.
        since: Timestamp,
    },
    /// It does not.
    Unready,
    /// It has ended and is started again.
    Waiting {
        /// When.
        until: Timestamp,
    },
}

impl Live {
    /// A replica whose process starts now.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            phase: Phase::Starting,
            pid: None,
            shim_pid: None,
            cgroups: vec![],
            started: now,
            restarts: 0,
            backoff: Backoff::default(),
            flaps: 0,
            reason: None,
            orders: None,
        }
    }

    /// Since when it is ready.
    pub(crate) fn ready_since(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Ready { since } => Some(since),
            _ => None,
        }
    }

    /// Tells its process.
    pub(crate) fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // A full queue holds an order already; a closed one belongs to a process that has ended.
            orders.try_send(order).ok();
        }
    }
}
