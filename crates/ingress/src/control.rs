//! The control API, HTTP/1.1 on a Unix socket that only this user can open: configuration, status, metrics, drain.
//!
//! | request | answer |
//! | --- | --- |
//! | `PUT /config` | 204; 400 what is wrong; 409 a newer one is served |
//! | `GET /status` | [`crate::config::Status`] as JSON |
//! | `GET /metrics` | Prometheus's text format 0.0.4 |
//! | `POST /drain?timeout=30s` | 202; the process ends when all is done or the time is over |
//! | `GET /listeners` | the names and addresses; the sockets themselves are handed out on `<socket>.fds` |

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::UnixListener;

use crate::config::Config;
use crate::handover;
use crate::shared::{ApplyError, Shared};

/// The largest configuration: thousands of replicas are a few MiB.
const CONFIG_MAX_BYTES: usize = 16 << 20;

/// How long a drain may take if nobody says.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long accepting pauses after a failure, so that it does not turn in circles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the control API, for ever.
pub(crate) async fn serve(shared: Arc<Shared>, listener: UnixListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let requests = service_fn(move |request| answer(Arc::clone(&shared), request));
            let served = hyper::server::conn::http1::Builder::new()
                .header_read_timeout(None)
                .serve_connection(TokioIo::new(stream), requests);
            // A client that goes away in the middle has learnt what it wanted.
            served.await.unwrap_or_default();
        });
    }
}

/// Hands out the listening sockets, for ever.
pub(crate) async fn serve_listeners(
    listener: UnixListener,
    sockets: Arc<Vec<(Arc<str>, TcpListener)>>,
) {
    loop {
        let accepted = listener
            .accept()
            .await
            .and_then(|(stream, _)| stream.into_std());
        let Ok(stream) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let sockets = Arc::clone(&sockets);
        // The engine notices by itself when it gets none.
        drop(tokio::task::spawn_blocking(move || {
            handover::send(&stream, &sockets)
        }));
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    Ok(match (request.method().clone(), path.as_str()) {
        (Method::PUT, "/config") => match Limited::new(request.into_body(), CONFIG_MAX_BYTES)
            .collect()
            .await
        {
            Ok(body) => put_config(&shared, &body.to_bytes()),
            Err(error) => text(StatusCode::BAD_REQUEST, error.to_string()),
        },
        (Method::GET, "/status") => json(&shared.status()),
        (Method::GET, "/listeners") => json(&shared.status().listeners),
        (Method::GET, "/metrics") => {
            let mut response = text(StatusCode::OK, shared.metrics());
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
        (Method::POST, "/drain") => match drain_timeout(request.uri().query()) {
            Ok(timeout) => {
                shared.drain(timeout);
                text(StatusCode::ACCEPTED, String::new())
            }
            Err(message) => text(StatusCode::BAD_REQUEST, message),
        },
        (_, path) => text(
            StatusCode::NOT_FOUND,
            format!("the control API has no {path}"),
        ),
    })
}

fn put_config(shared: &Shared, body: &[u8]) -> Response<Full<Bytes>> {
    let config: Config = match serde_json::from_slice(body) {
        Ok(config) => config,
        Err(error) => {
            return text(
                StatusCode::BAD_REQUEST,
                format!("not a configuration: {error}"),
            );
        }
    };
    let applied = shared.apply(&config).and_then(|()| shared.save(body));
    match applied {
        Ok(()) => text(StatusCode::NO_CONTENT, String::new()),
        Err(error) => {
            let status = match error {
                ApplyError::Stale { .. } => StatusCode::CONFLICT,
                ApplyError::Table(_) => StatusCode::BAD_REQUEST,
                ApplyError::Write { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            };
            text(status, chain(&error))
        }
    }
}

/// An error and its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        message.push_str(": ");
        message.push_str(&cause.to_string());
        source = cause.source();
    }
    message
}

fn drain_timeout(query: Option<&str>) -> Result<Duration, String> {
    let given = query.and_then(|query| {
        query
            .split('&')
            .find_map(|pair| pair.strip_prefix("timeout="))
    });
    given.map_or(Ok(DRAIN_TIMEOUT), |text| {
        wharf_base::duration::parse(text).map_err(|error| error.to_string())
    })
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
}

fn json(value: &impl serde::Serialize) -> Response<Full<Bytes>> {
    match serde_json::to_string(value) {
        Ok(body) => {
            let mut response = text(StatusCode::OK, body);
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}
