//! PgBouncer before a PostgreSQL.

use std::collections::BTreeSet;

use tokio::task::JoinSet;
use wharf_plan::model::{Pool, PoolMode, StoreEngine};
use wharf_store::{PoolSite, Pooler, StoreError};

use super::postgres::psql_at;
use super::*;

const POOL: Pool = Pool {
    size: 2,
    clients: 40,
    mode: PoolMode::Transaction,
};

fn pooler() -> Option<Pooler> {
    match Pooler::find() {
        Ok(pooler) => Some(pooler),
        Err(missing) if std::env::var("WHARF_TEST_REQUIRE").as_deref() == Ok("all") => {
            panic!("{missing}")
        }
        Err(missing) => {
            eprintln!("skipped: {missing}");
            None
        }
    }
}

fn site(store: &Store) -> PoolSite {
    PoolSite {
        server: store.request.credentials.clone(),
        port: free_port(),
        dir: store.request.dir.clone(),
        account: store.request.account,
    }
}

fn launch(site: &PoolSite, pooler: &Pooler) -> Child {
    let prepared = site.prepare(pooler, &POOL).unwrap();
    assert!(!prepared.argv.join(" ").contains(&site.server.password));
    let mut command = Command::new(&prepared.argv[0]);
    command
        .args(&prepared.argv[1..])
        .current_dir(&prepared.cwd)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    if let Some(account) = site.account {
        command.uid(account.uid).gid(account.gid);
    }
    command.spawn().unwrap()
}

async fn wait_until_ready(site: &PoolSite) {
    let begin = Instant::now();
    loop {
        let readiness = site.is_ready(true, Duration::from_secs(5)).await;
        if readiness.is_ready() {
            return;
        }
        assert!(begin.elapsed() < DEADLINE, "not ready: {readiness:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn many_clients_share_few_connections_through_changes_and_kills() {
    let (Some(server), Some(pooler)) = (server(StoreEngine::Postgres), pooler()) else {
        return;
    };
    let mut store = Store::new(server.clone());
    store.start().await;
    let site = site(&store);
    let client = site.credentials();
    let mut pool = launch(&site, &pooler);
    wait_until_ready(&site).await;
    assert!(site.is_ready(false, DEADLINE).await.is_ready());

    // How many server connections the clients are given, each with a statement that takes its time.
    let backends = async || {
        let mut asked = JoinSet::new();
        for _ in 0..20 {
            let (server, client) = (store.request.server.clone(), client.clone());
            asked.spawn(async move {
                let statement = "SELECT pg_backend_pid() FROM pg_sleep(0.05)";
                psql_at(&server, &client, statement).await.unwrap()
            });
        }
        let pids: BTreeSet<String> = asked.join_all().await.into_iter().collect();
        pids.len()
    };
    assert_eq!(backends().await, 2);

    // A larger size is taken on while a client holds its connection.
    let (larger, _) = tokio::join!(
        async {
            let larger = Pool { size: 5, ..POOL };
            site.reload(&pooler, &larger).await.unwrap();
            backends().await
        },
        async {
            let held = psql_at(&server, &client, "SELECT 1 FROM pg_sleep(1)").await;
            assert_eq!(held.as_deref(), Ok("1"));
        }
    );
    assert!((3..=5).contains(&larger), "{larger}");

    // A wrong password, and the console, are refused to those who are not Wharf.
    let stranger = Credentials {
        password: "wrong".to_owned(),
        ..client.clone()
    };
    assert!(psql_at(&server, &stranger, "SELECT 1").await.is_err());
    let console = Credentials {
        database: "pgbouncer".to_owned(),
        ..client.clone()
    };
    let refused = psql_at(&server, &console, "SHUTDOWN").await.unwrap_err();
    assert!(refused.contains("not allowed"), "{refused}");

    pool.kill().await.unwrap();
    assert!(!site.is_ready(true, DEADLINE).await.is_ready());
    let pool = launch(&site, &pooler);
    wait_until_ready(&site).await;
    store.kill().await;
    store.start().await;
    let begin = Instant::now();
    while psql_at(&server, &client, "SELECT 1").await.is_err() {
        assert!(begin.elapsed() < DEADLINE, "the pool has lost its server");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    store.stop().await;
    drop(pool);
}

#[tokio::test]
async fn a_taken_port_is_named_and_files_with_passwords_are_private() {
    let (Some(server), Some(pooler)) = (server(StoreEngine::Postgres), pooler()) else {
        return;
    };
    let store = Store::new(server);
    let site = site(&store);
    site.prepare(&pooler, &POOL).unwrap();
    for file in ["users.txt", "pgbouncer.ini", "admin-password"] {
        let metadata = std::fs::metadata(store.request.dir.join("pool").join(file)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{file}");
    }
    let _listener = TcpListener::bind(("127.0.0.1", site.port)).unwrap();
    let error = site.prepare(&pooler, &POOL).unwrap_err();
    assert!(
        matches!(error, StoreError::PortTaken { port } if port == site.port),
        "{error:?}"
    );
}
