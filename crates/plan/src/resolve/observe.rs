//! `telemetry`, `objectives`, `alerts` and `notify`.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_base::ids::Name;
use wharf_base::units::{Bytes, Percent};
use wharf_spec::diagnostic::{Code, Diagnostic};
use wharf_spec::model as spec;
use wharf_spec::span::{Field, Span};

use super::Resolver;
use super::notify::severity_of;
use crate::model::{Alert, Indicator, Notifications, Objective, Telemetry, Thresholds};
use crate::rules::BUILT_IN;

const DAY: Duration = Duration::from_secs(86_400);
/// As Prometheus' own examples; half of it is the shortest look that a rule of one minute needs.
pub(super) const SCRAPE_INTERVAL: Duration = Duration::from_secs(15);
/// As Prometheus.
const RETENTION: Duration = Duration::from_secs(15 * 86_400);
const STORAGE: Bytes = Bytes(50 << 30);
const LOGS_HOT: Duration = Duration::from_secs(14 * 86_400);
const LOGS_ARCHIVE: Duration = Duration::from_secs(90 * 86_400);
const TRACES: Percent = Percent::whole(10);
/// How long something has to be wrong before somebody hears of it.
const HOLD: Duration = Duration::from_secs(300);
/// As most objectives have it: a month without the question of its length.
const WINDOW: Duration = Duration::from_secs(30 * 86_400);

impl Resolver<'_> {
    pub(super) fn telemetry(&mut self) -> Telemetry {
        let spec = self.spec;
        let absent = spec::Telemetry::default();
        let typed = spec.telemetry.value().unwrap_or(&absent);
        if let Some(interval) = typed.scrape_interval.get()
            && !(Duration::from_secs(1)..=Duration::from_secs(300)).contains(&interval.value)
        {
            let message = "expected an interval from 1s to 5m: queries look back five minutes";
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                interval.span.clone(),
                message,
            ));
        }
        let no_logs = spec::Logs::default();
        let logs = typed.logs.value().unwrap_or(&no_logs);
        for kept in [&typed.retention, &logs.hot, &logs.archive] {
            if let Some(kept) = kept.get()
                && kept.value < DAY
            {
                let message = "expected at least 1d";
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    kept.span.clone(),
                    message,
                ));
            }
        }
        let hot = logs.hot.value().copied().unwrap_or(LOGS_HOT);
        let archive = logs.archive.value().copied();
        if let (Some(typed), true) = (
            logs.archive.get(),
            archive.is_some_and(|archive| archive < hot),
        ) {
            let message = "logs are kept at all for less long than where they are searched fast";
            self.report(
                Diagnostic::error(Code::BAD_VALUE, typed.span.clone(), message).help(format!(
                    "give at least {}",
                    wharf_base::duration::format(hot)
                )),
            );
        }
        Telemetry {
            scrape_interval: typed
                .scrape_interval
                .value()
                .copied()
                .unwrap_or(SCRAPE_INTERVAL),
            retention: typed.retention.value().copied().unwrap_or(RETENTION),
            storage: typed.storage.value().copied().unwrap_or(STORAGE),
            logs_hot: hot,
            logs_archive: archive.unwrap_or(LOGS_ARCHIVE.max(hot)),
            logs_archive_to: logs.archive_to.value().and_then(|to| self.log_archive(to)),
            traces: typed.traces.value().copied().unwrap_or(TRACES),
            thresholds: thresholds(typed.thresholds.value()),
            targets: self.scrape_targets(typed),
            target_files: self.target_files(typed),
            rules: self.rule_files(typed),
            notifications: self.notifications(typed),
        }
    }

    fn rule_files(&mut self, typed: &spec::Telemetry) -> Vec<String> {
        let files = typed.rules.value().map(|files| files.0.as_slice());
        let files = files.unwrap_or_default();
        for file in files {
            self.check_path(&file.value, &file.span);
        }
        files.iter().map(|file| file.value.clone()).collect()
    }

    fn notifications(&mut self, typed: &spec::Telemetry) -> Notifications {
        let absent = spec::Notifications::default();
        let typed = typed.notifications.value().unwrap_or(&absent);
        for (duration, least) in [
            (&typed.group_wait, Duration::ZERO),
            (&typed.group_interval, Duration::from_secs(1)),
            (&typed.repeat_interval, Duration::from_secs(60)),
        ] {
            if let Some(duration) = duration.get()
                && !(least..=DAY * 30).contains(&duration.value)
            {
                let message = format!(
                    "expected a time from {} to 30d",
                    wharf_base::duration::format(least)
                );
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    duration.span.clone(),
                    message,
                ));
            }
        }
        Notifications {
            group_wait: typed.group_wait.value().copied(),
            group_interval: typed.group_interval.value().copied(),
            repeat_interval: typed.repeat_interval.value().copied(),
        }
    }

    pub(super) fn objectives(&mut self) -> Vec<Objective> {
        let spec = self.spec;
        let list = spec
            .objectives
            .value()
            .map(|list| list.0.as_slice())
            .unwrap_or_default();
        let mut names: BTreeMap<&Name, &Span> = BTreeMap::new();
        let mut objectives = vec![];
        for item in list {
            let typed = &item.value;
            if let Some(name) = typed.name.get()
                && let Some(first) = names.insert(&name.value, &name.span)
            {
                let message = format!("two objectives are called `{}`", name.value);
                self.report(
                    Diagnostic::error(Code::DUPLICATE_NAME, name.span.clone(), message)
                        .related(first.clone(), "the first one"),
                );
            }
            if let Some(service) = typed.service.get() {
                self.check_service(&service.value, &service.span);
            }
            if let Some(target) = typed.target.get()
                && [0, 100_000].contains(&target.value.thousandths)
            {
                let message = "expected a target between 0% and 100%: the rest is the error budget";
                self.report(
                    Diagnostic::error(Code::BAD_VALUE, target.span.clone(), message)
                        .help("for example `99.9%`"),
                );
            }
            if let Some(window) = typed.window.get()
                && window.value < DAY
            {
                let message = "expected a window of at least 1d";
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    window.span.clone(),
                    message,
                ));
            }
            let indicator = self.indicator(typed);
            let (Some(name), Some(service), Some(target), Some(indicator)) = (
                typed.name.value(),
                typed.service.value(),
                typed.target.value(),
                indicator,
            ) else {
                continue;
            };
            objectives.push(Objective {
                name: name.clone(),
                service: service.clone(),
                target: *target,
                window: typed.window.value().copied().unwrap_or(WINDOW),
                indicator,
            });
        }
        objectives
    }

    fn indicator(&mut self, typed: &spec::Objective) -> Option<Indicator> {
        let pair = [
            (
                "good",
                typed.good.key_span(),
                "total",
                typed.total.key_span(),
            ),
            (
                "total",
                typed.total.key_span(),
                "good",
                typed.good.key_span(),
            ),
        ];
        for (word, span, other, other_span) in pair {
            if let (Some(span), None) = (span, other_span) {
                let message = format!("`{word}` needs `{other}` beside it");
                self.report(Diagnostic::error(Code::MISSING_KEY, span.clone(), message));
                return None;
            }
        }
        if let (Some(latency), Some(good)) = (typed.latency.key_span(), typed.good.key_span()) {
            let message = "`latency` and `good` exclude each other";
            self.report(
                Diagnostic::error(Code::EXCLUSIVE, good.clone(), message)
                    .related(latency.clone(), "the other one"),
            );
            return None;
        }
        if !typed.latency.is_absent() {
            return Some(Indicator::Latency {
                under: *typed.latency.value()?,
            });
        }
        if typed.good.is_absent() {
            return Some(Indicator::Availability);
        }
        let (good, total) = (typed.good.get()?, typed.total.get()?);
        for query in [good, total] {
            self.check_promql(query);
        }
        Some(Indicator::Ratio {
            good: good.value.trim().to_owned(),
            total: total.value.trim().to_owned(),
        })
    }

    pub(super) fn alerts(&mut self) -> Vec<Alert> {
        let spec = self.spec;
        let list = spec
            .alerts
            .value()
            .map(|list| list.0.as_slice())
            .unwrap_or_default();
        let mut names: BTreeMap<&str, &Span> = BTreeMap::new();
        let mut alerts = vec![];
        for item in list {
            let typed = &item.value;
            if let Some(name) = typed.name.get()
                && let Some(first) = names.insert(&name.value.0, &name.span)
            {
                let message = format!("two alerts are called `{}`", name.value.0);
                self.report(
                    Diagnostic::error(Code::DUPLICATE_NAME, name.span.clone(), message)
                        .related(first.clone(), "the first one"),
                );
            }
            if let Some(query) = typed.query.get() {
                self.check_promql(query);
            }
            self.check_query_is_known(typed);
            let told = typed
                .notify
                .value()
                .map(|list| list.0.as_slice())
                .unwrap_or_default();
            self.check_receivers(told);
            let labels = self.alert_texts(&typed.labels, &["alertname", "severity", "notify"]);
            let annotations = self.alert_texts(
                &typed.annotations,
                &["summary", "description", "runbook_url"],
            );
            let Some(name) = typed.name.value() else {
                continue;
            };
            alerts.push(Alert {
                name: name.0.clone(),
                enabled: typed.enabled.value().copied().unwrap_or(true),
                query: typed.query.value().map(|query| query.trim().to_owned()),
                hold: typed.r#for.value().copied(),
                keep: typed.keep_for.value().copied(),
                severity: typed
                    .severity
                    .value()
                    .map(|severity| severity_of(*severity)),
                notify: told.iter().map(|name| name.value.clone()).collect(),
                summary: typed.summary.value().map(|summary| summary.0.clone()),
                runbook: typed.runbook.value().map(|runbook| runbook.0.clone()),
                labels,
                annotations,
            });
        }
        alerts
    }

    /// An alert without a query is a built-in one.
    fn check_query_is_known(&mut self, typed: &spec::Alert) {
        let (Some(name), true) = (typed.name.get(), typed.query.is_absent()) else {
            return;
        };
        if BUILT_IN.contains(&name.value.0.as_str()) {
            return;
        }
        let message = format!(
            "`{}` is no built-in alert, and an alert of its own needs a `query`",
            name.value.0
        );
        let diagnostic = Diagnostic::error(Code::MISSING_KEY, name.span.clone(), message);
        self.report(diagnostic.did_you_mean(&name.value.0, BUILT_IN.iter().copied()));
    }

    /// Labels or annotations, without those that Wharf sets itself.
    fn alert_texts(
        &mut self,
        typed: &Field<spec::AlertTexts>,
        own: &[&str],
    ) -> BTreeMap<String, String> {
        let entries = typed.value().map(|table| table.entries.as_slice());
        let mut texts = BTreeMap::new();
        for entry in entries.unwrap_or_default() {
            let name = entry.key.value.as_ref();
            if own.contains(&name) {
                let message = format!("`{name}` is set by Wharf");
                let help = match name {
                    "runbook_url" => "say `runbook: …`".to_owned(),
                    "description" => "say it in `summary`".to_owned(),
                    "alertname" => "say `name: …`".to_owned(),
                    name => format!("say `{name}: …` beside `name`"),
                };
                let span = entry.key.span.clone();
                self.report(Diagnostic::error(Code::NOT_HERE, span, message).help(help));
                continue;
            }
            if let Some(value) = &entry.value {
                texts.insert(name.to_owned(), value.value.0.clone());
            }
        }
        texts
    }
}

fn thresholds(typed: Option<&spec::Thresholds>) -> Thresholds {
    let absent = spec::Thresholds::default();
    let typed = typed.unwrap_or(&absent);
    Thresholds {
        error_rate: typed
            .error_rate
            .value()
            .copied()
            .unwrap_or(Percent::whole(5)),
        latency: typed
            .latency
            .value()
            .copied()
            .unwrap_or(Duration::from_millis(500)),
        memory: typed.memory.value().copied().unwrap_or(Percent::whole(90)),
        cpu: typed.cpu.value().copied().unwrap_or(Percent::whole(80)),
        disk_free: typed
            .disk_free
            .value()
            .copied()
            .unwrap_or(Percent::whole(10)),
        hold: typed.r#for.value().copied().unwrap_or(HOLD),
    }
}
