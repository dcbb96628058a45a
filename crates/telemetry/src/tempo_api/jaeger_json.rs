//! A trace as Jaeger's page reads it.

use std::collections::BTreeMap;

use serde_json::{Value as JsonValue, json};
use wharf_signal::{Span, SpanId, SpanKind, SpanStatus, Value};
use wharf_traces::Trace;

const NANOS_PER_MICRO: i64 = 1_000;

/// A trace: its spans, and the processes that they name.
pub(super) fn trace(trace: &Trace) -> JsonValue {
    let mut processes: BTreeMap<String, String> = BTreeMap::new();
    let mut told = serde_json::Map::new();
    let mut spans = vec![];
    for span in &trace.spans {
        let process = json!({ "serviceName": span.service, "tags": tags(&span.resource) });
        let next = processes.len() + 1;
        let id = processes
            .entry(process.to_string())
            .or_insert_with(|| format!("p{next}"))
            .clone();
        told.entry(id.clone()).or_insert(process);
        spans.push(self::span(span, &id));
    }
    let warnings = trace
        .truncated
        .then(|| json!(["the trace is larger than what is read of one: spans are missing"]));
    json!({
        "traceID": trace.id.to_string(),
        "spans": spans,
        "processes": told,
        "warnings": warnings,
    })
}

pub(super) fn kind_word(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Unspecified => "unspecified",
        SpanKind::Internal => "internal",
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
    }
}

fn span(span: &Span, process: &str) -> JsonValue {
    let mut references = vec![];
    let mut refer = |kind: &str, trace: String, id: SpanId| {
        references.push(json!({ "refType": kind, "traceID": trace, "spanID": id.to_string() }));
    };
    if span.parent != SpanId::default() {
        refer("CHILD_OF", span.trace.to_string(), span.parent);
    }
    for link in &span.links {
        refer("FOLLOWS_FROM", link.trace.to_string(), link.span);
    }
    let mut tags = tags(&span.attributes);
    if span.kind != SpanKind::Unspecified {
        tags.push(tag(
            "span.kind",
            &Value::Text(kind_word(span.kind).to_owned()),
        ));
    }
    let mut status = |code: &str| tags.push(tag("otel.status_code", &Value::Text(code.to_owned())));
    match span.status {
        SpanStatus::Unset => {}
        SpanStatus::Ok => status("OK"),
        SpanStatus::Error => {
            status("ERROR");
            tags.push(tag("error", &Value::Bool(true)));
        }
    }
    for (name, text) in [
        ("otel.status_description", &span.message),
        ("otel.scope.name", &span.scope),
    ] {
        if !text.is_empty() {
            tags.push(tag(name, &Value::Text(text.clone())));
        }
    }
    let logs: Vec<JsonValue> = span
        .events
        .iter()
        .map(|event| {
            let mut fields = vec![tag("event", &Value::Text(event.name.clone()))];
            fields.extend(self::tags(&event.attributes));
            json!({ "timestamp": event.nanos / NANOS_PER_MICRO, "fields": fields })
        })
        .collect();
    let micros = span.end_nanos.abs_diff(span.start_nanos) / NANOS_PER_MICRO.unsigned_abs();
    json!({
        "traceID": span.trace.to_string(),
        "spanID": span.id.to_string(),
        "operationName": span.name,
        "references": references,
        "startTime": span.start_nanos / NANOS_PER_MICRO,
        "duration": micros,
        "tags": tags,
        "logs": logs,
        "processID": process,
        "warnings": null,
    })
}

fn tags(attributes: &[(String, Value)]) -> Vec<JsonValue> {
    attributes
        .iter()
        .map(|(name, value)| tag(name, value))
        .collect()
}

fn tag(name: &str, value: &Value) -> JsonValue {
    let (kind, value) = match value {
        Value::Text(text) => ("string", json!(text)),
        Value::Bool(value) => ("bool", json!(value)),
        Value::Int(number) => ("int64", json!(number)),
        Value::Double(number) => ("float64", json!(number)),
        Value::Bytes(_) | Value::List(_) | Value::Map(_) => {
            ("string", json!(plain(value).to_string()))
        }
    };
    json!({ "key": name, "type": kind, "value": value })
}

/// As plain JSON; bytes as a list of numbers.
fn plain(value: &Value) -> JsonValue {
    match value {
        Value::Text(text) => json!(text),
        Value::Bool(value) => json!(value),
        Value::Int(number) => json!(number),
        Value::Double(number) => json!(number),
        Value::Bytes(bytes) => json!(bytes),
        Value::List(items) => items.iter().map(plain).collect(),
        Value::Map(pairs) => pairs
            .iter()
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect(),
    }
}
