//! `load`, and `api` of a service.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wharf_base::ids::Name;
use wharf_spec::decode::Count;
use wharf_spec::diagnostic::{Code, Diagnostic, excerpt};
use wharf_spec::model as spec;
use wharf_spec::span::{Span, Spanned};

use super::Resolver;
use crate::model::{LoadRequest, LoadThresholds, Operation, Scenario};

/// The longest ramp that nobody asked for.
const RAMP_MAX: Duration = Duration::from_secs(60);
/// As a person that reads fast.
const THINK_TIME: Duration = Duration::from_secs(1);

impl Resolver<'_> {
    pub(super) fn load(&mut self) -> BTreeMap<Name, Scenario> {
        let spec = self.spec;
        let entries = spec
            .load
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        let mut scenarios = BTreeMap::new();
        for entry in entries {
            let Some(typed) = &entry.value else { continue };
            let scenario = self.scenario(&typed.value);
            scenarios.extend(scenario.map(|scenario| (entry.key.value.clone(), scenario)));
        }
        scenarios
    }

    fn scenario(&mut self, typed: &spec::Scenario) -> Option<Scenario> {
        if let Some(service) = typed.service.get() {
            self.check_listens(&service.value, &service.span);
        }
        if let Some(requests) = typed.requests.get()
            && requests.value.0.is_empty()
        {
            let message = "the scenario asks nothing";
            self.report(
                Diagnostic::error(Code::BAD_VALUE, requests.span.clone(), message)
                    .help("for example `requests: [{ path: / }]`"),
            );
        }
        let requests = typed
            .requests
            .value()
            .map(|list| list.0.as_slice())
            .unwrap_or_default();
        let requests = requests
            .iter()
            .filter_map(|request| self.request(&request.value))
            .collect();
        let duration = typed.duration.get();
        if let Some(duration) = duration
            && duration.value < Duration::from_secs(1)
        {
            let message = "expected at least 1s";
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                duration.span.clone(),
                message,
            ));
        }
        let whole = duration?.value;
        // Whole seconds: what reads it knows no smaller ramps.
        let tenth = Duration::from_secs(whole.as_secs() / 10);
        let ramp_up = typed
            .ramp_up
            .value()
            .copied()
            .unwrap_or(tenth.min(RAMP_MAX));
        let half = Duration::from_secs(ramp_up.as_secs() / 2);
        let ramp_down = typed.ramp_down.value().copied().unwrap_or(half);
        if ramp_up + ramp_down > whole {
            let span = typed
                .ramp_up
                .get()
                .or(typed.ramp_down.get())
                .map(|ramp| &ramp.span);
            let message = format!(
                "the ramps take {}, longer than the scenario",
                wharf_base::duration::format(ramp_up + ramp_down)
            );
            if let Some(span) = span.or(duration.map(|duration| &duration.span)) {
                self.report(
                    Diagnostic::error(Code::BAD_VALUE, span.clone(), message)
                        .help("`duration` includes them"),
                );
            }
        }
        let thresholds = typed.thresholds.value();
        let rated = thresholds.is_some_and(|thresholds| !thresholds.rate.is_absent());
        if let Some(thresholds) = thresholds
            && let (Some(p95), Some(p99)) = (thresholds.p95.value(), thresholds.p99.get())
            && p99.value < *p95
        {
            let message = "`p99` is below `p95`";
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                p99.span.clone(),
                message,
            ));
        }
        Some(Scenario {
            service: typed.service.value()?.clone(),
            users: typed.users.value()?.0,
            duration: whole,
            ramp_up,
            ramp_down,
            think_time: typed.think_time.value().copied().unwrap_or(if rated {
                Duration::ZERO
            } else {
                THINK_TIME
            }),
            requests,
            thresholds: LoadThresholds {
                p95: thresholds.and_then(|thresholds| thresholds.p95.value().copied()),
                p99: thresholds.and_then(|thresholds| thresholds.p99.value().copied()),
                errors: thresholds.and_then(|thresholds| thresholds.errors.value().copied()),
                rate: thresholds.and_then(|thresholds| thresholds.rate.value().copied()),
            },
        })
    }

    fn request(&mut self, typed: &spec::LoadRequest) -> Option<LoadRequest> {
        let method = typed.method.value().copied().unwrap_or(spec::Method::Get);
        if let (Some(body), spec::Method::Get | spec::Method::Head) =
            (typed.body.key_span(), method)
        {
            let message = format!("a {} has no body", method_of(method));
            self.report(
                Diagnostic::error(Code::NOT_HERE, body.clone(), message).help("add `method: POST`"),
            );
        }
        let headers = typed
            .headers
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        for header in headers.iter().filter_map(|header| header.value.as_ref()) {
            let text = Spanned::new(header.value.0.clone(), header.span.clone());
            self.no_references(
                &text,
                "a load test is run by anybody, from anywhere",
                "let the service accept a user of its own for load tests",
            );
        }
        Some(LoadRequest {
            method: method_of(method).to_owned(),
            path: typed.path.value()?.0.clone(),
            weight: typed.weight.value().map_or(1, |weight| weight.0),
            headers: headers
                .iter()
                .filter_map(|header| {
                    Some((
                        header.key.value.0.clone(),
                        header.value.as_ref()?.value.0.clone(),
                    ))
                })
                .collect(),
            body: typed.body.value().cloned(),
            expect: status(typed.expect.value()),
        })
    }

    /// Reports a service that is not there, or that nobody can ask.
    pub(super) fn check_listens(&mut self, name: &Name, span: &Span) {
        self.check_service(name, span);
        let silent = self
            .ports
            .get(name)
            .is_some_and(|ports| ports.primary.is_none() && !ports.incomplete);
        if silent {
            let message = format!("`{name}` has no port, so nobody can ask it");
            self.report(
                Diagnostic::error(Code::BAD_REFERENCE, span.clone(), message)
                    .help(format!("give `{name}` a `port`")),
            );
        }
    }

    pub(super) fn api(&mut self, typed: &spec::Service) -> Vec<Operation> {
        let list = typed
            .api
            .value()
            .map(|list| list.0.as_slice())
            .unwrap_or_default();
        let mut seen: BTreeSet<(&str, &str)> = BTreeSet::new();
        let mut operations = vec![];
        for item in list {
            let Some(path) = item.value.path.get() else {
                continue;
            };
            let method = method_of(
                item.value
                    .method
                    .value()
                    .copied()
                    .unwrap_or(spec::Method::Get),
            );
            if !seen.insert((method, &path.value.0)) {
                let message = format!("{method} {} is there twice", excerpt(&path.value.0));
                self.report(Diagnostic::error(
                    Code::DUPLICATE_ROUTE,
                    path.span.clone(),
                    message,
                ));
            }
            if !braces_close(&path.value.0) || path.value.0.contains('?') {
                let message = "expected a path without a query, with `{name}` for what varies";
                self.report(
                    Diagnostic::error(Code::BAD_VALUE, path.span.clone(), message)
                        .help("for example `/items/{id}`"),
                );
            }
            operations.push(Operation {
                method: method.to_owned(),
                path: path.value.0.clone(),
                summary: item.value.summary.value().map(|summary| summary.0.clone()),
                request: item.value.request.value().cloned(),
                response: item.value.response.value().cloned(),
                status: status(item.value.status.value()),
            });
        }
        operations
    }
}

fn braces_close(path: &str) -> bool {
    path.split('/').all(|segment| {
        let name = segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        let word = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        name.map_or_else(|| !segment.contains(['{', '}']), word)
    })
}

/// The bounds of the word are those of a status.
fn status(typed: Option<&Count<100, 599>>) -> u16 {
    typed
        .and_then(|status| u16::try_from(status.0).ok())
        .unwrap_or(200)
}

fn method_of(method: spec::Method) -> &'static str {
    match method {
        spec::Method::Get => "GET",
        spec::Method::Head => "HEAD",
        spec::Method::Post => "POST",
        spec::Method::Put => "PUT",
        spec::Method::Patch => "PATCH",
        spec::Method::Delete => "DELETE",
        spec::Method::Options => "OPTIONS",
    }
}
