//! `secrets` and `secret_store`.

use std::time::Duration;

use serde_json::{Value, json};
use wharf_base::ids::Name;

use crate::decode::{Count, FromText, Line, Refusal, Word, record, words};

record! {
    /// A value that no file, log or plan shows. Services refer to it: `${secret.NAME}`.
    pub struct Secret {
        /// What it is for.
        [also "summary"]
        [example "\"Signs sessions and tokens\""]
        description: Line,
        /// How many random characters are made for it where it has no value yet.
        [default "somebody has to set it"]
        [also "random" "length"]
        [example "50"]
        generate: Generated,
        /// Under which key the environment's secret store holds it.
        [default "`PROJECT/ENVIRONMENT/NAME`"]
        [also "remote_key" "path"]
        [example "django-app-dev"]
        key: Word,
        /// Which property of that key it is.
        [default "the whole value"]
        [example "secret_key"]
        property: Word,
        /// How often it is replaced.
        [default "by hand"]
        [also "rotation"]
        [example "90d"]
        rotate: Duration,
    }
    later { "value", "file", "versions" }
}

/// How many random characters a secret has; `true` is enough of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generated(pub u32);

impl Generated {
    /// 190 bits in letters and digits: more than any key that is made of it has.
    const ENOUGH: u32 = 32;
}

impl FromText for Generated {
    fn wording() -> String {
        "a whole number of characters from 16 to 256, or `true`".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        if text == "true" {
            return Ok(Self(Self::ENOUGH));
        }
        let count = Count::<16, 256>::from_text(text).map_err(|_| Refusal::unexpected())?;
        Ok(Self(count.0))
    }

    fn text_schema() -> Value {
        json!({ "anyOf": [Count::<16, 256>::text_schema(), { "const": true }] })
    }
}

record! {
    /// Where an environment keeps its secrets.
    pub struct SecretStore {
        /// Which kind.
        [default "local here, aws_secrets_manager with a `cloud`, else kubernetes"]
        [also "kind" "type" "backend"]
        [example "aws_secrets_manager"]
        provider: SecretProvider,
        /// What the store is called on the cluster.
        [default "after its kind: `aws-secrets-manager`"]
        [example "aws-secrets-manager"]
        name: Name,
    }
}

words! {
    /// Kinds of secret stores.
    pub enum SecretProvider: "a kind of secret store" {
        /// On this machine.
        Local = "local",
        /// AWS Secrets Manager.
        AwsSecretsManager = "aws_secrets_manager",
        /// Sealed Secrets.
        SealedSecrets = "sealed_secrets",
        /// Kubernetes Secrets that somebody creates.
        Kubernetes = "kubernetes",
    }
    later { "vault", "gcp_secret_manager", "azure_key_vault", "doppler", "sops" }
}
