//! Tempo's and Jaeger's HTTP APIs, as Grafana's data sources ask them.
//!
//! Tempo's is at the root (`/api/search`, `/api/v2/traces/<id>`, …), Jaeger's below `/jaeger`. Answers and parameters are theirs; what is not
//! supported is refused with a sentence. The store is asked in threads that may wait for the disk, a few at a time, each for a limited time; a client
//! that has gone stops its query.

mod jaeger;
mod jaeger_json;
mod search;
mod tags;
#[cfg(test)]
mod tests;
mod trace;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use tokio::sync::Semaphore;
use wharf_signal::{Interrupt, Interrupted, Value};
use wharf_traces::{Range, TraceStore};

/// Queries that are answered at once; each may unpack some megabytes.
const QUERIES_MAX: usize = 4;
/// How long a query may take, and wait for its turn.
const QUERY_TIMEOUT: Duration = Duration::from_secs(30);
/// The version of Tempo whose API this is: with scoped tags, and regular expressions of the whole value.
const TEMPO_VERSION: &str = "2.7.0";

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct TraceApi {
    store: TraceStore,
    turns: Arc<Semaphore>,
    timeout: Duration,
}

/// The routes of both APIs.
pub(crate) fn router(store: TraceStore) -> Router {
    let api = TraceApi {
        store,
        turns: Arc::new(Semaphore::new(QUERIES_MAX)),
        timeout: QUERY_TIMEOUT,
    };
    Router::new()
        .route("/api/echo", get(|| async { "echo" }))
        .route("/api/status/buildinfo", get(buildinfo))
        .route("/api/traces/{id}", get(trace::v1))
        .route("/api/v2/traces/{id}", get(trace::v2))
        .route("/api/search", get(search::search))
        .route("/api/search/tags", get(tags::names_v1))
        .route("/api/v2/search/tags", get(tags::names_v2))
        .route("/api/search/tag/{name}/values", get(tags::values_v1))
        .route("/api/v2/search/tag/{name}/values", get(tags::values_v2))
        .route("/api/metrics/{*rest}", get(no_metrics))
        .nest("/jaeger/api", jaeger::routes())
        .with_state(api)
}

async fn buildinfo() -> Json<serde_json::Value> {
    Json(serde_json::json!({
        "version": TEMPO_VERSION,
        "revision": concat!("wharf-", env!("CARGO_PKG_VERSION")),
        "branch": "",
        "buildDate": "",
        "buildUser": "",
        "goVersion": "",
    }))
}

async fn no_metrics() -> Refusal {
    Refusal {
        status: StatusCode::NOT_IMPLEMENTED,
        message: "metrics from traces are not supported; ask the metrics of the ingress and of the services with PromQL"
            .to_owned(),
    }
}

/// Why there is no answer: one sentence, as text, as Tempo does it.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    fn bad(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            message: message.into(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        (self.status, kind, self.message).into_response()
    }
}

impl TraceApi {
    /// Asks the store in a thread of its own.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&TraceStore, &dyn Interrupt) -> Result<T, Interrupted> + Send + 'static,
    ) -> Result<T, Refusal> {
        let busy = || Refusal {
            status: StatusCode::SERVICE_UNAVAILABLE,
            message: "too many queries at once; try again later".to_owned(),
        };
        let turn = Arc::clone(&self.turns).acquire_owned();
        let turn = tokio::time::timeout(self.timeout, turn)
            .await
            .map_err(|_| busy())?
            .map_err(|_| busy())?;
        let patience = Patience {
            until: Instant::now() + self.timeout,
            gone: Arc::default(),
        };
        // Dropped with this future: when its client has gone.
        let _guard = Gone(Arc::clone(&patience.gone));
        let store = self.store.clone();
        let answer = tokio::task::spawn_blocking(move || {
            let answer = question(&store, &patience);
            drop(turn);
            answer
        });
        match answer.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(interrupted)) => Err(Refusal {
                status: StatusCode::GATEWAY_TIMEOUT,
                message: format!("{interrupted}; ask for a shorter time or for less"),
            }),
            Err(_) => Err(Refusal {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                message: "the query failed; the engine's log says more".to_owned(),
            }),
        }
    }
}

/// How long a query may go on.
struct Patience {
    until: Instant,
    gone: Arc<AtomicBool>,
}

impl Interrupt for Patience {
    fn check(&self) -> Result<(), Interrupted> {
        if self.gone.load(Ordering::Relaxed) {
            return Err(Interrupted::Canceled);
        }
        if Instant::now() >= self.until {
            return Err(Interrupted::Timeout);
        }
        Ok(())
    }
}

struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The parameters of a request; of one that comes twice the last counts.
type Parameters = BTreeMap<String, String>;

/// The value of a parameter; None if it is not there or empty.
fn given<'p>(parameters: &'p Parameters, name: &str) -> Option<&'p str> {
    let value = parameters.get(name)?;
    (!value.is_empty()).then_some(value)
}

/// A whole number within bounds.
fn number(
    parameters: &Parameters,
    name: &str,
    default: usize,
    most: usize,
) -> Result<usize, Refusal> {
    let Some(text) = given(parameters, name) else {
        return Ok(default);
    };
    match text.parse() {
        Ok(number) => Ok(usize::min(number, most)),
        Err(_) => Err(Refusal::bad(format!(
            "`{name}` is {text:?}; expected a whole number"
        ))),
    }
}

/// `start` and `end` in parts of a second: so many nanoseconds each.
fn range(parameters: &Parameters, unit_nanos: i64) -> Result<Range, Refusal> {
    let time = |name: &str, absent: i64| {
        let Some(text) = given(parameters, name) else {
            return Ok(absent);
        };
        let whole = text.split('.').next().unwrap_or_default();
        match whole.parse::<i64>() {
            Ok(0) => Ok(absent),
            Ok(number) => Ok(number.saturating_mul(unit_nanos)),
            Err(_) => Err(Refusal::bad(format!(
                "`{name}` is {text:?}; expected a Unix time"
            ))),
        }
    };
    let start = time("start", i64::MIN)?;
    // The last second is meant as a whole.
    let end = time("end", i64::MAX)?.saturating_add(unit_nanos - 1);
    if start > end {
        return Err(Refusal::bad("`start` is later than `end`"));
    }
    Ok(Range { start, end })
}

/// A duration as Go writes it.
fn duration(parameters: &Parameters, name: &str) -> Result<Option<Duration>, Refusal> {
    let Some(text) = given(parameters, name) else {
        return Ok(None);
    };
    match wharf_traces::traceql::duration(text) {
        Some(duration) => Ok(Some(duration)),
        None => Err(Refusal::bad(format!(
            "`{name}` is {text:?}; expected a duration like 100ms or 1.5s"
        ))),
    }
}

/// A value as OTLP writes it in JSON.
fn any_value(value: &Value) -> serde_json::Value {
    match value {
        Value::Text(text) => serde_json::json!({ "stringValue": text }),
        Value::Bool(value) => serde_json::json!({ "boolValue": value }),
        Value::Int(number) => serde_json::json!({ "intValue": number.to_string() }),
        Value::Double(number) => serde_json::json!({ "doubleValue": number }),
        // What is found by a query is none of these.
        Value::Bytes(_) | Value::List(_) | Value::Map(_) => {
            serde_json::json!({ "stringValue": format!("{value:?}") })
        }
    }
}
