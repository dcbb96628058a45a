//! One group: its rules, evaluated one after another, and what they know.

use std::collections::BTreeSet;
use std::time::Duration;

use wharf_alerting::rules::{Environment, GroupState, Rule, RuleGroup};
use wharf_base::clock::{self, Timestamp};
use wharf_control::alert::{Alert, Instance};
use wharf_promql::{Options, Value};
use wharf_signal::{Interrupt, Labels, STALE, SampleSink as _};
use wharf_tsdb::Db;

use super::{Deadline, GroupReport, RULE_TIMEOUT, RuleReport};

/// How a rule fares.
#[derive(Debug, Clone, Default)]
pub(crate) struct RuleHealth {
    /// Why its last evaluation failed.
    pub(crate) error: Option<String>,
    /// When it was evaluated last.
    pub(crate) evaluated: Option<Timestamp>,
    /// How long that took.
    pub(crate) took: Duration,
}

/// A group that is evaluated.
#[derive(Clone)]
pub(super) struct Running {
    group: RuleGroup,
    state: GroupState,
    rules: Vec<RuleRun>,
    evaluated: Option<Timestamp>,
    took: Duration,
    /// Counts configurations, so that an evaluation of a former one is known.
    version: u64,
}

#[derive(Clone, Default)]
struct RuleRun {
    health: RuleHealth,
    /// The series of the last evaluation; those that are gone get a mark of staleness.
    series: BTreeSet<Labels>,
}

impl Running {
    /// A group that takes up what was saved of it.
    pub(super) fn restored(
        group: &RuleGroup,
        saved: Option<GroupState>,
        environment: &Environment<'_>,
        now: Timestamp,
    ) -> Self {
        let mut state = saved.unwrap_or_default();
        state.restore(group, environment, now);
        Self {
            group: group.clone(),
            state,
            rules: vec![RuleRun::default(); group.rules.len()],
            evaluated: None,
            took: Duration::ZERO,
            version: 0,
        }
    }

    /// Another version of the group.
    pub(super) fn reconfigured(mut self, group: &RuleGroup) -> Self {
        if self.group != *group {
            self.state.reconfigure(group);
            self.rules = vec![RuleRun::default(); group.rules.len()];
            self.group = group.clone();
            self.version += 1;
        }
        self
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.version == other.version
    }

    pub(super) fn interval(&self) -> Option<Duration> {
        self.group.interval
    }

    pub(super) fn is_due(&self, now: Timestamp, interval: Duration) -> bool {
        // Set back, the clock makes it due at once.
        self.evaluated
            .is_none_or(|last| now < last || now.since(last) >= interval)
    }

    pub(super) fn state(&self) -> &GroupState {
        &self.state
    }

    pub(super) fn firing(&self, environment: &Environment<'_>) -> Vec<Alert> {
        self.state.firing(&self.group, environment)
    }

    /// Evaluates every rule. Whether what the alerts know has changed.
    pub(super) fn evaluate(
        &mut self,
        db: &Db,
        environment: &Environment<'_>,
        now: Timestamp,
    ) -> bool {
        let began = clock::now();
        let before = self.state.clone();
        let group = self.group.clone();
        for (index, rule) in group.rules.iter().enumerate() {
            let rule_began = clock::now();
            let told = self.evaluate_rule(db, index, rule, environment, now);
            let run = &mut self.rules[index];
            let stored = told.and_then(|series| run.store(db, series, now));
            run.health = RuleHealth {
                error: stored.err(),
                evaluated: Some(now),
                took: clock::now().since(rule_began),
            };
        }
        self.evaluated = Some(now);
        self.took = clock::now().since(began);
        self.state != before
    }

    /// The series that one rule makes.
    fn evaluate_rule(
        &mut self,
        db: &Db,
        index: usize,
        rule: &Rule,
        environment: &Environment<'_>,
        now: Timestamp,
    ) -> Result<Vec<(Labels, f64)>, String> {
        let offset = self.group.query_offset.unwrap_or_default();
        let at = Timestamp(
            now.0
                .saturating_sub(u64::try_from(offset.as_millis()).unwrap_or(0)),
        );
        let results = ask(db, rule.expr(), at, &Deadline::after(RULE_TIMEOUT))?;
        match rule {
            Rule::Record(rule) => rule.record(&results, self.group.limit),
            Rule::Alert(_) => {
                let evaluated = self
                    .state
                    .evaluate(&self.group, index, &results, environment, now);
                evaluated.map_err(|error| error.to_string())?;
                Ok(self.state.series(&self.group, index))
            }
        }
    }

    pub(super) fn report(&self, interval: Duration) -> GroupReport {
        let rules = self.rules.iter().enumerate().map(|(index, run)| {
            let state = self.state.of(&self.group, index);
            let alerts: Vec<Instance> = state
                .map(|state| state.active().cloned().collect())
                .unwrap_or_default();
            RuleReport {
                health: run.health.clone(),
                alerts,
            }
        });
        GroupReport {
            rules: rules.collect(),
            interval: self.group.interval.unwrap_or(interval),
            evaluated: self.evaluated,
            took: self.took,
            group: self.group.clone(),
        }
    }
}

impl RuleRun {
    /// Stores the rule's series, and marks the ends of those that are gone.
    fn store(&mut self, db: &Db, series: Vec<(Labels, f64)>, now: Timestamp) -> Result<(), String> {
        let t = i64::try_from(now.0).unwrap_or(i64::MAX);
        let there: BTreeSet<Labels> = series.iter().map(|(labels, _)| labels.clone()).collect();
        let ended = self.series.difference(&there);
        let ended: Vec<(Labels, f64)> = ended.map(|labels| (labels.clone(), STALE)).collect();
        self.series = there;
        if series.is_empty() && ended.is_empty() {
            return Ok(());
        }
        let mut appender = db.appender();
        let mut refused = None;
        for (labels, value) in series.iter().chain(&ended) {
            if let Err(error) = appender.append(None, labels, t, *value) {
                refused.get_or_insert_with(|| format!("{labels}: {error}"));
            }
        }
        appender.commit().map_err(|error| error.to_string())?;
        match refused {
            Some(why) => Err(why),
            None => Ok(()),
        }
    }
}

/// Asks PromQL for an instant vector; a scalar is one without labels.
pub(super) fn ask(
    db: &Db,
    text: &str,
    at: Timestamp,
    interrupt: &dyn Interrupt,
) -> Result<Vec<(Labels, f64)>, String> {
    let expr = wharf_promql::parse(text).map_err(|error| error.to_string())?;
    let options = Options {
        interrupt,
        ..Options::default()
    };
    let at = i64::try_from(at.0).unwrap_or(i64::MAX);
    let found =
        wharf_promql::instant(db, &expr, at, &options).map_err(|error| error.to_string())?;
    match found.value {
        Value::Vector(elements) => Ok(elements
            .into_iter()
            .map(|element| (element.labels, element.sample.v))
            .collect()),
        Value::Scalar(sample) => Ok(vec![(Labels::empty(), sample.v)]),
        Value::String { .. } | Value::Matrix(_) => {
            Err("rule result is not a vector or scalar".to_owned())
        }
    }
}
