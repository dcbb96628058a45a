//! From Redis to the sockets of this process.
//!
//! Every replica listens to every room and passes on what its own sockets asked for. Nothing waits for a slow socket: one
//! whose queue is full loses events and is told to `resync` when it has caught up.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use deadpool_redis::redis::{self, AsyncTypedCommands as _};
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::accounts::User;
use crate::events::{self, CHANNELS, Event};
use crate::observe::{self, Metrics};
use crate::stores::{Redis, StoreError};

/// Events that may wait for one socket.
const QUEUE: usize = 256;
/// How long to wait before Redis is tried again: doubled each time.
const RETRY: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(2);
/// How often it is told who is here, and how many seconds that counts.
const PRESENCE_REFRESH: Duration = Duration::from_secs(15);
const PRESENCE_LASTS: i64 = 40;

/// One socket, as others see it.
#[derive(Debug)]
pub struct Member {
    id: u64,
    pub user: User,
    queue: mpsc::Sender<Utf8Bytes>,
    /// Events were lost: its queue was full, or Redis away.
    behind: AtomicBool,
}

/// The sockets of this process by room.
#[derive(Debug)]
pub struct Hub {
    redis: Redis,
    metrics: Arc<Metrics>,
    rooms: RwLock<HashMap<Uuid, HashMap<u64, Arc<Member>>>>,
    next: AtomicU64,
}

impl Member {
    /// Whether events were lost since it was asked last.
    pub fn fell_behind(&self) -> bool {
        self.behind.swap(false, Ordering::AcqRel)
    }
}

impl Hub {
    #[must_use]
    pub fn new(redis: Redis, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            redis,
            metrics,
            rooms: RwLock::default(),
            next: AtomicU64::new(0),
        })
    }

    /// A new socket's member, and what it is to send.
    pub fn member(&self, user: User) -> (Arc<Member>, mpsc::Receiver<Utf8Bytes>) {
        let (queue, events) = mpsc::channel(QUEUE);
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        (
            Arc::new(Member {
                id,
                user,
                queue,
                behind: AtomicBool::new(false),
            }),
            events,
        )
    }

    /// From now on the member gets the room's events.
    pub async fn join(&self, room: Uuid, member: &Arc<Member>) {
        let alone = {
            let mut rooms = self.rooms.write().expect("no holder panics");
            let members = rooms.entry(room).or_default();
            let alone = !members
                .values()
                .any(|other| other.user.id == member.user.id);
            members.insert(member.id, Arc::clone(member));
            alone
        };
        if alone {
            self.present(room, &member.user, true).await;
        }
    }

    /// The member gets no more events of the room.
    pub async fn leave(&self, room: Uuid, member: &Member) {
        let alone = {
            let mut rooms = self.rooms.write().expect("no holder panics");
            let Some(members) = rooms.get_mut(&room) else {
                return;
            };
            if members.remove(&member.id).is_none() {
                return;
            }
            let alone = !members
                .values()
                .any(|other| other.user.id == member.user.id);
            if members.is_empty() {
                rooms.remove(&room);
            }
            alone
        };
        if alone {
            self.present(room, &member.user, false).await;
        }
    }

    /// Tells the others of a room that somebody writes.
    pub async fn typing(&self, room: Uuid, user: &User) {
        let event = Event::Typing {
            room,
            user: user.clone(),
        };
        if let Err(error) = event.publish(&self.redis).await {
            observe::error(&error);
        }
    }

    /// Whether Redis answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.redis.get().await?.ping().await?;
        Ok(())
    }

    /// Passes events on until it is cancelled. When Redis was away, every socket learns that it may have missed some.
    pub async fn listen(&self, url: &str) {
        let mut wait = RETRY;
        let mut before = false;
        loop {
            let heard = self.listen_once(url, &mut before, &mut wait).await;
            if let Err(error) = heard {
                observe::error(&error);
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RETRY_MAX);
        }
    }

    async fn listen_once(
        &self,
        url: &str,
        before: &mut bool,
        wait: &mut Duration,
    ) -> Result<(), StoreError> {
        let client = redis::Client::open(url)?;
        let mut subscription = client.get_async_pubsub().await?;
        subscription.psubscribe(format!("{CHANNELS}*")).await?;
        *wait = RETRY;
        if std::mem::replace(before, true) {
            observe::event(
                "redis_back",
                "the sockets are told to look for what they missed",
            );
            self.all_behind();
        }
        let mut events = subscription.on_message();
        while let Some(event) = events.next().await {
            let room = event
                .get_channel_name()
                .strip_prefix(CHANNELS)
                .and_then(|id| id.parse().ok());
            if let (Some(room), Ok(text)) = (room, event.get_payload::<String>()) {
                self.pass(room, &text.into());
            }
        }
        Ok(())
    }

    fn pass(&self, room: Uuid, event: &Utf8Bytes) {
        let rooms = self.rooms.read().expect("no holder panics");
        let members = rooms.get(&room).into_iter().flat_map(HashMap::values);
        let mut passed = 0;
        for member in members {
            match member.queue.try_send(event.clone()) {
                Ok(()) => passed += 1,
                Err(_) => member.behind.store(true, Ordering::Release),
            }
        }
        self.metrics.deliveries.inc_by(passed);
    }

    fn all_behind(&self) {
        let rooms = self.rooms.read().expect("no holder panics");
        for member in rooms.values().flat_map(HashMap::values) {
            member.behind.store(true, Ordering::Release);
            // Wakes a socket that has nothing to send; an empty text is never sent.
            drop(member.queue.try_send(Utf8Bytes::default()));
        }
    }

    async fn present(&self, room: Uuid, user: &User, online: bool) {
        let text = serde_json::to_string(user).expect("a user is JSON");
        let kept = async {
            let mut redis = self.redis.get().await?;
            let key = events::presence(room);
            if online {
                let until = jiff::Timestamp::now().as_second() + PRESENCE_LASTS;
                redis.zadd(&key, text, until).await?;
                redis.expire(&key, PRESENCE_LASTS * 2).await?;
            } else {
                redis.zrem(&key, text).await?;
            }
            Event::Presence {
                room,
                user: user.clone(),
                online,
            }
            .publish(&self.redis)
            .await
        };
        if let Err(error) = kept.await {
            observe::error(&error);
        }
    }

    /// Keeps telling who is here, until it is cancelled: what a killed replica told is forgotten by itself.
    pub async fn refresh(&self) {
        loop {
            tokio::time::sleep(PRESENCE_REFRESH).await;
            if let Err(error) = self.refresh_once().await {
                observe::error(&error);
            }
        }
    }

    async fn refresh_once(&self) -> Result<(), StoreError> {
        let here: HashSet<(Uuid, User)> = {
            let rooms = self.rooms.read().expect("no holder panics");
            let pairs = rooms.iter().flat_map(|(room, members)| {
                members.values().map(|member| (*room, member.user.clone()))
            });
            pairs.collect()
        };
        if here.is_empty() {
            return Ok(());
        }
        let now = jiff::Timestamp::now().as_second();
        let mut pipe = redis::pipe();
        for (room, user) in here {
            let key = events::presence(room);
            let text = serde_json::to_string(&user).expect("a user is JSON");
            pipe.zadd(&key, text, now + PRESENCE_LASTS).ignore();
            pipe.zrembyscore(&key, "-inf", now - 1).ignore();
            pipe.expire(&key, PRESENCE_LASTS * 2).ignore();
        }
        let mut redis = self.redis.get().await?;
        Ok(pipe.query_async::<()>(&mut redis).await?)
    }
}
