//! Pods: what every one of them is made of, and those of the services.

use std::time::Duration;

use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, Container, ContainerPort, EmptyDirVolumeSource, ExecAction, Lifecycle,
    LifecycleHandler, PersistentVolumeClaimVolumeSource, PodAffinityTerm, PodAntiAffinity,
    PodSecurityContext, PodSpec, SeccompProfile, SecurityContext, SleepAction,
    TopologySpreadConstraint, Volume, VolumeMount, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use wharf_base::ids::Name;
use wharf_plan::model::{IngressClass, Probe, Service, VolumeSource};

use super::cluster::{Cluster, has_shell, mount_path, requirements};
use super::config::{Config, value};
use super::probes::{command_line, probe, seconds};
use crate::dockerfile::runtime::{self, Runtime};
use crate::names;

/// The user that images of services run as.
pub(super) const USER: i64 = 1000;

/// Nothing that a program does not need: neither root nor rights to become it.
pub(super) fn pod_security(user: i64, owns_volumes: bool) -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(user),
        run_as_group: Some(user),
        fs_group: owns_volumes.then_some(user),
        // Without this a large volume is walked through at each start.
        fs_group_change_policy: owns_volumes.then(|| "OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            localhost_profile: None,
        }),
        ..PodSecurityContext::default()
    }
}

/// A file system that cannot be written to, and no capability.
pub(super) fn container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities {
            drop: Some(vec!["ALL".to_owned()]),
            add: None,
        }),
        ..SecurityContext::default()
    }
}

/// A pod of one container, without volumes of its own.
pub(super) fn simple_pod(account: &str, user: i64, container: Container) -> PodSpec {
    PodSpec {
        service_account_name: Some(account.to_owned()),
        automount_service_account_token: Some(false),
        security_context: Some(pod_security(user, false)),
        containers: vec![container],
        ..PodSpec::default()
    }
}

/// A folder that is empty at each start, of at most `size`.
pub(super) fn scratch(name: &str, size: &str) -> Volume {
    Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            size_limit: Some(Quantity(size.to_owned())),
            medium: None,
        }),
        ..Volume::default()
    }
}

/// A claim as a volume.
pub(super) fn claim(name: &str, claim: &str) -> Volume {
    Volume {
        name: name.to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: claim.to_owned(),
            read_only: None,
        }),
        ..Volume::default()
    }
}

/// Where a volume is seen.
pub(super) fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        ..VolumeMount::default()
    }
}

/// A port of a container.
pub(super) fn container_port(name: &str, number: u16) -> ContainerPort {
    ContainerPort {
        name: Some(port_name(name)),
        container_port: i32::from(number),
        ..ContainerPort::default()
    }
}

/// The name of a port: at most 15 characters.
pub(super) fn port_name(name: &str) -> String {
    names::dns_label(name, 15)
}

/// The pods of a service.
pub(super) fn of_service(
    cluster: &Cluster<'_>,
    config: &Config,
    name: &Name,
    service: &Service,
) -> Option<PodSpec> {
    let (volumes, mounts) = volumes(service);
    let mut container = container(cluster, config, name, service)?;
    container.volume_mounts = (!mounts.is_empty()).then_some(mounts);
    let claims = volumes
        .iter()
        .any(|volume| volume.persistent_volume_claim.is_some());
    let pause = pause(cluster, service);
    let grace = seconds(service.drain_timeout + service.stop_timeout);
    let many = !service.singleton && service.scale.as_ref().map_or(service.replicas, |s| s.max) > 1;
    Some(PodSpec {
        service_account_name: Some(name.to_string()),
        automount_service_account_token: Some(false),
        termination_grace_period_seconds: Some(i64::from(grace + pause.unwrap_or(0))),
        security_context: Some(pod_security(USER, claims)),
        affinity: many.then(|| apart(cluster, name.as_str())),
        topology_spread_constraints: many.then(|| spread(cluster, name.as_str())),
        containers: vec![container],
        volumes: (!volumes.is_empty()).then_some(volumes),
        ..PodSpec::default()
    })
}

fn container(
    cluster: &Cluster<'_>,
    config: &Config,
    name: &Name,
    service: &Service,
) -> Option<Container> {
    let ports: Vec<ContainerPort> = service
        .ports
        .iter()
        .map(|(port, number)| container_port(port.as_str(), *number))
        .collect();
    let mut env = config.environment(cluster, name, false);
    // The port belongs to this container, and to none of its jobs.
    if let Some(port) = service.primary_port_number()
        && !service.environment.contains_key("PORT")
    {
        env.retain(|variable| variable.name != "PORT");
        env.push(value("PORT", port.to_string()));
    }
    Some(Container {
        name: name.to_string(),
        image: Some(cluster.image(name)?),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: command(service),
        ports: (!ports.is_empty()).then_some(ports),
        env: (!env.is_empty()).then_some(env),
        resources: requirements(&service.resources),
        startup_probe: startup(service).map(|p| probe(&p, true)),
        readiness_probe: service.probes.readiness.as_ref().map(|p| probe(p, false)),
        liveness_probe: service.probes.liveness.as_ref().map(|p| probe(p, true)),
        lifecycle: pause(cluster, service).map(|seconds| wait(cluster, seconds)),
        security_context: Some(container_security()),
        ..Container::default()
    })
}

/// The startup probe of a service; where the plan has none, the question of another one, asked often and for long: without
/// it a slow start would count as a failure.
fn startup(service: &Service) -> Option<Probe> {
    let probes = &service.probes;
    if probes.startup.is_some() {
        return probes.startup.clone();
    }
    probes.liveness.as_ref()?;
    let model = probes.readiness.as_ref().or(probes.liveness.as_ref())?;
    let period = Duration::from_secs(2).max(model.timeout);
    // Two minutes.
    let tries = 120 / period.as_secs().max(1);
    Some(Probe {
        period,
        success_threshold: 1,
        failure_threshold: u32::try_from(tries).unwrap_or(60).max(3),
        ..model.clone()
    })
}

/// What starts a service, unless its image alone knows it.
pub(super) fn command(service: &Service) -> Option<Vec<String>> {
    let by_image = Runtime::of_service(service) == Some(Runtime::Nginx);
    let command = service.command.as_ref().filter(|_| !by_image)?;
    Some(command_line(command))
}

/// A container that runs `command` once with the image and the variables of a service.
pub(super) fn one_shot(
    cluster: &Cluster<'_>,
    config: &Config,
    name: &Name,
    service: &Service,
    command: Option<Vec<String>>,
) -> Option<PodSpec> {
    let (volumes, mounts) = volumes(service);
    let claims = volumes
        .iter()
        .any(|volume| volume.persistent_volume_claim.is_some());
    let env = config.environment(cluster, name, true);
    let container = Container {
        name: name.to_string(),
        image: Some(cluster.image(name)?),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command,
        env: (!env.is_empty()).then_some(env),
        resources: requirements(&service.resources),
        security_context: Some(container_security()),
        volume_mounts: (!mounts.is_empty()).then_some(mounts),
        ..Container::default()
    };
    Some(PodSpec {
        restart_policy: Some("Never".to_owned()),
        service_account_name: Some(name.to_string()),
        automount_service_account_token: Some(false),
        security_context: Some(pod_security(USER, claims)),
        containers: vec![container],
        volumes: (!volumes.is_empty()).then_some(volumes),
        ..PodSpec::default()
    })
}

/// The volumes of a service and where it finds them.
fn volumes(service: &Service) -> (Vec<Volume>, Vec<VolumeMount>) {
    let mut volumes = vec![];
    let mut mounts = vec![];
    for mounted in &service.volumes {
        let VolumeSource::Named(name) = &mounted.source else {
            continue;
        };
        if !volumes.iter().any(|v: &Volume| v.name == name.as_str()) {
            volumes.push(claim(name.as_str(), name.as_str()));
        }
        mounts.push(VolumeMount {
            read_only: mounted.read_only.then_some(true),
            ..mount(name.as_str(), &mount_path(mounted))
        });
    }
    for path in &service.writable {
        let path = runtime::in_image(path);
        let name = names::dns_label(&path, 40);
        volumes.push(scratch(&name, "256Mi"));
        mounts.push(mount(&name, &path));
    }
    (volumes, mounts)
}

/// How long a pod that is to stop goes on answering, until every proxy knows that it leaves; none where nobody sends it
/// requests or nothing in the image can wait.
pub(super) fn pause(cluster: &Cluster<'_>, service: &Service) -> Option<i32> {
    if service.ports.is_empty() || !(has_shell(service) || sleeps(cluster)) {
        return None;
    }
    Some(match cluster.plan.kubernetes.ingress {
        IngressClass::Nginx => 5,
        // A load balancer of AWS takes longer to hear of it.
        IngressClass::Alb => 15,
    })
}

/// Whether the kubelet itself can wait (from 1.30 on).
fn sleeps(cluster: &Cluster<'_>) -> bool {
    cluster.minor() >= 30
}

fn wait(cluster: &Cluster<'_>, seconds: i32) -> Lifecycle {
    let mut handler = LifecycleHandler::default();
    if sleeps(cluster) {
        handler.sleep = Some(SleepAction {
            seconds: i64::from(seconds),
        });
    } else {
        handler.exec = Some(ExecAction {
            command: Some(vec!["sleep".to_owned(), seconds.to_string()]),
        });
    }
    Lifecycle {
        pre_stop: Some(handler),
        ..Lifecycle::default()
    }
}

/// Rather on different nodes.
pub(super) fn apart(cluster: &Cluster<'_>, component: &str) -> Affinity {
    Affinity {
        pod_anti_affinity: Some(PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![
                WeightedPodAffinityTerm {
                    weight: 100,
                    pod_affinity_term: PodAffinityTerm {
                        label_selector: Some(cluster.selector(component)),
                        topology_key: "kubernetes.io/hostname".to_owned(),
                        ..PodAffinityTerm::default()
                    },
                },
            ]),
            ..PodAntiAffinity::default()
        }),
        ..Affinity::default()
    }
}

/// Evenly over the zones, as far as they have room.
fn spread(cluster: &Cluster<'_>, component: &str) -> Vec<TopologySpreadConstraint> {
    vec![TopologySpreadConstraint {
        max_skew: 1,
        topology_key: "topology.kubernetes.io/zone".to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(cluster.selector(component)),
        ..TopologySpreadConstraint::default()
    }]
}
