//! Queries for lines and numbers.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use wharf_logql::{Expr, LogParams, MetricParams, log_query, metric_query, parse};

use super::params::{LINES_SINCE, Params, now};
use super::{Api, Failure, answer};

/// Asks that the labels of a line stand beside it, by their origin.
const ENCODING: &str = "x-loki-response-encoding-flags";

pub(super) fn categorizes(headers: &HeaderMap) -> bool {
    let flags = headers.get_all(ENCODING).iter();
    let mut flags = flags
        .filter_map(|flags| flags.to_str().ok())
        .flat_map(|flags| flags.split(','));
    flags.any(|flag| flag.trim() == "categorize-labels")
}

/// At one time.
pub(super) async fn query(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, Failure> {
    let expr = parse(params.query()?)?;
    params.limit()?;
    params.direction()?;
    let time = params.instant()?;
    let params = MetricParams {
        start: time,
        end: time,
        step: 0,
        now: now(),
    };
    numbers(&api, expr, params).await
}

/// Over a span of time.
pub(super) async fn query_range(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, Failure> {
    let expr = parse(params.query()?)?;
    let span = params.span(LINES_SINCE)?;
    let limit = params.limit()?;
    let direction = params.direction()?;
    let step = params.step(span)?;
    let interval = params.duration("interval")?.unwrap_or(0);
    if let Expr::Metric(_) = &expr {
        let params = MetricParams {
            start: span.start,
            end: span.end,
            step,
            now: now(),
        };
        return numbers(&api, expr, params).await;
    }
    let params = LogParams {
        start: span.start,
        end: span.end,
        limit,
        direction,
        interval,
        now: now(),
    };
    let logs = Arc::clone(&api.logs);
    let began = Instant::now();
    let result = api
        .gate
        .run(move |interrupt| Ok(log_query(&*logs, &expr, &params, interrupt)?))
        .await?;
    Ok(answer::lines(
        result,
        categorizes(&headers),
        began.elapsed(),
    ))
}

async fn numbers(api: &Api, expr: Expr, params: MetricParams) -> Result<Response, Failure> {
    let logs = Arc::clone(&api.logs);
    let limits = api.limits;
    let began = Instant::now();
    let (result, stats) = api
        .gate
        .run(move |interrupt| Ok(metric_query(&*logs, &expr, &params, &limits, interrupt)?))
        .await?;
    Ok(answer::numbers(&result, stats, began.elapsed()))
}

/// The canonical form of a query.
pub(super) async fn format_query(params: Params) -> Response {
    match parse(params.get("query").unwrap_or_default()) {
        Ok(expr) => answer::success(&json!(expr.to_string())),
        Err(error) => {
            let body = json!({"status": "invalid-query", "error": error.to_string()});
            (StatusCode::BAD_REQUEST, Json(body)).into_response()
        }
    }
}
