//! `pipeline.jobs` and `pipeline.scan`.

use std::collections::{BTreeMap, BTreeSet};

use wharf_base::ids::Name;
use wharf_spec::decode::OneOrMany;
use wharf_spec::diagnostic::{Code, Diagnostic};
use wharf_spec::model as spec;
use wharf_spec::span::Field;

use super::Resolver;
use super::services::suggested;
use crate::model::{Gate, Job, Scan, Scanner};

/// Stages that a job may wait for, beside other jobs.
const STAGES: [&str; 5] = ["lint", "tests", "scan", "build", "deploy"];

impl Resolver<'_> {
    pub(super) fn jobs(&mut self, typed: &spec::Pipeline) -> BTreeMap<Name, Job> {
        let entries = typed
            .jobs
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        let mut known: BTreeSet<&str> = STAGES.into_iter().collect();
        known.extend(
            typed
                .lint
                .value()
                .into_iter()
                .flat_map(|table| table.keys()),
        );
        known.extend(
            typed
                .tests
                .value()
                .into_iter()
                .flat_map(|table| table.keys()),
        );
        let taken = known.clone();
        known.extend(entries.iter().map(|entry| entry.key.value.as_str()));
        let mut jobs: BTreeMap<Name, Job> = BTreeMap::new();
        for entry in entries {
            if taken.contains(entry.key.value.as_str()) {
                let message = format!("the pipeline has a `{}` already", entry.key.value);
                self.report(Diagnostic::error(
                    Code::DUPLICATE_NAME,
                    entry.key.span.clone(),
                    message,
                ));
            }
            let Some(job) = entry.value.as_ref().map(|typed| &typed.value) else {
                continue;
            };
            let needs = job
                .needs
                .value()
                .map(|list| list.0.as_slice())
                .unwrap_or_default();
            for need in needs {
                if need.value == entry.key.value {
                    let message = format!("`{}` needs itself", need.value);
                    self.report(Diagnostic::error(Code::CIRCLE, need.span.clone(), message));
                } else if !known.contains(need.value.as_str()) && !self.findings.is_full() {
                    let message = format!("the pipeline has no job or stage `{}`", need.value);
                    let diagnostic =
                        Diagnostic::error(Code::UNKNOWN_NAME, need.span.clone(), message);
                    self.report(suggested(
                        diagnostic,
                        need.value.as_str(),
                        known.iter().copied(),
                    ));
                }
            }
            let Some(check) = self.job_check(&job.command, &job.folder, &job.language) else {
                continue;
            };
            let job = Job {
                check,
                needs: needs.iter().map(|need| need.value.clone()).collect(),
                required: job.required.value().copied().unwrap_or(true),
            };
            jobs.insert(entry.key.value.clone(), job);
        }
        self.check_job_order(typed, &jobs);
        jobs
    }

    /// Takes away, again and again, the jobs that wait for nothing that is left; what stays waits in a circle.
    fn check_job_order(&mut self, typed: &spec::Pipeline, jobs: &BTreeMap<Name, Job>) {
        let mut left: BTreeSet<&Name> = jobs.keys().collect();
        loop {
            let before = left.len();
            let waiting = left.clone();
            left.retain(|name| {
                jobs[*name]
                    .needs
                    .iter()
                    .any(|need| need != *name && waiting.contains(need))
            });
            if left.is_empty() {
                return;
            }
            if left.len() == before {
                break;
            }
        }
        let names: Vec<String> = left.iter().map(|name| format!("`{name}`")).collect();
        let first = left
            .first()
            .and_then(|name| typed.jobs.value()?.get(name.as_str()));
        if let Some(entry) = first {
            let message = format!(
                "jobs wait for each other in a circle, among {}",
                names.join(", ")
            );
            self.report(Diagnostic::error(
                Code::CIRCLE,
                entry.key.span.clone(),
                message,
            ));
        }
    }

    pub(super) fn scan(&mut self, typed: Option<&spec::Scan>) -> Scan {
        let absent = spec::Scan::default();
        let typed = typed.unwrap_or(&absent);
        Scan {
            code: self.scanners(&typed.code, "code"),
            secrets: self.scanners(&typed.secrets, "secrets"),
            dependencies: self.scanners(&typed.dependencies, "dependencies"),
            images: self.scanners(&typed.images, "images"),
            infrastructure: self.scanners(&typed.infrastructure, "infrastructure"),
            dynamic: self.scanners(&typed.dynamic, "dynamic"),
            gate: match typed.gate.value() {
                Some(spec::Gate::High) => Gate::High,
                Some(spec::Gate::Critical) | None => Gate::Critical,
            },
        }
    }

    fn scanners(&mut self, typed: &Field<OneOrMany<spec::Scanner>>, what: &str) -> Vec<Scanner> {
        let list = typed
            .value()
            .map(|list| list.0.as_slice())
            .unwrap_or_default();
        let mut scanners = vec![];
        for item in list {
            let (scanner, name, looks_at) = known_scanner(item.value);
            if !looks_at.contains(&what) {
                let message = format!("`{name}` is no scanner for `{what}`");
                let places: Vec<String> =
                    looks_at.iter().map(|place| format!("`{place}`")).collect();
                self.report(
                    Diagnostic::error(Code::NOT_HERE, item.span.clone(), message)
                        .help(format!("it belongs to {}", places.join(", "))),
                );
            }
            if !scanners.contains(&scanner) {
                scanners.push(scanner);
            }
        }
        scanners
    }
}

/// A scanner, its word, and what it can look at.
fn known_scanner(typed: spec::Scanner) -> (Scanner, &'static str, &'static [&'static str]) {
    match typed {
        spec::Scanner::Bandit => (Scanner::Bandit, "bandit", &["code"]),
        spec::Scanner::Semgrep => (Scanner::Semgrep, "semgrep", &["code"]),
        spec::Scanner::Gitleaks => (Scanner::Gitleaks, "gitleaks", &["secrets"]),
        spec::Scanner::Safety => (Scanner::Safety, "safety", &["dependencies"]),
        spec::Scanner::Trivy => (
            Scanner::Trivy,
            "trivy",
            &["secrets", "dependencies", "images", "infrastructure"],
        ),
        spec::Scanner::Snyk => (
            Scanner::Snyk,
            "snyk",
            &["code", "dependencies", "images", "infrastructure"],
        ),
        spec::Scanner::Zap => (Scanner::Zap, "zap", &["dynamic"]),
    }
}
