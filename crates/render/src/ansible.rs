//! Ansible: an inventory, playbooks and the roles system, docker, kubernetes, monitoring and application.
//!
//! The tasks are the same for every plan; what a plan decides stands in `group_vars/all/main.yml`. Values of secrets are in
//! a Vault that somebody fills in (`vault.yml.example` names them). Machines of an auto-scaling group set themselves up.

mod files;
mod variables;

use serde_json::json;
use wharf_plan::model::{Cloud, Compute, IngressClass, Plan, SecretProvider};

use crate::{Input, Rendered, Scope, Target, header, kubernetes, list, map, template};

/// The target.
pub const TARGET: Target = Target {
    name: "ansible",
    summary: "roles that set up the machines and release the application",
    scope: Scope::Environment,
    applies,
    make,
};

/// The collections that the roles use, with the versions that they were checked with.
const COLLECTIONS: [(&str, &str); 2] =
    [("ansible.posix", "2.1.0"), ("community.general", "11.4.2")];

fn applies(input: &Input<'_>) -> Result<(), &'static str> {
    match &input.plan.cloud {
        None => Err("the environment has no cloud, and so no machines"),
        Some(cloud) if cloud.compute == Compute::Ec2 => {
            Err("the machines of an auto-scaling group are set up by their user data")
        }
        Some(_) => Ok(()),
    }
}

fn make(input: &Input<'_>, out: &mut Rendered) {
    let plan = input.plan;
    let Some(cloud) = &plan.cloud else { return };
    let vault = plan.secret_store.provider != SecretProvider::AwsSecretsManager;
    let context = context(plan, cloud, vault);
    for (path, source) in files::all(cloud.compute == Compute::Nodes, &charts(plan, cloud), vault) {
        let text = template::fill(source, &context);
        let head = header(plan);
        // The rest have the line where their format wants it.
        let text = if text.starts_with("---\n") {
            format!("# {head}\n{text}")
        } else if path.ends_with(".j2") {
            format!("{{# {head} #}}\n{text}")
        } else {
            text
        };
        out.add(path, text);
    }
    let head = header(plan);
    out.yaml("requirements.yml", &head, vec![requirements()]);
    variables::add(plan, cloud, vault, out);
    if cloud.compute == Compute::Nodes && cloud.nodes.desired > 1 && cloud.nodes.desired < 4 {
        out.gap(
            "cloud.nodes.desired",
            "the control plane is one machine; three of them, and a load balancer before them, survive the loss of one",
        );
    }
}

/// Whether ingress-nginx of machines that are a cluster takes what their load balancer sends.
fn has_ingress(plan: &Plan, cloud: &Cloud) -> bool {
    cloud.compute == Compute::Nodes
        && plan.kubernetes.ingress == IngressClass::Nginx
        && !plan.routes.is_empty()
}

/// What the manifests expect of machines that are a cluster of their own, by the names of the charts.
fn charts(plan: &Plan, cloud: &Cloud) -> Vec<&'static str> {
    if cloud.compute != Compute::Nodes {
        return vec![];
    }
    let objects = kubernetes::objects(plan);
    let has = |kind: &str| objects.iter().any(|object| object.kind() == kind);
    let wanted = [
        ("ingress-nginx", has_ingress(plan, cloud)),
        ("cert-manager", has("Issuer")),
        ("metrics-server", has("HorizontalPodAutoscaler")),
        ("aws-ebs-csi-driver", kubernetes::has_volumes(plan)),
    ];
    wanted
        .into_iter()
        .filter_map(|(chart, wanted)| wanted.then_some(chart))
        .collect()
}

fn context(plan: &Plan, cloud: &Cloud, vault: bool) -> serde_json::Value {
    let workers: Vec<u32> = (2..=cloud.nodes.desired.max(1)).collect();
    let version = |tool: &str| plan.versions.get(tool).cloned().unwrap_or_default();
    json!({
        "header": header(plan),
        "project": plan.name.as_str(),
        "environment": plan.environment.as_ref().map_or("", |name| name.as_str()),
        "nodes": cloud.compute == Compute::Nodes,
        "charts": charts(plan, cloud),
        "node_port": kubernetes::NODE_PORT,
        "storage_class": plan.kubernetes.storage_class.as_deref().unwrap_or("gp3"),
        "workers": workers,
        "cluster": cloud.nodes.cluster,
        "ansible": version("ansible"),
        "docker": version("docker"),
        "vault": vault,
    })
}

fn requirements() -> crate::yaml::Yaml {
    let mut collections = list![];
    if let crate::yaml::Yaml::List(items) = &mut collections {
        for (name, version) in COLLECTIONS {
            items.push(map! { "name" => name, "version" => version }.into());
        }
    }
    map! { "collections" => collections }.into()
}

#[cfg(test)]
mod tests;
