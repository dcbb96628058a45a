//! The services of the plan: Deployments, Jobs, CronJobs and the Kubernetes Services before them.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, Job, JobSpec, JobTemplateSpec};
use k8s_openapi::api::core::v1::{
    PodSpec, PodTemplateSpec, Service as ApiService, ServiceAccount, ServicePort, ServiceSpec,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use wharf_base::ids::Name;
use wharf_base::units::Share;
use wharf_plan::model::{ExposeKind, Service, VolumeSource};

use super::cluster::{Cluster, suffixed};
use super::config::Config;
use super::ingress;
use super::object::{Object, Stage};
use super::pods::{self, port_name};
use super::probes::{command_line, seconds};
use super::scaling;
use crate::names;

/// Everything of one service.
pub(super) fn objects(
    cluster: &Cluster<'_>,
    config: &Config,
    name: &Name,
    service: &Service,
) -> Vec<Object> {
    let mut objects = vec![account(cluster, name, service)];
    if let Some(schedule) = cron_job(cluster, config, name, service) {
        objects.push(schedule);
        return objects;
    }
    objects.extend(release_job(cluster, config, name, service));
    objects.extend(deployment(cluster, config, name, service));
    objects.extend(api_service(cluster, name, service));
    objects.extend(scaling::objects(cluster, name, service));
    objects
}

fn account(cluster: &Cluster<'_>, name: &Name, service: &Service) -> Object {
    let mut metadata = cluster.meta(name.as_str(), name.as_str());
    let mut why = String::new();
    if !service.buckets.is_empty()
        && let Some(role) = cluster.role(name.as_str())
    {
        let buckets: Vec<&str> = service.buckets.iter().map(Name::as_str).collect();
        why = format!("Reads and writes the buckets: {}.", buckets.join(", "));
        let annotations = metadata.annotations.get_or_insert_default();
        annotations.insert("eks.amazonaws.com/role-arn".into(), role);
    }
    let account = ServiceAccount {
        metadata,
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    };
    Object::typed(Stage::Config, format!("{name}-serviceaccount"), &account)
        .comment("/metadata/annotations", why)
}

fn deployment(
    cluster: &Cluster<'_>,
    config: &Config,
    name: &Name,
    service: &Service,
) -> Option<Object> {
    let spec = pods::of_service(cluster, config, name, service)?;
    let rollout = &service.rollout;
    let alone = is_alone(service);
    let strategy = if alone {
        DeploymentStrategy {
            type_: Some("Recreate".to_owned()),
            rolling_update: None,
        }
    } else {
        DeploymentStrategy {
            type_: Some("RollingUpdate".to_owned()),
            rolling_update: Some(RollingUpdateDeployment {
                max_surge: Some(share(rollout.surge)),
                max_unavailable: Some(share(rollout.unavailable)),
            }),
        }
    };
    let mut pods = PodTemplateSpec {
        metadata: Some(cluster.pod_meta(name.as_str())),
        spec: Some(spec),
    };
    let mut annotations = BTreeMap::new();
    if let Some(checksum) = config.checksum(cluster, name) {
        annotations.insert("checksum/config".to_owned(), checksum);
    }
    if let Some(metadata) = &mut pods.metadata {
        metadata.annotations = (!annotations.is_empty()).then_some(annotations);
    }
    let mut metadata = cluster.meta(name.as_str(), name.as_str());
    let reads_secrets = cluster
        .variables(name, false)
        .iter()
        .any(|variable| variable.secrets().next().is_some());
    if reads_secrets {
        metadata.annotations = Some(BTreeMap::from([(
            "secret.reloader.stakater.com/reload".to_owned(),
            cluster.plan.kubernetes.secret.clone(),
        )]));
    }
    let deployment = Deployment {
        metadata,
        spec: Some(DeploymentSpec {
            replicas: match service.scale {
                Some(_) => None,
                None => i32::try_from(service.replicas).ok(),
            },
            min_ready_seconds: (!rollout.min_ready.is_zero()).then(|| seconds(rollout.min_ready)),
            progress_deadline_seconds: Some(
                // It has to be later than the time that a pod has to stay ready.
                seconds(rollout.progress_deadline.max(rollout.min_ready * 2)),
            ),
            revision_history_limit: Some(5),
            strategy: Some(strategy),
            selector: cluster.selector(name.as_str()),
            template: pods,
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    };
    let first = match &service.scale {
        Some(scale) => format!(
            "Their number is the autoscaler's, {} to {} (at first replicas: {}).",
            scale.min,
            scale.max,
            service.replicas.max(scale.min)
        ),
        None => String::new(),
    };
    let spec = "/spec/template/spec";
    let mut object = Object::typed(Stage::Services, format!("{name}-deployment"), &deployment)
        .comment(
            "/metadata/annotations/secret.reloader.stakater.com~1reload",
            "Reloader replaces the pods, one by one, when a secret was rotated.",
        )
        .comment(
            "/spec/template/metadata/annotations/checksum~1config",
            "Changes with the variables, so that the pods are replaced with them.",
        )
        .comment(
            &format!("{spec}/containers/0/startupProbe"),
            if service.probes.startup.is_none() {
                "Time to start: until it has passed, the others wait."
            } else {
                ""
            },
        )
        .comment(
            &format!("{spec}/containers/0/lifecycle"),
            "Still answers while the proxies hear that it leaves.",
        )
        .comment(
            &format!("{spec}/affinity"),
            "Not all on one node, nor in one zone.",
        );
    if alone {
        object = object.comment(
            "/spec/strategy",
            if service.singleton {
                "Never two at once: the old one stops before the new one starts."
            } else {
                "Its volume can be mounted by one node only."
            },
        );
    }
    if !first.is_empty() {
        let key = if service.rollout.min_ready.is_zero() {
            "progressDeadlineSeconds"
        } else {
            "minReadySeconds"
        };
        object = object.comment(&format!("/spec/{key}"), first);
    }
    Some(object)
}

/// Whether there must not be two: a singleton, or what owns a volume that only one node mounts.
pub(super) fn is_alone(service: &Service) -> bool {
    let private = service
        .volumes
        .iter()
        .any(|volume| matches!(volume.source, VolumeSource::Named(_)) && !volume.shared);
    service.singleton || private && service.replicas <= 1 && service.scale.is_none()
}

fn share(share: Share) -> IntOrString {
    match share {
        Share::Count(count) => IntOrString::Int(i32::try_from(count).unwrap_or(i32::MAX)),
        Share::Percent(percent) => IntOrString::String(format!("{percent}%")),
    }
}

/// What the Job of a release is called.
pub(super) fn release_name(name: &Name) -> String {
    suffixed(name, "release")
}

fn release_job(
    cluster: &Cluster<'_>,
    config: &Config,
    name: &Name,
    service: &Service,
) -> Option<Object> {
    let release = service.release.as_ref()?;
    let component = release_name(name);
    let command = Some(command_line(&release.command));
    let pod = pods::one_shot(cluster, config, name, service, command)?;
    let mut metadata = cluster.meta(&component, &component);
    if cluster.waves {
        let annotations = metadata.annotations.get_or_insert_default();
        annotations.insert("kustomize.toolkit.fluxcd.io/force".into(), "enabled".into());
        annotations.insert("argocd.argoproj.io/hook".into(), "Sync".into());
        annotations.insert(
            "argocd.argoproj.io/hook-delete-policy".into(),
            "BeforeHookCreation".into(),
        );
    }
    let job = Job {
        metadata,
        spec: Some(JobSpec {
            template: template(cluster, &component, pod),
            active_deadline_seconds: Some(i64::from(seconds(release.timeout))),
            ..job(2)
        }),
        ..Job::default()
    };
    Some(
        Object::typed(Stage::Release, format!("{component}-job"), &job)
            .comment(
                "/metadata/annotations",
                "A Job cannot be changed: each release replaces it.",
            )
            .comment(
                "/spec/ttlSecondsAfterFinished",
                "Kept for a day, to read its log.",
            ),
    )
}

/// What every Job says, with so many further attempts.
fn job(attempts: i32) -> JobSpec {
    JobSpec {
        backoff_limit: Some(attempts),
        ttl_seconds_after_finished: Some(86_400),
        ..JobSpec::default()
    }
}

fn template(cluster: &Cluster<'_>, component: &str, pod: PodSpec) -> PodTemplateSpec {
    PodTemplateSpec {
        metadata: Some(cluster.pod_meta(component)),
        spec: Some(pod),
    }
}

fn cron_job(
    cluster: &Cluster<'_>,
    config: &Config,
    name: &Name,
    service: &Service,
) -> Option<Object> {
    let schedule = service.schedule.as_ref()?;
    let command = pods::command(service);
    let pod = pods::one_shot(cluster, config, name, service, command)?;
    let deadline = schedule.timeout.map(|timeout| i64::from(seconds(timeout)));
    let cron = scheduled(cluster, name.as_str(), &schedule.cron, pod, deadline);
    Some(Object::typed(
        Stage::Services,
        format!("{name}-cronjob"),
        &cron,
    ))
}

/// A CronJob of `component`: never two runs at once, in UTC.
pub(super) fn scheduled(
    cluster: &Cluster<'_>,
    component: &str,
    cron: &str,
    pod: PodSpec,
    deadline: Option<i64>,
) -> CronJob {
    CronJob {
        // The controller adds eleven characters to the name of a run.
        metadata: cluster.meta(&names::dns_label(component, 52), component),
        spec: Some(CronJobSpec {
            schedule: cron.to_owned(),
            time_zone: Some("Etc/UTC".to_owned()),
            concurrency_policy: Some("Forbid".to_owned()),
            starting_deadline_seconds: Some(600),
            successful_jobs_history_limit: Some(3),
            failed_jobs_history_limit: Some(3),
            job_template: JobTemplateSpec {
                metadata: None,
                spec: Some(JobSpec {
                    template: template(cluster, component, pod),
                    active_deadline_seconds: deadline,
                    ..job(1)
                }),
            },
            ..CronJobSpec::default()
        }),
        ..CronJob::default()
    }
}

fn api_service(cluster: &Cluster<'_>, name: &Name, service: &Service) -> Option<Object> {
    if service.ports.is_empty() {
        return None;
    }
    let expose = service.expose.as_ref();
    let kind = expose.map_or(ExposeKind::ClusterIp, |expose| expose.kind);
    let ports = service
        .ports
        .keys()
        .map(|port| ServicePort {
            name: Some(port_name(port.as_str())),
            port: i32::from(cluster.service_port_of(service, port)),
            target_port: Some(IntOrString::String(port_name(port.as_str()))),
            node_port: expose
                .filter(|_| service.primary_port.as_ref() == Some(port))
                .and_then(|expose| expose.node_port)
                .map(i32::from),
            ..ServicePort::default()
        })
        .collect();
    let mut metadata = cluster.meta(&cluster.service_name(name), name.as_str());
    if kind == ExposeKind::LoadBalancer && cluster.is_eks() {
        metadata.annotations = Some(
            [
                ("type", "external"),
                ("nlb-target-type", "ip"),
                ("scheme", "internet-facing"),
            ]
            .map(|(key, value)| {
                let key = format!("service.beta.kubernetes.io/aws-load-balancer-{key}");
                (key, value.to_owned())
            })
            .into(),
        );
    }
    let sticky = ingress::service_annotations(cluster, name);
    if !sticky.is_empty() {
        metadata.annotations.get_or_insert_default().extend(sticky);
    }
    let made = ApiService {
        metadata,
        spec: Some(ServiceSpec {
            type_: Some(
                match kind {
                    ExposeKind::ClusterIp => "ClusterIP",
                    ExposeKind::NodePort => "NodePort",
                    ExposeKind::LoadBalancer => "LoadBalancer",
                }
                .to_owned(),
            ),
            external_traffic_policy: (kind == ExposeKind::LoadBalancer).then(|| "Local".to_owned()),
            selector: Some(names::selector(cluster.plan, name.as_str())),
            ports: Some(ports),
            ..ServiceSpec::default()
        }),
        ..ApiService::default()
    };
    Some(
        Object::typed(Stage::Services, format!("{name}-service"), &made).comment(
            "/spec/externalTrafficPolicy",
            "Keeps the address of the client.",
        ),
    )
}
