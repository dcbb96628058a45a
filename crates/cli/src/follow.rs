//! Follows a release to its end, whatever happens to the engine meanwhile.

use std::time::{Duration, Instant};

use wharf_base::ids::ReleaseId;
use wharf_engine::api::{Accepted, EventKind, Outcome};
use wharf_engine::client::{Client, ClientError};
use wharf_engine::state_dir::StateDir;

use crate::exit::{Code, failure};
use crate::launcher::ensure_engine;
use crate::output::Output;
use crate::terminal::Progress;

/// From one frame of the sign of life to the next.
const FRAME: Duration = Duration::from_millis(100);

/// From one question to the next where events cannot be followed.
const PAUSE: Duration = Duration::from_millis(100);

/// How a release ended.
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) message: Option<String>,
}

/// Waits for the end of a release, showing its progress. An engine that is killed meanwhile is started again: the
/// release goes on where it was.
pub(crate) async fn follow(
    state: &StateDir,
    client: &Client,
    accepted: &Accepted,
    timeout: Option<Duration>,
    output: &Output,
) -> anyhow::Result<Ended> {
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    let release = accepted.release;
    let mut progress = Progress::new(output);
    let waited = async {
        if let Some(ended) = watch(client, accepted.after, release, &mut progress).await? {
            return Ok(ended);
        }
        loop {
            let client = ensure_engine(state).await?;
            if let Some(ended) = look_up(&client, release).await? {
                return Ok(ended);
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let result: anyhow::Result<Ended> = match deadline {
        None => waited.await,
        Some(deadline) => match tokio::time::timeout_at(deadline.into(), waited).await {
            Ok(result) => result,
            Err(_) => {
                let message = format!("{release} was not done in time; it goes on");
                Err(failure(
                    Code::Failed,
                    message,
                    "`wharf rollout status --watch` waits for it",
                ))
            }
        },
    };
    progress.finish();
    result
}

/// Shows events until the release has ended; none if the engine is gone.
async fn watch(
    client: &Client,
    after: u64,
    release: ReleaseId,
    progress: &mut Progress<'_>,
) -> anyhow::Result<Option<Ended>> {
    let mut events = match client.events(after).await {
        Ok(events) => events,
        Err(ClientError::Refused(error)) => return Err(error.into()),
        Err(_) => return Ok(None),
    };
    let mut frames = tokio::time::interval(FRAME);
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            _ = frames.tick() => {
                progress.tick();
                continue;
            }
        };
        let Ok(Some(event)) = event else {
            return Ok(None);
        };
        progress.show(&event);
        if let EventKind::Rollout { outcome, message } = event.kind
            && event.release == Some(release)
            && outcome.is_final()
        {
            return Ok(Some(Ended { outcome, message }));
        }
    }
}

/// How a release ended, from the history; none while it has not.
async fn look_up(client: &Client, release: ReleaseId) -> anyhow::Result<Option<Ended>> {
    let releases = match client.releases().await {
        Ok(releases) => releases,
        Err(ClientError::Refused(error)) => return Err(error.into()),
        Err(_) => return Ok(None),
    };
    let Some(found) = releases
        .into_iter()
        .find(|summary| summary.release == release)
    else {
        let message = Some("nothing had changed".to_owned());
        return Ok(Some(Ended {
            outcome: Outcome::Complete,
            message,
        }));
    };
    Ok(found.outcome.is_final().then_some(Ended {
        outcome: found.outcome,
        message: found.message,
    }))
}

/// An end as a result: an error unless the release is complete.
pub(crate) fn expect_complete(release: ReleaseId, ended: &Ended) -> anyhow::Result<()> {
    if ended.outcome == Outcome::Complete {
        return Ok(());
    }
    let message = ended
        .message
        .clone()
        .unwrap_or_else(|| "no reason was given".to_owned());
    let hint = match ended.outcome {
        Outcome::Failed | Outcome::Reverted => {
            "`wharf logs` shows more of what the service wrote; mend it and release again"
        }
        _ => "",
    };
    Err(failure(
        Code::Failed,
        match ended.outcome {
            Outcome::Failed => format!("{release} failed: {message}"),
            outcome => format!("{release} was {}: {message}", outcome.as_str()),
        },
        hint,
    ))
}
