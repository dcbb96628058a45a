//! Redis, as redis_exporter tells of it: `INFO all`, the lists that an autoscaler watches, the slow log.
//!
//! Left out: what its options ask for beyond that (streams, key groups, scripts, clients, Sentinel, clusters), and
//! `redis_exporter_*`, which tell of the exporter, but for `redis_exporter_last_scrape_error`.

use std::time::Duration;

use wharf_base::clock::Timestamp;
use wharf_store::{Credentials, RedisAnswer, RedisList, RedisSession};

use crate::families::Families;
use crate::root::number;

/// How many databases there are where nobody says: Redis's default.
const DATABASES: u32 = 16;
/// More than this are told of only where they hold something.
const DATABASES_MAX: u32 = 64;

/// A field of `INFO`, and the metric behind `redis_`.
const GAUGES: [(&str, &str); 78] = [
    ("active_defrag_hits", "defrag_hits"),
    ("active_defrag_key_hits", "defrag_key_hits"),
    ("active_defrag_key_misses", "defrag_key_misses"),
    ("active_defrag_misses", "defrag_misses"),
    ("active_defrag_running", "active_defrag_running"),
    ("allocator_active", "allocator_active_bytes"),
    ("allocator_allocated", "allocator_allocated_bytes"),
    ("allocator_frag_bytes", "allocator_frag_bytes"),
    ("allocator_frag_ratio", "allocator_frag_ratio"),
    ("allocator_resident", "allocator_resident_bytes"),
    ("allocator_rss_bytes", "allocator_rss_bytes"),
    ("allocator_rss_ratio", "allocator_rss_ratio"),
    ("aof_base_size", "aof_base_size_bytes"),
    ("aof_buffer_length", "aof_buffer_length"),
    (
        "aof_current_rewrite_time_sec",
        "aof_current_rewrite_duration_sec",
    ),
    ("aof_current_size", "aof_current_size_bytes"),
    ("aof_delayed_fsync", "aof_delayed_fsync"),
    ("aof_enabled", "aof_enabled"),
    ("aof_last_bgrewrite_status", "aof_last_bgrewrite_status"),
    ("aof_last_cow_size", "aof_last_cow_size_bytes"),
    ("aof_last_rewrite_time_sec", "aof_last_rewrite_duration_sec"),
    ("aof_last_write_status", "aof_last_write_status"),
    ("aof_pending_bio_fsync", "aof_pending_bio_fsync"),
    ("aof_pending_rewrite", "aof_pending_rewrite"),
    ("aof_rewrite_buffer_length", "aof_rewrite_buffer_length"),
    ("aof_rewrite_in_progress", "aof_rewrite_in_progress"),
    ("aof_rewrite_scheduled", "aof_rewrite_scheduled"),
    ("blocked_clients", "blocked_clients"),
    ("clients_in_timeout_table", "clients_in_timeout_table"),
    (
        "client_recent_max_input_buffer",
        "client_recent_max_input_buffer_bytes",
    ),
    (
        "client_recent_max_output_buffer",
        "client_recent_max_output_buffer_bytes",
    ),
    ("cluster_connections", "cluster_connections"),
    ("cluster_enabled", "cluster_enabled"),
    ("connected_clients", "connected_clients"),
    ("connected_slaves", "connected_slaves"),
    ("expired_stale_perc", "expired_stale_percentage"),
    (
        "expired_time_cap_reached_count",
        "expired_time_cap_reached_total",
    ),
    ("io_threads_active", "io_threads_active"),
    ("latest_fork_usec", "latest_fork_usec"),
    ("lazyfree_pending_objects", "lazyfree_pending_objects"),
    ("loading", "loading_dump_file"),
    ("master_repl_offset", "master_repl_offset"),
    ("maxclients", "max_clients"),
    ("maxmemory", "memory_max_bytes"),
    ("mem_clients_normal", "mem_clients_normal"),
    ("mem_clients_slaves", "mem_clients_slaves"),
    ("mem_fragmentation_bytes", "mem_fragmentation_bytes"),
    ("mem_fragmentation_ratio", "mem_fragmentation_ratio"),
    (
        "mem_not_counted_for_evict",
        "mem_not_counted_for_eviction_bytes",
    ),
    ("migrate_cached_sockets", "migrate_cached_sockets_total"),
    ("module_fork_in_progress", "module_fork_in_progress"),
    ("module_fork_last_cow_size", "module_fork_last_cow_size"),
    ("process_id", "process_id"),
    ("pubsub_channels", "pubsub_channels"),
    ("pubsub_patterns", "pubsub_patterns"),
    ("rdb_bgsave_in_progress", "rdb_bgsave_in_progress"),
    ("rdb_changes_since_last_save", "rdb_changes_since_last_save"),
    (
        "rdb_current_bgsave_time_sec",
        "rdb_current_bgsave_duration_sec",
    ),
    ("rdb_last_bgsave_status", "rdb_last_bgsave_status"),
    ("rdb_last_bgsave_time_sec", "rdb_last_bgsave_duration_sec"),
    ("rdb_last_cow_size", "rdb_last_cow_size_bytes"),
    ("rdb_last_save_time", "rdb_last_save_timestamp_seconds"),
    ("repl_backlog_active", "repl_backlog_is_active"),
    (
        "repl_backlog_first_byte_offset",
        "repl_backlog_first_byte_offset",
    ),
    ("repl_backlog_histlen", "repl_backlog_history_bytes"),
    ("repl_backlog_size", "replication_backlog_bytes"),
    ("second_repl_offset", "second_repl_offset"),
    ("slave_expires_tracked_keys", "slave_expires_tracked_keys"),
    ("slave_priority", "slave_priority"),
    ("sync_full", "replica_resyncs_full"),
    ("sync_partial_err", "replica_partial_resync_denied"),
    ("sync_partial_ok", "replica_partial_resync_accepted"),
    ("tracking_clients", "tracking_clients"),
    ("uptime_in_seconds", "uptime_in_seconds"),
    ("used_memory", "memory_used_bytes"),
    ("used_memory_overhead", "memory_used_overhead_bytes"),
    ("used_memory_rss", "memory_used_rss_bytes"),
    ("used_memory_startup", "memory_used_startup_bytes"),
];
/// More of the same, of used memory.
const MEMORY: [(&str, &str); 5] = [
    ("used_memory_dataset", "memory_used_dataset_bytes"),
    ("used_memory_functions", "memory_used_functions_bytes"),
    ("used_memory_lua", "memory_used_lua_bytes"),
    ("used_memory_peak", "memory_used_peak_bytes"),
    ("used_memory_scripts", "memory_used_scripts_bytes"),
];
/// Fields that only grow.
const COUNTERS: [(&str, &str); 18] = [
    ("evicted_keys", "evicted_keys_total"),
    (
        "expire_cycle_cpu_milliseconds",
        "expire_cycle_cpu_time_ms_total",
    ),
    ("expired_keys", "expired_keys_total"),
    ("keyspace_hits", "keyspace_hits_total"),
    ("keyspace_misses", "keyspace_misses_total"),
    ("rejected_connections", "rejected_connections_total"),
    ("total_commands_processed", "commands_processed_total"),
    ("total_connections_received", "connections_received_total"),
    ("total_error_replies", "total_error_replies"),
    ("total_net_input_bytes", "net_input_bytes_total"),
    ("total_net_output_bytes", "net_output_bytes_total"),
    ("total_reads_processed", "total_reads_processed"),
    ("total_writes_processed", "total_writes_processed"),
    ("unexpected_error_replies", "unexpected_error_replies"),
    ("used_cpu_sys", "cpu_sys_seconds_total"),
    ("used_cpu_sys_children", "cpu_sys_children_seconds_total"),
    ("used_cpu_user", "cpu_user_seconds_total"),
    ("used_cpu_user_children", "cpu_user_children_seconds_total"),
];

/// What a Redis tells now, within `timeout`; one that does not answer is told of as `redis_up 0`.
pub async fn collect(
    credentials: &Credentials,
    watched: &[RedisList],
    now: Timestamp,
    timeout: Duration,
) -> Families {
    let asked = tokio::time::timeout(timeout, ask(credentials, watched, now)).await;
    let (mut families, up) = match asked {
        Ok(Ok(families)) => (families, 1.0),
        _ => (Families::new(), 0.0),
    };
    families
        .gauge("redis_up", "Whether Redis answers.")
        .add(&[], up);
    families
        .gauge("redis_exporter_last_scrape_error", "Whether it did not.")
        .add(&[], 1.0 - up);
    families
}

async fn ask(
    credentials: &Credentials,
    watched: &[RedisList],
    now: Timestamp,
) -> Result<Families, String> {
    let mut out = Families::new();
    let mut session = RedisSession::open(credentials).await?;
    let info = match session.call(&["INFO", "all"]).await? {
        RedisAnswer::Text(text) => text,
        other => return Err(session.refusal(&other)),
    };
    // A user that may not ask this sees the rest all the same.
    let databases = match session.call(&["CONFIG", "GET", "databases"]).await? {
        RedisAnswer::List(words) => match words.get(1) {
            Some(RedisAnswer::Text(count)) => count.parse().unwrap_or(DATABASES),
            _ => DATABASES,
        },
        _ => DATABASES,
    };
    tell(&info, databases.min(DATABASES_MAX), now, &mut out);
    for (word, name, help) in [
        ("LEN", "redis_slowlog_length", "Entries of the slow log."),
        (
            "GET",
            "redis_slowlog_last_id",
            "The number of its last one.",
        ),
    ] {
        let answer = session.call(&["SLOWLOG", word]).await?;
        let value = match &answer {
            RedisAnswer::Number(number) => *number,
            RedisAnswer::List(entries) => match entries.first() {
                Some(RedisAnswer::List(entry)) => match entry.first() {
                    Some(RedisAnswer::Number(id)) => *id,
                    _ => continue,
                },
                _ => 0,
            },
            _ => continue,
        };
        out.gauge(name, help).add(&[], value as f64);
    }
    let lengths = session.lengths(watched).await?;
    for (list, length) in watched.iter().zip(lengths) {
        out.gauge("redis_key_size", "The length of a list that is watched.")
            .add(
                &[("db", &format!("db{}", list.database)), ("key", &list.key)],
                length as f64,
            );
    }
    Ok(out)
}

/// What `INFO all` says.
fn tell(info: &str, databases: u32, now: Timestamp, out: &mut Families) {
    let fields = info.lines().filter_map(|line| line.split_once(':'));
    let fields: std::collections::BTreeMap<&str, &str> =
        fields.map(|(name, value)| (name, value.trim())).collect();
    let value = |field: &str| {
        fields.get(field).and_then(|text| match *text {
            "ok" => Some(1.0),
            "err" | "fail" => Some(0.0),
            text => number(text),
        })
    };
    for (field, name) in GAUGES.iter().chain(&MEMORY) {
        if let Some(value) = value(field) {
            out.gauge(format!("redis_{name}"), format!("{field} of INFO."))
                .add(&[], value);
        }
    }
    for (field, name) in COUNTERS {
        if let Some(value) = value(field) {
            out.counter(format!("redis_{name}"), format!("{field} of INFO."))
                .add(&[], value);
        }
    }
    // The two settings that dashboards divide by have a second name.
    for (field, name) in [
        ("maxmemory", "redis_config_maxmemory"),
        ("maxclients", "redis_config_maxclients"),
    ] {
        if let Some(value) = value(field) {
            out.gauge(name, format!("{field} of the configuration."))
                .add(&[], value);
        }
    }
    if let Some(uptime) = value("uptime_in_seconds") {
        out.gauge("redis_start_time_seconds", "When it was started.")
            .add(&[], (now.0 / 1000) as f64 - uptime);
    }
    let text = |field: &str| fields.get(field).copied().unwrap_or_default();
    let labels = [
        "role",
        "redis_version",
        "redis_build_id",
        "redis_mode",
        "os",
        "maxmemory_policy",
        "tcp_port",
        "run_id",
        "process_id",
        "master_replid",
    ]
    .map(|label| (label, text(label)));
    out.gauge("redis_instance_info", "What it is.")
        .add(&labels, 1.0);
    replication(&fields, out);
    keyspace(&fields, databases, out);
    commands(&fields, out);
}

type Fields<'a> = std::collections::BTreeMap<&'a str, &'a str>;

/// One of `name=value,name=value`.
fn part<'a>(parts: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = parts.split(',').filter_map(|part| part.split_once('='));
    pairs.find(|(n, _)| *n == name).map(|(_, value)| value)
}

fn replication(fields: &Fields<'_>, out: &mut Families) {
    let text = |field: &str| fields.get(field).copied().unwrap_or_default();
    if text("role") == "slave" {
        let master = [
            ("master_host", text("master_host")),
            ("master_port", text("master_port")),
        ];
        let up = f64::from(u8::from(text("master_link_status") == "up"));
        out.gauge("redis_master_link_up", "Whether its master is reached.")
            .add(&master, up);
        for field in [
            "master_last_io_seconds_ago",
            "master_sync_in_progress",
            "slave_repl_offset",
        ] {
            if let Some(value) = number(text(field)) {
                out.gauge(format!("redis_{field}"), format!("{field} of INFO."))
                    .add(&master, value);
            }
        }
        let mut labels = master.to_vec();
        labels.push(("read_only", text("slave_read_only")));
        out.gauge("redis_slave_info", "Whose replica it is.")
            .add(&labels, 1.0);
    }
    for (name, value) in fields {
        let of_replica = name
            .strip_prefix("slave")
            .is_some_and(|rest| rest.parse::<u32>().is_ok());
        if !of_replica {
            continue;
        }
        let word = |name: &str| part(value, name).unwrap_or_default();
        let labels = [
            ("slave_ip", word("ip")),
            ("slave_port", word("port")),
            ("slave_state", word("state")),
        ];
        for (field, name, help) in [
            (
                "offset",
                "redis_connected_slave_offset_bytes",
                "How far a replica is.",
            ),
            (
                "lag",
                "redis_connected_slave_lag_seconds",
                "When a replica was heard of last.",
            ),
        ] {
            if let Some(value) = number(word(field)) {
                out.gauge(name, help).add(&labels, value);
            }
        }
    }
}

fn keyspace(fields: &Fields<'_>, databases: u32, out: &mut Families) {
    let numbered = fields
        .keys()
        .filter_map(|name| name.strip_prefix("db")?.parse::<u32>().ok());
    let mut all: Vec<u32> = numbered.chain(0..databases).collect();
    all.sort_unstable();
    all.dedup();
    for database in all {
        let name = format!("db{database}");
        let parts = fields.get(name.as_str()).copied().unwrap_or_default();
        let value = |field: &str| part(parts, field).and_then(number);
        let labels = [("db", name.as_str())];
        out.gauge("redis_db_keys", "Keys of a database.")
            .add(&labels, value("keys").unwrap_or(0.0));
        out.gauge("redis_db_keys_expiring", "Of those, that will expire.")
            .add(&labels, value("expires").unwrap_or(0.0));
        if let Some(millis) = value("avg_ttl") {
            out.gauge("redis_db_avg_ttl_seconds", "How long they live on average.")
                .add(&labels, millis / 1e3);
        }
    }
}

fn commands(fields: &Fields<'_>, out: &mut Families) {
    for (name, parts) in fields {
        let value = |field: &str| part(parts, field).and_then(number);
        if let Some(error) = name.strip_prefix("errorstat_") {
            out.counter("redis_errors_total", "Errors, by their first word.")
                .add(&[("err", error)], value("count").unwrap_or(0.0));
        }
        let Some(command) = name.strip_prefix("cmdstat_") else {
            continue;
        };
        for (field, name, help, factor) in [
            ("calls", "redis_commands_total", "Calls of a command.", 1.0),
            (
                "usec",
                "redis_commands_duration_seconds_total",
                "Time that a command took.",
                1e-6,
            ),
            (
                "rejected_calls",
                "redis_commands_rejected_calls_total",
                "Calls that were refused.",
                1.0,
            ),
            (
                "failed_calls",
                "redis_commands_failed_calls_total",
                "Calls that failed.",
                1.0,
            ),
        ] {
            if let Some(value) = value(field) {
                out.counter(name, help)
                    .add(&[("cmd", command)], value * factor);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_info_says() {
        let info = "# Server\r\nuptime_in_seconds:10\r\nrole:slave\r\nmaster_host:h\r\nmaster_port:1\r\n\
                    master_link_status:up\r\nused_memory:5\r\nrdb_last_bgsave_status:err\r\nused_cpu_sys:0.5\r\n\
                    slave0:ip=10.0.0.1,port=6379,state=online,offset=7,lag=1\r\nslave_priority:100\r\n\
                    cmdstat_get:calls=2,usec=3000000,usec_per_call=1,rejected_calls=0,failed_calls=1\r\n\
                    errorstat_ERR:count=4\r\ndb1:keys=3,expires=1,avg_ttl=1500\r\ndb99:keys=x\r\nnonsense\r\n:\r\n";
        let mut out = Families::new();
        tell(info, 2, Timestamp(100_000), &mut out);
        #[track_caller]
        fn check(out: &Families, name: &str, labels: &[(&str, &str)], expected: f64) {
            assert_eq!(out.value(name, labels), Some(expected), "{name}");
        }
        check(&out, "redis_start_time_seconds", &[], 90.0);
        check(&out, "redis_memory_used_bytes", &[], 5.0);
        check(&out, "redis_rdb_last_bgsave_status", &[], 0.0);
        check(&out, "redis_cpu_sys_seconds_total", &[], 0.5);
        check(&out, "redis_slave_priority", &[], 100.0);
        let master = [("master_host", "h"), ("master_port", "1")];
        check(&out, "redis_master_link_up", &master, 1.0);
        let replica = [
            ("slave_ip", "10.0.0.1"),
            ("slave_port", "6379"),
            ("slave_state", "online"),
        ];
        check(&out, "redis_connected_slave_offset_bytes", &replica, 7.0);
        check(
            &out,
            "redis_commands_duration_seconds_total",
            &[("cmd", "get")],
            3.0,
        );
        check(
            &out,
            "redis_commands_failed_calls_total",
            &[("cmd", "get")],
            1.0,
        );
        check(&out, "redis_errors_total", &[("err", "ERR")], 4.0);
        check(&out, "redis_db_keys", &[("db", "db0")], 0.0);
        check(&out, "redis_db_avg_ttl_seconds", &[("db", "db1")], 1.5);
        check(&out, "redis_db_keys", &[("db", "db99")], 0.0);
    }
}
