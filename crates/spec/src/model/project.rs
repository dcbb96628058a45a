//! The top level of the file, its environments and its patches.

use serde_json::{Value, json};
use wharf_base::ids::Name;

use super::{probe, route, service, store};
use crate::decode::{Decode, Definitions, List, RecordInfo, Table, record, words};
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
    }
    later {
        "scale", "objectives", "alerts", "notify", "secrets", "cloud", "pipeline", "budget", "load", "dashboards",
        "security", "volumes", "networks", "backups", "pools", "jobs", "observability", "domains",
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
    }
    later {
        "branch", "cloud", "secrets", "scale", "objectives", "alerts", "notify", "budget", "load", "pipeline",
        "namespace", "region", "approval", "backups",
    }
    extensible true
}

words! {
    /// Where an environment runs.
    pub enum Target: "a target" {
        /// On this machine.
        Local = "local",
    }
    later { "kubernetes", "compose", "ec2", "ecs" }
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
        let list = T::schema(&mut Definitions::new())["type"] == "array";
        let fits = if list {
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
        [example "deployment-web.yaml#/spec/template/spec/hostNetwork"]
        path: String,
        /// What stands there then.
        [required]
        [example "true"]
        value: Value,
    }
}

/// Every record, in the order of the reference.
pub const RECORDS: &[&RecordInfo] = &[
    &Spec::INFO,
    &service::Service::INFO,
    &service::Build::INFO,
    &service::Resources::INFO,
    &probe::Probes::INFO,
    &probe::Probe::INFO,
    &probe::HttpCheck::INFO,
    &probe::TcpCheck::INFO,
    &probe::ExecCheck::INFO,
    &service::VolumeMap::INFO,
    &service::Release::INFO,
    &service::Schedule::INFO,
    &service::Metrics::INFO,
    &service::Rollout::INFO,
    &store::Store::INFO,
    &store::Backups::INFO,
    &route::Route::INFO,
    &route::RouteTarget::INFO,
    &route::Limits::INFO,
    &route::Headers::INFO,
    &Environment::INFO,
    &Patch::INFO,
];
