//! What others see of the manager's state.

use wharf_base::clock::Timestamp;
use wharf_control::alert::{Alert, Fingerprint, Group, Notifier, Policy, Silence};

/// The state at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(super) notifier: Notifier,
    pub(super) policy: Policy,
    /// The moment.
    pub at: Timestamp,
    /// Why the state cannot be saved, if it cannot.
    pub problem: Option<String>,
}

/// One alert that fires.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertStatus {
    /// Its name.
    pub fingerprint: Fingerprint,
    /// The alert.
    pub alert: Alert,
    /// Who hears of it.
    pub receivers: Vec<String>,
    /// The silences that keep it back.
    pub silenced_by: Vec<String>,
    /// Whether a worse alert keeps it back.
    pub inhibited: bool,
}

impl Snapshot {
    /// What fires, by fingerprint.
    #[must_use]
    pub fn alerts(&self) -> Vec<AlertStatus> {
        let muted = self.notifier.muted(&self.policy);
        let alerts = self.notifier.firing().map(|alert| {
            let labels = &alert.labels;
            let fingerprint = Fingerprint::of(labels);
            let mut receivers: Vec<String> = self
                .policy
                .routes
                .iter()
                .filter(|route| route.takes(labels))
                .map(|route| route.receiver.clone())
                .collect();
            receivers.sort_unstable();
            receivers.dedup();
            let silences = self.notifier.silences().muting(labels, self.at);
            AlertStatus {
                fingerprint,
                receivers,
                silenced_by: silences.map(|silence| silence.id.clone()).collect(),
                inhibited: muted.contains(&fingerprint),
                alert: alert.clone(),
            }
        });
        alerts.collect()
    }

    /// Everybody who hears of some alerts, by name.
    #[must_use]
    pub fn receivers(&self) -> Vec<String> {
        let routes = self.policy.routes.iter();
        let mut receivers: Vec<String> = routes.map(|route| route.receiver.clone()).collect();
        receivers.sort_unstable();
        receivers.dedup();
        receivers
    }

    /// The silences, by id.
    pub fn silences(&self) -> impl Iterator<Item = &Silence> {
        self.notifier.silences().iter()
    }

    /// The groups: who was told when, and what keeps messages from arriving.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.notifier.groups()
    }

    /// Alerts that were not taken since there are too many.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.notifier.dropped()
    }
}
