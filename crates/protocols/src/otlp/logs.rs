//! Log records as entries, labelled as Loki's OTLP endpoint does it: a few attributes of the resource are the stream's labels,
//! all else is structured metadata of the entry.

use std::collections::HashMap;

use wharf_signal::{Labels, LogEntry, SpanId, TraceId, Value};

use super::spans::{span_id, trace_id};
use super::value::{attributes, of_wire, text};
use super::wire::{LogRecord, LogsRequest, ResourceLogs, Scope};
use super::{Budget, OtlpError, Rejected, names, nanos};
use crate::label_pairs::set_of;
use crate::loki_push::{Streams, with_service_name};

/// Attributes of resources that are labels of streams: Loki's choice.
const INDEXED: [&str; 18] = [
    "service.name",
    "service.namespace",
    "service.instance.id",
    "deployment.environment",
    "deployment.environment.name",
    "cloud.region",
    "cloud.availability_zone",
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.container.name",
    "container.name",
    "k8s.replicaset.name",
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
];

type Pairs = Vec<(String, String)>;

pub(super) fn of_request(
    request: LogsRequest,
    now_nanos: i64,
    budget: &mut Budget,
) -> Result<(Streams, Rejected), OtlpError> {
    let mut streams = Streams::new();
    let mut places = HashMap::new();
    let mut rejected = Rejected::default();
    for of_resource in request.resource_logs {
        let (labels, entries) = of_one(of_resource, now_nanos, budget, &mut rejected)?;
        let place = *places.entry(labels.clone()).or_insert_with(|| {
            streams.push((labels, Vec::new()));
            streams.len() - 1
        });
        streams[place].1.extend(entries);
    }
    streams.retain(|(_, entries)| !entries.is_empty());
    Ok((streams, rejected))
}

fn of_one(
    logs: ResourceLogs,
    now_nanos: i64,
    budget: &mut Budget,
    rejected: &mut Rejected,
) -> Result<(Labels, Vec<LogEntry>), OtlpError> {
    let (mut indexed, mut shared) = (Pairs::new(), Pairs::new());
    for (key, value) in attributes(logs.resource.unwrap_or_default().attributes) {
        let into = if INDEXED.contains(&key.as_str()) {
            &mut indexed
        } else {
            &mut shared
        };
        flatten(&key, &value, into, budget)?;
    }
    let labels = with_service_name(&set_of(indexed));
    let mut entries = Vec::new();
    for of_scope in logs.scope_logs {
        let scope = scope_pairs(of_scope.scope.unwrap_or_default(), budget)?;
        let common = weight(&shared) + weight(&scope);
        for record in of_scope.log_records {
            let Some(nanos) = time_of(&record, now_nanos) else {
                rejected.add(1, format_args!("a log record's time is out of range"));
                continue;
            };
            let (line, mut pairs) = record_pairs(record, budget)?;
            budget.take(common + weight(&pairs) + line.len() + size_of::<LogEntry>())?;
            // What the record says itself counts more than what is said around it.
            let mut metadata = shared.clone();
            metadata.extend_from_slice(&scope);
            metadata.append(&mut pairs);
            entries.push(LogEntry {
                nanos,
                line,
                metadata: set_of(metadata),
            });
        }
    }
    Ok((labels, entries))
}

fn weight(pairs: &Pairs) -> usize {
    // Both as pairs and as a set.
    pairs
        .iter()
        .map(|(n, v)| 64 + 2 * (n.len() + v.len()))
        .sum()
}

/// Maps become one pair for each of their texts, with the names joined. What has no name that Loki could keep is left out.
fn flatten(
    key: &str,
    value: &Value,
    into: &mut Pairs,
    budget: &mut Budget,
) -> Result<(), OtlpError> {
    let Some(name) = names::loki_label(key) else {
        return Ok(());
    };
    match value {
        Value::Map(pairs) => {
            for (key, value) in pairs {
                flatten(&format!("{name}_{key}"), value, into, budget)?;
            }
        }
        value => {
            // One long name before many short ones becomes many long ones.
            budget.take(name.len())?;
            into.push((name, text(value)));
        }
    }
    Ok(())
}

fn scope_pairs(scope: Scope, budget: &mut Budget) -> Result<Pairs, OtlpError> {
    let mut pairs = Pairs::new();
    for (key, value) in attributes(scope.attributes) {
        flatten(&key, &value, &mut pairs, budget)?;
    }
    pairs.push(("scope_name".to_owned(), scope.name));
    pairs.push(("scope_version".to_owned(), scope.version));
    Ok(pairs)
}

fn time_of(record: &LogRecord, now_nanos: i64) -> Option<i64> {
    match (record.time_unix_nano, record.observed_time_unix_nano) {
        (0, 0) => Some(now_nanos),
        (0, observed) => nanos(observed),
        (time, _) => nanos(time),
    }
}

/// The line, and what the record says beside it.
fn record_pairs(record: LogRecord, budget: &mut Budget) -> Result<(String, Pairs), OtlpError> {
    let mut pairs = Pairs::new();
    for (key, value) in attributes(record.attributes) {
        flatten(&key, &value, &mut pairs, budget)?;
    }
    let mut say = |name: &str, value: String| pairs.push((name.to_owned(), value));
    if record.time_unix_nano != 0 && record.observed_time_unix_nano != 0 {
        say(
            "observed_timestamp",
            record.observed_time_unix_nano.to_string(),
        );
    }
    if record.severity_number != 0 {
        say("severity_number", record.severity_number.to_string());
    }
    if let Some(level) = level(&record.severity_text, record.severity_number) {
        say("detected_level", level);
    }
    say("severity_text", record.severity_text);
    say("event_name", record.event_name);
    if record.flags != 0 {
        say("flags", record.flags.to_string());
    }
    if let Some(id) = trace_id(&record.trace_id) {
        say("trace_id", TraceId::to_string(&id));
    }
    if let Some(id) = span_id(&record.span_id) {
        say("span_id", SpanId::to_string(&id));
    }
    Ok((text(&of_wire(record.body)), pairs))
}

/// A record's level in the words that Loki has for it: what its text says, if that is one, else what its number says.
fn level(text: &str, number: i32) -> Option<String> {
    let said = match text.to_ascii_lowercase().as_str() {
        "trace" | "trc" => "trace",
        "debug" | "dbg" => "debug",
        "info" | "inf" | "information" => "info",
        "warn" | "wrn" | "warning" => "warn",
        "error" | "err" => "error",
        "critical" => "critical",
        "fatal" => "fatal",
        _ => match number {
            1..=4 => "trace",
            5..=8 => "debug",
            9..=12 => "info",
            13..=16 => "warn",
            17..=20 => "error",
            21..=24 => "fatal",
            _ => return None,
        },
    };
    Some(said.to_owned())
}
