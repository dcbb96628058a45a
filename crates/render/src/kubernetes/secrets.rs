//! Where the values of secrets come from: never from a file that is rendered.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use wharf_plan::model::{Plan, SecretProvider};

use super::cluster::{Cluster, host_secret};
use super::object::{Object, Stage};
use crate::prometheus::MONITORING;
use crate::values::{secret_variable, store_password};
use crate::yaml::Yaml;
use crate::{alertmanager, list, map};

/// One key of the project's Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// The key, which is the secret's name.
    pub(crate) name: String,
    /// What it is.
    pub(crate) what: String,
    /// How many random characters it may be made of; none: somebody knows it.
    pub(crate) generate: Option<u32>,
    /// Where a store of secrets outside of the cluster holds it: key and property.
    pub(crate) remote: (String, Option<String>),
}

/// The keys of the project's Secret, in order: what services refer to, and what stores are reached with.
pub(crate) fn keys(cluster: &Cluster<'_>) -> Vec<Key> {
    let plan = cluster.plan;
    let mut referred = BTreeSet::new();
    for service in plan.services.keys() {
        for variable in cluster.variables(service, true) {
            referred.extend(variable.secrets().map(str::to_owned));
        }
    }
    let mut keys: BTreeMap<String, Key> = BTreeMap::new();
    for name in plan.secrets.keys() {
        if referred.contains(name.as_str()) {
            keys.extend(declared(plan, name.as_str()).map(|key| (name.to_string(), key)));
        }
    }
    for (store, _) in cluster.stores() {
        let outside = cluster.is_outside(store);
        let remote = store_key(plan, store.as_str());
        let name = store_password(store);
        keys.insert(
            name.clone(),
            Key {
                name,
                what: format!("The password of the store `{store}`"),
                generate: (!outside).then_some(32),
                remote: (remote.clone(), Some("password".to_owned())),
            },
        );
        if outside {
            let name = host_secret(store);
            keys.insert(
                name.clone(),
                Key {
                    name,
                    what: format!("The host of the store `{store}`"),
                    generate: None,
                    remote: (remote, Some("host".to_owned())),
                },
            );
        }
    }
    keys.into_values().collect()
}

/// Under which key the cloud keeps how a store is reached: a JSON object with `host`, `password` and what else belongs to it.
#[must_use]
pub(crate) fn store_key(plan: &Plan, store: &str) -> String {
    match &plan.environment {
        Some(environment) => format!("{}/{environment}/{store}", plan.name),
        None => format!("{}/{store}", plan.name),
    }
}

/// A Secret, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bundle {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) keys: Vec<Key>,
}

/// The Secret of Alertmanager: webhooks and keys.
pub(super) const ALERTMANAGER: &str = "alertmanager-secrets";

/// The Secret of Grafana.
pub(super) const GRAFANA: &str = "grafana-admin";

/// The key of the administrator's password.
pub(super) const GRAFANA_PASSWORD: &str = "grafana-password";

/// Every Secret that the plan needs.
pub(crate) fn bundles(cluster: &Cluster<'_>) -> Vec<Bundle> {
    let kubernetes = &cluster.plan.kubernetes;
    let mut bundles = vec![Bundle {
        namespace: kubernetes.namespace.clone(),
        name: kubernetes.secret.clone(),
        keys: keys(cluster),
    }];
    if kubernetes.monitoring {
        let remote = store_key(cluster.plan, "grafana");
        let password = Key {
            name: GRAFANA_PASSWORD.to_owned(),
            what: "The password of Grafana's administrator".to_owned(),
            generate: Some(24),
            remote: (remote, Some("password".to_owned())),
        };
        for (name, keys) in [
            (ALERTMANAGER, of_alertmanager(cluster)),
            (GRAFANA, vec![password]),
        ] {
            bundles.push(Bundle {
                namespace: MONITORING.to_owned(),
                name: name.to_owned(),
                keys,
            });
        }
    }
    bundles.retain(|bundle| !bundle.keys.is_empty());
    bundles
}

/// What Alertmanager reads from files.
pub(super) fn of_alertmanager(cluster: &Cluster<'_>) -> Vec<Key> {
    alertmanager::secrets(cluster.plan)
        .iter()
        .filter_map(|name| declared(cluster.plan, name))
        .collect()
}

/// A secret of the plan as a key.
fn declared(plan: &Plan, name: &str) -> Option<Key> {
    let secret = plan.secrets.get(name)?;
    let what = secret.description.clone();
    Some(Key {
        name: name.to_owned(),
        what: what.unwrap_or_else(|| format!("`{name}`")),
        generate: secret.generate,
        remote: (secret.key.clone(), secret.property.clone()),
    })
}

/// The objects that make the project's Secret; none where somebody makes it with the script.
pub(super) fn objects(cluster: &Cluster<'_>) -> Vec<Object> {
    external_objects(cluster, &cluster.plan.kubernetes.namespace)
}

/// The objects that make the Secrets of what watches the cluster.
pub(super) fn monitoring_objects(cluster: &Cluster<'_>) -> Vec<Object> {
    external_objects(cluster, MONITORING)
}

fn external_objects(cluster: &Cluster<'_>, namespace: &str) -> Vec<Object> {
    if cluster.plan.secret_store.provider != SecretProvider::AwsSecretsManager {
        return vec![];
    }
    let bundles = bundles(cluster);
    let mine: Vec<&Bundle> = bundles
        .iter()
        .filter(|bundle| bundle.namespace == namespace)
        .collect();
    if mine.is_empty() {
        return vec![];
    }
    let mut objects = vec![account(cluster, namespace)];
    objects.extend(store(cluster, namespace));
    objects.extend(mine.into_iter().map(|bundle| external(cluster, bundle)));
    objects
}

fn meta(cluster: &Cluster<'_>, namespace: &str, name: &str) -> ObjectMeta {
    ObjectMeta {
        namespace: Some(namespace.to_owned()),
        ..cluster.meta(name, READER)
    }
}

const READER: &str = "external-secrets";

fn account(cluster: &Cluster<'_>, namespace: &str) -> Object {
    let mut metadata = meta(cluster, namespace, READER);
    if let Some(role) = cluster.role(READER) {
        let annotations = metadata.annotations.get_or_insert_default();
        annotations.insert("eks.amazonaws.com/role-arn".into(), role);
    }
    let account = ServiceAccount {
        metadata,
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    };
    Object::typed(Stage::Config, "external-secrets-serviceaccount", &account).comment(
        "/metadata/annotations",
        "May read the secrets of this environment and nothing else.",
    )
}

fn store(cluster: &Cluster<'_>, namespace: &str) -> Option<Object> {
    let cloud = cluster.plan.cloud.as_ref()?;
    let name = &cluster.plan.secret_store.name;
    let spec = map! {
        "provider" => map! {
            "aws" => map! {
                "service" => "SecretsManager",
                "region" => &cloud.region,
                "auth" => map! {
                    "jwt" => map! { "serviceAccountRef" => map! { "name" => READER } },
                },
            },
        },
    };
    Some(Object::custom(
        Stage::Config,
        "secret-store",
        "external-secrets.io/v1",
        "SecretStore",
        &meta(cluster, namespace, name),
        spec,
    ))
}

fn external(cluster: &Cluster<'_>, bundle: &Bundle) -> Object {
    let name = &bundle.name;
    let mut data = list![];
    if let Yaml::List(data) = &mut data {
        for key in &bundle.keys {
            let mut remote = map! { "key" => &key.remote.0 };
            remote.set_some("property", key.remote.1.as_ref());
            let variable = secret_variable(&key.name);
            let mut entry = map! {};
            entry.set_with_comment(
                format!("{}: {variable}", key.what.trim_end_matches('.')),
                "secretKey",
                &key.name,
            );
            entry.set("remoteRef", remote);
            data.push(entry.into());
        }
    }
    let spec = map! {
        "refreshInterval" => "1h",
        "secretStoreRef" => map! {
            "kind" => "SecretStore",
            "name" => &cluster.plan.secret_store.name,
        },
        "target" => map! {
            "name" => name,
            "creationPolicy" => "Owner",
            "deletionPolicy" => "Retain",
        },
        "data" => data,
    };
    Object::custom(
        Stage::Config,
        if bundle.namespace == MONITORING {
            format!("{name}-external-secret")
        } else {
            "external-secret".to_owned()
        },
        "external-secrets.io/v1",
        "ExternalSecret",
        &meta(cluster, &bundle.namespace, name),
        spec,
    )
    .comment(
        "/spec/refreshInterval",
        "A rotated value arrives within the hour; Reloader then replaces the pods that read it, one by one.",
    )
    .comment(
        "/spec/target/deletionPolicy",
        "What was read last stays when the provider does not answer.",
    )
}
