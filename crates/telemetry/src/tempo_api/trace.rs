//! `/api/traces/<id>` and `/api/v2/traces/<id>`: one trace, as OTLP in JSON or, by `Accept`, in Protocol Buffers.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value as JsonValue, json};
use wharf_protocols::otlp::{self, Encoding};
use wharf_signal::TraceId;
use wharf_traces::Trace;

use super::{Refusal, TraceApi};

/// `TraceByIDResponse` of Tempo: field 1, a message: the trace.
const FIELD_TRACE: u8 = 1 << 3 | 2;
/// Field 3, a number: its status; 1: something is missing.
const FIELD_STATUS: u8 = 3 << 3;
/// Field 4, a text: what.
const FIELD_MESSAGE: u8 = 4 << 3 | 2;
const PARTIAL: u8 = 1;
const TRUNCATED: &str = "the trace is larger than what is read of one: spans are missing";

/// A bare trace: `{"batches": […]}`, or `TracesData`.
pub(super) async fn v1(
    State(api): State<TraceApi>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let trace = find(&api, &id).await?;
    let encoding = wanted(&headers);
    let encoded = otlp::encode_spans(&trace.spans, encoding);
    let body = match encoding {
        Encoding::Protobuf => encoded,
        Encoding::Json => {
            let mut data: JsonValue = serde_json::from_slice(&encoded).unwrap_or_default();
            let batches = data["resourceSpans"].take();
            json!({ "batches": batches }).to_string().into_bytes()
        }
    };
    Ok(answer(encoding, body))
}

/// A trace and whether it is all of it.
pub(super) async fn v2(
    State(api): State<TraceApi>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let trace = find(&api, &id).await?;
    let encoding = wanted(&headers);
    let encoded = otlp::encode_spans(&trace.spans, encoding);
    let body = match encoding {
        Encoding::Protobuf => {
            let mut body = vec![FIELD_TRACE];
            delimited(&mut body, &encoded);
            if trace.truncated {
                body.extend_from_slice(&[FIELD_STATUS, PARTIAL, FIELD_MESSAGE]);
                delimited(&mut body, TRUNCATED.as_bytes());
            }
            body
        }
        Encoding::Json => {
            let data: JsonValue = serde_json::from_slice(&encoded).unwrap_or_default();
            let mut told = json!({ "trace": data, "metrics": {} });
            if trace.truncated {
                told["status"] = "PARTIAL".into();
                told["message"] = TRUNCATED.into();
            }
            told.to_string().into_bytes()
        }
    };
    Ok(answer(encoding, body))
}

async fn find(api: &TraceApi, id: &str) -> Result<Trace, Refusal> {
    let id = TraceId::parse(id).ok_or_else(|| {
        Refusal::bad(format!(
            "{id:?} is no trace id; expected up to 32 hexadecimal digits"
        ))
    })?;
    api.ask(move |store, _| Ok(store.trace(id)))
        .await?
        .ok_or_else(|| Refusal {
            status: StatusCode::NOT_FOUND,
            message: format!("trace {id} not found"),
        })
}

fn wanted(headers: &HeaderMap) -> Encoding {
    let accepted = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut kinds = accepted.split(',').filter_map(Encoding::of);
    kinds.next().unwrap_or(Encoding::Json)
}

fn answer(encoding: Encoding, body: Vec<u8>) -> Response {
    let kind = match encoding {
        // As Tempo and Grafana spell it.
        Encoding::Protobuf => "application/protobuf",
        Encoding::Json => "application/json",
    };
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}

/// Bytes behind their length as a varint.
fn delimited(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
}
