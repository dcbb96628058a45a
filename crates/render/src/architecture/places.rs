//! Where an environment runs: the frames of the picture, and what stands beside them.

use ipnet::Ipv4Net;
use wharf_plan::model::{Cloud, Compute, Nat, Plan, StoresBy, TargetKind};

use super::diagram::{ENTRY, Frame, Kind, Node};

pub(super) fn asides(cloud: &Cloud, nodes: &mut Vec<Node>) {
    let mut aside = |id: &str, title: &str, line: String| {
        nodes.push(Node {
            id: id.to_owned(),
            kind: Kind::Aside,
            title: title.to_owned(),
            lines: vec![line],
            column: ENTRY,
        });
    };
    match cloud.network.nat {
        Nat::Single => aside("nat", "NAT gateway", "one for all zones".to_owned()),
        Nat::PerZone => aside("nat", "NAT gateways", "one in each zone".to_owned()),
        Nat::None => {}
    }
    if let Some(bastion) = &cloud.bastion {
        aside(
            "bastion",
            "Bastion",
            format!("{}, Session Manager only", bastion.instance),
        );
    }
}

pub(super) fn frames(
    plan: &Plan,
    last_service: usize,
    stores: usize,
) -> (Vec<Frame>, Option<String>) {
    let has_stores = !plan.stores.is_empty();
    let last = if has_stores { stores } else { last_service };
    let Some(cloud) = &plan.cloud else {
        let title = match plan.target.kind {
            TargetKind::Kubernetes => format!("Namespace {}", plan.kubernetes.namespace),
            TargetKind::Compose => "Docker Compose".to_owned(),
            TargetKind::Local | TargetKind::Ec2 => "This machine".to_owned(),
        };
        let frame = Frame {
            title,
            lines: vec![],
            columns: (ENTRY, last),
        };
        return (vec![frame], None);
    };
    let network = &cloud.network;
    let lines = |subnets: &[Ipv4Net]| -> Vec<String> {
        let zones = subnets.iter().zip(&network.zones);
        zones
            .map(|(subnet, zone)| format!("{subnet} in {zone}"))
            .collect()
    };
    let managed = cloud.stores == StoresBy::Managed;
    let apart = has_stores && managed && !network.database.is_empty();
    let nodes = &cloud.nodes;
    let name = match cloud.compute {
        Compute::Eks => format!("EKS {}", nodes.cluster),
        Compute::Ec2 | Compute::Nodes => nodes.name.clone(),
    };
    let count = if nodes.min == nodes.max {
        nodes.min.to_string()
    } else {
        format!("{} to {}", nodes.min, nodes.max)
    };
    let compute = format!("{name}: {count} x {}", nodes.instance);
    let mut private = lines(&network.private);
    private.insert(0, compute);
    let mut frames = vec![
        Frame {
            title: "Public subnets".to_owned(),
            lines: lines(&network.public),
            columns: (ENTRY, ENTRY),
        },
        Frame {
            title: "Private subnets".to_owned(),
            lines: private,
            columns: (ENTRY + 1, if apart { last_service } else { last }),
        },
    ];
    if apart {
        let mut database = lines(&network.database);
        database.insert(0, "no way to the internet".to_owned());
        frames.push(Frame {
            title: "Database subnets".to_owned(),
            lines: database,
            columns: (stores, stores),
        });
    }
    (
        frames,
        Some(format!("VPC {} in {}", network.cidr, cloud.region)),
    )
}

pub(super) fn subtitle(plan: &Plan) -> String {
    let place = match plan.target.kind {
        TargetKind::Local => "on this machine".to_owned(),
        TargetKind::Compose => "Docker Compose".to_owned(),
        TargetKind::Kubernetes => format!(
            "Kubernetes {}, namespace {}",
            plan.kubernetes.version, plan.kubernetes.namespace
        ),
        TargetKind::Ec2 => "EC2 auto-scaling group".to_owned(),
    };
    match &plan.cloud {
        Some(cloud) => format!("{place}, AWS {}", cloud.region),
        None => place,
    }
}

pub(super) fn beside(cloud: &Cloud) -> Vec<String> {
    let mut beside = vec![];
    for purpose in cloud.buckets.keys() {
        beside.push(format!("S3: {purpose}"));
    }
    if cloud.compute == Compute::Eks {
        beside.push("ECR".to_owned());
    }
    if cloud.protection.secrets_manager {
        beside.push("Secrets Manager".to_owned());
    }
    beside.push("CloudWatch".to_owned());
    if let Some(email) = &cloud.alarms.email {
        beside.push(format!("SNS: {email}"));
    }
    if let Some(zone) = &cloud.dns_zone {
        beside.push(format!("Route 53: {zone}"));
    }
    if cloud.protection.waf {
        beside.push("WAF".to_owned());
    }
    if cloud.protection.backup {
        beside.push("AWS Backup".to_owned());
    }
    if !cloud.network.endpoints.is_empty() {
        beside.push(format!(
            "VPC endpoints: {}",
            cloud.network.endpoints.join(", ")
        ));
    }
    if let Some(region) = &cloud.recovery_region {
        beside.push(format!("Recovery in {region}"));
    }
    beside
}
