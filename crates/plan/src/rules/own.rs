//! The alerts of the file, as they stand.

use super::{Alerting, Group, Rule};
use crate::model::Plan;

pub(super) fn group(plan: &Plan) -> Group {
    let rules = plan.alerts.iter().map(|alert| {
        let mut rule =
            Alerting::new(&alert.name, alert.severity, alert.query.trim()).hold(alert.hold);
        rule.notify.clone_from(&alert.notify);
        rule.summary = match &alert.summary {
            Some(summary) => summary.clone(),
            None => format!("{} of {}", alert.name, plan.name),
        };
        rule.description = "The query gives {{ $value | humanize }}.".to_owned();
        Rule::from(rule)
    });
    Group {
        name: "project",
        about: "Alerts of the file.",
        rules: rules.collect(),
    }
}
