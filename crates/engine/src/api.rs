//! What the engine and its clients say to each other: JSON over HTTP/1.1 on the unix socket `engine.sock`.
//!
//! `GET /v1/status` -> [`Status`], `GET /v1/events?after=N` -> [`Event`]s, one a line, as they come;
//! `GET /v1/releases` -> [`ReleaseSummary`]s, `GET /v1/audit` -> [`AuditEntry`]s;
//! `POST /v1/releases` [`ReleaseRequest`] -> [`Accepted`], `POST /v1/undo` -> [`Accepted`],
//! `POST /v1/scale` [`ScaleRequest`] -> `{}`, `POST /v1/restart` [`RestartRequest`] -> [`Accepted`],
//! `POST /v1/environment` [`EnvironmentRequest`] -> [`Environment`], `POST /v1/down` [`DownRequest`] -> `{}`,
//! `POST /v1/exit` -> `{}`. Every error is a status of 4xx or 5xx with an [`ApiError`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wharf_base::clock::Timestamp;
use wharf_base::ids::{Name, ReleaseId, ReplicaId};
use wharf_plan::model::Plan;

/// The state of the whole project; what `wharf ps --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The project's name.
    pub project: Name,
    /// Where it stands.
    pub state: ProjectState,
    /// The address of the ingress, `http://127.0.0.1:8080`.
    pub url: Option<String>,
    /// Every address under which a route answers, the first being `url`.
    pub urls: Vec<String>,
    /// Where the project's telemetry answers as Prometheus, Loki, Tempo and an OTLP receiver do.
    #[serde(default)]
    pub telemetry_url: Option<String>,
    /// How the telemetry fares.
    #[serde(default)]
    pub telemetry: TelemetryStatus,
    /// The release that serves.
    pub release: Option<ReleaseId>,
    /// The roll-out under way, or the last one.
    pub rollout: Option<RolloutStatus>,
    /// The services by name.
    pub services: Vec<ServiceStatus>,
    /// The stores by name.
    pub stores: Vec<StoreStatus>,
    /// Wharf's own processes.
    pub processes: Vec<ProcessStatus>,
    /// The version of the engine's binary.
    pub version: String,
}

/// How the telemetry fares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelemetryStatus {
    /// `opening`, `ready`, `failed`, `stopped` or `off`.
    pub status: String,
    /// What is wrong now, by the part that says so, one sentence each.
    pub troubles: BTreeMap<String, String>,
    /// What was found broken when it was opened, and set aside or skipped.
    pub recovered: Vec<String>,
}

/// Where a project stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProjectState {
    /// Nothing has been released yet.
    Empty,
    /// A release is being built or rolled out.
    Releasing,
    /// Everything wanted is ready.
    Ready,
    /// Something wanted is not ready.
    Unhealthy,
    /// It is being stopped.
    Stopping,
}

/// A roll-out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutStatus {
    /// What is rolled out.
    pub release: ReleaseId,
    /// What served before.
    pub from: Option<ReleaseId>,
    /// How it stands.
    pub outcome: Outcome,
    /// Why it failed or what it waits for, in one sentence.
    pub message: Option<String>,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// How a release fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is being built.
    Building,
    /// It is being rolled out.
    Progressing,
    /// It serves, or served until a later one took over.
    Complete,
    /// It failed; the release before it serves again.
    Reverted,
    /// It failed, and there was none before it to return to.
    Failed,
    /// A later release took over before it was done.
    Superseded,
    /// It was taken back by hand.
    Undone,
}

impl Outcome {
    /// Whether nothing more will happen to it by itself.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Building | Self::Progressing)
    }

    /// The word that people read.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Progressing => "progressing",
            Self::Complete => "complete",
            Self::Reverted => "reverted",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::Undone => "undone",
        }
    }
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Its name.
    pub name: Name,
    /// How many replicas are to serve.
    pub desired: u32,
    /// How many are ready.
    pub ready: u32,
    /// The release that its replicas are to be of: the last one in which the service changed.
    pub release: Option<ReleaseId>,
    /// Those that serve or start.
    pub replicas: Vec<ReplicaStatus>,
    /// Those that finish their requests, are kept for an undo, or stop.
    pub leaving: Vec<ReplicaStatus>,
    /// What keeps it from being ready, in one sentence.
    pub message: Option<String>,
    /// When a scheduled service runs next.
    pub next_run: Option<Timestamp>,
}

/// One replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// Its id.
    pub id: ReplicaId,
    /// What it does.
    pub state: ReplicaState,
    /// Its main process; none while it is between two starts.
    pub pid: Option<u32>,
    /// Its primary port.
    pub port: Option<u16>,
    /// What it runs.
    pub release: ReleaseId,
    /// How often it was started again.
    pub restarts: u32,
}

/// What a replica does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaState {
    /// It runs and is not ready yet.
    Starting,
    /// It passes its readiness probe.
    Ready,
    /// It was ready and is not now.
    Unready,
    /// It ended and is about to be started again.
    Restarting,
    /// It ended again and again; it is started again at long intervals.
    CrashLoop,
    /// It ran and ended with exit status 0, as it was to.
    Completed,
    /// It finishes its requests.
    Draining,
    /// It is kept, without traffic, for an undo.
    Standby,
    /// It is being stopped.
    Stopping,
}

impl ReplicaState {
    /// The word that people read.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Unready => "unready",
            Self::Restarting => "restarting",
            Self::CrashLoop => "crash loop",
            Self::Completed => "completed",
            Self::Draining => "draining",
            Self::Standby => "standby",
            Self::Stopping => "stopping",
        }
    }
}

/// One store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreStatus {
    /// Its name.
    pub name: Name,
    /// `postgres` or `redis`.
    pub engine: String,
    /// `starting`, `ready`, `failed`, `stopping` or `external`.
    pub state: String,
    /// Its server's main process.
    pub pid: Option<u32>,
    /// Where it listens on the loopback address.
    pub port: Option<u16>,
    /// Why it is not ready, or a warning about it.
    pub message: Option<String>,
    /// The pool of connections before it.
    #[serde(default)]
    pub pool: Option<PoolStatus>,
    /// How long the lists are that `scale.metrics` names as queues, by name; empty while it does not answer.
    #[serde(default)]
    pub queues: BTreeMap<String, u64>,
}

/// The pool of connections before a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolStatus {
    /// `starting`, `ready`, `failed` or `stopping`.
    pub state: String,
    /// PgBouncer's process.
    pub pid: Option<u32>,
    /// Where it listens on the loopback address.
    pub port: Option<u16>,
    /// Connections to the server at most.
    pub size: Option<u32>,
    /// Connections of clients at most.
    pub clients: Option<u32>,
    /// Why it is not ready, or a warning about it.
    pub message: Option<String>,
}

/// One of Wharf's own processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// `engine`, `ingress` or `shim`.
    pub role: String,
    /// The process.
    pub pid: u32,
}

/// Asks for a release.
#[derive(Clone, Serialize, Deserialize)]
pub struct ReleaseRequest {
    /// What is to run.
    pub plan: Plan,
    /// The folder of `wharf.yaml`, absolute.
    pub base_dir: PathBuf,
    /// The values of the plan's `${env.…}` references; secret.
    pub env: BTreeMap<String, String>,
    /// The values of its `${secret.…}` references that whoever asks knows.
    #[serde(default)]
    pub secrets: BTreeMap<Name, String>,
    /// Who asks.
    pub actor: String,
    /// Services whose replicas are replaced even if nothing of theirs changed.
    pub restart: Vec<Name>,
    /// Where the ingress listens; none: as before, at first `127.0.0.1:8080` or the next free port.
    pub http: Option<SocketAddr>,
    /// The same for TLS, `127.0.0.1:8443`.
    pub https: Option<SocketAddr>,
}

/// A release that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Which; the one that serves if nothing changed.
    pub release: ReleaseId,
    /// Whether there is nothing to do.
    pub unchanged: bool,
    /// The number of the last event before it, for `GET /v1/events?after=`.
    pub after: u64,
}

/// Changes how many replicas services have, until it is changed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScaleRequest {
    /// By service.
    pub services: BTreeMap<Name, u32>,
    /// Who asks.
    pub actor: String,
}

/// Replaces the replicas of services, all if none is named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartRequest {
    /// Which.
    pub services: Vec<Name>,
    /// Who asks.
    pub actor: String,
}

/// Takes back the last release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoRequest {
    /// Who asks.
    pub actor: String,
}

/// Asks for what a replica of a service is started with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentRequest {
    /// Which service.
    pub service: Name,
}

/// What a replica of a service is started with; secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// The service's own command.
    pub argv: Vec<String>,
    /// Its folder.
    pub cwd: PathBuf,
    /// All its variables.
    pub env: BTreeMap<String, String>,
    /// User and group to become, when root.
    pub user: Option<(u32, u32)>,
}

/// Stops everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DownRequest {
    /// Kill at once instead of stopping in order.
    pub now: bool,
}

/// An error of the engine's API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What failed, one sentence without its full stop.
    pub message: String,
    /// What to try.
    pub hint: Option<String>,
}

/// Something that happened, for whoever watches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Counts up from 1 while the engine runs.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// The release that it belongs to.
    pub release: Option<ReleaseId>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// A service is being built.
    Building {
        /// Which.
        service: Name,
        /// The last line of the build's output.
        line: Option<String>,
    },
    /// A service has been built.
    Built {
        /// Which.
        service: Name,
        /// Whether nothing had changed.
        cached: bool,
        /// How long it took.
        millis: u64,
    },
    /// A store changed its state.
    Store {
        /// Which.
        store: Name,
        /// As in [`StoreStatus::state`]; `pool ` stands before that of its pool, [`PoolStatus::state`].
        state: String,
        /// More about it.
        message: Option<String>,
    },
    /// A service's one-shot command.
    OneShot {
        /// Which service.
        service: Name,
        /// `started` or `done`.
        state: String,
    },
    /// A replica changed its state.
    Replica {
        /// Which service.
        service: Name,
        /// Which replica.
        replica: ReplicaId,
        /// What it does now.
        state: ReplicaState,
        /// Why.
        message: Option<String>,
    },
    /// A service has all its replicas of its release ready.
    Service {
        /// Which.
        service: Name,
        /// How many replicas are ready.
        ready: u32,
    },
    /// A roll-out changed its outcome.
    Rollout {
        /// The new one.
        outcome: Outcome,
        /// Why, or what serves now.
        message: Option<String>,
    },
    /// Something worth a line.
    Notice {
        /// What.
        message: String,
    },
    /// A step of stopping.
    Stopping {
        /// What is being stopped.
        what: String,
    },
}

/// One line of the history of releases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseSummary {
    /// Which.
    pub release: ReleaseId,
    /// How it fared.
    pub outcome: Outcome,
    /// When it was asked for.
    pub created: Timestamp,
    /// Who asked.
    pub actor: String,
    /// The services that it changed.
    pub changed: Vec<Name>,
    /// Why it failed.
    pub message: Option<String>,
    /// Whether it serves.
    pub current: bool,
}

/// Who did what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What: `release r4`, `undo r4 -> r3`, `scale web=5`.
    pub action: String,
}
