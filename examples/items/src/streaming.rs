//! Two ways to keep a connection busy for long: a WebSocket that echoes, and a response that takes its time.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::watch;

use crate::api::Error;

/// The longest stream: longer than any test of a drain needs.
const MAX_SECONDS: u32 = 600;
/// The largest WebSocket message that is echoed.
const MESSAGE_MAX_BYTES: usize = 64 * 1024;

/// `/echo` and `/stream`. Sockets are closed (1001) when `stop` turns true; streams are finished.
pub(crate) fn router(stop: watch::Receiver<bool>) -> Router {
    let echo = async |State(stop), upgrade: WebSocketUpgrade| -> Response {
        upgrade
            .max_message_size(MESSAGE_MAX_BYTES)
            .on_upgrade(|socket| echo(socket, stop))
    };
    Router::new()
        .route("/echo", get(echo))
        .with_state(stop)
        .route("/stream", get(slow))
}

async fn echo(mut socket: WebSocket, mut stop: watch::Receiver<bool>) {
    let mut stopping = false;
    loop {
        tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) if !stopping => {
                    if socket.send(message).await.is_err() {
                        return;
                    }
                }
                // The library answers pings and the close frame, the latter when it is asked for what comes behind it.
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
            () = turned_true(&mut stop), if !stopping => {
                let frame = CloseFrame { code: close_code::AWAY, reason: "the service is stopping".into() };
                if socket.send(Message::Close(Some(frame))).await.is_err() {
                    return;
                }
                // What the client has sent meanwhile is read up to its own close frame: closing over unread data
                // would reset the connection, and ours with it.
                stopping = true;
            }
        }
    }
}

/// Returns when it is true, or can no longer become so.
async fn turned_true(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Length {
    seconds: u32,
}

/// One line a second: `1/30`, `2/30` and so on.
async fn slow(length: Result<Query<Length>, QueryRejection>) -> Result<Response, Error> {
    let Query(Length { seconds }) =
        length.map_err(|rejection| Error::bad_request(rejection.body_text()))?;
    if !(1..=MAX_SECONDS).contains(&seconds) {
        return Err(Error::bad_request(format!(
            "seconds must be 1 to {MAX_SECONDS}, it is {seconds}"
        )));
    }
    let lines = stream::unfold(1, move |line| async move {
        if line > seconds {
            return None;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        Some((
            Ok::<_, std::convert::Infallible>(format!("{line}/{seconds}\n")),
            line + 1,
        ))
    });
    Ok(Body::from_stream(lines).into_response())
}
