//! The stores: as StatefulSets where the cluster runs them, and what stands around them in any case: pools, exporters,
//! backups.

mod backup;
mod exporter;
mod pool;
mod postgres;
mod redis;

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment, StatefulSet,
    StatefulSetSpec,
};
use k8s_openapi::api::core::v1::{
    EnvVar, PersistentVolumeClaim, PersistentVolumeClaimSpec, PodSpec, PodTemplateSpec,
    Service as ApiService, ServiceAccount, ServicePort, ServiceSpec, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use wharf_base::ids::Name;
use wharf_base::units::Bytes;
use wharf_plan::model::{Store, StoreEngine};

use super::cluster::{Cluster, bytes, host_secret, service_label};
use super::config::{from_secret, value};
use super::object::{Object, Stage};
use crate::names;

pub(super) use backup::name as backup_name;
pub(super) use exporter::{name as exporter_name, port as exporter_port};
pub(super) use pool::EXPORTER_PORT as POOL_EXPORTER_PORT;

/// Everything of one store.
pub(super) fn objects(cluster: &Cluster<'_>, name: &Name, store: &Store) -> Vec<Object> {
    let mut objects = vec![];
    let outside = cluster.is_outside(name);
    if !outside {
        objects.push(account(cluster, name.as_str(), None));
        objects.extend(match store.engine {
            StoreEngine::Postgres => postgres::objects(cluster, name, store),
            StoreEngine::Redis => redis::objects(cluster, name, store),
        });
        objects.extend(backup::objects(cluster, name, store));
    }
    if let Some(pool) = &store.pool {
        objects.extend(pool::objects(cluster, name, pool));
    }
    objects.extend(exporter::objects(cluster, name, store));
    objects
}

/// Whether dumps of the store are made by the cluster.
pub(super) fn has_backup(cluster: &Cluster<'_>, name: &Name, store: &Store) -> bool {
    !cluster.is_outside(name) && backup::place(cluster, store).is_some()
}

/// The claim of a store's volume, as a template.
fn claim_template(cluster: &Cluster<'_>, name: &Name, store: &Store) -> PersistentVolumeClaim {
    let mut claim = claim(
        cluster,
        "data",
        name.as_str(),
        "ReadWriteOnce",
        store.storage_class.as_ref(),
        // What a development database needs; the file says more where it matters.
        store.storage.unwrap_or(Bytes(1 << 30)),
    );
    claim.metadata = ObjectMeta {
        name: Some("data".to_owned()),
        labels: Some(names::selector(cluster.plan, name.as_str())),
        ..ObjectMeta::default()
    };
    claim
}

/// A claim of a volume; without a class the one of the cluster.
pub(super) fn claim(
    cluster: &Cluster<'_>,
    name: &str,
    component: &str,
    mode: &str,
    class: Option<&String>,
    size: Bytes,
) -> PersistentVolumeClaim {
    let kubernetes = &cluster.plan.kubernetes;
    let default = if mode == "ReadWriteMany" {
        &kubernetes.shared_storage_class
    } else {
        &kubernetes.storage_class
    };
    PersistentVolumeClaim {
        metadata: cluster.meta(name, component),
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec![mode.to_owned()]),
            storage_class_name: class.or(default.as_ref()).cloned(),
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([("storage".to_owned(), bytes(size))])),
                limits: None,
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    }
}

/// A StatefulSet of one pod and the Service that it is found by.
fn stateful(
    cluster: &Cluster<'_>,
    name: &Name,
    store: &Store,
    pod: PodSpec,
    annotations: BTreeMap<String, String>,
) -> Vec<Object> {
    let component = name.as_str();
    let mut metadata = cluster.pod_meta(component);
    metadata.annotations = (!annotations.is_empty()).then_some(annotations);
    let set = StatefulSet {
        // A label of each pod is this name with a hash behind it.
        metadata: cluster.meta(&names::dns_label(component, 52), component),
        spec: Some(StatefulSetSpec {
            replicas: Some(1),
            service_name: Some(service_label(component)),
            revision_history_limit: Some(5),
            selector: cluster.selector(component),
            template: PodTemplateSpec {
                metadata: Some(metadata),
                spec: Some(pod),
            },
            volume_claim_templates: Some(vec![claim_template(cluster, name, store)]),
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    };
    let port = cluster.server(name).port;
    let mut service = service(cluster, component, store.engine.as_str(), port);
    if let Some(spec) = &mut service.spec {
        spec.cluster_ip = Some("None".to_owned());
    }
    vec![
        Object::typed(Stage::Stores, format!("{name}-statefulset"), &set),
        Object::typed(Stage::Stores, format!("{name}-service"), &service).comment(
            "/spec/clusterIP",
            "Headless: the name leads to the one pod.",
        ),
    ]
}

/// A ClusterIP Service with one port.
fn service(cluster: &Cluster<'_>, component: &str, port: &str, number: u16) -> ApiService {
    ApiService {
        metadata: cluster.meta(&service_label(component), component),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(names::selector(cluster.plan, component)),
            ports: Some(vec![ServicePort {
                name: Some(port.to_owned()),
                port: i32::from(number),
                target_port: Some(IntOrString::String(port.to_owned())),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..ApiService::default()
    }
}

/// The account of a component that asks nothing of the API server, with the role that it takes in the cloud.
fn account(cluster: &Cluster<'_>, component: &str, role: Option<String>) -> Object {
    let mut metadata = cluster.meta(component, component);
    if let Some(role) = role {
        let annotations = metadata.annotations.get_or_insert_default();
        annotations.insert("eks.amazonaws.com/role-arn".into(), role);
    }
    let account = ServiceAccount {
        metadata,
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    };
    Object::typed(
        Stage::Config,
        format!("{component}-serviceaccount"),
        &account,
    )
}

/// A Deployment of a helper of a store.
fn deployment(cluster: &Cluster<'_>, component: &str, replicas: i32, pod: PodSpec) -> Deployment {
    let mut own = cluster.meta(component, component);
    own.annotations = Some(BTreeMap::from([(
        "secret.reloader.stakater.com/reload".to_owned(),
        cluster.plan.kubernetes.secret.clone(),
    )]));
    Deployment {
        metadata: own,
        spec: Some(DeploymentSpec {
            replicas: Some(replicas),
            revision_history_limit: Some(5),
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::Int(1)),
                    max_unavailable: Some(IntOrString::Int(0)),
                }),
            }),
            selector: cluster.selector(component),
            template: PodTemplateSpec {
                metadata: Some(cluster.pod_meta(component)),
                spec: Some(pod),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

/// The variable that holds a store's host: a text where the cluster runs it, else from the Secret.
fn host(cluster: &Cluster<'_>, variable: &str, store: &Name) -> EnvVar {
    if cluster.is_outside(store) {
        from_secret(cluster, variable, &host_secret(store))
    } else {
        value(variable, service_label(store.as_str()))
    }
}
