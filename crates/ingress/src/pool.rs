//! Idle connections to replicas. Each worker has its own, so a connection never changes threads.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use crate::endpoint::EndpointState;
use crate::monotonic;
use crate::upstream::UpstreamConnection;

/// Idle connections kept for one endpoint by one worker; more than clients ask at once for on one machine.
const IDLE_MAX: usize = 512;

/// How long a connection may be idle. Servers close theirs after 2 s (gunicorn), 5 s (Node) or 75 s; what they have
/// closed is noticed before it is used.
const IDLE_MILLIS: u64 = 30_000;

/// A request that cannot be sent twice takes no connection that was idle for longer: the replica may be closing it
/// at this moment. Below every server's keep-alive timeout.
const FRESH_MILLIS: u64 = 1_000;

/// By the address of the endpoint's state, which each connection keeps alive.
#[derive(Debug, Default)]
pub(crate) struct Pool(
    RefCell<HashMap<usize, Vec<UpstreamConnection>, BuildHasherDefault<AddressHasher>>>,
);

/// Hashes an address by its middle bits: the lowest are those of alignment. Nobody chooses the keys.
#[derive(Debug, Default)]
pub(crate) struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize(usize::from(*byte));
        }
    }

    fn write_usize(&mut self, address: usize) {
        self.0 = (self.0 ^ (address as u64 >> 4)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

fn key(endpoint: &Arc<EndpointState>) -> usize {
    Arc::as_ptr(endpoint) as usize
}

impl Pool {
    /// A connection that is open, the last used first; `repeatable` says whether the request could be sent again.
    pub(crate) fn take(
        &self,
        endpoint: &Arc<EndpointState>,
        repeatable: bool,
    ) -> Option<UpstreamConnection> {
        let mut pool = self.0.borrow_mut();
        let idle = pool.get_mut(&key(endpoint))?;
        while let Some(mut connection) = idle.pop() {
            let fresh = repeatable || connection.idle_since + FRESH_MILLIS > monotonic::recent();
            if fresh && connection.is_clean() {
                connection.reused = true;
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection whose response was read to its end.
    pub(crate) fn put(&self, mut connection: UpstreamConnection) {
        if !connection.buffer.is_empty() || connection.endpoint.is_leaving() {
            return;
        }
        // Idle connections hold no buffer.
        connection.buffer = bytes::BytesMut::new();
        connection.idle_since = monotonic::recent();
        let mut pool = self.0.borrow_mut();
        let idle = pool.entry(key(&connection.endpoint)).or_default();
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
    }

    /// Closes what was idle for too long, was closed by the replica, or belongs to one that is leaving.
    pub(crate) fn sweep(&self, now: u64) {
        self.0.borrow_mut().retain(|_, idle| {
            idle.retain(|connection| {
                connection.idle_since + IDLE_MILLIS > now
                    && !connection.endpoint.is_leaving()
                    && connection.is_clean()
            });
            !idle.is_empty()
        });
    }
}
