//! Who hears of which alerts, and how often.

use std::time::Duration;

use wharf_signal::{Labels, Matcher};

/// One way from alerts to a receiver. An alert takes every route whose matchers it fulfils.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Who is told.
    pub receiver: String,
    /// All have to match.
    pub matchers: Vec<Matcher>,
    /// Alerts that agree in these labels are told together.
    pub group_by: Vec<String>,
    /// When.
    pub timing: Timing,
    /// Whether the receiver hears that an alert is over.
    pub send_resolved: bool,
}

/// When a group's messages go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long the first message waits for others of its group.
    pub group_wait: Duration,
    /// The shortest time between two messages of a group.
    pub group_interval: Duration,
    /// After which time what still fires is told again.
    pub repeat_interval: Duration,
}

impl Default for Timing {
    /// As Alertmanager.
    fn default() -> Self {
        Self {
            group_wait: Duration::from_secs(30),
            group_interval: Duration::from_secs(300),
            repeat_interval: Duration::from_secs(4 * 60 * 60),
        }
    }
}

impl Route {
    /// Whether an alert takes it.
    #[must_use]
    pub fn takes(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|m| m.matches_labels(labels))
    }

    /// The labels that an alert's group has in common.
    #[must_use]
    pub fn group_labels(&self, labels: &Labels) -> Labels {
        labels.only(|name| self.group_by.iter().any(|by| by == name))
    }

    /// The name of a group, in Alertmanager's manner: `{}/{severity="critical"}:{alertname="ServiceDown"}`.
    #[must_use]
    pub fn group_key(&self, group_labels: &Labels) -> String {
        let matchers: Vec<String> = self.matchers.iter().map(ToString::to_string).collect();
        format!("{{}}/{{{}}}:{group_labels}", matchers.join(","))
    }
}
