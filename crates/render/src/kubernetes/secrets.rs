//! Where the values of secrets come from: never from a file that is rendered.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ServiceAccount;
use wharf_plan::model::{Plan, SecretProvider};

use super::cluster::{Cluster, host_secret};
use super::object::{Object, Stage};
use crate::values::{secret_variable, store_password};
use crate::yaml::Yaml;
use crate::{list, map};

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
    for (name, secret) in &plan.secrets {
        if referred.contains(name.as_str()) {
            let key = Key {
                name: name.to_string(),
                what: secret
                    .description
                    .clone()
                    .unwrap_or_else(|| format!("`{name}`")),
                generate: secret.generate,
                remote: (secret.key.clone(), secret.property.clone()),
            };
            keys.insert(name.to_string(), key);
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

/// The objects that make the Secret; none where somebody makes it with the script.
pub(super) fn objects(cluster: &Cluster<'_>) -> Vec<Object> {
    let keys = keys(cluster);
    if cluster.plan.secret_store.provider != SecretProvider::AwsSecretsManager || keys.is_empty() {
        return vec![];
    }
    let mut objects = vec![account(cluster)];
    objects.extend(store(cluster));
    objects.push(external(cluster, &keys));
    objects
}

const READER: &str = "external-secrets";

fn account(cluster: &Cluster<'_>) -> Object {
    let mut metadata = cluster.meta(READER, READER);
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

fn store(cluster: &Cluster<'_>) -> Option<Object> {
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
        &cluster.meta(name, READER),
        spec,
    ))
}

fn external(cluster: &Cluster<'_>, keys: &[Key]) -> Object {
    let name = &cluster.plan.kubernetes.secret;
    let mut data = list![];
    if let Yaml::List(data) = &mut data {
        for key in keys {
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
        "external-secret",
        "external-secrets.io/v1",
        "ExternalSecret",
        &cluster.meta(name, READER),
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
