//! `cloud`.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_base::ids::Name;
use wharf_base::units::Percent;
use wharf_spec::diagnostic::{Code, Diagnostic};
use wharf_spec::model as spec;
use wharf_spec::span::{Field, Spanned};

use super::Resolver;
use super::names::{LABEL_MAX, PREFIX_MAX, cloud_name, joined, prefix};
use crate::model::{
    Alarms, Cloud, Compute, Database, ParameterValue, Protection, Provider, RemoteState, Route,
    Service, Stacks, Store, StoresBy, TargetKind,
};
use crate::template::{Field as StoreField, Part, Reference};

const DAY: Duration = Duration::from_secs(86_400);
const LOG_RETENTION: Duration = Duration::from_secs(30 * 86_400);
/// How many days CloudWatch may keep logs (`PutRetentionPolicy`).
const LOG_DAYS: [u64; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

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
        if let Some(typed) = typed.prefix.get()
            && (typed.value.as_str().len() > PREFIX_MAX || typed.value.as_str().contains("--"))
        {
            let message = format!(
                "expected at most {PREFIX_MAX} characters without `--`, so that every name that begins so is one of AWS's"
            );
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                typed.span.clone(),
                message,
            ));
        }
        for typed in typed
            .stacks
            .value()
            .iter()
            .flat_map(|stacks| [&stacks.role, &stacks.infrastructure])
        {
            self.begins_with_letter(typed, "stack");
        }
        let prefix = typed.prefix.value().map_or_else(
            || prefix(&[self.project(), self.environment_name()]),
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
        if environment.target.key_span().is_some() && environment.target.get().is_none() {
            return;
        }
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
}

fn place(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Local => "on this machine",
        TargetKind::Compose => "on one machine with Compose",
        TargetKind::Kubernetes => "on Kubernetes",
        TargetKind::Ec2 => "on instances of EC2",
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
        name.map_or_else(
            || cloud_name(&[prefix, suffix], LABEL_MAX),
            ToString::to_string,
        )
    };
    Stacks {
        role: named(typed.and_then(|typed| typed.role.value()), "role"),
        infrastructure: named(
            typed.and_then(|typed| typed.infrastructure.value()),
            "infrastructure",
        ),
    }
}
