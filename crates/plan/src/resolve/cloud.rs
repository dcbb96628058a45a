//! `cloud`.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_base::ids::Name;
use wharf_base::units::{Bytes, Percent};
use wharf_spec::diagnostic::{Code, Diagnostic};
use wharf_spec::model as spec;
use wharf_spec::span::{Field, Span, Spanned};

use super::Resolver;
use super::names::{LABEL_MAX, joined};
use crate::model::{
    Alarms, Bastion, Bucket, Check, Cloud, Compute, Database, LoadBalancer, Network, Nodes,
    ParameterValue, Plan, Protection, Provider, RemoteState, Route, RouteAction, Service, Stacks,
    Store, StoresBy, TargetHealth, TargetKind,
};
use crate::template::{Field as StoreField, Part, Reference};

const DAY: Duration = Duration::from_secs(86_400);
const LOG_RETENTION: Duration = Duration::from_secs(30 * 86_400);
/// How many days CloudWatch may keep logs (`PutRetentionPolicy`).
const LOG_DAYS: [u64; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];
/// Two vCPUs and 4 GiB: what a cluster's own parts leave room beside.
const INSTANCE: &str = "t3.medium";
const BASTION: &str = "t3.micro";
/// One for each zone.
const NODES_MIN: u32 = 2;
const DISK: Bytes = Bytes(50 << 30);
const CPU: Percent = Percent::whole(70);
/// As an auto-scaling group has it.
const GRACE: Duration = Duration::from_secs(300);
/// The longest part of a bucket's name before the account's twelve digits (S3: 63 characters).
const BUCKET_MAX: usize = LABEL_MAX - 13;

/// What of the plan the cloud follows from.
pub(super) struct Application<'p> {
    pub(super) services: &'p BTreeMap<Name, Service>,
    pub(super) stores: &'p BTreeMap<Name, Store>,
    pub(super) routes: &'p [Route],
}

impl Resolver<'_> {
    /// The cloud of the environment; none where it runs on one machine.
    pub(super) fn cloud(
        &mut self,
        kind: TargetKind,
        application: &Application<'_>,
    ) -> Option<Cloud> {
        self.check_cloud_target(kind);
        let elsewhere = matches!(kind, TargetKind::Local | TargetKind::Compose);
        if self.environment.is_some() && elsewhere {
            return None;
        }
        let typed = self.spec.cloud.value()?;
        let region = typed
            .region
            .value()
            .map(|region| region.0.clone())
            .unwrap_or_default();
        let compute = self.compute(typed, kind);
        let stores = match typed.stores.value() {
            Some(spec::StoresBy::Cluster) => StoresBy::Cluster,
            Some(spec::StoresBy::Managed) | None => StoresBy::Managed,
        };
        if let (Some(typed), Compute::Ec2, StoresBy::Cluster) =
            (typed.stores.get(), compute, stores)
        {
            let message = "there is no cluster that could run the stores";
            self.report(
                Diagnostic::error(Code::NOT_HERE, typed.span.clone(), message)
                    .help("use `stores: managed`"),
            );
        }
        if let (Some(recovery), Some(region)) = (typed.recovery_region.get(), typed.region.value())
            && recovery.value == *region
        {
            let message = "the second region is the first one";
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                recovery.span.clone(),
                message,
            ));
        }
        let prefix = typed.prefix.value().map_or_else(
            || joined(&[self.project(), self.environment_name()], LABEL_MAX),
            ToString::to_string,
        );
        let network = self.network(typed.network.value(), &region, compute);
        let databases = self.databases(typed, stores, application.stores, &network, &prefix);
        if let Some(zone) = typed.dns_zone.get()
            && zone.value.0.starts_with("*.")
        {
            let message = "a zone has no `*`";
            self.report(
                Diagnostic::error(Code::BAD_VALUE, zone.span.clone(), message).help(format!(
                    "did you mean `{}`?",
                    zone.value.0.trim_start_matches("*.")
                )),
            );
        }
        Some(Cloud {
            provider: Provider::Aws,
            recovery_region: typed.recovery_region.value().map(|region| region.0.clone()),
            compute,
            stores,
            nodes: self.nodes(typed, &prefix, compute),
            buckets: self.buckets(typed, &prefix),
            load_balancer: self.load_balancer(typed, application),
            bastion: self.bastion(typed, &network),
            dns_zone: typed.dns_zone.value().map(|zone| zone.0.clone()),
            protection: protection(typed.protection.value()),
            log_retention: self.log_retention(typed),
            log_groups: typed
                .log_groups
                .value()
                .map(|groups| groups.0.iter().map(|group| group.value.0.clone()).collect())
                .unwrap_or_default(),
            alarms: alarms(typed.alarms.value()),
            parameters: self.parameters(typed, &databases),
            budget: typed.budget.value().map(|budget| budget.0),
            tags: typed
                .tags
                .value()
                .map(|table| table.entries.as_slice())
                .unwrap_or_default()
                .iter()
                .filter_map(|tag| {
                    Some((tag.key.value.0.clone(), tag.value.as_ref()?.value.0.clone()))
                })
                .collect(),
            state: self.state(typed),
            stacks: stacks(typed, &prefix),
            key_name: typed.key_name.value().map(|key| key.0.clone()),
            repository: typed
                .repository
                .value()
                .map(|repository| repository.0.clone()),
            region,
            network,
            databases,
            prefix,
        })
    }

    /// A section that an environment's target has no use for is an error, unless it is the file's own.
    fn check_cloud_target(&mut self, kind: TargetKind) {
        let Some(environment) = self.environment else {
            return;
        };
        let local = matches!(kind, TargetKind::Local | TargetKind::Compose);
        let sections = [
            ("cloud", environment.cloud.key_span(), local),
            (
                "kubernetes",
                environment.kubernetes.key_span(),
                kind != TargetKind::Kubernetes,
            ),
        ];
        for (section, span, useless) in sections {
            let (Some(span), true) = (span, useless) else {
                continue;
            };
            let message = format!(
                "`{section}` has no meaning for an environment that runs {}",
                place(kind)
            );
            let diagnostic = Diagnostic::error(Code::NOT_HERE, span.clone(), message);
            self.report(match environment.target.get() {
                Some(target) => diagnostic.related(target.span.clone(), "it runs there"),
                None => {
                    diagnostic.help("give the environment a `target`, such as `target: kubernetes`")
                }
            });
        }
        if kind == TargetKind::Ec2
            && self.spec.cloud.is_absent()
            && let Some(target) = environment.target.get()
        {
            let message = "the target ec2 needs a `cloud`";
            self.report(
                Diagnostic::error(Code::MISSING_KEY, target.span.clone(), message)
                    .help("for example `cloud: { region: us-east-1 }`"),
            );
        }
    }

    fn compute(&mut self, typed: &spec::Cloud, kind: TargetKind) -> Compute {
        let default = match kind {
            TargetKind::Ec2 => Compute::Ec2,
            TargetKind::Local | TargetKind::Compose | TargetKind::Kubernetes => Compute::Eks,
        };
        let compute = match typed.compute.value() {
            Some(spec::Compute::Eks) => Compute::Eks,
            Some(spec::Compute::Ec2) => Compute::Ec2,
            Some(spec::Compute::Nodes) => Compute::Nodes,
            None => default,
        };
        let wrong = match kind {
            TargetKind::Ec2 => (compute != Compute::Ec2).then_some("`compute: ec2`"),
            TargetKind::Kubernetes => {
                (compute == Compute::Ec2).then_some("`compute: eks` or `compute: nodes`")
            }
            TargetKind::Local | TargetKind::Compose => None,
        };
        if let (Some(typed), Some(right)) = (typed.compute.get(), wrong) {
            let message = format!("an environment that runs {} needs {right}", place(kind));
            let diagnostic = Diagnostic::error(Code::NOT_HERE, typed.span.clone(), message);
            let target = self
                .environment
                .and_then(|environment| environment.target.get());
            self.report(match target {
                Some(target) => diagnostic.related(target.span.clone(), "it runs there"),
                None => diagnostic,
            });
        }
        compute
    }

    fn nodes(&mut self, cloud: &spec::Cloud, prefix: &str, compute: Compute) -> Nodes {
        let absent = spec::Nodes::default();
        let typed = cloud.nodes.value().unwrap_or(&absent);
        self.check_machine(&typed.instance, "");
        let min = typed.min.value().map_or(NODES_MIN, |min| min.0);
        let min = match (&typed.min.value(), typed.max.value()) {
            // Who says the most alone may mean fewer than the default.
            (None, Some(max)) => min.min(max.0),
            _ => min,
        };
        let desired = typed.desired.value().map_or_else(
            || {
                min.max(1)
                    .min(typed.max.value().map_or(u32::MAX, |max| max.0))
            },
            |desired| desired.0,
        );
        let max = typed
            .max
            .value()
            .map_or_else(|| (2 * min).max(desired), |max| max.0);
        let order = [
            (
                "min",
                min,
                "desired",
                desired,
                typed.min.get().map(|count| &count.span),
            ),
            (
                "desired",
                desired,
                "max",
                max,
                typed.desired.get().map(|count| &count.span),
            ),
            (
                "min",
                min,
                "max",
                max,
                typed.min.get().map(|count| &count.span),
            ),
        ];
        for (less, low, more, high, span) in order {
            let span = span.or(typed.max.get().map(|count| &count.span));
            if let (true, Some(span)) = (low > high, span) {
                let message = format!("`{less}` {low} is above `{more}` {high}");
                self.report(Diagnostic::error(Code::BAD_VALUE, span.clone(), message));
                break;
            }
        }
        if let Some(disk) = typed.disk.get()
            && !(8 << 30..=16 << 40).contains(&disk.value.0)
        {
            let message = "expected a disk from 8Gi to 16Ti";
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                disk.span.clone(),
                message,
            ));
        }
        let text = |typed: Option<String>, default: String| typed.unwrap_or(default);
        let fetched = (compute == Compute::Ec2)
            .then(|| cloud.repository.value())
            .flatten()
            .map(|repository| format!("https://github.com/{}.git", repository.0));
        Nodes {
            name: text(
                typed.name.value().map(ToString::to_string),
                joined(&[prefix, "nodes"], LABEL_MAX),
            ),
            cluster: text(
                typed.cluster.value().map(ToString::to_string),
                prefix.to_owned(),
            ),
            instance: text(
                typed.instance.value().map(|machine| machine.0.clone()),
                INSTANCE.to_owned(),
            ),
            min,
            desired,
            max,
            disk: typed.disk.value().copied().unwrap_or(DISK),
            image: typed.image.value().map(|image| image.0.clone()),
            cpu: typed.cpu.value().copied().unwrap_or(CPU),
            grace: typed.grace.value().copied().unwrap_or(GRACE),
            spot: typed.spot.value().copied().unwrap_or(false),
            source: typed
                .source
                .value()
                .map(|source| source.0.clone())
                .or(fetched),
        }
    }

    fn buckets(&mut self, cloud: &spec::Cloud, prefix: &str) -> BTreeMap<Name, Bucket> {
        let entries = cloud
            .buckets
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        let mut names: BTreeMap<String, &Span> = BTreeMap::new();
        let mut buckets = BTreeMap::new();
        for entry in entries {
            let Some(typed) = entry.value.as_ref().map(|typed| &typed.value) else {
                continue;
            };
            let archive_after_days = self.days(&typed.archive_after);
            let expire_after_days = self.days(&typed.expire_after);
            if let (Some(archive), Some(expire), Some(span)) = (
                archive_after_days,
                expire_after_days,
                typed.expire_after.get(),
            ) && expire <= archive
            {
                let message = "objects are deleted before they go to cheaper storage";
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    span.span.clone(),
                    message,
                ));
            }
            let default = || {
                let stem = joined(&[prefix, entry.key.value.as_str()], BUCKET_MAX);
                format!("{stem}-{{account}}")
            };
            let name = typed
                .name
                .value()
                .map_or_else(default, |name| name.0.clone());
            if let Some(first) = names.insert(name.clone(), &entry.key.span) {
                let message = format!("two buckets are called `{name}`");
                self.report(
                    Diagnostic::error(Code::DUPLICATE_NAME, entry.key.span.clone(), message)
                        .related(first.clone(), "the first one"),
                );
            }
            let bucket = Bucket {
                name,
                versioned: typed.versioned.value().copied().unwrap_or(true),
                archive_after_days,
                expire_after_days,
            };
            buckets.insert(entry.key.value.clone(), bucket);
        }
        buckets
    }

    /// A time that is counted in days.
    fn days(&mut self, typed: &Field<Duration>) -> Option<u32> {
        let typed = typed.get()?;
        let whole =
            typed.value.as_secs().is_multiple_of(DAY.as_secs()) && typed.value.subsec_nanos() == 0;
        if typed.value < DAY || !whole {
            let message = "expected whole days, such as 30d";
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                typed.span.clone(),
                message,
            ));
        }
        u32::try_from(typed.value.as_secs() / DAY.as_secs()).ok()
    }

    fn load_balancer(
        &mut self,
        cloud: &spec::Cloud,
        application: &Application<'_>,
    ) -> LoadBalancer {
        let absent = spec::LoadBalancer::default();
        let typed = cloud.load_balancer.value().unwrap_or(&absent);
        let no_health = spec::TargetHealth::default();
        let health = typed.health.value().unwrap_or(&no_health);
        let interval = health
            .interval
            .value()
            .copied()
            .unwrap_or(Duration::from_secs(30));
        let timeout = health
            .timeout
            .value()
            .copied()
            .unwrap_or(Duration::from_secs(5));
        // Elastic Load Balancing: 5 to 300 s between two checks, 2 to 120 s for one.
        let bounds = [(&health.interval, 5, 300), (&health.timeout, 2, 120)];
        for (field, least, most) in bounds {
            if let Some(typed) = field.get()
                && !(Duration::from_secs(least)..=Duration::from_secs(most)).contains(&typed.value)
            {
                let message = format!("expected a time from {least}s to {most}s");
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    typed.span.clone(),
                    message,
                ));
            }
        }
        if let (Some(typed), true) = (
            health.timeout.get().or(health.interval.get()),
            timeout >= interval,
        ) {
            let message = "a check has to end before the next one: `timeout` is below `interval`";
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                typed.span.clone(),
                message,
            ));
        }
        let in_zone = cloud.dns_zone.value().and_then(|zone| {
            let suffix = format!(".{}", zone.0);
            let hosts = application
                .routes
                .iter()
                .filter_map(|route| route.host.as_ref());
            hosts
                .into_iter()
                .find(|host| **host == zone.0 || host.ends_with(&suffix))
                .cloned()
        });
        LoadBalancer {
            public: typed.public.value().copied().unwrap_or(true),
            certificate: typed
                .certificate
                .value()
                .map(|certificate| certificate.0.clone())
                .or(in_zone),
            health: TargetHealth {
                path: health
                    .path
                    .value()
                    .map_or_else(|| health_path(application), |path| path.0.clone()),
                interval,
                timeout,
                healthy: health.healthy.value().map_or(2, |count| count.0),
                unhealthy: health.unhealthy.value().map_or(2, |count| count.0),
            },
        }
    }

    fn bastion(&mut self, cloud: &spec::Cloud, network: &Network) -> Option<Bastion> {
        let typed = cloud.bastion.value()?;
        self.check_machine(&typed.instance, "");
        self.check_zone(&typed.zone, network);
        Some(Bastion {
            instance: typed
                .instance
                .value()
                .map_or_else(|| BASTION.to_owned(), |machine| machine.0.clone()),
            zone: typed
                .zone
                .value()
                .map(|zone| zone.0.clone())
                .or(network.zones.first().cloned())?,
        })
    }

    fn log_retention(&mut self, cloud: &spec::Cloud) -> Duration {
        let Some(typed) = cloud.log_retention.get() else {
            return LOG_RETENTION;
        };
        let seconds = typed.value.as_secs();
        if !LOG_DAYS.iter().any(|days| days * DAY.as_secs() == seconds) {
            let near = LOG_DAYS
                .iter()
                .min_by_key(|days| (*days * DAY.as_secs()).abs_diff(seconds));
            let message = "CloudWatch keeps logs for certain numbers of days only";
            self.report(
                Diagnostic::error(Code::BAD_VALUE, typed.span.clone(), message)
                    .help(format!("did you mean `{}d`?", near.unwrap_or(&LOG_DAYS[5]))),
            );
        }
        typed.value
    }

    fn parameters(
        &mut self,
        cloud: &spec::Cloud,
        databases: &BTreeMap<Name, Database>,
    ) -> BTreeMap<String, ParameterValue> {
        let entries = cloud
            .parameters
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        let mut parameters = BTreeMap::new();
        for entry in entries {
            let key = &entry.key.value.0;
            let inner = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
            if !key.starts_with('/') || !key.bytes().all(inner) || key.ends_with('/') {
                let message = "expected the name of a parameter such as /shop/db";
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    entry.key.span.clone(),
                    message,
                ));
            }
            let Some(value) = &entry.value else { continue };
            let text = Spanned::new(value.value.0.clone(), value.span.clone());
            let template = self.template(&text);
            let held = match template.parts.as_slice() {
                [
                    Part::Reference(Reference::Field {
                        of,
                        field: StoreField::Host,
                    }),
                ] => {
                    self.check_managed(of, &value.span, databases);
                    ParameterValue::StoreEndpoint(of.clone())
                }
                [Part::Text(text)] => ParameterValue::Text(text.clone()),
                _ => {
                    let message = "a parameter is a text, or the address of a store alone";
                    self.report(
                        Diagnostic::error(Code::BAD_REFERENCE, value.span.clone(), message)
                            .help("for example `${db.host}`"),
                    );
                    continue;
                }
            };
            parameters.insert(key.clone(), held);
        }
        parameters
    }

    fn state(&mut self, cloud: &spec::Cloud) -> RemoteState {
        let typed = cloud.state.value();
        let bucket = typed.and_then(|typed| typed.bucket.get());
        if let Some(bucket) = bucket
            && bucket.value.0.contains('{')
        {
            let message =
                "Terraform reads this name before it knows anything that could be filled in";
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                bucket.span.clone(),
                message,
            ));
        }
        let project = self.project();
        RemoteState {
            bucket: bucket.map_or_else(
                || joined(&[project, "terraform-state"], LABEL_MAX),
                |bucket| bucket.value.0.clone(),
            ),
            lock_table: typed
                .and_then(|typed| typed.lock_table.value())
                .map_or_else(
                    || joined(&[project, "terraform-locks"], LABEL_MAX),
                    |table| table.0.clone(),
                ),
        }
    }

    /// Buckets that services name and the cloud does not have.
    pub(super) fn check_buckets(&mut self, plan: &Plan) {
        let Some(cloud) = &plan.cloud else { return };
        let spec = self.spec;
        let entries = spec
            .services
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        let typed = spec.cloud.value().and_then(|cloud| cloud.buckets.value());
        for entry in entries {
            let buckets = entry
                .value
                .as_ref()
                .and_then(|typed| typed.value.buckets.value());
            for bucket in buckets.map(|list| list.0.as_slice()).unwrap_or_default() {
                let mentioned = typed.is_some_and(|table| table.mentions(bucket.value.as_str()));
                if mentioned || self.findings.is_full() {
                    continue;
                }
                let message = format!("the cloud has no bucket `{}`", bucket.value);
                let diagnostic =
                    Diagnostic::error(Code::UNKNOWN_NAME, bucket.span.clone(), message);
                let names = cloud.buckets.keys().map(Name::as_str);
                self.report(super::services::suggested(
                    diagnostic,
                    bucket.value.as_str(),
                    names,
                ));
            }
        }
    }
}

fn place(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Local => "on this machine",
        TargetKind::Compose => "on one machine with Compose",
        TargetKind::Kubernetes => "on Kubernetes",
        TargetKind::Ec2 => "on instances of EC2",
    }
}

/// The path that the readiness probe of the service at `/` asks for.
fn health_path(application: &Application<'_>) -> String {
    let behind = |action: Option<&RouteAction>| match action? {
        RouteAction::Service { service, .. } => application.services.get(service),
        RouteAction::Redirect { .. } => None,
    };
    let front = application
        .routes
        .iter()
        .find_map(|route| behind(route.paths.get("/")));
    let any = || {
        application
            .routes
            .iter()
            .find_map(|route| behind(route.paths.values().next()))
    };
    match front
        .or_else(any)
        .and_then(|service| service.probes.readiness.as_ref())
    {
        Some(probe) => match &probe.check {
            Check::Http { path, .. } => path.clone(),
            Check::Tcp { .. } | Check::Exec { .. } => "/".to_owned(),
        },
        None => "/".to_owned(),
    }
}

fn protection(typed: Option<&spec::Protection>) -> Protection {
    let absent = spec::Protection::default();
    let typed = typed.unwrap_or(&absent);
    let on = |field: &Field<bool>| field.value().copied().unwrap_or(true);
    Protection {
        flow_logs: on(&typed.flow_logs),
        waf: on(&typed.waf),
        encryption: on(&typed.encryption),
        secrets_manager: on(&typed.secrets_manager),
        backup: on(&typed.backup),
    }
}

fn alarms(typed: Option<&spec::Alarms>) -> Alarms {
    let absent = spec::Alarms::default();
    let typed = typed.unwrap_or(&absent);
    Alarms {
        email: typed.email.value().map(|email| email.0.clone()),
        cpu: typed.cpu.value().copied().unwrap_or(Percent::whole(80)),
        cpu_hold: typed
            .cpu_for
            .value()
            .copied()
            .unwrap_or(Duration::from_secs(600)),
    }
}

fn stacks(cloud: &spec::Cloud, prefix: &str) -> Stacks {
    let typed = cloud.stacks.value();
    let named = |name: Option<&Name>, suffix| {
        name.map_or_else(|| joined(&[prefix, suffix], LABEL_MAX), ToString::to_string)
    };
    Stacks {
        role: named(typed.and_then(|typed| typed.role.value()), "role"),
        infrastructure: named(
            typed.and_then(|typed| typed.infrastructure.value()),
            "infrastructure",
        ),
    }
}
