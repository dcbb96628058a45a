//! The top level of the file, its environments and its patches.

use serde_json::{Value, json};
use wharf_base::ids::Name;

use super::{
    build, cloud, delivery, kubernetes, load, network, observe, probe, route, scale, scraped,
    secret, service, store, volume,
};
use crate::decode::{Decode, Definitions, List, RecordInfo, Table, Word, record, words};
use crate::diagnostic::Findings;
use crate::yaml::{Kind, Node};

record! {
    /// The whole file. Keys are strict, so that a typing error is an error; keys that begin with `x-` pass and mean nothing.
    pub struct Spec {
        /// The project.
        [required]
        [also "project"]
        [example "shop"]
        name: Name,
        /// What runs, by name.
        [required]
        [also "apps" "processes"]
        [example "{ web: { build: ., port: 3000 } }"]
        services: Table<Name, service::Service>,
        /// The databases and caches, by name.
        [also "databases"]
        [example "{ db: { engine: postgres } }"]
        stores: Table<Name, store::Store>,
        /// What the ingress serves. Default: the first service with a port (`web` or `frontend` before others) at `/`.
        [also "ingress" "route"]
        routes: List<route::Route>,
        /// Variants of the file, by name; chosen with `-e NAME`. Each is laid over the file key by key: maps are merged,
        /// everything else is replaced, `null` removes.
        [also "envs" "stages"]
        [example "{ prod: { services: { web: { replicas: 3 } } } }"]
        environments: Table<Name, Environment>,
        /// Values laid over rendered files: the escape hatch for what this file cannot say.
        patches: List<Patch>,
        /// What images are called, and for which processors they are made.
        [also "registry" "image"]
        [example "{ registry: ghcr.io/acme }"]
        images: delivery::Images,
        /// Secrets, by name.
        [example "{ jwt: { generate: 48 } }"]
        secrets: Table<Name, secret::Secret>,
        /// Where the values of secrets are.
        [also "vault"]
        [example "{ provider: aws_secrets_manager }"]
        secret_store: secret::SecretStore,
        /// What the cluster is to be like.
        [also "k8s" "cluster" "namespace"]
        [example "{ version: \"1.32\", ingress: nginx }"]
        kubernetes: kubernetes::Kubernetes,
        /// The cloud under the environments.
        [default "there is none"]
        [also "aws" "infrastructure" "region"]
        [example "{ region: us-east-1, compute: eks }"]
        cloud: cloud::Cloud,
        /// What is collected, and for how long.
        [also "observability" "monitoring"]
        [example "{ retention: 15d }"]
        telemetry: observe::Telemetry,
        /// Service-level objectives.
        [also "slos" "slo"]
        [example "[{ name: availability, service: web, target: 99.9% }]"]
        objectives: List<observe::Objective>,
        /// Alerts, beside the built-in ones.
        [also "rules" "alerting"]
        [example "[{ name: QueueBacklog, query: \"jobs_waiting > 1000\" }]"]
        alerts: List<observe::Alert>,
        /// Who hears of alerts and of failed pipelines, by name.
        [also "receivers" "notifications" "contacts"]
        [example "{ team: { email: ops@example.com } }"]
        notify: Table<Name, observe::Receiver>,
        /// What happens to a change on its way to its users.
        [default "there is none"]
        [also "ci" "workflow"]
        [example "{ tests: { unit: pytest }, deploy: helm }"]
        pipeline: delivery::Pipeline,
        /// Load scenarios, by name.
        [also "load_tests" "scenarios"]
        [example "{ peak: { service: web, users: 50, duration: 5m, requests: [{ path: / }] } }"]
        load: Table<Name, load::Scenario>,
        /// Versions of the tools and servers that rendered files name, by tool.
        [also "tools"]
        [example "{ terraform: \"1.6.0\" }"]
        versions: Table<Word, Word>,
    }
    later {
        "dashboards", "security", "volumes", "networks", "backups", "jobs", "domains",
    }
    extensible true
}

record! {
    /// A variant of the file. What it holds is laid over the file's own sections.
    pub struct Environment {
        /// Where it runs.
        [default "local"]
        target: Target,
        /// Laid over `services`.
        services: Overlay<Table<Name, service::Service>>,
        /// Laid over `stores`.
        stores: Overlay<Table<Name, store::Store>>,
        /// Instead of `routes`: the whole list.
        routes: Overlay<List<route::Route>>,
        /// The branch whose changes go there.
        [default "by hand"]
        [also "git_branch" "ref"]
        [example "main"]
        branch: Word,
        /// Whether somebody has to agree to each deployment.
        [default "false"]
        [also "manual" "protected"]
        approval: bool,
        /// Laid over `images`.
        images: Overlay<delivery::Images>,
        /// Laid over `secrets`.
        secrets: Overlay<Table<Name, secret::Secret>>,
        /// Laid over `secret_store`.
        secret_store: Overlay<secret::SecretStore>,
        /// Laid over `kubernetes`.
        [also "k8s" "cluster" "namespace"]
        kubernetes: Overlay<kubernetes::Kubernetes>,
        /// Laid over `cloud`.
        [also "aws" "infrastructure" "region"]
        cloud: Overlay<cloud::Cloud>,
        /// Laid over `telemetry`.
        telemetry: Overlay<observe::Telemetry>,
        /// Instead of `objectives`: the whole list.
        objectives: Overlay<List<observe::Objective>>,
        /// Instead of `alerts`: the whole list.
        alerts: Overlay<List<observe::Alert>>,
        /// Instead of `patches`: the whole list.
        patches: Overlay<List<Patch>>,
        /// Laid over `notify`.
        notify: Overlay<Table<Name, observe::Receiver>>,
        /// Laid over `pipeline`.
        pipeline: Overlay<delivery::Pipeline>,
        /// Laid over `load`.
        load: Overlay<Table<Name, load::Scenario>>,
        /// Laid over `versions`.
        versions: Overlay<Table<Word, Word>>,
    }
    later { "scale", "backups" }
    extensible true
}

words! {
    /// Where an environment runs.
    pub enum Target: "a target" {
        /// On this machine.
        Local = "local",
        /// On one machine with Docker Compose.
        Compose = "compose",
        /// On a Kubernetes cluster.
        Kubernetes = "kubernetes",
        /// On an auto-scaling group of EC2 instances.
        Ec2 = "ec2",
    }
    later { "ecs", "fargate", "nomad" }
}

/// What an environment lays over a section. It is not read by itself, only what comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlay<T>(std::marker::PhantomData<T>);

impl<T: Decode> Decode for Overlay<T> {
    fn expected() -> String {
        T::expected()
    }

    fn decode(node: &Node, findings: &mut Findings) -> Option<Self> {
        // A section of another kind would replace the whole of it, and complain where the section stands.
        let fits = if T::LIST {
            matches!(node.kind, Kind::List(_))
        } else {
            matches!(node.kind, Kind::Map(_))
        };
        if !fits {
            findings.report(crate::decode::wrong_shape::<Self>(node));
            return None;
        }
        Some(Self(std::marker::PhantomData))
    }

    fn schema(definitions: &mut Definitions) -> Value {
        // The schema's maker relaxes what is below: nothing is required, and everything may be null.
        json!({ "x-overlay": T::schema(definitions) })
    }
}

record! {
    /// One value laid over one rendered target.
    pub struct Patch {
        /// The render target.
        [required]
        [example "kubernetes"]
        target: Name,
        /// A file of the target and a JSON Pointer (RFC 6901) into it.
        [required]
        [example "50-web-deployment.yaml#/spec/template/spec/priorityClassName"]
        path: String,
        /// What stands there then.
        [required]
        [example "high"]
        value: Value,
    }
}

/// Every record, in the order of the reference.
pub const RECORDS: &[&RecordInfo] = &[
    &Spec::INFO,
    &service::Service::INFO,
    &build::Build::INFO,
    &service::Resources::INFO,
    &probe::Probes::INFO,
    &probe::Probe::INFO,
    &probe::HttpCheck::INFO,
    &probe::TcpCheck::INFO,
    &probe::ExecCheck::INFO,
    &volume::VolumeMap::INFO,
    &service::Release::INFO,
    &service::Schedule::INFO,
    &service::Metrics::INFO,
    &service::Rollout::INFO,
    &scale::Scale::INFO,
    &scale::ScaleMetric::INFO,
    &scale::Queue::INFO,
    &scale::ScalePace::INFO,
    &kubernetes::Expose::INFO,
    &load::Operation::INFO,
    &store::Store::INFO,
    &store::Backups::INFO,
    &store::Pool::INFO,
    &route::Route::INFO,
    &route::RouteTarget::INFO,
    &route::Limits::INFO,
    &route::Headers::INFO,
    &delivery::Images::INFO,
    &secret::Secret::INFO,
    &secret::SecretStore::INFO,
    &kubernetes::Kubernetes::INFO,
    &kubernetes::Quota::INFO,
    &kubernetes::GitOps::INFO,
    &cloud::Cloud::INFO,
    &network::Network::INFO,
    &cloud::Nodes::INFO,
    &cloud::Database::INFO,
    &cloud::Bucket::INFO,
    &cloud::LoadBalancer::INFO,
    &cloud::TargetHealth::INFO,
    &cloud::Bastion::INFO,
    &cloud::Protection::INFO,
    &cloud::Alarms::INFO,
    &cloud::State::INFO,
    &cloud::Stacks::INFO,
    &observe::Telemetry::INFO,
    &observe::Logs::INFO,
    &observe::ArchiveTo::INFO,
    &observe::Thresholds::INFO,
    &scraped::ScrapeTarget::INFO,
    &observe::Notifications::INFO,
    &observe::Objective::INFO,
    &observe::Alert::INFO,
    &observe::Receiver::INFO,
    &observe::Smtp::INFO,
    &delivery::Pipeline::INFO,
    &delivery::CheckJob::INFO,
    &delivery::TestJob::INFO,
    &delivery::Scan::INFO,
    &delivery::Job::INFO,
    &delivery::Goals::INFO,
    &load::Scenario::INFO,
    &load::LoadRequest::INFO,
    &load::LoadThresholds::INFO,
    &Environment::INFO,
    &Patch::INFO,
];
