//! Security groups: internet -> load balancer -> machines -> stores, and nothing else.

use wharf_base::ids::Name;
use wharf_plan::flows::{self, End};
use wharf_plan::model::StoreEngine;

use super::stack::{Stack, id, reference};
use super::{Source, tag};
use crate::machine::Machine;
use crate::values::Addresses as _;
use crate::yaml::{Map, Yaml};
use crate::{list, map};

/// The port that Nginx serves on each machine.
const WEB_PORT: u16 = 80;

pub(super) fn add(source: Source<'_>, stack: &mut Stack) {
    let anywhere = if source.cloud.load_balancer.public {
        Yaml::from("0.0.0.0/0")
    } else {
        Yaml::from(source.cloud.network.cidr.to_string())
    };
    group(
        source,
        stack,
        "LoadBalancerSecurityGroup",
        "alb",
        "Clients to the load balancer",
        list![
            cidr(WEB_PORT, anywhere.clone(), "HTTP"),
            cidr(443, anywhere, "HTTPS"),
        ],
    );
    group(
        source,
        stack,
        "InstanceSecurityGroup",
        "app",
        "The load balancer to the machines of the group",
        list![peer(
            WEB_PORT,
            "LoadBalancerSecurityGroup",
            "From the load balancer"
        )],
    );
    for store in source.plan.stores.keys() {
        let from = callers(source, store);
        if !from.is_empty() && source.cloud.databases.contains_key(store) {
            group(
                source,
                stack,
                &id("StoreSecurityGroup", store.as_str()),
                store.as_str(),
                &format!("The machines of the group to {store}"),
                Yaml::List(from),
            );
        }
    }
    if source.cloud.bastion.is_some() {
        group(
            source,
            stack,
            "BastionSecurityGroup",
            "bastion",
            "Session Manager only: nobody opens a connection to it",
            Yaml::List(vec![]),
        );
    }
    if interface_endpoints(source) {
        let range = Yaml::from(source.cloud.network.cidr.to_string());
        group(
            source,
            stack,
            "EndpointSecurityGroup",
            "endpoints",
            "The network to the endpoints of AWS services",
            list![cidr(443, range, "From the network")],
        );
    }
    ways_out(source, stack);
}

fn interface_endpoints(source: Source<'_>) -> bool {
    let mut services = source.cloud.network.endpoints.iter();
    services.any(|service| !matches!(service.as_str(), "s3" | "dynamodb"))
}

/// Who may open connections to a store: the group's machines, if a service of theirs does, and the bastion.
fn callers(source: Source<'_>, store: &Name) -> Vec<Yaml> {
    let port = port(source, store);
    let calls = flows::callers(source.plan, &End::Store(store.clone()));
    let mut from = vec![];
    if calls.iter().any(|end| matches!(end, End::Service(_))) {
        from.push(peer(port, "InstanceSecurityGroup", "From the services").into());
    }
    if source.cloud.bastion.is_some() {
        from.push(
            peer(
                port,
                "BastionSecurityGroup",
                "From whoever has a session on the bastion",
            )
            .into(),
        );
    }
    from
}

fn port(source: Source<'_>, store: &Name) -> u16 {
    Machine::new(source.plan).store(store).port
}

/// What each group may open. A group that names none may open everything, so each names something.
fn ways_out(source: Source<'_>, stack: &mut Stack) {
    out(
        stack,
        "LoadBalancerToInstances",
        "LoadBalancerSecurityGroup",
        WEB_PORT,
        "InstanceSecurityGroup",
    );
    for (port, what) in [(80, "Http"), (443, "Https")] {
        // Packages, the source and AWS, through the NAT gateways or endpoints.
        stack.add(
            &format!("InstancesTo{what}"),
            "AWS::EC2::SecurityGroupEgress",
            map! {
                "GroupId" => reference("InstanceSecurityGroup"),
                "Description" => "Packages, the source, AWS",
                "IpProtocol" => "tcp",
                "FromPort" => port,
                "ToPort" => port,
                "CidrIp" => "0.0.0.0/0",
            },
        );
    }
    for (store, meant) in &source.plan.stores {
        if callers(source, store).is_empty() || !source.cloud.databases.contains_key(store) {
            continue;
        }
        let group = id("StoreSecurityGroup", store.as_str());
        let port = port(source, store);
        let what = match meant.engine {
            StoreEngine::Postgres | StoreEngine::Redis => store.as_str(),
        };
        out(
            stack,
            &id("InstancesToStore", what),
            "InstanceSecurityGroup",
            port,
            &group,
        );
        if source.cloud.bastion.is_some() {
            out(
                stack,
                &id("BastionToStore", what),
                "BastionSecurityGroup",
                port,
                &group,
            );
        }
    }
    if source.cloud.bastion.is_some() {
        out(
            stack,
            "BastionToInstances",
            "BastionSecurityGroup",
            WEB_PORT,
            "InstanceSecurityGroup",
        );
        stack.add(
            "InstancesFromBastion",
            "AWS::EC2::SecurityGroupIngress",
            map! {
                "GroupId" => reference("InstanceSecurityGroup"),
                "Description" => "From whoever has a session on the bastion",
                "IpProtocol" => "tcp",
                "FromPort" => WEB_PORT,
                "ToPort" => WEB_PORT,
                "SourceSecurityGroupId" => reference("BastionSecurityGroup"),
            },
        );
        stack.add(
            "BastionToAws",
            "AWS::EC2::SecurityGroupEgress",
            map! {
                "GroupId" => reference("BastionSecurityGroup"),
                "Description" => "Session Manager",
                "IpProtocol" => "tcp",
                "FromPort" => 443,
                "ToPort" => 443,
                "CidrIp" => "0.0.0.0/0",
            },
        );
    }
}

fn group(source: Source<'_>, stack: &mut Stack, id: &str, name: &str, what: &str, from: Yaml) {
    let mut properties = map! {
        "GroupDescription" => what,
        "VpcId" => reference("VPC"),
    };
    properties.set_full("SecurityGroupIngress", from);
    // Without a rule of its own a group may open everything; what it may open stands apart, so that two groups can
    // name each other.
    properties.set(
        "SecurityGroupEgress",
        list![map! {
            "Description" => "Nothing but what is added below",
            "IpProtocol" => "icmp",
            "FromPort" => -1,
            "ToPort" => -1,
            "CidrIp" => "127.0.0.1/32",
        }],
    );
    properties.set("Tags", tag(source, name));
    stack.add(id, "AWS::EC2::SecurityGroup", properties);
}

fn cidr(port: u16, range: Yaml, what: &str) -> Map {
    map! {
        "Description" => what,
        "IpProtocol" => "tcp",
        "FromPort" => port,
        "ToPort" => port,
        "CidrIp" => range,
    }
}

fn peer(port: u16, group: &str, what: &str) -> Map {
    map! {
        "Description" => what,
        "IpProtocol" => "tcp",
        "FromPort" => port,
        "ToPort" => port,
        "SourceSecurityGroupId" => reference(group),
    }
}

fn out(stack: &mut Stack, id: &str, from: &str, port: u16, to: &str) {
    stack.add(
        id,
        "AWS::EC2::SecurityGroupEgress",
        map! {
            "GroupId" => reference(from),
            "IpProtocol" => "tcp",
            "FromPort" => port,
            "ToPort" => port,
            "DestinationSecurityGroupId" => reference(to),
        },
    );
}
