//! The items API on Redis: `PORT=8000 REDIS_URL=redis://127.0.0.1:6379 items-redis`.

use std::process::ExitCode;

use items::{observe, server};
use items_redis::RedisStore;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Ok(url) = std::env::var("REDIS_URL") else {
        return server::fail(
            &"REDIS_URL is not set: set it to a server such as redis://127.0.0.1:6379",
        );
    };
    match RedisStore::connect(&url) {
        Ok(store) => server::run(store).await,
        Err(error) => server::fail(&observe::chain(&error)),
    }
}
