//! What happened, for whoever watches: a ring of recent events and a channel for new ones.

use std::collections::VecDeque;

use tokio::sync::broadcast;
use wharf_base::clock::Timestamp;
use wharf_base::ids::ReleaseId;

use crate::api::{Event, EventKind};

/// Events that are kept for those who come late. A release of 200 services fits several times over.
const KEPT: usize = 4_096;

/// The journal.
pub(crate) struct Journal {
    kept: VecDeque<Event>,
    number: u64,
    sender: broadcast::Sender<Event>,
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self {
            kept: VecDeque::new(),
            number: 0,
            sender: broadcast::channel(KEPT).0,
        }
    }

    /// The number of the last event.
    pub(crate) fn last(&self) -> u64 {
        self.number
    }

    pub(crate) fn push(&mut self, at: Timestamp, release: Option<ReleaseId>, kind: EventKind) {
        self.number += 1;
        let event = Event {
            number: self.number,
            at,
            release,
            kind,
        };
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(event.clone());
        // Without a listener there is nobody to tell.
        drop(self.sender.send(event));
    }

    /// The kept events after number `after`, and those to come.
    pub(crate) fn subscribe(&self, after: u64) -> (Vec<Event>, broadcast::Receiver<Event>) {
        let kept = self
            .kept
            .iter()
            .filter(|event| event.number > after)
            .cloned()
            .collect();
        (kept, self.sender.subscribe())
    }
}
