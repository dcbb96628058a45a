//! The state of the project, as clients see it.

use wharf_base::ids::{Name, ReplicaId};
use wharf_control::restart::CRASH_LOOP_FAILURES;

use crate::api::{
    ApiError, Environment, PoolStatus, ProcessStatus, ProjectState, ReplicaState, ReplicaStatus,
    RolloutStatus, ServiceStatus, Status, StoreStatus,
};
use crate::engine::Engine;
use crate::live::{Live, Phase};
use crate::saved::{SavedReplica, SavedRole};

impl Engine {
    /// The state of the whole project.
    pub(crate) fn status(&self) -> Status {
        let mut names: Vec<Name> = self
            .target()
            .map(|t| t.plan.services.keys().cloned().collect())
            .unwrap_or_default();
        names.extend(
            self.saved
                .replicas
                .values()
                .map(|replica| replica.service.clone()),
        );
        names.sort();
        names.dedup();
        let urls = self.urls();
        let unnamed = || "empty".parse().expect("a constant name");
        Status {
            project: self.saved.project.clone().unwrap_or_else(unnamed),
            state: self.project_state(),
            url: urls.first().cloned(),
            urls,
            telemetry_url: None,
            release: self.saved.serving,
            rollout: self.rollout_status(),
            services: names.iter().map(|name| self.service_status(name)).collect(),
            stores: self.store_statuses(),
            processes: self.processes(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    fn project_state(&self) -> ProjectState {
        if self.shutdown.is_some() {
            return ProjectState::Stopping;
        }
        if self.building.is_some() || self.is_rolling() {
            return ProjectState::Releasing;
        }
        let Some(target) = self.target() else {
            return ProjectState::Empty;
        };
        let services = target
            .plan
            .services
            .keys()
            .all(|name| self.settled.contains(name));
        let stores = self
            .live_stores
            .keys()
            .all(|name| self.store_is_ready(name));
        if services && stores && self.ingress.is_current() && self.ingress.trouble().is_none() {
            ProjectState::Ready
        } else {
            ProjectState::Unhealthy
        }
    }

    fn rollout_status(&self) -> Option<RolloutStatus> {
        let rollout = self.saved.rollout.as_ref()?;
        let blocked = || {
            let (service, reason) = self.blocked.iter().next()?;
            Some(format!("`{service}` waits for {reason}"))
        };
        Some(RolloutStatus {
            release: rollout.release,
            from: rollout.from,
            outcome: rollout.outcome,
            message: rollout
                .message
                .clone()
                .or_else(|| self.is_rolling().then(blocked).flatten()),
            began: rollout.began,
            ended: rollout.ended,
        })
    }

    fn service_status(&self, name: &Name) -> ServiceStatus {
        let planned = self.target().and_then(|target| target.service(name));
        let release = planned.map(|(_, revision)| revision.release);
        let desired = planned.map_or(0, |(service, revision)| {
            self.desired(name, service, revision.release)
        });
        let of_service = self
            .saved
            .replicas
            .iter()
            .filter(|(_, replica)| replica.service == *name);
        let (serving, leaving): (Vec<_>, Vec<_>) =
            of_service.partition(|(_, replica)| replica.role == SavedRole::Serving);
        let primary = planned.and_then(|(service, _)| service.primary_port.clone());
        let status = |(id, saved): (&ReplicaId, &SavedReplica)| {
            self.replica_status(id, saved, primary.as_ref())
        };
        let replicas: Vec<ReplicaStatus> = serving.into_iter().map(status).collect();
        let ready = replicas
            .iter()
            .filter(|replica| replica.state == ReplicaState::Ready)
            .count();
        let reason = replicas
            .iter()
            .filter(|replica| replica.state != ReplicaState::Ready)
            .find_map(|replica| self.live.get(&replica.id)?.reason.clone());
        let blocked = self
            .blocked
            .get(name)
            .map(|reason| format!("waits for {reason}"));
        ServiceStatus {
            name: name.clone(),
            desired,
            ready: u32::try_from(ready).unwrap_or(u32::MAX),
            release,
            replicas,
            leaving: leaving.into_iter().map(status).collect(),
            message: reason.or(blocked),
            next_run: self.next_runs.get(name).copied(),
        }
    }

    fn replica_status(
        &self,
        id: &ReplicaId,
        saved: &SavedReplica,
        primary: Option<&Name>,
    ) -> ReplicaStatus {
        let live = self.live.get(id);
        let port = primary
            .and_then(|primary| saved.ports.get(primary))
            .or_else(|| saved.ports.values().next());
        ReplicaStatus {
            id: id.clone(),
            state: state_of(saved, live),
            pid: live.and_then(|live| live.pid),
            port: port.copied(),
            release: saved.release,
            restarts: live.map_or(0, |live| live.restarts),
        }
    }

    fn store_statuses(&self) -> Vec<StoreStatus> {
        let status = |(name, live): (&Name, &crate::stores::LiveStore)| StoreStatus {
            name: name.clone(),
            engine: live.engine.as_str().to_owned(),
            state: live.process.phase.as_str().to_owned(),
            pid: live.process.pid,
            port: live
                .address
                .as_ref()
                .map(|address| address.credentials.port),
            message: live.process.message.clone(),
            pool: self.pool_status(name),
            queues: live.queues.clone(),
        };
        self.live_stores.iter().map(status).collect()
    }

    fn pool_status(&self, name: &Name) -> Option<PoolStatus> {
        let live = self.live_pools.get(name)?;
        Some(PoolStatus {
            state: live.process.phase.as_str().to_owned(),
            pid: live.process.pid,
            port: self.pool_port(name),
            size: live.pool.map(|pool| pool.size),
            clients: live.pool.map(|pool| pool.clients),
            message: live.process.message.clone(),
        })
    }

    fn processes(&self) -> Vec<ProcessStatus> {
        let process = |role: &str, pid: u32| ProcessStatus {
            role: role.to_owned(),
            pid,
        };
        let shims = self.live.values().filter_map(|live| live.shim_pid);
        let stores = self.live_stores.values().map(|store| &store.process);
        let pools = self.live_pools.values().map(|pool| &pool.process);
        let shims = shims.chain(stores.chain(pools).filter_map(|process| process.shim_pid));
        let shims = shims.chain(self.live_jobs.values().filter_map(|job| job.shim_pid));
        let mut processes = vec![process("engine", std::process::id())];
        processes.extend(self.ingress.pid.map(|pid| process("ingress", pid)));
        processes.extend(shims.map(|pid| process("shim", pid)));
        processes
    }

    /// What a replica of a service is started with, for `exec` and `run`.
    pub(crate) fn environment_of(&mut self, name: &Name) -> Result<Environment, ApiError> {
        let hint = Some("`wharf ps` lists the services".to_owned());
        let release = self
            .target()
            .and_then(|target| Some(target.service(name)?.1.release));
        let release = release.ok_or_else(|| ApiError {
            message: format!("there is no service `{name}`"),
            hint,
        })?;
        let running = self
            .saved
            .replicas
            .values()
            .find(|r| r.service == *name && r.release == release);
        let ports = running
            .map(|replica| replica.ports.clone())
            .unwrap_or_default();
        let prepared = self
            .prepare(release, name, None, &ports)
            .map_err(|error| ApiError {
                message: error.to_string(),
                hint: None,
            })?;
        Ok(Environment {
            argv: prepared.argv,
            cwd: prepared.cwd,
            env: prepared.env,
            user: self.user.map(|user| (user.uid, user.gid)),
        })
    }
}

fn state_of(saved: &SavedReplica, live: Option<&Live>) -> ReplicaState {
    match saved.role {
        SavedRole::Leaving { .. } => ReplicaState::Draining,
        SavedRole::Standby { .. } => ReplicaState::Standby,
        SavedRole::Stopping => ReplicaState::Stopping,
        SavedRole::Serving => match live.map(|live| (live.phase, live.backoff.failures())) {
            Some((Phase::Ready { .. }, _)) => ReplicaState::Ready,
            Some((Phase::Unready, _)) => ReplicaState::Unready,
            Some((Phase::Waiting { .. }, failures)) if failures >= CRASH_LOOP_FAILURES => {
                ReplicaState::CrashLoop
            }
            Some((Phase::Waiting { .. }, _)) => ReplicaState::Restarting,
            Some((Phase::Starting, _)) | None => ReplicaState::Starting,
        },
    }
}
