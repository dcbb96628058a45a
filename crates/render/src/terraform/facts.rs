//! What the modules depend on, asked of the plan once.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use wharf_base::ids::Name;
use wharf_plan::flows::{End, flows};
use wharf_plan::model::{
    Cloud, Compute, Database, IngressClass, Plan, Provision, SecretProvider, StoreEngine, StoresBy,
    Tls, Volume,
};

use crate::kubernetes::secrets::store_key;
use crate::{images, kubernetes, loki, names};

/// A managed store.
#[derive(Debug, Clone)]
pub(super) struct Managed<'a> {
    pub(super) name: &'a Name,
    pub(super) engine: StoreEngine,
    pub(super) database: &'a Database,
    /// How many days its backups are kept.
    pub(super) keep_days: u64,
    /// The services that talk to it.
    pub(super) callers: Vec<Name>,
}

impl Managed<'_> {
    pub(super) fn port(&self) -> u16 {
        match self.engine {
            StoreEngine::Postgres => 5432,
            StoreEngine::Redis => 6379,
        }
    }

    pub(super) fn title(&self) -> &'static str {
        match self.engine {
            StoreEngine::Postgres => "PostgreSQL",
            StoreEngine::Redis => "Redis",
        }
    }

    /// The module's folder.
    pub(super) fn folder(&self) -> &'static str {
        match self.engine {
            StoreEngine::Postgres => "rds",
            StoreEngine::Redis => "elasticache",
        }
    }
}

/// How HTTPS comes to the load balancer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Https {
    /// A certificate is requested for these hosts and proven in the zone; the first is its subject.
    Requested(Vec<String>),
    /// The certificate is there already.
    Given(String),
    /// Whoever applies may name one.
    Open,
}

/// The plan, as the modules see it.
#[derive(Debug, Clone)]
pub(super) struct Facts<'a> {
    pub(super) plan: &'a Plan,
    pub(super) cloud: &'a Cloud,
    /// The name that resources begin with, short enough for every suffix.
    pub(super) prefix: String,
    /// Managed stores, PostgreSQL first.
    pub(super) stores: Vec<Managed<'a>>,
    /// Repositories of the cloud's registry.
    pub(super) repositories: Vec<String>,
    /// Branches of environments and tags of versions, as Git names them: what images are pushed for.
    pub(super) image_refs: Vec<String>,
    /// Hosts of routes that lie in the zone.
    pub(super) hosts: Vec<String>,
    pub(super) https: Https,
    /// Secrets Manager's secrets by key.
    pub(super) secrets: BTreeMap<String, Kept>,
    /// Buckets of each service.
    pub(super) service_buckets: BTreeMap<Name, Vec<Name>>,
    /// PostgreSQL servers of the cluster that are dumped to the bucket of backups.
    pub(super) dumped: Vec<&'a Name>,
    /// Switches for the templates.
    pub(super) has: Has,
}

/// One secret of Secrets Manager: properties of a JSON, or one whole value (the empty property).
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    pub(super) descriptions: Vec<String>,
    /// Characters of what is made up.
    pub(super) generated: BTreeMap<String, u32>,
    /// Those of them that are made up again and again.
    pub(super) rotated: BTreeMap<String, u32>,
    pub(super) rotate_days: Option<u64>,
    /// What somebody has to put.
    pub(super) by_hand: Vec<String>,
}

/// What there is; also the names that templates ask for.
#[derive(Debug, Clone, Copy, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question that templates ask"
)]
pub(super) struct Has {
    pub(super) eks: bool,
    pub(super) ec2: bool,
    pub(super) nodes: bool,
    /// A load balancer of Terraform's; on EKS the cluster makes its own.
    pub(super) alb: bool,
    /// Whether the internet reaches it.
    pub(super) public: bool,
    pub(super) ingress_alb: bool,
    /// Whether the load balancer leads clients back to their machine; the ingress of a cluster does it itself.
    pub(super) sticky: bool,
    /// Subnets of the stores' own.
    pub(super) database: bool,
    pub(super) postgres: bool,
    pub(super) redis: bool,
    pub(super) buckets: bool,
    pub(super) service_buckets: bool,
    pub(super) ecr: bool,
    pub(super) efs: bool,
    pub(super) secrets: bool,
    pub(super) rotation: bool,
    pub(super) external_secrets: bool,
    /// What watches the cluster runs in it.
    pub(super) monitoring: bool,
    /// Loki of the cluster keeps logs in a bucket.
    pub(super) loki: bool,
    /// Jobs of the cluster that put dumps into a bucket.
    pub(super) dumps: bool,
    pub(super) recovery: bool,
    pub(super) backup: bool,
    pub(super) waf: bool,
    pub(super) bastion: bool,
    pub(super) dns: bool,
    pub(super) pipeline: bool,
    pub(super) provision: bool,
}

impl<'a> Facts<'a> {
    pub(super) fn new(plan: &'a Plan, cloud: &'a Cloud, branches: &BTreeSet<&str>) -> Self {
        let stores = managed(plan, cloud);
        let repositories: Vec<String> = match plan.images.registry {
            None => images::built(plan)
                .iter()
                .map(|image| image.repository.to_ascii_lowercase())
                .collect(),
            Some(_) => vec![],
        };
        // Machines of a group run the source itself.
        let repositories = if cloud.compute == Compute::Ec2 {
            vec![]
        } else {
            repositories
        };
        let branches = branches.iter();
        let image_refs = branches
            .map(|branch| format!("refs/heads/{branch}"))
            .chain(["refs/tags/v*".to_owned()])
            .collect();
        let hosts = hosts(plan, cloud);
        let https = https(plan, cloud, &hosts);
        let service_buckets = service_buckets(plan, cloud);
        let mut secrets = secrets(plan);
        let postgres = stores
            .iter()
            .any(|store| store.engine == StoreEngine::Postgres);
        let redis = stores
            .iter()
            .any(|store| store.engine == StoreEngine::Redis);
        let eks = cloud.compute == Compute::Eks;
        let shared = |volume: &Volume| volume.shared;
        let efs = eks
            && plan
                .services
                .values()
                .any(|service| service.volumes.iter().any(shared));
        let external = plan.secret_store.provider == SecretProvider::AwsSecretsManager;
        if eks && plan.kubernetes.monitoring {
            let grafana = secrets.entry(store_key(plan, "grafana")).or_default();
            let about = "The password of Grafana's administrator".to_owned();
            grafana.descriptions.push(about);
            grafana.generated.insert("password".to_owned(), 24);
        }
        let has_secrets = external && !secrets.is_empty();
        let ingress_alb = eks && plan.kubernetes.ingress == IngressClass::Alb;
        let dumped = dumped(plan, cloud);
        let has = Has {
            eks,
            ec2: cloud.compute == Compute::Ec2,
            nodes: cloud.compute == Compute::Nodes,
            alb: !eks,
            public: cloud.load_balancer.public,
            ingress_alb,
            sticky: cloud.compute == Compute::Ec2
                && plan.services.keys().any(|name| plan.is_sticky(name)),
            database: !cloud.network.database.is_empty(),
            postgres,
            redis,
            buckets: !cloud.buckets.is_empty(),
            service_buckets: !service_buckets.is_empty(),
            ecr: !repositories.is_empty(),
            efs,
            secrets: has_secrets,
            rotation: has_secrets && secrets.values().any(|kept| !kept.rotated.is_empty()),
            external_secrets: eks && external && (has_secrets || postgres || redis),
            monitoring: eks && plan.kubernetes.monitoring,
            loki: eks && plan.kubernetes.monitoring && logs(cloud).is_some(),
            dumps: !dumped.is_empty(),
            recovery: cloud.recovery_region.is_some(),
            backup: postgres || efs,
            waf: !eks || ingress_alb,
            bastion: cloud.bastion.is_some(),
            dns: cloud.dns_zone.is_some() && !hosts.is_empty(),
            pipeline: cloud.repository.is_some(),
            provision: plan
                .pipeline
                .as_ref()
                .is_some_and(|pipeline| pipeline.provision == Some(Provision::Terraform)),
        };
        Self {
            plan,
            cloud,
            prefix: names::prefix(&cloud.prefix),
            stores,
            repositories,
            image_refs,
            hosts,
            https,
            secrets: if has_secrets {
                secrets
            } else {
                BTreeMap::new()
            },
            service_buckets,
            dumped,
            has,
        }
    }

    /// The bucket that dumps go to.
    pub(super) fn backups(&self) -> Name {
        let found = self
            .cloud
            .buckets
            .keys()
            .find(|name| name.as_str() == BACKUPS);
        found.unwrap_or(&self.plan.name).clone()
    }

    /// The bucket that Loki keeps logs in.
    pub(super) fn logs(&self) -> Option<&Name> {
        logs(self.cloud).filter(|_| self.has.loki)
    }

    /// The environment's name.
    pub(super) fn environment(&self) -> String {
        let environment = self.plan.environment.as_ref();
        environment.map_or_else(|| "default".to_owned(), ToString::to_string)
    }

    /// `resource` or `resource_STORE`, if there are several of its kind.
    pub(super) fn module_of(&self, store: &Managed<'_>) -> String {
        let alike = self
            .stores
            .iter()
            .filter(|other| other.engine == store.engine);
        if alike.count() == 1 {
            store.folder().to_owned()
        } else {
            format!(
                "{}_{}",
                store.folder(),
                names::identifier(store.name.as_str())
            )
        }
    }

    /// What the machines are called in security groups.
    pub(super) fn machines(&self) -> &'static str {
        if self.has.nodes { "nodes" } else { "app" }
    }

    /// The subnets of stores: an output of the VPC.
    pub(super) fn store_subnets(&self) -> &'static str {
        if self.has.database {
            "module.vpc.database_subnet_ids"
        } else {
            "module.vpc.private_subnet_ids"
        }
    }

    /// The port on which machines take requests from the load balancer: Nginx, or the cluster's ingress.
    pub(super) fn app_port(&self) -> u32 {
        if self.has.nodes {
            kubernetes::NODE_PORT.into()
        } else {
            80
        }
    }

    /// What the load balancer asks them: the cluster's ingress knows paths of services only with their host.
    pub(super) fn health_path(&self) -> &str {
        if self.has.nodes {
            kubernetes::NODE_HEALTH
        } else {
            &self.cloud.load_balancer.health.path
        }
    }

    /// The longest that a replica may take to finish its requests.
    pub(super) fn drain_seconds(&self) -> u64 {
        let services = self.plan.services.values();
        services
            .map(|service| service.drain_timeout.as_secs())
            .max()
            .unwrap_or(30)
    }

    /// How long a request may be silent, at most what a load balancer allows.
    pub(super) fn idle_seconds(&self) -> u64 {
        let routes = self.plan.routes.iter();
        let longest = routes
            .map(|route| route.limits.idle_timeout.as_secs())
            .max();
        longest.unwrap_or(60).clamp(1, 4000)
    }

    /// Requests of one address within five minutes that are let through.
    pub(super) fn rate_limit(&self) -> u64 {
        /// The shortest that a WAF takes, and its longest.
        const BOUNDS: (u64, u64) = (10, 2_000_000_000);
        let routes = self.plan.routes.iter();
        let rates = routes.filter_map(|route| route.limits.rate.as_ref());
        let most = rates
            .map(|rate| rate.per_second() * 300.0)
            .fold(0.0, f64::max);
        if most <= 0.0 {
            return 10_000;
        }
        format!("{most:.0}")
            .parse::<u64>()
            .unwrap_or(BOUNDS.1)
            .clamp(BOUNDS.0, BOUNDS.1)
    }

    /// The group that VPC flow logs go to.
    pub(super) fn flow_log_group(&self) -> String {
        let named = self.cloud.log_groups.iter().find(|name| is_flow_log(name));
        named
            .cloned()
            .unwrap_or_else(|| format!("/aws/vpc/{}/flowlogs", self.prefix))
    }

    /// How many days CloudWatch keeps logs.
    pub(super) fn log_days(&self) -> u64 {
        days(self.cloud.log_retention)
    }
}

/// Whole days, at least one.
pub(super) fn days(duration: std::time::Duration) -> u64 {
    (duration.as_secs() / 86_400).max(1)
}

/// Whether a log group is meant for VPC flow logs.
pub(super) fn is_flow_log(name: &str) -> bool {
    name.starts_with("/aws/vpc/")
}

/// The purpose of the bucket that dumps go to.
const BACKUPS: &str = "backups";

/// The purpose of the bucket that logs go to, which Loki's configuration looks for too.
fn logs(cloud: &Cloud) -> Option<&Name> {
    cloud
        .buckets
        .keys()
        .find(|name| name.as_str() == loki::BUCKET)
}

fn dumped<'a>(plan: &'a Plan, cloud: &Cloud) -> Vec<&'a Name> {
    if cloud.compute != Compute::Eks
        || cloud.stores != StoresBy::Cluster
        || !cloud.buckets.contains_key(BACKUPS)
    {
        return vec![];
    }
    let stores = plan.stores.iter().filter(|(_, store)| {
        store.engine == StoreEngine::Postgres
            && store.backups.is_some()
            && store.backup_volume.is_none()
            && store.external_url.is_none()
    });
    stores.map(|(name, _)| name).collect()
}

fn managed<'a>(plan: &'a Plan, cloud: &'a Cloud) -> Vec<Managed<'a>> {
    if cloud.stores != StoresBy::Managed {
        return vec![];
    }
    let flows = flows(plan);
    let mut stores: Vec<Managed<'a>> = cloud
        .databases
        .iter()
        .filter_map(|(name, database)| {
            let store = plan.stores.get(name)?;
            let callers = flows
                .iter()
                .filter(|flow| flow.to == End::Store(name.clone()));
            Some(Managed {
                name,
                engine: store.engine,
                database,
                keep_days: store
                    .backups
                    .as_ref()
                    .map_or(7, |backups| days(backups.keep))
                    .min(35),
                callers: callers
                    .filter_map(|flow| match &flow.from {
                        End::Service(service) => Some(service.clone()),
                        _ => None,
                    })
                    .collect(),
            })
        })
        .collect();
    stores.sort_by_key(|store| store.engine != StoreEngine::Postgres);
    stores
}

fn hosts(plan: &Plan, cloud: &Cloud) -> Vec<String> {
    let Some(zone) = &cloud.dns_zone else {
        return vec![];
    };
    let inside = |host: &str| host == zone || host.ends_with(&format!(".{zone}"));
    let hosts: BTreeSet<&String> = plan
        .routes
        .iter()
        .filter_map(|route| route.host.as_ref())
        .filter(|host| inside(host))
        .collect();
    hosts.into_iter().cloned().collect()
}

fn https(plan: &Plan, cloud: &Cloud, hosts: &[String]) -> Https {
    match &cloud.load_balancer.certificate {
        Some(arn) if arn.starts_with("arn:") => Https::Given(arn.clone()),
        Some(name) if cloud.dns_zone.is_some() && !hosts.is_empty() => {
            let others = hosts.iter().filter(|host| *host != name);
            Https::Requested(std::iter::once(name).chain(others).cloned().collect())
        }
        None if !hosts.is_empty() && plan.routes.iter().any(|route| route.tls == Tls::Auto) => {
            Https::Requested(hosts.to_vec())
        }
        _ => Https::Open,
    }
}

fn service_buckets(plan: &Plan, cloud: &Cloud) -> BTreeMap<Name, Vec<Name>> {
    let mut used = BTreeMap::new();
    for (name, service) in &plan.services {
        let buckets: BTreeSet<&Name> = service
            .buckets
            .iter()
            .filter(|bucket| cloud.buckets.contains_key(*bucket))
            .collect();
        if !buckets.is_empty() {
            used.insert(name.clone(), buckets.into_iter().cloned().collect());
        }
    }
    used
}

fn secrets(plan: &Plan) -> BTreeMap<String, Kept> {
    let mut secrets: BTreeMap<String, Kept> = BTreeMap::new();
    for (name, secret) in &plan.secrets {
        let kept = secrets.entry(secret.key.clone()).or_default();
        let property = secret.property.clone().unwrap_or_default();
        let about = secret
            .description
            .clone()
            .unwrap_or_else(|| format!("`{name}`"));
        kept.descriptions.push(about);
        match (secret.generate, secret.rotate) {
            (Some(length), rotate) => {
                kept.generated.insert(property.clone(), length);
                if let Some(rotate) = rotate {
                    kept.rotated.insert(property, length);
                    // Secrets Manager rotates once in at most 1,000 days.
                    let days = days(rotate).min(1000);
                    kept.rotate_days = Some(kept.rotate_days.map_or(days, |all| all.min(days)));
                }
            }
            (None, _) => kept.by_hand.push(property),
        }
    }
    secrets
}
