//! Rules: recordings and alerts in groups, as Prometheus' rule files have them.
//!
//! [`RuleGroup`]s come from files ([`parse`]) and from a plan ([`of_plan`]); [`to_yaml`] writes them as a file that Prometheus
//! reads. [`GroupState`] takes the results of their queries and gives what fires; whoever has timers and PromQL drives it.

pub mod duration;
mod evaluate;
mod from_plan;
mod parse;
mod write;

use std::collections::BTreeMap;
use std::time::Duration;

pub use evaluate::{Environment, GroupState};
pub use from_plan::of_plan;
pub use parse::{CheckQuery, RuleFileError, parse};
pub use write::{WriteError, to_yaml};

/// Rules that are evaluated one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleGroup {
    /// What it is called; unique within its file.
    pub name: String,
    /// The file that it comes from; of a plan's own rules the file that they would be exported to.
    pub file: String,
    /// From evaluation to evaluation; none: as the server does.
    pub interval: Option<Duration>,
    /// How far before its time a query looks; none: as the server does.
    pub query_offset: Option<Duration>,
    /// How many series or alerts one rule may have; 0: any number.
    pub limit: usize,
    /// The rules, with the labels of the group among theirs.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// A series is made.
    Record(RecordingRule),
    /// Somebody is told.
    Alert(AlertRule),
}

/// A rule that makes a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingRule {
    /// The series.
    pub record: String,
    /// PromQL.
    pub expr: String,
    /// Labels that it gets; an empty value removes one.
    pub labels: BTreeMap<String, String>,
}

/// A rule that tells somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRule {
    /// What it is called.
    pub alert: String,
    /// PromQL that has a result while the alert is due.
    pub expr: String,
    /// How long it has to be so (`for`).
    pub hold: Duration,
    /// How long it fires on after it was due last.
    pub keep_firing_for: Duration,
    /// Templates of labels.
    pub labels: BTreeMap<String, String>,
    /// Templates of annotations.
    pub annotations: BTreeMap<String, String>,
}

impl RuleGroup {
    /// The name of the group among those of all files, for [`wharf_control::alert::Notifier::observe`].
    #[must_use]
    pub fn id(&self) -> String {
        format!("{};{}", self.file, self.name)
    }
}

impl Rule {
    /// The series that it makes, or the alert.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Record(rule) => &rule.record,
            Self::Alert(rule) => &rule.alert,
        }
    }

    /// Its PromQL.
    #[must_use]
    pub fn expr(&self) -> &str {
        match self {
            Self::Record(rule) => &rule.expr,
            Self::Alert(rule) => &rule.expr,
        }
    }
}

#[cfg(test)]
mod tests;
