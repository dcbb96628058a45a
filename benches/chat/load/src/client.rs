//! One client: a socket that is opened again whenever it is gone, and what it reads from the history to have missed nothing.
//! The same rules as the front end's (`examples/chat/frontend/src/live.ts` and `useRoom.ts`).

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use uuid::Uuid;

use crate::ledger::Ledger;
use crate::rest::{Page, Rest};
use crate::timeline::Timeline;

/// The front end's times: from one attempt to the next, until a socket has to be welcomed, how long events may overtake.
const RETRY: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(5);
const WELCOME: Duration = Duration::from_secs(5);
const OVERTAKING: Duration = Duration::from_millis(250);
const READ_AGAIN: Duration = Duration::from_secs(1);
/// The buffer of each socket, which is there from the beginning.
const READ_BUFFER_BYTES: usize = 16 * 1024;

/// What all clients share.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) rest: Rest,
    /// `HOST:PORT`.
    pub(crate) address: String,
    pub(crate) tokens: Vec<String>,
    pub(crate) rooms: Vec<Uuid>,
    pub(crate) ledger: RefCell<Ledger>,
    /// Clients that have joined and have read what was before.
    pub(crate) connected: Cell<usize>,
    /// Pages that are read at once, and sockets that are opened at once: file descriptors are not without end.
    pub(crate) reading: Semaphore,
    pub(crate) opening: Semaphore,
}

/// An event of a socket, as far as it is looked at.
#[derive(Debug, Deserialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    room: Option<Uuid>,
    #[serde(borrow)]
    message: Option<Told<'a>>,
}

#[derive(Debug, Deserialize)]
struct Told<'a> {
    revision: i64,
    key: Uuid,
    #[serde(borrow)]
    body: Cow<'a, str>,
}

/// Why a socket is over.
enum End {
    /// It can be opened again. How it ended, as a sentence.
    Lost(String),
    /// Its token is not good any more.
    Refused,
}

/// The text of a post: one can see from it whose key it has. As long as a sentence that somebody types.
pub(crate) fn text(key: Uuid) -> String {
    format!(
        "{key}: what somebody says in a room to everybody who happens to be there, in a sentence of no great length"
    )
}

struct Client {
    run: Rc<Run>,
    number: usize,
    room: Uuid,
    timeline: Timeline,
    /// Its socket has joined, and it has read what it missed.
    connected: bool,
    /// When it was connected last, until it is again.
    lost: Option<Instant>,
    /// One page at a time; what has to be read after it.
    reads: FuturesUnordered<LocalBoxFuture<'static, (i64, Page)>>,
    again: bool,
}

/// A client, for as long as it is not dropped.
pub(crate) async fn client(run: Rc<Run>, number: usize) {
    let room = run.rooms[number % run.rooms.len()];
    let mut client = Client {
        run,
        number,
        room,
        timeline: Timeline::default(),
        connected: false,
        lost: None,
        reads: FuturesUnordered::new(),
        again: false,
    };
    let mut attempts = 0;
    loop {
        let end = client.converse(&mut attempts).await;
        client.reads.clear();
        {
            let mut ledger = client.run.ledger.borrow_mut();
            let connected = std::mem::take(&mut client.connected);
            match end {
                End::Refused => {
                    ledger.counts.refused += 1;
                    client
                        .run
                        .connected
                        .set(client.run.connected.get() - usize::from(connected));
                    return;
                }
                End::Lost(why) => ledger.ended(connected, why),
            }
            if connected {
                client.run.connected.set(client.run.connected.get() - 1);
                client.lost = Some(Instant::now());
            }
        }
        let wait = (RETRY * 2_u32.saturating_pow(attempts)).min(RETRY_MAX);
        attempts = (attempts + 1).min(16);
        sleep(wait.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
    }
}

impl Client {
    fn token(&self) -> &str {
        &self.run.tokens[self.number % self.run.tokens.len()]
    }

    /// Opens the socket; else why it does not open.
    async fn open(&self) -> Result<WebSocketStream<TcpStream>, tungstenite::Error> {
        // It is never closed.
        let _turn = self.run.opening.acquire().await;
        let open = async {
            let stream = TcpStream::connect(&self.run.address).await?;
            stream.set_nodelay(true)?;
            let address = format!("ws://{}/ws", self.run.address);
            let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
            let opened = tokio_tungstenite::client_async_with_config(address, stream, Some(config));
            let (mut socket, _) = opened.await?;
            let hello = json!({ "type": "hello", "token": self.token() }).to_string();
            socket.send(Message::text(hello)).await?;
            Ok(socket)
        };
        timeout(WELCOME, open)
            .await
            .unwrap_or_else(|late| Err(std::io::Error::from(late).into()))
    }

    /// One socket, until it is gone.
    async fn converse(&mut self, attempts: &mut u32) -> End {
        let mut socket = match self.open().await {
            Ok(socket) => socket,
            Err(error) => return End::Lost(format!("a socket did not open: {error}")),
        };
        let impatient = Instant::now() + WELCOME;
        let mut welcome = false;
        let mut behind_since: Option<Instant> = None;
        loop {
            let overdue = behind_since.map_or_else(Instant::now, |since| since + OVERTAKING);
            tokio::select! {
                frame = socket.next() => {
                    let text = match frame {
                        Some(Ok(Message::Text(text))) => text,
                        Some(Ok(Message::Close(Some(close)))) if close.reason == "log in first" => return End::Refused,
                        Some(Ok(Message::Close(Some(close)))) => return End::Lost(format!("a socket was closed: {close}")),
                        Some(Err(error)) => return End::Lost(format!("a socket broke: {error}")),
                        Some(Ok(Message::Close(None))) | None => return End::Lost("a socket ended".to_owned()),
                        Some(Ok(_)) => continue,
                    };
                    match self.hear(&text) {
                        Heard::Welcome => {
                            welcome = true;
                            *attempts = 0;
                            let join = json!({ "type": "join", "room": self.room }).to_string();
                            if let Err(error) = socket.send(Message::text(join)).await {
                                return End::Lost(format!("a socket broke: {error}"));
                            }
                        }
                        Heard::Read => self.read(),
                        Heard::Nothing => {}
                    }
                }
                Some((before, page)) = self.reads.next() => self.turn(before, page),
                () = sleep_until(overdue), if behind_since.is_some() => {
                    behind_since = None;
                    self.read();
                    continue;
                }
                () = sleep_until(impatient), if !welcome => {
                    return End::Lost(format!("a socket was not welcomed within {WELCOME:?}"));
                }
            }
            behind_since = match behind_since {
                _ if !self.timeline.is_behind() => None,
                None => Some(Instant::now()),
                since => since,
            };
        }
    }

    fn hear(&mut self, text: &str) -> Heard {
        let now = Instant::now();
        let mut ledger = self.run.ledger.borrow_mut();
        let Ok(event) = serde_json::from_str::<Event<'_>>(text) else {
            ledger.counts.strangers += 1;
            return Heard::Nothing;
        };
        match (event.kind, event.room, event.message) {
            ("message", Some(room), Some(message)) => {
                if room != self.room || message.body != crate::client::text(message.key) {
                    ledger.counts.strangers += 1;
                } else if self.timeline.event(message.revision) {
                    ledger.counts.overtaken += u64::from(self.timeline.is_behind());
                    ledger.arrive(self.number, message.key, now);
                } else {
                    ledger.counts.repeats += 1;
                }
                Heard::Nothing
            }
            ("welcome", ..) => Heard::Welcome,
            ("joined", ..) => Heard::Read,
            ("resync", ..) => {
                ledger.counts.resyncs += 1;
                Heard::Read
            }
            _ => Heard::Nothing,
        }
    }

    /// Reads what came after the last known revision. What is asked for while a page is on its way is asked for after it: that
    /// page may be of before.
    fn read(&mut self) {
        if !self.reads.is_empty() {
            self.again = true;
            return;
        }
        self.again = false;
        let (run, room, known) = (Rc::clone(&self.run), self.room, self.timeline.known());
        let number = self.number;
        let page = async move {
            let token = &run.tokens[number % run.tokens.len()];
            loop {
                // It is never closed.
                let turn = run.reading.acquire().await;
                let page = run.rest.after(token, room, known).await;
                drop(turn);
                match page {
                    Ok(page) => return (known, page),
                    Err(error) => run.ledger.borrow_mut().failed(error.to_string()),
                }
                sleep(READ_AGAIN).await;
            }
        };
        self.reads.push(page.boxed_local());
    }

    fn turn(&mut self, mut before: i64, page: Page) {
        let now = Instant::now();
        {
            let mut ledger = self.run.ledger.borrow_mut();
            ledger.counts.reads += 1;
            for message in &page.messages {
                let (new, left_out) = self.timeline.catch_up(before, message.revision);
                before = message.revision;
                ledger.counts.gaps += left_out;
                if message.body != text(message.key) {
                    ledger.counts.strangers += 1;
                } else if new {
                    ledger.arrive(self.number, message.key, now);
                }
            }
        }
        if page.more || self.again {
            self.read();
        } else if !std::mem::replace(&mut self.connected, true) {
            self.run.connected.set(self.run.connected.get() + 1);
            if let Some(lost) = self.lost.take() {
                self.run.ledger.borrow_mut().recovered(lost.elapsed());
            }
        }
    }
}

/// What an event asks for.
enum Heard {
    Nothing,
    Welcome,
    Read,
}
