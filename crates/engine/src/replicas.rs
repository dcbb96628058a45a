//! The replicas of all services: started, adopted, stopped, what becomes of them when they end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tokio::sync::mpsc;
use wharf_base::clock::Timestamp;
use wharf_base::ids::{Name, ReleaseId, ReplicaId};
use wharf_control::service::{Replica, Role};
use wharf_plan::model::{Probes, Service};
use wharf_process::{Exit, Launch, LogTarget, Signal, StopScope};

use crate::api::{EventKind, ReplicaState};
use crate::engine::{Engine, Event};
use crate::environment::{Context, EnvironmentError, Prepared, prepare_volumes};
use crate::external;
use crate::live::{Live, Phase};
use crate::ports::{PORTS, free_port, is_free};
use crate::probe::Target;
use crate::replica::{Observed, Order, Start, Watched, supervise};
use crate::saved::{SavedReplica, SavedRole};
use crate::stores::limits_of;

/// A log file is followed by the next at this size; two of them hold some 100,000 lines.
const LOG_MAX_BYTES: u64 = 16 << 20;

/// Log files of one replica that are kept.
const LOG_MAX_FILES: u32 = 4;

impl Engine {
    /// Takes over what a former engine started. Replicas that the ingress has (`served`) count as ready until their
    /// probe says otherwise: to forget them would take them out of traffic.
    pub(crate) fn adopt(&mut self, served: &BTreeSet<String>) {
        for (id, replica) in self.saved.replicas.clone() {
            let mut live = Live::new(self.now());
            if served.contains(id.as_str()) && replica.role == SavedRole::Serving {
                live.phase = Phase::Ready { since: self.now() };
            }
            self.live.insert(id.clone(), live);
            if self.releases.contains_key(&replica.release) {
                let dir = self.state.run_dir(id.as_str(), replica.attempt);
                let probes = self.probes_of(&replica);
                self.supervise(&id, Start::Adopt(dir), probes);
                if replica.role == SavedRole::Stopping {
                    // Whether the former engine still gave the order is not known; twice does no harm.
                    self.stop_replica(&id);
                }
            } else {
                self.forget_replica(&id);
            }
        }
        if let Some(plan) = self
            .serving()
            .or_else(|| self.target())
            .map(|release| release.plan.clone())
            && !self.saved.stopped
            && let Err(error) = self.request_listeners(&plan, None, None)
        {
            self.tell(
                None,
                EventKind::Notice {
                    message: error.message,
                },
            );
        }
        self.adopt_jobs();
        self.adopt_stores();
        self.adopt_pools();
        self.resume_build();
    }

    /// The replicas of a service as the controller sees them.
    pub(crate) fn view(&self, service: &Name) -> Vec<Replica> {
        let of_service = self
            .saved
            .replicas
            .iter()
            .filter(|(_, replica)| replica.service == *service);
        of_service
            .map(|(id, replica)| Replica {
                id: id.clone(),
                release: replica.release,
                role: match replica.role {
                    SavedRole::Serving => Role::Serving,
                    SavedRole::Leaving { keep: true, .. } => Role::Draining,
                    SavedRole::Leaving { keep: false, .. } | SavedRole::Stopping => Role::Stopping,
                    SavedRole::Standby { since } => Role::Standby { since },
                },
                ready_since: self.live.get(id).and_then(Live::ready_since),
            })
            .collect()
    }

    /// Starts one more replica of a service at `release`.
    pub(crate) fn start_replica(&mut self, service: &Name, release: ReleaseId) {
        self.saved.last_replica += 1;
        let id = ReplicaId::new(service, release, self.saved.last_replica);
        let saved = SavedReplica {
            service: service.clone(),
            release,
            role: SavedRole::Serving,
            ports: BTreeMap::new(),
            attempt: 0,
        };
        self.saved.replicas.insert(id.clone(), saved);
        self.live.insert(id.clone(), Live::new(self.now()));
        self.start_attempt(&id);
    }

    /// Starts the process of a replica: its first, or the next after one that ended.
    pub(crate) fn start_attempt(&mut self, id: &ReplicaId) {
        let Some(saved) = self.saved.replicas.get(id).cloned() else {
            return;
        };
        let ports = match self.choose_ports(&saved) {
            Ok(ports) => ports,
            Err(error) => return self.not_started(id, &error.0),
        };
        let now = self.now();
        if let Some(saved) = self.saved.replicas.get_mut(id) {
            saved.attempt += 1;
            saved.ports.clone_from(&ports);
        }
        if let Some(live) = self.live.get_mut(id) {
            (live.phase, live.started, live.pid) = (Phase::Starting, now, None);
        }
        let attempt = saved.attempt + 1;
        match self.launch(
            id,
            &SavedReplica {
                attempt,
                ports,
                ..saved.clone()
            },
        ) {
            Ok(launch) => {
                self.tell_replica(id, ReplicaState::Starting, None);
                let (id, probes) = (id.clone(), self.probes_of(&saved));
                let start = Start::Spawn(Box::new(launch));
                self.effect(move |engine| engine.supervise(&id, start, probes));
            }
            Err(error) => self.not_started(id, &error.0),
        }
    }

    /// Its old ports if they are free, else others.
    fn choose_ports(&self, saved: &SavedReplica) -> Result<BTreeMap<Name, u16>, EnvironmentError> {
        let service = self
            .releases
            .get(&saved.release)
            .and_then(|r| r.plan.services.get(&saved.service));
        let wanted: Vec<&Name> = service
            .map(|s| s.ports.keys().collect())
            .unwrap_or_default();
        let mut taken: Vec<u16> = self
            .saved
            .replicas
            .values()
            .flat_map(|r| r.ports.values().copied())
            .collect();
        let mut ports = BTreeMap::new();
        for name in wanted {
            let port = match saved.ports.get(name).copied().filter(|port| is_free(*port)) {
                Some(port) => port,
                None => free_port(&taken).ok_or_else(|| {
                    EnvironmentError(format!(
                        "no port between {} and {} is free",
                        PORTS.start, PORTS.end
                    ))
                })?,
            };
            taken.push(port);
            ports.insert(name.clone(), port);
        }
        Ok(ports)
    }

    fn launch(&mut self, id: &ReplicaId, saved: &SavedReplica) -> Result<Launch, EnvironmentError> {
        let mut prepared = self.prepare(saved.release, &saved.service, None, &saved.ports)?;
        name_host(&mut prepared.env, id);
        name_collector(&mut prepared.env, self.telemetry.url(), id, saved);
        let release = self
            .releases
            .get(&saved.release)
            .ok_or_else(|| unknown_release(saved.release))?;
        let service = release
            .plan
            .services
            .get(&saved.service)
            .ok_or_else(|| unknown_release(saved.release))?;
        prepare_volumes(
            &self.state,
            &release.base_dir,
            &saved.service,
            service,
            self.user,
        )?;
        let dir = self.state.run_dir(id.as_str(), saved.attempt);
        Ok(self.launch_of(id.as_str(), (&saved.service, service), prepared, &dir))
    }

    /// What a process of `service` is started with.
    pub(crate) fn launch_of(
        &self,
        id: &str,
        (name, service): (&Name, &Service),
        prepared: Prepared,
        dir: &Path,
    ) -> Launch {
        Launch {
            id: id.to_owned(),
            project: self.marker.clone(),
            argv: prepared.argv,
            cwd: prepared.cwd,
            env: prepared.env,
            user: self.user,
            limits: limits_of(&service.resources),
            stop_signal: Signal::TERM,
            stop_scope: StopScope::Group,
            stop_timeout: service.stop_timeout,
            dir: dir.to_owned(),
            log: LogTarget {
                dir: self.state.logs(name),
                name: id.to_owned(),
                max_bytes: LOG_MAX_BYTES,
                max_files: LOG_MAX_FILES,
            },
        }
    }

    /// Command, folder and variables of a process of a service.
    pub(crate) fn prepare(
        &mut self,
        release: ReleaseId,
        service: &Name,
        command: Option<&wharf_plan::model::Command>,
        ports: &BTreeMap<Name, u16>,
    ) -> Result<Prepared, EnvironmentError> {
        let secrets = self.secrets_of(release).map_err(EnvironmentError)?;
        let mut stores = self.store_addresses();
        let services = self.internal_ports();
        let release = self
            .releases
            .get(&release)
            .ok_or_else(|| unknown_release(release))?;
        if let Some(asks) = release.plan.services.get(service) {
            let external = external::addresses(&release.plan, asks, &secrets);
            stores.extend(external.map_err(EnvironmentError)?);
        }
        let context = Context {
            state: &self.state,
            release,
            secrets: &secrets,
            stores: &stores,
            services: &services,
            user: self.user,
            // Only the command of a release is not the service's own.
            pooled: command.is_none(),
        };
        context.prepare(service, command, ports)
    }

    fn probes_of(&self, saved: &SavedReplica) -> Probes {
        let service = self
            .releases
            .get(&saved.release)
            .and_then(|r| r.plan.services.get(&saved.service));
        service
            .map(|service| service.probes.clone())
            .unwrap_or_default()
    }

    fn supervise(&mut self, id: &ReplicaId, start: Start, probes: Probes) {
        let Some(saved) = self.saved.replicas.get(id).cloned() else {
            return;
        };
        let (cwd, env) = match &start {
            Start::Spawn(launch) => (launch.cwd.clone(), launch.env.clone()),
            // Only exec probes need them.
            Start::Adopt(_) => self
                .prepare(saved.release, &saved.service, None, &saved.ports)
                .map(|mut prepared| {
                    name_host(&mut prepared.env, id);
                    (prepared.cwd, prepared.env)
                })
                .unwrap_or_default(),
        };
        let target = Target {
            ports: saved.ports,
            cwd,
            env,
            user: self.user,
        };
        let (orders, receiver) = mpsc::channel(4);
        if let Some(live) = self.live.get_mut(id) {
            live.orders = Some(orders);
        }
        let assume_ready = self.live.get(id).and_then(Live::ready_since).is_some();
        let (events, id, attempt) = (self.events.clone(), id.clone(), saved.attempt);
        let (observations, mut observed) = mpsc::unbounded_channel();
        // The engine's queue is bounded; the task's own observations are few, so they may wait here.
        tokio::task::spawn_local(async move {
            while let Some(observed) = observed.recv().await {
                let event = Event::Replica {
                    id: id.clone(),
                    attempt,
                    observed,
                };
                if events.send(event).await.is_err() {
                    return;
                }
            }
        });
        let report = move |observed| drop(observations.send(observed));
        let watched = Watched {
            probes,
            target,
            assume_ready,
        };
        tokio::task::spawn_local(supervise(
            self.shim.clone(),
            start,
            watched,
            receiver,
            report,
        ));
    }

    pub(crate) fn replica_observed(&mut self, id: &ReplicaId, attempt: u32, observed: Observed) {
        if self
            .saved
            .replicas
            .get(id)
            .is_none_or(|saved| saved.attempt != attempt)
        {
            return;
        }
        let now = self.now();
        let Some(live) = self.live.get_mut(id) else {
            return;
        };
        match observed {
            Observed::Started {
                pid,
                shim_pid,
                cgroups,
            } => {
                (live.pid, live.shim_pid) = (Some(pid), Some(shim_pid));
                live.cgroups = cgroups;
            }
            Observed::Ready => {
                live.phase = Phase::Ready { since: now };
                live.reason = None;
                self.tell_replica(id, ReplicaState::Ready, None);
            }
            Observed::Unready(reason) => {
                if live.ready_since().is_some() {
                    live.flaps += 1;
                    live.phase = Phase::Unready;
                    live.reason = Some(reason.clone());
                    self.tell_replica(id, ReplicaState::Unready, Some(reason));
                } else {
                    live.reason = Some(reason);
                }
            }
            Observed::Failing(reason) => {
                live.phase = Phase::Unready;
                live.reason = Some(reason.clone());
                self.tell_replica(id, ReplicaState::Unready, Some(reason));
            }
            Observed::NotStarted(message) => self.not_started(id, &message),
            Observed::Ended(exit) => self.ended(id, &exit),
        }
    }

    fn ended(&mut self, id: &ReplicaId, exit: &Exit) {
        let Some(saved) = self.saved.replicas.get(id).cloned() else {
            return;
        };
        let job = self
            .releases
            .get(&saved.release)
            .is_some_and(|release| release.is_job(&saved.service));
        if saved.role != SavedRole::Serving {
            return self.forget_replica(id);
        }
        if job && exit.success() {
            self.saved.completed.push((saved.service, saved.release));
            self.tell_replica(id, ReplicaState::Completed, None);
            return self.forget_replica(id);
        }
        let mut message = exit.to_string();
        if let Some(reason) = self.live.get(id).and_then(|live| live.reason.as_ref())
            && exit.asked
        {
            message = format!("{reason}; it {message}");
        }
        self.not_started(id, &message);
    }

    /// A process that ended or could not be started is started again after a while.
    fn not_started(&mut self, id: &ReplicaId, message: &str) {
        let now = self.now();
        if self
            .saved
            .replicas
            .get(id)
            .is_some_and(|saved| saved.role != SavedRole::Serving)
        {
            return self.forget_replica(id);
        }
        let Some(live) = self.live.get_mut(id) else {
            return;
        };
        let delay = live.backoff.ended(now.since(live.started));
        live.phase = Phase::Waiting {
            until: now.after(delay),
        };
        live.reason = Some(message.to_owned());
        live.restarts += 1;
        (live.pid, live.shim_pid, live.orders) = (None, None, None);
        let state = if live.backoff.crash_loop() {
            ReplicaState::CrashLoop
        } else {
            ReplicaState::Restarting
        };
        self.tell_replica(id, state, Some(message.to_owned()));
    }

    /// Starts the processes whose time has come, and stops those that have left.
    pub(crate) fn tend_replicas(&mut self) {
        let now = self.now();
        let waiting: Vec<(ReplicaId, Timestamp)> = self
            .live
            .iter()
            .filter_map(|(id, live)| match live.phase {
                Phase::Waiting { until } => Some((id.clone(), until)),
                _ => None,
            })
            .collect();
        for (id, until) in waiting {
            if self.shutdown.is_some() {
                self.forget_replica(&id);
            } else if until <= now {
                self.start_attempt(&id);
            } else {
                self.wake_at(until);
            }
        }
    }

    /// Takes a replica out of traffic; it finishes its requests and is then kept or stopped.
    pub(crate) fn withdraw_replica(&mut self, id: &ReplicaId, keep: bool) {
        let now = self.now();
        let Some(saved) = self.saved.replicas.get(id) else {
            return;
        };
        let service = self
            .releases
            .get(&saved.release)
            .and_then(|r| r.plan.services.get(&saved.service));
        let drain = service
            .map(|service| service.drain_timeout)
            .unwrap_or_default();
        let in_traffic =
            !saved.ports.is_empty() && self.live.get(id).and_then(Live::ready_since).is_some();
        let role = match saved.role {
            SavedRole::Serving if in_traffic => SavedRole::Leaving {
                deadline: now.after(drain),
                keep,
            },
            SavedRole::Leaving { deadline, .. } => SavedRole::Leaving { deadline, keep },
            SavedRole::Stopping => return,
            SavedRole::Serving | SavedRole::Standby { .. } => return self.stop_replica(id),
        };
        self.set_role(id, role);
        self.tell_replica(id, ReplicaState::Draining, None);
    }

    /// A replica that was withdrawn has nothing under way any more, or its time is over.
    pub(crate) fn drained(&mut self, id: &ReplicaId) {
        let now = self.now();
        match self.saved.replicas.get(id).map(|saved| saved.role) {
            Some(SavedRole::Leaving { keep: true, .. }) => {
                self.set_role(id, SavedRole::Standby { since: now })
            }
            Some(SavedRole::Leaving { keep: false, .. }) => self.stop_replica(id),
            _ => {}
        }
    }

    /// Stops a replica's process in order.
    pub(crate) fn stop_replica(&mut self, id: &ReplicaId) {
        self.set_role(id, SavedRole::Stopping);
        let Some(live) = self.live.get(id) else {
            return;
        };
        if matches!(live.phase, Phase::Waiting { .. }) {
            return self.forget_replica(id);
        }
        self.tell_replica(id, ReplicaState::Stopping, None);
        let id = id.clone();
        self.effect(move |engine| {
            if let Some(live) = engine.live.get(&id) {
                live.order(Order::Stop);
            }
        });
    }

    /// Kills a replica's process at once.
    pub(crate) fn kill_replica(&mut self, id: &ReplicaId) {
        self.set_role(id, SavedRole::Stopping);
        if let Some(live) = self.live.get(id) {
            live.order(Order::Kill);
        }
    }

    pub(crate) fn set_role(&mut self, id: &ReplicaId, role: SavedRole) {
        if let Some(saved) = self.saved.replicas.get_mut(id) {
            saved.role = role;
        }
    }

    fn forget_replica(&mut self, id: &ReplicaId) {
        self.saved.replicas.remove(id);
        self.live.remove(id);
        let dir = self.state.root().join("run").join(id.as_str());
        // Left-over run directories hold no secrets and are removed with the state directory.
        self.effect(move |_| drop(std::fs::remove_dir_all(dir)));
    }

    fn tell_replica(&mut self, id: &ReplicaId, state: ReplicaState, message: Option<String>) {
        let Some(saved) = self.saved.replicas.get(id) else {
            return;
        };
        let (service, release) = (saved.service.clone(), saved.release);
        self.tell(
            Some(release),
            EventKind::Replica {
                service,
                replica: id.clone(),
                state,
                message,
            },
        );
    }
}

fn unknown_release(release: ReleaseId) -> EnvironmentError {
    EnvironmentError(format!(
        "the release {release} is not in the state any more"
    ))
}

/// As in a container, each replica has a host name of its own, by which Celery and others tell their workers apart.
fn name_host(env: &mut BTreeMap<String, String>, id: &ReplicaId) {
    env.entry("HOSTNAME".to_owned())
        .or_insert_with(|| id.to_string());
}

/// Where a program that speaks OpenTelemetry sends its spans, metrics and logs, and as whom; what the file says wins. These
/// are the variables that its SDKs read.
fn name_collector(
    env: &mut BTreeMap<String, String>,
    url: Option<String>,
    id: &ReplicaId,
    saved: &SavedReplica,
) {
    let Some(url) = url else { return };
    let resource = format!("service.instance.id={id},service.version={}", saved.release);
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf".to_owned()),
        ("OTEL_SERVICE_NAME", saved.service.to_string()),
        ("OTEL_RESOURCE_ATTRIBUTES", resource),
    ] {
        env.entry(name.to_owned()).or_insert(value);
    }
}
