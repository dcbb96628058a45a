//! The alerts that one receiver is told of together, and what it knows of them.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wharf_base::clock::Timestamp;
use wharf_signal::Labels;

use super::{Fingerprint, MessageId, Outcome, Policy, Route, before};

/// The delay before the second try. Most failures are a connection that was cut.
const FIRST_DELAY: Duration = Duration::from_secs(1);

/// The longest delay between two tries: so long after a receiver is there again it has everything.
pub(super) const LONGEST_DELAY: Duration = Duration::from_secs(5 * 60);

/// A group of one receiver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Who is told.
    pub receiver: String,
    /// The group in Alertmanager's notation.
    pub key: String,
    /// What its alerts have in common.
    #[serde(with = "crate::alert::saved::labels")]
    pub labels: Labels,
    /// Since when it is there.
    pub since: Timestamp,
    /// When its receiver was told last.
    pub told_at: Option<Timestamp>,
    /// What kept the last message from its receiver; none: nothing did.
    pub problem: Option<String>,
    /// The route, by its place in the policy.
    #[serde(skip)]
    pub(super) route: Option<usize>,
    /// What fires.
    #[serde(skip)]
    pub(super) members: BTreeSet<Fingerprint>,
    /// What the receiver knows to fire.
    known: BTreeSet<Fingerprint>,
    /// What the receiver may know to fire; holds all of `known`.
    maybe: BTreeSet<Fingerprint>,
    attempt: Option<Attempt>,
}

/// A message that is on its way, or did not arrive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Attempt {
    id: MessageId,
    firing: BTreeSet<Fingerprint>,
    resolved: BTreeSet<Fingerprint>,
    under_way: bool,
    failures: u32,
    next_try: Timestamp,
}

impl Group {
    pub(super) fn new(receiver: &str, key: String, labels: Labels, now: Timestamp) -> Self {
        Self {
            receiver: receiver.to_owned(),
            key,
            labels,
            since: now,
            told_at: None,
            problem: None,
            route: None,
            members: BTreeSet::new(),
            known: BTreeSet::new(),
            maybe: BTreeSet::new(),
            attempt: None,
        }
    }

    /// Failures in a row of the message that is due.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.attempt.as_ref().map_or(0, |attempt| attempt.failures)
    }

    /// Whether there is anything left to tell, or a message was told so lately that another has to keep its distance.
    pub(super) fn is_needed(&self, policy: &Policy, now: Timestamp) -> bool {
        let Some(route) = self.route.and_then(|index| policy.routes.get(index)) else {
            return false;
        };
        let lately = self
            .told_at
            .is_some_and(|at| now.since(at) < route.timing.group_interval);
        let owes = route.send_resolved && !self.maybe.is_empty();
        let under_way = self.attempt.as_ref().is_some_and(|a| a.under_way);
        !self.members.is_empty() || owes || lately || under_way
    }

    /// What the receiver may think to fire.
    pub(super) fn maybe_known(&self) -> impl Iterator<Item = Fingerprint> {
        self.maybe.iter().copied()
    }

    /// When the next message is due, and what is in it if that is now: what fires, what is over. `told` is what fires and is
    /// not kept back.
    pub(super) fn due(
        &self,
        route: &Route,
        told: &BTreeSet<Fingerprint>,
    ) -> Option<(Timestamp, BTreeSet<Fingerprint>, BTreeSet<Fingerprint>)> {
        if self.attempt.as_ref().is_some_and(|a| a.under_way) {
            return None;
        }
        let firing: BTreeSet<Fingerprint> = self.members.intersection(told).copied().collect();
        let resolved: BTreeSet<Fingerprint> = if route.send_resolved {
            self.maybe.difference(&self.members).copied().collect()
        } else {
            BTreeSet::new()
        };
        let news = !firing.is_subset(&self.known) || !resolved.is_empty();
        let timing = &route.timing;
        let due = match self.told_at {
            _ if firing.is_empty() && resolved.is_empty() => return None,
            None if news => self.since.after(timing.group_wait),
            Some(at) if news => at.after(timing.group_interval),
            Some(at) => at.after(timing.repeat_interval),
            // Nothing was told, yet everything is known: what would have to be told is kept back.
            None => return None,
        };
        let due = match &self.attempt {
            Some(attempt) if attempt.failures > 0 => due.max(attempt.next_try),
            _ => due,
        };
        Some((due, firing, resolved))
    }

    pub(super) fn begin(
        &mut self,
        firing: BTreeSet<Fingerprint>,
        resolved: BTreeSet<Fingerprint>,
        fresh: MessageId,
    ) -> Option<MessageId> {
        let (id, failures) = match &self.attempt {
            Some(attempt) if attempt.under_way => return None,
            Some(attempt) if attempt.firing == firing && attempt.resolved == resolved => {
                (attempt.id, attempt.failures)
            }
            Some(attempt) => (fresh, attempt.failures),
            None => (fresh, 0),
        };
        self.maybe.extend(&firing);
        // Should it fire again before the receiver has surely heard that it is over, that is news.
        self.known.retain(|known| !resolved.contains(known));
        self.attempt = Some(Attempt {
            id,
            firing,
            resolved,
            under_way: true,
            failures,
            next_try: Timestamp(0),
        });
        Some(id)
    }

    pub(super) fn finish(&mut self, outcome: &Outcome, now: Timestamp) {
        let Some(mut attempt) = self.attempt.take_if(|attempt| attempt.under_way) else {
            return;
        };
        let (problem, delay) = match outcome {
            Outcome::Delivered => {
                self.known.extend(&attempt.firing);
                for over in &attempt.resolved {
                    self.maybe.remove(over);
                }
                self.told_at = Some(now);
                self.problem = None;
                return;
            }
            Outcome::Failed(problem) => {
                let doublings = attempt.failures.min(16);
                let delay = FIRST_DELAY.saturating_mul(1 << doublings);
                (problem, delay.min(LONGEST_DELAY))
            }
            Outcome::Refused(problem) => (problem, LONGEST_DELAY),
        };
        attempt.under_way = false;
        attempt.failures = attempt.failures.saturating_add(1);
        attempt.next_try = now.after(delay);
        self.problem = Some(problem.clone());
        self.attempt = Some(attempt);
    }

    /// Whoever sent the message is not there any more.
    pub(super) fn interrupted(&mut self) {
        if let Some(attempt) = &mut self.attempt {
            attempt.under_way = false;
        }
    }

    pub(super) fn rebase(&mut self, back: Duration) {
        self.since = before(self.since, back);
        self.told_at = self.told_at.map(|at| before(at, back));
        if let Some(attempt) = &mut self.attempt {
            attempt.next_try = before(attempt.next_try, back);
        }
    }
}
