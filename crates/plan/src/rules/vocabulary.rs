//! Who exposes what where a plan runs: which series tell of a service, and which jobs are scraped.

use std::collections::BTreeSet;
use std::time::Duration;

use wharf_base::ids::Name;
use wharf_base::units::Percent;

use crate::model::{
    Check, IngressClass, Plan, Probe, RouteAction, ScaleSource, Service, StoreEngine, StoresBy,
    TargetKind, Thresholds, Tls,
};
use crate::template::{Field, Part, Reference};

/// The job of the postgres exporter.
pub const POSTGRES_EXPORTER: &str = "postgres-exporter";
/// The job of the redis exporter.
pub const REDIS_EXPORTER: &str = "redis-exporter";
/// The job of the PgBouncer exporter.
pub const PGBOUNCER_EXPORTER: &str = "pgbouncer-exporter";

/// A plan, seen by what can be known of it while it runs.
#[derive(Debug, Clone)]
pub struct Vocabulary<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The value of the label `namespace`.
    pub namespace: &'a str,
    /// Services that tell of their own requests.
    pub measured: Vec<&'a Name>,
    /// Services whose requests the ingress counts.
    pub fronted: Vec<&'a Name>,
}

/// Series that count requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Requests<'a> {
    /// The counter.
    pub counter: &'static str,
    /// The histogram of seconds, without `_bucket`.
    pub histogram: &'static str,
    /// The label that carries the HTTP status.
    pub status: &'static str,
    /// The services that it knows.
    pub services: Vec<&'a Name>,
    /// A matcher that leaves out what no user asks of this plan: probes and scrapes, other namespaces. Empty: nothing is
    /// left out.
    pub users: String,
}

impl Requests<'_> {
    /// The labels of an example's series before those that differ: an endpoint that users ask.
    pub(super) fn example_endpoint(&self) -> &'static str {
        if self.users.starts_with("endpoint") {
            "endpoint=\"/a\", "
        } else {
            ""
        }
    }

    /// The matchers for all its services, or for one, and `further` ones.
    #[must_use]
    pub fn matchers(&self, service: Option<&Name>, further: &str) -> String {
        let services = match service {
            Some(service) => one_of("service", [service.as_str()]),
            None => one_of("service", self.services.iter().map(|name| name.as_str())),
        };
        [services, self.users.clone(), further.to_owned()]
            .into_iter()
            .filter(|matcher| !matcher.is_empty())
            .collect::<Vec<_>>()
            .join(", ")
    }
}

impl<'a> Vocabulary<'a> {
    /// What is known of `plan` while it runs.
    #[must_use]
    pub fn of(plan: &'a Plan) -> Self {
        let measured: Vec<&Name> = plan
            .services
            .iter()
            .filter(|(_, service)| service.metrics.is_some() && service.schedule.is_none())
            .map(|(name, _)| name)
            .collect();
        let routed: BTreeSet<&Name> = plan
            .routes
            .iter()
            .flat_map(|route| route.paths.values())
            .filter_map(|action| match action {
                RouteAction::Service { service, .. } => Some(service),
                RouteAction::Redirect { .. } => None,
            })
            .collect();
        let mut words = Self {
            plan,
            namespace: &plan.kubernetes.namespace,
            measured,
            fronted: vec![],
        };
        if words.ingress().is_some() {
            let unmeasured = routed.into_iter();
            words.fronted = unmeasured
                .filter(|name| !words.measured.contains(name))
                .collect();
        }
        words
    }

    /// When the built-in alerts fire.
    #[must_use]
    pub fn thresholds(&self) -> &'a Thresholds {
        &self.plan.telemetry.thresholds
    }

    /// Whether it runs on a cluster.
    #[must_use]
    pub fn on_kubernetes(&self) -> bool {
        self.plan.target.kind == TargetKind::Kubernetes
    }

    /// Whether containers are measured by cAdvisor.
    #[must_use]
    pub fn has_containers(&self) -> bool {
        matches!(
            self.plan.target.kind,
            TargetKind::Kubernetes | TargetKind::Compose
        )
    }

    /// Whether it runs here, where the engine tells of replicas and releases itself.
    #[must_use]
    pub fn on_this_machine(&self) -> bool {
        self.plan.target.kind == TargetKind::Local
    }

    /// What tells series of replicas from others of cAdvisor's names; none: replicas are not measured. Where the engine measures
    /// its own, there are no containers without a service, and no label `container`.
    #[must_use]
    pub fn replicas(&self) -> Option<&'static str> {
        match self.plan.target.kind {
            TargetKind::Kubernetes | TargetKind::Compose => Some("container!=\"\", service!=\"\""),
            TargetKind::Local => Some("service!=\"\""),
            TargetKind::Ec2 => None,
        }
    }

    /// How many replicas of a service are wanted, and how many are available, where anything tells.
    #[must_use]
    pub fn replica_counts(&self) -> Option<(&'static str, &'static str)> {
        match self.plan.target.kind {
            TargetKind::Kubernetes => Some((
                "kube_deployment_spec_replicas",
                "kube_deployment_status_replicas_available",
            )),
            TargetKind::Local => Some((
                "wharf_service_replicas_wanted",
                "wharf_service_replicas_available",
            )),
            TargetKind::Compose | TargetKind::Ec2 => None,
        }
    }

    /// Counter, histogram and status label of the ingress, where it has any: an AWS load balancer tells CloudWatch only,
    /// and the Nginx of an instance counts no requests by status.
    #[must_use]
    pub fn ingress(&self) -> Option<(&'static str, &'static str, &'static str)> {
        match self.plan.target.kind {
            TargetKind::Local => Some((
                "wharf_ingress_requests_total",
                "wharf_ingress_request_duration_seconds",
                "code",
            )),
            TargetKind::Compose => Some((
                "traefik_service_requests_total",
                "traefik_service_request_duration_seconds",
                "code",
            )),
            TargetKind::Kubernetes => match self.plan.kubernetes.ingress {
                IngressClass::Nginx => Some((
                    "nginx_ingress_controller_requests",
                    "nginx_ingress_controller_request_duration_seconds",
                    "status",
                )),
                IngressClass::Alb => None,
            },
            TargetKind::Ec2 => None,
        }
        .filter(|_| !self.plan.routes.is_empty())
    }

    /// Open connections of clients, as the ingress counts them.
    #[must_use]
    pub fn connections(&self) -> Option<&'static str> {
        self.ingress().map(|_| match self.plan.target.kind {
            TargetKind::Kubernetes => {
                "sum(nginx_ingress_controller_nginx_process_connections{state=\"active\"})"
            }
            TargetKind::Compose => "sum(traefik_open_connections)",
            TargetKind::Local | TargetKind::Ec2 => "sum(wharf_ingress_connections)",
        })
    }

    /// Everything that counts requests: the services themselves, and the ingress for those that do not.
    #[must_use]
    pub fn requests(&self) -> Vec<Requests<'a>> {
        let mut all = vec![];
        if !self.measured.is_empty() {
            all.push(Requests {
                counter: "http_requests_total",
                histogram: "http_request_duration_seconds",
                status: "status",
                services: self.measured.clone(),
                users: self.users(),
            });
        }
        if let (Some((counter, histogram, status)), false) =
            (self.ingress(), self.fronted.is_empty())
        {
            all.push(Requests {
                counter,
                histogram,
                status,
                services: self.fronted.clone(),
                // A cluster's ingress counts the requests of every namespace.
                users: if self.on_kubernetes() {
                    one_of("namespace", [self.namespace])
                } else {
                    String::new()
                },
            });
        }
        all
    }

    /// What counts the requests of one service.
    #[must_use]
    pub fn requests_of(&self, service: &Name) -> Option<Requests<'a>> {
        let mut all = self.requests().into_iter();
        all.find(|requests| requests.services.contains(&service))
    }

    /// Matches what users ask: without it, probes that always pass would hide failures.
    fn users(&self) -> String {
        let services = self.measured.iter().filter_map(|name| {
            let service = self.plan.services.get(*name)?;
            Some(paths(service))
        });
        let paths: BTreeSet<&str> = services.flatten().collect();
        if paths.is_empty() {
            return String::new();
        }
        let escaped: Vec<String> = paths.into_iter().map(escaped).collect();
        format!("endpoint!~\"{}\"", escaped.join("|"))
    }

    /// The stores of one engine.
    pub fn stores(&self, engine: StoreEngine) -> impl Iterator<Item = &'a Name> + use<'a> {
        let stores = self.plan.stores.iter();
        stores
            .filter(move |(_, store)| store.engine == engine)
            .map(|(name, _)| name)
    }

    /// The stores behind a pool of connections that Wharf runs: on a cluster; elsewhere programs connect themselves.
    #[must_use]
    pub fn pooled(&self) -> Vec<&'a Name> {
        let stores = self.plan.stores.iter();
        stores
            .filter(|(_, store)| store.pool.is_some() && self.on_kubernetes())
            .map(|(name, _)| name)
            .collect()
    }

    /// The stores that the cluster itself runs.
    #[must_use]
    pub fn clustered(&self) -> Vec<&'a Name> {
        let managed = self
            .plan
            .cloud
            .as_ref()
            .is_some_and(|cloud| cloud.stores == StoresBy::Managed);
        if managed || !self.on_kubernetes() {
            return vec![];
        }
        let stores = self.plan.stores.iter();
        stores
            .filter(|(_, store)| store.external_url.is_none())
            .map(|(name, _)| name)
            .collect()
    }

    /// The clustered stores that are dumped by a CronJob.
    #[must_use]
    pub fn backed_up(&self) -> Vec<&'a Name> {
        let mut stores = self.clustered();
        stores.retain(|name| {
            let store = self.plan.stores.get(*name);
            store.is_some_and(|store| {
                store.backups.is_some() && store.engine == StoreEngine::Postgres
            })
        });
        stores
    }

    /// Services that an autoscaler owns on a cluster.
    #[must_use]
    pub fn scaled(&self) -> Vec<&'a Name> {
        if !self.on_kubernetes() {
            return vec![];
        }
        let services = self.plan.services.iter();
        services
            .filter(|(_, service)| service.scale.is_some())
            .map(|(name, _)| name)
            .collect()
    }

    /// Services that run all the time.
    #[must_use]
    pub fn lasting(&self) -> Vec<&'a Name> {
        let services = self.plan.services.iter();
        services
            .filter(|(_, service)| service.schedule.is_none())
            .map(|(name, _)| name)
            .collect()
    }

    /// Whether the ingress of a cluster serves certificates.
    #[must_use]
    pub fn serves_certificates(&self) -> bool {
        self.on_kubernetes()
            && self.plan.kubernetes.ingress == IngressClass::Nginx
            && self.plan.routes.iter().any(|route| route.tls == Tls::Auto)
    }

    /// Every job that is scraped, in the order of the scrape configuration.
    #[must_use]
    pub fn jobs(&self) -> Vec<&'a str> {
        let mut jobs: Vec<&str> = vec!["prometheus"];
        jobs.extend(self.measured.iter().map(|name| name.as_str()));
        if self.ingress().is_some() {
            jobs.push("ingress");
        }
        jobs.push("node-exporter");
        if self.has_containers() {
            jobs.push("cadvisor");
        }
        if self.on_kubernetes() {
            jobs.extend(["kubelet", "kube-state-metrics", "apiserver"]);
        }
        if self.stores(StoreEngine::Postgres).next().is_some() {
            jobs.push(POSTGRES_EXPORTER);
        }
        if !self.pooled().is_empty() {
            jobs.push(PGBOUNCER_EXPORTER);
        }
        if self.stores(StoreEngine::Redis).next().is_some() {
            jobs.push(REDIS_EXPORTER);
        }
        jobs
    }
}

/// The Redis lists that autoscalers watch in `store`, as the redis exporter's `--check-single-keys` wants them: `db1=celery`.
#[must_use]
pub fn watched_keys(plan: &Plan, store: &Name) -> Vec<String> {
    let lists = watched_lists(plan, store);
    let key = |(database, list)| format!("db{database}={list}");
    let mut keys: Vec<String> = lists.into_iter().map(key).collect();
    keys.sort();
    keys
}

/// The Redis lists that autoscalers watch in `store`, each with the number of its database.
#[must_use]
pub fn watched_lists<'a>(plan: &'a Plan, store: &Name) -> BTreeSet<(u32, &'a str)> {
    queues(plan)
        .into_iter()
        .filter(|(_, of, _, _)| *of == store)
        .map(|(service, _, list, _)| {
            let database = plan.services.get(service);
            let database = database.map_or(0, |service| queue_database(service, store));
            (database, list)
        })
        .collect()
}

/// Which database of a Redis holds a service's queue: the number behind the store's URL in a variable that is called as a
/// broker or a queue (`${cache.url}/1`), else in any.
fn queue_database(service: &Service, store: &Name) -> u32 {
    let numbered = service.environment.iter().filter_map(|(name, value)| {
        let [
            Part::Reference(Reference::Field {
                of,
                field: Field::Url,
            }),
            Part::Text(text),
        ] = value.parts.as_slice()
        else {
            return None;
        };
        let number: u32 = text.strip_prefix('/')?.parse().ok()?;
        let queue = ["BROKER", "QUEUE", "JOBS"]
            .iter()
            .any(|word| name.contains(word));
        (of == store).then_some((!queue, number))
    });
    numbered.min().map_or(0, |(_, number)| number)
}

/// The queues that autoscalers watch: service, store, list, and how many jobs the service carries at its largest.
#[must_use]
pub fn queues(plan: &Plan) -> Vec<(&Name, &Name, &str, f64)> {
    let mut queues = vec![];
    for (name, service) in &plan.services {
        let Some(scale) = &service.scale else {
            continue;
        };
        for metric in &scale.metrics {
            if let ScaleSource::Queue { store, list } = &metric.source {
                let most = metric.target * f64::from(scale.max);
                queues.push((name, store, list.as_str(), most));
            }
        }
    }
    queues
}

/// The CronJob that dumps a store.
#[must_use]
pub fn backup_job(store: &Name) -> String {
    format!("{store}-backup")
}

/// A matcher for one of `values`: `=` for one, `=~` for several.
#[must_use]
pub fn one_of<'t>(label: &str, values: impl IntoIterator<Item = &'t str>) -> String {
    let values: Vec<&str> = values.into_iter().collect();
    match values.as_slice() {
        [only] => format!("{label}=\"{only}\""),
        many => format!("{label}=~\"{}\"", many.join("|")),
    }
}

/// A duration in PromQL: `5m`, `1h`.
#[must_use]
pub fn range(duration: Duration) -> String {
    wharf_base::duration::format(duration)
}

/// A share as a number of PromQL: 5% is `0.05`.
#[must_use]
pub fn fraction(percent: Percent) -> String {
    percent.fraction().to_string()
}

/// The paths that probes and scrapes ask.
fn paths(service: &Service) -> Vec<&str> {
    let probes = [
        &service.probes.startup,
        &service.probes.readiness,
        &service.probes.liveness,
    ];
    let probed = probes.into_iter().flatten().filter_map(|probe: &Probe| {
        let Check::Http { path, .. } = &probe.check else {
            return None;
        };
        path.split('?').next()
    });
    let scraped = service.metrics.iter().map(|metrics| metrics.path.as_str());
    // Where the front page is the probe, it is also what users ask.
    probed.chain(scraped).filter(|path| *path != "/").collect()
}

/// A text as a regular expression within a PromQL string.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if "\\.+*?()|[]{}^$".contains(c) {
            out.push_str("\\\\");
        }
        if c == '"' {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
