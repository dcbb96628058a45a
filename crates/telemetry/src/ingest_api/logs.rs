//! Loki's push API: JSON, or Protocol Buffers packed with Snappy.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use wharf_logs::{Batch, Origin, PushError};
use wharf_protocols::loki_push::{self, Streams};

use super::body::{is_json, unpacked};
use super::{Intake, UNPACKED_MAX_BYTES};
use crate::stores::chain;

/// `POST /loki/api/v1/push`
pub(super) async fn push(
    State(intake): State<Arc<Intake>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let done = tokio::task::spawn_blocking(move || {
        let streams = decode(&headers, &body).map_err(|why| (StatusCode::BAD_REQUEST, why))?;
        store(&intake, streams)
    });
    answer(done.await)
}

fn decode(headers: &HeaderMap, body: &[u8]) -> Result<Streams, String> {
    let streams = if is_json(headers) {
        loki_push::decode_json(&unpacked(headers, body)?)
    } else {
        loki_push::decode_protobuf(body, UNPACKED_MAX_BYTES)
    };
    streams.map_err(|error| error.to_string())
}

/// Stores lines with what Loki adds to them.
pub(super) fn store(intake: &Intake, streams: Streams) -> Result<(), (StatusCode, String)> {
    let streams = streams
        .into_iter()
        .map(|(labels, mut entries)| {
            for entry in &mut entries {
                wharf_logql::discover(&labels, entry);
            }
            (loki_push::with_service_name(&labels), entries)
        })
        .collect();
    let batch = Batch {
        streams,
        origin: Origin::Remote,
        ..Batch::default()
    };
    let pushed = intake.stores.logs.push(&batch).map_err(|error| {
        let status = match &error {
            PushError::TooLarge { .. } => StatusCode::BAD_REQUEST,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, chain(&error))
    })?;
    match pushed.refused.first() {
        None => Ok(()),
        Some(first) => {
            let count: usize = pushed.refused.iter().map(|refused| refused.entries).sum();
            let why = format!(
                "{count} entries were not taken, the first for stream {}: {}",
                first.labels, first.why
            );
            Err((StatusCode::BAD_REQUEST, why))
        }
    }
}

type Done = Result<Result<(), (StatusCode, String)>, tokio::task::JoinError>;

fn answer(done: Done) -> Response {
    match done {
        Ok(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Ok(Err((status, message))) => (status, message).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
