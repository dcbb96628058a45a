//! Makes sure that the project's engine runs: the one that does, else a new one.

use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use wharf_engine::client::Client;
use wharf_engine::state_dir::StateDir;

use crate::exit::{Code, failure};

/// An engine that has not answered after so long has failed.
const START_TIMEOUT: Duration = Duration::from_secs(15);

/// From one question to the next while an engine starts.
const PAUSE: Duration = Duration::from_millis(5);

/// Runs `future` on a runtime of this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(future)
}

/// As [`ensure_engine`], for a project that was started: one that was not is left alone.
pub(crate) async fn engine_of(state: &StateDir) -> anyhow::Result<Client> {
    if was_started(state) {
        ensure_engine(state).await
    } else {
        Ok(Client::new(state))
    }
}

/// Whether an engine runs or was killed: one that ends in order removes its socket.
pub(crate) fn was_started(state: &StateDir) -> bool {
    state.engine_socket().exists()
}

/// A client of a running engine of this version. An engine of another version is told to end first; what it runs goes
/// on and is adopted.
pub(crate) async fn ensure_engine(state: &StateDir) -> anyhow::Result<Client> {
    let client = Client::new(state);
    if let Ok(status) = client.status().await {
        if status.version == env!("CARGO_PKG_VERSION") {
            return Ok(client);
        }
        client
            .exit()
            .await
            .context("the engine of another version cannot be replaced")?;
    }
    state
        .create()
        .with_context(|| format!("cannot make the state directory {}", state.root().display()))?;
    let deadline = Instant::now() + START_TIMEOUT;
    while wharf_engine::is_running(state) && Instant::now() < deadline {
        // One that starts, or ends: its socket does not answer.
        if client.status().await.is_ok() {
            return Ok(client);
        }
        tokio::time::sleep(PAUSE).await;
    }
    let mut child = spawn(state)?;
    loop {
        if client.status().await.is_ok() {
            return Ok(client);
        }
        if let Some(status) = child.try_wait()? {
            // Another command was quicker to start one, which is about to answer.
            if client.status().await.is_ok() {
                return Ok(client);
            }
            if wharf_engine::is_running(state) && Instant::now() < deadline {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            let log = std::fs::read_to_string(state.engine_log()).unwrap_or_default();
            let last = log.lines().last().unwrap_or_default();
            let message = format!("the engine ended at once ({status}): {last}");
            return Err(failure(
                Code::Failed,
                message,
                format!("see {}", state.engine_log().display()),
            ));
        }
        if Instant::now() >= deadline {
            let limit = wharf_base::duration::format(START_TIMEOUT);
            let hint = format!("see {}", state.engine_log().display());
            return Err(failure(
                Code::Failed,
                format!("the engine did not answer within {limit}"),
                hint,
            ));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Starts an engine that outlives this command: in a session of its own, away from the terminal.
fn spawn(state: &StateDir) -> anyhow::Result<std::process::Child> {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(state.engine_log())
        .with_context(|| format!("cannot write {}", state.engine_log().display()))?;
    let program = std::env::current_exe().context("cannot find the wharf program itself")?;
    let mut command = Command::new(program);
    command.arg("engine").arg(state.root()).current_dir("/");
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    // A group of its own keeps a terminal's Ctrl-C away; the engine itself then leaves the session.
    command.process_group(0);
    command.spawn().context("cannot start the engine")
}
