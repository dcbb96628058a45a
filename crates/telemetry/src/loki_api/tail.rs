//! Lines as they come, over a WebSocket.
//!
//! The store is looked at whenever lines have come, each time from a little before the newest line that was seen: lines of several
//! sources do not come in the order of their times. What was sent is remembered for as long.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep_until};
use wharf_logql::{Expr, LogLine, LogParams, LogResult, Stats, log_query, parse};
use wharf_signal::Direction;

use super::params::{LINES_SINCE, Params, SECOND, now};
use super::{Api, Failure, MAX_LINES, TAILS, answer};

/// Between two looks at the store, however many lines come.
const PAUSE: Duration = Duration::from_millis(100);
/// Until the next look where none come: what is there may be held back, or its time be ahead of this clock.
const IDLE: Duration = Duration::from_secs(1);
/// How late a line may come behind newer ones.
const LATE: i64 = 3 * SECOND;

/// Follows a query.
pub(super) async fn tail(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
    params: Params,
) -> Result<Response, Failure> {
    let expr = parse(params.query()?)?;
    if let Expr::Metric(_) = expr {
        return Err(Failure::bad("only log selector is supported"));
    }
    let limit = params.limit()?;
    let start = params.span(LINES_SINCE)?.start;
    let delay = params.duration("delay_for")?.unwrap_or(0);
    if delay > 5 * SECOND {
        return Err(Failure::bad("delay_for can't be greater than 5"));
    }
    let permit = Arc::clone(&api.tails).try_acquire_owned().map_err(|_| {
        let message = format!(
            "max concurrent tail requests limit exceeded, count > limit ({} > {TAILS})",
            TAILS + 1
        );
        Failure(StatusCode::TOO_MANY_REQUESTS, message)
    })?;
    let categorizes = super::queries::categorizes(&headers);
    let follower = Follower {
        api,
        expr,
        limit,
        delay,
        from: start,
        sent: HashMap::new(),
        categorizes,
        first: true,
        full: false,
    };
    Ok(upgrade.on_upgrade(move |socket| follower.run(socket, permit)))
}

/// Waits until there may be something new; breaks when the client goes.
async fn wait(
    socket: &mut WebSocket,
    news: &mut watch::Receiver<()>,
    looked: Instant,
    more: bool,
) -> ControlFlow<()> {
    let mut next = looked + if more { PAUSE } else { IDLE };
    let mut told = false;
    loop {
        tokio::select! {
            // Clients say nothing but that they go.
            said = socket.recv() => match said {
                None | Some(Err(_) | Ok(Message::Close(_))) => return ControlFlow::Break(()),
                Some(Ok(_)) => {}
            },
            changed = news.changed(), if !told => {
                // Its other end lives as long as this API.
                told = true;
                if changed.is_ok() {
                    next = looked + PAUSE;
                }
            }
            () = sleep_until(next) => return ControlFlow::Continue(()),
        }
    }
}

struct Follower {
    api: Arc<Api>,
    expr: Expr,
    /// Lines of the past at the beginning.
    limit: usize,
    delay: i64,
    /// What is older was sent, or never will be.
    from: i64,
    /// Lines since `from`, with how often each was sent.
    sent: HashMap<u64, (i64, usize)>,
    categorizes: bool,
    first: bool,
    /// There was more than fits in one message.
    full: bool,
}

impl Follower {
    async fn run(mut self, mut socket: WebSocket, permit: OwnedSemaphorePermit) {
        let mut news = self.api.news.clone();
        loop {
            news.mark_unchanged();
            let looked = Instant::now();
            let message = match self.look().await {
                Ok(lines) if lines.is_empty() => None,
                Ok(lines) => Some(self.message(lines)),
                Err(Failure(_, error)) => {
                    let close = Message::Text(json!({"error": error}).to_string().into());
                    socket.send(close).await.ok();
                    break;
                }
            };
            if let Some(message) = message
                && socket.send(Message::Text(message.into())).await.is_err()
            {
                break;
            }
            if wait(&mut socket, &mut news, looked, self.full)
                .await
                .is_break()
            {
                break;
            }
        }
        drop(permit);
    }

    /// The lines that are new.
    async fn look(&mut self) -> Result<Vec<LogLine>, Failure> {
        let now = now();
        let params = LogParams {
            start: self.from,
            // Clocks of sources may be ahead.
            end: now.saturating_sub(self.delay).saturating_add(LATE),
            limit: if self.first { self.limit } else { MAX_LINES },
            direction: if self.first {
                Direction::Backward
            } else {
                Direction::Forward
            },
            interval: 0,
            now,
        };
        let logs = Arc::clone(&self.api.logs);
        let expr = self.expr.clone();
        let found = self
            .api
            .gate
            .run(move |interrupt| Ok(log_query(&*logs, &expr, &params, interrupt)?))
            .await?;
        let mut lines = found.lines;
        self.full = lines.len() >= MAX_LINES;
        if self.first {
            lines.reverse();
            self.first = false;
        }
        let newest = lines.last().map(|line| line.nanos);
        let mut seen: HashMap<u64, usize> = HashMap::new();
        lines.retain(|line| {
            let mut hasher = DefaultHasher::new();
            (line.nanos, &line.line, &line.stream, &line.metadata).hash(&mut hasher);
            let key = hasher.finish();
            let count = seen.entry(key).or_default();
            *count += 1;
            let (_, sent) = self.sent.entry(key).or_insert((line.nanos, 0));
            let new = *count > *sent;
            *sent += usize::from(new);
            new
        });
        // Where there is more than fits, the rest comes next time.
        let from = match newest {
            Some(newest) if self.full => newest,
            _ => now.saturating_sub(self.delay).saturating_sub(LATE),
        };
        self.from = self.from.max(from);
        self.sent.retain(|_, (nanos, _)| *nanos >= self.from);
        Ok(lines)
    }

    fn message(&self, lines: Vec<LogLine>) -> String {
        let result = LogResult {
            lines,
            stats: Stats::default(),
        };
        let streams: Vec<Value> = result
            .streams(self.categorizes)
            .iter()
            .map(|stream| {
                let values: Vec<Value> = stream
                    .lines
                    .iter()
                    .map(|line| answer::entry(line, self.categorizes))
                    .collect();
                json!({"stream": answer::object(&stream.labels), "values": values})
            })
            .collect();
        let mut message = json!({"streams": streams});
        if self.categorizes {
            message["encodingFlags"] = json!(["categorize-labels"]);
        }
        message.to_string()
    }
}
