//! The engine: one loop over one enum of events.
//!
//! Each turn: an event changes the state, [`Engine::reconcile`] decides what follows, the state is committed, and only
//! then the effects (processes started and stopped, configuration for the ingress) are carried out. So a successor of
//! a killed engine knows of every process that there can be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use wharf_base::clock::Timestamp;
use wharf_base::ids::{Name, ReleaseId, ReplicaId};
use wharf_process::{ShimProgram, User};

use crate::api::{self, ApiError, EventKind};
use crate::ingress_link::{IngressLink, IngressReport};
use crate::jobs::LiveJob;
use crate::journal::Journal;
use crate::live::Live;
use crate::pools::LivePool;
use crate::release::{Artifact, Release};
use crate::replica::Observed;
use crate::saved::{Saved, StateError, Store};
use crate::secrets::Secrets;
use crate::shutdown::Shutdown;
use crate::state_dir::StateDir;
use crate::store_process::StoreReport;
use crate::stores::LiveStore;
use crate::telemetry::TelemetryLink;

/// Events that may wait. Whoever sends more waits; the engine handles thousands a second.
const QUEUE: usize = 1_024;

/// From one attempt to save the state to the next, while it cannot be saved.
const SAVE_AGAIN: Duration = Duration::from_secs(1);

/// Everything that happens to the engine.
pub(crate) enum Event {
    /// A client asks for something.
    Command(Command),
    /// A replica's process.
    Replica {
        id: ReplicaId,
        attempt: u32,
        observed: Observed,
    },
    /// A job's process.
    Job { id: String, observed: Observed },
    /// A store's pool.
    Pool {
        name: Name,
        attempt: u32,
        report: StoreReport,
    },
    /// A store's server.
    Store {
        name: Name,
        attempt: u32,
        report: StoreReport,
    },
    /// The ingress.
    Ingress(IngressReport),
    /// A line of a build's output.
    BuildLine {
        release: ReleaseId,
        service: Name,
        line: String,
    },
    /// A service was built.
    ServiceBuilt {
        release: ReleaseId,
        service: Name,
        cached: bool,
        took: Duration,
    },
    /// All services of a release were built, or one could not be.
    Built {
        release: ReleaseId,
        result: Result<BTreeMap<Name, Option<Artifact>>, String>,
    },
}

/// What clients ask for.
pub(crate) enum Command {
    Status(oneshot::Sender<api::Status>),
    Events {
        after: u64,
        reply: oneshot::Sender<Subscription>,
    },
    Releases(oneshot::Sender<Vec<api::ReleaseSummary>>),
    Audit(oneshot::Sender<Result<Vec<api::AuditEntry>, ApiError>>),
    Release(
        Box<api::ReleaseRequest>,
        oneshot::Sender<Result<api::Accepted, ApiError>>,
    ),
    Undo(
        api::UndoRequest,
        oneshot::Sender<Result<api::Accepted, ApiError>>,
    ),
    Scale(api::ScaleRequest, oneshot::Sender<Result<(), ApiError>>),
    Restart(
        api::RestartRequest,
        oneshot::Sender<Result<api::Accepted, ApiError>>,
    ),
    Facts(oneshot::Sender<wharf_exporters::Families>),
    Environment(
        api::EnvironmentRequest,
        oneshot::Sender<Result<api::Environment, ApiError>>,
    ),
    Down(api::DownRequest, oneshot::Sender<()>),
    Exit(oneshot::Sender<()>),
}

/// The events that a client has missed, and those to come.
pub(crate) type Subscription = (
    Vec<api::Event>,
    tokio::sync::broadcast::Receiver<api::Event>,
);

/// Something to be done once the state is committed.
pub(crate) type Effect = Box<dyn FnOnce(&mut Engine)>;

/// The engine of one project.
pub(crate) struct Engine {
    pub(crate) state: StateDir,
    pub(crate) marker: String,
    pub(crate) shim: ShimProgram,
    /// Whom services and stores run as, when the engine is root.
    pub(crate) user: Option<User>,
    pub(crate) saved: Saved,
    database: Store,
    pub(crate) releases: BTreeMap<ReleaseId, Release>,
    pub(crate) secrets: BTreeMap<ReleaseId, Arc<Secrets>>,
    pub(crate) live: BTreeMap<ReplicaId, Live>,
    pub(crate) live_stores: BTreeMap<Name, LiveStore>,
    pub(crate) live_pools: BTreeMap<Name, LivePool>,
    pub(crate) live_jobs: BTreeMap<String, LiveJob>,
    /// When each scheduled service runs next.
    pub(crate) next_runs: BTreeMap<Name, Timestamp>,
    /// Services of the target that have all that is wanted, as of the last turn.
    pub(crate) settled: BTreeSet<Name>,
    /// What keeps a service from starting, as of the last turn.
    pub(crate) blocked: BTreeMap<Name, String>,
    /// The release that is being built, with what stops its build.
    pub(crate) building: Option<(ReleaseId, tokio::task::AbortHandle)>,
    /// The number under which somebody waits for a release that turned out to be the one that serves.
    pub(crate) unchanged: Option<ReleaseId>,
    /// Why the state cannot be saved, while it cannot.
    pub(crate) unsaved: Option<String>,
    pub(crate) ingress: IngressLink,
    pub(crate) telemetry: TelemetryLink,
    pub(crate) journal: Journal,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) effects: Vec<Effect>,
    /// Releases that have changed in this turn.
    pub(crate) changed_releases: BTreeSet<ReleaseId>,
    pub(crate) new_audit: Vec<api::AuditEntry>,
    /// When something becomes due by itself.
    pub(crate) wake: Option<Timestamp>,
    pub(crate) shutdown: Option<Shutdown>,
    pub(crate) exit: bool,
    clock: EngineClock,
}

/// The wall clock at the engine's start plus the time that has passed since: a clock that is set while the engine
/// runs makes no deadline jump.
struct EngineClock {
    wall: Timestamp,
    start: Instant,
}

impl Engine {
    /// An engine with what its predecessor left in `database`.
    pub(crate) fn new(
        state: StateDir,
        marker: String,
        mut database: Store,
        user: Option<User>,
        ingress: impl FnOnce(mpsc::Sender<Event>, &Saved) -> IngressLink,
    ) -> Result<(Self, mpsc::Receiver<Event>), StateError> {
        let saved = database.load()?;
        let releases = database.releases()?;
        let (events, receiver) = mpsc::channel(QUEUE);
        let ingress = ingress(events.clone(), &saved);
        let telemetry = TelemetryLink::start(&state, events.clone());
        let shim = ShimProgram {
            program: "/proc/self/exe".into(),
            arguments: vec!["shim".into()],
        };
        let engine = Self {
            state,
            marker,
            shim,
            user,
            saved,
            database,
            releases,
            secrets: BTreeMap::new(),
            live: BTreeMap::new(),
            live_stores: BTreeMap::new(),
            live_pools: BTreeMap::new(),
            live_jobs: BTreeMap::new(),
            next_runs: BTreeMap::new(),
            settled: BTreeSet::new(),
            blocked: BTreeMap::new(),
            building: None,
            unchanged: None,
            unsaved: None,
            ingress,
            telemetry,
            journal: Journal::new(),
            events,
            effects: vec![],
            changed_releases: BTreeSet::new(),
            new_audit: vec![],
            wake: None,
            shutdown: None,
            exit: false,
            clock: EngineClock {
                wall: wharf_base::clock::now(),
                start: Instant::now(),
            },
        };
        Ok((engine, receiver))
    }

    /// Runs until it is told to exit, or everything is stopped (then true). `served` are the replicas that a running
    /// ingress has: they stay in traffic while this engine gets to know them.
    ///
    pub(crate) async fn run(
        mut self,
        mut events: mpsc::Receiver<Event>,
        served: &BTreeSet<String>,
    ) -> bool {
        self.adopt(served);
        loop {
            self.reconcile();
            self.commit();
            self.publish_telemetry();
            if self.exit {
                self.telemetry.stop();
                return self.shutdown.is_some();
            }
            let due = self.wake.map(|wake| self.instant(wake));
            tokio::select! {
                Some(event) = events.recv() => self.handle(event),
                () = sleep_until(due) => {}
            }
            // What has come meanwhile is one turn with it: one commit, one configuration for the ingress.
            while let Ok(event) = events.try_recv() {
                self.handle(event);
            }
        }
    }

    /// The time, unmoved by a clock that is set.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.wall.after(self.clock.start.elapsed())
    }

    fn instant(&self, at: Timestamp) -> Instant {
        self.clock.start + at.since(self.clock.wall)
    }

    /// Asks for a turn at `at` at the latest.
    pub(crate) fn wake_at(&mut self, at: Timestamp) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    /// Has `effect` carried out once the state is committed.
    pub(crate) fn effect(&mut self, effect: impl FnOnce(&mut Self) + 'static) {
        self.effects.push(Box::new(effect));
    }

    /// Tells whoever watches.
    pub(crate) fn tell(&mut self, release: Option<ReleaseId>, kind: EventKind) {
        self.journal.push(self.now(), release, kind);
    }

    /// Notes who did what.
    pub(crate) fn note_audit(&mut self, actor: &str, action: String) {
        let at = self.now();
        self.new_audit.push(api::AuditEntry {
            at,
            actor: actor.to_owned(),
            action,
        });
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Command(command) => self.command(command),
            Event::Replica {
                id,
                attempt,
                observed,
            } => self.replica_observed(&id, attempt, observed),
            Event::Job { id, observed } => self.job_observed(&id, observed),
            Event::Pool {
                name,
                attempt,
                report,
            } => self.pool_reported(&name, attempt, report),
            Event::Store {
                name,
                attempt,
                report,
            } => self.store_reported(&name, attempt, report),
            Event::Ingress(report) => self.ingress_reported(report),
            Event::BuildLine {
                release,
                service,
                line,
            } => {
                self.tell(
                    Some(release),
                    EventKind::Building {
                        service,
                        line: Some(line),
                    },
                );
            }
            Event::ServiceBuilt {
                release,
                service,
                cached,
                took,
            } => {
                let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                self.tell(
                    Some(release),
                    EventKind::Built {
                        service,
                        cached,
                        millis,
                    },
                );
            }
            Event::Built { release, result } => self.built(release, result),
        }
    }

    fn command(&mut self, command: Command) {
        // A client that is gone before its answer is no concern of the engine's: every send may fail.
        match command {
            Command::Status(reply) => drop(reply.send(self.status())),
            Command::Events { after, reply } => drop(reply.send(self.journal.subscribe(after))),
            Command::Facts(reply) => drop(reply.send(self.facts())),
            Command::Releases(reply) => drop(reply.send(self.history())),
            Command::Audit(reply) => {
                drop(reply.send(self.database.audit().map_err(|error| api_error(&error))));
            }
            Command::Release(request, reply) => drop(reply.send(self.request_release(*request))),
            Command::Undo(request, reply) => drop(reply.send(self.undo(&request.actor))),
            Command::Scale(request, reply) => drop(reply.send(self.scale(request))),
            Command::Restart(request, reply) => drop(reply.send(self.restart(request))),
            Command::Environment(request, reply) => {
                drop(reply.send(self.environment_of(&request.service)))
            }
            Command::Down(request, reply) => {
                self.begin_shutdown(request.now);
                reply.send(()).ok();
            }
            Command::Exit(reply) => {
                self.exit = true;
                reply.send(()).ok();
            }
        }
    }

    /// Saves what has changed, then carries the effects out. While the state cannot be saved (a full disk) no effect is
    /// carried out: what runs goes on, and the next turn tries again.
    fn commit(&mut self) {
        let releases: Vec<&Release> = self
            .changed_releases
            .iter()
            .filter_map(|id| self.releases.get(id))
            .collect();
        match self.database.save(&self.saved, &releases, &self.new_audit) {
            Ok(()) => {
                self.changed_releases.clear();
                self.new_audit.clear();
                self.unsaved = None;
                for effect in std::mem::take(&mut self.effects) {
                    effect(self);
                }
            }
            Err(error) => {
                let message = format!(
                    "nothing is changed for now: {}",
                    crate::replica::chain(&error)
                );
                if self.unsaved.as_ref() != Some(&message) {
                    self.tell(
                        None,
                        EventKind::Notice {
                            message: message.clone(),
                        },
                    );
                }
                self.unsaved = Some(message);
                self.wake_at(self.now().after(SAVE_AGAIN));
            }
        }
    }

    /// Forgets releases that nothing refers to any more, with their secrets.
    pub(crate) fn forget_releases(&mut self, releases: Vec<ReleaseId>) -> Result<(), StateError> {
        self.database.forget(&releases)?;
        for release in releases {
            self.releases.remove(&release);
            self.secrets.remove(&release);
            // Already gone is as good.
            drop(Secrets::remove(&self.state, release));
        }
        Ok(())
    }

    /// The secrets of a release, read once.
    pub(crate) fn secrets_of(&mut self, release: ReleaseId) -> Result<Arc<Secrets>, String> {
        if let Some(secrets) = self.secrets.get(&release) {
            return Ok(Arc::clone(secrets));
        }
        let secrets = Secrets::load(&self.state, release)
            .map_err(|error| format!("cannot read the secrets of {release}: {error}"))?;
        let secrets = Arc::new(secrets);
        self.secrets.insert(release, Arc::clone(&secrets));
        Ok(secrets)
    }

    /// The release that the services are to be of.
    pub(crate) fn target(&self) -> Option<&Release> {
        self.releases.get(&self.saved.target?)
    }

    /// The release whose routes serve.
    pub(crate) fn serving(&self) -> Option<&Release> {
        self.releases.get(&self.saved.serving?)
    }
}

/// A refusal, with what to try unless that is empty.
pub(crate) fn refuse(message: impl Into<String>, hint: &str) -> ApiError {
    ApiError {
        message: message.into(),
        hint: (!hint.is_empty()).then(|| hint.to_owned()),
    }
}

/// An error for a client, with its causes.
pub(crate) fn api_error(error: &dyn std::error::Error) -> ApiError {
    ApiError {
        message: crate::replica::chain(error),
        hint: None,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
