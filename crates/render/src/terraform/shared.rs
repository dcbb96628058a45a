//! What many modules take.

use serde::Serialize;

use super::facts::Facts;
use super::hcl;
use super::stack::{Argument, argument};
use crate::{names, template};

/// A module's file from its template.
pub(super) fn fill(source: &str, context: impl Serialize) -> String {
    hcl::format(&template::fill(source, context))
}

/// An example of a key.
pub(super) const KEY: &str =
    "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000";
/// An example of a target group.
pub(super) const TARGET_GROUP: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/app/0123456789abcdef";
/// An example of a load balancer.
pub(super) const LOAD_BALANCER: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/app/0123456789abcdef";
/// An example of a web acl.
pub(super) const WEB_ACL: &str =
    "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/app/00000000-0000-0000-0000-000000000000";
/// An example of a secret.
pub(super) const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:app-AbCdEf";
/// An example of a certificate.
pub(super) const CERTIFICATE: &str =
    "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000";
/// An example of a topic.
pub(super) const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:alarms";

pub(super) fn name_prefix(facts: &Facts<'_>) -> Argument {
    argument(
        "name_prefix",
        "string",
        "What the names of resources begin with.",
    )
    .is(&facts.prefix)
    .matches(
        "^[a-z0-9][a-z0-9-]{0,39}$",
        "Lower case letters, digits and hyphens; at most 40, so that every suffix \
 has room.",
    )
}

pub(super) fn environment(facts: &Facts<'_>) -> Argument {
    argument(
        "environment",
        "string",
        "The environment: a tag of everything, and part of some names.",
    )
    .is(facts.environment())
    .matches(
        "^[a-z0-9][a-z0-9-]*$",
        "Lower case letters, digits and hyphens.",
    )
}

pub(super) fn kms_key_arn() -> Argument {
    argument(
        "kms_key_arn",
        "string",
        "The key that data is encrypted with.",
    )
    .code("module.kms.key_arn", KEY)
}

pub(super) fn enable_encryption(facts: &Facts<'_>) -> Argument {
    argument(
        "enable_encryption",
        "bool",
        "Encrypt disks and stores with the environment's key.",
    )
    .is(facts.cloud.protection.encryption)
}

pub(super) fn log_retention_days(facts: &Facts<'_>) -> Argument {
    argument(
        "log_retention_days",
        "number",
        "How long logs are kept, in days.",
    )
    .is(facts.log_days())
    .check(
        "contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, \
 1096, 1827, 2192, 2557, 2922, 3288, 3653], <it>)",
        "A number of days that CloudWatch knows, such as 7, 14, 30, 90 or 365.",
    )
}

pub(super) fn vpc_id() -> Argument {
    argument("vpc_id", "string", "The VPC.").code("module.vpc.vpc_id", "vpc-0123456789abcdef0")
}

pub(super) fn private_subnet_ids(name: &str, about: &str) -> Argument {
    argument(name, "list(string)", about).code(
        "module.vpc.private_subnet_ids",
        vec!["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    )
}

pub(super) fn security_group_id(about: &str, code: impl Into<String>) -> Argument {
    argument("security_group_id", "string", about).code(code, "sg-0123456789abcdef0")
}

pub(super) fn deletion_protection(about: &str, on: bool) -> Argument {
    argument("deletion_protection", "bool", about).is(on)
}

pub(super) fn replica_region(facts: &Facts<'_>) -> Option<Argument> {
    let region = facts.cloud.recovery_region.as_ref()?;
    Some(
        argument(
            "replica_region",
            "string",
            "The recovery region, where copies are kept.",
        )
        .knob("recovery_region", region)
        .matches(
            "^[a-z]{2}(-[a-z]+)+-[0-9]$",
            "A region of AWS such as us-west-2.",
        ),
    )
}

pub(super) fn topic_arn(about: &str) -> Argument {
    argument("topic_arn", "string", about).code("module.cloudwatch.topic_arn", TOPIC)
}

/// `PREFIX-what` as an expression and as it is, with the root's variable in it unless the name has to be cut.
pub(super) fn prefixed_code(facts: &Facts<'_>, what: &str, max: usize) -> (String, String) {
    let whole = names::dns_label(&format!("{}-{what}", facts.prefix), max);
    let code = if whole == format!("{}-{what}", facts.prefix) {
        format!("\"${{var.name_prefix}}-{what}\"")
    } else {
        hcl::quote(&whole)
    };
    (code, whole)
}

/// An argument that is a name of that kind.
pub(super) fn prefixed(
    facts: &Facts<'_>,
    name: &'static str,
    about: &str,
    what: &str,
    max: usize,
) -> Argument {
    let (code, whole) = prefixed_code(facts, what, max);
    argument(name, "string", about).code(code, whole)
}
