//! A release from its request to its end: built, rolled out, judged; reverted, undone or superseded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use wharf_base::ids::{Name, ReleaseId};
use wharf_control::service::{Evidence, Failure, judge};

use crate::api::{
    Accepted, ApiError, EventKind, Outcome, ReleaseRequest, ReleaseSummary, RestartRequest,
    ScaleRequest,
};
use crate::engine::Engine;
use crate::release::{Artifact, Release, Revision, digest, service_digest};
use crate::saved::Rollout;
use crate::secrets::{Secrets, read_env_file};

/// Releases that are kept; older ones that nothing refers to are forgotten.
const RELEASES_KEPT: usize = 50;

/// Log lines that a failure sentence quotes.
const LOG_LINES: usize = 5;

/// The most replicas of one service that can be asked for by hand, as in the file.
const REPLICAS_MAX: u32 = 1_000;

fn refuse(message: impl Into<String>, hint: &str) -> ApiError {
    ApiError {
        message: message.into(),
        hint: (!hint.is_empty()).then(|| hint.to_owned()),
    }
}

impl Engine {
    /// Whether a roll-out is under way.
    pub(crate) fn is_rolling(&self) -> bool {
        self.saved
            .rollout
            .as_ref()
            .is_some_and(|rollout| !rollout.outcome.is_final())
    }

    /// Whether the roll-out under way has failed and the release before it comes back.
    pub(crate) fn is_reverting(&self) -> bool {
        self.saved
            .rollout
            .as_ref()
            .is_some_and(|r| !r.outcome.is_final() && self.saved.target != Some(r.release))
    }

    /// Begins a release: secrets are read and kept, the build starts.
    pub(crate) fn request_release(
        &mut self,
        request: ReleaseRequest,
    ) -> Result<Accepted, ApiError> {
        if self.shutdown.is_some() {
            return Err(refuse(
                "the project is being stopped",
                "wait for `wharf down` to end, then try again",
            ));
        }
        if let Some(project) = &self.saved.project
            && *project != request.plan.name
            && self.saved.serving.is_some()
        {
            let message = format!(
                "this engine runs the project `{project}`, not `{}`",
                request.plan.name
            );
            return Err(refuse(
                message,
                "stop it with `wharf down` first, or use another state directory",
            ));
        }
        let secrets = read_secrets(&request).map_err(|error| crate::engine::api_error(&error))?;
        self.saved.project = Some(request.plan.name.clone());
        self.saved.last_release += 1;
        let id = ReleaseId(self.saved.last_release);
        let release = Release {
            id,
            plan: request.plan,
            base_dir: request.base_dir,
            created: self.now(),
            actor: request.actor,
            restart: request.restart,
            outcome: Outcome::Building,
            message: None,
            revisions: BTreeMap::new(),
        };
        secrets.save(&self.state, id).map_err(|error| {
            refuse(
                format!("cannot keep the secrets of {id}: {error}"),
                "is the disk full?",
            )
        })?;
        self.secrets.insert(id, Arc::new(secrets));
        self.request_listeners(&release.plan, request.http, request.https)?;
        let after = self.journal.last();
        self.note_audit(&release.actor, format!("release {id}"));
        if let Some((superseded, build)) = self.building.take() {
            build.abort();
            self.end_release(
                superseded,
                Outcome::Superseded,
                Some(format!("{id} was asked for")),
            );
        }
        self.tell(
            Some(id),
            EventKind::Rollout {
                outcome: Outcome::Building,
                message: None,
            },
        );
        let build = self.start_build(&release);
        self.building = Some((id, build));
        self.releases.insert(id, release);
        self.changed_releases.insert(id);
        Ok(Accepted {
            release: id,
            unchanged: false,
            after,
        })
    }

    /// Builds anew what a killed engine was building.
    pub(crate) fn resume_build(&mut self) {
        let unfinished = self
            .releases
            .values()
            .filter(|release| release.outcome == Outcome::Building);
        let mut unfinished: Vec<ReleaseId> = unfinished.map(|release| release.id).collect();
        let Some(newest) = unfinished.pop() else {
            return;
        };
        for id in unfinished {
            self.end_release(
                id,
                Outcome::Superseded,
                Some(format!("{newest} was asked for")),
            );
        }
        let Some(release) = self.releases.get(&newest) else {
            return;
        };
        let build = self.start_build(release);
        self.building = Some((newest, build));
    }

    /// A build has ended.
    pub(crate) fn built(
        &mut self,
        id: ReleaseId,
        result: Result<BTreeMap<Name, Option<Artifact>>, String>,
    ) {
        let Some((_, _)) = self.building.take_if(|(building, _)| *building == id) else {
            return;
        };
        match result {
            Ok(artifacts) => self.begin_rollout(id, artifacts),
            Err(message) => {
                let (outcome, message) = match self.saved.serving {
                    Some(serving) => (Outcome::Reverted, format!("{message}; {serving} serves on")),
                    None => (Outcome::Failed, message),
                };
                self.end_release(id, outcome, Some(message));
            }
        }
    }

    fn begin_rollout(&mut self, id: ReleaseId, artifacts: BTreeMap<Name, Option<Artifact>>) {
        let Some(mut release) = self.releases.get(&id).cloned() else {
            return;
        };
        let secrets = self.secrets_of(id).unwrap_or_default();
        let base = self
            .target()
            .filter(|base| base.outcome == Outcome::Complete)
            .cloned();
        for (name, artifact) in artifacts {
            let Some(service) = release.plan.services.get(&name) else {
                continue;
            };
            let digest = service_digest(
                service,
                artifact.as_ref(),
                &secret_values(&secrets, &name, service),
            );
            let before = base.as_ref().and_then(|base| base.revisions.get(&name));
            let inherited =
                before.filter(|before| before.digest == digest && !release.restart.contains(&name));
            let revision = inherited.map_or(id, |before| before.release);
            // The artifact of the first release with this content: replicas run from it.
            let artifact = inherited.map_or(artifact, |before| before.artifact.clone());
            release.revisions.insert(
                name,
                Revision {
                    release: revision,
                    digest,
                    artifact,
                },
            );
        }
        let nothing_changed = base.as_ref().is_some_and(|base| {
            release.changed_since(Some(base)).is_empty() && base.plan == release.plan
        });
        if let (true, Some(base)) = (nothing_changed && !self.is_rolling(), base) {
            self.releases.remove(&id);
            self.changed_releases.remove(&id);
            self.effect(move |engine| drop(engine.forget_releases(vec![id])));
            // It may be that nothing of it runs yet: whoever asked waits until all does.
            self.unchanged = Some(id);
            self.roll_out(base.id, None);
            return;
        }
        release.outcome = Outcome::Progressing;
        self.releases.insert(id, release);
        self.changed_releases.insert(id);
        if let Some(rollout) = self
            .saved
            .rollout
            .clone()
            .filter(|rollout| !rollout.outcome.is_final())
        {
            self.end_release(
                rollout.release,
                Outcome::Superseded,
                Some(format!("{id} took over")),
            );
        }
        self.roll_out(id, self.saved.serving);
        self.forget_old_releases();
    }

    /// Makes `id` the target.
    fn roll_out(&mut self, id: ReleaseId, from: Option<ReleaseId>) {
        let began = self.now();
        let outcome = Outcome::Progressing;
        self.saved.rollout = Some(Rollout {
            release: id,
            from,
            outcome,
            message: None,
            began,
            ended: None,
        });
        self.saved.target = Some(id);
        self.settled.clear();
        // What earlier releases did to a replica is no evidence against this one.
        self.live.values_mut().for_each(|live| live.flaps = 0);
        self.tell(
            Some(id),
            EventKind::Rollout {
                outcome,
                message: None,
            },
        );
    }

    /// Ends, judges or completes the roll-out under way.
    pub(crate) fn reconcile_rollout(&mut self) {
        let Some(rollout) = self
            .saved
            .rollout
            .clone()
            .filter(|rollout| !rollout.outcome.is_final())
        else {
            return;
        };
        let Some(target) = self.target().cloned() else {
            return;
        };
        let all_settled = target
            .plan
            .services
            .keys()
            .all(|name| self.settled.contains(name))
            && target.plan.stores.keys().all(|name| {
                self.live_stores
                    .get(name)
                    .is_some_and(crate::stores::LiveStore::is_ready)
            });
        if self.is_reverting() {
            let deadline = rollout
                .began
                .after(longest_deadline(&target).saturating_mul(2));
            if all_settled && self.ingress.is_current() || self.due(deadline) {
                let outcome = if rollout
                    .message
                    .as_deref()
                    .is_some_and(|m| m.starts_with("undone"))
                {
                    Outcome::Undone
                } else {
                    Outcome::Reverted
                };
                self.finish_rollout(outcome, rollout.message);
            }
            return;
        }
        if all_settled {
            self.saved.serving = Some(target.id);
            self.publish_routes();
            if self.ingress.is_current() {
                self.finish_rollout(Outcome::Complete, None);
            }
            return;
        }
        for (name, service) in &target.plan.services {
            let Some(revision) = target
                .revisions
                .get(name)
                .filter(|_| !self.settled.contains(name))
            else {
                continue;
            };
            let deadline = service.rollout.progress_deadline;
            let evidence = self.evidence(name, revision.release);
            let now = self.now();
            if let Some(failure) = judge(evidence, rollout.began, deadline, now) {
                return self.fail_with_evidence(name, failure, deadline);
            }
            self.wake_at(rollout.began.after(deadline));
        }
    }

    fn evidence(&self, service: &Name, release: ReleaseId) -> Evidence {
        let new = self
            .saved
            .replicas
            .iter()
            .filter(|(_, r)| r.service == *service && r.release == release);
        new.filter_map(|(id, _)| self.live.get(id))
            .fold(Evidence::default(), |sum, live| Evidence {
                failures: sum.failures.max(live.backoff.failures()),
                crash_loop: sum.crash_loop || live.backoff.crash_loop(),
                flaps: sum.flaps.max(live.flaps),
            })
    }

    /// The sentence that says which check failed, what was seen, and the last log lines.
    fn fail_with_evidence(&mut self, service: &Name, failure: Failure, deadline: Duration) {
        let release = self
            .target()
            .and_then(|target| Some(target.revisions.get(service)?.release));
        let worst = self
            .saved
            .replicas
            .iter()
            .filter(|(_, replica)| replica.service == *service && Some(replica.release) == release)
            .filter_map(|(id, _)| Some((id.clone(), self.live.get(id)?)))
            .filter(|(_, live)| live.reason.is_some() || live.flaps > 0)
            .max_by_key(|(_, live)| (live.backoff.failures(), live.flaps));
        let reason = worst.as_ref().and_then(|(_, live)| live.reason.clone());
        let limit = wharf_base::duration::format(deadline);
        let blocked = self.blocked.get(service).cloned();
        let seen = match (failure, reason, blocked) {
            (Failure::CrashLoop, Some(reason), _) => {
                format!("it {reason}, again and again (crash loop)")
            }
            (Failure::CrashLoop, None, _) => "it ended again and again (crash loop)".to_owned(),
            (Failure::Flapping, reason, _) => {
                let why = reason
                    .map(|reason| format!("; last seen: {reason}"))
                    .unwrap_or_default();
                format!("it was ready and unready by turns (flapping){why}")
            }
            (Failure::Deadline, _, Some(blocked)) => format!("it waited {limit} for {blocked}"),
            (Failure::Deadline, Some(reason), None) => {
                format!("it was not ready within {limit}: {reason}")
            }
            (Failure::Deadline, None, None) => format!("it was not ready within {limit}"),
        };
        let id = worst.map(|(id, _)| id.to_string());
        let log = id.map(|id| self.log_tail(service, &id)).unwrap_or_default();
        self.fail_rollout_of(service, format!("{seen}{log}"));
    }

    /// As [`Engine::fail_rollout_of`], with the last log lines of the process `id`.
    pub(crate) fn fail_rollout_with_log(&mut self, service: &Name, message: String, id: &str) {
        let log = self.log_tail(service, id);
        self.fail_rollout_of(service, format!("{message}{log}"));
    }

    fn log_tail(&self, service: &Name, id: &str) -> String {
        let lines = crate::logs::tail_of(&self.state, service, id, LOG_LINES);
        if lines.is_empty() {
            String::new()
        } else {
            format!("; its last log lines: {}", lines.join(" | "))
        }
    }

    /// The roll-out under way has failed because of `service`: the release before it comes back.
    pub(crate) fn fail_rollout_of(&mut self, service: &Name, message: String) {
        let Some(rollout) = self
            .saved
            .rollout
            .clone()
            .filter(|rollout| !rollout.outcome.is_final())
        else {
            return;
        };
        if self.is_reverting() {
            return;
        }
        let message = format!("`{service}` failed: {message}");
        match rollout.from {
            Some(from) if from != rollout.release => self.revert_to(from, message),
            _ => self.finish_rollout(Outcome::Failed, Some(message)),
        }
    }

    /// The target is the release before again; the new one's replicas go, the kept ones come back.
    fn revert_to(&mut self, from: ReleaseId, message: String) {
        if let Some(rollout) = &mut self.saved.rollout {
            rollout.message = Some(message);
        }
        // Its routes may have been swapped in already, in the last moment before the failure.
        self.saved.serving = Some(from);
        self.saved.target = Some(from);
        self.settled.clear();
    }

    fn finish_rollout(&mut self, outcome: Outcome, message: Option<String>) {
        let now = self.now();
        let Some(rollout) = &mut self.saved.rollout else {
            return;
        };
        (rollout.outcome, rollout.ended) = (outcome, Some(now));
        let unchanged = self.unchanged.take();
        let message = match (outcome, rollout.from, message) {
            (Outcome::Reverted | Outcome::Undone, Some(from), Some(message)) => {
                Some(format!("{message}; {from} serves"))
            }
            (_, _, message) => message,
        };
        rollout.message.clone_from(&message);
        let id = rollout.release;
        self.end_release(id, outcome, message.clone());
        if let Some(asked) = unchanged {
            let same =
                (outcome == Outcome::Complete).then(|| format!("nothing has changed since {id}"));
            self.tell(
                Some(asked),
                EventKind::Rollout {
                    outcome,
                    message: same.or(message),
                },
            );
        }
    }

    /// Notes how a release fared.
    fn end_release(&mut self, id: ReleaseId, outcome: Outcome, message: Option<String>) {
        if let Some(release) = self.releases.get_mut(&id) {
            release.outcome = outcome;
            release.message.clone_from(&message);
            self.changed_releases.insert(id);
        }
        self.tell(Some(id), EventKind::Rollout { outcome, message });
    }

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
        let env = self
            .secrets_of(id)
            .map_err(|error| refuse(error, ""))?
            .env
            .clone();
        let request = ReleaseRequest {
            plan,
            base_dir,
            env,
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

    fn forget_old_releases(&mut self) {
        let mut needed: Vec<ReleaseId> = self
            .saved
            .replicas
            .values()
            .map(|replica| replica.release)
            .collect();
        needed.extend(self.saved.jobs.values().map(|job| job.release));
        needed.extend(self.saved.target.into_iter().chain(self.saved.serving));
        let newest: Vec<ReleaseId> = self
            .releases
            .keys()
            .rev()
            .take(RELEASES_KEPT)
            .copied()
            .collect();
        let kept = newest.iter().filter_map(|id| self.releases.get(id));
        needed.extend(
            kept.flat_map(|release| release.revisions.values().map(|revision| revision.release)),
        );
        needed.extend(newest);
        let old: Vec<ReleaseId> = self
            .releases
            .keys()
            .filter(|id| !needed.contains(id))
            .copied()
            .collect();
        if old.is_empty() {
            return;
        }
        self.saved
            .one_shots_done
            .retain(|(_, release)| !old.contains(release));
        self.saved
            .completed
            .retain(|(_, release)| !old.contains(release));
        self.effect(move |engine| {
            // They are forgotten with the next release instead.
            drop(engine.forget_releases(old));
            engine.prune_artifacts();
        });
    }
}

fn longest_deadline(release: &Release) -> Duration {
    release
        .plan
        .services
        .values()
        .map(|service| service.rollout.progress_deadline)
        .max()
        .unwrap_or_default()
}

/// What of the secrets a service depends on, as a digest.
fn secret_values(secrets: &Secrets, name: &Name, service: &wharf_plan::model::Service) -> String {
    use wharf_plan::template::Reference;
    let mut parts: Vec<&str> = vec![];
    for (key, value) in secrets.files.get(name).into_iter().flatten() {
        parts.extend([key.as_str(), value.as_str()]);
    }
    for reference in service
        .environment
        .values()
        .flat_map(wharf_plan::template::Template::references)
    {
        if let Reference::Env { name, .. } = reference {
            parts.extend([
                name.as_str(),
                secrets.env.get(name).map_or("", String::as_str),
            ]);
        }
    }
    digest(&parts)
}

fn read_secrets(request: &ReleaseRequest) -> Result<Secrets, crate::secrets::EnvFileError> {
    let mut secrets = Secrets {
        env: request.env.clone(),
        files: BTreeMap::new(),
    };
    for (name, service) in &request.plan.services {
        let mut values = BTreeMap::new();
        for file in &service.env_files {
            values.extend(read_env_file(&request.base_dir.join(file))?);
        }
        if !values.is_empty() {
            secrets.files.insert(name.clone(), values);
        }
    }
    Ok(secrets)
}
