//! `websocket` serves the sockets.

use std::process::ExitCode;
use std::sync::Arc;

use chat::hub::Hub;
use chat::observe::{self, Metrics};
use chat::sessions::Sessions;
use chat::sockets::{self, Sockets};
use chat::{server, stores};
use tokio::sync::watch;

#[tokio::main]
async fn main() -> ExitCode {
    server::end("websocket", serve().await)
}

async fn serve() -> Result<(), String> {
    let url = server::variable("REDIS_URL", "redis://127.0.0.1:6379")?;
    let redis = stores::redis(&url).map_err(|error| observe::chain(&error))?;
    let secret = server::variable("JWT_SECRET", "48 random letters")?;
    let metrics = Arc::new(Metrics::new("websocket"));
    let hub = Hub::new(redis.clone(), Arc::clone(&metrics));
    let stop = watch::Sender::new(false);
    let sockets = Sockets {
        hub: Arc::clone(&hub),
        sessions: Sessions::new(redis, &secret)?,
        metrics,
        typing: server::feature("FEATURE_TYPING_INDICATORS"),
        stop: stop.subscribe(),
    };
    let app = sockets::router(sockets, server::version());
    let listener = tokio::spawn({
        let hub = Arc::clone(&hub);
        async move { hub.listen(&url).await }
    });
    let refresher = tokio::spawn(async move { hub.refresh().await });
    let done = server::run(app, stop).await;
    listener.abort();
    refresher.abort();
    done
}
