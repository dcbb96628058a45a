//! Groups as a rule file of Prometheus.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::{Rule, RuleGroup};

/// Why groups could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the rules cannot be written as YAML")]
pub struct WriteError(#[from] serde_saphyr::ser::Error);

#[derive(Serialize)]
struct File<'a> {
    groups: Vec<Group<'a>>,
}

#[derive(Serialize)]
struct Group<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query_offset: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
    rules: Vec<Written<'a>>,
}

#[derive(Serialize, Default)]
struct Written<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<&'a str>,
    expr: &'a str,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    hold: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_firing_for: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<&'a BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<&'a BTreeMap<String, String>>,
}

/// Writes groups so that Prometheus, and [`super::parse`], read them back. The labels of a group stand at its rules.
///
/// # Errors
/// A text that YAML does not have.
pub fn to_yaml<'a>(groups: impl IntoIterator<Item = &'a RuleGroup>) -> Result<String, WriteError> {
    let written = |duration: Duration| wharf_base::duration::format(duration);
    let groups = groups.into_iter().map(|group| Group {
        name: &group.name,
        interval: group.interval.map(written),
        query_offset: group.query_offset.map(written),
        limit: (group.limit > 0).then_some(group.limit),
        rules: group.rules.iter().map(rule).collect(),
    });
    let file = File {
        groups: groups.collect(),
    };
    Ok(serde_saphyr::to_string(&file)?)
}

fn rule(rule: &Rule) -> Written<'_> {
    let some =
        |duration: Duration| (!duration.is_zero()).then(|| wharf_base::duration::format(duration));
    match rule {
        Rule::Record(rule) => Written {
            record: Some(&rule.record),
            expr: &rule.expr,
            labels: Some(&rule.labels).filter(|labels| !labels.is_empty()),
            ..Written::default()
        },
        Rule::Alert(rule) => Written {
            alert: Some(&rule.alert),
            expr: &rule.expr,
            hold: some(rule.hold),
            keep_firing_for: some(rule.keep_firing_for),
            labels: Some(&rule.labels).filter(|labels| !labels.is_empty()),
            annotations: Some(&rule.annotations).filter(|texts| !texts.is_empty()),
            ..Written::default()
        },
    }
}
