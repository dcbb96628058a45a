//! Jaeger's query API, as its own page and Grafana's source ask it.

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query as Parsed, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::{Value as JsonValue, json};
use wharf_signal::{SpanStatus, TraceId};
use wharf_traces::traceql::Query;
use wharf_traces::{Conditions, Range, Search};

use super::{Parameters, Refusal, TraceApi, duration, given, jaeger_json, number, range};

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1_500;
/// Jaeger counts in microseconds, and the ends of dependencies in milliseconds.
const MICRO: i64 = 1_000;
const MILLI: i64 = 1_000_000;
/// What Jaeger's page asks for where nothing is said.
const LOOKBACK_DEFAULT: Duration = Duration::from_secs(24 * 3_600);

pub(super) fn routes() -> Router<TraceApi> {
    Router::new()
        .route("/services", get(services))
        .route("/services/{service}/operations", get(operations_of))
        .route("/operations", get(operations))
        .route("/traces", get(traces))
        .route("/traces/{id}", get(trace))
        .route("/dependencies", get(dependencies))
}

/// A refusal in Jaeger's envelope.
#[derive(Debug)]
struct JaegerRefusal(Refusal);

impl From<Refusal> for JaegerRefusal {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for JaegerRefusal {
    fn into_response(self) -> Response {
        let error = json!({ "code": self.0.status.as_u16(), "msg": self.0.message });
        let body = json!({ "data": null, "total": 0, "limit": 0, "offset": 0, "errors": [error] });
        (self.0.status, Json(body)).into_response()
    }
}

type Answer = Result<Json<JsonValue>, JaegerRefusal>;

fn answer(data: Vec<JsonValue>) -> Answer {
    let total = data.len();
    Ok(Json(
        json!({ "data": data, "total": total, "limit": 0, "offset": 0, "errors": null }),
    ))
}

async fn services(State(api): State<TraceApi>) -> Answer {
    let services = api.ask(|store, _| Ok(store.services(Range::ALL))).await?;
    answer(services.into_iter().map(JsonValue::from).collect())
}

async fn operations_of(State(api): State<TraceApi>, Path(service): Path<String>) -> Answer {
    let found = api
        .ask(move |store, _| Ok(store.operations(&service, Range::ALL)))
        .await?;
    let mut names: Vec<String> = found.into_iter().map(|(_, name)| name).collect();
    names.sort();
    names.dedup();
    answer(names.into_iter().map(JsonValue::from).collect())
}

async fn operations(State(api): State<TraceApi>, Parsed(parameters): Parsed<Parameters>) -> Answer {
    let Some(service) = given(&parameters, "service").map(str::to_owned) else {
        return Err(Refusal::bad("`service` has to be given").into());
    };
    let kind = given(&parameters, "spanKind").map(str::to_owned);
    let found = api
        .ask(move |store, _| Ok(store.operations(&service, Range::ALL)))
        .await?;
    let told = found.into_iter().filter_map(|(of, name)| {
        let of = jaeger_json::kind_word(of);
        kind.as_deref()
            .is_none_or(|kind| kind == of)
            .then(|| json!({ "name": name, "spanKind": of }))
    });
    answer(told.collect())
}

/// Traces by `service`, `operation`, `tags` (JSON) or `tag` (`name:value`), `minDuration`, `maxDuration`, `start`, `end`, `limit`;
/// or by `traceID`, several times.
async fn traces(State(api): State<TraceApi>, Parsed(all): Parsed<Vec<(String, String)>>) -> Answer {
    let ids: Vec<&str> = all
        .iter()
        .filter_map(|(name, value)| (name == "traceID").then_some(value.as_str()))
        .collect();
    if !ids.is_empty() {
        let ids: Result<Vec<TraceId>, Refusal> = ids.into_iter().map(trace_id).collect();
        let mut ids = ids?;
        ids.truncate(LIMIT_MAX);
        return whole(&api, ids).await;
    }
    let parameters: Parameters = all.iter().cloned().collect();
    let search = Search {
        query: query(&parameters, &all)?,
        range: range(&parameters, MICRO)?,
        limit: number(&parameters, "limit", LIMIT_DEFAULT, LIMIT_MAX)?,
        spans_per_trace: 0,
    };
    let found = api
        .ask(move |store, interrupt| store.search(&search, interrupt))
        .await?;
    whole(&api, found.traces.iter().map(|told| told.trace).collect()).await
}

fn query(parameters: &Parameters, all: &[(String, String)]) -> Result<Query, Refusal> {
    let Some(service) = given(parameters, "service") else {
        return Err(Refusal::bad("`service` has to be given"));
    };
    let mut conditions = Conditions::default().service(service);
    if let Some(name) = given(parameters, "operation").filter(|name| *name != "all") {
        conditions = conditions.name(name);
    }
    if let Some(least) = duration(parameters, "minDuration")? {
        conditions = conditions.min_duration(least);
    }
    if let Some(most) = duration(parameters, "maxDuration")? {
        conditions = conditions.max_duration(most);
    }
    for (name, value) in tags(parameters, all)? {
        conditions = match (name.as_str(), value.as_str()) {
            ("error", "true") => conditions.status(SpanStatus::Error),
            _ => conditions.attribute(&name, &value),
        };
    }
    Ok(conditions.query())
}

fn tags(
    parameters: &Parameters,
    all: &[(String, String)],
) -> Result<Vec<(String, String)>, Refusal> {
    let mut tags = vec![];
    if let Some(text) = given(parameters, "tags") {
        let bad = |_| Refusal::bad("`tags` is no JSON object of texts");
        let map: serde_json::Map<String, JsonValue> = serde_json::from_str(text).map_err(bad)?;
        tags.extend(map.into_iter().map(|(name, value)| match value {
            JsonValue::String(value) => (name, value),
            other => (name, other.to_string()),
        }));
    }
    for (_, tag) in all.iter().filter(|(name, _)| name == "tag") {
        let (name, value) = tag
            .split_once(':')
            .ok_or_else(|| Refusal::bad(format!("`tag` is {tag:?}; expected name:value")))?;
        tags.push((name.to_owned(), value.to_owned()));
    }
    Ok(tags)
}

async fn trace(State(api): State<TraceApi>, Path(id): Path<String>) -> Answer {
    whole(&api, vec![trace_id(&id)?]).await
}

/// These traces with all their spans.
async fn whole(api: &TraceApi, ids: Vec<TraceId>) -> Answer {
    let alone = ids.len() == 1;
    let data = api
        .ask(move |store, interrupt| {
            let mut data = vec![];
            for id in ids {
                interrupt.check()?;
                data.extend(store.trace(id).map(|trace| jaeger_json::trace(&trace)));
            }
            Ok(data)
        })
        .await?;
    if data.is_empty() && alone {
        return Err(JaegerRefusal(Refusal {
            status: StatusCode::NOT_FOUND,
            message: "trace not found".to_owned(),
        }));
    }
    answer(data)
}

fn trace_id(text: &str) -> Result<TraceId, Refusal> {
    TraceId::parse(text).ok_or_else(|| {
        Refusal::bad(format!(
            "{text:?} is no trace id; expected up to 32 hexadecimal digits"
        ))
    })
}

/// Who calls whom: `endTs` and `lookback` in milliseconds.
async fn dependencies(
    State(api): State<TraceApi>,
    Parsed(parameters): Parsed<Parameters>,
) -> Answer {
    let millis = |name: &str| match given(&parameters, name).map(str::parse::<i64>) {
        None => Ok(None),
        Some(Ok(millis)) => Ok(Some(millis)),
        Some(Err(_)) => Err(Refusal::bad(format!("`{name}` has to be in milliseconds"))),
    };
    let end = millis("endTs")?.map_or(i64::MAX, |end| end.saturating_mul(MILLI));
    let lookback = millis("lookback")?.map_or_else(
        || i64::try_from(LOOKBACK_DEFAULT.as_nanos()).unwrap_or(i64::MAX),
        |lookback| lookback.saturating_mul(MILLI),
    );
    let range = Range {
        start: if end == i64::MAX {
            i64::MIN
        } else {
            end.saturating_sub(lookback)
        },
        end,
    };
    let graph = api
        .ask(move |store, interrupt| store.service_graph(range, interrupt))
        .await?;
    let edges = graph.edges.iter().map(
        |edge| json!({ "parent": edge.client, "child": edge.server, "callCount": edge.calls }),
    );
    answer(edges.collect())
}
