//! The alerts of the file, as they stand.

use super::{Alerting, Group, Rule};
use crate::model::Plan;

pub(super) fn group(plan: &Plan) -> Group {
    let rules = plan.alerts.iter().map(|alert| {
        let mut rule =
            Alerting::new(&alert.name, alert.severity, alert.query.trim()).hold(alert.hold);
        rule.notify.clone_from(&alert.notify);
        rule.summary = match &alert.summary {
            Some(summary) => annotation(summary),
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
