//! Buckets and images.

use wharf_base::ids::Name;
use wharf_plan::model::Bucket;

use super::facts::Facts;
use super::shared::{KEY, deletion_protection, fill, kms_key_arn, prefixed, replica_region};
use super::stack::{Argument, Module, argument, output};
use crate::names;

/// A bucket's name as an expression: the account is known only when it is applied.
pub(super) fn bucket_name(facts: &Facts<'_>, bucket: &Bucket) -> String {
    let name = bucket.name.replace("{project}", facts.plan.name.as_str());
    let name = match name.strip_prefix(&facts.prefix) {
        Some(rest) => super::hcl::quote(rest).replacen('"', "\"${var.name_prefix}", 1),
        None => super::hcl::quote(&name),
    };
    name.replace("{environment}", "${var.environment}").replace(
        "{account}",
        "${data.aws_caller_identity.current.account_id}",
    )
}

/// The same for the copy in the recovery region.
pub(super) fn replica_name(facts: &Facts<'_>, bucket: &Bucket) -> String {
    let name = bucket_name(facts, bucket);
    let name = name.trim_matches('"');
    format!("substr(\"replica-{name}\", 0, 63)")
}

/// The name with everything filled in, as an example.
pub(super) fn example_name(facts: &Facts<'_>, bucket: &Bucket) -> String {
    bucket
        .name
        .replace("{project}", facts.plan.name.as_str())
        .replace("{environment}", &facts.environment())
        .replace("{account}", "123456789012")
}

pub(super) fn bucket_module(purpose: &Name) -> String {
    format!("s3_{}", names::identifier(purpose.as_str()))
}

pub(super) fn bucket(facts: &Facts<'_>, purpose: &Name, bucket: &Bucket) -> Module {
    let stem = names::identifier(purpose.as_str());
    let mut module = Module::new(
        "s3",
        "A private bucket: encrypted, over TLS only, with rules for old objects.",
    )
    .named(bucket_module(purpose))
    .file("main.tf", fill(include_str!("modules/s3.tf"), facts.has))
    .takes([
        argument("bucket", "string", "What it is called, everywhere in AWS.")
            .code(bucket_name(facts, bucket), example_name(facts, bucket))
            .matches(
                "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
                "Lower case letters, digits, dots and hyphens; 3 to 63.",
            ),
        argument(
            "versioned",
            "bool",
            format!("Keep old versions of objects (bucket `{purpose}`)."),
        )
        .knob(
            format!("{stem}_bucket_versioned"),
            bucket.versioned || facts.has.recovery,
        ),
        argument(
            "archive_after_days",
            "number",
            format!(
                "After how many days objects go to cheaper storage; null: never (bucket \
 `{purpose}`)."
            ),
        )
        .knob(
            format!("{stem}_bucket_archive_after_days"),
            bucket.archive_after_days,
        ),
        argument(
            "expire_after_days",
            "number",
            format!("After how many days objects are deleted; null: never (bucket `{purpose}`)."),
        )
        .knob(
            format!("{stem}_bucket_expire_after_days"),
            bucket.expire_after_days,
        ),
        kms_key_arn(),
    ])
    .gives([
        output("bucket", "What it is called.", "aws_s3_bucket.this.bucket")
            .public_as(format!("{stem}_bucket")),
        output("arn", "The bucket.", "aws_s3_bucket.this.arn"),
    ]);
    if facts.has.recovery {
        module = module.takes([
            prefixed(
                facts,
                "replication_role_name",
                "What the role that copies objects is called.",
                &format!("{purpose}-replication"),
                64,
            ),
            argument(
                "replica_bucket_arn",
                "string",
                "The copy in the recovery region.",
            )
            .code(
                format!(
                    "module.recovery.bucket_arns[{}]",
                    super::hcl::quote(purpose.as_str())
                ),
                "arn:aws:s3:::replica",
            ),
            argument(
                "replica_kms_key_arn",
                "string",
                "The key of the recovery region.",
            )
            .code("module.recovery.key_arn", KEY),
        ]);
    }
    module
}

pub(super) fn ecr(facts: &Facts<'_>) -> Module {
    Module::new("ecr", "Repositories of the images.")
        .switch(
            "create_repositories",
            "Make the repositories; false where another environment of the account has made them.",
            true,
        )
        .file("main.tf", fill(include_str!("modules/ecr.tf"), facts.has))
        .takes([
            argument(
                "repositories",
                "list(string)",
                "What the repositories are called.",
            )
            .is(facts.repositories.clone()),
            argument("kept_images", "number", "How many images of each are kept.")
                .is(30_u32)
                .between(1, 1000),
            kms_key_arn(),
        ])
        .takes(replica_region(facts))
        .gives([output(
            "repository_urls",
            "Where images are pushed to, by repository.",
            "{ for name, repository in aws_ecr_repository.this : name => \
 repository.repository_url }",
        )
        .public()])
}

/// Whether something refuses to be deleted: as its databases do.
pub(super) fn protection(facts: &Facts<'_>, about: &str) -> Argument {
    let protected = facts.stores.iter().any(|store| store.database.protected);
    deletion_protection(about, protected)
}
