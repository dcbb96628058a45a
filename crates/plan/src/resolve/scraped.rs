//! `telemetry.targets` and `telemetry.target_files`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use wharf_base::ids::Name;
use wharf_spec::diagnostic::{Code, Diagnostic};
use wharf_spec::model as spec;
use wharf_spec::span::Span;

use super::Resolver;
use crate::model::{ScrapeTarget, TargetFile};

/// As Prometheus.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Jobs that are scraped anyway, on one target or another.
const TAKEN: [&str; 13] = [
    "apiserver",
    "cadvisor",
    "ingress",
    "kube-state-metrics",
    "kubelet",
    "node-exporter",
    "otel-collector",
    "pgbouncer-exporter",
    "postgres-exporter",
    "prometheus",
    "redis-exporter",
    "services",
    "wharf",
];

impl Resolver<'_> {
    pub(super) fn scrape_targets(&mut self, telemetry: &spec::Telemetry) -> Vec<ScrapeTarget> {
        let every = telemetry.scrape_interval.value().copied();
        let every = every.unwrap_or(super::observe::SCRAPE_INTERVAL);
        let list = telemetry.targets.value();
        let mut jobs = BTreeMap::new();
        let mut targets = vec![];
        for item in list.map(|list| list.0.as_slice()).unwrap_or_default() {
            let typed = &item.value;
            if let Some(job) = typed.job.get() {
                self.check_job(&job.value, &job.span, &mut jobs);
            }
            let interval = typed.interval.value().copied().unwrap_or(every);
            if let Some(typed) = typed.interval.get()
                && !(Duration::from_secs(1)..=Duration::from_secs(300)).contains(&typed.value)
            {
                let message = "expected an interval from 1s to 5m: queries look back five minutes";
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    typed.span.clone(),
                    message,
                ));
            }
            if let Some(timeout) = typed.timeout.get()
                && (timeout.value > interval || timeout.value.is_zero())
            {
                let message = "a scrape has to end before the next one begins";
                let help = format!("give at most {}", wharf_base::duration::format(interval));
                self.report(
                    Diagnostic::error(Code::BAD_VALUE, timeout.span.clone(), message).help(help),
                );
            }
            let (Some(job), Some(urls)) = (typed.job.value(), typed.url.value()) else {
                continue;
            };
            let labels = typed.labels.value();
            targets.push(ScrapeTarget {
                job: job.clone(),
                urls: urls.0.iter().map(|url| url.value.0.clone()).collect(),
                labels: labels
                    .map(|table| table.entries.as_slice())
                    .unwrap_or_default()
                    .iter()
                    .filter_map(|entry| {
                        let value = &entry.value.as_ref()?.value;
                        Some((entry.key.value.0.clone(), value.0.clone()))
                    })
                    .collect(),
                interval,
                timeout: typed
                    .timeout
                    .value()
                    .copied()
                    .unwrap_or(TIMEOUT.min(interval)),
                honor_labels: typed.honor_labels.value().copied().unwrap_or(false),
                honor_timestamps: typed.honor_timestamps.value().copied().unwrap_or(true),
                sample_limit: typed.sample_limit.value().map(|limit| limit.0),
            });
        }
        targets
    }

    pub(super) fn target_files(&mut self, telemetry: &spec::Telemetry) -> Vec<TargetFile> {
        let list = telemetry.target_files.value();
        let targets = telemetry.targets.value();
        let named = targets.map(|list| list.0.as_slice()).unwrap_or_default();
        let mut jobs: BTreeMap<Name, Span> = named
            .iter()
            .filter_map(|target| target.value.job.get())
            .map(|job| (job.value.clone(), job.span.clone()))
            .collect();
        let mut files = vec![];
        for file in list.map(|list| list.0.as_slice()).unwrap_or_default() {
            self.check_path(&file.value, &file.span);
            let path = Path::new(&file.value);
            let ending = path.extension().and_then(|ending| ending.to_str());
            let job = path
                .file_stem()
                .and_then(|stem| stem.to_str()?.parse::<Name>().ok());
            let (Some("yaml" | "yml" | "json"), Some(job)) = (ending, job) else {
                let message = "expected a file that is called as its job, with the ending .yaml, .yml or .json";
                self.report(
                    Diagnostic::error(Code::BAD_VALUE, file.span.clone(), message)
                        .help("for example `targets/machines.yaml`"),
                );
                continue;
            };
            self.check_job(&job, &file.span, &mut jobs);
            files.push(TargetFile {
                job,
                path: file.value.clone(),
            });
        }
        files
    }

    /// A job is called as nothing else that is scraped.
    fn check_job(&mut self, job: &Name, span: &Span, jobs: &mut BTreeMap<Name, Span>) {
        if let Some(first) = jobs.insert(job.clone(), span.clone()) {
            let message = format!("two jobs are called `{job}`");
            self.report(
                Diagnostic::error(Code::DUPLICATE_NAME, span.clone(), message)
                    .related(first, "the first one"),
            );
        }
        let services = self.spec.services.value();
        if services.is_some_and(|services| services.mentions(job.as_str())) {
            let message = format!("the job of the service `{job}` is called so");
            self.report(Diagnostic::error(
                Code::DUPLICATE_NAME,
                span.clone(),
                message,
            ));
        } else if TAKEN.contains(&job.as_str()) {
            let message = format!("the job `{job}` is Wharf's own");
            self.report(Diagnostic::error(
                Code::DUPLICATE_NAME,
                span.clone(),
                message,
            ));
        }
    }
}
