//! Rooms and messages in PostgreSQL.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::accounts::User;
use crate::events::Event;
use crate::observe;
use crate::stores::{Postgres, Redis, StoreError};

/// Letters of a message at most.
pub const BODY_MAX: usize = 2000;
/// How often is looked for changes that could not be told, and how old one has to be.
const SWEEP: Duration = Duration::from_secs(1);
/// How many of them are told at once.
const SWEEP_MAX: i64 = 200;

/// What a message's columns are, with its author as `u`.
const COLUMNS: &str =
    "m.room, m.id, m.revision, m.key, m.body, m.posted_at, m.edited_at, u.id, u.name";

#[derive(Debug, Clone, Serialize)]
pub struct Room {
    pub id: Uuid,
    pub name: String,
    pub revision: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its place in the room.
    pub id: i64,
    /// The room's revision that it was last changed in.
    pub revision: i64,
    pub key: Uuid,
    pub author: User,
    pub body: String,
    pub posted_at: Timestamp,
    pub edited_at: Option<Timestamp>,
}

/// What became of a message that was posted.
#[derive(Debug)]
pub enum Posted {
    New(Message),
    /// One with this key was there.
    Before(Message),
    NoRoom,
}

/// What became of an edit.
#[derive(Debug)]
pub enum Edited {
    Done(Message),
    NoMessage,
    NotTheirs,
}

/// The messages of every room; clones share the connections.
#[derive(Debug, Clone)]
pub struct Messages {
    postgres: Postgres,
    redis: Redis,
}

/// Why a text is no message, as a sentence.
///
/// # Errors
/// It is empty, too long, or has characters that no keyboard writes.
pub fn validate(body: &str) -> Result<(), String> {
    if body.trim().is_empty() {
        return Err("a message has a text".to_owned());
    }
    let length = body.chars().count();
    if length > BODY_MAX {
        return Err(format!(
            "a message has at most {BODY_MAX} characters, this one has {length}"
        ));
    }
    if body
        .chars()
        .any(|c| c.is_control() && c != '\n' && c != '\t')
    {
        return Err("a message has no control characters".to_owned());
    }
    Ok(())
}

impl Messages {
    #[must_use]
    pub fn new(postgres: Postgres, redis: Redis) -> Self {
        Self { postgres, redis }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.postgres.get().await?.simple_query("SELECT 1").await?;
        Ok(())
    }

    /// Every room, by name.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn rooms(&self) -> Result<Vec<Room>, StoreError> {
        let client = self.postgres.get().await?;
        let statement = client
            .prepare_cached("SELECT id, name, revision FROM rooms ORDER BY lower(name)")
            .await?;
        let rows = client.query(&statement, &[]).await?;
        Ok(rows
            .iter()
            .map(|row| Room {
                id: row.get(0),
                name: row.get(1),
                revision: row.get(2),
            })
            .collect())
    }

    /// Opens a room; none if there is one of that name.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn open(&self, name: &str) -> Result<Option<Room>, StoreError> {
        let id = Uuid::now_v7();
        let client = self.postgres.get().await?;
        let statement = client
            .prepare_cached(
                "INSERT INTO rooms (id, name) VALUES ($1, $2) ON CONFLICT (lower(name)) DO NOTHING",
            )
            .await?;
        let added = client.execute(&statement, &[&id, &name]).await?;
        Ok((added == 1).then(|| Room {
            id,
            name: name.to_owned(),
            revision: 0,
        }))
    }

    /// The last `limit` messages before a place, the oldest first.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn before(
        &self,
        room: Uuid,
        id: i64,
        limit: i64,
    ) -> Result<Vec<Message>, StoreError> {
        let client = self.postgres.get().await?;
        let query = format!(
            "SELECT {COLUMNS} FROM messages m JOIN users u ON u.id = m.author \
             WHERE m.room = $1 AND m.id < $2 ORDER BY m.id DESC LIMIT $3"
        );
        let statement = client.prepare_cached(&query).await?;
        let rows = client.query(&statement, &[&room, &id, &limit]).await?;
        Ok(rows.iter().rev().map(message).collect())
    }

    /// What changed after a revision, in that order.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn after(
        &self,
        room: Uuid,
        revision: i64,
        limit: i64,
    ) -> Result<Vec<Message>, StoreError> {
        let client = self.postgres.get().await?;
        let query = format!(
            "SELECT {COLUMNS} FROM messages m JOIN users u ON u.id = m.author \
             WHERE m.room = $1 AND m.revision > $2 ORDER BY m.revision LIMIT $3"
        );
        let statement = client.prepare_cached(&query).await?;
        let rows = client
            .query(&statement, &[&room, &revision, &limit])
            .await?;
        Ok(rows.iter().map(message).collect())
    }

    /// Stores a message, then tells it. It is stored when this returns; telling it is tried again until it is done.
    ///
    /// # Errors
    /// The database does not answer. Then it may be stored or not: post it again.
    pub async fn post(
        &self,
        room: Uuid,
        author: &User,
        key: Uuid,
        body: &str,
    ) -> Result<Posted, StoreError> {
        let client = self.postgres.get().await?;
        // The room's row stays locked until the message is there, so that revisions become visible in their order, and none
        // is left out. In one statement, that is no longer than the database takes to write it down.
        let statement = client
            .prepare_cached(
                "WITH next AS (UPDATE rooms SET revision = revision + 1 WHERE id = $1 RETURNING revision) \
                 INSERT INTO messages (room, id, revision, author, key, body) \
                 SELECT $1, revision, revision, $2, $3, $4 FROM next RETURNING revision, posted_at",
            )
            .await?;
        let inserted = client
            .query_opt(&statement, &[&room, &author.id, &key, &body])
            .await;
        let (revision, posted_at): (i64, Timestamp) = match inserted {
            Ok(Some(row)) => (row.get(0), row.get(1)),
            Ok(None) => return Ok(Posted::NoRoom),
            // It was there. The revision is given back.
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                let message = keyed(&client, room, author, key).await?;
                return Ok(message.map_or(Posted::NoRoom, Posted::Before));
            }
            Err(error) => return Err(error.into()),
        };
        drop(client);
        let message = Message {
            id: revision,
            revision,
            key,
            author: author.clone(),
            body: body.to_owned(),
            posted_at,
            edited_at: None,
        };
        self.tell(room, &message).await;
        Ok(Posted::New(message))
    }

    /// Changes the text of a message of `author`, then tells it.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn edit(
        &self,
        room: Uuid,
        id: i64,
        author: &User,
        body: &str,
    ) -> Result<Edited, StoreError> {
        let mut client = self.postgres.get().await?;
        let transaction = client.transaction().await?;
        let next = transaction
            .prepare_cached(
                "UPDATE rooms SET revision = revision + 1 WHERE id = $1 RETURNING revision",
            )
            .await?;
        let Some(row) = transaction.query_opt(&next, &[&room]).await? else {
            return Ok(Edited::NoMessage);
        };
        let revision: i64 = row.get(0);
        let whose = transaction
            .prepare_cached("SELECT author FROM messages WHERE room = $1 AND id = $2")
            .await?;
        match transaction.query_opt(&whose, &[&room, &id]).await? {
            None => return Ok(Edited::NoMessage),
            Some(row) if row.get::<_, Uuid>(0) != author.id => return Ok(Edited::NotTheirs),
            Some(_) => {}
        }
        let query = format!(
            "UPDATE messages m SET body = $3, revision = $4, edited_at = now(), untold_since = now() \
             FROM users u WHERE u.id = m.author AND m.room = $1 AND m.id = $2 RETURNING {COLUMNS}"
        );
        let update = transaction.prepare_cached(&query).await?;
        let message = message(
            &transaction
                .query_one(&update, &[&room, &id, &body, &revision])
                .await?,
        );
        transaction.commit().await?;
        drop(client);
        self.tell(room, &message).await;
        Ok(Edited::Done(message))
    }

    /// Tells a change, and remembers that it was told. What fails here is done by [`Self::sweep`].
    async fn tell(&self, room: Uuid, message: &Message) {
        let told = async {
            Event::Message {
                room,
                message: message.clone(),
            }
            .publish(&self.redis)
            .await?;
            let client = self.postgres.get().await?;
            let statement = client
                .prepare_cached("UPDATE messages SET untold_since = NULL WHERE room = $1 AND id = $2 AND revision = $3")
                .await?;
            client
                .execute(&statement, &[&room, &message.id, &message.revision])
                .await?;
            Ok::<(), StoreError>(())
        };
        if let Err(error) = told.await {
            observe::error(&error);
        }
    }

    /// Tells, until it is cancelled, what was stored and not told: Redis was away, or the replica died in between.
    pub async fn sweep(&self) {
        loop {
            tokio::time::sleep(SWEEP).await;
            if let Err(error) = self.sweep_once().await {
                observe::error(&error);
            }
        }
    }

    async fn sweep_once(&self) -> Result<(), StoreError> {
        let mut client = self.postgres.get().await?;
        let transaction = client.transaction().await?;
        // Another replica's rows are passed over. Who dies here has told twice, which clients see by the revision.
        let query = format!(
            "SELECT {COLUMNS} FROM messages m JOIN users u ON u.id = m.author \
             WHERE m.untold_since < now() - interval '1 second' \
             ORDER BY m.untold_since LIMIT $1 FOR UPDATE OF m SKIP LOCKED"
        );
        let statement = transaction.prepare_cached(&query).await?;
        let rows = transaction.query(&statement, &[&SWEEP_MAX]).await?;
        let done = transaction
            .prepare_cached("UPDATE messages SET untold_since = NULL WHERE room = $1 AND id = $2 AND revision = $3")
            .await?;
        for row in &rows {
            let room: Uuid = row.get(0);
            let message = message(row);
            let (id, revision) = (message.id, message.revision);
            Event::Message { room, message }
                .publish(&self.redis)
                .await?;
            transaction.execute(&done, &[&room, &id, &revision]).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// How many changes wait to be told.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn untold(&self) -> Result<i64, StoreError> {
        let client = self.postgres.get().await?;
        let statement = client
            .prepare_cached("SELECT count(*) FROM messages WHERE untold_since IS NOT NULL")
            .await?;
        Ok(client.query_one(&statement, &[]).await?.get(0))
    }
}

async fn keyed(
    client: &deadpool_postgres::Client,
    room: Uuid,
    author: &User,
    key: Uuid,
) -> Result<Option<Message>, StoreError> {
    let query = format!(
        "SELECT {COLUMNS} FROM messages m JOIN users u ON u.id = m.author WHERE m.room = $1 AND m.author = $2 AND m.key = $3"
    );
    let statement = client.prepare_cached(&query).await?;
    Ok(client
        .query_opt(&statement, &[&room, &author.id, &key])
        .await?
        .as_ref()
        .map(message))
}

/// A row of [`COLUMNS`].
fn message(row: &Row) -> Message {
    Message {
        id: row.get(1),
        revision: row.get(2),
        key: row.get(3),
        body: row.get(4),
        posted_at: row.get(5),
        edited_at: row.get(6),
        author: User {
            id: row.get(7),
            name: row.get(8),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_text() {
        assert!(validate("hello\n\tworld — 日本").is_ok());
        assert!(validate(" \n ").is_err());
        assert!(validate("\u{7}").is_err());
        assert!(validate(&"x".repeat(BODY_MAX)).is_ok());
        assert!(validate(&"x".repeat(BODY_MAX + 1)).is_err());
    }
}
