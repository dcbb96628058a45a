//! An EKS cluster: control plane, nodes, roles of what runs on it, shared files.

use super::compute::{disk_gib, instance_type, secret_arns, sizes};
use super::data::{bucket_module, protection};
use super::facts::Facts;
use super::hcl::{Value, map_key};
use super::shared::{
    SECRET, WEB_ACL, enable_encryption, fill, kms_key_arn, log_retention_days, name_prefix,
    prefixed_code, private_subnet_ids, vpc_id,
};
use super::stack::{Module, argument, output};
use crate::names;

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
        argument("cluster_name", "string", "What the cluster is called.")
            .is(&nodes.cluster)
            .matches(
                "^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$",
                "Letters, digits, hyphens and underscores; at most 100.",
            ),
        argument("kubernetes_version", "string", "Version of Kubernetes.")
            .is(&facts.plan.kubernetes.version)
            .matches("^1\\.[0-9]+$", "A minor version such as 1.28."),
        argument(
            "api_access_cidrs",
            "list(string)",
            "From where the Kubernetes API is reached, with an IAM identity: narrow it \
 to your pipeline and your people.",
        )
        .is(vec!["0.0.0.0/0"])
        .cidrs(),
        argument(
            "access",
            "map(object({ role_arn = string, policy = string, group = string, namespaces = \
 list(string) }))",
            "Who may do what: a role, a policy of EKS, a group of the manifests, and in which \
 namespaces (none: everywhere).",
        )
        .code(access(facts), access_example(facts)),
        private_subnet_ids("subnet_ids", "Subnets of the nodes."),
        argument(
            "node_group_name",
            "string",
            "What the group of nodes is called.",
        )
        .is(&nodes.name),
        instance_type(facts),
        argument(
            "spot",
            "bool",
            "Buy the nodes at spot prices; AWS may take them back at any time.",
        )
        .is(nodes.spot),
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
        .code(secret_arns(facts), vec![SECRET])]);
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
                                Value::from(names::role(&facts.prefix, name.as_str())),
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
    if let Some(bucket) = facts.logs() {
        module = module.takes([
            argument("log_bucket_arn", "string", "Where Loki keeps logs.").code(
                format!("module.{}.arn", bucket_module(bucket)),
                "arn:aws:s3:::logs",
            ),
        ]);
    }
    if facts.has.ingress_alb {
        module = module.takes([argument(
            "web_acl_arns",
            "list(string)",
            "Firewalls that load balancers may be put behind.",
        )
        .code("module.waf[*].arn", vec![WEB_ACL])]);
    }
    module = module.gives([
        output("cluster_name", "The cluster.", "aws_eks_cluster.this.name").public(),
        output(
            "cluster_endpoint",
            "Its API.",
            "aws_eks_cluster.this.endpoint",
        )
        .public(),
        output(
            "cluster_security_group_id",
            "The group of the control plane and the nodes.",
            "aws_eks_cluster.this.vpc_config[0].cluster_security_group_id",
        ),
        output(
            "node_group",
            "The auto-scaling group behind the nodes.",
            "aws_eks_node_group.this.resources[0].autoscaling_groups[0].name",
        ),
        output(
            "controller_role_arns",
            "Roles of the controllers, for the annotation `eks.amazonaws.com/role-arn` \
 of their service accounts.",
            "{ for name, role in aws_iam_role.controller : name => role.arn }",
        )
        .public(),
    ]);
    if facts.has.service_buckets {
        module = module.gives([output(
            "service_role_arns",
            "Roles of the services, for the annotation `eks.amazonaws.com/role-arn` of \
 their service accounts.",
            "{ for name, role in aws_iam_role.service : name => role.arn }",
        )
        .public()]);
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

/// Roles, policies of EKS, groups of the manifests, and whether only the namespace is theirs, of the access entries.
fn entries(facts: &Facts<'_>) -> Vec<(&'static str, &'static str, &'static str, bool)> {
    // Where releases are approved, changes go through the pipeline: as the manifests' roles have it.
    let developer = if facts.plan.target.approval {
        "AmazonEKSViewPolicy"
    } else {
        "AmazonEKSEditPolicy"
    };
    let mut entries = vec![
        ("admin", "AmazonEKSClusterAdminPolicy", "admins", false),
        ("developer", developer, "developers", true),
        ("readonly", "AmazonEKSViewPolicy", "viewers", true),
    ];
    if facts.has.pipeline {
        entries.push(("deploy", "AmazonEKSAdminPolicy", "deployers", true));
    }
    entries.sort_unstable();
    entries
}

fn access(facts: &Facts<'_>) -> String {
    let lines = entries(facts)
        .into_iter()
        .map(|(role, policy, people, within)| {
            let group = format!("{}-{people}", facts.plan.name);
            let namespaces = if within {
                "[var.kubernetes_namespace]".to_owned()
            } else {
                "[]".to_owned()
            };
            format!(
                "{role} = {{\nrole_arn = module.iam.role_arns[\"{role}\"]\npolicy = \
 \"{policy}\"\ngroup = \"{group}\"\nnamespaces = {namespaces}\n}}\n"
            )
        });
    format!("{{\n{}}}", lines.collect::<String>())
}

fn access_example(facts: &Facts<'_>) -> Value {
    let (role, policy, group) = ("readonly", "AmazonEKSViewPolicy", "viewers");
    let entry = vec![
        (
            "role_arn".to_owned(),
            Value::from(format!("arn:aws:iam::123456789012:role/{role}")),
        ),
        ("policy".to_owned(), policy.into()),
        (
            "group".to_owned(),
            format!("{}-{group}", facts.plan.name).into(),
        ),
        (
            "namespaces".to_owned(),
            vec![facts.plan.kubernetes.namespace.clone()].into(),
        ),
    ];
    Value::Map(vec![(role.to_owned(), Value::Map(entry))])
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
