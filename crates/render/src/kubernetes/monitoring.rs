//! What watches the cluster, as workloads of the namespace `monitoring`: Prometheus, Alertmanager, Grafana, Loki
//! and Promtail, the OpenTelemetry collector and Jaeger, the node exporter and kube-state-metrics. What they read is rendered by the targets of their names.

mod agents;
mod dashboards;
mod logs;
mod rules;
mod traces;

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy};
use k8s_openapi::api::core::v1::{
    ConfigMap, ConfigMapVolumeSource, KeyToPath, Namespace, PodSpec, PodTemplateSpec,
    Service as ApiService, ServiceAccount, ServicePort, ServiceSpec, Volume,
};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use wharf_base::files::FileSet;
use wharf_plan::model::TargetKind;

use super::cluster::Cluster;
use super::config::checksum;
use super::namespace::pod_security;
use super::object::{Object, Stage};
use super::policies;
use crate::names;
use crate::prometheus::MONITORING;

/// The folder of the manifests.
pub(crate) const FOLDER: &str = "monitoring";

/// Everything that watches; nothing unless the plan wants it.
pub(super) fn objects(cluster: &Cluster<'_>) -> Vec<Object> {
    if !cluster.plan.kubernetes.monitoring {
        return vec![];
    }
    // The file as it stands runs anywhere; here it is what a cluster would run.
    let mut plan = cluster.plan.clone();
    plan.target.kind = TargetKind::Kubernetes;
    let cluster = &Cluster {
        plan: &plan,
        waves: cluster.waves,
    };
    let mut objects = vec![namespace(cluster)];
    objects.extend(policies::watchers(cluster));
    objects.extend(super::rbac::judge(cluster, MONITORING));
    objects.extend(rules::objects(cluster));
    objects.extend(dashboards::objects(cluster));
    objects.extend(agents::objects(cluster));
    objects.extend(logs::objects(cluster));
    objects.extend(traces::objects(cluster));
    for object in &mut objects {
        object.folder = FOLDER;
    }
    objects
}

fn namespace(cluster: &Cluster<'_>) -> Object {
    let mut metadata = meta(cluster, MONITORING, MONITORING);
    metadata.namespace = None;
    let labels = metadata.labels.get_or_insert_default();
    labels.extend(pod_security("privileged", &cluster.plan.kubernetes.version));
    let namespace = Namespace {
        metadata,
        ..Namespace::default()
    };
    Object::typed(Stage::Namespace, "namespace", &namespace).comment(
        "/metadata/labels/pod-security.kubernetes.io~1enforce",
        "The node exporter reads the file systems and the processes of its node.",
    )
}

/// Metadata of an object of the namespace.
pub(super) fn meta(cluster: &Cluster<'_>, name: &str, component: &str) -> ObjectMeta {
    ObjectMeta {
        namespace: Some(MONITORING.to_owned()),
        ..cluster.meta(name, component)
    }
}

/// A ConfigMap, which makes a file of each of its keys.
fn config_map(
    cluster: &Cluster<'_>,
    name: &str,
    component: &str,
    data: BTreeMap<String, String>,
) -> Object {
    let map = ConfigMap {
        metadata: meta(cluster, name, component),
        data: Some(data),
        ..ConfigMap::default()
    };
    Object::typed(Stage::Config, name, &map)
}

/// Files as the data of a ConfigMap: a key has no `/`.
fn data(files: &FileSet, take: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
    files
        .iter()
        .filter(|(path, _)| take(path))
        .map(|(path, file)| (key(path), file.text.clone()))
        .collect()
}

fn key(path: &str) -> String {
    path.replace('/', "-")
}

/// A ConfigMap as a volume in which each key is the file that it was.
fn mounted(volume: &str, map: &str, files: &FileSet, take: impl Fn(&str) -> bool) -> Volume {
    let items = files
        .iter()
        .filter(|(path, _)| take(path))
        .map(|(path, _)| KeyToPath {
            key: key(path),
            path: path.clone(),
            mode: None,
        });
    Volume {
        name: volume.to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: map.to_owned(),
            items: Some(items.collect()),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    }
}

/// A Deployment of one pod, replaced as a whole: its volume has room for one.
fn deployment(cluster: &Cluster<'_>, name: &str, pod: PodSpec, configuration: &str) -> Object {
    let mut metadata = pod_meta(cluster, name);
    metadata.annotations = (!configuration.is_empty())
        .then(|| BTreeMap::from([("checksum/config".to_owned(), checksum(configuration))]));
    let deployment = Deployment {
        metadata: meta(cluster, name, name),
        spec: Some(DeploymentSpec {
            replicas: Some(1),
            revision_history_limit: Some(5),
            strategy: Some(DeploymentStrategy {
                type_: Some("Recreate".to_owned()),
                rolling_update: None,
            }),
            selector: cluster.selector(name),
            template: PodTemplateSpec {
                metadata: Some(metadata),
                spec: Some(pod),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    };
    Object::typed(Stage::Services, format!("{name}-deployment"), &deployment)
}

fn pod_meta(cluster: &Cluster<'_>, name: &str) -> ObjectMeta {
    cluster.pod_meta(name)
}

fn service(cluster: &Cluster<'_>, name: &str, port: &str, number: u16) -> Object {
    let service = ApiService {
        metadata: meta(cluster, name, name),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(names::selector(cluster.plan, name)),
            ports: Some(vec![ServicePort {
                name: Some(port.to_owned()),
                port: i32::from(number),
                target_port: Some(IntOrString::String(port.to_owned())),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..ApiService::default()
    };
    Object::typed(Stage::Services, format!("{name}-service"), &service)
}

/// An account; `asks`: whether its pods ask the API server.
fn account(cluster: &Cluster<'_>, name: &str, asks: bool) -> Object {
    let account = ServiceAccount {
        metadata: meta(cluster, name, name),
        automount_service_account_token: Some(asks),
        ..ServiceAccount::default()
    };
    Object::typed(Stage::Config, format!("{name}-serviceaccount"), &account)
}

/// What an account may ask the API server, over the whole cluster.
fn may(cluster: &Cluster<'_>, name: &str, rules: Vec<PolicyRule>) -> [Object; 2] {
    let metadata = |name: &str| ObjectMeta {
        namespace: None,
        ..meta(cluster, &format!("{MONITORING}-{name}"), name)
    };
    let role = ClusterRole {
        metadata: metadata(name),
        rules: Some(rules),
        aggregation_rule: None,
    };
    let binding = ClusterRoleBinding {
        metadata: metadata(name),
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "ClusterRole".to_owned(),
            name: format!("{MONITORING}-{name}"),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name: name.to_owned(),
            namespace: Some(MONITORING.to_owned()),
            api_group: None,
        }]),
    };
    let file = format!("{name}-rbac");
    [
        Object::typed(Stage::Config, file.clone(), &role),
        Object::typed(Stage::Config, file, &binding),
    ]
}

fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> PolicyRule {
    let texts = |texts: &[&str]| -> Vec<String> { texts.iter().map(|&t| t.to_owned()).collect() };
    PolicyRule {
        api_groups: Some(texts(groups)),
        resources: Some(texts(resources)),
        verbs: texts(verbs),
        ..PolicyRule::default()
    }
}
