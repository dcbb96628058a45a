//! Who hears of which alerts, and what is kept back while something worse is known: the same ones wherever a plan runs.
//!
//! An alert that names its receivers goes to those; any other goes to every receiver that hears of its severity.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use wharf_base::ids::Name;

use crate::model::{Plan, Severity};
use crate::rules::rules;

/// Alerts that agree in these labels are told together.
pub const GROUP_BY: [&str; 3] = ["alertname", "namespace", "service"];

/// Long enough for alerts of the same cause to come together.
pub const GROUP_WAIT: Duration = Duration::from_secs(30);

/// As Alertmanager.
pub const GROUP_INTERVAL: Duration = Duration::from_secs(300);

/// As Alertmanager: once in a morning, once in an afternoon.
pub const REPEAT_INTERVAL: Duration = Duration::from_secs(4 * 60 * 60);

/// From the worst on.
pub const SEVERITIES: [Severity; 3] = [Severity::Critical, Severity::Warning, Severity::Info];

/// One condition on a label, in Alertmanager's notation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The label.
    pub label: &'static str,
    /// Whether the value is a regular expression.
    pub is_regex: bool,
    /// Whether it is to be equal, rather than not.
    pub is_equal: bool,
    /// The value.
    pub value: String,
}

impl Condition {
    fn equal(label: &'static str, value: impl Into<String>) -> Self {
        Self {
            label,
            is_regex: false,
            is_equal: true,
            value: value.into(),
        }
    }

    fn matches(label: &'static str, value: impl Into<String>) -> Self {
        Self {
            is_regex: true,
            ..Self::equal(label, value)
        }
    }

    fn not(mut self) -> Self {
        self.is_equal = !self.is_equal;
        self
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let op = match (self.is_equal, self.is_regex) {
            (true, false) => "=",
            (false, false) => "!=",
            (true, true) => "=~",
            (false, true) => "!~",
        };
        write!(f, "{}{op}\"{}\"", self.label, self.value)
    }
}

/// One way from alerts to a receiver. An alert takes every route whose conditions it fulfils.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route<'a> {
    /// Who is told.
    pub receiver: &'a Name,
    /// The severity that it is for; none: alerts that name the receiver.
    pub severity: Option<Severity>,
    /// All have to be fulfilled.
    pub conditions: Vec<Condition>,
    /// How long the first message waits for others of its group.
    pub group_wait: Duration,
    /// The shortest time between two messages of a group.
    pub group_interval: Duration,
    /// After which time what still fires is told again.
    pub repeat_interval: Duration,
}

/// Every route of a plan: those of alerts that name their receivers, then those of each severity.
#[must_use]
pub fn routes(plan: &Plan) -> Vec<Route<'_>> {
    let typed = &plan.telemetry.notifications;
    let route = |receiver, severity, conditions| {
        let (wait, repeat) = pace(severity);
        Route {
            receiver,
            severity,
            conditions,
            group_wait: typed.group_wait.unwrap_or(wait),
            group_interval: typed.group_interval.unwrap_or(GROUP_INTERVAL),
            repeat_interval: typed.repeat_interval.unwrap_or(repeat),
        }
    };
    let all = rules(plan);
    let named: BTreeSet<&Name> = all.alerts().flat_map(|alert| &alert.notify).collect();
    let mut routes: Vec<Route<'_>> = plan
        .notify
        .keys()
        .filter(|name| named.contains(name))
        .map(|name| {
            let one_of = Condition::matches("notify", format!("(.+,)?{name}(,.+)?"));
            route(name, None, vec![one_of])
        })
        .collect();
    for severity in SEVERITIES {
        let hears = plan
            .notify
            .iter()
            .filter(|(_, receiver)| receiver.severities.contains(&severity));
        routes.extend(hears.map(|(name, _)| {
            let conditions = vec![
                Condition::equal("severity", severity.as_str()),
                Condition::equal("notify", ""),
            ];
            route(name, Some(severity), conditions)
        }));
    }
    routes
}

/// Somebody who is woken is told at once and again every hour; what only informs is collected.
fn pace(severity: Option<Severity>) -> (Duration, Duration) {
    let hours = |hours: u64| Duration::from_secs(hours * 60 * 60);
    match severity {
        None => (GROUP_WAIT, REPEAT_INTERVAL),
        Some(Severity::Critical) => (Duration::from_secs(10), hours(1)),
        Some(Severity::Warning) => (GROUP_WAIT, hours(4)),
        Some(Severity::Info) => (Duration::from_secs(300), hours(24)),
    }
}

/// While an alert that fulfils `source` fires, those that fulfil `target` and agree with it in `equal` are not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inhibition {
    /// Why.
    pub why: &'static str,
    /// The worse one.
    pub source: Vec<Condition>,
    /// What is kept back.
    pub target: Vec<Condition>,
    /// Labels in which both agree.
    pub equal: [&'static str; 2],
}

/// What is kept back, in every plan.
#[must_use]
pub fn inhibitions() -> [Inhibition; 2] {
    let equal = ["namespace", "service"];
    [
        Inhibition {
            why: "What is critical silences the rest of the same service. Without a service, all would be the same one.",
            source: vec![
                Condition::equal("severity", "critical"),
                Condition::equal("service", "").not(),
            ],
            target: vec![Condition::matches("severity", "warning|info")],
            equal,
        },
        Inhibition {
            why: "A service that is down fails requests: that is no second page.",
            source: vec![Condition::equal("alertname", "ServiceDown")],
            target: vec![Condition::matches(
                "alertname",
                "HighErrorRate|ErrorBudgetBurnsFast",
            )],
            equal,
        },
    ]
}
