//! The network: subnets in each zone, ways out, flow logs and endpoints.

use wharf_plan::model::Nat;

use super::stack::{Stack, allow, attribute, policy, reference, sub, trusts};
use super::{Source, tag, watch};
use crate::yaml::{Map, Yaml};
use crate::{list, map};

pub(super) fn add(source: Source<'_>, stack: &mut Stack) {
    let network = &source.cloud.network;
    stack.add(
        "VPC",
        "AWS::EC2::VPC",
        map! {
            "CidrBlock" => network.cidr.to_string(),
            "EnableDnsHostnames" => true,
            "EnableDnsSupport" => true,
            "Tags" => tag(source, "vpc"),
        },
    );
    stack.add(
        "InternetGateway",
        "AWS::EC2::InternetGateway",
        map! { "Tags" => tag(source, "igw") },
    );
    stack.add(
        "InternetGatewayAttachment",
        "AWS::EC2::VPCGatewayAttachment",
        map! { "VpcId" => reference("VPC"), "InternetGatewayId" => reference("InternetGateway") },
    );
    subnets(source, stack);
    routes(source, stack);
    if source.cloud.protection.flow_logs {
        flow_logs(source, stack);
    }
    endpoints(source, stack);
}

/// The logical ids of the subnets of a kind.
pub(super) fn subnet_ids(source: Source<'_>, kind: &str) -> Vec<String> {
    let network = &source.cloud.network;
    let count = match kind {
        "Public" => network.public.len(),
        "Private" => network.private.len(),
        _ => network.database.len(),
    };
    (1..=count)
        .map(|index| format!("{kind}Subnet{index}"))
        .collect()
}

/// References to the subnets of a kind.
pub(super) fn subnet_references(source: Source<'_>, kind: &str) -> Vec<Yaml> {
    subnet_ids(source, kind)
        .iter()
        .map(|id| reference(id))
        .collect()
}

/// The kind of subnet that stores are in.
pub(super) fn store_subnets(source: Source<'_>) -> &'static str {
    if source.cloud.network.database.is_empty() {
        "Private"
    } else {
        "Database"
    }
}

fn subnets(source: Source<'_>, stack: &mut Stack) {
    let network = &source.cloud.network;
    for (kind, why, ranges) in [
        ("Public", "Load balancer and NAT gateways.", &network.public),
        ("Private", "The machines of the group.", &network.private),
        (
            "Database",
            "Stores; no way to the internet and none from it.",
            &network.database,
        ),
    ] {
        for (index, range) in ranges.iter().enumerate() {
            let number = index + 1;
            let comment = if index == 0 { why } else { "" };
            let name = format!("{}-{number}", kind.to_ascii_lowercase());
            stack.add_with(
                comment,
                &format!("{kind}Subnet{number}"),
                "AWS::EC2::Subnet",
                Map::new(),
                map! {
                    "VpcId" => reference("VPC"),
                    "AvailabilityZone" => Yaml::Raw(format!("!Select [{index}, !Ref Zones]")),
                    "CidrBlock" => range.to_string(),
                    "MapPublicIpOnLaunch" => false,
                    "Tags" => tag(source, &name),
                },
            );
        }
    }
}

/// The logical ids of the routes that lead private subnets to the internet: machines wait for them.
pub(super) fn ways_out(source: Source<'_>) -> Vec<String> {
    match source.cloud.network.nat {
        Nat::None => vec![],
        Nat::Single => vec!["PrivateRoute1".to_owned()],
        Nat::PerZone => (1..=source.cloud.network.private.len())
            .map(|index| format!("PrivateRoute{index}"))
            .collect(),
    }
}

fn routes(source: Source<'_>, stack: &mut Stack) {
    let network = &source.cloud.network;
    table(source, stack, "Public", "");
    stack.add_with(
        "",
        "PublicRoute",
        "AWS::EC2::Route",
        map! { "DependsOn" => "InternetGatewayAttachment" },
        map! {
            "RouteTableId" => reference("PublicRouteTable"),
            "DestinationCidrBlock" => "0.0.0.0/0",
            "GatewayId" => reference("InternetGateway"),
        },
    );
    for subnet in &subnet_ids(source, "Public") {
        associate(stack, subnet, "PublicRouteTable");
    }
    let gateways = match network.nat {
        Nat::None => 0,
        Nat::Single => 1,
        Nat::PerZone => network.private.len(),
    };
    for number in 1..=gateways {
        stack.add_with(
            "",
            &format!("NatAddress{number}"),
            "AWS::EC2::EIP",
            map! { "DependsOn" => "InternetGatewayAttachment" },
            map! { "Domain" => "vpc", "Tags" => tag(source, &format!("nat-{number}")) },
        );
        stack.add(
            &format!("NatGateway{number}"),
            "AWS::EC2::NatGateway",
            map! {
                "AllocationId" => attribute(&format!("NatAddress{number}.AllocationId")),
                "SubnetId" => reference(&format!("PublicSubnet{number}")),
                "Tags" => tag(source, &format!("nat-{number}")),
            },
        );
    }
    // A table for each gateway, so that a zone that fails takes no other's way out with it.
    for number in 1..=gateways.max(1) {
        table(source, stack, "Private", &number.to_string());
        if gateways > 0 {
            stack.add(
                &format!("PrivateRoute{number}"),
                "AWS::EC2::Route",
                map! {
                    "RouteTableId" => reference(&format!("PrivateRouteTable{number}")),
                    "DestinationCidrBlock" => "0.0.0.0/0",
                    "NatGatewayId" => reference(&format!("NatGateway{number}")),
                },
            );
        }
    }
    for (index, subnet) in subnet_ids(source, "Private").iter().enumerate() {
        let number = if gateways > 1 { index + 1 } else { 1 };
        associate(stack, subnet, &format!("PrivateRouteTable{number}"));
    }
    if !network.database.is_empty() {
        table(source, stack, "Database", "");
        for subnet in &subnet_ids(source, "Database") {
            associate(stack, subnet, "DatabaseRouteTable");
        }
    }
}

fn table(source: Source<'_>, stack: &mut Stack, kind: &str, number: &str) {
    let dash = if number.is_empty() { "" } else { "-" };
    let name = format!("{}{dash}{number}", kind.to_ascii_lowercase());
    stack.add(
        &format!("{kind}RouteTable{number}"),
        "AWS::EC2::RouteTable",
        map! { "VpcId" => reference("VPC"), "Tags" => tag(source, &name) },
    );
}

fn associate(stack: &mut Stack, subnet: &str, table: &str) {
    stack.add(
        &format!("{subnet}Routes"),
        "AWS::EC2::SubnetRouteTableAssociation",
        map! { "SubnetId" => reference(subnet), "RouteTableId" => reference(table) },
    );
}

/// The log group of the flow logs.
pub(super) fn flow_log_group(source: Source<'_>) -> String {
    let mut groups = source.cloud.log_groups.iter();
    groups
        .find(|name| name.starts_with("/aws/vpc/"))
        .cloned()
        .unwrap_or_else(|| format!("/aws/vpc/{}", source.name("flowlogs")))
}

fn flow_logs(source: Source<'_>, stack: &mut Stack) {
    watch::log_group(source, stack, "FlowLogGroup", &flow_log_group(source));
    stack.add(
        "FlowLogRole",
        "AWS::IAM::Role",
        map! {
            "RoleName" => source.name("flow-logs"),
            "AssumeRolePolicyDocument" => trusts("vpc-flow-logs.amazonaws.com"),
            "Policies" => list![map! {
                "PolicyName" => "write",
                "PolicyDocument" => policy(vec![allow(
                    "Write",
                    &[
                        "logs:CreateLogStream",
                        "logs:DescribeLogStreams",
                        "logs:PutLogEvents",
                    ],
                    list![attribute("FlowLogGroup.Arn")],
                )]),
            }],
        },
    );
    stack.add(
        "FlowLog",
        "AWS::EC2::FlowLog",
        map! {
            "ResourceId" => reference("VPC"),
            "ResourceType" => "VPC",
            "TrafficType" => "ALL",
            "LogDestinationType" => "cloud-watch-logs",
            "LogGroupName" => reference("FlowLogGroup"),
            "DeliverLogsPermissionArn" => attribute("FlowLogRole.Arn"),
        },
    );
}

fn endpoints(source: Source<'_>, stack: &mut Stack) {
    for service in &source.cloud.network.endpoints {
        let id = super::stack::id("Endpoint", &service.replace('.', "-"));
        let name = sub(&format!("com.amazonaws.${{AWS::Region}}.{service}"));
        if matches!(service.as_str(), "s3" | "dynamodb") {
            let tables = ways_out(source).len().max(1);
            let tables: Vec<Yaml> = (1..=tables)
                .map(|number| reference(&format!("PrivateRouteTable{number}")))
                .collect();
            stack.add(
                &id,
                "AWS::EC2::VPCEndpoint",
                map! {
                    "VpcEndpointType" => "Gateway",
                    "VpcId" => reference("VPC"),
                    "ServiceName" => name,
                    "RouteTableIds" => tables,
                },
            );
            continue;
        }
        stack.add(
            &id,
            "AWS::EC2::VPCEndpoint",
            map! {
                "VpcEndpointType" => "Interface",
                "VpcId" => reference("VPC"),
                "ServiceName" => name,
                "PrivateDnsEnabled" => true,
                "SubnetIds" => subnet_references(source, "Private"),
                "SecurityGroupIds" => list![reference("EndpointSecurityGroup")],
            },
        );
    }
}
