//! The [`Plan`]: what the file means, with nothing left to guess.
//!
//! Every default is explicit, the environment is applied, every reference is checked. Secrets and stores are
//! references ([`Template`]) and never values, so a plan may be printed, stored and compared.

mod cloud;
mod delivery;
mod kubernetes;
mod load;
mod observe;
mod route;
mod scale;
mod secret;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wharf_base::ids::Name;
use wharf_base::units::{Bounds, Bytes, Millicores, Share};

use crate::exec_form::exec_form;
use crate::template::Template;

pub use cloud::{
    Alarms, Bastion, Bucket, Cloud, Compute, Database, LoadBalancer, Nat, Network, Nodes,
    ParameterValue, Protection, Provider, RemoteState, Stacks, StoresBy, TargetHealth,
};
pub use delivery::{
    Check as PipelineCheck, DeliveryGoals, Deploy, Framework, Gate, Images, Job, Language,
    PIPELINE_FAILURE, Pipeline, Provision, Scan, Scanner, Target, TargetKind, Test, Toolchain,
};
pub use kubernetes::{Expose, ExposeKind, GitOps, IngressClass, Kubernetes, Quota};
pub use load::{LoadRequest, LoadThresholds, Operation, Scenario};
pub use observe::{
    Alert, Channel, Indicator, LogArchive, Notifications, Objective, Receiver, ScrapeTarget,
    Severity, Smtp, SmtpTls, TargetFile, Telemetry, Thresholds,
};
pub use route::{Route, RouteAction, RouteHeaders, RouteLimits, Tls};
pub use scale::{Scale, ScaleMetric, ScalePace, ScaleSource};
pub use secret::{Secret, SecretProvider, SecretStore};

/// A project, resolved for one environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The project.
    pub name: Name,
    /// The environment that was applied; none for the file as it stands.
    pub environment: Option<Name>,
    /// Where it runs, and what leads there.
    pub target: Target,
    /// What runs, by name.
    pub services: BTreeMap<Name, Service>,
    /// The databases and caches, by name.
    pub stores: BTreeMap<Name, Store>,
    /// What the ingress forwards, in the order of the file; matched by host, then by the longest path.
    pub routes: Vec<Route>,
    /// What images are called.
    pub images: Images,
    /// Secrets, by name.
    pub secrets: BTreeMap<Name, Secret>,
    /// Where their values are.
    pub secret_store: SecretStore,
    /// What the cluster is to be like.
    pub kubernetes: Kubernetes,
    /// The cloud under it; none: there is none.
    pub cloud: Option<Cloud>,
    /// What is collected.
    pub telemetry: Telemetry,
    /// Service-level objectives, in the order of the file.
    pub objectives: Vec<Objective>,
    /// Alerts of the file, in its order; the built-in ones follow from the rest of the plan.
    pub alerts: Vec<Alert>,
    /// Who hears of alerts, by name.
    pub notify: BTreeMap<Name, Receiver>,
    /// The pipeline; none: there is none.
    pub pipeline: Option<Pipeline>,
    /// Load scenarios, by name.
    pub load: BTreeMap<Name, Scenario>,
    /// Versions of the tools and servers that rendered files name, by tool: `terraform`, `prometheus`, `grafana`.
    pub versions: BTreeMap<String, String>,
    /// Values laid over rendered files, in the order of the file.
    pub patches: Vec<Patch>,
    /// The `x-…` keys of the file's top level, as they were.
    pub extensions: BTreeMap<String, serde_json::Value>,
}

/// One service: a program in one or more equal replicas.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Where the program comes from.
    pub source: Source,
    /// What starts it; none: what the build or the image says.
    pub command: Option<Command>,
    /// Named ports, by name; the one called `http` (or the only one) is the primary.
    pub ports: BTreeMap<Name, u16>,
    /// Which of `ports` the environment variable `PORT` stands for; none for a service without ports.
    pub primary_port: Option<Name>,
    /// Environment variables.
    pub environment: BTreeMap<String, Template>,
    /// Files of `KEY=value` lines, relative to the folder of `wharf.yaml`; later ones win, `environment` wins over all.
    pub env_files: Vec<String>,
    /// How many replicas run at first; 0 for a scheduled service.
    pub replicas: u32,
    /// At most one replica at any time: a release stops the old one before it starts the new one.
    pub singleton: bool,
    /// CPU and memory.
    pub resources: Resources,
    /// Health checks, made from outside the replica.
    pub probes: Probes,
    /// Folders that outlive a replica.
    pub volumes: Vec<Volume>,
    /// What has to be in which condition before a replica starts; services and stores.
    pub needs: BTreeMap<Name, Condition>,
    /// A command that runs once in each release, before its first replica (migrations).
    pub release: Option<ReleaseCommand>,
    /// When a scheduled service runs (cron, five fields, UTC); it has no replicas between its runs.
    pub schedule: Option<Schedule>,
    /// Where Prometheus metrics are read.
    pub metrics: Option<MetricsEndpoint>,
    /// How long a replica that leaves the ingress may finish its requests.
    #[serde(with = "wharf_base::duration")]
    pub drain_timeout: Duration,
    /// How long after SIGTERM a replica may take before it is killed.
    #[serde(with = "wharf_base::duration")]
    pub stop_timeout: Duration,
    /// How a new release takes over.
    pub rollout: Rollout,
    /// Autoscaling; none: the count is fixed.
    pub scale: Option<Scale>,
    /// A way in beside the routes.
    pub expose: Option<Expose>,
    /// Services and stores that it talks to without waiting for them; with `needs` and the references of its
    /// variables they make the flow graph.
    pub calls: Vec<Name>,
    /// Buckets of the cloud that it reads and writes.
    pub buckets: Vec<Name>,
    /// Folders it writes to beside its volumes; everything else of its file system is read-only.
    pub writable: Vec<String>,
    /// Files that the web server in front answers by itself: URL prefix to folder, relative to the build's.
    pub static_files: BTreeMap<String, String>,
    /// Its HTTP API.
    pub api: Vec<Operation>,
}

impl Service {
    /// The number of the primary port.
    #[must_use]
    pub fn primary_port_number(&self) -> Option<u16> {
        self.primary_port
            .as_ref()
            .and_then(|name| self.ports.get(name))
            .copied()
    }
}

/// Where a service's program comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Source code.
    Build(Box<Build>),
    /// A finished container image.
    Image(String),
    /// Nothing to build: `command` is a program of this machine.
    Command,
}

/// How source code becomes a program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// The folder, relative to the folder of `wharf.yaml`.
    pub context: String,
    /// What builds it, run in `context`; none: detected from what lies there.
    pub command: Option<Command>,
    /// Which program of a Cargo or Go build is kept; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// A Dockerfile, relative to `context`; only the container driver and the renderers read it.
    pub dockerfile: Option<String>,
    /// The stage of the Dockerfile.
    pub target: Option<String>,
    /// Build arguments; environment variables of the build.
    pub args: BTreeMap<String, String>,
    /// What it is written in; none: the file does not say, and a renderer asks whoever has seen the folder.
    pub toolchain: Option<Toolchain>,
}

/// A command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Command {
    /// Run by `/bin/sh -c`, so that `$PORT` and pipes work.
    Shell(String),
    /// Program and arguments, run as they are.
    Exec(Vec<String>),
}

impl Command {
    /// The command as an argument vector; a shell command replaces its shell where it is simple.
    #[must_use]
    pub fn argv(&self) -> Vec<String> {
        exec_form(self)
    }
}

impl std::fmt::Display for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shell(line) => f.write_str(line),
            Self::Exec(argv) => f.write_str(&argv.join(" ")),
        }
    }
}

/// What a replica may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Resources {
    /// CPU; none: not limited.
    pub cpu: Option<Bounds<Millicores>>,
    /// Memory; none: not limited.
    pub memory: Option<Bounds<Bytes>>,
}

/// The three probes of Kubernetes, with its meaning and its defaults.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Probes {
    /// Until it has passed once, the others do not run; when it fails for good the replica is restarted.
    pub startup: Option<Probe>,
    /// While it fails the replica gets no traffic.
    pub readiness: Option<Probe>,
    /// When it fails the replica is restarted.
    pub liveness: Option<Probe>,
}

/// One probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// What is asked.
    pub check: Check,
    /// How long after the start the first check is made.
    #[serde(with = "wharf_base::duration")]
    pub initial_delay: Duration,
    /// From check to check, at least 1 ms.
    #[serde(with = "wharf_base::duration")]
    pub period: Duration,
    /// When a check without an answer has failed.
    #[serde(with = "wharf_base::duration")]
    pub timeout: Duration,
    /// Checks in a row that have to pass.
    pub success_threshold: u32,
    /// Checks in a row that have to fail.
    pub failure_threshold: u32,
}

/// What a probe asks of a replica.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// An HTTP GET.
    Http {
        /// Path and query.
        path: String,
        /// Which of the service's ports.
        port: Name,
        /// The `Host` header; none: the address.
        host: Option<String>,
        /// Further headers.
        headers: BTreeMap<String, String>,
        /// The status codes that pass, both ends included.
        status: (u16, u16),
    },
    /// A TCP connection that is accepted.
    Tcp {
        /// Which of the service's ports.
        port: Name,
    },
    /// A command in the replica's folder and environment that exits with 0.
    Exec {
        /// The command.
        command: Command,
    },
}

/// A folder that outlives a replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// What is mounted.
    pub source: VolumeSource,
    /// Where the program finds it: an absolute path in a container; a path relative to its folder also on this machine.
    pub target: String,
    /// Whether the program may only read.
    pub read_only: bool,
    /// How large it is to be, where that can be asked for.
    pub size: Option<Bytes>,
    /// Whether replicas on many machines mount it at once.
    pub shared: bool,
    /// The storage class; none: the cluster's for its kind.
    pub class: Option<String>,
}

/// What a volume is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumeSource {
    /// A volume of the project, shared by every service that names it.
    Named(Name),
    /// A folder of this machine, relative to the folder of `wharf.yaml` (begins with `./` or `../`) or absolute.
    Path(String),
}

/// What has to be so before a service starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It has been started.
    Started,
    /// It is ready (all wanted replicas, or the store answers).
    Healthy,
    /// It has run and ended with exit status 0 (a scheduled or one-shot service).
    Completed,
}

/// The one-shot of a release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReleaseCommand {
    /// What runs.
    pub command: Command,
    /// When it has failed for taking too long.
    #[serde(with = "wharf_base::duration")]
    pub timeout: Duration,
}

/// When and how a scheduled service runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Five fields: minute, hour, day of month, month, day of week; UTC.
    pub cron: String,
    /// When a run is stopped for taking too long; none: never.
    #[serde(with = "optional_duration")]
    pub timeout: Option<Duration>,
}

/// Where a service's Prometheus metrics are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricsEndpoint {
    /// The path.
    pub path: String,
    /// Which of the service's ports.
    pub port: Name,
}

/// How a new release of a service takes over from the old one: replaced replica by replica.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// How many replicas more than wanted may run; a share is rounded up.
    pub surge: Share,
    /// How many of the wanted replicas may be missing; a share is rounded down.
    pub unavailable: Share,
    /// How long a new replica has to stay ready before it counts.
    #[serde(with = "wharf_base::duration")]
    pub min_ready: Duration,
    /// When a release that has not finished has failed and is reverted.
    #[serde(with = "wharf_base::duration")]
    pub progress_deadline: Duration,
    /// How long the replaced replicas are kept, without traffic, so that `undo` is instant.
    #[serde(with = "wharf_base::duration")]
    pub keep_old: Duration,
}

/// A database or cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Store {
    /// Which server.
    pub engine: StoreEngine,
    /// Its major version; a local server of another version is a warning, and exact in production.
    pub version: Option<String>,
    /// How large it is to be.
    pub storage: Option<Bytes>,
    /// Backups; none: not made.
    pub backups: Option<Backups>,
    /// PostgreSQL extensions that are created.
    pub extensions: Vec<String>,
    /// An existing server instead of one that Wharf runs.
    pub external_url: Option<Template>,
    /// CPU and memory, where Wharf or the cluster runs it.
    pub resources: Resources,
    /// The storage class of its volume; none: the cluster's.
    pub storage_class: Option<String>,
    /// The volume that its dumps are kept on, on a cluster; none: they go to the cloud's bucket, or nowhere.
    pub backup_volume: Option<Bytes>,
    /// A pool of connections before it (PgBouncer).
    pub pool: Option<Pool>,
}

/// A pool of connections before a PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// Connections to the server.
    pub size: u32,
    /// Connections of clients at most.
    pub clients: u32,
    /// When a connection to the server is given back.
    pub mode: PoolMode,
}

/// When a client gives its connection to the server back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolMode {
    /// At the end of a transaction.
    Transaction,
    /// At the end of its session.
    Session,
}

/// The servers that Wharf runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreEngine {
    /// PostgreSQL.
    Postgres,
    /// Redis.
    Redis,
}

impl StoreEngine {
    /// The word of the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis",
        }
    }
}

/// How long backups of a store are kept, and when they are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Backups {
    /// How long each is kept.
    #[serde(with = "wharf_base::duration")]
    pub keep: Duration,
    /// Cron, five fields, UTC.
    pub schedule: String,
}

/// What can be rendered, and patched, in the order of the documentation; what each is, the renderers know.
pub const RENDER_TARGETS: [&str; 27] = [
    "dockerfile",
    "compose",
    "kubernetes",
    "kustomize",
    "helm",
    "argocd",
    "flux",
    "terraform",
    "cloudformation",
    "userdata",
    "ansible",
    "github-actions",
    "gitlab-ci",
    "prometheus",
    "alertmanager",
    "grafana",
    "loki",
    "cloudwatch",
    "otel-collector",
    "k6",
    "locust",
    "nginx",
    "systemd",
    "openapi",
    "architecture",
    "runbook",
    "readme",
];

/// One value laid over one rendered target: the escape hatch for what the model does not say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Patch {
    /// The render target.
    pub target: String,
    /// A JSON Pointer (RFC 6901) behind the name of a file: `50-web-deployment.yaml#/spec/template/spec/priorityClassName`.
    pub path: String,
    /// What stands there then.
    pub value: serde_json::Value,
}

mod optional_duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::ref_option, reason = "the shape that serde's `with` asks for")]
    pub(super) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(duration) => serializer.serialize_str(&wharf_base::duration::format(*duration)),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Option::<String>::deserialize(deserializer)?
            .map(|text| wharf_base::duration::parse(&text).map_err(D::Error::custom))
            .transpose()
    }
}
