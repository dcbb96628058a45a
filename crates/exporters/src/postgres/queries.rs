//! The statements. A column's name says what becomes of it: `l:` a label, `c:` a counter, `g:` a gauge, each followed by the
//! name (a metric's without `pg_`); `name:` and `value:` together a gauge that is called as the row says.

use std::ops::Range;

/// As `server_version_num` has it: the first release of a major version, times ten thousand.
const ANY: Range<u32> = 0..u32::MAX;
const FROM_14: Range<u32> = 140_000..u32::MAX;
const BEFORE_17: Range<u32> = 0..170_000;
const FROM_17: Range<u32> = 170_000..u32::MAX;

/// The tables that are told of: the largest ones; each has some thirty series. Stands in the statement too.
#[cfg(test)]
pub(super) const TABLES_MAX: usize = 500;

/// A statement.
pub(super) struct Query {
    /// What it asks; for the help.
    pub(super) view: &'static str,
    /// Which servers know it.
    pub(super) versions: Range<u32>,
    pub(super) sql: &'static str,
}

pub(super) const QUERIES: [Query; 18] = [
    Query {
        view: "version()",
        versions: ANY,
        sql: r#"SELECT version() AS "l:version", current_setting('server_version') AS "l:short_version",
            1 AS "g:static""#,
    },
    Query {
        view: "pg_postmaster_start_time()",
        versions: ANY,
        sql: r#"SELECT extract(epoch FROM pg_postmaster_start_time()) AS "g:postmaster_start_time_seconds""#,
    },
    Query {
        view: "pg_settings",
        versions: ANY,
        // Numbers in base units: blocks and memory in bytes, times in seconds.
        sql: r#"SELECT 'settings_' || replace(name, '.', '_')
                || CASE WHEN setting = '-1' OR unit IS NULL THEN CASE
                    WHEN unit IN ('ms', 's', 'min', 'h', 'd') THEN '_seconds'
                    WHEN unit IS NULL THEN '' ELSE '_bytes' END
                   WHEN unit IN ('ms', 's', 'min', 'h', 'd') THEN '_seconds' ELSE '_bytes' END AS "name:",
            CASE WHEN setting = '-1' OR unit IS NULL THEN setting
                WHEN unit = 'ms' THEN (setting::float8 / 1000)::text
                WHEN unit = 's' THEN setting
                WHEN unit = 'min' THEN (setting::float8 * 60)::text
                WHEN unit = 'h' THEN (setting::float8 * 3600)::text
                WHEN unit = 'd' THEN (setting::float8 * 86400)::text
                ELSE (setting::float8 * pg_size_bytes(
                    CASE WHEN unit ~ '^[0-9]' THEN unit ELSE '1' || CASE unit WHEN 'B' THEN 'bytes' ELSE unit END END
                ))::text END AS "value:"
            FROM pg_settings WHERE vartype IN ('bool', 'integer', 'real') AND name !~ '[^a-zA-Z0-9_.]'"#,
    },
    Query {
        view: "pg_database",
        versions: ANY,
        sql: r#"SELECT datname AS "l:datname", datconnlimit AS "g:database_connection_limit",
            CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) END AS "g:database_size_bytes"
            FROM pg_database WHERE datallowconn AND NOT datistemplate"#,
    },
    Query {
        view: "pg_database",
        versions: ANY,
        sql: r#"SELECT datname AS "l:datname", age(datfrozenxid) AS "g:database_wraparound_age_datfrozenxid_seconds",
            mxid_age(datminmxid) AS "g:database_wraparound_age_datminmxid_seconds"
            FROM pg_database WHERE datallowconn"#,
    },
    Query {
        view: "pg_stat_database",
        versions: ANY,
        sql: r#"SELECT datid AS "l:datid", datname AS "l:datname", numbackends AS "g:stat_database_numbackends",
            xact_commit AS "c:stat_database_xact_commit", xact_rollback AS "c:stat_database_xact_rollback",
            blks_read AS "c:stat_database_blks_read", blks_hit AS "c:stat_database_blks_hit",
            tup_returned AS "c:stat_database_tup_returned", tup_fetched AS "c:stat_database_tup_fetched",
            tup_inserted AS "c:stat_database_tup_inserted", tup_updated AS "c:stat_database_tup_updated",
            tup_deleted AS "c:stat_database_tup_deleted", conflicts AS "c:stat_database_conflicts",
            temp_files AS "c:stat_database_temp_files", temp_bytes AS "c:stat_database_temp_bytes",
            deadlocks AS "c:stat_database_deadlocks", blk_read_time AS "c:stat_database_blk_read_time",
            blk_write_time AS "c:stat_database_blk_write_time",
            extract(epoch FROM stats_reset) AS "c:stat_database_stats_reset"
            FROM pg_stat_database WHERE datname IS NOT NULL"#,
    },
    Query {
        view: "pg_stat_database",
        versions: FROM_14,
        sql: r#"SELECT datid AS "l:datid", datname AS "l:datname",
            active_time / 1000 AS "c:stat_database_active_time_seconds_total"
            FROM pg_stat_database WHERE datname IS NOT NULL"#,
    },
    Query {
        view: "pg_stat_database_conflicts",
        versions: ANY,
        sql: r#"SELECT datid AS "l:datid", datname AS "l:datname",
            confl_tablespace AS "c:stat_database_conflicts_confl_tablespace",
            confl_lock AS "c:stat_database_conflicts_confl_lock",
            confl_snapshot AS "c:stat_database_conflicts_confl_snapshot",
            confl_bufferpin AS "c:stat_database_conflicts_confl_bufferpin",
            confl_deadlock AS "c:stat_database_conflicts_confl_deadlock"
            FROM pg_stat_database_conflicts"#,
    },
    Query {
        view: "pg_stat_activity",
        versions: ANY,
        // Every database and state, so that nothing is absent that is zero.
        sql: r#"SELECT d.datname AS "l:datname", s.state AS "l:state", a.usename AS "l:usename",
            a.application_name AS "l:application_name", a.backend_type AS "l:backend_type",
            a.wait_event AS "l:wait_event", a.wait_event_type AS "l:wait_event_type",
            coalesce(a.count, 0) AS "g:stat_activity_count", coalesce(a.longest, 0) AS "g:stat_activity_max_tx_duration"
            FROM pg_database d CROSS JOIN (VALUES ('active'), ('idle'), ('idle in transaction'),
                ('idle in transaction (aborted)'), ('fastpath function call'), ('disabled')) AS s (state)
            LEFT JOIN (SELECT datname, state, usename, application_name, backend_type, wait_event, wait_event_type,
                count(*) AS count, max(extract(epoch FROM now() - xact_start)) AS longest
                FROM pg_stat_activity WHERE pid <> pg_backend_pid()
                GROUP BY datname, state, usename, application_name, backend_type, wait_event, wait_event_type) AS a
            ON a.datname = d.datname AND a.state = s.state
            WHERE d.datallowconn ORDER BY a.count DESC NULLS LAST LIMIT 1000"#,
    },
    Query {
        view: "pg_locks",
        versions: ANY,
        sql: r#"SELECT d.datname AS "l:datname", m.mode AS "l:mode", coalesce(l.count, 0) AS "g:locks_count"
            FROM pg_database d CROSS JOIN (VALUES ('accesssharelock'), ('rowsharelock'), ('rowexclusivelock'),
                ('shareupdateexclusivelock'), ('sharelock'), ('sharerowexclusivelock'), ('exclusivelock'),
                ('accessexclusivelock'), ('sireadlock')) AS m (mode)
            LEFT JOIN (SELECT database, lower(mode) AS mode, count(*) AS count FROM pg_locks
                WHERE database IS NOT NULL GROUP BY 1, 2) AS l ON l.mode = m.mode AND l.database = d.oid
            WHERE d.datallowconn"#,
    },
    Query {
        view: "pg_last_xact_replay_timestamp()",
        versions: ANY,
        sql: r#"SELECT CASE WHEN NOT pg_is_in_recovery() THEN 0
                WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
                ELSE greatest(0, extract(epoch FROM now() - pg_last_xact_replay_timestamp()))
            END AS "g:replication_lag_seconds",
            pg_is_in_recovery()::int AS "g:replication_is_replica",
            extract(epoch FROM pg_last_xact_replay_timestamp()) AS "g:replication_last_replay_seconds""#,
    },
    Query {
        view: "pg_stat_replication",
        versions: ANY,
        sql: r#"SELECT application_name AS "l:application_name", client_addr AS "l:client_addr", state AS "l:state",
            CASE WHEN NOT pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') END
                AS "g:stat_replication_pg_current_wal_lsn_bytes",
            CASE WHEN NOT pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) END
                AS "g:stat_replication_pg_wal_lsn_diff"
            FROM pg_stat_replication"#,
    },
    Query {
        view: "pg_replication_slots",
        versions: ANY,
        sql: r#"SELECT slot_name AS "l:slot_name", slot_type AS "l:slot_type",
            active AS "g:replication_slot_slot_is_active",
            CASE WHEN NOT pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') END
                AS "g:replication_slot_slot_current_wal_lsn",
            pg_wal_lsn_diff(coalesce(confirmed_flush_lsn, restart_lsn), '0/0')
                AS "g:replication_slot_slot_confirmed_flush_lsn"
            FROM pg_replication_slots"#,
    },
    Query {
        view: "pg_stat_archiver",
        versions: ANY,
        sql: r#"SELECT archived_count AS "c:stat_archiver_archived_count", failed_count AS "c:stat_archiver_failed_count",
            extract(epoch FROM now() - last_archived_time) AS "g:stat_archiver_last_archive_age"
            FROM pg_stat_archiver"#,
    },
    Query {
        view: "pg_stat_bgwriter",
        versions: BEFORE_17,
        sql: r#"SELECT checkpoints_timed AS "c:stat_bgwriter_checkpoints_timed_total",
            checkpoints_req AS "c:stat_bgwriter_checkpoints_req_total",
            checkpoint_write_time AS "c:stat_bgwriter_checkpoint_write_time_total",
            checkpoint_sync_time AS "c:stat_bgwriter_checkpoint_sync_time_total",
            buffers_checkpoint AS "c:stat_bgwriter_buffers_checkpoint_total",
            buffers_clean AS "c:stat_bgwriter_buffers_clean_total",
            maxwritten_clean AS "c:stat_bgwriter_maxwritten_clean_total",
            buffers_backend AS "c:stat_bgwriter_buffers_backend_total",
            buffers_backend_fsync AS "c:stat_bgwriter_buffers_backend_fsync_total",
            buffers_alloc AS "c:stat_bgwriter_buffers_alloc_total",
            extract(epoch FROM stats_reset) AS "c:stat_bgwriter_stats_reset_total" FROM pg_stat_bgwriter"#,
    },
    Query {
        view: "pg_stat_bgwriter and pg_stat_checkpointer",
        versions: FROM_17,
        sql: r#"SELECT b.buffers_clean AS "c:stat_bgwriter_buffers_clean_total",
            b.maxwritten_clean AS "c:stat_bgwriter_maxwritten_clean_total",
            b.buffers_alloc AS "c:stat_bgwriter_buffers_alloc_total",
            extract(epoch FROM b.stats_reset) AS "c:stat_bgwriter_stats_reset_total",
            c.num_timed AS "c:stat_checkpointer_num_timed_total",
            c.num_requested AS "c:stat_checkpointer_num_requested_total",
            c.write_time AS "c:stat_checkpointer_write_time_total",
            c.sync_time AS "c:stat_checkpointer_sync_time_total",
            c.buffers_written AS "c:stat_checkpointer_buffers_written_total"
            FROM pg_stat_bgwriter b, pg_stat_checkpointer c"#,
    },
    Query {
        view: "pg_stat_user_tables",
        versions: ANY,
        sql: r#"SELECT current_database() AS "l:datname", schemaname AS "l:schemaname", relname AS "l:relname",
            seq_scan AS "c:stat_user_tables_seq_scan", seq_tup_read AS "c:stat_user_tables_seq_tup_read",
            coalesce(idx_scan, 0) AS "c:stat_user_tables_idx_scan",
            coalesce(idx_tup_fetch, 0) AS "c:stat_user_tables_idx_tup_fetch",
            n_tup_ins AS "c:stat_user_tables_n_tup_ins", n_tup_upd AS "c:stat_user_tables_n_tup_upd",
            n_tup_del AS "c:stat_user_tables_n_tup_del", n_tup_hot_upd AS "c:stat_user_tables_n_tup_hot_upd",
            n_live_tup AS "g:stat_user_tables_n_live_tup", n_dead_tup AS "g:stat_user_tables_n_dead_tup",
            n_mod_since_analyze AS "g:stat_user_tables_n_mod_since_analyze",
            coalesce(extract(epoch FROM last_vacuum), 0) AS "g:stat_user_tables_last_vacuum",
            coalesce(extract(epoch FROM last_autovacuum), 0) AS "g:stat_user_tables_last_autovacuum",
            coalesce(extract(epoch FROM last_analyze), 0) AS "g:stat_user_tables_last_analyze",
            coalesce(extract(epoch FROM last_autoanalyze), 0) AS "g:stat_user_tables_last_autoanalyze",
            vacuum_count AS "c:stat_user_tables_vacuum_count", autovacuum_count AS "c:stat_user_tables_autovacuum_count",
            analyze_count AS "c:stat_user_tables_analyze_count",
            autoanalyze_count AS "c:stat_user_tables_autoanalyze_count",
            pg_table_size(relid) AS "g:stat_user_tables_table_size_bytes",
            pg_indexes_size(relid) AS "g:stat_user_tables_index_size_bytes"
            FROM pg_stat_user_tables ORDER BY n_live_tup DESC, relid LIMIT 500"#,
    },
    Query {
        view: "pg_statio_user_tables",
        versions: ANY,
        sql: r#"SELECT current_database() AS "l:datname", io.schemaname AS "l:schemaname", io.relname AS "l:relname",
            heap_blks_read AS "c:statio_user_tables_heap_blocks_read", heap_blks_hit AS "c:statio_user_tables_heap_blocks_hit",
            coalesce(idx_blks_read, 0) AS "c:statio_user_tables_idx_blocks_read",
            coalesce(idx_blks_hit, 0) AS "c:statio_user_tables_idx_blocks_hit",
            coalesce(toast_blks_read, 0) AS "c:statio_user_tables_toast_blocks_read",
            coalesce(toast_blks_hit, 0) AS "c:statio_user_tables_toast_blocks_hit",
            coalesce(tidx_blks_read, 0) AS "c:statio_user_tables_tidx_blocks_read",
            coalesce(tidx_blks_hit, 0) AS "c:statio_user_tables_tidx_blocks_hit"
            FROM pg_statio_user_tables io JOIN pg_stat_user_tables t USING (relid)
            ORDER BY t.n_live_tup DESC, relid LIMIT 500"#,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_tables_are_told_of_everywhere() {
        let limited = QUERIES
            .iter()
            .filter(|query| query.view.ends_with("user_tables"));
        for query in limited {
            assert!(
                query.sql.ends_with(&format!("LIMIT {TABLES_MAX}")),
                "{}",
                query.view
            );
        }
    }
}
