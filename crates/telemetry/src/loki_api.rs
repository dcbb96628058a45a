//! Loki's HTTP API, so that Grafana and logcli ask it as they ask Loki.
//!
//! Whatever asks a store runs on a thread where it may block, no more than a few at once, ends when its time is over or its client
//! is gone, and answers with what Loki would answer. Pushes are taken elsewhere.

mod answer;
mod detected;
mod gate;
mod index;
mod labels;
mod params;
mod queries;
mod tail;
mod volume;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::{Semaphore, watch};
use wharf_logql::{EvalError, Limits};
use wharf_logs::Listener;
use wharf_signal::{Interrupted, SourceError};

use gate::Gate;
use index::LogIndex;

/// Queries that run at once.
const QUERIES: usize = 8;
/// Loki's limit.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Clients that follow at once; Loki's limit.
const TAILS: usize = 10;
/// Lines that one query may ask for; Loki's limit.
const MAX_LINES: usize = 5_000;

/// What the API asks.
struct Api {
    logs: Arc<dyn LogIndex>,
    gate: Gate,
    tails: Arc<Semaphore>,
    /// Changes when lines come.
    news: watch::Receiver<()>,
    /// Makes it change.
    _listener: Arc<Listener>,
    limits: Limits,
}

/// Every path of the API but those for pushes.
pub(crate) fn router(logs: Arc<dyn LogIndex>) -> Router {
    let (news, changed) = watch::channel(());
    let listener: Arc<Listener> = Arc::new(move || {
        news.send_replace(());
    });
    logs.listen(&listener);
    let api = Arc::new(Api {
        logs,
        gate: Gate::new(QUERIES, TIMEOUT),
        tails: Arc::new(Semaphore::new(TAILS)),
        news: changed,
        _listener: listener,
        limits: Limits::default(),
    });
    let paths = Router::new()
        .route("/query", get(queries::query).post(queries::query))
        .route(
            "/query_range",
            get(queries::query_range).post(queries::query_range),
        )
        .route(
            "/format_query",
            get(queries::format_query).post(queries::format_query),
        )
        .route("/labels", get(labels::names).post(labels::names))
        .route("/label", get(labels::names).post(labels::names))
        .route(
            "/label/{name}/values",
            get(labels::values).post(labels::values),
        )
        .route("/series", get(labels::series).post(labels::series))
        .route("/index/stats", get(volume::stats).post(volume::stats))
        .route("/index/volume", get(volume::volume).post(volume::volume))
        .route(
            "/index/volume_range",
            get(volume::volume_range).post(volume::volume_range),
        )
        .route(
            "/detected_labels",
            get(detected::labels).post(detected::labels),
        )
        .route(
            "/detected_fields",
            get(detected::fields).post(detected::fields),
        )
        .route(
            "/detected_field/{name}/values",
            get(detected::values).post(detected::values),
        )
        .route(
            "/patterns",
            get(detected::patterns).post(detected::patterns),
        )
        .route("/tail", get(tail::tail))
        .route("/status/buildinfo", get(answer::buildinfo));
    Router::new()
        .nest("/loki/api/v1", paths)
        .route("/ready", get(|| async { "ready\n" }))
        .with_state(api)
}

/// What Loki answers where it has no answer: a status and a sentence.
#[derive(Debug)]
struct Failure(StatusCode, String);

impl Failure {
    fn bad(message: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, message.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

impl From<EvalError> for Failure {
    fn from(error: EvalError) -> Self {
        match error {
            EvalError::Source(error) => error.into(),
            error => Self::bad(error.to_string()),
        }
    }
}

impl From<wharf_logql::ParseError> for Failure {
    fn from(error: wharf_logql::ParseError) -> Self {
        Self::bad(error.to_string())
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        let status = match error {
            SourceError::Interrupted(Interrupted::Timeout) => StatusCode::GATEWAY_TIMEOUT,
            // Nobody reads it.
            SourceError::Interrupted(Interrupted::Canceled) => StatusCode::REQUEST_TIMEOUT,
            SourceError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

#[cfg(test)]
mod tests;
