//! What each receiver knows, and what it is to be told now.
//!
//! Alerts that agree in the labels of a route's `group_by` form a group of that route's receiver. [`Notifier::plan`] says which
//! messages are due; whoever sends one calls [`Notifier::begin`], *saves the state*, sends, calls [`Notifier::finish`] with what
//! came of it, and saves again.
//!
//! A group remembers which alerts its receiver knows to fire, and which it may know of because a message about them was on its
//! way when something failed. From that follows all the rest:
//! - what fires and is not known is told: `group_wait` after the group began, then at most every `group_interval`;
//! - what is or may be known and fires no more is told to be over, silenced or not, so that nobody waits for it;
//! - what is known and fires is told again after `repeat_interval`;
//! - what was silenced, inhibited or over before any message was on its way is never told.
//!
//! A message that fails is made anew for its next try: it says what is so then. [`MessageId`] is the same for two tries of the
//! same content, also where the process was killed between sending and saving; a receiver that knows it (PagerDuty, a webhook, a
//! mail server) can leave the second out. This is the only way in which anything is told twice.

mod group;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wharf_base::clock::Timestamp;
use wharf_signal::Labels;

use super::fingerprint::{Fingerprint, hash};
use super::inhibit::{Inhibition, Inhibitions};
use super::route::Route;
use super::silence::Silences;
pub use group::Group;

/// More at once than any person reads; what comes beyond is counted and not told.
pub const ALERTS_MAX: usize = 10_000;

/// One alert that fires, or did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// What it is known by.
    #[serde(with = "super::saved::labels")]
    pub labels: Labels,
    /// What it says.
    pub annotations: BTreeMap<String, String>,
    /// Since when it fires.
    pub starts_at: Timestamp,
    /// When it was over; none: it fires.
    pub ends_at: Option<Timestamp>,
    /// Where to look at it.
    pub generator_url: String,
}

/// Who is told of what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// The routes. One receiver may have several.
    pub routes: Vec<Route>,
    /// What keeps back what.
    pub inhibitions: Vec<Inhibition>,
}

/// The name of one message's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub u64);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A message that is due.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The group, for [`Notifier::begin`] and [`Notifier::finish`].
    pub group: String,
    /// Who is told.
    pub receiver: String,
    /// The group in Alertmanager's notation.
    pub group_key: String,
    /// What its alerts have in common by definition.
    pub group_labels: Labels,
    /// What fires. None: everything is over.
    pub firing: Vec<Alert>,
    /// What is over since the last message.
    pub resolved: Vec<Alert>,
}

/// What is to be sent now, and when to look again if nothing happens before.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    /// Each of another group.
    pub messages: Vec<Message>,
    /// The time at which something becomes due by itself.
    pub wake: Option<Timestamp>,
}

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it.
    Delivered,
    /// It may pass: no connection, an overloaded server. In one sentence, without secrets.
    Failed(String),
    /// It will not pass by itself: the receiver refuses it. In one sentence, without secrets.
    Refused(String),
}

/// One alert, and who looks after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Tracked {
    alert: Alert,
    /// The rule group that tells of it.
    source: String,
}

/// The state of everything that is told.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Notifier {
    alerts: BTreeMap<Fingerprint, Tracked>,
    groups: BTreeMap<String, Group>,
    silences: Silences,
    /// The number of the next message.
    sequence: u64,
    /// The newest time that was seen.
    seen: Timestamp,
    /// Alerts beyond [`ALERTS_MAX`].
    dropped: u64,
}

/// `t`, so much earlier.
pub(super) fn before(t: Timestamp, back: Duration) -> Timestamp {
    let millis = u64::try_from(back.as_millis()).unwrap_or(u64::MAX);
    Timestamp(t.0.saturating_sub(millis))
}

impl Notifier {
    /// Begins where the saved state ends: nothing is on its way any more.
    pub fn restore(&mut self, policy: &Policy, now: Timestamp) {
        self.tick(now);
        for group in self.groups.values_mut() {
            group.interrupted();
        }
        self.regroup(policy, now);
    }

    /// Takes all that fires of one source, its whole list each time. What it named before and names no more is over.
    pub fn observe(&mut self, policy: &Policy, source: &str, firing: Vec<Alert>, now: Timestamp) {
        self.tick(now);
        let mut named = BTreeSet::new();
        for mut alert in firing {
            alert.ends_at = None;
            let fingerprint = Fingerprint::of(&alert.labels);
            if self.alerts.len() >= ALERTS_MAX && !self.alerts.contains_key(&fingerprint) {
                self.dropped = self.dropped.saturating_add(1);
                continue;
            }
            named.insert(fingerprint);
            let tracked = Tracked {
                alert,
                source: source.to_owned(),
            };
            self.alerts.insert(fingerprint, tracked);
        }
        for (fingerprint, tracked) in &mut self.alerts {
            let over = tracked.source == source && !named.contains(fingerprint);
            if over && tracked.alert.ends_at.is_none() {
                tracked.alert.ends_at = Some(now);
            }
        }
        self.regroup(policy, now);
    }

    /// Takes another policy, and the sources that there are: what others told of is over.
    pub fn reconfigure(&mut self, policy: &Policy, sources: &[String], now: Timestamp) {
        self.tick(now);
        for tracked in self.alerts.values_mut() {
            if !sources.contains(&tracked.source) && tracked.alert.ends_at.is_none() {
                tracked.alert.ends_at = Some(now);
            }
        }
        self.regroup(policy, now);
    }

    /// Makes the groups that are missing, and forgets what nobody needs to be told of.
    fn regroup(&mut self, policy: &Policy, now: Timestamp) {
        for group in self.groups.values_mut() {
            group.route = None;
            group.members.clear();
        }
        for (index, route) in policy.routes.iter().enumerate() {
            for (fingerprint, tracked) in &self.alerts {
                if !route.takes(&tracked.alert.labels) {
                    continue;
                }
                let labels = route.group_labels(&tracked.alert.labels);
                let key = route.group_key(&labels);
                let name = format!("{} {key}", route.receiver);
                let firing = tracked.alert.ends_at.is_none();
                let group = match self.groups.get_mut(&name) {
                    Some(group) => group,
                    None if firing => self
                        .groups
                        .entry(name)
                        .or_insert_with(|| Group::new(&route.receiver, key, labels, now)),
                    None => continue,
                };
                group.route = Some(index);
                if firing {
                    group.members.insert(*fingerprint);
                }
            }
        }
        for group in self.groups.values_mut() {
            // The route is not there any more, or the alerts are not: what the receiver knows still has to end.
            if group.route.is_none() {
                let mut same = policy.routes.iter().enumerate();
                let same = same.find(|(_, route)| route.receiver == group.receiver);
                group.route = same.map(|(index, _)| index);
            }
        }
        self.groups.retain(|_, group| group.is_needed(policy, now));
        let known: BTreeSet<Fingerprint> =
            self.groups.values().flat_map(Group::maybe_known).collect();
        self.alerts.retain(|fingerprint, tracked| {
            tracked.alert.ends_at.is_none() || known.contains(fingerprint)
        });
    }

    /// What is due. Pure: asking twice gives the same twice.
    #[must_use]
    pub fn plan(&self, policy: &Policy, now: Timestamp) -> Decision {
        let firing = self.firing().map(|alert| &alert.labels);
        let inhibitions = Inhibitions::of(&policy.inhibitions, firing);
        let told: BTreeSet<Fingerprint> = self
            .alerts
            .iter()
            .filter(|(_, tracked)| tracked.alert.ends_at.is_none())
            .filter(|(_, tracked)| {
                let labels = &tracked.alert.labels;
                !inhibitions.mute(labels) && self.silences.muting(labels, now).next().is_none()
            })
            .map(|(fingerprint, _)| *fingerprint)
            .collect();
        let mut decision = Decision::default();
        // A silence that ends may make something due.
        if let Some(at) = self.silences.next_change(now)
            && !self.groups.is_empty()
        {
            decision.wake = Some(at);
        }
        for (name, group) in &self.groups {
            let Some(route) = group.route.and_then(|index| policy.routes.get(index)) else {
                continue;
            };
            let Some((due, firing, resolved)) = group.due(route, &told) else {
                continue;
            };
            if due > now {
                decision.wake = Some(decision.wake.map_or(due, |wake| wake.min(due)));
                continue;
            }
            let alerts = |names: &BTreeSet<Fingerprint>| -> Vec<Alert> {
                let found = names.iter().filter_map(|name| self.alerts.get(name));
                found.map(|tracked| tracked.alert.clone()).collect()
            };
            decision.messages.push(Message {
                group: name.clone(),
                receiver: group.receiver.clone(),
                group_key: group.key.clone(),
                group_labels: group.labels.clone(),
                firing: alerts(&firing),
                resolved: alerts(&resolved),
            });
        }
        decision
    }

    /// Notes that a message goes out. The state has to be saved before it does. Gives its name; none if the group is not there
    /// any more, or another message of it is on its way.
    pub fn begin(&mut self, message: &Message) -> Option<MessageId> {
        let names = |alerts: &[Alert]| -> BTreeSet<Fingerprint> {
            alerts.iter().map(|a| Fingerprint::of(&a.labels)).collect()
        };
        let group = self.groups.get_mut(&message.group)?;
        let fresh = MessageId(hash([
            message.group.as_str(),
            self.sequence.to_string().as_str(),
        ]));
        let id = group.begin(names(&message.firing), names(&message.resolved), fresh)?;
        if id == fresh {
            self.sequence = self.sequence.wrapping_add(1);
        }
        Some(id)
    }

    /// Notes what came of the message of a group.
    pub fn finish(&mut self, policy: &Policy, group: &str, outcome: &Outcome, now: Timestamp) {
        self.tick(now);
        if let Some(group) = self.groups.get_mut(group) {
            group.finish(outcome, now);
        }
        self.regroup(policy, now);
    }

    /// The silences.
    #[must_use]
    pub fn silences(&self) -> &Silences {
        &self.silences
    }

    /// The silences, to add and to end some.
    pub fn silences_mut(&mut self) -> &mut Silences {
        &mut self.silences
    }

    /// What fires.
    pub fn firing(&self) -> impl Iterator<Item = &Alert> + Clone {
        let alerts = self.alerts.values().map(|tracked| &tracked.alert);
        alerts.filter(|alert| alert.ends_at.is_none())
    }

    /// What fires and is kept back by something worse.
    #[must_use]
    pub fn muted(&self, policy: &Policy) -> BTreeSet<Fingerprint> {
        let firing = self.firing().map(|alert| &alert.labels);
        let inhibitions = Inhibitions::of(&policy.inhibitions, firing.clone());
        firing
            .filter(|labels| inhibitions.mute(labels))
            .map(Fingerprint::of)
            .collect()
    }

    /// Whether this has to be written down, where `saved` was. What alerts say changes with every evaluation, and need not.
    #[must_use]
    pub fn differs(&self, saved: &Self) -> bool {
        let alerts = |notifier: &Self| -> Vec<(Fingerprint, Option<Timestamp>)> {
            let alerts = notifier.alerts.iter();
            alerts
                .map(|(fingerprint, tracked)| (*fingerprint, tracked.alert.ends_at))
                .collect()
        };
        self.groups != saved.groups
            || self.silences != saved.silences
            || alerts(self) != alerts(saved)
    }

    /// The groups, by receiver and key.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// How many alerts were not taken since there were too many.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The clock was set back: so is all that happened before. Silences stay: people gave their times.
    fn tick(&mut self, now: Timestamp) {
        let back = self.seen.since(now);
        self.seen = now;
        if !back.is_zero() {
            self.groups
                .values_mut()
                .for_each(|group| group.rebase(back));
        }
    }
}

#[cfg(test)]
mod tests;
