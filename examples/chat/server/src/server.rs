//! From the environment to a served port, and back down: SIGTERM or Ctrl-C stops accepting, what is under way is finished.

use std::fmt::Display;
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use axum::routing::{MethodRouter, get};
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::observe;

/// How long sockets may take to say goodbye before the process ends without them.
const GOODBYE: Duration = Duration::from_secs(5);

/// The variable of this name.
///
/// # Errors
/// It is not set; a sentence says so, with an example.
pub fn variable(name: &str, example: &str) -> Result<String, String> {
    std::env::var(name)
        .map_err(|_| format!("{name} is not set: set it to something such as {example}"))
}

/// Whether a feature is on: the variable is `true`, or not set.
#[must_use]
pub fn feature(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| value == "true")
}

/// What `/health` and `/live` show.
#[must_use]
pub fn version() -> String {
    std::env::var("VERSION").unwrap_or_else(|_| env!("CARGO_PKG_VERSION").to_owned())
}

/// What `/live` answers with: that this process answers, whatever it needs. It is started again when it does not.
pub(crate) fn live<S: Clone + Send + Sync + 'static>(version: String) -> MethodRouter<S> {
    get(async move || well(&version))
}

/// A process of a version, that is well.
pub(crate) fn well(version: &str) -> Json<Value> {
    Json(json!({ "status": "ok", "version": version, "pid": std::process::id() }))
}

/// Serves on `HOST` (127.0.0.1) and `PORT` until it is told to stop, which turns `stop` true.
///
/// # Errors
/// The address cannot be used, or the server stopped by itself; as a sentence.
pub async fn run(app: Router, stop: watch::Sender<bool>) -> Result<(), String> {
    let host = std::env::var("HOST").unwrap_or_else(|_| "127.0.0.1".to_owned());
    let host: IpAddr = host.parse().map_err(|_| {
        format!("HOST is {host:?}: expected an address such as 127.0.0.1 or 0.0.0.0")
    })?;
    let port = variable("PORT", "5000")?;
    let port: u16 = port
        .parse()
        .map_err(|_| format!("PORT is {port:?}: expected a number from 0 to 65535"))?;
    let listener = TcpListener::bind((host, port))
        .await
        .map_err(|error| format!("cannot listen on {host}:{port}: {error}"))?;
    observe::event(
        "started",
        &format!("version {} listens on {host}:{port}", version()),
    );
    let stopped = |error: std::io::Error| format!("the server stopped: {error}");
    let mut terminated = signal(SignalKind::terminate()).map_err(stopped)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(stopped)?;
    let asked_to_stop = {
        let stop = stop.clone();
        async move {
            tokio::select! { _ = terminated.recv() => {}, _ = interrupted.recv() => {} }
            observe::event(
                "stopping",
                "no new connections; what is under way is finished",
            );
            stop.send_replace(true);
        }
    };
    // Small frames must not wait for the acknowledgement of earlier ones.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, app)
        .with_graceful_shutdown(asked_to_stop)
        .await
        .map_err(stopped)?;
    // The sockets hold the last receivers.
    drop(tokio::time::timeout(GOODBYE, stop.closed()).await);
    observe::event("stopped", "everything is finished");
    Ok(())
}

/// Says on standard error why a service cannot run.
pub fn end(service: &str, done: Result<(), impl Display>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{service}: {error}");
            ExitCode::FAILURE
        }
    }
}
