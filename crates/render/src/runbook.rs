//! The runbook of an environment: what is done when something is wrong, as commands with the environment's own names.
//!
//! It is prose, so it comes from a template; what is asked of the plan is decided here, in `facts`.

use std::collections::BTreeMap;

use serde::Serialize;
use wharf_base::duration;
use wharf_base::ids::Name;
use wharf_plan::model::{
    Bucket, Check, Cloud, Compute, Deploy, IngressClass, Plan, Probes, ScaleSource, SecretProvider,
    StoreEngine, StoresBy, TargetKind,
};
use wharf_plan::pipeline::{self, ClusterAccess};

use crate::{Input, Rendered, Scope, Target, header, kubernetes, machine, names, template};

/// The target.
pub const TARGET: Target = Target {
    name: "runbook",
    summary: "what to do when something is wrong, as commands",
    scope: Scope::Environment,
    applies: |input| match input.plan.target.kind {
        TargetKind::Kubernetes | TargetKind::Ec2 => Ok(()),
        TargetKind::Local | TargetKind::Compose => Err(
            "the environment runs on one machine: `wharf ps`, `wharf logs` and `wharf rollout undo` are its runbook",
        ),
    },
    make,
};

fn make(input: &Input<'_>, rendered: &mut Rendered) {
    rendered.add(
        "runbook.md",
        template::fill(include_str!("runbook/runbook.md.in"), facts(input)),
    );
}

/// What the template asks.
#[derive(Debug, Serialize)]
struct Facts {
    header: String,
    project: String,
    release: String,
    environment: Option<String>,
    base_url: Option<String>,
    namespace: String,
    /// Whether it runs on a cluster; else on machines of an auto-scaling group.
    kubernetes: bool,
    alb: bool,
    eks: Option<Eks>,
    helm: bool,
    monitoring: bool,
    sealed: bool,
    external_secrets: bool,
    deployments: Vec<String>,
    scaled: Vec<Scaled>,
    /// Whether KEDA scales anything: what waits in a queue.
    keda: bool,
    /// How many replicas a service has at first.
    replicas: BTreeMap<String, u32>,
    /// The service that a problem shows at first.
    first: Option<String>,
    /// What its probe asks for.
    health: String,
    /// Whether machines that Ansible joins are the cluster.
    nodes: bool,
    /// Port and path that the load balancer asks such machines for.
    node_health: String,
    databases: Vec<Database>,
    caches: Vec<Database>,
    cloud: Option<CloudFacts>,
    terraform: String,
    recovery: String,
    secrets: Vec<SecretFacts>,
}

#[derive(Debug, Serialize)]
struct Eks {
    cluster: String,
    region: String,
}

#[derive(Debug, Serialize)]
struct Scaled {
    name: String,
    min: u32,
    max: u32,
}

#[derive(Debug, Serialize)]
struct SecretFacts {
    name: String,
    rotate: Option<String>,
}

#[derive(Debug, Serialize)]
struct Database {
    name: String,
    /// Whether the cloud runs it.
    managed: bool,
    identifier: String,
    user: String,
    database: String,
    multi_az: bool,
    replica: bool,
    keep: Option<String>,
    /// Whether the cluster's dumps lie in a bucket; else on a volume.
    bucket: Option<String>,
    /// The SSM parameter that holds its host, for machines.
    parameter: Option<String>,
    services: Vec<String>,
}

#[derive(Debug, Serialize)]
struct CloudFacts {
    region: String,
    recovery_region: Option<String>,
    prefix: String,
    group: String,
    min: u32,
    max: u32,
    cpu: String,
    grace: String,
    alb: String,
    target_group: String,
    interval: String,
    health: String,
    bastion: bool,
    endpoints: String,
    buckets: Vec<String>,
    parameters: Vec<String>,
    log_groups: Vec<String>,
    log_group: String,
    state: String,
    stack: String,
    role_stack: String,
    revision: String,
    /// Whether the pipeline brings the script that replaces the machines.
    refresh: bool,
    database_identifiers: Vec<String>,
}

fn facts(input: &Input<'_>) -> Facts {
    let plan = input.plan;
    let cloud = plan.cloud.as_ref();
    let kubernetes = plan.target.kind == TargetKind::Kubernetes;
    let stores = |engine: StoreEngine| -> Vec<Database> {
        let of_engine = plan
            .stores
            .keys()
            .filter(|name| plan.stores[*name].engine == engine);
        of_engine.map(|name| database(plan, name)).collect()
    };
    let eks = match pipeline::access(plan) {
        Some(ClusterAccess::Eks { cluster, region }) => Some(Eks { cluster, region }),
        _ => None,
    };
    let first = plan
        .routes
        .iter()
        .flat_map(|route| route.paths.iter())
        .find_map(|(_, action)| match action {
            wharf_plan::model::RouteAction::Service { service, .. } => Some(service.to_string()),
            wharf_plan::model::RouteAction::Redirect { .. } => None,
        })
        .or_else(|| plan.services.keys().next().map(Name::to_string));
    Facts {
        header: header(plan),
        project: plan.name.to_string(),
        release: pipeline::helm_release(&plan.name),
        environment: plan.environment.as_ref().map(Name::to_string),
        base_url: pipeline::base_url(plan),
        namespace: plan.kubernetes.namespace.clone(),
        kubernetes,
        alb: !kubernetes || plan.kubernetes.ingress == IngressClass::Alb,
        eks,
        helm: pipeline::method(plan) == Deploy::Helm,
        monitoring: plan.kubernetes.monitoring,
        sealed: plan.secret_store.provider == SecretProvider::SealedSecrets,
        external_secrets: kubernetes
            && plan.secret_store.provider == SecretProvider::AwsSecretsManager,
        deployments: pipeline::deployments(plan).map(Name::to_string).collect(),
        scaled: plan
            .services
            .iter()
            .filter_map(|(name, service)| {
                let scale = service.scale.as_ref()?;
                Some(Scaled {
                    name: name.to_string(),
                    min: scale.min,
                    max: scale.max,
                })
            })
            .collect(),
        keda: plan.services.values().any(|service| {
            let mut metrics = service.scale.iter().flat_map(|scale| &scale.metrics);
            metrics.any(|metric| matches!(metric.source, ScaleSource::Queue { .. }))
        }),
        replicas: plan
            .services
            .iter()
            .map(|(name, service)| (name.to_string(), service.replicas))
            .collect(),
        health: first
            .as_ref()
            .and_then(|first| {
                plan.services
                    .iter()
                    .find(|(name, _)| name.as_str() == first)
            })
            .and_then(|(_, service)| path(&service.probes))
            .unwrap_or("/")
            .to_owned(),
        nodes: cloud.is_some_and(|cloud| cloud.compute == Compute::Nodes),
        node_health: format!("{}{}", kubernetes::NODE_PORT, kubernetes::NODE_HEALTH),
        first,
        databases: stores(StoreEngine::Postgres),
        caches: stores(StoreEngine::Redis),
        cloud: cloud.map(|cloud| cloud_facts(plan, cloud)),
        terraform: pipeline::folder("terraform", plan.environment.as_ref()),
        recovery: plan.pipeline.as_ref().map_or_else(
            || "30m".to_owned(),
            |pipeline| duration::format(pipeline.goals.time_to_recovery),
        ),
        secrets: plan
            .secrets
            .iter()
            .map(|(name, secret)| SecretFacts {
                name: name.to_string(),
                rotate: secret.rotate.map(duration::format),
            })
            .collect(),
    }
}

/// What a probe of a service asks for.
fn path(probes: &Probes) -> Option<&str> {
    let probe = probes.readiness.as_ref().or(probes.liveness.as_ref())?;
    match &probe.check {
        Check::Http { path, .. } => Some(path),
        _ => None,
    }
}

fn database(plan: &Plan, name: &Name) -> Database {
    let store = &plan.stores[name];
    let managed = plan
        .cloud
        .as_ref()
        .filter(|cloud| cloud.stores == StoresBy::Managed)
        .and_then(|cloud| cloud.databases.get(name));
    let cloud = plan.cloud.as_ref();
    let bucket = cloud
        .filter(|_| store.backup_volume.is_none())
        .and_then(|cloud| {
            let backups = cloud
                .buckets
                .iter()
                .find(|(name, _)| name.as_str() == "backups")?;
            Some(bucket_name(plan, backups.1))
        });
    // On a cluster user and database are called as the project.
    let own = names::identifier(plan.name.as_str());
    let end = wharf_plan::flows::End::Store(name.clone());
    let services = wharf_plan::flows::callers(plan, &end)
        .into_iter()
        .filter_map(|end| match end {
            wharf_plan::flows::End::Service(name) => Some(name.to_string()),
            _ => None,
        })
        .collect();
    Database {
        name: name.to_string(),
        managed: managed.is_some(),
        identifier: managed
            .map_or_else(|| name.to_string(), |database| database.identifier.clone()),
        user: managed.map_or_else(|| own.clone(), |database| database.user.clone()),
        database: managed.map_or_else(|| own.clone(), |database| database.database.clone()),
        multi_az: managed.is_some_and(|database| database.multi_az),
        replica: managed.is_some_and(|database| database.replica_zone.is_some()),
        keep: store
            .backups
            .as_ref()
            .map(|backups| duration::format(backups.keep)),
        bucket,
        parameter: cloud
            .filter(|_| plan.target.kind == TargetKind::Ec2)
            .map(|cloud| machine::endpoint_parameter(cloud, name)),
        services,
    }
}

fn cloud_facts(plan: &Plan, cloud: &Cloud) -> CloudFacts {
    let health = &cloud.load_balancer.health;
    let group = if cloud.compute == Compute::Ec2 {
        machine::group_name(cloud)
    } else {
        cloud.nodes.name.clone()
    };
    CloudFacts {
        region: cloud.region.clone(),
        recovery_region: cloud.recovery_region.clone(),
        prefix: cloud.prefix.clone(),
        group,
        min: cloud.nodes.min,
        max: cloud.nodes.max,
        cpu: cloud.nodes.cpu.to_string(),
        grace: format!("{} s", cloud.nodes.grace.as_secs()),
        alb: format!("{}-alb", cloud.prefix),
        target_group: format!("{}-app", cloud.prefix),
        interval: duration::format(health.interval),
        health: health.path.clone(),
        bastion: cloud.bastion.is_some(),
        endpoints: cloud.network.endpoints.join(", "),
        buckets: cloud
            .buckets
            .values()
            .map(|bucket| bucket_name(plan, bucket))
            .collect(),
        parameters: cloud.parameters.keys().cloned().collect(),
        log_groups: cloud.log_groups.clone(),
        log_group: machine::log_group(plan, cloud),
        state: cloud.state.bucket.clone(),
        stack: cloud.stacks.infrastructure.clone(),
        role_stack: cloud.stacks.role.clone(),
        revision: format!(
            "/{}/{}/revision",
            plan.name,
            plan.environment.as_ref().map_or("", Name::as_str)
        ),
        refresh: plan.target.branch.is_some() && pipeline::method(plan) == Deploy::InstanceRefresh,
        database_identifiers: cloud
            .databases
            .iter()
            .filter(|(name, _)| {
                plan.stores
                    .get(*name)
                    .is_some_and(|store| store.engine == StoreEngine::Postgres)
            })
            .map(|(_, database)| database.identifier.clone())
            .collect(),
    }
}

/// A bucket's name for a shell, in which `account` holds the number of the account.
fn bucket_name(plan: &Plan, bucket: &Bucket) -> String {
    let environment = plan.environment.as_ref().map_or("", Name::as_str);
    bucket
        .name
        .replace("{environment}", environment)
        .replace("{project}", plan.name.as_str())
        .replace("{account}", "${account}")
}
