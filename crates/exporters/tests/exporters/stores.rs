//! Real servers.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};
use wharf_base::clock;
use wharf_exporters::postgres::PostgresLogin;
use wharf_exporters::{Families, pgbouncer, postgres, redis};
use wharf_plan::model::{Pool, PoolMode, StoreEngine};
use wharf_store::{
    Account, Credentials, PoolSite, Pooler, RedisList, RedisSession, Request, Session, is_ready,
};

use super::{DEADLINE, free_port, skip, until};

/// `nobody`; the servers refuse root, which tests may be.
const NOBODY: Account = Account {
    uid: 65_534,
    gid: 65_534,
};

/// A server in a temporary folder; killed with it.
struct Server {
    credentials: Credentials,
    dir: PathBuf,
    account: Option<Account>,
    child: Child,
    _folder: TempDir,
}

fn spawn(argv: &[String], account: Option<Account>) -> Child {
    let mut command = Command::new(&argv[0]);
    command.args(&argv[1..]).kill_on_drop(true);
    command.current_dir("/");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    command.spawn().unwrap()
}

impl Server {
    async fn start(engine: StoreEngine) -> Option<Self> {
        let server = match wharf_store::find(engine, None) {
            Ok(server) => server,
            Err(missing) => {
                skip(&missing.to_string());
                return None;
            }
        };
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        let dir = folder.path().join("store");
        let account = rustix::process::geteuid().is_root().then_some(NOBODY);
        let credentials = Credentials::generate(engine, "shop", free_port(), [0x5a; 24]);
        let request = Request {
            server,
            credentials: credentials.clone(),
            dir: dir.clone(),
            account,
            extensions: vec![],
            pooled: 0,
        };
        let prepared = wharf_store::prepare(request).await.unwrap();
        let child = spawn(&prepared.argv, prepared.account);
        until(|| async { is_ready(&credentials, engine, DEADLINE).await.is_ready() }).await;
        prepared.set_up().await.unwrap();
        Some(Self {
            credentials,
            dir,
            account,
            child,
            _folder: folder,
        })
    }
}

#[track_caller]
fn has(families: &Families, name: &str, labels: &[(&str, &str)], accepted: impl Fn(f64) -> bool) {
    let found = families.value(name, labels);
    assert!(
        found.is_some_and(accepted),
        "{name} {labels:?}: {found:?} in {:#?}",
        families.get(name)
    );
}

#[tokio::test]
async fn a_postgres_tells_what_dashboards_ask() {
    let Some(mut server) = Server::start(StoreEngine::Postgres).await else {
        return;
    };
    let mut session = Session::open(&server.credentials).await.unwrap();
    for statement in [
        "CREATE TABLE items AS SELECT generate_series(1, 1000) AS id",
        "CREATE INDEX ON items (id)",
        "SELECT count(*) FROM items",
        "ANALYZE items",
        "BEGIN",
        "LOCK TABLE items IN SHARE MODE",
    ] {
        session.table(statement).await.unwrap();
    }
    let admin = PostgresLogin::Admin(server.dir.clone());
    let families = postgres::collect(&server.credentials, &admin, DEADLINE).await;
    let shop = [("datname", "shop")];
    has(&families, "pg_up", &[], |v| v == 1.0);
    has(&families, "pg_exporter_last_scrape_error", &[], |v| {
        v == 0.0
    });
    has(&families, "pg_settings_max_connections", &[], |v| v >= 10.0);
    has(&families, "pg_settings_shared_buffers_bytes", &[], |v| {
        v >= 1e6
    });
    has(&families, "pg_settings_fsync", &[], |v| {
        v == 0.0 || v == 1.0
    });
    has(
        &families,
        "pg_settings_checkpoint_timeout_seconds",
        &[],
        |v| v >= 30.0,
    );
    has(&families, "pg_database_size_bytes", &shop, |v| v > 1e6);
    has(&families, "pg_replication_lag_seconds", &[], |v| v == 0.0);
    has(&families, "pg_postmaster_start_time_seconds", &[], |v| {
        v > 1e9
    });
    has(
        &families,
        "pg_locks_count",
        &[("datname", "shop"), ("mode", "sharelock")],
        |v| v == 1.0,
    );
    has(
        &families,
        "pg_stat_bgwriter_buffers_alloc_total",
        &[],
        |v| v > 0.0,
    );
    let table = [
        ("datname", "shop"),
        ("relname", "items"),
        ("schemaname", "public"),
    ];
    has(
        &families,
        "pg_stat_user_tables_table_size_bytes",
        &table,
        |v| v > 0.0,
    );
    has(
        &families,
        "pg_stat_user_tables_index_size_bytes",
        &table,
        |v| v > 0.0,
    );
    has(
        &families,
        "pg_statio_user_tables_heap_blocks_hit",
        &table,
        |v| v >= 0.0,
    );
    let activity = families.get("pg_stat_activity_count").unwrap();
    let in_transaction = activity.samples.iter().any(|(labels, value)| {
        labels.value("state") == "idle in transaction"
            && labels.value("usename") == "shop"
            && *value == 1.0
    });
    assert!(in_transaction, "{activity:#?}");
    for name in [
        "pg_stat_database_xact_commit",
        "pg_stat_database_xact_rollback",
        "pg_stat_database_blks_hit",
        "pg_stat_database_tup_fetched",
        "pg_stat_database_deadlocks",
        "pg_stat_database_active_time_seconds_total",
        "pg_stat_user_tables_n_dead_tup",
        "pg_stat_user_tables_seq_scan",
        "pg_stat_activity_max_tx_duration",
        "pg_database_wraparound_age_datfrozenxid_seconds",
        "pg_stat_archiver_archived_count",
    ] {
        assert!(
            families
                .get(name)
                .is_some_and(|family| !family.samples.is_empty()),
            "{name}"
        );
    }
    println!("{} samples of PostgreSQL", families.samples());
    let own = postgres::collect(&server.credentials, &PostgresLogin::Own, DEADLINE).await;
    has(&own, "pg_up", &[], |v| v == 1.0);
    has(&own, "pg_exporter_last_scrape_error", &[], |v| v == 0.0);
    server.child.kill().await.unwrap();
    let gone = postgres::collect(&server.credentials, &admin, DEADLINE).await;
    has(&gone, "pg_up", &[], |v| v == 0.0);
    assert_eq!(gone.samples(), 2);
}

#[tokio::test]
async fn a_redis_tells_what_dashboards_ask() {
    let Some(mut server) = Server::start(StoreEngine::Redis).await else {
        return;
    };
    let mut session = RedisSession::open(&server.credentials).await.unwrap();
    let commands: [&[&str]; 5] = [
        &["SET", "a", "1"],
        &["GET", "a"],
        &["GET", "none"],
        &["SELECT", "1"],
        &["RPUSH", "jobs", "x", "y", "z"],
    ];
    for words in commands {
        session.call(words).await.unwrap();
    }
    let watched = [RedisList {
        database: 1,
        key: "jobs".to_owned(),
    }];
    let families = redis::collect(&server.credentials, &watched, clock::now(), DEADLINE).await;
    has(&families, "redis_up", &[], |v| v == 1.0);
    has(
        &families,
        "redis_key_size",
        &[("db", "db1"), ("key", "jobs")],
        |v| v == 3.0,
    );
    has(&families, "redis_db_keys", &[("db", "db0")], |v| v == 1.0);
    has(&families, "redis_db_keys", &[("db", "db15")], |v| v == 0.0);
    has(&families, "redis_keyspace_hits_total", &[], |v| v == 1.0);
    has(&families, "redis_keyspace_misses_total", &[], |v| v == 1.0);
    has(&families, "redis_commands_total", &[("cmd", "get")], |v| {
        v == 2.0
    });
    has(
        &families,
        "redis_commands_duration_seconds_total",
        &[("cmd", "get")],
        |v| v > 0.0,
    );
    has(&families, "redis_connected_clients", &[], |v| v >= 2.0);
    has(&families, "redis_memory_used_bytes", &[], |v| v > 1e5);
    for name in [
        "redis_memory_max_bytes",
        "redis_blocked_clients",
        "redis_evicted_keys_total",
        "redis_expired_keys_total",
        "redis_commands_processed_total",
        "redis_instance_info",
        "redis_slowlog_length",
        "redis_slowlog_last_id",
        "redis_start_time_seconds",
    ] {
        assert!(families.get(name).is_some(), "{name}");
    }
    println!("{} samples of Redis", families.samples());
    server.child.kill().await.unwrap();
    let gone = redis::collect(&server.credentials, &[], clock::now(), DEADLINE).await;
    has(&gone, "redis_up", &[], |v| v == 0.0);
}

#[tokio::test]
async fn a_pool_tells_what_dashboards_ask() {
    let pooler = match Pooler::find() {
        Ok(pooler) => pooler,
        Err(missing) => return skip(&missing.to_string()),
    };
    let Some(server) = Server::start(StoreEngine::Postgres).await else {
        return;
    };
    let site = PoolSite {
        server: server.credentials.clone(),
        port: free_port(),
        dir: server.dir.clone(),
        account: server.account,
    };
    let pool = Pool {
        size: 3,
        clients: 40,
        mode: PoolMode::Transaction,
    };
    let prepared = site.prepare(&pooler, &pool).unwrap();
    let mut child = spawn(&prepared.argv, site.account);
    until(|| async { site.is_ready(true, DEADLINE).await.is_ready() }).await;
    let mut client = Session::open(&site.credentials()).await.unwrap();
    client.table("BEGIN").await.unwrap();
    let families = pgbouncer::collect(&site, DEADLINE).await;
    let labels = [("database", "shop"), ("user", "shop")];
    has(&families, "pgbouncer_up", &[], |v| v == 1.0);
    has(
        &families,
        "pgbouncer_pools_client_active_connections",
        &labels,
        |v| v == 1.0,
    );
    has(
        &families,
        "pgbouncer_pools_client_waiting_connections",
        &labels,
        |v| v == 0.0,
    );
    has(
        &families,
        "pgbouncer_pools_server_active_connections",
        &labels,
        |v| v == 1.0,
    );
    has(
        &families,
        "pgbouncer_pools_server_idle_connections",
        &labels,
        |v| v >= 0.0,
    );
    has(
        &families,
        "pgbouncer_pools_client_maxwait_seconds",
        &labels,
        |v| v == 0.0,
    );
    has(
        &families,
        "pgbouncer_config_max_client_connections",
        &[],
        |v| v == 40.0,
    );
    has(
        &families,
        "pgbouncer_stats_totals_queries_pooled_total",
        &[("database", "shop")],
        |v| v >= 1.0,
    );
    has(&families, "pgbouncer_used_clients", &[], |v| v >= 1.0);
    assert!(families.get("pgbouncer_databases_pool_size").is_some());
    println!("{} samples of PgBouncer", families.samples());
    child.kill().await.unwrap();
    has(
        &pgbouncer::collect(&site, DEADLINE).await,
        "pgbouncer_up",
        &[],
        |v| v == 0.0,
    );
}

#[tokio::test]
async fn who_says_nothing_is_down_after_the_time_limit() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let limit = Duration::from_millis(50);
    let credentials = |engine| Credentials::generate(engine, "shop", port, [1; 24]);
    let silent = postgres::collect(
        &credentials(StoreEngine::Postgres),
        &PostgresLogin::Own,
        limit,
    )
    .await;
    has(&silent, "pg_up", &[], |v| v == 0.0);
    let silent = redis::collect(&credentials(StoreEngine::Redis), &[], clock::now(), limit).await;
    has(&silent, "redis_up", &[], |v| v == 0.0);
}
