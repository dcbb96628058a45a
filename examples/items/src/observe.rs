//! What each request leaves behind: a trace id, a log line on standard output, a count, a duration, and a span if its caller
//! wants one.
//!
//! A request is over when its response has been sent in full or the client has gone, so the line of a stream comes at
//! its end. A log line is one write; a reader that has gone away stops the logging, never the service.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt as _;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::{counter::Counter, family::Family, histogram::Histogram};
use prometheus_client::registry::{Registry, Unit};
use serde::Serialize;
use uuid::Uuid;

use crate::spans::{Finished, Parent, Spans};

/// The trace id, as a UUID.
pub const TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");

/// Upper bounds of the duration histogram in seconds: the usual ones, with finer steps where an API like this answers.
const BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// What is counted. The values are bounded: unknown methods and paths share one each.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: &'static str,
    endpoint: String,
    status: u16,
}

/// The metrics of this process, and where its spans go.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    durations: Family<Labels, Histogram, fn() -> Histogram>,
    spans: Option<Spans>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics that have counted nothing.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let requests = Family::default();
        let durations =
            Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        registry.register(
            "http_requests",
            "Requests that were answered",
            requests.clone(),
        );
        let help = "From the request's head to the end of its response";
        registry.register_with_unit(
            "http_request_duration",
            help,
            Unit::Seconds,
            durations.clone(),
        );
        Self {
            registry,
            requests,
            durations,
            spans: Spans::from_environment(),
        }
    }

    /// The metrics in the text format of OpenMetrics 1.0.
    pub(crate) fn exposition(&self) -> Response {
        let mut body = String::new();
        // Writing to a string fails for metrics that contradict themselves only.
        text::encode(&mut body, &self.registry).expect("the metrics are well formed");
        let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        ([(header::CONTENT_TYPE, content_type)], body).into_response()
    }

    fn count(&self, labels: &Labels, duration: Duration) {
        self.requests.get_or_create(labels).inc();
        self.durations
            .get_or_create(labels)
            .observe(duration.as_secs_f64());
    }
}

/// The middleware around every route.
pub(crate) async fn request(
    State(metrics): State<Arc<Metrics>>,
    request: Request,
    next: Next,
) -> Response {
    let endpoint = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str)
        .to_owned();
    let mut completed = Completed {
        started: Instant::now(),
        trace_id: trace_id(request.headers()),
        parent: Parent::of(request.headers()),
        path: request.uri().path().to_owned(),
        labels: Labels {
            method: known(request.method()),
            endpoint,
            status: 0,
        },
        metrics,
    };
    let mut response = next.run(request).await;
    completed.labels.status = response.status().as_u16();
    if let Ok(value) = HeaderValue::from_str(&completed.trace_id.to_string()) {
        response.headers_mut().insert(TRACE_ID, value);
    }
    response.map(|body| {
        // The body owns what logs the request when it is dropped.
        Body::new(body.map_frame(move |frame| {
            let _owned = &completed;
            frame
        }))
    })
}

/// The id that the ingress gave, else the one of `traceparent` (W3C Trace Context), else a new one.
fn trace_id(headers: &HeaderMap) -> Uuid {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let given = text("x-trace-id").and_then(|id| Uuid::try_parse(id).ok());
    let of_parent = || {
        text("traceparent")?
            .split('-')
            .nth(1)
            .and_then(|id| Uuid::try_parse(id).ok())
    };
    given
        .or_else(of_parent)
        .filter(|id| !id.is_nil())
        .unwrap_or_else(Uuid::new_v4)
}

fn known(method: &Method) -> &'static str {
    let known = [
        Method::GET,
        Method::POST,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
        Method::PUT,
        Method::PATCH,
    ];
    let names = ["GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH"];
    known
        .iter()
        .zip(names)
        .find_map(|(one, name)| (one == method).then_some(name))
        .unwrap_or("other")
}

/// A request that is logged and counted when this is dropped.
struct Completed {
    started: Instant,
    trace_id: Uuid,
    parent: Option<Parent>,
    path: String,
    labels: Labels,
    metrics: Arc<Metrics>,
}

impl Drop for Completed {
    fn drop(&mut self) {
        let Labels { method, status, .. } = self.labels;
        if status == 0 {
            return; // The client went before there was an answer.
        }
        let duration = self.started.elapsed();
        self.metrics.count(&self.labels, duration);
        if let Some(spans) = &self.metrics.spans {
            let finished = Finished {
                trace: self.trace_id,
                method,
                endpoint: &self.labels.endpoint,
                path: &self.path,
                status,
                duration,
            };
            spans.add(self.parent, &finished);
        }
        write_line(&Line {
            timestamp: format!("{:.3}", jiff::Timestamp::now()),
            level: if status >= 500 { "error" } else { "info" },
            trace_id: self.trace_id.to_string(),
            event: "request_completed",
            method,
            path: &self.path,
            status_code: status,
            duration_seconds: duration.as_secs_f64(),
        });
    }
}

/// The log line of a request, its fields in the order in which people read them.
#[derive(Debug, Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'static str,
    trace_id: String,
    event: &'static str,
    method: &'static str,
    path: &'a str,
    status_code: u16,
    duration_seconds: f64,
}

/// The log line of anything else.
#[derive(Debug, Serialize)]
struct Note<'a> {
    timestamp: String,
    level: &'static str,
    event: &'a str,
    message: &'a str,
}

/// Logs something that happened outside a request.
pub(crate) fn event(event: &str, message: &str) {
    write_line(&Note {
        timestamp: format!("{:.3}", jiff::Timestamp::now()),
        level: "info",
        event,
        message,
    });
}

/// Logs an error with its causes.
pub(crate) fn error(error: &dyn std::error::Error) {
    let timestamp = format!("{:.3}", jiff::Timestamp::now());
    write_line(&Note {
        timestamp,
        level: "error",
        event: "error",
        message: &chain(error),
    });
}

/// The error and its causes, in one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        message.push_str(": ");
        message.push_str(&cause.to_string());
        source = cause.source();
    }
    message
}

fn write_line(line: &impl Serialize) {
    let Ok(mut line) = serde_json::to_vec(line) else {
        return;
    };
    line.push(b'\n');
    // Nobody reads the log any more: there is nobody to tell.
    drop(std::io::stdout().lock().write_all(&line));
}
