//! Machines that are no cluster of AWS's: an auto-scaling group, nodes that Ansible joins, the bastion.

use std::time::Duration;

use serde_json::json;

use super::compute::{disk_gib, group_name, instance_type, revision_parameter, secret_arns, sizes};
use super::data::bucket_module;
use super::facts::Facts;
use super::hcl::quote;
use super::shared::{
    SECRET, TARGET_GROUP, enable_encryption, fill, kms_key_arn, name_prefix, private_subnet_ids,
    security_group_id, topic_arn,
};
use super::stack::{Argument, Module, argument, output};
use crate::{kubernetes, machine};

/// How long a machine may take until it has reported that its application answers: packages, source and migrations.
const BOOT: Duration = Duration::from_secs(1800);

fn image_id(facts: &Facts<'_>) -> Argument {
    argument(
        "image_id",
        "string",
        "Machine image; null: the newest Ubuntu 22.04.",
    )
    .knob("ami_id", facts.cloud.nodes.image.as_ref())
    .matches_or_null(
        "^ami-[0-9a-f]{8,17}$",
        "An image such as ami-0c02fb55956c7d316, or null.",
    )
}

fn key_name(facts: &Facts<'_>) -> Argument {
    argument(
        "key_name",
        "string",
        "EC2 key pair for emergencies; null: Session Manager only.",
    )
    .is(facts.cloud.key_name.as_ref())
}

/// The role of machines: what it may read follows from what the plan has.
fn role(module: Module, facts: &Facts<'_>, what: &str, application: bool) -> Module {
    let buckets = application && facts.has.service_buckets;
    let group = application && facts.has.ec2;
    let secrets = group && (facts.has.secrets || !facts.stores.is_empty());
    let parameters = group && !facts.stores.is_empty();
    let revision = revision_parameter(facts);
    let context = json!({
        "what": what, "agent": application, "ecr": application && facts.has.ecr,
        "volumes": facts.has.nodes && application && kubernetes::has_volumes(facts.plan),
        "access": buckets || group, "parameters": parameters, "secrets": secrets, "buckets": buckets, "hook": group,
    });
    let mut module = module.file(
        "role.tf",
        fill(include_str!("modules/instance_role.tf"), context),
    );
    if group {
        module = module.takes([argument(
            "revision_parameter",
            "string",
            "The parameter with the commit that machines check out; the pipeline writes it.",
        )
        .code(quote(&revision), revision.clone())]);
    }
    if parameters {
        module = module.takes([argument(
            "parameter_arns",
            "list(string)",
            "Parameters that machines look addresses up in.",
        )
        .code(
            "module.parameters.arns",
            vec!["arn:aws:ssm:us-east-1:123456789012:parameter/app/db/endpoint"],
        )]);
    }
    if secrets {
        module = module.takes([argument(
            "secret_arns",
            "list(string)",
            "Secrets that the application reads.",
        )
        .code(secret_arns(facts), vec![SECRET])]);
    }
    if buckets {
        let mut used: Vec<String> = facts
            .service_buckets
            .values()
            .flatten()
            .map(|bucket| format!("module.{}.arn", bucket_module(bucket)))
            .collect();
        used.sort();
        used.dedup();
        module = module.takes([argument(
            "bucket_arns",
            "list(string)",
            "Buckets that the application uses.",
        )
        .code(
            format!("[{}]", used.join(", ")),
            vec!["arn:aws:s3:::bucket"],
        )]);
    }
    module
}

/// The image; `set_up`: whether user data or a playbook, both written for Ubuntu, sets the machine up.
fn ubuntu(set_up: bool) -> String {
    fill(
        include_str!("modules/ubuntu.tf"),
        json!({ "set_up": set_up }),
    ) + "\n"
}

pub(super) fn asg(facts: &Facts<'_>, user_data: String) -> Module {
    let nodes = &facts.cloud.nodes;
    let context = json!({ "ubuntu": ubuntu(true), "spot": nodes.spot });
    let module = Module::new(
        "asg",
        "The machines: launch template, auto-scaling group, scaling policy, role.",
    )
    .file("main.tf", fill(include_str!("modules/asg.tf"), context))
    .file("user_data.sh", user_data)
    .takes([
        name_prefix(facts),
        argument(
            "group_name",
            "string",
            "What the auto-scaling group is called.",
        )
        .code(quote(&group_name(facts)), group_name(facts)),
        image_id(facts),
        instance_type(facts),
        key_name(facts),
    ])
    .takes(sizes(
        facts,
        ["min_size", "desired_capacity", "max_size"],
        "machines",
    ))
    .takes([
        argument(
            "cpu_target",
            "number",
            "CPU that the group aims at, in percent.",
        )
        .is(nodes.cpu.floor())
        .between(1, 100),
        argument(
            "health_check_grace_period",
            "number",
            "How long a new machine may take before its health counts, in seconds.",
        )
        .is(nodes.grace.as_secs()),
        argument(
            "ready_hook",
            "string",
            "The lifecycle hook that a machine completes once its application answers.",
        )
        .code(quote(&ready_hook(facts)), ready_hook(facts)),
        argument(
            "boot_timeout",
            "number",
            "How long that may take, in seconds.",
        )
        .is(BOOT.as_secs())
        .between(30, 7200),
        argument("disk_size", "number", "GiB of each machine's disk.")
            .is(disk_gib(facts))
            .between(8, 16384),
        private_subnet_ids("subnet_ids", "Subnets of the machines."),
        security_group_id(
            "The machines' group.",
            "module.networking.app_security_group_id",
        ),
        argument(
            "target_group_arn",
            "string",
            "Where the load balancer finds them.",
        )
        .code("module.alb.target_group_arn", TARGET_GROUP),
        enable_encryption(facts),
        kms_key_arn(),
    ])
    .gives([
        output(
            "group_name",
            "The auto-scaling group.",
            "aws_autoscaling_group.this.name",
        )
        .public_as("asg_name"),
        output(
            "role_arn",
            "What the machines may do.",
            "aws_iam_role.instance.arn",
        ),
    ]);
    role(module, facts, "app", true)
}

/// The lifecycle hook that a machine completes.
fn ready_hook(facts: &Facts<'_>) -> String {
    machine::ready_hook(facts.cloud)
}

pub(super) fn nodes(facts: &Facts<'_>) -> Module {
    let nodes = &facts.cloud.nodes;
    let context = json!({ "ubuntu": ubuntu(true) });
    let module = Module::new("nodes", "The machines that Ansible joins to the cluster.")
        .file("main.tf", fill(include_str!("modules/nodes.tf"), context))
        .takes([
            name_prefix(facts),
            argument(
                "node_name",
                "string",
                "What the names of the nodes begin with.",
            )
            .is(&nodes.name),
            argument("node_count", "number", "How many nodes.")
                .is(nodes.desired)
                .between(1, 100),
            image_id(facts),
            instance_type(facts),
            key_name(facts),
            argument("disk_size", "number", "GiB of each node's disk.")
                .is(disk_gib(facts))
                .between(8, 16384),
            private_subnet_ids("subnet_ids", "Subnets of the nodes."),
            security_group_id(
                "The nodes' group.",
                "module.networking.app_security_group_id",
            ),
            argument(
                "target_group_arn",
                "string",
                "Where the load balancer finds them.",
            )
            .code("module.alb.target_group_arn", TARGET_GROUP),
            topic_arn("Who hears of a machine that had to be started again."),
            enable_encryption(facts),
            kms_key_arn(),
        ])
        .gives([
            output(
                "instance_ids",
                "Nodes by number.",
                "{ for name, node in aws_instance.this : name => node.id }",
            )
            .public_as("node_instance_ids"),
            output(
                "private_ips",
                "Their addresses, for the Ansible inventory.",
                "{ for name, node in aws_instance.this : name => node.private_ip }",
            )
            .public_as("node_private_ips"),
            output(
                "role_arn",
                "What the nodes may do.",
                "aws_iam_role.instance.arn",
            ),
        ]);
    role(module, facts, "node", true)
}

pub(super) fn bastion(facts: &Facts<'_>) -> Option<Module> {
    let bastion = facts.cloud.bastion.as_ref()?;
    let zone = quote(&bastion.zone);
    let module = Module::new(
        "bastion",
        "A machine to reach private ones from, by Session Manager only.",
    )
    .file(
        "main.tf",
        fill(
            include_str!("modules/bastion.tf"),
            json!({ "ubuntu": ubuntu(false) }),
        ),
    )
    .takes([
        name_prefix(facts),
        image_id(facts),
        argument("instance_type", "string", "Class of the bastion.")
            .knob("bastion_instance_type", &bastion.instance),
        argument("subnet_id", "string", "Where it stands.").code(
            format!("module.vpc.private_subnets[{zone}]"),
            "subnet-0123456789abcdef0",
        ),
        security_group_id("Its group.", "module.networking.bastion_security_group_id"),
        enable_encryption(facts),
        kms_key_arn(),
    ])
    .gives([output(
        "instance_id",
        "The bastion: aws ssm start-session --target ID.",
        "aws_instance.this.id",
    )
    .public_as("bastion_instance_id")]);
    Some(role(module, facts, "bastion", false))
}
