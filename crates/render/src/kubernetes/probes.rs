//! Probes, which the plan has in the meaning of Kubernetes.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ExecAction, HTTPGetAction, HTTPHeader, Probe, TCPSocketAction};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use wharf_plan::model::{self, Check, Command};

use super::config::escape;
use wharf_plan::exec_form::exec_form;

/// A probe as Kubernetes makes it; `once` for those that one success is enough for.
pub(super) fn probe(probe: &model::Probe, once: bool) -> Probe {
    let mut made = Probe {
        period_seconds: Some(seconds(probe.period)),
        timeout_seconds: Some(seconds(probe.timeout)),
        failure_threshold: i32::try_from(probe.failure_threshold).ok(),
        ..Probe::default()
    };
    if !probe.initial_delay.is_zero() {
        made.initial_delay_seconds = Some(seconds(probe.initial_delay));
    }
    if !once && probe.success_threshold > 1 {
        made.success_threshold = i32::try_from(probe.success_threshold).ok();
    }
    match &probe.check {
        Check::Http {
            path,
            port,
            host,
            headers,
            ..
        } => {
            // The header `Host`, not the field `host`: that one would lead away from the pod.
            let mut all: BTreeMap<&str, &str> = headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            if let Some(host) = host {
                all.insert("Host", host);
            }
            let headers: Vec<HTTPHeader> = all
                .into_iter()
                .map(|(name, value)| HTTPHeader {
                    name: name.to_owned(),
                    value: value.to_owned(),
                })
                .collect();
            made.http_get = Some(HTTPGetAction {
                path: Some(path.clone()),
                port: IntOrString::String(port.to_string()),
                http_headers: (!headers.is_empty()).then_some(headers),
                ..HTTPGetAction::default()
            });
        }
        Check::Tcp { port } => {
            made.tcp_socket = Some(TCPSocketAction {
                port: IntOrString::String(port.to_string()),
                host: None,
            });
        }
        Check::Exec { command } => made.exec = Some(exec(command)),
    }
    made
}

/// A probe that runs a command.
pub(super) fn exec_probe(command: &[&str], period: i32, timeout: i32, failures: i32) -> Probe {
    Probe {
        exec: Some(ExecAction {
            command: Some(command.iter().map(|&word| word.to_owned()).collect()),
        }),
        period_seconds: Some(period),
        timeout_seconds: Some(timeout),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

/// A probe that asks a path of the port called `port`.
pub(super) fn http_probe(path: &str, port: &str, period: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(port.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        timeout_seconds: Some(5),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

/// A probe that opens a connection to the port called `port`.
pub(super) fn tcp_probe(port: &str, period: i32, failures: i32) -> Probe {
    Probe {
        tcp_socket: Some(TCPSocketAction {
            port: IntOrString::String(port.to_owned()),
            host: None,
        }),
        period_seconds: Some(period),
        timeout_seconds: Some(5),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

fn exec(command: &Command) -> ExecAction {
    // Unlike those of containers, the words of a probe are not searched for `$(NAME)`.
    ExecAction {
        command: Some(exec_form(command)),
    }
}

/// Whole seconds, rounded up, at least one.
pub(super) fn seconds(duration: Duration) -> i32 {
    let seconds = duration.as_millis().div_ceil(1000).max(1);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// A command as a container starts it; `$(NAME)` stays what it is.
pub(super) fn command_line(command: &Command) -> Vec<String> {
    exec_form(command).iter().map(|word| escape(word)).collect()
}
