//! Keys, identities, secrets, backups, and what is kept in the recovery region.

use serde_json::json;

use super::compute::{group_name, revision_parameter};
use super::data::replica_name;
use super::facts::{Facts, Kept};
use super::hcl::{Value, quote};
use super::shared::{
    environment, fill, kms_key_arn, log_retention_days, name_prefix, replica_region,
};
use super::stack::{Module, argument, output};
use wharf_plan::model::StoreEngine;

pub(super) fn kms(facts: &Facts<'_>) -> Module {
    Module::new(
        "kms",
        "The key that this environment's data is encrypted with.",
    )
    .file("main.tf", fill(include_str!("modules/kms.tf"), facts.has))
    .takes([name_prefix(facts)])
    .gives([output("key_arn", "The key.", "aws_kms_key.this.arn")])
}

pub(super) fn iam(facts: &Facts<'_>) -> Option<Module> {
    let humans = !facts.has.ec2;
    if !humans && !facts.has.pipeline {
        return None;
    }
    let mut context = serde_json::to_value(facts.has).unwrap_or_default();
    context["humans"] = humans.into();
    context["region"] = (facts.has.eks
        || facts.has.pipeline
            && (facts.has.ec2 || facts.has.ecr)
            && facts.cloud.repository.is_some())
    .into();
    let mut module = Module::new(
        "iam",
        "Who may do what: people with a second factor, and the pipeline.",
    )
    .file("main.tf", fill(include_str!("modules/iam.tf"), &context));
    module = module.takes([name_prefix(facts)]);
    let mut roles: Vec<String> = vec![];
    if humans {
        roles.push("{ admin = aws_iam_role.admin.arn }".to_owned());
    }
    if facts.has.eks {
        roles.push("{ for name, role in aws_iam_role.person : name => role.arn }".to_owned());
        module =
            module
                .takes([argument("cluster_name", "string", "The cluster.")
                    .is(&facts.cloud.nodes.cluster)]);
    }
    if let (Some(repository), true) = (&facts.cloud.repository, facts.has.pipeline) {
        roles.push("{ deploy = aws_iam_role.deploy.arn }".to_owned());
        module = module
            .file(
                "pipeline.tf",
                fill(include_str!("modules/iam_pipeline.tf"), &context),
            )
            .takes([
                environment(facts),
                argument(
                    "github_repository",
                    "string",
                    "The repository whose workflows may deploy.",
                )
                .is(repository)
                .matches(
                    "^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$",
                    "An owner and a name, such as example/app.",
                ),
                argument(
                    "create_github_provider",
                    "bool",
                    "Make GitHub's identity provider; false where another environment of the \
 account has made it.",
                )
                .knob("create_github_oidc_provider", true),
            ]);
        if facts.has.ecr {
            module = module.takes([argument(
                "repositories",
                "list(string)",
                "Repositories that images are pushed to.",
            )
            .is(facts.repositories.clone())]);
            module = module.takes([argument(
                "image_refs",
                "list(string)",
                "Branches and tags of the repository whose images are pushed.",
            )
            .is(facts.image_refs.clone())]);
            roles.push("{ images = aws_iam_role.images.arn }".to_owned());
        }
        if facts.has.ec2 {
            module = module.takes([
                argument(
                    "group_name",
                    "string",
                    "The auto-scaling group that is deployed to.",
                )
                .code(quote(&group_name(facts)), group_name(facts)),
                argument(
                    "revision_parameter",
                    "string",
                    "The parameter with the commit that machines check out.",
                )
                .code(quote(&revision_parameter(facts)), revision_parameter(facts)),
            ]);
        }
        if facts.has.provision {
            roles.push("{ preview = aws_iam_role.preview.arn }".to_owned());
            roles.push("{ provision = aws_iam_role.provision.arn }".to_owned());
        }
    }
    let roles = match roles.as_slice() {
        [one] => one.clone(),
        roles => format!("merge(\n{},\n)", roles.join(",\n")),
    };
    Some(module.gives([output("role_arns", "Roles by what they are for.", roles).public()]))
}

pub(super) fn secrets(facts: &Facts<'_>) -> Module {
    let mut module = Module::new(
        "secrets",
        "The application's secrets, and what replaces them in time.",
    )
    .providers(if facts.has.rotation {
        &["archive", "random"]
    } else {
        &["random"]
    })
    .file(
        "main.tf",
        fill(include_str!("modules/secrets.tf"), facts.has),
    );
    if facts.has.rotation {
        module = module
            .file(
                "rotation.tf",
                fill(include_str!("modules/secrets_rotation.tf"), facts.has),
            )
            .file("rotate.py", include_str!("modules/rotate.py").to_owned())
            .takes([
                name_prefix(facts),
                argument(
                    "enable_rotation",
                    "bool",
                    "Replace generated secrets regularly.",
                )
                .knob(
                    "enable_secret_rotation",
                    facts.cloud.protection.secrets_manager,
                ),
                log_retention_days(facts),
            ]);
    }
    let secrets = facts
        .secrets
        .iter()
        .map(|(key, kept)| (key.clone(), kept_value(kept)))
        .collect();
    module
        .takes([
            argument(
                "secrets",
                "map(object({ description = string, generated = map(number), rotated = \
 map(number), rotate_days = number }))",
                "Secrets by name: how many characters of which properties are made up (an \
 empty name: the whole value), which of them are replaced, and after how many \
 days.",
            )
            .is(Value::Map(secrets)),
            kms_key_arn(),
        ])
        .takes(replica_region(facts))
        .gives([output(
            "secret_arns",
            "The secrets, by name.",
            "{ for name, secret in aws_secretsmanager_secret.this : name => secret.arn }",
        )
        .after(&["aws_secretsmanager_secret_version.this"])
        .public()])
}

fn kept_value(kept: &Kept) -> Value {
    let lengths = |of: &std::collections::BTreeMap<String, u32>| {
        Value::Map(
            of.iter()
                .map(|(name, length)| (name.clone(), Value::from(*length)))
                .collect(),
        )
    };
    Value::Map(vec![
        // Secrets Manager takes 2,048 characters.
        (
            "description".to_owned(),
            kept.descriptions
                .join("; ")
                .chars()
                .take(2000)
                .collect::<String>()
                .into(),
        ),
        ("generated".to_owned(), lengths(&kept.generated)),
        ("rotated".to_owned(), lengths(&kept.rotated)),
        ("rotate_days".to_owned(), kept.rotate_days.into()),
    ])
}

/// The longest that backups of any database are kept.
fn keep_days(facts: &Facts<'_>) -> u64 {
    let postgres = facts
        .stores
        .iter()
        .filter(|store| store.engine == StoreEngine::Postgres);
    postgres.map(|store| store.keep_days).max().unwrap_or(7)
}

/// The databases as an expression: ARNs by name.
fn databases(facts: &Facts<'_>) -> Vec<(String, String)> {
    let postgres = facts
        .stores
        .iter()
        .filter(|store| store.engine == StoreEngine::Postgres);
    postgres
        .map(|store| {
            (
                store.name.to_string(),
                format!("module.{}.arn", facts.module_of(store)),
            )
        })
        .collect()
}

pub(super) fn backup(facts: &Facts<'_>) -> Module {
    let mut resources: Vec<String> = databases(facts).into_iter().map(|(_, arn)| arn).collect();
    if facts.has.efs {
        resources.push("module.efs.arn".to_owned());
    }
    let mut module = Module::new(
        "backup",
        "Daily backups that live apart from what they are of.",
    )
    .switch(
        "enable_backup",
        "Keep backups in AWS Backup, beside those that the databases keep themselves.",
        facts.cloud.protection.backup,
    )
    .file(
        "main.tf",
        fill(include_str!("modules/backup.tf"), facts.has),
    )
    .takes([
        name_prefix(facts),
        argument("schedule", "string", "When backups are made, UTC.")
            .knob("backup_schedule", "cron(0 5 ? * * *)")
            .matches(
                "^(cron|rate)\\(.+\\)$",
                "A schedule such as cron(0 5 ? * * *).",
            ),
        argument("retention_days", "number", "How many days they are kept.")
            .knob("backup_vault_retention_days", keep_days(facts))
            .between(1, 36500),
        argument("resource_arns", "list(string)", "What is backed up.").code(
            format!("[{}]", resources.join(", ")),
            vec!["arn:aws:rds:us-east-1:123456789012:db:app"],
        ),
        kms_key_arn(),
    ])
    .gives([output(
        "vault_arn",
        "Where the backups are.",
        "aws_backup_vault.this.arn",
    )
    .public_as("backup_vault_arn")]);
    if facts.has.recovery {
        module = module.takes([argument(
            "recovery_vault_arn",
            "string",
            "Where copies go: the vault of the recovery region.",
        )
        .code(
            "module.recovery.vault_arn",
            "arn:aws:backup:us-west-2:123456789012:backup-vault:app",
        )]);
    }
    module
}

pub(super) fn recovery(facts: &Facts<'_>) -> Module {
    let context = json!({ "postgres": facts.has.postgres, "backup": facts.has.backup, "buckets": facts.has.buckets });
    let mut module = Module::new(
        "recovery",
        "Copies in the recovery region, and the key that they are encrypted with.",
    )
    .file(
        "main.tf",
        fill(include_str!("modules/recovery.tf"), context),
    )
    .takes([name_prefix(facts)])
    .gives([output(
        "key_arn",
        "The key of the recovery region.",
        "aws_kms_key.this.arn",
    )
    .public_as("recovery_key_arn")]);
    module.region = Some("recovery");
    if facts.has.postgres {
        let lines: Vec<String> = databases(facts)
            .into_iter()
            .map(|(name, arn)| format!("{} = {arn}", quote(&name)))
            .collect();
        let example = vec![(
            "db".to_owned(),
            Value::from("arn:aws:rds:us-east-1:123456789012:db:app"),
        )];
        module = module
            .takes([
                argument(
                    "database_arns",
                    "map(string)",
                    "Databases whose backups are replicated.",
                )
                .code(format!("{{\n{}\n}}", lines.join("\n")), Value::Map(example)),
                argument(
                    "backup_retention_days",
                    "number",
                    "How many days they are kept there.",
                )
                .knob("recovery_retention_days", keep_days(facts))
                .between(1, 35),
            ])
            .gives([output(
                "replicated_backup_ids",
                "Replicated backups, by database.",
                "{ for name, backup in aws_db_instance_automated_backups_replication.this : \
 name => backup.id }",
            )
            .public_as("recovery_backup_ids")]);
    }
    if facts.has.backup {
        module = module.gives([output(
            "vault_arn",
            "The vault.",
            "aws_backup_vault.this.arn",
        )]);
    }
    if facts.has.buckets {
        let names: Vec<String> = facts
            .cloud
            .buckets
            .iter()
            .map(|(purpose, bucket)| {
                format!(
                    "{} = {}",
                    quote(purpose.as_str()),
                    replica_name(facts, bucket)
                )
            })
            .collect();
        let example = facts
            .cloud
            .buckets
            .keys()
            .map(|purpose| (purpose.to_string(), Value::from("replica-app-123456789012")))
            .collect();
        module = module
            .takes([argument(
                "buckets",
                "map(string)",
                "What the copies of the buckets are called.",
            )
            .code(format!("{{\n{}\n}}", names.join("\n")), Value::Map(example))])
            .gives([output(
                "bucket_arns",
                "Copies of the buckets.",
                "{ for purpose, bucket in aws_s3_bucket.replica : purpose => bucket.arn }",
            )
            // Replication is refused before its destination keeps versions.
            .after(&["aws_s3_bucket_versioning.replica"])]);
    }
    module
}
