//! The items API of `items` on a pooled Redis store.
//!
//! Two keys: `items:last-id` counts ids, `items:by-id` is a sorted set of items in JSON whose scores are their ids.
//! Each operation is one command on the set, so that replicas need no transaction; who dies between counting and
//! adding leaves a gap in the ids, nothing else.

use std::time::Duration;

use deadpool_redis::redis::{self, AsyncConnectionConfig, Cmd, FromRedisValue, cmd};
use deadpool_redis::{Connection, Manager, Pool, Runtime};
use items::store::{Item, NewItem, Page, Store, StoreError};

const LAST_ID: &str = "items:last-id";
const BY_ID: &str = "items:by-id";

/// Connections of one replica: Redis works on one command at a time, so more would only wait there.
const POOL_SIZE: usize = 8;
/// How long a request may wait for a connection, and for its answer: well within what a client waits.
const PATIENCE: Duration = Duration::from_secs(2);

/// The store; clones share the pool.
#[derive(Debug, Clone)]
pub struct RedisStore {
    pool: Pool,
}

impl RedisStore {
    /// A pool for the server at `url` (`redis://[:PASSWORD@]HOST[:PORT][/DATABASE]`). Connects when it is first used.
    ///
    /// # Errors
    /// `url` is no address of a Redis server.
    pub fn connect(url: &str) -> Result<Self, StoreError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let manager =
            Manager::new_with_config(url, config).map_err(StoreError::on("read REDIS_URL"))?;
        let pool = Pool::builder(manager)
            .max_size(POOL_SIZE)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .recycle_timeout(Some(PATIENCE))
            .build()
            .map_err(StoreError::on("make its pool"))?;
        Ok(Self { pool })
    }

    async fn connection(&self) -> Result<Connection, StoreError> {
        self.pool.get().await.map_err(StoreError::on("reach Redis"))
    }

    async fn ask<T: FromRedisValue>(
        &self,
        action: &'static str,
        command: &Cmd,
    ) -> Result<T, StoreError> {
        command
            .query_async(&mut self.connection().await?)
            .await
            .map_err(StoreError::on(action))
    }
}

impl Store for RedisStore {
    async fn add(&self, new: NewItem) -> Result<Item, StoreError> {
        const ACTION: &str = "add the item";
        let item = new.with_id(self.ask(ACTION, cmd("INCR").arg(LAST_ID)).await?);
        let text = serde_json::to_string(&item).map_err(StoreError::on(ACTION))?;
        self.ask::<()>(ACTION, cmd("ZADD").arg(BY_ID).arg(item.id).arg(text))
            .await?;
        Ok(item)
    }

    async fn get(&self, id: u64) -> Result<Option<Item>, StoreError> {
        const ACTION: &str = "read the item";
        let found: Vec<String> = self
            .ask(ACTION, cmd("ZRANGEBYSCORE").arg(BY_ID).arg(id).arg(id))
            .await?;
        found
            .first()
            .map(|text| serde_json::from_str(text))
            .transpose()
            .map_err(StoreError::on(ACTION))
    }

    async fn page(&self, offset: u64, limit: u32) -> Result<Page, StoreError> {
        const ACTION: &str = "read the items";
        // Redis counts in signed 64 bits; what lies beyond is empty anyway.
        let first = i64::try_from(offset).unwrap_or(i64::MAX);
        let last = first.saturating_add(i64::from(limit) - 1);
        let mut both = redis::pipe();
        both.cmd("ZRANGE")
            .arg(BY_ID)
            .arg(first)
            .arg(last)
            .cmd("ZCARD")
            .arg(BY_ID);
        let (texts, total): (Vec<String>, u64) = both
            .query_async(&mut self.connection().await?)
            .await
            .map_err(StoreError::on(ACTION))?;
        let items = texts
            .iter()
            .map(|text| serde_json::from_str(text))
            .collect::<Result<_, _>>();
        Ok(Page {
            items: items.map_err(StoreError::on(ACTION))?,
            total,
            limit,
            offset,
        })
    }

    async fn remove(&self, id: u64) -> Result<bool, StoreError> {
        let removed: u64 = self
            .ask(
                "remove the item",
                cmd("ZREMRANGEBYSCORE").arg(BY_ID).arg(id).arg(id),
            )
            .await?;
        Ok(removed > 0)
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.ask("answer a ping", &cmd("PING")).await
    }
}
