//! What holds data: databases, caches, buckets, and their backups.

use wharf_base::ids::Name;
use wharf_plan::model::{Bucket, Database, StoreEngine};

use super::network::{store_subnets, subnet_references};
use super::stack::{Stack, allow, attribute, id, kept, policy, reference, sub, trusts};
use super::{Source, parametrised, tag};
use crate::yaml::{Map, Yaml};
use crate::{list, map};

pub(super) fn add(source: Source<'_>, stack: &mut Stack) {
    for (index, (name, database)) in databases(source).enumerate() {
        postgres(source, stack, name, database, index == 0);
    }
    for (name, database) in stores(source, StoreEngine::Redis) {
        redis(source, stack, name, database);
    }
    for (name, bucket) in &source.cloud.buckets {
        add_bucket(source, stack, name, bucket);
    }
    if source.cloud.protection.backup && databases(source).next().is_some() {
        backup(source, stack);
    }
}

/// The managed PostgreSQL servers.
pub(super) fn databases<'a>(
    source: Source<'a>,
) -> impl Iterator<Item = (&'a Name, &'a Database)> + 'a {
    stores(source, StoreEngine::Postgres)
}

/// The managed stores of a kind.
pub(super) fn stores<'a>(
    source: Source<'a>,
    engine: StoreEngine,
) -> impl Iterator<Item = (&'a Name, &'a Database)> + 'a {
    source.cloud.databases.iter().filter(move |(name, _)| {
        let store = source.plan.stores.get(*name);
        store.is_some_and(|store| store.engine == engine && store.external_url.is_none())
    })
}

/// The logical id of a store's server.
pub(super) fn server_id(name: &Name, engine: StoreEngine) -> String {
    match engine {
        StoreEngine::Postgres => id("Database", name.as_str()),
        StoreEngine::Redis => id("Cache", name.as_str()),
    }
}

/// `16.4` -> `16`: what parameter groups belong to.
fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or(version)
}

fn postgres(source: Source<'_>, stack: &mut Stack, name: &Name, database: &Database, first: bool) {
    let server = server_id(name, StoreEngine::Postgres);
    stack.add(
        &format!("{server}Subnets"),
        "AWS::RDS::DBSubnetGroup",
        map! {
            "DBSubnetGroupName" => database.identifier.as_str(),
            "DBSubnetGroupDescription" => format!("Where {} may be", database.identifier),
            "SubnetIds" => subnet_references(source, store_subnets(source)),
        },
    );
    stack.add(
        &format!("{server}Parameters"),
        "AWS::RDS::DBParameterGroup",
        map! {
            "Description" => format!("Settings of {}", database.identifier),
            "Family" => format!("postgres{}", major(&database.version)),
            "Parameters" => map! {
                // TLS or nothing.
                "rds.force_ssl" => "1",
                // Milliseconds; slower statements are logged.
                "log_min_duration_statement" => "1000",
            },
        },
    );
    let mut properties = map! {
        "DBInstanceIdentifier" => database.identifier.as_str(),
        "Engine" => "postgres",
        "EngineVersion" => database.version.as_str(),
        "DBInstanceClass" => if first { reference("DBInstanceClass") } else { database.instance.as_str().into() },
        "AllocatedStorage" => database.storage_gib.to_string(),
        "StorageType" => database.storage_type.as_str(),
        "StorageEncrypted" => source.cloud.protection.encryption,
        "DBName" => database.database.as_str(),
        "MasterUsername" => database.user.as_str(),
    };
    properties.set_with_comment(
        "RDS makes the password, keeps it in Secrets Manager and replaces it every seven days.",
        "ManageMasterUserPassword",
        true,
    );
    properties.set_some(
        "MaxAllocatedStorage",
        database.storage_max_gib.map(i64::from),
    );
    match (&database.zone, database.multi_az) {
        (Some(zone), false) => {
            properties.set("AvailabilityZone", zone.as_str());
        }
        (Some(zone), true) => {
            let mut others = source.cloud.network.zones.iter();
            let standby = others.find(|other| *other != zone).unwrap_or(zone);
            properties.set_with_comment(
                format!(
                    "Primary in {zone}, standby in {standby} at first: RDS chooses, and swaps them when one fails."
                ),
                "MultiAZ",
                true,
            );
        }
        (None, multi_az) => {
            properties.set("MultiAZ", multi_az);
        }
    }
    let keep = source
        .plan
        .stores
        .get(name)
        .and_then(|store| store.backups.as_ref());
    let days = keep.map_or(7, |backups| backups.keep.as_secs() / 86_400);
    properties.set("DBSubnetGroupName", reference(&format!("{server}Subnets")));
    properties.set(
        "DBParameterGroupName",
        reference(&format!("{server}Parameters")),
    );
    properties.set(
        "VPCSecurityGroups",
        list![reference(&id("StoreSecurityGroup", name.as_str()))],
    );
    properties.set("Port", "5432");
    properties.set("PubliclyAccessible", false);
    properties.set(
        "BackupRetentionPeriod",
        i64::try_from(days.min(35)).unwrap_or(35),
    );
    properties.set("PreferredBackupWindow", database.backup_window.as_str());
    properties.set("PreferredMaintenanceWindow", database.maintenance.as_str());
    properties.set_with_comment(
        "The version is the template's; another one is a change of the template.",
        "AutoMinorVersionUpgrade",
        false,
    );
    properties.set("CopyTagsToSnapshot", true);
    properties.set("DeletionProtection", database.protected);
    properties.set("EnableCloudwatchLogsExports", vec!["postgresql", "upgrade"]);
    properties.set("Tags", tag(source, name.as_str()));
    let mut attributes = kept();
    attributes.set_with_comment(
        "The version is the file's, whose check warns of one that is past its end.",
        "Metadata",
        map! { "cfn-lint" => map! { "config" => map! { "ignore_checks" => vec!["W3691"] } } },
    );
    stack.add_with("", &server, "AWS::RDS::DBInstance", attributes, properties);
    if let Some(zone) = &database.replica_zone {
        stack.add_with(
            "Reads go on there when the primary's zone fails; it is promoted by hand.",
            &format!("{server}Replica"),
            "AWS::RDS::DBInstance",
            map! { "DeletionPolicy" => "Delete", "UpdateReplacePolicy" => "Delete" },
            map! {
                "DBInstanceIdentifier" => crate::names::dns_label(&format!("{}-replica", database.identifier), 63),
                "SourceDBInstanceIdentifier" => reference(&server),
                "DBInstanceClass" => if first { reference("DBInstanceClass") } else { database.instance.as_str().into() },
                "AvailabilityZone" => zone.as_str(),
                "StorageEncrypted" => source.cloud.protection.encryption,
                "AutoMinorVersionUpgrade" => false,
                "PubliclyAccessible" => false,
                "VPCSecurityGroups" => list![reference(&id("StoreSecurityGroup", name.as_str()))],
            },
        );
    }
    stack.output(
        &format!("{server}Endpoint"),
        "The address of the database",
        attribute(&format!("{server}.Endpoint.Address")),
    );
}

fn redis(source: Source<'_>, stack: &mut Stack, name: &Name, database: &Database) {
    let server = server_id(name, StoreEngine::Redis);
    stack.add(
        &format!("{server}Subnets"),
        "AWS::ElastiCache::SubnetGroup",
        map! {
            "Description" => format!("Where {} may be", database.identifier),
            "SubnetIds" => subnet_references(source, store_subnets(source)),
        },
    );
    stack.add_kept(
        &format!("{server}Secret"),
        "AWS::SecretsManager::Secret",
        map! {
            "Name" => format!("{}/{name}", source.cloud.prefix),
            "Description" => format!("The password of {}", database.identifier),
            "GenerateSecretString" => map! {
                "SecretStringTemplate" => "{\"username\": \"default\"}",
                "GenerateStringKey" => "password",
                "PasswordLength" => 48,
                "ExcludePunctuation" => true,
            },
        },
    );
    let several = database.nodes > 1;
    stack.add_with(
        "",
        &server,
        "AWS::ElastiCache::ReplicationGroup",
        map! { "DeletionPolicy" => "Snapshot", "UpdateReplacePolicy" => "Snapshot" },
        map! {
            "ReplicationGroupId" => crate::names::dns_label(&database.identifier, 40),
            "ReplicationGroupDescription" => format!("{name} of {}", source.plan.name),
            "Engine" => "redis",
            "EngineVersion" => database.version.as_str(),
            "CacheNodeType" => database.instance.as_str(),
            "NumCacheClusters" => database.nodes.max(1),
            "AutomaticFailoverEnabled" => several,
            "MultiAZEnabled" => several,
            "AtRestEncryptionEnabled" => source.cloud.protection.encryption,
            "TransitEncryptionEnabled" => true,
            "AuthToken" => sub(&format!("{{{{resolve:secretsmanager:${{{server}Secret}}:SecretString:password}}}}")),
            "CacheSubnetGroupName" => reference(&format!("{server}Subnets")),
            "SecurityGroupIds" => list![reference(&id("StoreSecurityGroup", name.as_str()))],
            "SnapshotRetentionLimit" => 7,
            "SnapshotWindow" => database.backup_window.as_str(),
            "PreferredMaintenanceWindow" => database.maintenance.as_str(),
        },
    );
}

/// The bucket's name as a text for `!Sub`.
pub(super) fn bucket_name(source: Source<'_>, bucket: &Bucket) -> String {
    bucket
        .name
        .replace("{environment}", "${Environment}")
        .replace("{account}", "${AWS::AccountId}")
        .replace("{project}", source.plan.name.as_str())
}

fn add_bucket(source: Source<'_>, stack: &mut Stack, name: &Name, bucket: &Bucket) {
    let own = id("Bucket", name.as_str());
    let mut properties = map! {
        "BucketName" => parametrised(&bucket_name(source, bucket)),
        "BucketEncryption" => map! {
            "ServerSideEncryptionConfiguration" => list![map! {
                "ServerSideEncryptionByDefault" => map! { "SSEAlgorithm" => "AES256" },
            }],
        },
        "OwnershipControls" => map! {
            "Rules" => list![map! { "ObjectOwnership" => "BucketOwnerEnforced" }],
        },
        "PublicAccessBlockConfiguration" => map! {
            "BlockPublicAcls" => true,
            "BlockPublicPolicy" => true,
            "IgnorePublicAcls" => true,
            "RestrictPublicBuckets" => true,
        },
    };
    if bucket.versioned {
        properties.set("VersioningConfiguration", map! { "Status" => "Enabled" });
    }
    properties.set(
        "LifecycleConfiguration",
        map! { "Rules" => lifecycle(bucket) },
    );
    stack.add_kept(&own, "AWS::S3::Bucket", properties);
    stack.add(
        &format!("{own}Policy"),
        "AWS::S3::BucketPolicy",
        map! {
            "Bucket" => reference(&own),
            "PolicyDocument" => policy(vec![map! {
                "Sid" => "OnlyTls",
                "Effect" => "Deny",
                "Principal" => "*",
                "Action" => "s3:*",
                "Resource" => list![
                    attribute(&format!("{own}.Arn")),
                    sub(&format!("${{{own}.Arn}}/*")),
                ],
                "Condition" => map! { "Bool" => map! { "aws:SecureTransport" => "false" } },
            }]),
        },
    );
    stack.output(
        &format!("{own}Name"),
        &format!("The bucket of {name}"),
        reference(&own),
    );
}

fn lifecycle(bucket: &Bucket) -> Yaml {
    let mut rules: Vec<Map> = vec![map! {
        "Id" => "incomplete-uploads",
        "Status" => "Enabled",
        "AbortIncompleteMultipartUpload" => map! { "DaysAfterInitiation" => 7 },
    }];
    if bucket.versioned {
        rules.push(map! {
            "Id" => "old-versions",
            "Status" => "Enabled",
            "NoncurrentVersionExpiration" => map! { "NoncurrentDays" => 90 },
        });
    }
    if let Some(days) = bucket.archive_after_days {
        rules.push(map! {
            "Id" => "archive",
            "Status" => "Enabled",
            "Transitions" => list![map! {
                // Read in milliseconds, and taken from the first day; infrequent access is refused before the 30th.
                "StorageClass" => "GLACIER_IR",
                "TransitionInDays" => days,
            }],
        });
    }
    if let Some(days) = bucket.expire_after_days {
        rules.push(map! {
            "Id" => "expire",
            "Status" => "Enabled",
            "ExpirationInDays" => days,
        });
    }
    Yaml::from(rules)
}

fn backup(source: Source<'_>, stack: &mut Stack) {
    stack.add_with(
        "Copies beside RDS's own: a database that is deleted by mistake takes its own with it.",
        "BackupVault",
        "AWS::Backup::BackupVault",
        kept(),
        map! { "BackupVaultName" => source.name("backups") },
    );
    stack.add(
        "BackupPlan",
        "AWS::Backup::BackupPlan",
        map! {
            "BackupPlan" => map! {
                "BackupPlanName" => source.name("daily"),
                "BackupPlanRule" => list![map! {
                    "RuleName" => "daily",
                    "TargetBackupVault" => reference("BackupVault"),
                    "ScheduleExpression" => "cron(0 5 * * ? *)",
                    "Lifecycle" => map! { "DeleteAfterDays" => 35 },
                }],
            },
        },
    );
    stack.add(
        "BackupRole",
        "AWS::IAM::Role",
        map! {
            "RoleName" => source.name("backup"),
            "AssumeRolePolicyDocument" => trusts("backup.amazonaws.com"),
            "ManagedPolicyArns" => list![sub(
                "arn:${AWS::Partition}:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup",
            )],
        },
    );
    let resources: Vec<Yaml> = databases(source)
        .map(|(name, _)| {
            attribute(&format!(
                "{}.DBInstanceArn",
                server_id(name, StoreEngine::Postgres)
            ))
        })
        .collect();
    stack.add(
        "BackupSelection",
        "AWS::Backup::BackupSelection",
        map! {
            "BackupPlanId" => reference("BackupPlan"),
            "BackupSelection" => map! {
                "SelectionName" => "databases",
                "IamRoleArn" => attribute("BackupRole.Arn"),
                "Resources" => resources,
            },
        },
    );
}

/// What the machines may do with the buckets of their services.
pub(super) fn bucket_statements(source: Source<'_>) -> Vec<Map> {
    let mut used: Vec<&Name> = source
        .plan
        .services
        .values()
        .flat_map(|service| &service.buckets)
        .filter(|name| source.cloud.buckets.contains_key(*name))
        .collect();
    used.sort_unstable();
    used.dedup();
    if used.is_empty() {
        return vec![];
    }
    let ids: Vec<String> = used
        .iter()
        .map(|name| id("Bucket", name.as_str()))
        .collect();
    let buckets: Vec<Yaml> = ids
        .iter()
        .map(|id| attribute(&format!("{id}.Arn")))
        .collect();
    let objects: Vec<Yaml> = ids
        .iter()
        .map(|id| sub(&format!("${{{id}.Arn}}/*")))
        .collect();
    vec![
        allow("ListBuckets", &["s3:ListBucket"], buckets),
        allow(
            "UseObjects",
            &["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
            objects,
        ),
    ]
}
