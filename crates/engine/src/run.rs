//! An engine from its start to its end, in a process of its own.

use std::fs::{File, OpenOptions};
use std::io;
use std::time::Duration;

use tokio::task::LocalSet;
use wharf_ingress::config::Status;
use wharf_process::{Marker, sweep, unprivileged};

use crate::engine::Engine;
use crate::ingress_link::IngressLink;
use crate::saved::{StateError, Store};
use crate::server::serve;
use crate::state_dir::StateDir;

/// How long clients have to read their last answer.
const FAREWELL: Duration = Duration::from_millis(20);

/// Why an engine cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Another one runs.
    #[error("another engine runs for {0}")]
    Locked(String),
    /// Something of the state directory cannot be used.
    #[error("cannot use {path}")]
    Io {
        /// What.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// The state cannot be used.
    #[error("the engine's state failed it")]
    State(#[from] StateError),
    /// Something of the project is still there after everything was stopped.
    #[error("something of the project cannot be stopped")]
    Sweep(#[from] wharf_process::SweepError),
}

/// Runs the engine of a state directory until it is told to end. Blocks.
///
/// # Errors
/// See [`RunError`].
pub fn run(state: &StateDir) -> Result<(), RunError> {
    let io = |path: &std::path::Path| {
        let path = path.display().to_string();
        move |source| RunError::Io { path, source }
    };
    state.create().map_err(io(state.root()))?;
    // Held until the process is gone, not only until this function ends: then nothing of the engine is left.
    std::mem::forget(lock(state)?);
    let marker = state.marker().map_err(io(state.root()))?;
    let user = unprivileged::user_for(state.root().parent().unwrap_or(state.root()))
        .map_err(io(state.root()))?;
    let database = Store::open(&state.database())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(io(state.root()))?;
    let stopped = LocalSet::new().block_on(&runtime, async {
        let running = running_ingress(state).await;
        let served = running
            .as_ref()
            .map(|status| status.endpoints.keys().cloned().collect())
            .unwrap_or_default();
        let outdated = running
            .as_ref()
            .is_some_and(|status| status.version != env!("CARGO_PKG_VERSION"));
        let running = running.map(|status| status.pid);
        let sockets = match running {
            Some(_) => wharf_ingress::client::take_listeners(&state.ingress_socket())
                .await
                .unwrap_or_default(),
            None => vec![],
        };
        let link = |events, _: &_| {
            let link = IngressLink::new(state, &marker, sockets, running, events);
            if outdated {
                link.use_listeners();
            }
            link
        };
        let (engine, events) = Engine::new(state.clone(), marker.clone(), database, user, link)?;
        let socket = wharf_process::unix_socket::bind_async(&state.engine_socket())
            .map_err(io(&state.engine_socket()))?;
        tokio::task::spawn_local(serve(socket, engine.events.clone()));
        let stopped = engine.run(events, &served).await;
        // The answers to those who asked for the end are on their way.
        tokio::time::sleep(FAREWELL).await;
        Ok::<bool, RunError>(stopped)
    })?;
    if stopped {
        // Nothing is left, unless it hid from its shim; this finds that too.
        sweep(&Marker::Project(marker))?;
        // Whoever connects from now on sees at once that no engine runs.
        drop(std::fs::remove_file(state.engine_socket()));
    }
    Ok(())
}

/// Whether an engine runs for the state directory, be it only to its end.
#[must_use]
pub fn is_running(state: &StateDir) -> bool {
    File::open(state.engine_lock()).is_ok_and(|file| {
        matches!(
            file.try_lock_shared(),
            Err(std::fs::TryLockError::WouldBlock)
        )
    })
}

/// Held as long as the engine runs; the kernel frees it however that ends.
fn lock(state: &StateDir) -> Result<File, RunError> {
    let path = state.engine_lock();
    let io = |source| RunError::Io {
        path: path.display().to_string(),
        source,
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(RunError::Locked(state.root().display().to_string()))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(io(error)),
    }
}

/// The ingress that a former engine started, if it still answers.
async fn running_ingress(state: &StateDir) -> Option<Status> {
    wharf_ingress::client::status(&state.ingress_socket())
        .await
        .ok()
}
