//! `wharf up`

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use wharf_engine::client::Client;
use wharf_process::log::{Start, Tail};

use crate::args::{Global, Up};
use crate::commands::logs::Printer;
use crate::commands::{down, release, watch};
use crate::exit::{Code, failure};
use crate::follow::{expect_complete, follow};
use crate::launcher::block_on;
use crate::output::{Output, Style, paint};
use crate::project::Project;
use crate::unenforced;

/// How long everything may take to stop after Ctrl-C.
const STOP_WAIT: Duration = Duration::from_secs(180);

/// From one look for new services' logs to the next.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) fn run(global: &Global, args: &Up, output: &Output) -> anyhow::Result<Code> {
    let project = Project::locate(global)?;
    block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let started = tokio::select! {
            started = start(&project, global, args, output) => started,
            _ = interrupt.recv() => Err(stopped()),
            _ = terminate.recv() => Err(stopped()),
        };
        if args.detach {
            started?;
            return Ok(Code::Done);
        }
        let result = match started {
            Ok(()) => {
                let watching = async {
                    if args.watch {
                        watch::run(&project, global, output).await
                    } else {
                        std::future::pending().await
                    }
                };
                tokio::select! {
                    result = show_logs(&project, output) => result,
                    result = watching => result,
                    _ = interrupt.recv() => Ok(()),
                    _ = terminate.recv() => Ok(()),
                }
            }
            Err(error) => Err(error),
        };
        let client = project.client();
        tokio::select! {
            stopped = down::stop(&project.state, &client, false, STOP_WAIT, output) => stopped?,
            _ = interrupt.recv() => {
                output.progress("stopping at once");
                down::stop(&project.state, &client, true, STOP_WAIT, output).await?;
            }
        }
        output.progress("everything is stopped");
        result.map(|()| Code::Done)
    })
}

fn stopped() -> anyhow::Error {
    failure(Code::Failed, "stopped before everything was ready", "")
}

async fn start(
    project: &Project,
    global: &Global,
    args: &Up,
    output: &Output,
) -> anyhow::Result<()> {
    let plan = project.local_plan(global, output)?;
    if let Some(line) = unenforced::line(&plan) {
        output.progress(&paint(&line, Style::Faint, output.color_err));
    }
    let (client, accepted) = release::request_of(plan, project, args.listen).await?;
    let ended = follow(&project.state, &client, &accepted, global.timeout, output).await?;
    expect_complete(accepted.release, &ended)?;
    summary(&client, output).await
}

/// What runs and where, the address last.
async fn summary(client: &Client, output: &Output) -> anyhow::Result<()> {
    let status = client.status().await?;
    if output.json {
        output.compact(&status)?;
    }
    for url in status.urls.iter().skip(1) {
        output.progress(&format!("also at {url}"));
    }
    if let Some(url) = &status.url {
        let ready = paint("ready", Style::Good, output.color_err);
        let release = status
            .release
            .map(|release| release.to_string())
            .unwrap_or_default();
        output.progress(&format!("{} {release} is {ready}", status.project));
        if !output.json {
            output.line(url);
        }
    }
    Ok(())
}

/// Shows what services write from now on, also those of later releases.
async fn show_logs(project: &Project, output: &Output) -> anyhow::Result<()> {
    let root = project.state.logs_root();
    let mut printer = Printer {
        output,
        raw: false,
        json: output.json,
        colors: BTreeMap::new(),
    };
    let mut start = Start {
        tail: Some(0),
        since: None,
    };
    loop {
        let dirs: Vec<_> = std::fs::read_dir(&root)?
            .flatten()
            .map(|entry| entry.path())
            .collect();
        let mut tail = Tail::new(dirs.clone(), start)?;
        let mut last = wharf_base::clock::now();
        let mut looks = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                record = tail.next() => {
                    last = record.at();
                    printer.print(&record)?;
                }
                _ = looks.tick() => {
                    let now: Vec<_> = std::fs::read_dir(&root)?.flatten().map(|entry| entry.path()).collect();
                    if now.len() != dirs.len() {
                        break;
                    }
                }
            }
        }
        // Lines of the same millisecond as the last one may be shown twice, none is lost.
        start = Start {
            tail: None,
            since: Some(wharf_base::clock::Timestamp(last.0 + 1)),
        };
    }
}
