//! OpenTelemetry's protocol over HTTP: traces, logs and metrics, as Protocol Buffers or JSON.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use wharf_protocols::grpc::Code;
use wharf_protocols::otlp::{
    Encoding, Limits, OtlpError, Rejected, Signal, decode_logs, decode_metrics, decode_traces,
    error_body, response,
};
use wharf_signal::{AppendError, SampleSink as _};

use super::body::unpacked;
use super::{Intake, logs};
use crate::stores::chain;

/// Why nothing of a request was taken.
pub(super) type Refused = (StatusCode, String);

/// Takes the signals of a request that is unpacked. Blocks.
pub(super) type Take = fn(&Intake, &[u8], Encoding) -> Result<Rejected, Refused>;

/// `POST /v1/traces`
pub(super) async fn traces(state: State<Arc<Intake>>, headers: HeaderMap, body: Bytes) -> Response {
    answer(state, headers, body, Signal::Traces, take_traces).await
}

/// `POST /v1/logs`, and Loki's `/otlp/v1/logs`
pub(super) async fn logs(state: State<Arc<Intake>>, headers: HeaderMap, body: Bytes) -> Response {
    answer(state, headers, body, Signal::Logs, take_logs).await
}

/// `POST /v1/metrics`, and Prometheus's `/api/v1/otlp/v1/metrics`
pub(super) async fn metrics(
    state: State<Arc<Intake>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(state, headers, body, Signal::Metrics, take_metrics).await
}

async fn answer(
    State(intake): State<Arc<Intake>>,
    headers: HeaderMap,
    body: Bytes,
    signal: Signal,
    take: Take,
) -> Response {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let Some(encoding) = kind.and_then(Encoding::of) else {
        let message = "send application/x-protobuf or application/json";
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, message).into_response();
    };
    let taken = tokio::task::spawn_blocking(move || {
        let body = unpacked(&headers, &body).map_err(|why| (StatusCode::BAD_REQUEST, why))?;
        take(&intake, &body, encoding)
    });
    let taken = taken.await.unwrap_or_else(|error| {
        let message = format!("the request met a defect: {error}");
        Err((StatusCode::INTERNAL_SERVER_ERROR, message))
    });
    let (status, body) = match taken {
        Ok(rejected) => (StatusCode::OK, response(signal, &rejected, encoding)),
        Err((status, message)) => {
            let code = Code::of_http(status.as_u16()).number();
            (status, error_body(code, &message, encoding))
        }
    };
    (status, [(CONTENT_TYPE, encoding.content_type())], body).into_response()
}

fn refused(error: &OtlpError) -> Refused {
    let status = match error {
        OtlpError::Form(_) => StatusCode::BAD_REQUEST,
        OtlpError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
    };
    (status, error.to_string())
}

pub(super) fn take_traces(
    intake: &Intake,
    body: &[u8],
    encoding: Encoding,
) -> Result<Rejected, Refused> {
    let decoded = decode_traces(body, encoding, Limits::default());
    let (spans, rejected) = decoded.map_err(|error| refused(&error))?;
    let pushed = intake.stores.traces.push(&spans, &[]);
    pushed.map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, chain(&error)))?;
    Ok(rejected)
}

pub(super) fn take_logs(
    intake: &Intake,
    body: &[u8],
    encoding: Encoding,
) -> Result<Rejected, Refused> {
    let now = i64::try_from(wharf_base::clock::now().0).unwrap_or(i64::MAX);
    let decoded = decode_logs(
        body,
        encoding,
        Limits::default(),
        now.saturating_mul(1_000_000),
    );
    let (streams, rejected) = decoded.map_err(|error| refused(&error))?;
    logs::store(intake, streams)?;
    Ok(rejected)
}

pub(super) fn take_metrics(
    intake: &Intake,
    body: &[u8],
    encoding: Encoding,
) -> Result<Rejected, Refused> {
    let decoded = decode_metrics(body, encoding, Limits::default());
    let batch = decoded.map_err(|error| refused(&error))?;
    let mut rejected = batch.rejected;
    let mut appender = intake.stores.db.appender();
    for sample in &batch.samples {
        match appender.append(None, &sample.labels, sample.t, sample.v) {
            Ok(_) | Err(AppendError::Duplicate) => {}
            Err(error) => {
                rejected.count += 1;
                if rejected.message.is_empty() {
                    rejected.message = format!("{}: {error}", sample.labels);
                }
            }
        }
    }
    let committed = appender.commit();
    committed.map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    Ok(rejected)
}
