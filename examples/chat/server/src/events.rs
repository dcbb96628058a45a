//! What is told to the sockets of a room: one channel of Redis a room, each event a line of JSON.

use deadpool_redis::redis::AsyncTypedCommands as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::accounts::User;
use crate::messages::Message;
use crate::stores::{Redis, StoreError};

/// Channels of rooms are called this and the room's id.
pub const CHANNELS: &str = "chat:room:";

/// An event of a room, as sockets get it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A message was posted, or edited.
    Message { room: Uuid, message: Message },
    /// Somebody came, or went.
    Presence {
        room: Uuid,
        user: User,
        online: bool,
    },
    /// Somebody is writing.
    Typing { room: Uuid, user: User },
}

impl Event {
    fn room(&self) -> Uuid {
        match self {
            Self::Message { room, .. }
            | Self::Presence { room, .. }
            | Self::Typing { room, .. } => *room,
        }
    }

    /// Tells it to every socket of its room.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn publish(&self, redis: &Redis) -> Result<(), StoreError> {
        let text = serde_json::to_string(self).expect("an event is JSON");
        let mut redis = redis.get().await?;
        redis.publish(channel(self.room()), text).await?;
        Ok(())
    }
}

/// The channel of a room.
#[must_use]
pub fn channel(room: Uuid) -> String {
    format!("{CHANNELS}{room}")
}

/// Where it is kept who is in a room: a sorted set of users in JSON, scored with the second until which they count.
#[must_use]
pub fn presence(room: Uuid) -> String {
    format!("chat:presence:{room}")
}
