//! How the telemetry fares, for `wharf ps` and `wharf doctor`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// Its stores are being opened.
    #[default]
    Opening,
    /// It answers.
    Ready,
    /// It cannot: the troubles say why. It tries again.
    Failed,
    /// It has ended.
    Stopped,
}

impl State {
    /// The word of it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// How it fares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Where it stands.
    pub state: State,
    /// What is wrong now, by the part that says so: one sentence each.
    pub troubles: BTreeMap<&'static str, String>,
    /// What was found broken when the stores were opened, and set aside or skipped.
    pub recovered: Vec<String>,
}

/// The health, shared by all who write it and who read it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Health>>);

impl Shared {
    pub(crate) fn get(&self) -> Health {
        self.lock().clone()
    }

    pub(crate) fn set_state(&self, state: State) {
        self.lock().state = state;
    }

    /// Sets or, with none, ends the trouble of a part.
    pub(crate) fn trouble(&self, part: &'static str, trouble: Option<String>) {
        let mut health = self.lock();
        match trouble {
            Some(trouble) => health.troubles.insert(part, trouble),
            None => health.troubles.remove(part),
        };
    }

    pub(crate) fn recovered(&self, what: Vec<String>) {
        self.lock().recovered.extend(what);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Health> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
