//! Plain manifests for `kubectl apply -f`, one environment in one namespace.
//!
//! Objects are built with the API's own types and written in the order in which a person would have; custom resources
//! (external secrets, scalers, certificates) follow the definitions of their operators. Nothing of a secret is in them:
//! they name keys of one Secret, and how that comes to be is the business of `kubernetes::secrets` and of a script.

pub(crate) mod cluster;
mod config;
mod ingress;
pub(crate) mod monitoring;
mod namespace;
mod object;
pub(crate) mod order;
mod pods;
mod policies;
mod probes;
mod rbac;
mod scaling;
pub(crate) mod scripts;
pub(crate) mod secrets;
mod services;
mod stores;
mod volumes;

use wharf_plan::model::{Check, Plan, Service, Source, StoreEngine, TargetKind, VolumeSource};

use crate::yaml::Yaml;
use crate::{Gap, Input, Rendered, Scope, Target, header, rendered};
use cluster::Cluster;
use config::Config;

pub(crate) use cluster::ACCOUNT;
pub(crate) use ingress::{NODE_HEALTH, NODE_PORT};
pub use object::{Object, Stage};
pub(crate) use stores::POOL_EXPORTER_PORT;

/// The target.
pub const TARGET: Target = Target {
    name: "kubernetes",
    summary: "plain manifests for kubectl apply",
    scope: Scope::Environment,
    applies: |input| applies(input.plan),
    make,
};

/// Whether an environment can run on a cluster.
pub(crate) fn applies(plan: &Plan) -> Result<(), &'static str> {
    match (&plan.environment, plan.target.kind) {
        // The file as it stands says what would run anywhere.
        (None, _) | (_, TargetKind::Kubernetes) => Ok(()),
        _ => Err("the environment does not run on Kubernetes"),
    }
}

/// What a plan becomes: objects in the order of their application, and what is not in them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Made {
    pub(crate) objects: Vec<Object>,
    pub(crate) gaps: Vec<Gap>,
}

impl Made {
    fn add(&mut self, object: Object) {
        self.objects.push(object);
    }

    /// Adds an object that several others share.
    fn add_once(&mut self, object: Object) {
        if !self.objects.contains(&object) {
            self.objects.push(object);
        }
    }

    fn gap(&mut self, what: impl Into<String>, why: impl Into<String>) {
        let (what, why) = (what.into(), why.into());
        self.gaps.push(Gap { what, why });
    }
}

/// The objects of a plan, in the order of their application.
#[must_use]
pub fn objects(plan: &Plan) -> Vec<Object> {
    made(plan, plan.kubernetes.gitops.is_some()).objects
}

/// Whether pods of a plan want volumes of the cluster.
pub(crate) fn has_volumes(plan: &Plan) -> bool {
    let claims = ["PersistentVolumeClaim", "StatefulSet"];
    // Prometheus and Loki keep what they gather.
    plan.kubernetes.monitoring
        || objects(plan)
            .iter()
            .any(|object| claims.contains(&object.kind()))
}

/// The objects of a plan and its gaps; `waves`: whether the objects say when Argo CD is to apply them, as they do in every
/// environment of a project of which one follows a repository.
pub(crate) fn made(plan: &Plan, waves: bool) -> Made {
    let cluster = Cluster { plan, waves };
    let config = Config::new(&cluster);
    let mut made = Made::default();
    made.objects.extend(namespace::objects(&cluster));
    made.objects.extend(rbac::objects(&cluster));
    made.objects.extend(policies::objects(&cluster));
    made.objects.extend(config.object(&cluster));
    made.objects.extend(secrets::objects(&cluster));
    made.objects.extend(volumes::objects(&cluster));
    for (name, store) in cluster.stores() {
        made.objects.extend(stores::objects(&cluster, name, store));
    }
    for (name, service) in &plan.services {
        if matches!(service.source, Source::Command) {
            made.gap(
                format!("services.{name}"),
                "it is a program of this machine: without `build` or `image` there is nothing that a cluster could run",
            );
            continue;
        }
        let objects = services::objects(&cluster, &config, name, service);
        made.objects.extend(objects);
    }
    ingress::objects(&cluster, &mut made);
    made.objects.extend(monitoring::objects(&cluster));
    // Stable: what belongs to one file stays in the order in which it was made.
    made.objects
        .sort_by(|a, b| (a.folder, a.stage, &a.file).cmp(&(b.folder, b.stage, &b.file)));
    if waves {
        for object in made.objects.iter_mut().filter(|o| o.folder.is_empty()) {
            let wave = if object.kind() == "PersistentVolumeClaim" {
                claim_wave(plan, object.name())
            } else {
                object.stage.wave()
            };
            if wave != 0 {
                object.annotate("argocd.argoproj.io/sync-wave", &wave.to_string());
            }
        }
    }
    gaps(&cluster, &config, &mut made);
    patch(plan, &mut made);
    made
}

/// Lays the patches over the objects, and not over the files: so the overlays and the chart have them as well.
fn patch(plan: &Plan, made: &mut Made) {
    for patch in &plan.patches {
        if patch.target != TARGET.name {
            continue;
        }
        let file = patch.path.split('#').next().unwrap_or_default();
        let objects = made.objects.iter_mut();
        let mut documents: Vec<&mut Yaml> = objects
            .filter(|object| object.path() == file)
            .map(|object| &mut object.yaml)
            .collect();
        if let Err(gap) = rendered::lay(patch, &mut documents) {
            made.gaps.push(gap);
        }
    }
}

/// The wave of a claim: that of the first pods which mount it. Many classes bind a volume only when a pod wants it, and
/// Argo CD waits for each wave to be healthy; what only a schedule mounts comes last, since nothing waits for that wave.
fn claim_wave(plan: &Plan, name: &str) -> i8 {
    let mounts = |service: &&Service| {
        let mut volumes = service.volumes.iter();
        volumes.any(|volume| matches!(&volume.source, VolumeSource::Named(n) if n.as_str() == name))
    };
    let mounting: Vec<&Service> = plan.services.values().filter(mounts).collect();
    let stage = if mounting.iter().any(|service| service.release.is_some()) {
        Stage::Release
    } else if mounting.iter().any(|service| service.schedule.is_none()) {
        Stage::Services
    } else {
        Stage::Edge
    };
    stage.wave()
}

/// Whether one environment of the project follows a repository.
pub(crate) fn waves(input: &Input<'_>) -> bool {
    let mut plans = input.environments.values().chain([input.base, input.plan]);
    plans.any(|plan| plan.kubernetes.gitops.is_some())
}

fn make(input: &Input<'_>, rendered: &mut Rendered) {
    let plan = input.plan;
    let made = made(plan, waves(input));
    rendered.patches_are_laid();
    let head = header(plan);
    let mut documents: Vec<Yaml> = vec![];
    let mut objects = made.objects.iter().peekable();
    while let Some(object) = objects.next() {
        documents.push(object.yaml.clone());
        let path = object.path();
        if objects.peek().is_none_or(|next| next.path() != path) {
            rendered.yaml(&path, &head, std::mem::take(&mut documents));
        }
    }
    scripts::add(&Cluster { plan, waves: false }, &made.objects, rendered);
    for gap in made.gaps {
        rendered.gap(gap.what, gap.why);
    }
}

/// What the model says and Kubernetes has no words for.
fn gaps(cluster: &Cluster<'_>, config: &Config, made: &mut Made) {
    let plan = cluster.plan;
    if plan.cloud.is_some() {
        made.gap(
            "cloud",
            format!(
                "the number of the AWS account is not in the file: {} stands for it, and deploy.sh fills it in",
                cluster::ACCOUNT
            ),
        );
    }
    if plan.kubernetes.monitoring && plan.environment.is_some() {
        made.gap(
            "kubernetes.monitoring",
            "the namespace `monitoring` watches one environment: of several on one cluster, the one that is applied last",
        );
    }
    for name in &config.unset {
        made.gap(
            format!("${{env.{name}}}"),
            "it has no default: set the key of the ConfigMap before it is applied",
        );
    }
    if plan
        .services
        .values()
        .any(|service| service.schedule.is_none() && !service.rollout.keep_old.is_zero())
    {
        made.gap(
            "services.*.rollout.keep_old",
            "Kubernetes keeps no replaced pods: `kubectl rollout undo` starts them anew",
        );
    }
    for (name, service) in &plan.services {
        let of = |what: &str| format!("services.{name}.{what}");
        if !service.env_files.is_empty() {
            made.gap(
                of("env_file"),
                "files of variables stay on the machine: put plain ones under `environment`, others under `secrets`",
            );
        }
        for volume in &service.volumes {
            if let VolumeSource::Path(path) = &volume.source {
                made.gap(
                    of(&format!("volumes `{path}`")),
                    "a folder of this machine is on no node of a cluster",
                );
            } else if !volume.shared && !services::is_alone(service) {
                made.gap(
                    of(&format!("volumes `{}`", volume.target)),
                    "it is not `shared`, so that all replicas have to be on one node",
                );
            }
        }
        if !service.ports.is_empty() && pods::pause(cluster, service).is_none() {
            made.gap(
                of("drain_timeout"),
                "the image has no shell, and before 1.30 nothing else can wait: the program has to finish its requests after SIGTERM by itself",
            );
        }
        if !service.static_files.is_empty() {
            made.gap(
                of("static_files"),
                "no web server stands before the pods: the service answers them itself, or a bucket does",
            );
        }
        let probes = &service.probes;
        for probe in [&probes.startup, &probes.readiness, &probes.liveness]
            .into_iter()
            .flatten()
        {
            if let Check::Http { status, .. } = &probe.check
                && *status != (200, 399)
            {
                made.gap(
                    of("probes"),
                    format!(
                        "the kubelet takes 200 to 399 for good, not {} to {}",
                        status.0, status.1
                    ),
                );
                break;
            }
        }
    }
    for (name, store) in cluster.stores() {
        if store.backups.is_none() || cluster.is_outside(name) {
            continue;
        }
        match store.engine {
            StoreEngine::Postgres if !stores::has_backup(cluster, name, store) => made.gap(
                format!("stores.{name}.backups"),
                "there is neither a volume (`backups.volume`) nor a bucket of the cloud to keep them",
            ),
            StoreEngine::Postgres => made.gap(
                format!("stores.{name}.backups"),
                "dumps only: for a point in time, let the cloud run the store (`cloud.stores: managed`)",
            ),
            StoreEngine::Redis => made.gap(
                format!("stores.{name}.backups"),
                "its snapshots are on its own volume: copy that with the snapshots of the storage class",
            ),
        }
    }
}

#[cfg(test)]
mod tests;
