//! A release from its request to the beginning of its roll-out: secrets kept, services built, changes found.

use std::collections::BTreeMap;
use std::sync::Arc;

use wharf_base::ids::{Name, ReleaseId};
use wharf_plan::model::{Plan, Service};
use wharf_plan::template::{Reference, Template};

use crate::api::{Accepted, ApiError, EventKind, Outcome, ReleaseRequest};
use crate::engine::{Engine, refuse};
use crate::external;
use crate::release::{Artifact, Release, Revision, digest, service_digest};
use crate::saved::Rollout;
use crate::secret_values::secret_values;
use crate::secrets::{Secrets, read_env_file};
use crate::state_dir::StateDir;

/// Releases that are kept; older ones that nothing refers to are forgotten.
const RELEASES_KEPT: usize = 50;

impl Engine {
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
        let secrets = read_secrets(&request, &self.state)?;
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
        self.saved.stopped = false;
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
                &release.plan,
                service,
                artifact.as_ref(),
                &filled_with(&release.plan, &secrets, &name, service),
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
    pub(crate) fn roll_out(&mut self, id: ReleaseId, from: Option<ReleaseId>) {
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

    pub(crate) fn forget_old_releases(&mut self) {
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

/// What of the secrets a service depends on, and where stores are that Wharf does not run, as a digest.
fn filled_with(plan: &Plan, secrets: &Secrets, name: &Name, service: &Service) -> String {
    let mut parts: Vec<&str> = vec![];
    for (key, value) in secrets.files.get(name).into_iter().flatten() {
        parts.extend([key.as_str(), value.as_str()]);
    }
    for reference in service.environment.values().flat_map(Template::references) {
        let (name, value) = match reference {
            Reference::Env { name, .. } => (name.as_str(), secrets.env.get(name)),
            Reference::Secret(name) => (name.as_str(), secrets.secrets.get(name)),
            Reference::Field { .. } | Reference::Volume(_) | Reference::Wharf(_) => continue,
        };
        parts.extend([name, value.map_or("", String::as_str)]);
    }
    let urls = external::urls(plan, service, secrets);
    for (store, url) in &urls {
        parts.extend([store.as_str(), url.as_deref().unwrap_or_default()]);
    }
    digest(&parts)
}

fn read_secrets(request: &ReleaseRequest, state: &StateDir) -> Result<Secrets, ApiError> {
    let values = secret_values(&request.plan, &request.secrets, &request.base_dir, state);
    let mut secrets = Secrets {
        env: request.env.clone(),
        secrets: values.map_err(|error| crate::engine::api_error(&error))?,
        files: BTreeMap::new(),
    };
    for (name, service) in &request.plan.services {
        let mut values = BTreeMap::new();
        for file in &service.env_files {
            let read = read_env_file(&request.base_dir.join(file));
            values.extend(read.map_err(|error| crate::engine::api_error(&error))?);
        }
        if !values.is_empty() {
            secrets.files.insert(name.clone(), values);
        }
    }
    Ok(secrets)
}
