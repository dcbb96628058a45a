//! `/api/search`.

use std::time::Duration;

use axum::extract::{Query as Parsed, State};
use axum::response::Json;
use serde_json::{Value as JsonValue, json};
use wharf_signal::SpanStatus;
use wharf_traces::traceql::Query;
use wharf_traces::{Conditions, Found, Matched, Search, Summary};

use super::{Parameters, Refusal, TraceApi, any_value, duration, given, number, range};

const LIMIT_DEFAULT: usize = 20;
const LIMIT_MAX: usize = 1_000;
const SPANS_DEFAULT: usize = 3;
const SPANS_MAX: usize = 100;
const SECOND: i64 = 1_000_000_000;

/// `q` (TraceQL), or `tags` (logfmt), `minDuration` and `maxDuration` of the trace; `limit`, `spss`, `start`, `end`.
pub(super) async fn search(
    State(api): State<TraceApi>,
    Parsed(parameters): Parsed<Parameters>,
) -> Result<Json<JsonValue>, Refusal> {
    let search = Search {
        query: query(&parameters)?,
        range: range(&parameters, SECOND)?,
        limit: number(&parameters, "limit", LIMIT_DEFAULT, LIMIT_MAX)?,
        spans_per_trace: number(&parameters, "spss", SPANS_DEFAULT, SPANS_MAX)?,
    };
    let found = api
        .ask(move |store, interrupt| store.search(&search, interrupt))
        .await?;
    Ok(Json(answer(&found)))
}

fn query(parameters: &Parameters) -> Result<Query, Refusal> {
    if let Some(text) = given(parameters, "q") {
        return Query::parse(text)
            .map_err(|error| Refusal::bad(format!("invalid TraceQL query: {error}")));
    }
    let mut conditions = Conditions::default();
    for (name, value) in logfmt(given(parameters, "tags").unwrap_or_default())? {
        conditions = match (name.as_str(), value.as_str()) {
            ("name", _) => conditions.name(&value),
            ("root.name", _) => conditions.root_name(&value),
            ("root.service.name", _) => conditions.root_service(&value),
            ("error", "true") | ("status" | "status.code", "error") => {
                conditions.status(SpanStatus::Error)
            }
            ("status" | "status.code", "ok") => conditions.status(SpanStatus::Ok),
            ("status" | "status.code", "unset") => conditions.status(SpanStatus::Unset),
            _ => conditions.attribute(&name, &value),
        };
    }
    if let Some(least) = duration(parameters, "minDuration")? {
        conditions = conditions.min_trace(least);
    }
    if let Some(most) = duration(parameters, "maxDuration")? {
        conditions = conditions.max_trace(most);
    }
    Ok(conditions.query())
}

/// `name=value name="with spaces"`.
pub(super) fn logfmt(text: &str) -> Result<Vec<(String, String)>, Refusal> {
    let bad = || {
        Refusal::bad(format!(
            "`tags` is {text:?}; expected logfmt: a=b c=\"d e\""
        ))
    };
    let mut pairs = vec![];
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, behind) = rest.split_once('=').ok_or_else(bad)?;
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(bad());
        }
        let mut value = String::new();
        let end = if let Some(quoted) = behind.strip_prefix('"') {
            let mut chars = quoted.char_indices();
            loop {
                match chars.next() {
                    Some((at, '"')) => break at + 2,
                    Some((_, '\\')) => value.extend(chars.next().map(|(_, c)| c)),
                    Some((_, c)) => value.push(c),
                    None => return Err(bad()),
                }
            }
        } else {
            let end = behind.find(char::is_whitespace).unwrap_or(behind.len());
            value.push_str(&behind[..end]);
            end
        };
        pairs.push((name.to_owned(), value));
        rest = behind[end..].trim_start();
    }
    Ok(pairs)
}

fn answer(found: &Found) -> JsonValue {
    let traces: Vec<JsonValue> = found.traces.iter().map(trace).collect();
    json!({
        "traces": traces,
        "metrics": {
            "inspectedTraces": found.traces.len(),
            "inspectedSpans": found.inspected_spans.to_string(),
            "inspectedBytes": found.inspected_bytes.to_string(),
            "completedJobs": 1,
            "totalJobs": 1,
        },
    })
}

fn trace(told: &Summary) -> JsonValue {
    let spans: Vec<JsonValue> = told.examples.iter().map(span).collect();
    let set = json!({ "spans": spans, "matched": told.matched });
    let stats: serde_json::Map<String, JsonValue> = told
        .services
        .iter()
        .map(|(service, stats)| {
            let mut told = json!({ "spanCount": stats.spans });
            if stats.errors > 0 {
                told["errorCount"] = stats.errors.into();
            }
            (service.clone(), told)
        })
        .collect();
    let millis = Duration::from_nanos(told.duration_nanos).as_millis();
    json!({
        "traceID": told.trace.to_string(),
        "rootServiceName": told.root_service,
        "rootTraceName": told.root_name,
        "startTimeUnixNano": told.start_nanos.to_string(),
        "durationMs": u64::try_from(millis).unwrap_or(u64::MAX),
        "spanSet": set,
        "spanSets": [set],
        "serviceStats": stats,
    })
}

fn span(found: &Matched) -> JsonValue {
    let attributes: Vec<JsonValue> = found
        .attributes
        .iter()
        .map(|(name, value)| json!({ "key": name, "value": any_value(value) }))
        .collect();
    json!({
        "spanID": found.id.to_string(),
        "name": found.name,
        "startTimeUnixNano": found.start_nanos.to_string(),
        "durationNanos": found.duration_nanos.to_string(),
        "attributes": attributes,
    })
}
