//! `wharf down`

use std::time::{Duration, Instant};

use wharf_engine::api::DownRequest;
use wharf_engine::client::Client;

use crate::args::{Down, Global};
use crate::commands::ps::is_up;
use crate::exit::{Code, failure};
use crate::launcher::{block_on, ensure_engine};
use crate::output::Output;
use crate::project::Project;
use crate::terminal::Progress;

/// Longer than every drain and stop timeout that is usual.
const WAIT: Duration = Duration::from_secs(180);

pub(crate) fn run(global: &Global, args: &Down, output: &Output) -> anyhow::Result<Code> {
    let project = Project::locate(global)?;
    let delete = args.volumes && confirm(&project, output)?;
    let running = is_up(&project);
    if running {
        block_on(async {
            let client = ensure_engine(&project.state).await?;
            stop(&client, args.now, global.timeout.unwrap_or(WAIT), output).await
        })?;
    }
    if delete {
        match std::fs::remove_dir_all(project.state.root()) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let message = format!("cannot delete {}: {error}", project.state.root().display());
                return Err(failure(Code::Failed, message, ""));
            }
        }
    }
    let what = match (running, delete) {
        (true, true) => "everything is stopped, and its data is deleted",
        (true, false) => "everything is stopped",
        (false, true) => "nothing was running; its data is deleted",
        (false, false) => "nothing was running",
    };
    output.line(what);
    Ok(Code::Done)
}

fn confirm(project: &Project, output: &Output) -> anyhow::Result<bool> {
    let root = project.state.root();
    if !root.exists() {
        return Ok(true);
    }
    let stores = std::fs::read_dir(root.join("stores")).is_ok_and(|mut dir| dir.next().is_some());
    let volumes = std::fs::read_dir(root.join("volumes")).is_ok_and(|mut dir| dir.next().is_some());
    if !stores && !volumes {
        return Ok(true);
    }
    if output.confirm(&format!("delete {} with the data of all stores and volumes?", root.display())) {
        return Ok(true);
    }
    Err(failure(Code::Failed, "nothing was stopped and nothing was deleted", "`wharf down -v -y` does not ask"))
}

/// Stops everything and waits until the engine has ended.
pub(crate) async fn stop(client: &Client, now: bool, timeout: Duration, output: &Output) -> anyhow::Result<()> {
    let after = client.status().await.map(|_| ()).is_ok();
    let mut events = client.events(u64::MAX).await.ok().filter(|_| after);
    client.down(DownRequest { now }).await?;
    let deadline = Instant::now() + timeout;
    let mut progress = Progress::new(output);
    loop {
        let step = async {
            match &mut events {
                Some(stream) => match stream.next().await {
                    Ok(Some(event)) => progress.show(&event),
                    _ => events = None,
                },
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        // The stream may stay open and silent while the last processes are waited for.
        drop(tokio::time::timeout(Duration::from_millis(200), step).await);
        if events.is_none() && client.status().await.is_err() {
            break;
        }
        if Instant::now() >= deadline {
            let limit = wharf_base::duration::format(timeout);
            return Err(failure(Code::Failed, format!("not everything had stopped within {limit}"), "`wharf down --now` kills what is left"));
        }
    }
    progress.finish();
    Ok(())
}
