//! Terraform for AWS: a root for one environment, and a module for each part of it.
//!
//! The modules' resources are templates that read like the result, in `terraform/modules`; what a module takes and gives,
//! the root that calls it and the values follow from the plan. The root's variables have the plan's values as
//! defaults, so that it can be applied as it is, and each recommended part has its switch.

mod cluster;
mod compute;
mod data;
mod edge;
mod facts;
mod guard;
mod hcl;
mod machines;
mod network;
mod readme;
mod root;
mod shared;
mod stack;
mod stores;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::BTreeSet;

use crate::{Input, Rendered, Scope, Target, userdata};
use facts::{Facts, Https};
use stack::Module;

/// The target `terraform`.
pub const TARGET: Target = Target {
    name: "terraform",
    summary: "the cloud's resources, as a Terraform root with its modules",
    scope: Scope::Environment,
    applies: |input| match input.plan.cloud {
        Some(_) => Ok(()),
        None => Err("the environment has no `cloud`"),
    },
    make,
};

fn make(input: &Input<'_>, rendered: &mut Rendered) {
    let Some(cloud) = &input.plan.cloud else {
        return;
    };
    let facts = Facts::new(
        input.plan,
        cloud,
        &wharf_plan::pipeline::branches(input.environments),
    );
    gaps(&facts, rendered);
    let modules = modules(&facts, rendered);
    let header = format!("# {}\n\n", crate::header(input.plan));

    let mut providers = BTreeSet::from(["aws"]);
    let mut written = BTreeSet::new();
    for module in &modules {
        providers.extend(module.providers);
        if !written.insert(module.folder) {
            // A second bucket, a second database: one module, called twice.
            continue;
        }
        let folder = format!("modules/{}", module.folder);
        for (name, text) in &module.files {
            if name.ends_with(".tf") {
                rendered.add(format!("{folder}/{name}"), format!("{header}{text}"));
            } else {
                rendered.add(format!("{folder}/{name}"), text.as_str());
            }
        }
        let own = module.providers.iter().copied().chain(["aws"]).collect();
        rendered.add(
            format!("{folder}/versions.tf"),
            header.clone() + &root::versions(&facts, &own),
        );
        rendered.add(
            format!("{folder}/variables.tf"),
            header.clone() + &module.variables(),
        );
        rendered.add(
            format!("{folder}/outputs.tf"),
            header.clone() + &module.outputs(),
        );
        rendered.add(
            format!("{folder}/terraform.tfvars.example"),
            header.clone() + &module.example(),
        );
    }

    rendered.add(
        "versions.tf",
        header.clone() + &root::versions(&facts, &providers),
    );
    rendered.add("backend.tf", header.clone() + &root::backend(&facts));
    rendered.add("providers.tf", header.clone() + &root::providers(&facts));
    rendered.add("main.tf", header.clone() + &root::main(&facts, &modules));
    rendered.add(
        "variables.tf",
        header.clone() + &root::variables(&facts, &modules),
    );
    rendered.add("outputs.tf", header.clone() + &root::outputs(&modules));
    rendered.add(
        "terraform.tfvars.example",
        header.clone() + &root::example(&facts, &modules),
    );
    rendered.add(".gitignore", readme::IGNORED);
    rendered.add("README.md", readme::readme(&facts, &modules));
    rendered.add(
        "bootstrap/main.tf",
        header.clone() + &readme::bootstrap(&facts),
    );
    if facts.has.recovery {
        rendered.add("dr/README.md", readme::recovery(&facts));
        let values = header.clone() + &readme::recovery_values(&facts);
        rendered.add("dr/recovery.tfvars", values);
    }
    overrides(rendered);
}

/// What patches lay over the stack: files of Terraform's own kind for that, which it merges over the blocks they name.
fn overrides(rendered: &mut Rendered) {
    for path in rendered.patched_files() {
        let name = path.rsplit('/').next().unwrap_or_default();
        if name == "override.tf.json" || name.ends_with("_override.tf.json") {
            rendered.json(&path, serde_json::json!({}));
        }
    }
}

/// The modules in the order in which they build on each other.
fn modules(facts: &Facts<'_>, rendered: &mut Rendered) -> Vec<Module> {
    let mut modules = vec![guard::kms(facts), network::vpc(facts)];
    modules.extend(guard::iam(facts));
    if facts.has.ecr {
        modules.push(data::ecr(facts));
    }
    if facts.has.secrets {
        modules.push(guard::secrets(facts));
    }
    if facts.has.eks {
        modules.push(cluster::eks(facts));
    }
    modules.push(network::networking(facts));
    if facts.has.efs {
        modules.push(cluster::efs(facts));
    }
    modules.extend(facts.stores.iter().map(|store| stores::store(facts, store)));
    let buckets = facts.cloud.buckets.iter();
    modules.extend(buckets.map(|(purpose, bucket)| data::bucket(facts, purpose, bucket)));
    modules.extend(compute::parameters(facts));
    modules.extend(edge::dns(facts));
    if facts.has.alb {
        modules.push(edge::alb(facts));
    }
    if facts.has.waf {
        modules.push(edge::waf(facts));
    }
    if facts.has.ec2 {
        let script = userdata::script(facts.plan);
        if script.is_none() {
            rendered.gap(
                "services",
                "no user data can be made for them: the machines start without the application",
            );
        }
        let empty = || format!("#!/usr/bin/env bash\n# {}\n", crate::header(facts.plan));
        modules.push(machines::asg(facts, script.unwrap_or_else(empty)));
    }
    if facts.has.nodes {
        modules.push(machines::nodes(facts));
    }
    modules.extend(machines::bastion(facts));
    modules.push(watch::cloudwatch(facts));
    if facts.has.backup {
        modules.push(guard::backup(facts));
    }
    if facts.has.recovery {
        modules.push(guard::recovery(facts));
    }
    modules.extend(watch::budget(facts));
    modules
}

/// What the roles of a cluster are for; a service's own role is called after the service.
const ROLES: [&str; 16] = [
    "admin",
    "aws-backup",
    "backup",
    "cluster",
    "cluster-autoscaler",
    "deploy",
    "developer",
    "ebs-csi",
    "efs-csi",
    "external-secrets",
    "flow-logs",
    "load-balancer",
    "loki",
    "node",
    "readonly",
    "rotation",
];

/// What of the plan is not in the files.
fn gaps(facts: &Facts<'_>, rendered: &mut Rendered) {
    let Facts { plan, cloud, .. } = facts;
    if facts.has.eks && facts.has.dns {
        rendered.gap(
            "routes",
            "the cluster's controller makes the load balancer: set `ingress_load_balancer_name` after the first deployment to have the DNS records made",
        );
    }
    if facts.https == Https::Open && facts.has.alb {
        rendered.gap(
            "cloud.load_balancer.certificate",
            "no zone is named in which a certificate could be proven: HTTP only, until the variable `certificate_arn` names one",
        );
    }
    for route in &plan.routes {
        let Some(host) = &route.host else { continue };
        if cloud.dns_zone.is_some() && !facts.hosts.contains(host) {
            rendered.gap(
                format!("routes `{host}`"),
                "the host is not in `cloud.dns_zone`: its record is somebody else's",
            );
        }
    }
    for (name, secret) in &plan.secrets {
        if facts.has.secrets && secret.rotate.is_some() && secret.generate.is_none() {
            rendered.gap(
                format!("secrets `{name}`"),
                "a value that is not generated cannot be replaced by itself",
            );
        }
        if !facts.has.secrets {
            rendered.gap(
                format!("secrets `{name}`"),
                "the environment keeps its secrets elsewhere (`secret_store`)",
            );
        }
    }
    if facts.has.eks && !facts.has.ingress_alb && cloud.protection.waf {
        rendered.gap(
            "cloud.protection.waf",
            "the ingress is nginx behind a network load balancer, which no web application firewall of AWS can stand before",
        );
    }
    for service in facts.service_buckets.keys().filter(|_| facts.has.eks) {
        if ROLES.contains(&service.as_str()) {
            rendered.gap(
                format!("services.{service}.buckets"),
                "the role of the service has the name of another role: give the service another name",
            );
        }
    }
    for store in &facts.stores {
        if let (Some(zone), true) = (&store.database.zone, store.database.multi_az) {
            rendered.gap(
                format!("cloud.databases.{}.zone", store.name),
                format!("RDS chooses the zone of a Multi-AZ primary itself; an output says whether it is {zone}"),
            );
        }
    }
    for (name, store) in &plan.stores {
        let managed = facts.stores.iter().any(|managed| managed.name == name);
        if !managed && store.external_url.is_none() {
            rendered.gap(
                format!("stores `{name}`"),
                "the cluster runs it: see the target kubernetes",
            );
        }
    }
}
