//! An immutable release: what was built, the configuration, the versions of the secrets, the routes, as one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use wharf_base::clock::Timestamp;
use wharf_base::ids::{Name, ReleaseId};
use wharf_plan::model::{Command, Condition, Plan, Rollout, Service, Source, Store};
use wharf_plan::template::Reference;

use crate::api::Outcome;

/// A release. It never changes, but for how it fared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Release {
    /// Its number.
    pub(crate) id: ReleaseId,
    /// What is to run; routes included.
    pub(crate) plan: Plan,
    /// The folder of `wharf.yaml`.
    pub(crate) base_dir: PathBuf,
    /// When it was asked for.
    pub(crate) created: Timestamp,
    /// Who asked.
    pub(crate) actor: String,
    /// Services whose replicas are replaced even if nothing of theirs has changed.
    pub(crate) restart: Vec<Name>,
    /// How it fared.
    pub(crate) outcome: Outcome,
    /// Why it failed.
    pub(crate) message: Option<String>,
    /// What each service is in it.
    pub(crate) revisions: BTreeMap<Name, Revision>,
}

/// What a service is in a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Revision {
    /// The release in which it became what it is; its replicas carry that release's number.
    pub(crate) release: ReleaseId,
    /// The digest of everything that a replica depends on: artifact, configuration, secret versions.
    pub(crate) digest: String,
    /// What was built; none for a program of this machine.
    pub(crate) artifact: Option<Artifact>,
}

/// A built program, immutable on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Artifact {
    /// The digest of its content.
    pub(crate) digest: String,
    /// Where it lies; the folder that replicas start in.
    pub(crate) dir: PathBuf,
    /// Folders before the rest of `PATH`.
    pub(crate) path_prepend: Vec<PathBuf>,
    /// Variables that it needs.
    pub(crate) env: BTreeMap<String, String>,
    /// What starts it, unless the service says otherwise.
    pub(crate) default_command: Option<Command>,
}

impl Release {
    /// The service as it is in this release.
    pub(crate) fn service(&self, name: &Name) -> Option<(&Service, &Revision)> {
        Some((self.plan.services.get(name)?, self.revisions.get(name)?))
    }

    /// Services that end by themselves because another one needs them `completed`.
    pub(crate) fn is_job(&self, name: &Name) -> bool {
        let schedule = self
            .plan
            .services
            .get(name)
            .is_none_or(|service| service.schedule.is_some());
        !schedule
            && self
                .plan
                .services
                .values()
                .any(|other| other.needs.get(name) == Some(&Condition::Completed))
    }

    /// The services that are other than in `before`.
    pub(crate) fn changed_since(&self, before: Option<&Self>) -> Vec<Name> {
        let same = |name: &Name, revision: &Revision| {
            before
                .and_then(|b| b.revisions.get(name))
                .is_some_and(|b| b.release == revision.release)
        };
        let changed = self
            .revisions
            .iter()
            .filter(|(name, revision)| !same(name, revision));
        let removed = before.into_iter().flat_map(|b| b.revisions.keys());
        let removed = removed.filter(|name| !self.revisions.contains_key(*name));
        changed
            .map(|(name, _)| name)
            .chain(removed)
            .cloned()
            .collect()
    }
}

/// The digest of what a replica of `service` depends on. How many replicas there are, how they are rolled out and what
/// only rendered files say is no part of it: changing that replaces none.
pub(crate) fn service_digest(
    plan: &Plan,
    service: &Service,
    artifact: Option<&Artifact>,
    secret_values: &str,
) -> String {
    let pools = pooled_stores(plan, service);
    let mut neutral = Service {
        replicas: 0,
        rollout: Rollout {
            surge: wharf_base::units::Share::Count(0),
            unavailable: wharf_base::units::Share::Count(0),
            min_ready: std::time::Duration::ZERO,
            progress_deadline: std::time::Duration::ZERO,
            keep_old: std::time::Duration::ZERO,
        },
        scale: None,
        expose: None,
        calls: vec![],
        buckets: vec![],
        writable: vec![],
        static_files: BTreeMap::new(),
        api: vec![],
        ..service.clone()
    };
    if let Source::Build(build) = &mut neutral.source {
        // What it is written in shows in the artifact.
        build.toolchain = None;
    }
    let plan =
        serde_json::to_string(&neutral).expect("a plan has only string keys and finite numbers");
    let artifact = artifact.map_or("", |artifact| artifact.digest.as_str());
    let mut parts = vec![plan.as_str(), artifact, secret_values];
    parts.extend(pools.iter().map(|store| store.as_str()));
    digest(&parts)
}

/// The stores that a service's variables lead to through a pool on this machine: with or without, the address is another.
fn pooled_stores<'a>(plan: &'a Plan, service: &Service) -> Vec<&'a Name> {
    stores_of(plan, service)
        .into_iter()
        .filter(|(_, store)| store.pool.is_some() && store.external_url.is_none())
        .map(|(name, _)| name)
        .collect()
}

/// The stores that a service's variables refer to.
pub(crate) fn stores_of<'a>(plan: &'a Plan, service: &Service) -> BTreeMap<&'a Name, &'a Store> {
    let references = service
        .environment
        .values()
        .flat_map(|value| value.references());
    references
        .filter_map(|reference| match reference {
            Reference::Field { of, .. } => plan.stores.get_key_value(of),
            _ => None,
        })
        .collect()
}

/// SHA-256 over the parts, each with its length before it, as hexadecimal digits.
pub(crate) fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize()
        .iter()
        .fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a String never fails");
            text
        })
}
