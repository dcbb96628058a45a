//! What a person reads: how to apply it, how to take it down, how to start again elsewhere; and the state's own resources.

use serde_json::json;
use wharf_plan::model::{Compute, Nat, StoreEngine};

use super::facts::{Facts, Https};
use super::root::{PROVIDERS, knobs, required_version};
use super::stack::{Module, Source};
use super::{compute, data, hcl, stores};
use crate::{names, template};

/// What Git does not see.
pub(super) const IGNORED: &str = "# Working files of Terraform, and values that are nobody else's \
 business.\n.terraform/\n*.tfplan\n*.tfstate\n*.tfstate.*\n*.tfvars\n!dr/*.tfvars\nmodules/secrets/rotate.zip\nplan\n";

pub(super) fn readme(facts: &Facts<'_>, modules: &[Module]) -> String {
    let plan = facts.plan;
    let region = &facts.cloud.region;
    let by_hand = facts
        .secrets
        .iter()
        .filter(|(_, kept)| !kept.by_hand.is_empty())
        .map(|(key, kept)| {
            let properties: Vec<String> = kept
                .by_hand
                .iter()
                .map(|property| format!("\"{property}\":\"…\""))
                .collect();
            let value = if kept.by_hand == [""] {
                "…".to_owned()
            } else {
                format!("{{{}}}", properties.join(","))
            };
            format!(
                "aws secretsmanager put-secret-value --region {region} --secret-id {key} \
 --secret-string '{value}'"
            )
        });
    let switches: Vec<serde_json::Value> = knobs(facts, modules)
        .into_iter()
        .flat_map(|(_, group)| group)
        .filter_map(|argument| match argument.source {
            Source::Knob {
                variable,
                default: hcl::Value::Bool(on),
            } if variable.starts_with("enable_") => {
                Some(json!({ "name": variable, "about": argument.about, "on": if on { "on" } else { "off" } }))
            }
            _ => None,
        })
        .collect();
    let mut protected: Vec<String> = facts
        .stores
        .iter()
        .filter(|store| store.engine == StoreEngine::Postgres && store.database.protected)
        .map(|store| {
            format!(
                "-var {}_deletion_protection=false",
                names::identifier(store.name.as_str())
            )
        })
        .collect();
    if !protected.is_empty() && (facts.has.alb || facts.has.eks) {
        protected.push("-var deletion_protection=false".to_owned());
    }
    let mut sessions = vec![];
    if facts.has.ec2 {
        sessions.push(format!(
            "aws ssm start-session --region {region} --target INSTANCE"
        ));
    }
    if facts.has.nodes {
        sessions.push(format!(
            "terraform output node_instance_ids\naws ssm start-session --region {region} \
 --target INSTANCE"
        ));
    }
    if facts.has.bastion {
        sessions.push(format!(
            "aws ssm start-session --region {region} --target \"$(terraform output -raw \
 bastion_instance_id)\""
        ));
    }
    let seen: Vec<serde_json::Value> = modules
        .iter()
        .map(|module| json!({ "name": module.name, "about": module.about }))
        .collect();
    template::fill(
        include_str!("modules/README.md.in"),
        json!({
            "header": crate::header(plan), "project": plan.name, "environment": facts.environment(),
            "region": region, "recovery_region": facts.cloud.recovery_region,
            "glance": glance(facts), "modules": seen, "bucket": facts.cloud.state.bucket, "lock_table": facts.cloud.state.lock_table,
            "by_hand": by_hand.collect::<Vec<_>>(), "stores": compute::store_secrets(facts),
            "sessions": sessions, "certificate": facts.has.alb && facts.https == Https::Open,
            "scales": facts.has.eks || facts.has.ec2, "provider": facts.has.pipeline, "repositories": facts.has.ecr,
            "image": facts.cloud.nodes.image.as_ref().filter(|_| facts.has.ec2 || facts.has.nodes),
            "switches": switches, "protected": protected.join(" "), "retained": retained(facts),
        }),
    )
}

/// What there is, in a few lines.
fn glance(facts: &Facts<'_>) -> Vec<String> {
    let cloud = facts.cloud;
    let (network, nodes) = (&cloud.network, &cloud.nodes);
    let mut lines = vec![format!(
        "Network `{}` over {} AZs ({}); NAT: {}.",
        network.cidr,
        network.zones.len(),
        network.zones.join(", "),
        match network.nat {
            Nat::Single => "one gateway",
            Nat::PerZone => "a gateway in each zone",
            Nat::None => "none",
        }
    )];
    let sizes = format!(
        "{}, min {}, desired {}, max {}",
        nodes.instance, nodes.min, nodes.desired, nodes.max
    );
    lines.push(match cloud.compute {
        Compute::Eks => format!(
            "EKS {} `{}`, nodes: {sizes}.",
            facts.plan.kubernetes.version, nodes.cluster
        ),
        Compute::Ec2 => format!("Auto-scaling group: {sizes}, {}% CPU.", nodes.cpu.floor()),
        Compute::Nodes => format!(
            "{} EC2 nodes ({}) that Ansible joins to a cluster of their own; no EKS.",
            nodes.desired, nodes.instance
        ),
    });
    if facts.has.alb {
        let health = &cloud.load_balancer.health;
        lines.push(format!(
            "Application load balancer; health check `GET {}` every {} s, {} healthy, {} unhealthy, {} s timeout.",
            facts.health_path(),
            health.interval.as_secs(),
            health.healthy,
            health.unhealthy,
            health.timeout.as_secs()
        ));
    }
    for store in &facts.stores {
        lines.push(format!(
            "{} {} `{}`, {}.",
            store.title(),
            store.database.version,
            store.database.identifier,
            store.database.instance
        ));
    }
    for bucket in cloud.buckets.values() {
        lines.push(format!(
            "Bucket `{}`.",
            bucket.name.replace("{account}", "{account-id}")
        ));
    }
    lines
}

/// What `destroy` leaves, or cannot delete.
fn retained(facts: &Facts<'_>) -> Vec<String> {
    let mut retained = vec![];
    for store in &facts.stores {
        let what = match store.engine {
            StoreEngine::Postgres => "RDS: the final snapshot",
            StoreEngine::Redis => "ElastiCache: the final snapshot",
        };
        retained.push(format!("{what} `{}-final`", store.database.identifier));
        if store.engine == StoreEngine::Postgres {
            retained.push(format!(
                "RDS: the automated backups of `{}`, for {} days",
                store.database.identifier, store.keep_days
            ));
        }
    }
    if facts.has.backup {
        retained.push(format!(
            "AWS Backup: the vault `{}-vault`, while recovery points are in it",
            facts.prefix
        ));
    }
    if facts.has.buckets || facts.has.alb {
        retained.push("S3: buckets that hold objects".to_owned());
    }
    if !facts.secrets.is_empty() || !facts.stores.is_empty() {
        retained.push("Secrets Manager: secrets, for 7 days".to_owned());
    }
    retained.push("KMS: the key, for 30 days".to_owned());
    if facts.has.ec2 {
        retained
            .push("SSM: the parameter of the last revision, which the pipeline writes".to_owned());
    }
    if facts.has.eks {
        retained.push(
            "Load balancers and volumes that the cluster has made: delete Ingresses and \
 claims first"
                .to_owned(),
        );
    }
    retained.push(
        "CloudWatch: log groups that AWS makes again when something writes to them \
 after its deletion"
            .to_owned(),
    );
    retained
}

pub(super) fn recovery(facts: &Facts<'_>) -> String {
    let cloud = facts.cloud;
    let recovery = cloud.recovery_region.clone().unwrap_or_default();
    let postgres = || {
        facts
            .stores
            .iter()
            .filter(|store| store.engine == StoreEngine::Postgres)
    };
    let databases: Vec<serde_json::Value> = postgres()
        .map(|store| {
            json!({
                "identifier": store.database.identifier, "instance": store.database.instance,
                "multi_az": store.database.multi_az, "replica": store.database.replica_zone.is_some(),
                "module": facts.module_of(store),
            })
        })
        .collect();
    let mut secrets: Vec<serde_json::Value> = facts
        .secrets
        .keys()
        .map(|name| json!({ "name": name, "address": format!("module.secrets.aws_secretsmanager_secret.this[\"{name}\"]") }))
        .collect();
    for store in &facts.stores {
        let address = format!(
            "module.{}.aws_secretsmanager_secret.this",
            facts.module_of(store)
        );
        secrets
            .push(json!({ "name": stores::store_secret(facts, store.name), "address": address }));
    }
    let buckets: Vec<serde_json::Value> = cloud
        .buckets
        .values()
        .map(|bucket| {
            let name = data::example_name(facts, bucket).replace("123456789012", "ACCOUNT");
            let there = match name.strip_prefix(&facts.prefix) {
                Some(rest) => format!("{}{rest}", recovery_prefix(facts)),
                None => name.replace(&facts.environment(), &format!("{}-dr", facts.environment())),
            };
            json!({ "name": there, "replica": format!("replica-{name}") })
        })
        .collect();
    template::fill(
        include_str!("modules/dr.md.in"),
        json!({
            "header": crate::header(facts.plan), "project": facts.plan.name, "environment": facts.environment(),
            "region": cloud.region, "recovery_region": recovery, "databases": databases,
            "replica": postgres().any(|store| store.database.replica_zone.is_some()),
            "keep_days": postgres().map(|store| store.keep_days).max().unwrap_or(7),
            "secrets": secrets, "images": facts.has.ecr, "buckets": buckets, "vault": facts.has.backup,
            "prefix": facts.prefix, "recovery_prefix": recovery_prefix(facts), "state": cloud.state.bucket,
        }),
    )
}

/// A region that is neither of both, on the continent of the second if it has one.
fn third_region(first: &str, second: &str) -> &'static str {
    const REGIONS: [&str; 9] = [
        "us-east-2",
        "us-west-2",
        "us-east-1",
        "eu-west-1",
        "eu-central-1",
        "eu-north-1",
        "ap-southeast-1",
        "ap-northeast-1",
        "ap-southeast-2",
    ];
    let continent = second.split('-').next().unwrap_or_default();
    let free = || {
        REGIONS
            .iter()
            .filter(|region| **region != first && **region != second)
    };
    let near = free().find(|region| region.starts_with(continent));
    near.or_else(|| free().next())
        .copied()
        .unwrap_or(REGIONS[0])
}

/// What names begin with in the recovery region.
fn recovery_prefix(facts: &Facts<'_>) -> String {
    names::dns_label(&format!("{}-dr", facts.prefix), 40)
}

/// The variables that differ in the recovery region.
pub(super) fn recovery_values(facts: &Facts<'_>) -> String {
    let cloud = facts.cloud;
    let recovery = cloud.recovery_region.clone().unwrap_or_default();
    let there = |zone: &String| zone.replace(&cloud.region, &recovery);
    let zones: Vec<String> = cloud.network.zones.iter().map(there).collect();
    let mut lines: Vec<(String, hcl::Value)> = vec![
        ("aws_region".to_owned(), (&recovery).into()),
        (
            "recovery_region".to_owned(),
            third_region(&cloud.region, &recovery).into(),
        ),
        ("name_prefix".to_owned(), recovery_prefix(facts).into()),
        ("availability_zones".to_owned(), zones.into()),
    ];
    if cloud
        .buckets
        .values()
        .any(|bucket| bucket.name.contains("{environment}"))
    {
        lines.push((
            "environment".to_owned(),
            format!("{}-dr", facts.environment()).into(),
        ));
    }
    if cloud.nodes.image.is_some() && !facts.has.eks {
        // An image belongs to its region: there, the newest is looked up.
        lines.push(("ami_id".to_owned(), hcl::Value::Null));
    }
    if facts.has.pipeline {
        lines.push(("create_github_oidc_provider".to_owned(), false.into()));
    }
    if facts.has.ecr {
        // The replication of the first region has made them there.
        lines.push(("create_repositories".to_owned(), false.into()));
    }
    for store in &facts.stores {
        let knob = |what: &str| format!("{}_{what}", names::identifier(store.name.as_str()));
        let zones = [
            ("primary_zone", &store.database.zone),
            ("replica_zone", &store.database.replica_zone),
        ];
        for (what, zone) in zones {
            if let (Some(zone), StoreEngine::Postgres) = (zone, store.engine) {
                lines.push((knob(what), there(zone).into()));
            }
        }
    }
    let lines = lines
        .iter()
        .map(|(name, value)| format!("{name} = {}\n", value.source()));
    hcl::format(&lines.collect::<String>())
}

/// The bucket and the table of the state.
pub(super) fn bootstrap(facts: &Facts<'_>) -> String {
    let aws = PROVIDERS
        .iter()
        .find(|(name, _)| *name == "aws")
        .map(|(_, version)| *version);
    hcl::format(&template::fill(
        include_str!("modules/bootstrap.tf"),
        json!({
            "version": required_version(facts), "aws": aws, "region": facts.cloud.region,
            "bucket": facts.cloud.state.bucket, "lock_table": facts.cloud.state.lock_table,
        }),
    ))
}
