//! The alerts of the file, and their changes of built-in ones.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Alerting;
use crate::model::{Alert, Plan, Severity};

/// How long something has to be wrong before somebody hears of it.
const HOLD: Duration = Duration::from_secs(300);

/// An alert of its own. None without a query: what it would change is not there in this environment.
pub(super) fn alert(plan: &Plan, alert: &Alert) -> Option<Alerting> {
    let query = alert.query.as_deref()?;
    let severity = alert.severity.unwrap_or(Severity::Warning);
    let mut rule = Alerting::new(&alert.name, severity, query.trim()).hold(HOLD);
    rule.summary = format!("{} of {}", alert.name, plan.name);
    rule.description = "The query gives {{ $value | humanize }}.".to_owned();
    change(&mut rule, alert);
    Some(rule)
}

/// What the file says of a built-in alert.
pub(super) fn change(rule: &mut Alerting, alert: &Alert) {
    // The examples show the built-in one: its query, its time, its words.
    let same = alert.query.is_none()
        && alert.hold.is_none()
        && alert.summary.is_none()
        && alert.runbook.is_none()
        && alert.labels.is_empty()
        && alert.annotations.is_empty();
    if !same {
        rule.examples.clear();
    }
    if let Some(query) = &alert.query {
        query.trim().clone_into(&mut rule.expr);
    }
    rule.hold = alert.hold.unwrap_or(rule.hold);
    rule.keep = alert.keep.unwrap_or(rule.keep);
    rule.severity = alert.severity.unwrap_or(rule.severity);
    if !alert.notify.is_empty() {
        rule.notify.clone_from(&alert.notify);
    }
    if let Some(summary) = &alert.summary {
        rule.summary = annotation(summary);
    }
    if let Some(runbook) = &alert.runbook {
        rule.annotations
            .insert("runbook_url".to_owned(), annotation(runbook));
    }
    let filled = |texts: &BTreeMap<String, String>| -> Vec<(String, String)> {
        let texts = texts.iter();
        texts
            .map(|(name, text)| (name.clone(), annotation(text)))
            .collect()
    };
    rule.labels.extend(filled(&alert.labels));
    rule.annotations.extend(filled(&alert.annotations));
}

/// A text as an annotation: what Prometheus fills in (`{{ $labels.x }}`, `{{ $value }}`) stays, other braces are text.
fn annotation(text: &str) -> String {
    let mut parts = text.split("{{");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let place = part.trim_start().starts_with('$') && part.contains("}}");
        out.push_str(if place { "{{" } else { "{{ \"{{\" }}" });
        out.push_str(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_braces_are_text() {
        assert_eq!(
            annotation("{{ $labels.a }} {{ .Values.b }}"),
            "{{ $labels.a }} {{ \"{{\" }} .Values.b }}"
        );
    }
}
