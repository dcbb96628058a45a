//! The engine's API on its unix socket. Only the socket's owner can connect (mode 0600).

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};

use crate::api::{self, ApiError};
use crate::engine::{Command, Event};

/// The largest request: a plan of 200 services with long environments is a tenth of it.
const BODY_MAX_BYTES: usize = 16 << 20;

/// Lines of the event stream that may wait for a slow client before it is cut off.
const STREAM_QUEUE: usize = 1_024;

/// Serves until the socket fails; runs beside the engine's loop.
pub(crate) async fn serve(listener: UnixListener, events: mpsc::Sender<Event>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, mostly: others close theirs.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let events = events.clone();
        tokio::task::spawn_local(async move {
            let service =
                hyper::service::service_fn(move |request| answer(request, events.clone()));
            // A client that goes away is no error of the engine's.
            drop(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            );
        });
    }
}

type Answer = Response<Either>;

async fn answer(
    request: Request<Incoming>,
    events: mpsc::Sender<Event>,
) -> Result<Answer, Infallible> {
    Ok(route(request, events)
        .await
        .unwrap_or_else(|(status, error)| json(status, &error)))
}

type Refusal = (StatusCode, ApiError);

async fn route(request: Request<Incoming>, events: mpsc::Sender<Event>) -> Result<Answer, Refusal> {
    let (parts, body) = request.into_parts();
    match (&parts.method, parts.uri.path()) {
        (&Method::GET, "/v1/status") => {
            let status = ask(&events, Command::Status).await?;
            Ok(json(StatusCode::OK, &status))
        }
        (&Method::GET, "/v1/releases") => {
            let releases = ask(&events, Command::Releases).await?;
            Ok(json(StatusCode::OK, &releases))
        }
        (&Method::GET, "/v1/audit") => tell(ask(&events, Command::Audit).await?),
        (&Method::GET, "/v1/events") => {
            let after = parts
                .uri
                .query()
                .and_then(|query| query.strip_prefix("after=")?.parse().ok());
            let after = after.unwrap_or_default();
            let subscription = ask(&events, |reply| Command::Events { after, reply }).await?;
            Ok(Response::new(Either::Stream(stream(subscription))))
        }
        (&Method::POST, "/v1/releases") => {
            let request = Box::new(read(body).await?);
            tell(ask(&events, |reply| Command::Release(request, reply)).await?)
        }
        (&Method::POST, "/v1/undo") => {
            let request = read(body).await?;
            tell(ask(&events, |reply| Command::Undo(request, reply)).await?)
        }
        (&Method::POST, "/v1/scale") => {
            let request = read(body).await?;
            tell(ask(&events, |reply| Command::Scale(request, reply)).await?)
        }
        (&Method::POST, "/v1/restart") => {
            let request = read(body).await?;
            tell(ask(&events, |reply| Command::Restart(request, reply)).await?)
        }
        (&Method::POST, "/v1/environment") => {
            let request = read(body).await?;
            tell(ask(&events, |reply| Command::Environment(request, reply)).await?)
        }
        (&Method::POST, "/v1/down") => {
            let request: api::DownRequest = read(body).await?;
            ask(&events, |reply| Command::Down(request, reply)).await?;
            Ok(json(StatusCode::OK, &()))
        }
        (&Method::POST, "/v1/exit") => {
            ask(&events, Command::Exit).await?;
            Ok(json(StatusCode::OK, &()))
        }
        (method, path) => {
            let message = format!("the engine does not know {method} {path}");
            let hint = Some(
                "the engine and this wharf may be of different versions: run `wharf up` again"
                    .to_owned(),
            );
            Err((StatusCode::NOT_FOUND, ApiError { message, hint }))
        }
    }
}

async fn ask<T>(
    events: &mpsc::Sender<Event>,
    command: impl FnOnce(oneshot::Sender<T>) -> Command,
) -> Result<T, Refusal> {
    let gone = || {
        let message = "the engine is about to end".to_owned();
        (
            StatusCode::SERVICE_UNAVAILABLE,
            ApiError {
                message,
                hint: Some("try again".to_owned()),
            },
        )
    };
    let (reply, answer) = oneshot::channel();
    events
        .send(Event::Command(command(reply)))
        .await
        .map_err(|_| gone())?;
    answer.await.map_err(|_| gone())
}

fn tell<T: Serialize>(result: Result<T, ApiError>) -> Result<Answer, Refusal> {
    result
        .map(|value| json(StatusCode::OK, &value))
        .map_err(|error| (StatusCode::CONFLICT, error))
}

async fn read<T: DeserializeOwned>(body: Incoming) -> Result<T, Refusal> {
    let bad = |message: String| {
        (
            StatusCode::BAD_REQUEST,
            ApiError {
                message,
                hint: None,
            },
        )
    };
    let body = Limited::new(body, BODY_MAX_BYTES).collect().await;
    let bytes = body
        .map_err(|error| bad(format!("the request cannot be read: {error}")))?
        .to_bytes();
    serde_json::from_slice(&bytes)
        .map_err(|error| bad(format!("the request is not what was expected: {error}")))
}

fn json<T: Serialize>(status: StatusCode, value: &T) -> Answer {
    let body = serde_json::to_vec(value)
        .expect("the API's types have only string keys and finite numbers");
    let mut response = Response::new(Either::Full(Full::new(body.into())));
    *response.status_mut() = status;
    response
}

fn stream((missed, mut receiver): crate::engine::Subscription) -> EventStream {
    let (lines, received) = mpsc::channel(STREAM_QUEUE);
    tokio::task::spawn_local(async move {
        for event in missed {
            if lines.send(line(&event)).await.is_err() {
                return;
            }
        }
        // Too slow by a whole ring of events: the stream ends, and the client may ask again for what it missed.
        while let Ok(event) = receiver.recv().await {
            if lines.send(line(&event)).await.is_err() {
                return;
            }
        }
    });
    EventStream { lines: received }
}

fn line(event: &api::Event) -> Bytes {
    let mut line = serde_json::to_vec(event)
        .expect("the API's types have only string keys and finite numbers");
    line.push(b'\n');
    line.into()
}

/// A body of one JSON event a line.
struct EventStream {
    lines: mpsc::Receiver<Bytes>,
}

/// The two kinds of body that the engine answers with.
enum Either {
    Full(Full<Bytes>),
    Stream(EventStream),
}

impl Body for Either {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Full(full) => Pin::new(full).poll_frame(context),
            Self::Stream(stream) => stream
                .lines
                .poll_recv(context)
                .map(|line| line.map(|line| Ok(Frame::data(line)))),
        }
    }
}
