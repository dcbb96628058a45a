//! `secrets` and `secret_store`.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_base::ids::Name;
use wharf_spec::diagnostic::{Code, Diagnostic};
use wharf_spec::model as spec;

use super::Resolver;
use crate::model::{Secret, SecretProvider, SecretStore, TargetKind};

impl Resolver<'_> {
    pub(super) fn secrets(&mut self) -> BTreeMap<Name, Secret> {
        let spec = self.spec;
        let entries = spec
            .secrets
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        let mut secrets = BTreeMap::new();
        for entry in entries {
            let Some(typed) = entry.value.as_ref().map(|typed| &typed.value) else {
                continue;
            };
            if let Some(rotate) = typed.rotate.get()
                && rotate.value < Duration::from_secs(86_400)
            {
                let message = "expected at least 1d";
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    rotate.span.clone(),
                    message,
                ));
            }
            let name = entry.key.value.as_str();
            let default_key = || {
                [self.project(), self.environment_name(), name]
                    .into_iter()
                    .filter(|part| !part.is_empty())
                    .collect::<Vec<_>>()
                    .join("/")
            };
            let secret = Secret {
                description: typed.description.value().map(|line| line.0.clone()),
                generate: typed.generate.value().map(|count| count.0),
                key: typed
                    .key
                    .value()
                    .map_or_else(default_key, |key| key.0.clone()),
                property: typed.property.value().map(|property| property.0.clone()),
                rotate: typed.rotate.value().copied(),
            };
            secrets.insert(entry.key.value.clone(), secret);
        }
        secrets
    }

    pub(super) fn secret_store(&mut self, kind: TargetKind, cloud: bool) -> SecretStore {
        let typed = self.spec.secret_store.value();
        let provider = match typed.and_then(|typed| typed.provider.value()) {
            Some(spec::SecretProvider::Local) => SecretProvider::Local,
            Some(spec::SecretProvider::AwsSecretsManager) => SecretProvider::AwsSecretsManager,
            Some(spec::SecretProvider::SealedSecrets) => SecretProvider::SealedSecrets,
            Some(spec::SecretProvider::Kubernetes) => SecretProvider::Kubernetes,
            None => match kind {
                TargetKind::Local | TargetKind::Compose => SecretProvider::Local,
                TargetKind::Kubernetes | TargetKind::Ec2 if cloud => {
                    SecretProvider::AwsSecretsManager
                }
                TargetKind::Kubernetes | TargetKind::Ec2 => SecretProvider::Kubernetes,
            },
        };
        if let (
            Some(typed),
            TargetKind::Ec2,
            SecretProvider::SealedSecrets | SecretProvider::Kubernetes,
        ) = (typed.and_then(|typed| typed.provider.get()), kind, provider)
        {
            let message = "instances are no part of a cluster, and read no secrets from one";
            self.report(
                Diagnostic::error(Code::NOT_HERE, typed.span.clone(), message)
                    .help("use `aws_secrets_manager`"),
            );
        }
        let default_name = match provider {
            SecretProvider::Local => "local",
            SecretProvider::AwsSecretsManager => "aws-secrets-manager",
            SecretProvider::SealedSecrets => "sealed-secrets",
            SecretProvider::Kubernetes => "kubernetes",
        };
        SecretStore {
            provider,
            name: typed
                .and_then(|typed| typed.name.value())
                .map_or_else(|| default_name.to_owned(), ToString::to_string),
        }
    }

    /// Whether a secret of this name is declared. True also if the section could not be read.
    pub(super) fn has_secret(&self, name: &Name) -> bool {
        match self.spec.secrets.value() {
            Some(table) => table.mentions(name.as_str()),
            None => !self.spec.secrets.is_absent(),
        }
    }
}
