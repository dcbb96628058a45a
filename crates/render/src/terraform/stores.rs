//! Managed stores: RDS and ElastiCache.

use serde_json::json;
use wharf_base::ids::Name;
use wharf_plan::model::StoreEngine;

use super::facts::{Facts, Managed};
use super::hcl::Value;
use super::network::group_id;
use super::shared::{
    enable_encryption, fill, kms_key_arn, log_retention_days, name_prefix, prefixed,
    replica_region, security_group_id,
};
use super::stack::{Argument, Module, argument, output};
use crate::names;

/// Under which name Secrets Manager keeps how a store is reached.
pub(super) fn store_secret(facts: &Facts<'_>, store: &Name) -> String {
    match &facts.plan.environment {
        Some(environment) => format!("{}/{environment}/{store}", facts.plan.name),
        None => format!("{}/{store}", facts.plan.name),
    }
}

pub(super) fn store(facts: &Facts<'_>, store: &Managed<'_>) -> Module {
    match store.engine {
        StoreEngine::Postgres => rds(facts, store),
        StoreEngine::Redis => elasticache(facts, store),
    }
}

/// A knob of the root that carries the store's name.
fn knob(
    store: &Managed<'_>,
    name: &'static str,
    kind: &'static str,
    about: &str,
    value: impl Into<Value>,
) -> Argument {
    let about = format!("{} (store `{}`).", about.trim_end_matches('.'), store.name);
    let variable = format!("{}_{name}", names::identifier(store.name.as_str()));
    argument(name, kind, about).knob(variable, value)
}

/// The argument of the subnets.
fn subnets(facts: &Facts<'_>) -> Argument {
    argument("subnet_ids", "list(string)", "Subnets of the store.").code(
        facts.store_subnets(),
        vec!["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    )
}

fn group(facts: &Facts<'_>, store: &Managed<'_>) -> Argument {
    let group = group_id(facts, store.name, store.engine);
    security_group_id(
        "The group that says who reaches it.",
        format!("module.networking.{group}_security_group_id"),
    )
}

const WINDOW: &str = "^([0-2][0-9]:[0-5][0-9])-([0-2][0-9]:[0-5][0-9])$";
const WEEKLY: &str = "^(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]$";

fn windows(store: &Managed<'_>, backup: &'static str) -> [Argument; 2] {
    let database = store.database;
    [
        knob(
            store,
            backup,
            "string",
            "When the daily backup is made, UTC",
            &database.backup_window,
        )
        .matches(WINDOW, "A window such as 03:00-04:00."),
        knob(
            store,
            "maintenance_window",
            "string",
            "When AWS may work on it, UTC",
            &database.maintenance,
        )
        .matches(WEEKLY, "A window such as sun:04:00-sun:05:00."),
    ]
}

fn rds(facts: &Facts<'_>, store: &Managed<'_>) -> Module {
    let database = store.database;
    // Every database calls the same module: it has what any of them needs.
    let postgres = || {
        let stores = facts.stores.iter();
        stores.filter(|other| other.engine == StoreEngine::Postgres)
    };
    let zoned = postgres().any(|other| other.database.zone.is_some());
    let replicated = postgres().any(|other| other.database.replica_zone.is_some());
    let context = json!({
        "port": store.port(),
        "zone": zoned,
        "replica": replicated,
        "recovery": facts.has.recovery,
    });
    let several = facts
        .stores
        .iter()
        .filter(|other| other.engine == store.engine)
        .count()
        > 1;
    let public = |name: &str| {
        if several {
            format!("rds_{}_{name}", names::identifier(store.name.as_str()))
        } else {
            format!("rds_{name}")
        }
    };
    let mut module = Module::new("rds", "PostgreSQL: encrypted, over TLS only, with backups.")
        .named(facts.module_of(store))
        .providers(&["random"])
        .file("main.tf", fill(include_str!("modules/rds.tf"), &context))
        .takes([
            knob(
                store,
                "identifier",
                "string",
                "What it is called",
                &database.identifier,
            )
            .matches(
                "^[a-z][a-z0-9-]{0,62}$",
                "A letter, then letters, digits and hyphens; at most 63.",
            ),
            knob(
                store,
                "engine_version",
                "string",
                "Exact version of PostgreSQL",
                &database.version,
            )
            .matches("^[0-9]+(\\.[0-9]+)?$", "A version such as 16.4."),
            knob(
                store,
                "instance_class",
                "string",
                "Class of the instance",
                &database.instance,
            )
            .matches(
                "^db\\.[a-z0-9]+\\.[a-z0-9]+$",
                "A class of RDS such as db.t3.micro.",
            ),
            knob(
                store,
                "allocated_storage",
                "number",
                "GiB at first",
                database.storage_gib,
            )
            .between(20, 65536),
            knob(
                store,
                "max_allocated_storage",
                "number",
                "GiB at most, grown by itself; null: fixed",
                database.storage_max_gib,
            ),
            knob(
                store,
                "storage_type",
                "string",
                "Kind of storage",
                &database.storage_type,
            )
            .one_of(&["gp2", "gp3", "io1", "io2"]),
            knob(
                store,
                "database_name",
                "string",
                "The first database",
                &database.database,
            ),
            knob(
                store,
                "username",
                "string",
                "The administrator",
                &database.user,
            ),
        ]);
    if zoned {
        module = module.takes([knob(
            store,
            "primary_zone",
            "string",
            "Zone of the primary; null: any",
            database.zone.as_ref(),
        )]);
    }
    module = module.takes([knob(
        store,
        "multi_az",
        "bool",
        "Keep a standby in another zone",
        database.multi_az,
    )]);
    if replicated {
        module = module.takes([knob(
            store,
            "replica_zone",
            "string",
            "Zone of the read replica; null: there is none",
            database.replica_zone.as_ref(),
        )]);
    }
    module = module
        .takes([knob(
            store,
            "backup_retention_days",
            "number",
            "How many days backups are kept, for a restore to any second of them",
            store.keep_days,
        )
        .between(1, 35)])
        .takes(windows(store, "backup_window"))
        .takes([
            knob(
                store,
                "deletion_protection",
                "bool",
                "Refuse to be deleted",
                database.protected,
            ),
            argument(
                "secret_name",
                "string",
                "What Secrets Manager calls host, user and password.",
            )
            .code(
                super::hcl::quote(&store_secret(facts, store.name)),
                store_secret(facts, store.name),
            ),
            prefixed(
                facts,
                "monitoring_role_name",
                "What the role of enhanced monitoring is called.",
                &format!("{}-monitoring", store.name),
                64,
            ),
            enable_encryption(facts),
            subnets(facts),
            group(facts, store),
            log_retention_days(facts),
            kms_key_arn(),
        ])
        .takes(replica_region(facts))
        .gives([
            output(
                "address",
                "Host of the primary.",
                "aws_db_instance.this.address",
            ),
            output(
                "endpoint",
                "Host and port of the primary.",
                "aws_db_instance.this.endpoint",
            )
            .public_as(public("endpoint")),
            output("arn", "The database.", "aws_db_instance.this.arn"),
            output(
                "identifier",
                "What it is called.",
                "aws_db_instance.this.identifier",
            ),
            output(
                "secret_arn",
                "Host, user and password, in Secrets Manager.",
                "aws_secretsmanager_secret.this.arn",
            )
            .after(&["aws_secretsmanager_secret_version.this"])
            .public_as(public("secret_arn")),
        ]);
    if zoned {
        module = module.gives([output(
            "primary_zone",
            "Zone that the primary is meant for, and the one that it is in: RDS chooses \
 that of a Multi-AZ instance itself. To move it: aws rds reboot-db-instance \
 --force-failover",
            "{ wanted = var.primary_zone, actual = aws_db_instance.this.availability_zone }",
        )
        .public_as(public("primary_zone"))]);
    }
    if replicated {
        module = module.gives([output(
            "replica_endpoint",
            "Host and port of the read replica.",
            "one(aws_db_instance.replica[*].endpoint)",
        )
        .public_as(public("replica_endpoint"))]);
    }
    module
}

fn elasticache(facts: &Facts<'_>, store: &Managed<'_>) -> Module {
    let database = store.database;
    let several = facts
        .stores
        .iter()
        .filter(|other| other.engine == store.engine)
        .count()
        > 1;
    let public = |name: &str| {
        if several {
            format!("redis_{}_{name}", names::identifier(store.name.as_str()))
        } else {
            format!("redis_{name}")
        }
    };
    let context = json!({ "port": store.port(), "recovery": facts.has.recovery });
    Module::new(
        "elasticache",
        "Redis: encrypted at rest and in transit, with a token.",
    )
    .named(facts.module_of(store))
    .providers(&["random"])
    .file(
        "main.tf",
        fill(include_str!("modules/elasticache.tf"), &context),
    )
    .takes([
        name_prefix(facts),
        knob(
            store,
            "identifier",
            "string",
            "What it is called",
            &database.identifier,
        )
        .matches(
            "^[a-z][a-z0-9-]{0,39}$",
            "A letter, then letters, digits and hyphens; at most 40.",
        ),
        knob(
            store,
            "engine_version",
            "string",
            "Version of Redis",
            &database.version,
        )
        .matches("^[5-7](\\.[0-9x]+)*$", "A version such as 7.0."),
        knob(
            store,
            "node_type",
            "string",
            "Class of the nodes",
            &database.instance,
        )
        .matches(
            "^cache\\.[a-z0-9]+\\.[a-z0-9]+$",
            "A class of ElastiCache such as cache.t3.micro.",
        ),
        knob(
            store,
            "node_count",
            "number",
            "How many nodes; from two on, another takes over by itself",
            database.nodes,
        )
        .between(1, 6),
        knob(
            store,
            "snapshot_retention_days",
            "number",
            "How many days snapshots are kept",
            store.keep_days,
        )
        .between(0, 35),
    ])
    .takes(windows(store, "snapshot_window"))
    .takes([
        argument(
            "secret_name",
            "string",
            "What Secrets Manager calls host and token.",
        )
        .code(
            super::hcl::quote(&store_secret(facts, store.name)),
            store_secret(facts, store.name),
        ),
        enable_encryption(facts),
        subnets(facts),
        group(facts, store),
        log_retention_days(facts),
        kms_key_arn(),
    ])
    .takes(replica_region(facts))
    .gives([
        output(
            "address",
            "Host of the primary.",
            "aws_elasticache_replication_group.this.primary_endpoint_address",
        )
        .public_as(public("endpoint")),
        output(
            "reader_address",
            "Host of the readers.",
            "aws_elasticache_replication_group.this.reader_endpoint_address",
        )
        .public_as(public("reader_endpoint")),
        output(
            "node_ids",
            "Nodes by number.",
            "{ for index in range(var.node_count) : format(\"%s-%03d\", var.identifier, \
 index + 1) => format(\"%s-%03d\", var.identifier, index + 1) }",
        ),
        output(
            "secret_arn",
            "Host and token, in Secrets Manager.",
            "aws_secretsmanager_secret.this.arn",
        )
        .after(&["aws_secretsmanager_secret_version.this"])
        .public_as(public("secret_arn")),
    ])
}
