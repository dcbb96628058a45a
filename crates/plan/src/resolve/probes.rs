//! Probes, with their defaults.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_base::ids::Name;
use wharf_spec::decode::Count;
use wharf_spec::diagnostic::{Code, Diagnostic};
use wharf_spec::model::{self as spec, ExecCheck, HttpCheck, TcpCheck};
use wharf_spec::span::{Field, Span};

use super::Resolver;
use super::ports::Ports;
use super::services::command;
use crate::model::{Check, Probe, Probes};

/// Kubernetes asks every 10 s, also while a replica starts; here a replica that has become ready should get traffic at
/// once, and one that has stopped being ready should get none, so these two are asked each second.
const EAGER_PERIOD: Duration = Duration::from_secs(1);
/// As Kubernetes: liveness looks for a hang, which is no matter of a second.
const LIVENESS_PERIOD: Duration = Duration::from_secs(10);
/// As Kubernetes.
const TIMEOUT: Duration = Duration::from_secs(1);
/// As Kubernetes.
const FAILURE_THRESHOLD: u32 = 3;
/// A minute to start in: three failures, as Kubernetes has it, would be three seconds at this period.
const STARTUP_FAILURE_THRESHOLD: u32 = 60;
/// As Kubernetes.
const STATUS: (u16, u16) = (200, 399);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Startup,
    Readiness,
    Liveness,
}

/// The three checks that stand side by side, in `probes` and in each probe.
#[derive(Clone, Copy)]
struct Checks<'a> {
    http: &'a Field<HttpCheck>,
    tcp: &'a Field<TcpCheck>,
    exec: &'a Field<ExecCheck>,
}

impl Checks<'_> {
    fn present(&self) -> Vec<Span> {
        [
            self.http.key_span(),
            self.tcp.key_span(),
            self.exec.key_span(),
        ]
        .into_iter()
        .flatten()
        .cloned()
        .collect()
    }
}

impl Resolver<'_> {
    /// The probes of one service; a service with a port is at least asked whether the port is open.
    pub(super) fn probes(&mut self, name: &Name, service: &spec::Service, ports: &Ports) -> Probes {
        let mut probes = Probes::default();
        if let Some(typed) = service.probes.value() {
            let shared = Checks {
                http: &typed.http,
                tcp: &typed.tcp,
                exec: &typed.exec,
            };
            let shared = self.check(name, ports, shared);
            probes.startup = self.probe(
                name,
                ports,
                &typed.startup,
                None,
                shared.as_ref(),
                Role::Startup,
            );
            probes.readiness = self.probe(
                name,
                ports,
                &typed.readiness,
                shared.as_ref(),
                shared.as_ref(),
                Role::Readiness,
            );
            probes.liveness = self.probe(
                name,
                ports,
                &typed.liveness,
                shared.as_ref(),
                shared.as_ref(),
                Role::Liveness,
            );
        }
        if probes.readiness.is_none() {
            let check = ports.primary.clone().map(|port| Check::Tcp { port });
            probes.readiness = check.map(|check| defaults(check, Role::Readiness));
        }
        probes
    }

    /// One probe: `alone` is the check it makes if it is absent, `shared` the one it takes if it names none.
    fn probe(
        &mut self,
        name: &Name,
        ports: &Ports,
        field: &Field<spec::Probe>,
        alone: Option<&Check>,
        shared: Option<&Check>,
        role: Role,
    ) -> Option<Probe> {
        if field.is_absent() {
            return alone.map(|check| defaults(check.clone(), role));
        }
        let (key, typed) = (field.key_span()?, field.value()?);
        let checks = Checks {
            http: &typed.http,
            tcp: &typed.tcp,
            exec: &typed.exec,
        };
        let named = !checks.present().is_empty();
        let check = match self.check(name, ports, checks) {
            Some(check) => check,
            None if named => return None,
            None => match shared {
                Some(check) => check.clone(),
                None => {
                    let message = "this probe asks nothing";
                    self.report(
                        Diagnostic::error(Code::MISSING_KEY, key.clone(), message)
                            .help("give it one of `http: /path`, `tcp: PORT` and `exec: COMMAND`"),
                    );
                    return None;
                }
            },
        };
        let mut probe = defaults(check, role);
        let durations = [
            (&typed.initial_delay, &mut probe.initial_delay, true),
            (&typed.period, &mut probe.period, false),
            (&typed.timeout, &mut probe.timeout, false),
        ];
        for (field, target, may_be_zero) in durations {
            let Some(typed) = field.get() else {
                continue;
            };
            if typed.value.is_zero() && !may_be_zero {
                let message = "expected a duration above zero";
                self.findings.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    typed.span.clone(),
                    message,
                ));
            }
            *target = typed.value;
        }
        if let Some(&Count(threshold)) = typed.failure_threshold.value() {
            probe.failure_threshold = threshold;
        }
        if let Some(typed) = typed.success_threshold.get() {
            let Count(threshold) = typed.value;
            if threshold != 1 && role != Role::Readiness {
                let message = "the success threshold of startup and liveness probes is always 1";
                self.report(Diagnostic::error(
                    Code::NOT_HERE,
                    typed.span.clone(),
                    message,
                ));
            }
            probe.success_threshold = threshold;
        }
        Some(probe)
    }

    fn check(&mut self, name: &Name, ports: &Ports, checks: Checks<'_>) -> Option<Check> {
        if let [first, second, ..] = checks.present().as_slice() {
            let message = "a probe asks one thing: `http`, `tcp` or `exec`";
            self.report(
                Diagnostic::error(Code::EXCLUSIVE, second.clone(), message)
                    .related(first.clone(), "the other one"),
            );
        }
        if let Some(http) = checks.http.get() {
            let check = &http.value;
            let port = ports.find(name, &check.port, &http.span, self.findings)?;
            let headers = check
                .headers
                .value()
                .map(|table| table.entries.as_slice())
                .unwrap_or_default();
            let headers: BTreeMap<String, String> = headers
                .iter()
                .filter_map(|entry| {
                    Some((
                        entry.key.value.0.clone(),
                        entry.value.as_ref()?.value.clone(),
                    ))
                })
                .collect();
            return Some(Check::Http {
                path: check.path.value()?.0.clone(),
                port,
                host: check.host.value().cloned(),
                headers,
                status: check
                    .status
                    .value()
                    .map_or(STATUS, |range| (range.0, range.1)),
            });
        }
        if let Some(tcp) = checks.tcp.get() {
            let port = ports.find(name, &tcp.value.port, &tcp.span, self.findings)?;
            return Some(Check::Tcp { port });
        }
        let exec = checks.exec.value()?.command.get()?;
        self.no_references_in(Some(exec));
        Some(Check::Exec {
            command: command(&exec.value),
        })
    }
}

fn defaults(check: Check, role: Role) -> Probe {
    Probe {
        check,
        initial_delay: Duration::ZERO,
        period: match role {
            Role::Startup | Role::Readiness => EAGER_PERIOD,
            Role::Liveness => LIVENESS_PERIOD,
        },
        timeout: TIMEOUT,
        success_threshold: 1,
        failure_threshold: match role {
            Role::Startup => STARTUP_FAILURE_THRESHOLD,
            Role::Readiness | Role::Liveness => FAILURE_THRESHOLD,
        },
    }
}
