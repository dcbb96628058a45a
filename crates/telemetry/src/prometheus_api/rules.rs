//! `rules` and `alerts`: what is evaluated, what is due.

use std::sync::Arc;

use axum::extract::State;
use serde_json::{Value, json};
use wharf_alerting::rules::Rule;
use wharf_base::clock::Timestamp;
use wharf_control::alert::{Instance, Phase};

use super::Api;
use super::answer::{Answer, Refusal};
use super::number::value;
use super::status::rfc3339;
use super::targets::object;
use crate::params::Params;
use crate::rules::{GroupReport, RuleReport};

/// `/api/v1/rules`
pub(crate) async fn rules(State(api): State<Arc<Api>>, params: Params) -> Result<Answer, Refusal> {
    let kind = params.get("type");
    if let Some(kind) = kind.filter(|kind| !matches!(*kind, "alert" | "record")) {
        return Err(Refusal::bad(format!(
            "invalid parameter \"type\": not supported value {kind:?}"
        )));
    }
    let named = |parameter: &'static str, name: &str| {
        let mut wanted = params.all(parameter).peekable();
        wanted.peek().is_none() || wanted.any(|wanted| wanted == name)
    };
    let groups: Vec<Value> = api
        .rules
        .report()
        .iter()
        .filter(|report| {
            named("rule_group[]", &report.group.name) && named("file[]", &report.group.file)
        })
        .map(|report| group(report, kind, |name| named("rule_name[]", name)))
        .filter(|group| {
            group["rules"]
                .as_array()
                .is_some_and(|rules| !rules.is_empty())
        })
        .collect();
    Answer::of(&json!({ "groups": groups }))
}

/// `/api/v1/alerts`
pub(crate) async fn alerts(State(api): State<Arc<Api>>) -> Result<Answer, Refusal> {
    let alerts: Vec<Value> = api
        .rules
        .report()
        .iter()
        .flat_map(|report| &report.rules)
        .flat_map(|rule| rule.alerts.iter().map(alert))
        .collect();
    Answer::of(&json!({ "alerts": alerts }))
}

fn group(report: &GroupReport, kind: Option<&str>, named: impl Fn(&str) -> bool) -> Value {
    let rules = report.group.rules.iter().zip(&report.rules);
    let rules: Vec<Value> = rules
        .filter(|(rule, _)| named(rule.name()))
        .filter(|(rule, _)| match rule {
            Rule::Record(_) => kind != Some("alert"),
            Rule::Alert(_) => kind != Some("record"),
        })
        .map(|(rule, state)| one(rule, state))
        .collect();
    json!({
        "name": report.group.name,
        "file": report.group.file,
        "rules": rules,
        "interval": report.interval.as_secs_f64(),
        "limit": report.group.limit,
        "evaluationTime": report.took.as_secs_f64(),
        "lastEvaluation": moment(report.evaluated),
    })
}

fn one(rule: &Rule, report: &RuleReport) -> Value {
    let health = &report.health;
    let word = match (&health.error, health.evaluated) {
        (Some(_), _) => "err",
        (None, Some(_)) => "ok",
        (None, None) => "unknown",
    };
    let mut out = json!({
        "name": rule.name(),
        "query": rule.expr(),
        "health": word,
        "evaluationTime": health.took.as_secs_f64(),
        "lastEvaluation": moment(health.evaluated),
    });
    if let Some(error) = &health.error {
        out["lastError"] = error.as_str().into();
    }
    match rule {
        Rule::Record(rule) => {
            out["type"] = "recording".into();
            out["labels"] = json!(rule.labels);
        }
        Rule::Alert(rule) => {
            let worst = report.alerts.iter().map(|alert| alert.phase).max();
            out["type"] = "alerting".into();
            out["state"] = worst.unwrap_or(Phase::Inactive).as_str().into();
            out["duration"] = rule.hold.as_secs_f64().into();
            out["keepFiringFor"] = rule.keep_firing_for.as_secs_f64().into();
            out["labels"] = json!(rule.labels);
            out["annotations"] = json!(rule.annotations);
            out["alerts"] = report.alerts.iter().map(alert).collect();
        }
    }
    out
}

fn alert(instance: &Instance) -> Value {
    let mut out = json!({
        "labels": object(&instance.labels),
        "annotations": instance.annotations,
        "state": instance.phase.as_str(),
        "activeAt": moment(Some(instance.active_at)),
        "value": value(instance.value),
    });
    if let Some(since) = instance.kept_since {
        out["keepFiringSince"] = moment(Some(since)).into();
    }
    out
}

/// A time; the year 1 for never, as Go has it.
fn moment(at: Option<Timestamp>) -> String {
    match at {
        Some(at) => rfc3339(i64::try_from(at.0).unwrap_or(i64::MAX)),
        None => "0001-01-01T00:00:00Z".to_owned(),
    }
}
