//! The rules of a plan as those of a file.

use wharf_plan::rules::{Alerting, Recording, Rule as PlanRule, Rules};

use super::{AlertRule, RecordingRule, Rule, RuleGroup};

/// The plan's rules. They are grouped as `wharf render prometheus` writes them: one file a group.
#[must_use]
pub fn of_plan(rules: &Rules) -> Vec<RuleGroup> {
    let groups = rules.groups.iter().map(|group| RuleGroup {
        name: group.name.to_owned(),
        file: format!("rules/{}.yml", group.name),
        interval: None,
        query_offset: None,
        limit: 0,
        rules: group.rules.iter().map(rule).collect(),
    });
    groups.collect()
}

fn rule(rule: &PlanRule) -> Rule {
    match rule {
        PlanRule::Record(rule) => Rule::Record(recording(rule)),
        PlanRule::Alert(rule) => Rule::Alert(alerting(rule)),
    }
}

fn recording(rule: &Recording) -> RecordingRule {
    RecordingRule {
        record: rule.name.clone(),
        expr: rule.expr.clone(),
        labels: rule.labels.clone(),
    }
}

fn alerting(alert: &Alerting) -> AlertRule {
    AlertRule {
        alert: alert.name.clone(),
        expr: alert.expr.clone(),
        hold: alert.hold,
        keep_firing_for: alert.keep,
        labels: alert.all_labels(),
        annotations: alert.all_annotations(),
    }
}
