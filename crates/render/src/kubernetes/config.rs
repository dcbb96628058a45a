//! The variables of programs: the plain ones in a ConfigMap, the others from the Secret.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{
    ConfigMap, ConfigMapKeySelector, EnvVar, EnvVarSource, SecretKeySelector,
};
use wharf_base::ids::Name;
use wharf_plan::model::{Service, TargetKind};

use super::cluster::{Cluster, host_secret, host_variable};
use super::object::{Object, Stage};
use crate::dockerfile::runtime::Runtime;
use crate::otel_collector::{self, SERVICE_NAME};
use crate::values::{Piece, Variable, secret_variable};

/// The plain variables of all services.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Config {
    /// The ConfigMap's data.
    pub(super) data: BTreeMap<String, String>,
    /// Variables that whoever deploys has to set, since there is no default.
    pub(super) unset: Vec<String>,
    /// Names that stand for different values in different services.
    ambiguous: Vec<String>,
}

impl Config {
    /// Gathers them.
    pub(super) fn new(cluster: &Cluster<'_>) -> Self {
        let mut config = Self::default();
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        for service in cluster.plan.services.keys() {
            for variable in cluster.variables(service, false) {
                let Some(value) = plain(cluster, &variable) else {
                    continue;
                };
                let known = seen.entry(variable.name.clone()).or_insert(value.clone());
                if *known != value && !config.ambiguous.contains(&variable.name) {
                    config.ambiguous.push(variable.name.clone());
                }
            }
        }
        for service in cluster.plan.services.keys() {
            for variable in cluster.variables(service, false) {
                for piece in &variable.pieces {
                    if let Piece::Operator { name, default } = piece {
                        if default.is_none() && !config.unset.contains(name) {
                            config.unset.push(name.clone());
                        }
                        let value = default.clone().unwrap_or_default();
                        config.data.entry(name.clone()).or_insert(value);
                    }
                }
                if let Some(value) = plain(cluster, &variable) {
                    config
                        .data
                        .insert(config.key(service, &variable.name), value);
                }
            }
            for (name, value) in told(cluster, service) {
                config.data.entry(name.to_owned()).or_insert(value);
            }
        }
        config
    }

    fn key(&self, service: &Name, variable: &str) -> String {
        if self.ambiguous.iter().any(|name| name == variable) {
            format!("{service}.{variable}")
        } else {
            variable.to_owned()
        }
    }

    /// The ConfigMap; none if there is nothing to hold.
    pub(super) fn object(&self, cluster: &Cluster<'_>) -> Option<Object> {
        if self.data.is_empty() {
            return None;
        }
        let map = ConfigMap {
            metadata: cluster.meta(
                &cluster.plan.kubernetes.config_map,
                cluster.plan.name.as_str(),
            ),
            data: Some(self.data.clone()),
            ..ConfigMap::default()
        };
        let mut object = Object::typed(Stage::Config, "config", &map);
        for name in &self.unset {
            object = object.comment(
                &format!("/data/{name}"),
                "Not in the file: set it before this is applied.",
            );
        }
        Some(object)
    }

    /// The environment of a container of `service`.
    pub(super) fn environment(
        &self,
        cluster: &Cluster<'_>,
        service: &Name,
        directly: bool,
    ) -> Vec<EnvVar> {
        let variables = cluster.variables(service, directly);
        let map = &cluster.plan.kubernetes.config_map;
        let mut first: Vec<EnvVar> = vec![];
        let mut then = vec![];
        for variable in &variables {
            if plain(cluster, variable).is_some() {
                let key = self.key(service, &variable.name);
                then.push(from_config(&variable.name, map, &key));
                continue;
            }
            match variable.pieces.as_slice() {
                [Piece::Secret(secret)] => {
                    then.push(from_secret(cluster, &variable.name, secret));
                }
                [Piece::Operator { name, .. }] => {
                    then.push(from_config(&variable.name, map, name));
                }
                _ => {
                    // What the value is made of has to stand above it.
                    for parts in parts(cluster, map, variable) {
                        if !first.iter().any(|known| known.name == parts.name) {
                            first.push(parts);
                        }
                    }
                    then.push(EnvVar {
                        name: variable.name.clone(),
                        value: Some(composed(cluster, variable)),
                        value_from: None,
                    });
                }
            }
        }
        let told = told(cluster, service);
        if !told.is_empty() && !variables.iter().any(|known| known.name == SERVICE_NAME) {
            then.push(value(SERVICE_NAME, service.as_str()));
        }
        for (name, _) in told {
            then.push(from_config(name, map, name));
        }
        first.sort_by(|a, b| a.name.cmp(&b.name));
        then.retain(|variable| !first.contains(variable));
        first.extend(then);
        first
    }

    /// A number that changes with the values that `service` reads, so that its pods are replaced with them.
    pub(super) fn checksum(&self, cluster: &Cluster<'_>, service: &Name) -> Option<String> {
        let mut text = String::new();
        for variable in cluster.variables(service, false) {
            let operators = variable.pieces.iter().filter_map(|piece| match piece {
                Piece::Operator { name, .. } => Some(name.clone()),
                _ => None,
            });
            let own = plain(cluster, &variable).map(|_| self.key(service, &variable.name));
            for key in operators.chain(own) {
                let value = self.data.get(&key).map_or("", String::as_str);
                text.push_str(&format!("{key}={value}\n"));
            }
        }
        for (name, value) in told(cluster, service) {
            text.push_str(&format!("{name}={value}\n"));
        }
        (!text.is_empty()).then(|| checksum(&text))
    }
}

/// Whether a service has a program that could send spans, and the cluster a collector for them.
pub(super) fn traced(cluster: &Cluster<'_>, service: &Service) -> bool {
    cluster.plan.kubernetes.monitoring && Runtime::of_service(service) != Some(Runtime::Nginx)
}

/// What a service is told of the collector, unless the file has a collector of its own for any of them.
fn told(cluster: &Cluster<'_>, service: &Name) -> Vec<(&'static str, String)> {
    let Some(meant) = cluster.plan.services.get(service) else {
        return vec![];
    };
    if !traced(cluster, meant) {
        return vec![];
    }
    let mut told = Vec::from(otel_collector::variables(TargetKind::Kubernetes));
    let services = cluster.plan.services.values();
    let own: BTreeSet<&str> = services
        .flat_map(|service| service.environment.keys().map(String::as_str))
        .collect();
    told.retain(|(name, _)| !own.contains(name));
    told
}

/// FNV-1a of 64 bits: the same on every machine.
pub(super) fn checksum(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// The value of a variable that belongs into the ConfigMap. `PORT` belongs to its container.
fn plain(cluster: &Cluster<'_>, variable: &Variable) -> Option<String> {
    let value = variable.plain()?;
    let computed = cluster
        .stores()
        .any(|(store, _)| value.contains(&host_expression(store)));
    (variable.name != "PORT" && !computed).then_some(value)
}

fn host_expression(store: &Name) -> String {
    format!("$({})", host_variable(store))
}

/// The variables that a value is made of.
fn parts(cluster: &Cluster<'_>, map: &str, variable: &Variable) -> Vec<EnvVar> {
    let mut parts = vec![];
    for piece in &variable.pieces {
        match piece {
            Piece::Secret(secret) => {
                parts.push(from_secret(cluster, &secret_variable(secret), secret));
            }
            Piece::Operator { name, .. } => parts.push(from_config(name, map, name)),
            Piece::Text(text) => {
                for (store, _) in cluster.stores() {
                    if text.contains(&host_expression(store)) {
                        let host = host_secret(store);
                        parts.push(from_secret(cluster, &host_variable(store), &host));
                    }
                }
            }
        }
    }
    parts
}

/// The value with `$(NAME)` for its parts; what looks like one and is none is kept from being taken for it.
fn composed(cluster: &Cluster<'_>, variable: &Variable) -> String {
    let mut value = String::new();
    for piece in &variable.pieces {
        match piece {
            Piece::Secret(secret) => value.push_str(&format!("$({})", secret_variable(secret))),
            Piece::Operator { name, .. } => value.push_str(&format!("$({name})")),
            Piece::Text(text) => {
                let mut escaped = escape(text);
                for (store, _) in cluster.stores() {
                    let host = host_expression(store);
                    escaped = escaped.replace(&format!("${host}"), &host);
                }
                value.push_str(&escaped);
            }
        }
    }
    value
}

/// A text in which `$(NAME)` stands for itself.
pub(super) fn escape(text: &str) -> String {
    text.replace("$(", "$$(")
}

fn from_config(variable: &str, map: &str, key: &str) -> EnvVar {
    EnvVar {
        name: variable.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            config_map_key_ref: Some(ConfigMapKeySelector {
                name: map.to_owned(),
                key: key.to_owned(),
                optional: None,
            }),
            ..EnvVarSource::default()
        }),
    }
}

/// A variable that is a key of the project's Secret.
pub(super) fn from_secret(cluster: &Cluster<'_>, variable: &str, key: &str) -> EnvVar {
    from_secret_called(variable, &cluster.plan.kubernetes.secret, key)
}

/// A variable that is a key of a Secret.
pub(super) fn from_secret_called(variable: &str, secret: &str, key: &str) -> EnvVar {
    EnvVar {
        name: variable.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector {
                name: secret.to_owned(),
                key: key.to_owned(),
                optional: None,
            }),
            ..EnvVarSource::default()
        }),
    }
}

/// A variable with its value.
pub(super) fn value(variable: &str, value: impl Into<String>) -> EnvVar {
    EnvVar {
        name: variable.to_owned(),
        value: Some(value.into()),
        value_from: None,
    }
}
