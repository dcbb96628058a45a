//! What `websocket` serves: `/ws`, a socket for each open page.
//!
//! The client says `hello` with its token, then `join`s rooms. From `joined` on it gets the room's events; what was before
//! it reads from the backend. `resync` tells that events may be missing: the client asks the backend for what came after
//! the last revision that it has.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use uuid::Uuid;

use crate::accounts::User;
use crate::hub::{Hub, Member};
use crate::observe::{self, Metrics};
use crate::server::{live, well};
use crate::sessions::{Session, Sessions};

/// The largest frame of a client.
const FRAME_MAX_BYTES: usize = 4 * 1024;
/// Rooms of one socket at most.
const ROOMS_MAX: usize = 100;
/// How long a client may take to say hello, and the network to take a frame.
const HELLO: Duration = Duration::from_secs(10);
const SLOWEST: Duration = Duration::from_secs(10);
/// A client that has sent nothing, no pong either, for this long is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(40);
/// "Is writing" is passed on this often at most.
const TYPING: Duration = Duration::from_secs(1);
/// The service restarts (RFC 6455, registered at IANA): come again.
const RESTART: u16 = 1012;
/// The sockets of a replica that stops are closed over this time, so that they do not all come again at once.
const STAGGER_MILLISECONDS: u64 = 2000;

/// What the sockets share.
#[derive(Clone)]
pub struct Sockets {
    pub hub: Arc<Hub>,
    pub sessions: Sessions,
    pub metrics: Arc<Metrics>,
    /// Whether it is told who is writing.
    pub typing: bool,
    /// Turns true when sockets are to be closed.
    pub stop: watch::Receiver<bool>,
}

/// What a client says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Said {
    Hello { token: String },
    Join { room: Uuid },
    Leave { room: Uuid },
    Typing { room: Uuid },
}

/// What it is told, beside the events of rooms.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Told<'a> {
    Welcome { user: &'a User },
    Joined { room: Uuid },
    Resync,
    Error { message: &'a str },
}

/// The service. `version` is what `/health` and `/live` tell.
pub fn router(sockets: Sockets, version: String) -> Router {
    let metrics = Arc::clone(&sockets.metrics);
    let exposition = Arc::clone(&sockets.metrics);
    Router::new()
        .route("/live", live(version.clone()))
        .route("/health", get(move |sockets| health(sockets, version)))
        .route("/ws", get(upgrade))
        .with_state(sockets)
        .route("/metrics", get(async move || exposition.exposition()))
        .layer(middleware::from_fn_with_state(metrics, observe::request))
}

/// Whoever has a socket keeps it while Redis is away; new ones are better off elsewhere.
async fn health(State(sockets): State<Sockets>, version: String) -> Response {
    match sockets.hub.check().await {
        Ok(()) => well(&version).into_response(),
        Err(error) => {
            observe::error(&error);
            let body =
                json!({ "error": { "code": "store_unavailable", "message": error.to_string() } });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

async fn upgrade(State(sockets): State<Sockets>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        // The buffer of each socket, for as long as it is open: clients say little.
        .read_buffer_size(FRAME_MAX_BYTES)
        .max_message_size(FRAME_MAX_BYTES)
        .max_frame_size(FRAME_MAX_BYTES)
        .on_upgrade(move |socket| serve(sockets, socket))
}

async fn serve(sockets: Sockets, mut socket: WebSocket) {
    let session = match timeout(HELLO, hello(&sockets, &mut socket)).await {
        Ok(Ok(session)) => session,
        Ok(Err(reason)) => return close(&mut socket, close_code::POLICY, reason).await,
        Err(_) => return close(&mut socket, close_code::POLICY, "say hello first").await,
    };
    let (member, events) = sockets.hub.member(session.user);
    sockets.metrics.sockets.inc();
    let mut client = Client {
        sockets: &sockets,
        socket: &mut socket,
        member: &member,
        rooms: HashSet::new(),
        heard: Instant::now(),
        typed: None,
    };
    client.serve(events).await;
    for room in std::mem::take(&mut client.rooms) {
        sockets.hub.leave(room, &member).await;
    }
    sockets.metrics.sockets.dec();
}

/// Who it is, by its first words.
async fn hello(sockets: &Sockets, socket: &mut WebSocket) -> Result<Session, &'static str> {
    let Some(Ok(Message::Text(text))) = socket.recv().await else {
        return Err("say hello first");
    };
    let Ok(Said::Hello { token }) = serde_json::from_str(&text) else {
        return Err("say hello first");
    };
    match sockets.sessions.find(&token).await {
        Ok(Some(session)) => {
            let welcome = told(&Told::Welcome {
                user: &session.user,
            });
            socket
                .send(Message::Text(welcome))
                .await
                .map_err(|_| "gone")?;
            Ok(session)
        }
        Ok(None) => Err("log in first"),
        Err(error) => {
            observe::error(&error);
            Err("sessions cannot be read: try again")
        }
    }
}

async fn close(socket: &mut WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame {
        code,
        reason: reason.into(),
    };
    drop(timeout(SLOWEST, socket.send(Message::Close(Some(frame)))).await);
}

fn told(told: &Told<'_>) -> Utf8Bytes {
    serde_json::to_string(told).expect("it is JSON").into()
}

/// One client that has said who it is.
struct Client<'a> {
    sockets: &'a Sockets,
    socket: &'a mut WebSocket,
    member: &'a Arc<Member>,
    rooms: HashSet<Uuid>,
    heard: Instant,
    typed: Option<Instant>,
}

impl Client<'_> {
    async fn serve(&mut self, mut events: mpsc::Receiver<Utf8Bytes>) {
        let mut stop = self.sockets.stop.clone();
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        heartbeat.reset();
        loop {
            let flow = tokio::select! {
                Some(event) = events.recv() => self.pass(event, &mut events).await,
                said = self.socket.recv() => match said {
                    Some(Ok(message)) => self.hear(message).await,
                    _ => ControlFlow::Break(()),
                },
                _ = heartbeat.tick() => self.beat().await,
                () = async { drop(stop.wait_for(|stop| *stop).await) } => {
                    let wait = Uuid::new_v4().as_u128() % u128::from(STAGGER_MILLISECONDS);
                    tokio::time::sleep(Duration::from_millis(u64::try_from(wait).unwrap_or(0))).await;
                    close(self.socket, RESTART, "the service restarts: come again").await;
                    ControlFlow::Break(())
                }
            };
            if flow.is_break() {
                return;
            }
        }
    }

    /// Sends an event; behind the last of those that wait, whether any were lost.
    async fn pass(
        &mut self,
        event: Utf8Bytes,
        events: &mut mpsc::Receiver<Utf8Bytes>,
    ) -> ControlFlow<()> {
        if !event.is_empty() {
            self.send(Message::Text(event)).await?;
        }
        if events.is_empty() && self.member.fell_behind() {
            self.sockets.metrics.resyncs.inc();
            self.send(Message::Text(told(&Told::Resync))).await?;
        }
        ControlFlow::Continue(())
    }

    async fn hear(&mut self, message: Message) -> ControlFlow<()> {
        self.heard = Instant::now();
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => return ControlFlow::Break(()),
            Message::Binary(_) => return self.refuse("frames are text").await,
            Message::Ping(_) | Message::Pong(_) => return ControlFlow::Continue(()),
        };
        match serde_json::from_str(&text) {
            Ok(Said::Join { room }) => {
                if self.rooms.len() >= ROOMS_MAX && !self.rooms.contains(&room) {
                    return self.refuse("a socket has at most 100 rooms").await;
                }
                if self.rooms.insert(room) {
                    self.sockets.hub.join(room, self.member).await;
                }
                self.send(Message::Text(told(&Told::Joined { room }))).await
            }
            Ok(Said::Leave { room }) => {
                if self.rooms.remove(&room) {
                    self.sockets.hub.leave(room, self.member).await;
                }
                ControlFlow::Continue(())
            }
            Ok(Said::Typing { room }) => {
                let often = self.typed.is_some_and(|typed| typed.elapsed() < TYPING);
                if self.sockets.typing && self.rooms.contains(&room) && !often {
                    self.typed = Some(Instant::now());
                    self.sockets.hub.typing(room, &self.member.user).await;
                }
                ControlFlow::Continue(())
            }
            Ok(Said::Hello { .. }) => self.refuse("hello was said").await,
            Err(_) => self.refuse("expected join, leave or typing").await,
        }
    }

    async fn beat(&mut self) -> ControlFlow<()> {
        if self.heard.elapsed() > SILENCE {
            return ControlFlow::Break(());
        }
        self.send(Message::Ping(axum::body::Bytes::new())).await
    }

    async fn refuse(&mut self, message: &str) -> ControlFlow<()> {
        self.send(Message::Text(told(&Told::Error { message })))
            .await
    }

    async fn send(&mut self, message: Message) -> ControlFlow<()> {
        match timeout(SLOWEST, self.socket.send(message)).await {
            Ok(Ok(())) => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }
}
