//! The state of one alerting rule, as Prometheus keeps it.
//!
//! What the rule's query gives is *due*. What becomes due is pending, fires after it was due without a break for `hold`, and
//! goes on firing for `keep_firing_for` after it was due last. What fired and is over stays for [`RESOLVED_RETENTION`], so that
//! whoever asks sees that it is over.
//!
//! # Restart
//!
//! The state is saved and comes back through [`RuleState::restore`]. What fired goes on firing, and what was pending has been
//! so for as long as before: the time in between counts for nothing. For [`RulePolicy::settle`] after it, what is not due stays
//! as it is, since series have to be collected anew before a query can be believed. After an outage of more than
//! [`OUTAGE_TOLERANCE`] what was pending begins anew; what fired does not, since somebody was told.
//!
//! # The clock
//!
//! Where it was set back, every time of the state goes back with it, so that no timer stands still until the clock has caught
//! up. Set forth, timers end early, as after a sleep of the machine.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wharf_base::clock::Timestamp;
use wharf_signal::Labels;

use super::fingerprint::Fingerprint;

/// How long something resolved is remembered, as Prometheus does.
pub const RESOLVED_RETENTION: Duration = Duration::from_secs(15 * 60);

/// The longest outage after which what was pending goes on, as Prometheus' `--rules.alert.for-outage-tolerance`.
pub const OUTAGE_TOLERANCE: Duration = Duration::from_secs(60 * 60);

/// What of a rule its state needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RulePolicy {
    /// How long it has to be due before it fires (`for`).
    pub hold: Duration,
    /// How long it fires on after it was due last.
    pub keep_firing_for: Duration,
    /// How many may be pending or firing at once; 0: any number.
    pub limit: usize,
    /// How long after a restart nothing is taken for resolved.
    pub settle: Duration,
}

/// One result of the rule's query, with the rule's labels and filled-in annotations.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// The labels, `alertname` among them.
    pub labels: Labels,
    /// The annotations.
    pub annotations: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

/// Where something due is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It is over.
    Inactive,
    /// It is due, and not yet for long enough.
    Pending,
    /// It is due for long enough.
    Firing,
}

impl Phase {
    /// As Prometheus writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
        }
    }
}

/// One label set of a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Its labels.
    #[serde(with = "super::saved::labels")]
    pub labels: Labels,
    /// Its annotations, as they were filled in last.
    pub annotations: BTreeMap<String, String>,
    /// The query's value, when it was due last.
    #[serde(with = "super::saved::number")]
    pub value: f64,
    /// Where it is.
    pub phase: Phase,
    /// Since when it is due.
    pub active_at: Timestamp,
    /// When it fired.
    pub fired_at: Option<Timestamp>,
    /// Since when it only fires because of `keep_firing_for`.
    pub kept_since: Option<Timestamp>,
    /// When it was over.
    pub resolved_at: Option<Timestamp>,
}

/// A change of one label set's phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// Whose.
    pub labels: Labels,
    /// What it was; none: it was not there.
    pub from: Option<Phase>,
    /// What it is. `Inactive` after `Pending`: it is not there any more.
    pub to: Phase,
}

/// Why an evaluation changes nothing, or everything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Two results cannot be told apart. The state stays.
    #[error("vector contains metrics with the same labelset after applying alert labels: {0}")]
    SameLabels(Labels),
    /// Too many are due. The state is empty then, as Prometheus' is.
    #[error("exceeded limit of {limit} with {found} alerts")]
    Limit {
        /// The limit.
        limit: usize,
        /// How many there are.
        found: usize,
    },
}

/// Every label set of one rule that is due, fires, or did a short time ago.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RuleState {
    instances: BTreeMap<Fingerprint, Instance>,
    /// The time of the newest evaluation.
    seen: Timestamp,
    /// Until when nothing is taken for resolved.
    settles_at: Option<Timestamp>,
}

impl RuleState {
    /// The state that was saved, at the start of another process.
    pub fn restore(&mut self, policy: &RulePolicy, now: Timestamp) {
        self.rebase(now);
        let away = now.since(self.seen);
        if away > OUTAGE_TOLERANCE {
            self.instances.retain(|_, i| i.phase != Phase::Pending);
        }
        for instance in self.instances.values_mut() {
            match instance.phase {
                Phase::Inactive => continue,
                Phase::Pending => instance.active_at = instance.active_at.after(away),
                // When it began to fire is what people are told.
                Phase::Firing => {}
            }
            instance.kept_since = instance.kept_since.map(|since| since.after(away));
        }
        self.seen = now;
        self.settles_at = Some(now.after(policy.settle));
    }

    /// Takes the results of one evaluation. The changes come ordered by label set.
    ///
    /// # Errors
    /// Two results have the same labels, or there are more than the rule may have.
    pub fn evaluate(
        &mut self,
        policy: &RulePolicy,
        results: Vec<Due>,
        now: Timestamp,
    ) -> Result<Vec<Transition>, RuleError> {
        let mut due: BTreeMap<Fingerprint, Due> = BTreeMap::new();
        for result in results {
            let fingerprint = Fingerprint::of(&result.labels);
            if let Some(same) = due.insert(fingerprint, result) {
                return Err(RuleError::SameLabels(same.labels));
            }
        }
        self.rebase(now);
        self.seen = now;
        let settling = self.settles_at.is_some_and(|at| now < at);
        if !settling {
            self.settles_at = None;
        }
        let before: BTreeMap<Fingerprint, Phase> =
            self.instances.iter().map(|(f, i)| (*f, i.phase)).collect();
        let mut gone: Vec<(Fingerprint, Labels)> = vec![];
        self.instances.retain(|fingerprint, instance| {
            let stays = due.contains_key(fingerprint) || instance.missed(policy, settling, now);
            if !stays {
                gone.push((*fingerprint, instance.labels.clone()));
            }
            stays
        });
        for (fingerprint, result) in due {
            self.take(fingerprint, result, policy, now);
        }
        let found = self.active().count();
        if policy.limit > 0 && found > policy.limit {
            self.instances.clear();
            let limit = policy.limit;
            return Err(RuleError::Limit { limit, found });
        }
        Ok(self.changes(&before, gone))
    }

    fn take(&mut self, fingerprint: Fingerprint, result: Due, policy: &RulePolicy, now: Timestamp) {
        let known = self.instances.remove(&fingerprint);
        let mut instance = match known {
            Some(known) if known.phase != Phase::Inactive => Instance {
                annotations: result.annotations,
                value: result.value,
                kept_since: None,
                ..known
            },
            _ => Instance {
                labels: result.labels,
                annotations: result.annotations,
                value: result.value,
                phase: Phase::Pending,
                active_at: now,
                fired_at: None,
                kept_since: None,
                resolved_at: None,
            },
        };
        let held = now.since(instance.active_at) >= policy.hold;
        match instance.phase {
            Phase::Pending if held => {
                instance.phase = Phase::Firing;
                instance.fired_at = Some(now);
            }
            // The rule wants to be due for longer than it did.
            Phase::Firing if !held => {
                instance.phase = Phase::Pending;
                instance.fired_at = None;
            }
            _ => {}
        }
        self.instances.insert(fingerprint, instance);
    }

    fn changes(
        &self,
        before: &BTreeMap<Fingerprint, Phase>,
        gone: Vec<(Fingerprint, Labels)>,
    ) -> Vec<Transition> {
        let mut changes: Vec<Transition> = gone
            .into_iter()
            // What was over already is only forgotten.
            .filter(|(fingerprint, _)| before.get(fingerprint) == Some(&Phase::Pending))
            .map(|(_, labels)| Transition {
                labels,
                from: Some(Phase::Pending),
                to: Phase::Inactive,
            })
            .collect();
        changes.extend(self.instances.iter().filter_map(|(fingerprint, instance)| {
            let from = before.get(fingerprint).copied();
            (from != Some(instance.phase)).then(|| Transition {
                labels: instance.labels.clone(),
                from,
                to: instance.phase,
            })
        }));
        changes.sort_by(|a, b| a.labels.cmp(&b.labels));
        changes
    }

    /// Every label set, resolved ones included.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values()
    }

    /// What is pending or fires.
    pub fn active(&self) -> impl Iterator<Item = &Instance> {
        self.instances().filter(|i| i.phase != Phase::Inactive)
    }

    /// The worst phase.
    #[must_use]
    pub fn phase(&self) -> Phase {
        let phases = self.instances().map(|i| i.phase);
        phases.max().unwrap_or(Phase::Inactive)
    }

    /// The series that the rule leaves: `ALERTS`, whose value is 1, and `ALERTS_FOR_STATE`, whose value is the second at which
    /// it became due.
    pub fn series(&self) -> impl Iterator<Item = (Labels, f64)> {
        self.active().flat_map(|instance| {
            let mut alerts = instance.labels.edit();
            alerts.set(wharf_signal::NAME, "ALERTS");
            alerts.set("alertstate", instance.phase.as_str());
            let mut since = instance.labels.edit();
            since.set(wharf_signal::NAME, "ALERTS_FOR_STATE");
            #[expect(clippy::cast_precision_loss, reason = "a second of our age fits")]
            let second = (instance.active_at.0 / 1000) as f64;
            [(alerts.build(), 1.0), (since.build(), second)]
        })
    }

    /// The clock was set back: so is everything that happened before.
    fn rebase(&mut self, now: Timestamp) {
        let back = self.seen.since(now);
        if back.is_zero() {
            return;
        }
        let earlier = |t: Timestamp| super::notify::before(t, back);
        for instance in self.instances.values_mut() {
            instance.active_at = earlier(instance.active_at);
            instance.fired_at = instance.fired_at.map(earlier);
            instance.kept_since = instance.kept_since.map(earlier);
            instance.resolved_at = instance.resolved_at.map(earlier);
        }
        self.settles_at = self.settles_at.map(earlier);
        self.seen = now;
    }
}

impl Instance {
    /// It is not due. Whether it is still remembered.
    fn missed(&mut self, policy: &RulePolicy, settling: bool, now: Timestamp) -> bool {
        match self.phase {
            Phase::Pending => settling,
            Phase::Inactive => self
                .resolved_at
                .is_some_and(|at| now.since(at) <= RESOLVED_RETENTION),
            Phase::Firing => {
                if settling {
                    return true;
                }
                let kept_since = *self.kept_since.get_or_insert(now);
                let over = now.since(kept_since) >= policy.keep_firing_for;
                if over {
                    self.phase = Phase::Inactive;
                    self.resolved_at = Some(now);
                }
                true
            }
        }
    }
}

#[cfg(test)]
mod tests;
