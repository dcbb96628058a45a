//! Connections to PostgreSQL and Redis. No request waits longer for one than a client would.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, RecyclingMethod};
use deadpool_redis::Runtime as RedisRuntime;
use deadpool_redis::redis::{self, AsyncConnectionConfig};
use thiserror::Error;
use tokio_postgres::NoTls;

/// How long a request may wait for a connection, and for an answer of Redis.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a statement may take before PostgreSQL ends it.
const STATEMENT_TIMEOUT: &str = "-c statement_timeout=5000 -c lock_timeout=2000";
/// Connections of one replica: its statements are short.
const POSTGRES_CONNECTIONS: usize = 10;
/// More of them: when a replica is gone, all of its sockets come to the others at once, each to ask for its session.
const REDIS_CONNECTIONS: usize = 32;

pub type Postgres = deadpool_postgres::Pool;
pub type Redis = deadpool_redis::Pool;

/// A store that cannot be used. What the client learns is the sentence; the cause is for the log.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error("{0} cannot be read")]
    Address(
        &'static str,
        #[source] Box<dyn std::error::Error + Send + Sync>,
    ),
    #[error("the database does not answer")]
    Postgres(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("Redis does not answer")]
    Redis(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error.into())
    }
}

impl From<deadpool_postgres::PoolError> for StoreError {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        Self::Postgres(error.into())
    }
}

impl From<redis::RedisError> for StoreError {
    fn from(error: redis::RedisError) -> Self {
        Self::Redis(error.into())
    }
}

impl From<deadpool_redis::PoolError> for StoreError {
    fn from(error: deadpool_redis::PoolError) -> Self {
        Self::Redis(error.into())
    }
}

/// A pool for the server at `url` (`postgres://USER:PASSWORD@HOST:PORT/DATABASE`). Connects when it is first used.
///
/// # Errors
/// `url` is no address of a PostgreSQL server.
pub fn postgres(url: &str) -> Result<Postgres, StoreError> {
    let address = |error: Box<dyn std::error::Error + Send + Sync>| {
        StoreError::Address("DATABASE_URL", error)
    };
    let mut config: tokio_postgres::Config = url
        .parse()
        .map_err(|error: tokio_postgres::Error| address(error.into()))?;
    config.connect_timeout(PATIENCE).options(STATEMENT_TIMEOUT);
    let recycling = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = Manager::from_config(config, NoTls, recycling);
    Postgres::builder(manager)
        .max_size(POSTGRES_CONNECTIONS)
        .runtime(deadpool_postgres::Runtime::Tokio1)
        .wait_timeout(Some(PATIENCE))
        .create_timeout(Some(PATIENCE))
        .recycle_timeout(Some(PATIENCE))
        .build()
        .map_err(|error| address(error.into()))
}

/// A pool for the server at `url` (`redis://[:PASSWORD@]HOST[:PORT][/DATABASE]`). Connects when it is first used.
///
/// # Errors
/// `url` is no address of a Redis server.
pub fn redis(url: &str) -> Result<Redis, StoreError> {
    let address =
        |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Address("REDIS_URL", error);
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let manager = deadpool_redis::Manager::new_with_config(url, config)
        .map_err(|error| address(error.into()))?;
    Redis::builder(manager)
        .max_size(REDIS_CONNECTIONS)
        .runtime(RedisRuntime::Tokio1)
        .wait_timeout(Some(PATIENCE))
        .create_timeout(Some(PATIENCE))
        .recycle_timeout(Some(PATIENCE))
        .build()
        .map_err(|error| address(error.into()))
}
