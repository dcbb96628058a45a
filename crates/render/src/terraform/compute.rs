//! What runs the services: an EKS cluster, an auto-scaling group, or machines that Ansible joins; and the bastion.

use std::time::Duration;

use serde_json::json;

use super::data::{bucket_module, protection, store_secret};
use super::facts::Facts;
use super::hcl::{Value, map_key, quote};
use super::shared::{
    enable_encryption, fill, kms_key_arn, log_retention_days, name_prefix, prefixed_code,
    private_subnet_ids, security_group_id, topic_arn, vpc_id,
};
use super::stack::{Argument, Module, argument, output};
use crate::machine;

/// How long a machine may take until it has reported that its application answers: packages, source and migrations.
const BOOT: Duration = Duration::from_secs(1800);

/// GiB of a disk.
fn disk_gib(facts: &Facts<'_>) -> u64 {
    facts.cloud.nodes.disk.0.div_ceil(1 << 30)
}

fn instance_type(facts: &Facts<'_>) -> Argument {
    argument("instance_type", "string", "Class of the machines.")
        .is(&facts.cloud.nodes.instance)
        .matches(
            "^[a-z0-9-]+\\.[a-z0-9]+$",
            "A class of EC2 such as t3.medium.",
        )
}

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

/// The size of a group: minimum, wish, maximum.
fn sizes(facts: &Facts<'_>, names: [&'static str; 3], what: &str) -> [Argument; 3] {
    let nodes = &facts.cloud.nodes;
    [
        argument(names[0], "number", format!("Fewest {what}.")).is(nodes.min),
        argument(
            names[1],
            "number",
            format!("How many {what} at first; scaling decides from then on."),
        )
        .is(nodes.desired),
        argument(names[2], "number", format!("Most {what}.")).is(nodes.max),
    ]
}

pub(super) fn eks(facts: &Facts<'_>) -> Module {
    let nodes = &facts.cloud.nodes;
    let mut context = serde_json::to_value(facts.has).unwrap_or_default();
    context["image"] = nodes.image.is_some().into();
    let mut module = Module::new(
        "eks",
        "The cluster, its nodes, and the roles of what runs on it.",
    )
    .providers(&["tls"])
    .file("main.tf", fill(include_str!("modules/eks.tf"), &context))
    .file(
        "nodes.tf",
        fill(include_str!("modules/eks_nodes.tf"), &context),
    )
    .file(
        "roles.tf",
        fill(include_str!("modules/eks_roles.tf"), &context),
    );
    if facts.has.ingress_alb {
        module = module.file(
            "load_balancer.tf",
            fill(include_str!("modules/eks_load_balancer.tf"), &context),
        );
    }
    module = module.takes([
        name_prefix(facts),
        argument("cluster_name", "string", "What the cluster is called.").is(&nodes.cluster)
            .matches("^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$", "Letters, digits, hyphens and underscores; at most 100."),
        argument("kubernetes_version", "string", "Version of Kubernetes.").is(&facts.plan.kubernetes.version)
            .matches("^1\\.[0-9]+$", "A minor version such as 1.28."),
        argument("api_access_cidrs", "list(string)", "From where the Kubernetes API is reached, with an IAM identity: narrow it to your pipeline and your people.")
            .is(vec!["0.0.0.0/0"])
            .cidrs(),
        argument("access", "map(object({ role_arn = string, policy = string, namespaces = list(string) }))", "Who may do what: a role, a policy of EKS, and in which namespaces (none: everywhere).")
            .code(access(facts), access_example(facts)),
        private_subnet_ids("subnet_ids", "Subnets of the nodes."),
        argument("node_group_name", "string", "What the group of nodes is called.").is(&nodes.name),
        instance_type(facts),
        argument("spot", "bool", "Buy the nodes at spot prices; AWS may take them back at any time.").is(nodes.spot),
    ]);
    module = module.takes(sizes(
        facts,
        ["min_nodes", "desired_nodes", "max_nodes"],
        "nodes",
    ));
    module = module.takes([
        argument("node_disk_size", "number", "GiB of each node's disk.")
            .is(disk_gib(facts))
            .between(8, 16384),
    ]);
    if let Some(image) = &nodes.image {
        module = module
            .takes([argument("node_image_id", "string", "Machine image of the nodes.").is(image)]);
    }
    module = module.takes([
        enable_encryption(facts),
        protection(facts, "Refuse to be deleted."),
        log_retention_days(facts),
        kms_key_arn(),
    ]);
    if facts.has.external_secrets || facts.has.service_buckets || facts.has.dumps {
        module = module.takes([
            argument("namespace", "string", "Namespace of the application.")
                .code("var.kubernetes_namespace", &facts.plan.kubernetes.namespace),
        ]);
    }
    if facts.has.external_secrets {
        module = module.takes([argument(
            "secret_arns",
            "list(string)",
            "Secrets that the External Secrets Operator reads.",
        )
        .code(
            secret_arns(facts),
            vec!["arn:aws:secretsmanager:us-east-1:123456789012:secret:app-AbCdEf"],
        )]);
    }
    if facts.has.service_buckets {
        let buckets: Vec<String> = facts
            .service_buckets
            .iter()
            .map(|(service, buckets)| {
                let arns: Vec<String> = buckets
                    .iter()
                    .map(|bucket| format!("module.{}.arn", bucket_module(bucket)))
                    .collect();
                format!("{} = [{}]", map_key(service.as_str()), arns.join(", "))
            })
            .collect();
        let example = facts
            .service_buckets
            .keys()
            .map(|name| (name.to_string(), Value::from(vec!["arn:aws:s3:::bucket"])))
            .collect();
        module = module.takes([
            argument(
                "service_buckets",
                "map(list(string))",
                "Buckets of each service that uses some.",
            )
            .code(
                format!("{{\n{}\n}}", buckets.join("\n")),
                Value::Map(example),
            ),
            argument(
                "service_role_names",
                "map(string)",
                "What the role of each such service is called.",
            )
            .code(
                service_roles(facts),
                Value::Map(
                    facts
                        .service_buckets
                        .keys()
                        .map(|name| {
                            (
                                name.to_string(),
                                Value::from(format!("{}-{name}", facts.prefix)),
                            )
                        })
                        .collect(),
                ),
            ),
        ]);
    }
    if facts.has.dumps {
        let accounts: Vec<String> = facts
            .dumped
            .iter()
            .map(|store| format!("{store}-backup"))
            .collect();
        module = module.takes([
            argument(
                "backup_accounts",
                "list(string)",
                "Service accounts of the jobs that dump stores.",
            )
            .code(Value::from(accounts.clone()).source(), accounts),
            argument("backup_bucket_arn", "string", "Where the dumps go.").code(
                format!("module.{}.arn", bucket_module(&facts.backups())),
                "arn:aws:s3:::backups",
            ),
        ]);
    }
    if facts.has.ingress_alb {
        module = module.takes([argument("web_acl_arns", "list(string)", "Firewalls that load balancers may be put behind.")
            .code("module.waf[*].arn", vec!["arn:aws:wafv2:us-east-1:123456789012:regional/webacl/app/00000000-0000-0000-0000-000000000000"])]);
    }
    module = module.gives([
        output("cluster_name", "The cluster.", "aws_eks_cluster.this.name").public(),
        output("cluster_endpoint", "Its API.", "aws_eks_cluster.this.endpoint").public(),
        output("cluster_security_group_id", "The group of the control plane and the nodes.", "aws_eks_cluster.this.vpc_config[0].cluster_security_group_id"),
        output("node_group", "The auto-scaling group behind the nodes.", "aws_eks_node_group.this.resources[0].autoscaling_groups[0].name"),
        output("controller_role_arns", "Roles of the controllers, for the annotation `eks.amazonaws.com/role-arn` of their service accounts.", "{ for name, role in aws_iam_role.controller : name => role.arn }").public(),
    ]);
    if facts.has.service_buckets {
        module = module.gives([output("service_role_arns", "Roles of the services, for the annotation `eks.amazonaws.com/role-arn` of their service accounts.", "{ for name, role in aws_iam_role.service : name => role.arn }").public()]);
    }
    module
}

fn service_roles(facts: &Facts<'_>) -> String {
    let lines = facts.service_buckets.keys().map(|service| {
        let role = prefixed_code(facts, service.as_str(), 64).0;
        format!("{} = {role}\n", map_key(service.as_str()))
    });
    format!("{{\n{}}}", lines.collect::<String>())
}

/// Roles, policies of EKS and namespaces of the access entries.
fn entries(facts: &Facts<'_>) -> Vec<(&'static str, &'static str, bool)> {
    let mut entries = vec![
        ("admin", "AmazonEKSClusterAdminPolicy", false),
        ("developer", "AmazonEKSEditPolicy", true),
        ("readonly", "AmazonEKSViewPolicy", true),
    ];
    if facts.has.pipeline {
        entries.push(("deploy", "AmazonEKSAdminPolicy", true));
    }
    entries.sort_unstable();
    entries
}

fn access(facts: &Facts<'_>) -> String {
    let lines = entries(facts).into_iter().map(|(role, policy, within)| {
        let namespaces = if within { "[var.kubernetes_namespace]".to_owned() } else { "[]".to_owned() };
        format!("{role} = {{\nrole_arn = module.iam.role_arns[\"{role}\"]\npolicy = \"{policy}\"\nnamespaces = {namespaces}\n}}\n")
    });
    format!("{{\n{}}}", lines.collect::<String>())
}

fn access_example(facts: &Facts<'_>) -> Value {
    let (role, policy, _) = ("readonly", "AmazonEKSViewPolicy", true);
    let entry = vec![
        (
            "role_arn".to_owned(),
            Value::from(format!("arn:aws:iam::123456789012:role/{role}")),
        ),
        ("policy".to_owned(), policy.into()),
        (
            "namespaces".to_owned(),
            vec![facts.plan.kubernetes.namespace.clone()].into(),
        ),
    ];
    Value::Map(vec![(role.to_owned(), Value::Map(entry))])
}

/// Every secret that the application reads, as an expression.
fn secret_arns(facts: &Facts<'_>) -> String {
    let mut parts = vec![];
    if facts.has.secrets {
        parts.push("values(module.secrets.secret_arns)".to_owned());
    }
    let stores: Vec<String> = facts
        .stores
        .iter()
        .map(|store| format!("module.{}.secret_arn", facts.module_of(store)))
        .collect();
    if !stores.is_empty() {
        parts.push(format!("[{}]", stores.join(", ")));
    }
    match parts.as_slice() {
        [one] => one.clone(),
        parts => format!("concat({})", parts.join(", ")),
    }
}

pub(super) fn efs(facts: &Facts<'_>) -> Module {
    Module::new("efs", "Files that replicas on many nodes share.")
        .file("main.tf", fill(include_str!("modules/efs.tf"), facts.has))
        .takes([
            name_prefix(facts),
            vpc_id(),
            argument(
                "subnet_ids",
                "map(string)",
                "Subnets of the nodes, by zone.",
            )
            .code(
                "module.vpc.private_subnets",
                Value::Map(vec![(
                    "us-east-1a".into(),
                    "subnet-0123456789abcdef0".into(),
                )]),
            ),
            argument(
                "node_security_group_id",
                "string",
                "The group of the nodes.",
            )
            .code(
                "module.eks.cluster_security_group_id",
                "sg-0123456789abcdef0",
            ),
            enable_encryption(facts),
            kms_key_arn(),
        ])
        .gives([
            output(
                "file_system_id",
                "The file system, for the storage class.",
                "aws_efs_file_system.this.id",
            )
            .public_as("efs_file_system_id"),
            output("arn", "The file system.", "aws_efs_file_system.this.arn"),
        ])
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
        .code(
            secret_arns(facts),
            vec!["arn:aws:secretsmanager:us-east-1:123456789012:secret:app-AbCdEf"],
        )]);
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

fn ubuntu() -> String {
    include_str!("modules/ubuntu.tf").to_owned() + "\n"
}

pub(super) fn asg(facts: &Facts<'_>, user_data: String) -> Module {
    let nodes = &facts.cloud.nodes;
    let context = json!({ "ubuntu": ubuntu(), "spot": nodes.spot });
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
        .code(
            "module.alb.target_group_arn",
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/app/0123456789abcdef",
        ),
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

/// What the auto-scaling group is called.
pub(super) fn group_name(facts: &Facts<'_>) -> String {
    machine::group_name(facts.cloud)
}

/// The lifecycle hook that a machine completes.
fn ready_hook(facts: &Facts<'_>) -> String {
    machine::ready_hook(facts.cloud)
}

/// The parameter with the commit that machines check out, which the pipeline writes.
pub(super) fn revision_parameter(facts: &Facts<'_>) -> String {
    format!("/{}/{}/revision", facts.plan.name, facts.environment())
}

pub(super) fn nodes(facts: &Facts<'_>) -> Module {
    let nodes = &facts.cloud.nodes;
    let context = json!({ "ubuntu": ubuntu() });
    let module = Module::new("nodes", "The machines that Ansible joins to the cluster.")
        .file("main.tf", fill(include_str!("modules/nodes.tf"), context))
        .takes([
            name_prefix(facts),
            argument("node_name", "string", "What the names of the nodes begin with.").is(&nodes.name),
            argument("node_count", "number", "How many nodes.").is(nodes.desired).between(1, 100),
            image_id(facts),
            instance_type(facts),
            key_name(facts),
            argument("disk_size", "number", "GiB of each node's disk.").is(disk_gib(facts)).between(8, 16384),
            private_subnet_ids("subnet_ids", "Subnets of the nodes."),
            security_group_id("The nodes' group.", "module.networking.app_security_group_id"),
            argument("target_group_arn", "string", "Where the load balancer finds them.").code("module.alb.target_group_arn", "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/app/0123456789abcdef"),
            topic_arn("Who hears of a machine that had to be started again."),
            enable_encryption(facts),
            kms_key_arn(),
        ])
        .gives([
            output("instance_ids", "Nodes by number.", "{ for name, node in aws_instance.this : name => node.id }").public_as("node_instance_ids"),
            output("private_ips", "Their addresses, for the Ansible inventory.", "{ for name, node in aws_instance.this : name => node.private_ip }").public_as("node_private_ips"),
            output("role_arn", "What the nodes may do.", "aws_iam_role.instance.arn"),
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
            json!({ "ubuntu": ubuntu() }),
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

/// The parameters that say where stores are: those of the file, and what machines look up when they boot.
pub(super) fn parameters(facts: &Facts<'_>) -> Option<Module> {
    use wharf_plan::model::ParameterValue;
    let mut lines: Vec<(String, String)> = vec![];
    for (name, value) in &facts.cloud.parameters {
        let value = match value {
            ParameterValue::StoreEndpoint(store) => {
                let store = facts.stores.iter().find(|managed| managed.name == store)?;
                format!("module.{}.address", facts.module_of(store))
            }
            ParameterValue::Text(text) => quote(text),
        };
        lines.push((name.clone(), value));
    }
    if facts.has.ec2 {
        for store in &facts.stores {
            let module = facts.module_of(store);
            let named = facts.cloud.parameters.values().any(
                |value| matches!(value, ParameterValue::StoreEndpoint(of) if of == store.name),
            );
            if !named {
                lines.push((
                    machine::endpoint_parameter(facts.cloud, store.name),
                    format!("module.{module}.address"),
                ));
            }
            lines.push((
                machine::secret_parameter(facts.cloud, store.name),
                format!("module.{module}.secret_arn"),
            ));
        }
    }
    if lines.is_empty() {
        return None;
    }
    lines.sort();
    let code: Vec<String> = lines
        .iter()
        .map(|(name, value)| format!("{} = {value}", quote(name)))
        .collect();
    let example = lines
        .iter()
        .take(1)
        .map(|(name, _)| (name.clone(), Value::from("db.example.internal")))
        .collect();
    Some(
        Module::new(
            "parameters",
            "SSM parameters: what machines and people look up.",
        )
        .file(
            "main.tf",
            fill(include_str!("modules/parameters.tf"), facts.has),
        )
        .takes([argument("parameters", "map(string)", "Values by name.")
            .code(format!("{{\n{}\n}}", code.join("\n")), Value::Map(example))])
        .gives([output(
            "arns",
            "The parameters.",
            "[for parameter in aws_ssm_parameter.this : parameter.arn]",
        )]),
    )
}

/// The secrets of stores, for the README.
pub(super) fn store_secrets(facts: &Facts<'_>) -> Vec<String> {
    facts
        .stores
        .iter()
        .map(|store| store_secret(facts, store.name))
        .collect()
}
