//! `wharf release`

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use wharf_engine::api::{Accepted, ReleaseRequest};
use wharf_engine::client::Client;
use wharf_plan::model::Plan;

use crate::args::{Global, Listen, ReleaseArgs};
use crate::exit::{Code, failure};
use crate::follow::{Ended, expect_complete, follow};
use crate::launcher::{block_on, ensure_engine};
use crate::output::Output;
use crate::project::{Project, actor, env_values, secret_values};

pub(crate) fn run(global: &Global, args: &ReleaseArgs, output: &Output) -> anyhow::Result<Code> {
    let project = Project::locate(global)?;
    block_on(async {
        let (client, accepted) = request(&project, global, Listen::default(), output).await?;
        if args.detach {
            output.line(&format!("{} is being built", accepted.release));
            return Ok(Code::Done);
        }
        let mut interrupt = signal(SignalKind::interrupt())?;
        let ended = tokio::select! {
            ended = follow(&project.state, &client, &accepted, global.timeout, output) => ended?,
            _ = interrupt.recv() => {
                let message = format!("{} goes on", accepted.release);
                return Err(failure(Code::Failed, message, "`wharf rollout undo` takes it back"));
            }
        };
        finish(&accepted, &ended, output)?;
        Ok(Code::Done)
    })
}

/// Says how a release ended; an error unless it is complete.
pub(crate) fn finish(accepted: &Accepted, ended: &Ended, output: &Output) -> anyhow::Result<()> {
    if output.json {
        output.compact(&json!({ "release": accepted.release, "outcome": ended.outcome, "message": ended.message }))?;
        return expect_complete(accepted.release, ended);
    }
    expect_complete(accepted.release, ended)?;
    match &ended.message {
        Some(message) => output.line(message),
        None => output.line(&format!("{} is complete", accepted.release)),
    }
    Ok(())
}

/// Asks for a release of the file as it is now.
pub(crate) async fn request(
    project: &Project,
    global: &Global,
    listen: Listen,
    output: &Output,
) -> anyhow::Result<(Client, Accepted)> {
    let plan = project.local_plan(global, output)?;
    request_of(plan, project, listen).await
}

/// Asks for a release of a plan.
pub(crate) async fn request_of(
    plan: Plan,
    project: &Project,
    listen: Listen,
) -> anyhow::Result<(Client, Accepted)> {
    let client = ensure_engine(&project.state).await?;
    let request = ReleaseRequest {
        env: env_values(&plan),
        secrets: secret_values(&plan),
        plan,
        base_dir: project.base_dir.clone(),
        actor: actor(),
        restart: vec![],
        http: listen.http,
        https: listen.https,
    };
    let accepted = client.release(&request).await?;
    Ok((client, accepted))
}
