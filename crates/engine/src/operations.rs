//! What people ask for beside a release: to take one back, to scale, to restart, to see what was.

use crate::api::{
    Accepted, ApiError, Outcome, ReleaseRequest, ReleaseSummary, RestartRequest, ScaleRequest,
};
use crate::engine::{Engine, refuse};
use crate::release::Release;
use crate::saved::Rollout;

/// The most replicas of one service that can be asked for by hand, as in the file.
const REPLICAS_MAX: u32 = 1_000;

impl Engine {
    /// Takes the roll-out under way back, or the release that serves: at once, without steps.
    pub(crate) fn undo(&mut self, actor: &str) -> Result<Accepted, ApiError> {
        let after = self.journal.last();
        if let Some((id, build)) = self.building.take() {
            build.abort();
            self.note_audit(actor, format!("undo {id}"));
            self.end_release(
                id,
                Outcome::Undone,
                Some(format!("undone by {actor} while it was built")),
            );
            return Ok(Accepted {
                release: id,
                unchanged: false,
                after,
            });
        }
        let message = format!("undone by {actor}");
        if let Some(rollout) = self
            .saved
            .rollout
            .clone()
            .filter(|rollout| !rollout.outcome.is_final())
        {
            let Some(from) = rollout.from else {
                return Err(refuse(
                    "there is no release before it to return to",
                    "stop it with `wharf down`",
                ));
            };
            self.note_audit(actor, format!("undo {} -> {from}", rollout.release));
            if !self.is_reverting() {
                self.revert_to(from, message);
            }
            return Ok(Accepted {
                release: rollout.release,
                unchanged: false,
                after,
            });
        }
        let serving = self
            .saved
            .serving
            .ok_or_else(|| refuse("nothing has been released yet", "`wharf up` does it"))?;
        let before = self
            .releases
            .range(..serving)
            .rev()
            .find(|(_, r)| r.outcome == Outcome::Complete);
        let Some((before, _)) = before.map(|(id, release)| (*id, release)) else {
            return Err(refuse(
                format!("there is no complete release before {serving}"),
                "`wharf rollout history` lists all",
            ));
        };
        self.note_audit(actor, format!("undo {serving} -> {before}"));
        let began = self.now();
        self.saved.rollout = Some(Rollout {
            release: serving,
            from: Some(before),
            outcome: Outcome::Progressing,
            message: None,
            began,
            ended: None,
        });
        self.revert_to(before, message);
        Ok(Accepted {
            release: serving,
            unchanged: false,
            after,
        })
    }

    /// Sets how many replicas services have, until it is set again.
    pub(crate) fn scale(&mut self, request: ScaleRequest) -> Result<(), ApiError> {
        let target = self
            .target()
            .ok_or_else(|| refuse("nothing has been released yet", "`wharf up` does it"))?;
        for (name, count) in &request.services {
            let Some(service) = target.plan.services.get(name) else {
                let known: Vec<_> = target
                    .plan
                    .services
                    .keys()
                    .map(ToString::to_string)
                    .collect();
                return Err(refuse(
                    format!("there is no service `{name}`"),
                    &format!("there are: {}", known.join(", ")),
                ));
            };
            if service.singleton && *count > 1 {
                return Err(refuse(
                    format!("`{name}` is a singleton: it has one replica at most"),
                    "",
                ));
            }
            if service.schedule.is_some() {
                return Err(refuse(
                    format!("`{name}` runs on a schedule and has no replicas"),
                    "",
                ));
            }
            if *count > REPLICAS_MAX {
                return Err(refuse(
                    format!("{count} replicas of `{name}` are more than {REPLICAS_MAX}"),
                    "",
                ));
            }
        }
        for (name, count) in request.services {
            self.note_audit(&request.actor, format!("scale {name}={count}"));
            self.settled.remove(&name);
            self.saved.scale.insert(name, count);
        }
        Ok(())
    }

    /// Replaces the replicas of services, one by one as in a release.
    pub(crate) fn restart(&mut self, request: RestartRequest) -> Result<Accepted, ApiError> {
        let target = self
            .target()
            .ok_or_else(|| refuse("nothing has been released yet", "`wharf up` does it"))?;
        if let Some(unknown) = request
            .services
            .iter()
            .find(|name| !target.plan.services.contains_key(*name))
        {
            return Err(refuse(
                format!("there is no service `{unknown}`"),
                "`wharf ps` lists them",
            ));
        }
        let (plan, base_dir, id) = (target.plan.clone(), target.base_dir.clone(), target.id);
        let all = || plan.services.keys().cloned().collect();
        let restart = if request.services.is_empty() {
            all()
        } else {
            request.services
        };
        let kept = self.secrets_of(id).map_err(|error| refuse(error, ""))?;
        let request = ReleaseRequest {
            plan,
            base_dir,
            env: kept.env.clone(),
            secrets: kept.secrets.clone(),
            actor: request.actor,
            restart,
            http: None,
            https: None,
        };
        self.request_release(request)
    }

    /// Every release, the newest first.
    pub(crate) fn history(&self) -> Vec<ReleaseSummary> {
        let mut before: Option<&Release> = None;
        let mut history: Vec<ReleaseSummary> = vec![];
        for release in self.releases.values() {
            history.push(ReleaseSummary {
                release: release.id,
                outcome: release.outcome,
                created: release.created,
                actor: release.actor.clone(),
                changed: release.changed_since(before),
                message: release.message.clone(),
                current: self.saved.serving == Some(release.id),
            });
            if release.outcome == Outcome::Complete {
                before = Some(release);
            }
        }
        history.reverse();
        history
    }
}
