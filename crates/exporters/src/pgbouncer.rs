//! PgBouncer, as pgbouncer_exporter tells of it: `SHOW POOLS`, `DATABASES`, `STATS_TOTALS`, `LISTS`, `CONFIG` of its console.

use std::time::Duration;

use wharf_signal::MetricKind::{self, Counter, Gauge};
use wharf_store::{PoolSite, Session, StoreError, Table};

use crate::families::Families;
use crate::root::number;

/// A column, the metric, its kind, and what its unit is in.
type Column = (&'static str, &'static str, MetricKind, f64);

/// PgBouncer counts times in microseconds.
const MICROS: f64 = 1e-6;

const POOLS: [Column; 12] = [
    (
        "cl_active",
        "pgbouncer_pools_client_active_connections",
        Gauge,
        1.0,
    ),
    (
        "cl_active_cancel_req",
        "pgbouncer_pools_client_active_cancel_connections",
        Gauge,
        1.0,
    ),
    (
        "cl_waiting",
        "pgbouncer_pools_client_waiting_connections",
        Gauge,
        1.0,
    ),
    (
        "cl_waiting_cancel_req",
        "pgbouncer_pools_client_waiting_cancel_connections",
        Gauge,
        1.0,
    ),
    (
        "sv_active",
        "pgbouncer_pools_server_active_connections",
        Gauge,
        1.0,
    ),
    (
        "sv_active_cancel",
        "pgbouncer_pools_server_active_cancel_connections",
        Gauge,
        1.0,
    ),
    (
        "sv_being_canceled",
        "pgbouncer_pools_server_being_canceled_connections",
        Gauge,
        1.0,
    ),
    (
        "sv_idle",
        "pgbouncer_pools_server_idle_connections",
        Gauge,
        1.0,
    ),
    (
        "sv_used",
        "pgbouncer_pools_server_used_connections",
        Gauge,
        1.0,
    ),
    (
        "sv_tested",
        "pgbouncer_pools_server_testing_connections",
        Gauge,
        1.0,
    ),
    (
        "sv_login",
        "pgbouncer_pools_server_login_connections",
        Gauge,
        1.0,
    ),
    (
        "maxwait",
        "pgbouncer_pools_client_maxwait_seconds",
        Gauge,
        1.0,
    ),
];
const DATABASES: [Column; 6] = [
    ("pool_size", "pgbouncer_databases_pool_size", Gauge, 1.0),
    (
        "reserve_pool",
        "pgbouncer_databases_reserve_pool",
        Gauge,
        1.0,
    ),
    (
        "max_connections",
        "pgbouncer_databases_max_connections",
        Gauge,
        1.0,
    ),
    (
        "current_connections",
        "pgbouncer_databases_current_connections",
        Gauge,
        1.0,
    ),
    ("paused", "pgbouncer_databases_paused", Gauge, 1.0),
    ("disabled", "pgbouncer_databases_disabled", Gauge, 1.0),
];
const STATS: [Column; 10] = [
    (
        "query_count",
        "pgbouncer_stats_totals_queries_pooled_total",
        Counter,
        1.0,
    ),
    (
        "query_time",
        "pgbouncer_stats_totals_queries_duration_seconds_total",
        Counter,
        MICROS,
    ),
    (
        "bytes_received",
        "pgbouncer_stats_totals_received_bytes_total",
        Counter,
        1.0,
    ),
    (
        "bytes_sent",
        "pgbouncer_stats_totals_sent_bytes_total",
        Counter,
        1.0,
    ),
    (
        "wait_time",
        "pgbouncer_stats_totals_client_wait_seconds_total",
        Counter,
        MICROS,
    ),
    (
        "xact_count",
        "pgbouncer_stats_totals_sql_transactions_pooled_total",
        Counter,
        1.0,
    ),
    (
        "xact_time",
        "pgbouncer_stats_totals_server_in_transaction_seconds_total",
        Counter,
        MICROS,
    ),
    (
        "client_parse_count",
        "pgbouncer_stats_totals_client_parses_total",
        Counter,
        1.0,
    ),
    (
        "server_parse_count",
        "pgbouncer_stats_totals_server_parses_total",
        Counter,
        1.0,
    ),
    (
        "bind_count",
        "pgbouncer_stats_totals_binds_total",
        Counter,
        1.0,
    ),
];
/// What `SHOW LISTS` counts, and the metric.
const LISTS: [(&str, &str); 11] = [
    ("databases", "pgbouncer_databases"),
    ("users", "pgbouncer_users"),
    ("pools", "pgbouncer_pools"),
    ("free_clients", "pgbouncer_free_clients"),
    ("used_clients", "pgbouncer_used_clients"),
    ("login_clients", "pgbouncer_login_clients"),
    ("free_servers", "pgbouncer_free_servers"),
    ("used_servers", "pgbouncer_used_servers"),
    ("dns_names", "pgbouncer_cached_dns_names"),
    ("dns_zones", "pgbouncer_cached_dns_zones"),
    ("dns_queries", "pgbouncer_in_flight_dns_queries"),
];
const CONFIG: [(&str, &str); 2] = [
    ("max_client_conn", "pgbouncer_config_max_client_connections"),
    (
        "max_user_connections",
        "pgbouncer_config_max_user_connections",
    ),
];

/// What a pool tells now, within `timeout`; one that does not answer is told of as `pgbouncer_up 0`.
pub async fn collect(site: &PoolSite, timeout: Duration) -> Families {
    let asked = tokio::time::timeout(timeout, ask(site)).await;
    let (mut families, up) = match asked {
        Ok(Ok(families)) => (families, 1.0),
        _ => (Families::new(), 0.0),
    };
    families
        .gauge("pgbouncer_up", "Whether PgBouncer answers.")
        .add(&[], up);
    families
}

async fn ask(site: &PoolSite) -> Result<Families, StoreError> {
    let mut out = Families::new();
    let mut console = site.console().await?;
    let tables: [(&str, &[&str], &[Column]); 3] = [
        ("POOLS", &["database", "user"], &POOLS),
        (
            "DATABASES",
            &[
                "name",
                "host",
                "port",
                "database",
                "force_user",
                "pool_mode",
            ],
            &DATABASES,
        ),
        ("STATS_TOTALS", &["database"], &STATS),
    ];
    for (what, labels, columns) in tables {
        let table = show(&mut console, what).await?;
        tell(&table, labels, columns, &mut out);
    }
    for (what, wanted) in [("LISTS", &LISTS[..]), ("CONFIG", &CONFIG)] {
        let table = show(&mut console, what).await?;
        for row in &table.rows {
            if let [Some(name), Some(value), ..] = &row[..]
                && let Some((_, metric)) = wanted.iter().find(|(known, _)| known == name)
                && let Some(value) = number(value)
            {
                out.gauge(*metric, format!("{name} of SHOW {what}."))
                    .add(&[], value);
            }
        }
    }
    let version = show(&mut console, "VERSION").await?;
    if let Some(Some(Some(text))) = version.rows.first().map(|row| row.first()) {
        let version = text.rsplit(' ').next().unwrap_or_default();
        out.gauge("pgbouncer_version_info", "Which version it is.")
            .add(&[("version", version)], 1.0);
    }
    console.close().await;
    Ok(out)
}

async fn show(console: &mut Session, what: &str) -> Result<Table, StoreError> {
    console.table(&format!("SHOW {what}")).await
}

fn tell(table: &Table, labels: &[&str], columns: &[Column], out: &mut Families) {
    for row in &table.rows {
        let cell = |name: &str| {
            let index = table.columns.iter().position(|column| column == name)?;
            row.get(index)?.as_deref()
        };
        let labels: Vec<(&str, &str)> = labels
            .iter()
            .map(|label| (*label, cell(label).unwrap_or_default()))
            .collect();
        for (column, metric, kind, factor) in columns {
            let Some(mut value) = cell(column).and_then(number) else {
                continue;
            };
            // Whole seconds, and what is beyond them in another column.
            if *column == "maxwait" {
                value += cell("maxwait_us").and_then(number).unwrap_or(0.0) * MICROS;
            }
            out.family(*metric, *kind, format!("{column} of PgBouncer."))
                .add(&labels, value * factor);
        }
    }
}
