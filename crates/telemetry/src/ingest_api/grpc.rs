//! OpenTelemetry's protocol over gRPC: the three `Export` methods, at the same address, over HTTP/2 without TLS and with prior
//! knowledge.
//!
//! Every answer has status 200 and says how it went in `grpc-status`: in the trailers if there is a message, else in the
//! headers. The codes are those of the same refusal over HTTP, as OTLP maps them: a sender tries again after `UNAVAILABLE` only.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use tokio::sync::Semaphore;
use wharf_protocols::grpc::{CONTENT_TYPE as GRPC, Code, frame, message_header, only_frame};
use wharf_protocols::otlp::{Encoding, Signal, response};

use super::body::{GzipError, gunzip};
use super::otlp::{Take, take_logs, take_metrics, take_traces};
use super::{BODY_MAX_BYTES, Intake};

/// A message's frame, beside it in the body.
const FRAME_BYTES: usize = 5;

/// One connection carries as many requests at once as its sender likes; so many are read and stored at once, others wait.
const AT_ONCE: usize = 8;

/// How long a request may take to come, once it is read.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// What grpc says is understood.
const ENCODINGS: &str = "identity,gzip";

const GRPC_STATUS: &str = "grpc-status";
const GRPC_MESSAGE: &str = "grpc-message";
const GRPC_ENCODING: &str = "grpc-encoding";
const GRPC_ACCEPT_ENCODING: &str = "grpc-accept-encoding";

/// Why nothing of a request was taken.
type Refused = (Code, String);

/// The methods, as paths.
pub(super) fn router() -> Router<Arc<Intake>> {
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let methods: [(&str, Signal, Take); 3] = [
        (
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Signal::Traces,
            take_traces,
        ),
        (
            "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Signal::Logs,
            take_logs,
        ),
        (
            "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Signal::Metrics,
            take_metrics,
        ),
    ];
    let mut router = Router::new();
    for (path, signal, take) in methods {
        let gate = Arc::clone(&gate);
        let export = move |State(intake): State<Arc<Intake>>, request: Request| async move {
            if let Some(refusal) = no_grpc(&request) {
                return refusal;
            }
            let taken = export(&gate, intake, request, signal, take).await;
            answer(taken)
        };
        router = router.route(path, post(export));
    }
    router
}

/// The answer to what is no gRPC.
fn no_grpc(request: &Request) -> Option<Response> {
    let kind = request.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let form = kind.strip_prefix(GRPC);
    if !form.is_some_and(|form| matches!(form, "" | "+proto") || form.starts_with(';')) {
        let message = "send application/grpc, or over HTTP to /v1/traces, /v1/logs and /v1/metrics";
        return Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, message).into_response());
    }
    if request.version() != Version::HTTP_2 {
        let message = "gRPC needs HTTP/2";
        return Some((StatusCode::HTTP_VERSION_NOT_SUPPORTED, message).into_response());
    }
    None
}

/// Takes a request; the message to answer with.
async fn export(
    gate: &Semaphore,
    intake: Arc<Intake>,
    request: Request,
    signal: Signal,
    take: Take,
) -> Result<Vec<u8>, Refused> {
    let (head, body) = request.into_parts();
    let packed_by = packing(&head.headers)?;
    let waiting = tokio::time::timeout(BODY_TIMEOUT, gate.acquire());
    let Ok(Ok(permit)) = waiting.await else {
        let message = format!("{AT_ONCE} requests are being taken already; try again");
        return Err((Code::Unavailable, message));
    };
    let body = read(body).await?;
    let taken = tokio::task::spawn_blocking(move || {
        let limit = BODY_MAX_BYTES;
        let frame = only_frame(&body, limit).map_err(|error| (error.code(), error.to_string()))?;
        let rejected = match (frame.packed, packed_by) {
            (false, _) => take(&intake, frame.message, Encoding::Protobuf),
            (true, Packing::Gzip) => {
                let message = gunzip(frame.message).map_err(gzip_refused)?;
                take(&intake, &message, Encoding::Protobuf)
            }
            (true, Packing::None) => {
                let message = "the message is packed and `grpc-encoding` does not say how";
                return Err((Code::Internal, message.to_owned()));
            }
        };
        let rejected =
            rejected.map_err(|(status, message)| (Code::of_http(status.as_u16()), message))?;
        Ok(response(signal, &rejected, Encoding::Protobuf))
    });
    let taken = taken.await;
    drop(permit);
    taken
        .unwrap_or_else(|error| Err((Code::Internal, format!("the request met a defect: {error}"))))
}

/// How messages are packed.
#[derive(Clone, Copy)]
enum Packing {
    None,
    Gzip,
}

fn packing(headers: &HeaderMap) -> Result<Packing, Refused> {
    let named = headers.get(GRPC_ENCODING).map(HeaderValue::as_bytes);
    match named {
        None | Some(b"identity") => Ok(Packing::None),
        Some(b"gzip") => Ok(Packing::Gzip),
        Some(other) => Err((
            Code::Unimplemented,
            format!(
                "the packing `{}` is not known: send gzip or nothing",
                String::from_utf8_lossy(other)
            ),
        )),
    }
}

fn gzip_refused(error: GzipError) -> Refused {
    let code = match &error {
        GzipError::Broken(_) => Code::InvalidArgument,
        GzipError::TooLarge => Code::ResourceExhausted,
    };
    (code, error.to_string())
}

async fn read(body: Body) -> Result<Bytes, Refused> {
    let whole = Limited::new(body, BODY_MAX_BYTES + FRAME_BYTES).collect();
    match tokio::time::timeout(BODY_TIMEOUT, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let message =
                format!("a request has more than {BODY_MAX_BYTES} bytes: send smaller batches");
            Err((Code::ResourceExhausted, message))
        }
        Ok(Err(error)) => Err((
            Code::Unavailable,
            format!("the request ended before it was there: {error}"),
        )),
        Err(_) => Err((
            Code::Unavailable,
            format!(
                "the request did not come within {} s",
                BODY_TIMEOUT.as_secs()
            ),
        )),
    }
}

fn answer(taken: Result<Vec<u8>, Refused>) -> Response {
    let mut told = HeaderMap::new();
    let (code, message) = match &taken {
        Ok(_) => (Code::Ok, None),
        Err((code, message)) => (*code, Some(message)),
    };
    told.insert(GRPC_STATUS, HeaderValue::from(code.number()));
    if let Some(message) = message
        && let Ok(message) = HeaderValue::try_from(message_header(message))
    {
        told.insert(GRPC_MESSAGE, message);
    }
    let body = match taken {
        Ok(message) => {
            let body = Full::new(Bytes::from(frame(&message)));
            let trailers = std::mem::take(&mut told);
            Body::new(body.with_trailers(async { Some(Ok(trailers)) }))
        }
        Err(_) => Body::empty(),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.extend(told);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(GRPC));
    headers.insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static(ENCODINGS));
    response
}
