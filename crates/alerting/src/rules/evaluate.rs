//! From the results of queries to series and alerts. Pure: whoever drives it has the timers and PromQL.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wharf_base::clock::Timestamp;
use wharf_control::alert::{Alert, Due, Phase, RuleError, RulePolicy, RuleState, Transition};
use wharf_signal::{Labels, NAME};

use super::{AlertRule, RecordingRule, Rule, RuleGroup};
use crate::template::{self, Context, Query};

/// What all rules of a server share.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// What all series and alerts of this server have in common.
    pub external_labels: &'a BTreeMap<String, String>,
    /// Where people find the server, without a slash at the end.
    pub external_url: &'a str,
    /// For `query` in templates, at the time of the evaluation.
    pub query: Query<'a>,
    /// How long after a start nothing is taken for resolved: until series have been collected anew.
    pub settle: Duration,
}

/// The state of a group's alerts, to be saved. Rules are known by their names, and those of the same name by their order, so that
/// a changed query keeps what it knows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupState {
    alerts: BTreeMap<String, RuleState>,
}

impl RecordingRule {
    /// The series that the results of the query make.
    ///
    /// # Errors
    /// Two of them have the same labels, or there are more than `limit` (0: any number).
    pub fn record(
        &self,
        results: &[(Labels, f64)],
        limit: usize,
    ) -> Result<Vec<(Labels, f64)>, String> {
        let mut seen = BTreeSet::new();
        let mut series = Vec::with_capacity(results.len());
        for (labels, value) in results {
            let mut labels = labels.edit();
            labels.set(NAME, self.record.as_str());
            for (name, text) in &self.labels {
                labels.set(name.as_str(), text.as_str());
            }
            let labels = labels.build();
            if !seen.insert(labels.clone()) {
                return Err(format!(
                    "vector contains metrics with the same labelset after applying rule labels: {labels}"
                ));
            }
            series.push((labels, *value));
        }
        if limit > 0 && series.len() > limit {
            return Err(format!(
                "exceeded limit of {limit} with {} series",
                series.len()
            ));
        }
        Ok(series)
    }
}

impl AlertRule {
    /// The results of the query with the rule's labels and filled-in annotations.
    #[must_use]
    pub fn due(
        &self,
        results: &[(Labels, f64)],
        environment: &Environment<'_>,
        now: Timestamp,
    ) -> Vec<Due> {
        let due = results.iter().map(|(labels, value)| {
            let context = Context {
                labels,
                value: *value,
                external_labels: environment.external_labels,
                external_url: environment.external_url,
                now,
                query: environment.query,
            };
            let mut all = labels.edit();
            all.remove(NAME);
            for (name, text) in &self.labels {
                all.set(name.as_str(), template::expand(text, &context));
            }
            all.set("alertname", self.alert.as_str());
            let annotations = self.annotations.iter();
            Due {
                labels: all.build(),
                annotations: annotations
                    .map(|(name, text)| (name.clone(), template::expand(text, &context)))
                    .collect(),
                value: *value,
            }
        });
        due.collect()
    }

    fn policy(&self, group: &RuleGroup, environment: &Environment<'_>) -> RulePolicy {
        RulePolicy {
            hold: self.hold,
            keep_firing_for: self.keep_firing_for,
            limit: group.limit,
            settle: environment.settle,
        }
    }
}

/// The alerts of a group, with the keys of their states.
fn alerts(group: &RuleGroup) -> impl Iterator<Item = (usize, String, &AlertRule)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    group
        .rules
        .iter()
        .enumerate()
        .filter_map(move |(index, rule)| {
            let Rule::Alert(alert) = rule else {
                return None;
            };
            let count = counts.entry(&alert.alert).or_default();
            *count += 1;
            let key = match *count {
                1 => alert.alert.clone(),
                more => format!("{}#{more}", alert.alert),
            };
            Some((index, key, alert))
        })
}

impl GroupState {
    /// Begins where the saved state ends; what the group does not have any more is forgotten.
    pub fn restore(&mut self, group: &RuleGroup, environment: &Environment<'_>, now: Timestamp) {
        let policies: BTreeMap<String, RulePolicy> = alerts(group)
            .map(|(_, key, alert)| (key, alert.policy(group, environment)))
            .collect();
        self.alerts.retain(|key, _| policies.contains_key(key));
        for (key, state) in &mut self.alerts {
            if let Some(policy) = policies.get(key) {
                state.restore(policy, now);
            }
        }
    }

    /// Takes another version of the group: rules that it does not have any more are forgotten.
    pub fn reconfigure(&mut self, group: &RuleGroup) {
        let keys: BTreeSet<String> = alerts(group).map(|(_, key, _)| key).collect();
        self.alerts.retain(|key, _| keys.contains(key));
    }

    /// Takes the results of one alert's query; `index` is the rule's place in the group. Nothing happens for a rule that is no
    /// alert.
    ///
    /// # Errors
    /// Two results have the same labels, or there are more than the group allows.
    pub fn evaluate(
        &mut self,
        group: &RuleGroup,
        index: usize,
        results: &[(Labels, f64)],
        environment: &Environment<'_>,
        now: Timestamp,
    ) -> Result<Vec<Transition>, RuleError> {
        let Some((_, key, alert)) = alerts(group).find(|(at, _, _)| *at == index) else {
            return Ok(vec![]);
        };
        let due = alert.due(results, environment, now);
        let state = self.alerts.entry(key).or_default();
        state.evaluate(&alert.policy(group, environment), due, now)
    }

    /// The state of the alert at a place in the group; none before its first evaluation.
    #[must_use]
    pub fn of(&self, group: &RuleGroup, index: usize) -> Option<&RuleState> {
        let (_, key, _) = alerts(group).find(|(at, _, _)| *at == index)?;
        self.alerts.get(&key)
    }

    /// The series `ALERTS` and `ALERTS_FOR_STATE` of the alert at a place in the group.
    #[must_use]
    pub fn series(&self, group: &RuleGroup, index: usize) -> Vec<(Labels, f64)> {
        let state = self.of(group, index);
        state.into_iter().flat_map(RuleState::series).collect()
    }

    /// All that fires, for [`wharf_control::alert::Notifier::observe`].
    #[must_use]
    pub fn firing(&self, group: &RuleGroup, environment: &Environment<'_>) -> Vec<Alert> {
        let mut firing = vec![];
        for (_, key, rule) in alerts(group) {
            let Some(state) = self.alerts.get(&key) else {
                continue;
            };
            let url = graph_url(environment.external_url, &rule.expr);
            for instance in state.active().filter(|i| i.phase == Phase::Firing) {
                let mut labels = instance.labels.edit();
                for (name, value) in environment.external_labels {
                    if instance.labels.get(name).is_none() {
                        labels.set(name.as_str(), value.as_str());
                    }
                }
                firing.push(Alert {
                    labels: labels.build(),
                    annotations: instance.annotations.clone(),
                    starts_at: instance.fired_at.unwrap_or(instance.active_at),
                    ends_at: None,
                    generator_url: url.clone(),
                });
            }
        }
        firing
    }
}

/// Where Prometheus shows a query.
fn graph_url(external_url: &str, expr: &str) -> String {
    let query = template::escape_query(expr);
    format!("{external_url}/graph?g0.expr={query}&g0.tab=1")
}
