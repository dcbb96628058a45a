//! The VPC, its security groups and its endpoints.

use serde_json::json;
use wharf_base::ids::Name;

use super::facts::Facts;
use super::hcl::Value;
use super::shared::{fill, kms_key_arn, log_retention_days, name_prefix, vpc_id};
use super::stack::{Module, argument, output};
use crate::names;
use wharf_plan::model::{Nat, StoreEngine};

/// Services that are reached through a gateway, which costs nothing; the others have an interface in each zone.
const GATEWAYS: [&str; 2] = ["dynamodb", "s3"];

pub(super) fn vpc(facts: &Facts<'_>) -> Module {
    let network = &facts.cloud.network;
    let texts =
        |nets: &[ipnet::Ipv4Net]| -> Vec<String> { nets.iter().map(ToString::to_string).collect() };
    let nat = match network.nat {
        Nat::Single => "single",
        Nat::PerZone => "per_zone",
        Nat::None => "none",
    };
    let per_zone = |name: &str, about: &str, nets: &[ipnet::Ipv4Net]| {
        argument(name, "list(string)", about)
            .is(texts(nets))
            .cidrs()
    };
    let mut module = Module::new("vpc", "The network: subnets, routes, NAT, flow logs.")
        .file("main.tf", fill(include_str!("modules/vpc.tf"), facts.has))
        .file(
            "flow_logs.tf",
            fill(include_str!("modules/vpc_flow_logs.tf"), facts.has),
        )
        .takes([
            name_prefix(facts),
            argument("vpc_cidr", "string", "Addresses of the VPC.")
                .is(network.cidr.to_string())
                .cidr(),
            argument(
                "availability_zones",
                "list(string)",
                "Zones; each has one subnet of each kind.",
            )
            .is(network.zones.clone())
            .check(
                "length(<it>) >= 2",
                "At least two zones: load balancers and databases need them.",
            ),
            per_zone(
                "public_subnet_cidrs",
                "Subnets of load balancers and NAT gateways, one for each zone.",
                &network.public,
            ),
            per_zone(
                "private_subnet_cidrs",
                "Subnets of the services, one for each zone.",
                &network.private,
            ),
        ]);
    if facts.has.database {
        module = module.takes([per_zone(
            "database_subnet_cidrs",
            "Subnets of the stores, one for each zone; without a way to the internet.",
            &network.database,
        )]);
    }
    module = module
        .takes([
            argument(
                "nat_gateways",
                "string",
                "How private subnets reach the internet: one gateway, one in each zone, or \
 not at all.",
            )
            .is(nat)
            .one_of(&["single", "per_zone", "none"]),
            argument(
                "enable_flow_logs",
                "bool",
                "Keep a log of every connection.",
            )
            .is(facts.cloud.protection.flow_logs),
            argument("flow_log_group", "string", "Log group of the flow logs.")
                .is(facts.flow_log_group()),
            log_retention_days(facts),
            kms_key_arn(),
        ])
        .gives([
            output("vpc_id", "The VPC.", "aws_vpc.this.id").public(),
            output("vpc_cidr", "Its addresses.", "aws_vpc.this.cidr_block"),
            output(
                "public_subnet_ids",
                "Subnets of load balancers, in the order of the zones.",
                in_order("public"),
            ),
            output(
                "private_subnet_ids",
                "Subnets of the services, in the order of the zones.",
                in_order("private"),
            )
            .after(&["aws_route.nat", "aws_route_table_association.private"])
            .public(),
            output(
                "private_subnets",
                "Subnets of the services, by zone.",
                "{ for zone, subnet in aws_subnet.private : zone => subnet.id }",
            ),
            output(
                "private_route_table_ids",
                "Routes of the private subnets.",
                "[for table in aws_route_table.private : table.id]",
            ),
            output(
                "nat_addresses",
                "Where requests of the services come from: for the allow lists of others.",
                "[for address in aws_eip.nat : address.public_ip]",
            )
            .public(),
        ]);
    if facts.has.database {
        module = module.gives([output(
            "database_subnet_ids",
            "Subnets of the stores, in the order of the zones.",
            in_order("database"),
        )]);
    }
    module
}

fn in_order(kind: &str) -> String {
    format!("[for zone in var.availability_zones : aws_subnet.{kind}[zone].id]")
}

pub(super) fn networking(facts: &Facts<'_>) -> Module {
    let network = &facts.cloud.network;
    let (gateways, interfaces): (Vec<&String>, Vec<&String>) = network
        .endpoints
        .iter()
        .partition(|name| GATEWAYS.contains(&name.as_str()));
    let texts = |names: &[&String]| -> Value {
        names
            .iter()
            .map(|name| (*name).clone())
            .collect::<Vec<_>>()
            .into()
    };
    let stores: Vec<serde_json::Value> = facts
        .stores
        .iter()
        .map(|store| {
            json!({
                "name": store.name,
                "id": group_id(facts, store.name, store.engine),
                "group": names::dns_label(&group_name(facts, store.name, store.engine), 40),
                "title": store.title(),
                "port": store.port(),
                "called": !store.callers.is_empty(),
                "callers": listed(&store.callers),
            })
        })
        .collect();
    let context = json!({
        "alb": facts.has.alb, "nodes": facts.has.nodes, "eks": facts.has.eks, "public": facts.has.public,
        "bastion": facts.has.bastion, "app": facts.machines(), "stores": stores,
        "interface": !interfaces.is_empty(), "gateway": !gateways.is_empty(),
    });
    let mut module = Module::new(
        "networking",
        "Who may talk to whom: security groups, and endpoints of AWS services.",
    )
    .takes([name_prefix(facts), vpc_id()]);
    let groups = fill(include_str!("modules/networking.tf"), &context);
    if !groups.trim().is_empty() {
        module = module.file("main.tf", groups);
    }
    if !network.endpoints.is_empty() {
        module = module.file(
            "endpoints.tf",
            fill(include_str!("modules/networking_endpoints.tf"), &context),
        );
    }
    if !interfaces.is_empty() || (facts.has.alb && !facts.has.public) {
        module = module.takes([argument("vpc_cidr", "string", "Addresses of the VPC.")
            .code("module.vpc.vpc_cidr", network.cidr.to_string())]);
    }
    if facts.has.alb {
        let about = if facts.has.nodes {
            "Port of the ingress controller on every node."
        } else {
            "Port of Nginx on every machine."
        };
        module = module
            .takes([argument("app_port", "number", about)
                .is(facts.app_port())
                .between(1, 65535)])
            .gives([
                output(
                    "alb_security_group_id",
                    "The load balancer's.",
                    "aws_security_group.alb.id",
                ),
                output(
                    "app_security_group_id",
                    "The machines'.",
                    format!("aws_security_group.{}.id", facts.machines()),
                ),
            ]);
    } else if facts.stores.iter().any(|store| !store.callers.is_empty()) {
        module = module.takes([argument(
            "cluster_security_group_id",
            "string",
            "The group of the cluster's nodes.",
        )
        .code(
            "module.eks.cluster_security_group_id",
            "sg-0123456789abcdef0",
        )]);
    }
    for store in &facts.stores {
        let group = group_id(facts, store.name, store.engine);
        module = module.gives([output(
            format!("{group}_security_group_id"),
            format!("That of the store `{}`.", store.name),
            format!("aws_security_group.{group}.id"),
        )]);
    }
    if facts.has.bastion {
        module = module.gives([output(
            "bastion_security_group_id",
            "The bastion's.",
            "aws_security_group.bastion.id",
        )]);
    }
    if !interfaces.is_empty() {
        module = module
            .takes([
                argument(
                    "private_subnet_ids",
                    "list(string)",
                    "Subnets that the endpoints stand in.",
                )
                .code(
                    "module.vpc.private_subnet_ids",
                    vec!["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
                ),
                argument(
                    "interface_endpoints",
                    "list(string)",
                    "AWS services that are reached within the VPC.",
                )
                .is(texts(&interfaces)),
            ])
            .gives([output(
                "interface_endpoint_ids",
                "Endpoints by service.",
                "{ for service, endpoint in aws_vpc_endpoint.interface : service => endpoint.id }",
            )]);
    }
    if !gateways.is_empty() {
        module = module
            .takes([
                argument(
                    "private_route_table_ids",
                    "list(string)",
                    "Routes that lead to the gateway endpoints.",
                )
                .code(
                    "module.vpc.private_route_table_ids",
                    vec!["rtb-0123456789abcdef0"],
                ),
                argument(
                    "gateway_endpoints",
                    "list(string)",
                    "AWS services that are reached through a gateway.",
                )
                .is(texts(&gateways))
                .check(
                    "alltrue([for service in <it> : contains([\"dynamodb\", \"s3\"], service)])",
                    "Only dynamodb and s3 have gateways.",
                ),
            ])
            .gives([output(
                "gateway_endpoint_ids",
                "Gateway endpoints by service.",
                "{ for service, endpoint in aws_vpc_endpoint.gateway : service => endpoint.id }",
            )]);
    }
    module
}

/// The name of a store's security group in the configuration: `rds`, `redis`, or with the store's name if there are
/// several of a kind.
pub(super) fn group_id(facts: &Facts<'_>, store: &Name, engine: StoreEngine) -> String {
    names::identifier(&group_name(facts, store, engine))
}

fn group_name(facts: &Facts<'_>, store: &Name, engine: StoreEngine) -> String {
    let kind = match engine {
        StoreEngine::Postgres => "rds",
        StoreEngine::Redis => "redis",
    };
    let alike = facts.stores.iter().filter(|other| other.engine == engine);
    if alike.count() == 1 {
        kind.to_owned()
    } else {
        format!("{kind}-{store}")
    }
}

/// Names as a person lists them.
fn listed(names: &[Name]) -> String {
    match names {
        [] => String::new(),
        [one] => one.to_string(),
        [firsts @ .., last] => {
            let firsts: Vec<&str> = firsts.iter().map(Name::as_str).collect();
            format!("{} and {last}", firsts.join(", "))
        }
    }
}
