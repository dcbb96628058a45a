//! `wharf rollout status|undo|history`

use std::time::Duration;

use wharf_engine::api::{Accepted, Outcome, ProjectState, RolloutStatus, UndoRequest};

use crate::args::{Global, RolloutCommand};
use crate::exit::{Code, failure};
use crate::follow::follow;
use crate::launcher::{block_on, engine_of};
use crate::output::{Output, Style, paint};
use crate::project::{Project, actor};
use crate::terminal::{moment, outcome_style};

pub(crate) fn run(
    global: &Global,
    command: &RolloutCommand,
    output: &Output,
) -> anyhow::Result<Code> {
    let project = Project::locate(global)?;
    match command {
        RolloutCommand::Status { watch, .. } => status(&project, global, *watch, output),
        RolloutCommand::Undo(_) => undo(&project, global, output),
        RolloutCommand::History(_) => history(&project, output),
    }
}

fn status(
    project: &Project,
    global: &Global,
    watch: bool,
    output: &Output,
) -> anyhow::Result<Code> {
    block_on(async {
        let client = engine_of(&project.state).await?;
        let mut status = client.status().await?;
        if watch
            && let Some(rollout) = status
                .rollout
                .as_ref()
                .filter(|rollout| !rollout.outcome.is_final())
        {
            let accepted = Accepted {
                release: rollout.release,
                unchanged: false,
                after: 0,
            };
            follow(&project.state, &client, &accepted, global.timeout, output).await?;
            status = client.status().await?;
        }
        let healthy = status.state != ProjectState::Unhealthy;
        let Some(rollout) = status.rollout else {
            return Err(failure(
                Code::Failed,
                "nothing has been released yet",
                "`wharf up` does it",
            ));
        };
        if output.json {
            output.value(&rollout)?;
        } else {
            output.line(&sentence(&rollout, output));
        }
        Ok(match rollout.outcome {
            Outcome::Reverted | Outcome::Failed => Code::Failed,
            Outcome::Building | Outcome::Progressing if watch => Code::Unhealthy,
            _ if !healthy => Code::Unhealthy,
            _ => Code::Done,
        })
    })
}

/// How a roll-out stands, in one line.
pub(crate) fn sentence(rollout: &RolloutStatus, output: &Output) -> String {
    let outcome = paint(
        rollout.outcome.as_str(),
        outcome_style(rollout.outcome),
        output.color_out,
    );
    let took = rollout
        .ended
        .map(|ended| wharf_base::duration::format(ended.since(rollout.began)));
    let took = took
        .map(|took| format!(" after {took}"))
        .unwrap_or_default();
    let message = rollout
        .message
        .as_deref()
        .map(|message| format!(": {message}"))
        .unwrap_or_default();
    format!("{} is {outcome}{took}{message}", rollout.release)
}

fn undo(project: &Project, global: &Global, output: &Output) -> anyhow::Result<Code> {
    block_on(async {
        let client = engine_of(&project.state).await?;
        let accepted = client.undo(&UndoRequest { actor: actor() }).await?;
        let timeout = global.timeout.or(Some(Duration::from_secs(1_200)));
        let ended = follow(&project.state, &client, &accepted, timeout, output).await?;
        let message = ended
            .message
            .map(|message| format!(": {message}"))
            .unwrap_or_default();
        output.line(&format!(
            "{} is {}{message}",
            accepted.release,
            ended.outcome.as_str()
        ));
        Ok(if ended.outcome == Outcome::Undone {
            Code::Done
        } else {
            Code::Failed
        })
    })
}

fn history(project: &Project, output: &Output) -> anyhow::Result<Code> {
    let releases = block_on(async { Ok(engine_of(&project.state).await?.releases().await?) })?;
    if output.json {
        output.value(&releases)?;
        return Ok(Code::Done);
    }
    let rows: Vec<_> = releases
        .into_iter()
        .map(|release| {
            let changed: Vec<String> = release.changed.iter().map(ToString::to_string).collect();
            let current = if release.current { "*" } else { "" };
            vec![
                (
                    format!("{}{current}", release.release),
                    release.current.then_some(Style::Strong),
                ),
                (
                    release.outcome.as_str().to_owned(),
                    Some(outcome_style(release.outcome)),
                ),
                (moment(release.created), None),
                (release.actor, None),
                (changed.join(" "), None),
                (release.message.unwrap_or_default(), None),
            ]
        })
        .collect();
    output.table(
        &["release", "outcome", "created", "by", "changed", "message"],
        &rows,
    );
    Ok(Code::Done)
}
