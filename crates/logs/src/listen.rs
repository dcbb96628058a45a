//! Telling others that lines have come.

use std::sync::{Arc, Mutex, Weak};

use crate::damage::lock;
use crate::store::LogStore;

/// Is told that lines have come, by the thread that pushes them: it has to be quick, and must not ask the store.
pub type Listener = dyn Fn() + Send + Sync;

/// Who is told. Those that are gone are forgotten.
#[derive(Default)]
pub(crate) struct Listeners(Mutex<Vec<Weak<Listener>>>);

impl Listeners {
    pub(crate) fn tell(&self) {
        let mut told = Vec::new();
        lock(&self.0).retain(|listener| {
            let there = listener.upgrade();
            told.extend(there.clone());
            there.is_some()
        });
        for listener in told {
            listener();
        }
    }
}

impl LogStore {
    /// Calls `listener` whenever lines were taken that a query finds from then on, for as long as somebody else keeps it.
    pub fn listen(&self, listener: &Arc<Listener>) {
        lock(&self.0.listeners.0).push(Arc::downgrade(listener));
    }
}
