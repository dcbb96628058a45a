//! Real PostgreSQL, PgBouncer and Redis from this machine's packages: found, prepared, asked whether they are ready, set up.
//!
//! This crate does not run the servers: [`prepare`] writes their files and says what to launch, how to stop it and
//! what to do once it answers ([`Prepared::set_up`]). Whoever launches it keeps it running.
//!
//! Invariants: a server listens on loopback only and asks for a password; a password is in no argument, no log line,
//! no error and no `Debug` output; files with a password have mode 0600; a data folder appears whole or not at all.

mod account;
mod credentials;
mod error;
mod locate;
mod pool;
mod postgres;
mod prepare;
mod redis;

pub use account::Account;
pub use credentials::{Credentials, RANDOM_BYTES};
pub use error::{Extension, StoreError};
pub use locate::{NotInstalled, Server, find};
pub use pool::{PoolSite, Pooler, PreparedPool};
pub use postgres::session::{Session, Table};
pub use prepare::{Prepared, Request, Stop, prepare};
pub use redis::client::{RedisAnswer, RedisSession};
pub use redis::ready::RedisList;

use std::time::Duration;

use wharf_plan::model::StoreEngine;

/// Whether a server takes requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It does.
    Ready,
    /// Not yet, or not any more; the reason as a lowercase fragment.
    NotReady(String),
}

impl Readiness {
    /// Whether it is [`Readiness::Ready`].
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready)
    }
}

/// Asks a server whether it takes requests, within `timeout`.
///
/// PostgreSQL is asked without logging in, so that this also works before [`Prepared::set_up`]; Redis with its password.
/// Dropping the future closes the connection.
pub async fn is_ready(
    credentials: &Credentials,
    engine: StoreEngine,
    timeout: Duration,
) -> Readiness {
    let asked = async {
        match engine {
            StoreEngine::Postgres => postgres::ready::ask(credentials).await,
            StoreEngine::Redis => redis::ready::ask(credentials).await,
        }
    };
    match tokio::time::timeout(timeout, asked).await {
        Ok(Ok(())) => Readiness::Ready,
        Ok(Err(reason)) => Readiness::NotReady(reason),
        Err(_) => {
            let limit = wharf_base::duration::format(timeout);
            Readiness::NotReady(format!(
                "no answer on {} within {limit}",
                credentials.address()
            ))
        }
    }
}

/// The lengths of lists of a Redis, in their order, within `timeout`. What is no list, or does not exist, has none.
///
/// # Errors
/// It does not answer; why, as a lowercase fragment.
pub async fn list_lengths(
    credentials: &Credentials,
    lists: &[RedisList],
    timeout: Duration,
) -> Result<Vec<u64>, String> {
    tokio::time::timeout(timeout, redis::ready::lengths(credentials, lists))
        .await
        .unwrap_or_else(|_| Err("Redis does not answer in time".to_owned()))
}
