//! Secrets: known by name, never by value.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A value that no file, log or plan shows. Services refer to it as `${secret.NAME}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Secret {
    /// What it is for.
    pub description: Option<String>,
    /// How many random characters are made for it where it has no value yet; none: somebody has to set it.
    pub generate: Option<u32>,
    /// Under which key the environment's secret store holds it: `NAME/ENV` of the project if not said.
    pub key: String,
    /// Which property of that key it is; none: the whole value.
    pub property: Option<String>,
    /// How often it is replaced.
    #[serde(with = "super::optional_duration")]
    pub rotate: Option<Duration>,
}

/// Where an environment keeps its secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretStore {
    /// Which kind.
    pub provider: SecretProvider,
    /// What the store is called on the cluster: `aws-secrets-manager`.
    pub name: String,
}

/// Kinds of secret stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretProvider {
    /// On this machine: the state directory and `.env`.
    Local,
    /// AWS Secrets Manager, read by the External Secrets Operator or the instance's role.
    AwsSecretsManager,
    /// Sealed Secrets: encrypted for the cluster, kept in Git.
    SealedSecrets,
    /// Plain Kubernetes Secrets that somebody creates.
    Kubernetes,
}
