//! `services`.

use std::time::Duration;

use serde_json::{Value, json};
use wharf_base::ids::Name;
use wharf_base::units::{Bounds, Bytes, Millicores, Share};

use super::build::Build;
use super::kubernetes::Exposed;
use super::load::Operation;
use super::probe::{PortReference, Probes};
use super::scale::Scale;
use super::volume::Volume;
use crate::decode::{
    Count, Decode, Definitions, EnvName, Folder, List, OneOrMany, Port, Table, UrlPath, record,
    words,
};
use crate::diagnostic::{Code, Diagnostic, Findings};
use crate::span::Spanned;
use crate::yaml::{Kind, Node};
use wharf_base::cron::Cron;

record! {
    /// A program in one or more equal replicas.
    pub struct Service {
        /// Source code that is built: the folder (with a Dockerfile, or of a kind that is detected: Cargo, npm,
        /// Python, Go), or a map.
        [example "./web"]
        build: Build,
        /// A finished container image instead.
        [example "nginx:1.27"]
        image: String,
        /// What starts it: one text for the shell, or a list of program and arguments. Default: what the build or the image says.
        [also "cmd" "entrypoint" "run" "start"]
        [example "./server --port $PORT"]
        command: Command,
        /// The port it listens on, known as `http`. The process finds its own in the variable `PORT`.
        [example "3000"]
        port: Port,
        /// Several ports, by name. The one called `http`, else the first, is the primary: the one that routes lead to.
        [example "{ http: 8000, admin: 9000 }"]
        ports: Table<Name, Port>,
        /// Environment variables. Values may refer to others: `${db.url}`, `${backend.url}`, `${env.LEVEL:-info}`.
        [also "env" "envs" "variables"]
        [example "{ DATABASE_URL: \"${db.url}\" }"]
        environment: Table<EnvName, String>,
        /// Files of `KEY=value` lines, relative to `wharf.yaml`. Later ones win; `environment` wins over all.
        [example ".env"]
        env_file: OneOrMany<String>,
        /// How many replicas run, 0 to 1000.
        [default "1, or 0 with `schedule`"]
        [also "instances" "count"]
        [example "3"]
        replicas: Count<0, 1000>,
        /// At most one replica at any time: a release stops the old one before it starts the new one.
        [default "false"]
        singleton: bool,
        /// CPU and memory as `request..limit`.
        [also "deploy" "limits"]
        [example "{ cpu: 100m..200m, memory: 128Mi..256Mi }"]
        resources: Resources,
        /// Health checks, made from outside of the replica.
        [default "a TCP check of the primary port as `readiness`"]
        [also "healthcheck" "health" "health_check" "livenessProbe" "readinessProbe"]
        [example "{ http: /health }"]
        probes: Probes,
        /// Folders that outlive a replica: `source:target[:ro]`, or maps.
        [also "mounts"]
        [example "[\"media:/app/media\", \"./config:/etc/app:ro\"]"]
        volumes: List<Volume>,
        /// What has to be up before it starts: a list (= `healthy`), or a map to `started`, `healthy` or `completed`.
        /// A store whose fields `environment` refers to is needed without being listed.
        [also "depends_on" "dependsOn" "requires"]
        [example "[backend]"]
        needs: Needs,
        /// A command that runs once in each release, such as a migration: before new replicas of this service, and of
        /// every other that it does not need.
        [also "pre_deploy" "migrate"]
        [example "./manage.py migrate"]
        release: Release,
        /// When it runs, for a job: cron, five fields, UTC. It has no replicas in between.
        [also "cron"]
        [example "\"*/5 * * * *\""]
        schedule: Schedule,
        /// Where its Prometheus metrics are read.
        [example "/metrics"]
        metrics: Metrics,
        /// How long a replica that leaves may finish its requests.
        [default "30s"]
        drain_timeout: Duration,
        /// How long after SIGTERM it may take before it is killed.
        [default "10s"]
        [also "stop_grace_period" "terminationGracePeriodSeconds"]
        stop_timeout: Duration,
        /// How a new release takes over.
        [also "update_config" "strategy"]
        rollout: Rollout,
        /// Autoscaling: how many replicas there are when nobody says so. `replicas` is then the count at first.
        [default "the count is fixed"]
        [also "autoscaling" "autoscale" "hpa"]
        [example "{ min: 2, max: 10, cpu: 70% }"]
        scale: Scale,
        /// A way in beside the routes, on a cluster.
        [default "routes alone lead to it"]
        [also "service_type"]
        [example "{ kind: load_balancer, port: 80 }"]
        expose: Exposed,
        /// Services and stores that it talks to without waiting for them. With `needs` and the references of
        /// `environment` they say who may talk to whom.
        [also "talks_to" "links"]
        [example "[websocket]"]
        calls: List<Name>,
        /// Buckets of `cloud.buckets` that it reads and writes.
        [example "[static]"]
        buckets: List<Name>,
        /// Folders that it writes to beside its volumes; everything else of its file system is read-only in rendered
        /// files.
        [default "`/tmp`"]
        [also "tmpfs"]
        [example "[/tmp, /var/cache/app]"]
        writable: List<Folder>,
        /// Files that the web server in front, on this machine the ingress, answers by itself: URL prefix to folder, relative to
        /// the build's. A folder on a volume holds what is uploaded; Django's are collected when it is built.
        [also "static" "statics"]
        [example "{ /static/: staticfiles }"]
        static_files: Table<UrlPath, Folder>,
        /// The operations of its HTTP API, for the rendered OpenAPI document.
        [also "openapi" "operations" "endpoints"]
        [example "[{ method: GET, path: /items }]"]
        api: List<Operation>,
    }
    later { "files", "secrets", "security", "user", "node", "placement" }
    extensible true
}

record! {
    /// What a replica may use. One value is both request and limit.
    pub struct Resources {
        /// CPU: cores or thousandths of one (`m`).
        [default "not limited"]
        [example "100m..200m"]
        cpu: Bounds<Millicores>,
        /// Memory.
        [default "not limited"]
        [also "mem" "ram"]
        [example "128Mi..256Mi"]
        memory: Bounds<Bytes>,
    }
    later { "gpu", "disk", "storage" }
}

record! {
    /// The one-shot of a release.
    pub struct Release {
        /// What runs.
        [required]
        [example "./manage.py migrate"]
        command: Command,
        /// When it has failed for taking too long.
        [default "10m"]
        timeout: Duration,
    }
    shorthand command
}

record! {
    /// When a job runs.
    pub struct Schedule {
        /// Five fields: minute, hour, day of month, month, day of week; in UTC.
        [required]
        [example "\"*/5 * * * *\""]
        cron: Cron,
        /// When a run is stopped for taking too long.
        [default "never"]
        timeout: Duration,
    }
    shorthand cron
}

record! {
    /// Where Prometheus metrics are.
    pub struct Metrics {
        /// The path.
        [default "/metrics"]
        path: UrlPath,
        /// The port, by name or number.
        [default "the primary port"]
        port: PortReference,
    }
    shorthand path
    later { "interval", "labels" }
}

record! {
    /// How a new release takes over from the old one.
    pub struct Rollout {
        /// In which way: `rolling` replaces replica by replica.
        [default "rolling"]
        strategy: Strategy,
        /// How many replicas more than wanted may run: a count, or a share that is rounded up.
        [default "1, or 0 for a singleton"]
        [also "max_surge" "maxSurge"]
        surge: Share,
        /// How many of the wanted replicas may be missing: a count, or a share that is rounded down.
        [default "0, or 1 for a singleton"]
        [also "max_unavailable" "maxUnavailable"]
        unavailable: Share,
        /// How long a new replica has to stay ready before it counts and an old one leaves; not on a first start.
        [default "1s"]
        [also "minReadySeconds"]
        min_ready: Duration,
        /// When a release that has not finished has failed and is reverted.
        [default "10m"]
        [also "timeout" "progressDeadlineSeconds"]
        progress_deadline: Duration,
        /// How long the replaced replicas are kept, without traffic, so that `undo` is instant.
        [default "10m"]
        keep_old: Duration,
    }
    later { "steps", "analysis", "abort_on_deadline", "auto_promote" }
}

words! {
    /// In which way a release takes over.
    pub enum Strategy: "a strategy" {
        /// Replica by replica.
        Rolling = "rolling",
    }
    later { "canary", "blue_green" }
}

words! {
    /// What has to be so before a service starts.
    pub enum Need: "a condition" {
        /// It has been started.
        Started = "started",
        /// It is ready.
        Healthy = "healthy",
        /// It has run and ended well.
        Completed = "completed",
    }
}

/// `[a, b]` (healthy) or `{ a: started }`.
#[derive(Debug, Clone)]
pub struct Needs(pub Vec<(Spanned<Name>, Need)>);

impl Decode for Needs {
    fn expected() -> String {
        "a list of names, or a map of names to `started`, `healthy` or `completed`".to_owned()
    }

    fn decode(node: &Node, findings: &mut Findings) -> Option<Self> {
        match &node.kind {
            Kind::Map(_) => {
                let table = Table::<Name, Need>::decode(node, findings)?;
                let pair =
                    |entry: crate::decode::Entry<Name, Need>| Some((entry.key, entry.value?.value));
                Some(Self(table.entries.into_iter().filter_map(pair).collect()))
            }
            Kind::List(_) => {
                let list = List::<Name>::decode(node, findings)?;
                Some(Self(
                    list.0
                        .into_iter()
                        .map(|name| (name, Need::Healthy))
                        .collect(),
                ))
            }
            _ => {
                let message = format!("expected {}, found {}", Self::expected(), node.described());
                let diagnostic = Diagnostic::error(Code::WRONG_SHAPE, node.span.clone(), message);
                findings.report(match &node.kind {
                    Kind::Scalar(one) if one.text.parse::<Name>().is_ok() => {
                        diagnostic.help(format!("did you mean `[{}]`?", one.text))
                    }
                    _ => diagnostic,
                });
                None
            }
        }
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [List::<Name>::schema(definitions), Table::<Name, Need>::schema(definitions)] })
    }
}

/// The longest argument or variable that Linux passes to a program (`MAX_ARG_STRLEN`, execve(2)), less its end and name.
pub const ARGUMENT_MAX_BYTES: usize = 128 * 1024 - 512;

/// A command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// One text, for `/bin/sh -c`.
    Shell(String),
    /// Program and arguments.
    Exec(Vec<String>),
}

impl Decode for Command {
    fn expected() -> String {
        "a command: one text for the shell, or a list of program and arguments".to_owned()
    }

    fn decode(node: &Node, findings: &mut Findings) -> Option<Self> {
        let command = match &node.kind {
            Kind::Scalar(line) => Self::Shell(line.text.clone()),
            Kind::List(_) => {
                let words = List::<String>::decode(node, findings)?;
                Self::Exec(words.0.into_iter().map(|word| word.value).collect())
            }
            _ => {
                findings.report(crate::decode::wrong_shape::<Self>(node));
                return None;
            }
        };
        let words = match &command {
            Self::Shell(line) => std::slice::from_ref(line),
            Self::Exec(words) => words.as_slice(),
        };
        let problem = if words.first().is_none_or(|word| word.trim().is_empty()) {
            Some("the command is empty")
        } else if words.iter().any(|word| word.contains('\0')) {
            Some("the command holds a NUL character")
        } else if words.iter().any(|word| word.len() > ARGUMENT_MAX_BYTES) {
            Some("the command is longer than the 128 KiB that Linux passes to a program")
        } else {
            None
        };
        if let Some(problem) = problem {
            findings.report(Diagnostic::error(
                Code::BAD_VALUE,
                node.span.clone(),
                problem,
            ));
            return None;
        }
        Some(command)
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "anyOf": [
            { "type": "string", "minLength": 1 },
            { "type": "array", "items": { "type": ["string", "number", "boolean"] }, "minItems": 1 },
        ] })
    }
}
