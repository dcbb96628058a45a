//! Whether Redis takes commands, and how long its lists are.

use super::client::{RedisAnswer, RedisSession};
use crate::credentials::Credentials;

/// A list of a Redis.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RedisList {
    /// The number of its database.
    pub database: u32,
    /// Its key.
    pub key: String,
}

/// # Errors
/// It does not; why, as a lowercase fragment.
pub(crate) async fn ask(credentials: &Credentials) -> Result<(), String> {
    let mut session = RedisSession::open(credentials).await?;
    session.expect(&["PING"], "PONG").await
}

/// # Errors
/// It does not answer; why, as a lowercase fragment.
pub(crate) async fn lengths(
    credentials: &Credentials,
    lists: &[RedisList],
) -> Result<Vec<u64>, String> {
    RedisSession::open(credentials).await?.lengths(lists).await
}

impl RedisSession {
    /// The lengths of lists, in their order. What is no list, or does not exist, has none.
    ///
    /// # Errors
    /// It does not answer; why, as a lowercase fragment.
    pub async fn lengths(&mut self, lists: &[RedisList]) -> Result<Vec<u64>, String> {
        let mut lengths = vec![];
        for list in lists {
            self.expect(&["SELECT", &list.database.to_string()], "OK")
                .await?;
            match self.call(&["LLEN", &list.key]).await? {
                RedisAnswer::Number(length) => {
                    lengths.push(u64::try_from(length).unwrap_or(0));
                }
                // Celery and its like keep other things under other names; such a key is no queue.
                RedisAnswer::Error(error) if error.starts_with("WRONGTYPE") => lengths.push(0),
                other => return Err(self.refusal(&other)),
            }
        }
        Ok(lengths)
    }
}
