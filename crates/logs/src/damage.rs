//! What was found damaged since the store was opened.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// As many are named; the others are counted.
const NAMED: usize = 16;

/// Blocks and records that are not what was written, and were left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Damage {
    /// How many.
    pub found: u64,
    /// The first of them: where, and what was done.
    pub named: Vec<String>,
}

impl Damage {
    pub(crate) fn add(&mut self, what: String) {
        // A query that comes by again finds the same.
        if self.named.contains(&what) {
            return;
        }
        self.found += 1;
        if self.named.len() < NAMED {
            self.named.push(what);
        }
    }
}

/// What a thread that panicked held is as good as before: every change of it is made at once.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
