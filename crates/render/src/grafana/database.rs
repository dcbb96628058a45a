//! PostgreSQL: connections and pool, queries, tables, storage, replication.

use wharf_plan::model::{StoreEngine, StoresBy};
use wharf_plan::rules::vocabulary::Vocabulary;

use super::dashboard::Dashboard;
use super::panel::Panel;

const OF: &str = "namespace=\"$namespace\", store=~\"$store\"";
/// Databases that no program uses.
const USED: &str = "datname!~\"template.*|postgres|rdsadmin\"";

pub(super) fn dashboard(words: &Vocabulary<'_>) -> Option<Dashboard> {
    words.stores(StoreEngine::Postgres).next()?;
    let board = Dashboard::new(
        "database",
        "Database",
        "PostgreSQL: connections and pool, queries, tables, storage, replication.",
    )
    .by_namespace("pg_up", words.namespace)
    .by("store", "Store", "pg_up{namespace=\"$namespace\"}", "store")
    .row("Now", now())
    .row("Connections", connections(words))
    .row("Queries", queries())
    .row("Tables and storage", storage(words))
    .row("Replication", replication(words));
    Some(board)
}

fn now() -> Vec<Panel> {
    vec![
        Panel::number("Answers", "bool_yes_no", "Whether the exporter can connect.")
            .query(format!("min(pg_up{{{OF}}})"), "")
            .bad_below(1.0)
            .up_to(1.0),
        Panel::number("Transactions", "ops", "Transactions a second, committed and rolled back.").query(
            format!(
                "sum(rate(pg_stat_database_xact_commit{{{OF}}}[5m])) + sum(rate(pg_stat_database_xact_rollback{{{OF}}}[5m]))"
            ),
            "",
        ),
        Panel::number("Connections", "percentunit", "How many of the connections that the server allows are taken.")
            .query(
                format!("sum(pg_stat_activity_count{{{OF}}}) / max(pg_settings_max_connections{{{OF}}})"),
                "",
            )
            .watch_above(0.6)
            .bad_above(0.8),
        Panel::number("Cache hits", "percentunit", "The part of the blocks that were in memory when they were asked for.")
            .query(
                format!(
                    "sum(rate(pg_stat_database_blks_hit{{{OF}}}[5m])) / (sum(rate(pg_stat_database_blks_hit{{{OF}}}[5m])) + sum(rate(pg_stat_database_blks_read{{{OF}}}[5m])))"
                ),
                "",
            )
            .bad_below(0.9)
            .up_to(1.0),
        Panel::number("Size", "bytes", "The size of all databases together.")
            .query(format!("sum(pg_database_size_bytes{{{OF}}})"), ""),
        Panel::number("Longest transaction", "s", "How long the oldest transaction has been open; it keeps dead rows from being cleaned up.")
            .query(format!("max(pg_stat_activity_max_tx_duration{{{OF}}})"), "")
            .watch_above(60.0)
            .bad_above(600.0),
    ]
}

fn connections(words: &Vocabulary<'_>) -> Vec<Panel> {
    let mut panels = vec![
        Panel::lines(
            "Connections by state",
            "short",
            "`idle in transaction` is a program that forgot to commit.",
        )
        .query(
            format!("sum by (store, state) (pg_stat_activity_count{{{OF}}})"),
            "{{store}} {{state}}",
        )
        .query(
            format!("max by (store) (pg_settings_max_connections{{{OF}}})"),
            "{{store}} at most",
        ),
        Panel::lines("Locks", "short", "Locks that are held, by mode.").query(
            format!("sum by (mode) (pg_locks_count{{{OF}}})"),
            "{{mode}}",
        ),
    ];
    if !words.pooled().is_empty() {
        panels.push(
            Panel::lines(
                "Pool: clients",
                "short",
                "Clients of PgBouncer that have a connection, and that wait for one.",
            )
            .query(
                format!("sum by (store) (pgbouncer_pools_client_active_connections{{{OF}}})"),
                "{{store}} active",
            )
            .query(
                format!("sum by (store) (pgbouncer_pools_client_waiting_connections{{{OF}}})"),
                "{{store}} waiting",
            )
            .sized(8, 8),
        );
        panels.push(
            Panel::lines(
                "Pool: connections to the server",
                "short",
                "Connections of PgBouncer to the server that are in use, and that are idle.",
            )
            .query(
                format!("sum by (store) (pgbouncer_pools_server_active_connections{{{OF}}})"),
                "{{store}} active",
            )
            .query(
                format!("sum by (store) (pgbouncer_pools_server_idle_connections{{{OF}}})"),
                "{{store}} idle",
            )
            .sized(8, 8),
        );
        panels.push(
            Panel::lines(
                "Pool: longest wait",
                "s",
                "How long the client that waits longest has waited.",
            )
            .query(
                format!("max by (store) (pgbouncer_pools_client_maxwait_seconds{{{OF}}})"),
                "{{store}}",
            )
            .bad_above(1.0)
            .sized(8, 8),
        );
    }
    panels
}

fn queries() -> Vec<Panel> {
    vec![
        Panel::lines("Transactions", "ops", "Transactions a second.")
            .query(
                format!("sum by (datname) (rate(pg_stat_database_xact_commit{{{OF}, {USED}}}[$__rate_interval]))"),
                "{{datname}} committed",
            )
            .query(
                format!("sum by (datname) (rate(pg_stat_database_xact_rollback{{{OF}, {USED}}}[$__rate_interval]))"),
                "{{datname}} rolled back",
            )
            .sized(8, 8),
        Panel::lines(
            "Time of a transaction",
            "s",
            "The time that sessions were active, divided by their transactions: the mean time of queries (PostgreSQL 14 and newer).",
        )
        .query(
            format!(
                "sum by (datname) (rate(pg_stat_database_active_time_seconds_total{{{OF}, {USED}}}[$__rate_interval]))\n/ (sum by (datname) (rate(pg_stat_database_xact_commit{{{OF}, {USED}}}[$__rate_interval])) > 0)"
            ),
            "{{datname}}",
        )
        .bad_above(0.05)
        .sized(8, 8),
        Panel::lines("Rows", "ops", "Rows a second that are read, inserted, updated and deleted.")
            .query(format!("sum(rate(pg_stat_database_tup_fetched{{{OF}}}[$__rate_interval]))"), "read")
            .query(format!("sum(rate(pg_stat_database_tup_inserted{{{OF}}}[$__rate_interval]))"), "inserted")
            .query(format!("sum(rate(pg_stat_database_tup_updated{{{OF}}}[$__rate_interval]))"), "updated")
            .query(format!("sum(rate(pg_stat_database_tup_deleted{{{OF}}}[$__rate_interval]))"), "deleted")
            .sized(8, 8),
        Panel::lines("Deadlocks", "short", "Transactions that were ended within an hour because they waited for each other.")
            .query(
                format!("sum by (datname) (increase(pg_stat_database_deadlocks{{{OF}, {USED}}}[1h]))"),
                "{{datname}}",
            )
            .bad_above(1.0),
        Panel::lines("Sequential scans", "ops", "The ten tables that are read from end to end most often: an index may be missing.")
            .query(
                format!("topk(10, sum by (relname) (rate(pg_stat_user_tables_seq_scan{{{OF}}}[$__rate_interval])))"),
                "{{relname}}",
            ),
    ]
}

fn storage(words: &Vocabulary<'_>) -> Vec<Panel> {
    let mut panels = vec![
        Panel::bars("Largest tables", "bytes", "The ten largest tables, with their indexes.")
            .query(
                format!(
                    "topk(10, sum by (datname, relname) (pg_stat_user_tables_table_size_bytes{{{OF}}} + pg_stat_user_tables_index_size_bytes{{{OF}}}))"
                ),
                "{{datname}}.{{relname}}",
            ),
        Panel::lines("Size of databases", "bytes", "How the databases grow.")
            .query(format!("max by (datname) (pg_database_size_bytes{{{OF}, {USED}}})"), "{{datname}}"),
        Panel::lines("Dead rows", "percentunit", "The part of a table's rows that are dead and wait for vacuum; the ten worst.")
            .query(
                format!(
                    "topk(10, max by (relname) (pg_stat_user_tables_n_dead_tup{{{OF}}} / (pg_stat_user_tables_n_live_tup{{{OF}}} + pg_stat_user_tables_n_dead_tup{{{OF}}} > 1000)))"
                ),
                "{{relname}}",
            )
            .watch_above(0.2),
    ];
    let cloud = words.plan.cloud.as_ref();
    if let Some(cloud) = cloud.filter(|cloud| cloud.stores == StoresBy::Managed) {
        panels.push(
            Panel::lines("Free storage (RDS)", "bytes", "What is left of the storage of each instance.").cloudwatch(
                &cloud.region,
                "SEARCH('{AWS/RDS,DBInstanceIdentifier} MetricName=\"FreeStorageSpace\"', 'Minimum', 300)",
                "",
            ),
        );
    } else if !words.clustered().is_empty() {
        panels.push(
            Panel::lines("Volume", "percentunit", "How full the volumes of the namespace are.")
                .query(
                    "max by (persistentvolumeclaim) (1 - kubelet_volume_stats_available_bytes{namespace=\"$namespace\"} / kubelet_volume_stats_capacity_bytes{namespace=\"$namespace\"})",
                    "{{persistentvolumeclaim}}",
                )
                .bad_above(1.0 - words.thresholds().disk_free.fraction())
                .up_to(1.0),
        );
    }
    panels
}

fn replication(words: &Vocabulary<'_>) -> Vec<Panel> {
    let mut panels = vec![
        Panel::lines(
            "Replication lag",
            "s",
            "How far a replica that is asked is behind its primary; 0 on a primary.",
        )
        .query(
            format!("max by (store) (pg_replication_lag_seconds{{{OF}}})"),
            "{{store}}",
        )
        .watch_above(10.0)
        .bad_above(30.0),
    ];
    let cloud = words.plan.cloud.as_ref();
    if let Some(cloud) = cloud.filter(|cloud| cloud.stores == StoresBy::Managed) {
        panels.push(
            Panel::lines("Replica lag (RDS)", "s", "How far read replicas are behind, as RDS sees it.")
                .cloudwatch(
                    &cloud.region,
                    "SEARCH('{AWS/RDS,DBInstanceIdentifier} MetricName=\"ReplicaLag\"', 'Maximum', 300)",
                    "",
                )
                .bad_above(30.0),
        );
    }
    panels
}
