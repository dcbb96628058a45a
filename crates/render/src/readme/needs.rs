//! What a pipeline reads beside the repository: secrets and settings.

use std::collections::BTreeMap;

use serde::Serialize;
use wharf_base::ids::Name;
use wharf_plan::model::Plan;
use wharf_plan::pipeline::{self, ClusterAccess, Registry, Role, Setup, Stage, Step, Value};

use crate::Input;

/// A line of a table.
#[derive(Debug, Serialize)]
pub(super) struct Need {
    name: String,
    place: String,
    what: String,
}

/// The secrets and the settings that jobs read, by name, each with the place where it is kept.
pub(super) fn needs(input: &Input<'_>, graph: &[pipeline::Job]) -> (Vec<Need>, Vec<Need>) {
    let mut secrets: BTreeMap<String, String> = BTreeMap::new();
    let mut settings: BTreeMap<String, String> = BTreeMap::new();
    let mut add = |value: &Value, place: &str| {
        let (kind, name) = match value {
            Value::Secret(name) => (&mut secrets, name),
            Value::Setting(name) => (&mut settings, name),
            _ => return,
        };
        let places = kind.entry(name.clone()).or_default();
        if !places.split(", ").any(|known| known == place) {
            if !places.is_empty() {
                places.push_str(", ");
            }
            places.push_str(place);
        }
    };
    for job in graph {
        let place = job.environment.as_ref().map_or("repository", Name::as_str);
        for step in &job.steps {
            let environment = match step {
                Step::Run(run) => &run.environment,
                Step::Tool(tool) => &tool.environment,
                Step::Image(_) | Step::Report(_) => continue,
            };
            for value in environment.values() {
                add(value, place);
            }
        }
        if job.stage == Stage::Configure {
            add(&Value::Setting("CONFIGURE_RUNNER".to_owned()), place);
        }
        for setup in &job.setup {
            match setup {
                Setup::Cloud { role, .. } => {
                    add(&Value::Setting(role.variable().to_owned()), place)
                }
                Setup::Cluster(ClusterAccess::Kubeconfig) => {
                    add(&Value::Secret("KUBECONFIG_CONTENT".to_owned()), place);
                }
                _ => {}
            }
        }
    }
    for message in pipeline::messages(input.base) {
        for value in message.run.environment.values() {
            add(value, "repository");
        }
    }
    match pipeline::registry(input.base, input.environments) {
        Registry::DockerHub => {
            for name in ["DOCKERHUB_USERNAME", "DOCKERHUB_TOKEN"] {
                add(&Value::Secret(name.to_owned()), "repository");
            }
        }
        Registry::Other(_) => {
            for name in ["REGISTRY_USERNAME", "REGISTRY_PASSWORD"] {
                add(&Value::Secret(name.to_owned()), "repository");
            }
        }
        Registry::Ecr { .. } => add(
            &Value::Setting(Role::Images.variable().to_owned()),
            "repository",
        ),
        Registry::Host => {}
    }
    let list = |needs: BTreeMap<String, String>| {
        needs
            .into_iter()
            .map(|(name, place)| Need {
                what: meaning(input.base, &name),
                name,
                place,
            })
            .collect()
    };
    (list(secrets), list(settings))
}

fn meaning(base: &Plan, name: &str) -> String {
    let known = match name {
        "AWS_PREVIEW_ROLE_ARN" => "Role that may read, for plans of proposed changes",
        "AWS_PROVISION_ROLE_ARN" => "Role that makes and changes resources",
        "AWS_IMAGES_ROLE_ARN" => "Role that pushes images",
        "AWS_DEPLOY_ROLE_ARN" => "Role that releases",
        "ANSIBLE_SSH_KEY" => "Private key of `ubuntu` on the machines",
        "ANSIBLE_VAULT_PASSWORD" => "Opens the vault of the Ansible variables",
        "CONFIGURE_RUNNER" => {
            "Label of a runner inside the network: the machines are reached from nowhere else"
        }
        "MANAGER_ADDRESS" => "Address of the machine that the cluster is managed from",
        "BASE_URL" => "Where the environment is reached, without a slash at the end",
        "DOCKERHUB_USERNAME" => "User of Docker Hub",
        "DOCKERHUB_TOKEN" => "Access token of that user, for reading and writing",
        "KUBECONFIG_CONTENT" => "kubeconfig of the role `deployer` of the namespace",
        "REGISTRY_USERNAME" => "User of the registry",
        "REGISTRY_PASSWORD" => "Password of that user",
        "SAFETY_API_KEY" => "Key of Safety",
        "SNYK_TOKEN" => "Token of Snyk",
        "SMTP_URL" => "Mail server, `smtps://HOST:465`",
        "SMTP_USER" => "User of the mail server; mails come from that address",
        "SMTP_PASSWORD" => "Password of that user",
        _ if name.starts_with("NODE_") => "Address of the machine, as Terraform's outputs say it",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    let secret = base
        .secrets
        .iter()
        .find(|(secret, _)| secret.as_str().replace('-', "_").to_ascii_uppercase() == name);
    secret
        .and_then(|(_, secret)| secret.description.clone())
        .unwrap_or_default()
}
