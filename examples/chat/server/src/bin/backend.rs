//! `backend` serves the API; `backend migrate` brings the database up to date and ends.

use std::process::ExitCode;
use std::sync::Arc;

use chat::api::{self, Chat};
use chat::messages::Messages;
use chat::observe::{self, Metrics};
use chat::sessions::Sessions;
use chat::{server, stores};
use tokio::sync::watch;

refinery::embed_migrations!("migrations");

/// Messages that a user may post in ten seconds, where `POSTS_PER_10S` does not say.
const POSTS: u64 = 30;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => serve().await,
        ["migrate"] => migrate().await,
        _ => Err("usage: backend [migrate]".to_owned()),
    };
    server::end("backend", done)
}

async fn serve() -> Result<(), String> {
    let say = |error: stores::StoreError| observe::chain(&error);
    let postgres = stores::postgres(&database()?).map_err(say)?;
    let redis =
        stores::redis(&server::variable("REDIS_URL", "redis://127.0.0.1:6379")?).map_err(say)?;
    let secret = server::variable("JWT_SECRET", "48 random letters")?;
    let posts = match std::env::var("POSTS_PER_10S") {
        Ok(posts) => posts
            .parse()
            .map_err(|_| format!("POSTS_PER_10S is {posts:?}: expected a number"))?,
        Err(_) => POSTS,
    };
    let messages = Messages::new(postgres.clone(), redis.clone());
    let chat = Chat {
        sessions: Sessions::new(redis.clone(), &secret)?,
        postgres,
        redis,
        messages: messages.clone(),
        posts,
        editing: server::feature("FEATURE_MESSAGE_EDITING"),
    };
    let sweeper = tokio::spawn(async move { messages.sweep().await });
    let app = api::router(chat, server::version(), Arc::new(Metrics::new("backend")));
    let done = server::run(app, watch::Sender::new(false)).await;
    sweeper.abort();
    done
}

async fn migrate() -> Result<(), String> {
    let (mut client, connection) = tokio_postgres::connect(&database()?, tokio_postgres::NoTls)
        .await
        .map_err(|error| format!("cannot reach the database: {error}"))?;
    let driver = tokio::spawn(connection);
    // Of several that begin at once, the others wait, and then find that it is done.
    client
        .batch_execute("SELECT pg_advisory_lock(7142)")
        .await
        .map_err(|error| format!("cannot lock the database: {error}"))?;
    let report = migrations::runner()
        .run_async(&mut client)
        .await
        .map_err(|error| format!("the migration failed: {error}"))?;
    drop(client);
    drop(driver.await);
    for migration in report.applied_migrations() {
        observe::event("migrated", &migration.to_string());
    }
    observe::event(
        "migrations_done",
        &format!("{} applied", report.applied_migrations().len()),
    );
    Ok(())
}

fn database() -> Result<String, String> {
    server::variable(
        "DATABASE_URL",
        "postgres://chat:password@127.0.0.1:5432/chat",
    )
}
