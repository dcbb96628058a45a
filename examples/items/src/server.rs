//! From the environment to a served port, and back down: SIGTERM or Ctrl-C stops accepting, what is under way is finished.

use std::fmt::Display;
use std::io;
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::store::Store;
use crate::{api, observe};

/// How long closed WebSockets may take to say goodbye before the process ends without them.
const GOODBYE: Duration = Duration::from_secs(2);

/// Serves the API on `HOST` (127.0.0.1) and `PORT` until it is told to stop. `VERSION` is what `/health` shows.
pub async fn run<S: Store>(store: S) -> ExitCode {
    let host = std::env::var("HOST").unwrap_or_else(|_| "127.0.0.1".to_owned());
    let Ok(host) = host.parse::<IpAddr>() else {
        return fail(&format!(
            "HOST is {host:?}: expected an address such as 127.0.0.1 or 0.0.0.0"
        ));
    };
    let port = std::env::var("PORT").unwrap_or_default();
    let Ok(port) = port.parse::<u16>() else {
        return fail(&format!(
            "PORT is {port:?}: expected a number from 0 to 65535"
        ));
    };
    let version = std::env::var("VERSION").unwrap_or_else(|_| env!("CARGO_PKG_VERSION").to_owned());
    match TcpListener::bind((host, port)).await {
        Ok(listener) => match serve(listener, store, version).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&format!("the server stopped: {error}")),
        },
        Err(error) => fail(&format!("cannot listen on {host}:{port}: {error}")),
    }
}

async fn serve<S: Store>(listener: TcpListener, store: S, version: String) -> io::Result<()> {
    let (stop, stopped) = watch::channel(false);
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    observe::event(
        "started",
        &format!("version {version} listens on {}", listener.local_addr()?),
    );
    let app = api::router(store, version, stopped);
    // Small answers must not wait for the acknowledgement of earlier ones.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let asked_to_stop = {
        let stop = stop.clone();
        async move {
            tokio::select! { _ = terminated.recv() => {}, _ = interrupted.recv() => {} }
            observe::event(
                "stopping",
                "no new connections; requests under way are finished",
            );
            stop.send_replace(true);
        }
    };
    axum::serve(listener, app)
        .with_graceful_shutdown(asked_to_stop)
        .await?;
    // The sockets hold the last receivers; one that does not end in time is cut off with the process.
    drop(tokio::time::timeout(GOODBYE, stop.closed()).await);
    observe::event("stopped", "all requests are finished");
    Ok(())
}

/// Says on standard error why the service cannot run.
pub fn fail(error: &dyn Display) -> ExitCode {
    eprintln!("items: {error}");
    ExitCode::FAILURE
}
