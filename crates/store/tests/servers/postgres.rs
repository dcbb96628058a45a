//! PostgreSQL.

use wharf_plan::model::StoreEngine;
use wharf_store::{Readiness, StoreError, prepare};

use super::*;

fn store() -> Option<Store> {
    server(StoreEngine::Postgres).map(Store::new)
}

/// What `psql` of the same package prints, logged in as the application.
async fn psql(store: &Store, password: &str, statement: &str) -> Result<String, String> {
    let credentials = Credentials {
        password: password.to_owned(),
        ..store.request.credentials.clone()
    };
    psql_at(&store.request.server, &credentials, statement).await
}

/// The same at another address.
pub(crate) async fn psql_at(
    server: &Server,
    credentials: &Credentials,
    statement: &str,
) -> Result<String, String> {
    let output = Command::new(server.program.with_file_name("psql"))
        .args([
            "-X",
            "-A",
            "-t",
            "-h",
            "127.0.0.1",
            "-U",
            &credentials.user,
            "-d",
            &credentials.database,
        ])
        .args(["-p", &credentials.port.to_string(), "-c", statement])
        .env("PGPASSWORD", &credentials.password)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[tokio::test]
async fn data_survives_an_orderly_stop_and_a_kill() {
    let Some(mut store) = store() else { return };
    let password = store.request.credentials.password.clone();
    assert!(!store.readiness().await.is_ready());
    store.start().await;
    assert!(store.prepared.as_ref().unwrap().fresh);
    psql(
        &store,
        &password,
        "CREATE TABLE item (name text); INSERT INTO item VALUES ('Äpfel')",
    )
    .await
    .unwrap();
    store.stop().await;
    store.start().await;
    assert!(!store.prepared.as_ref().unwrap().fresh);
    psql(&store, &password, "INSERT INTO item VALUES ('pears')")
        .await
        .unwrap();
    store.kill().await;
    store.start().await;
    let rows = psql(
        &store,
        &password,
        "SELECT string_agg(lower(name), ',' ORDER BY name) FROM item",
    )
    .await;
    assert_eq!(rows.as_deref(), Ok("pears,äpfel"));
    store.stop().await;
}

#[tokio::test]
async fn the_application_logs_in_with_its_password_only_and_is_no_superuser() {
    let Some(mut store) = store() else { return };
    store.start().await;
    let first = store.request.credentials.password.clone();
    let rows = psql(
        &store,
        &first,
        "SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user",
    )
    .await;
    assert_eq!(rows.as_deref(), Ok("f|t"));
    assert!(psql(&store, "wrong", "SELECT 1").await.is_err());
    // A set-up that is repeated changes nothing; one with a new password changes that.
    store.prepared.as_ref().unwrap().set_up().await.unwrap();
    store.stop().await;
    store.request.credentials.password = "another 'one'".to_owned();
    store.start().await;
    assert_eq!(
        psql(&store, "another 'one'", "SELECT 1").await.as_deref(),
        Ok("1")
    );
    assert!(psql(&store, &first, "SELECT 1").await.is_err());
    let stored = psql(&store, "another 'one'", "SHOW data_checksums").await;
    assert_eq!(stored.as_deref(), Ok("on"));
    let listens = psql(&store, "another 'one'", "SHOW listen_addresses").await;
    assert_eq!(listens.as_deref(), Ok("127.0.0.1"));
    store.stop().await;
}

#[tokio::test]
async fn extensions_are_created_or_named_as_missing() {
    let Some(mut store) = store() else { return };
    store.request.extensions = vec!["plpgsql".to_owned()];
    store.start().await;
    let mut prepared = {
        store.request.extensions = vec!["no-such-extension".to_owned()];
        store.prepared.clone().unwrap()
    };
    prepared.set_up().await.unwrap();
    store.stop().await;
    prepared = store.prepare().await.clone();
    store.request.extensions.clear();
    store.start().await;
    let error = prepared.set_up().await.unwrap_err();
    assert!(
        matches!(error, StoreError::ExtensionMissing { .. }),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("`no-such-extension` is not installed for PostgreSQL"),
        "{error}"
    );
    store.stop().await;
}

#[tokio::test]
async fn a_second_server_on_the_same_data_or_port_is_refused() {
    let Some(mut store) = store() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own_port = store.request.credentials.port;
    store.request.credentials.port = listener.local_addr().unwrap().port();
    let error = prepare(store.request.clone()).await.unwrap_err();
    assert!(matches!(error, StoreError::PortTaken { .. }), "{error:?}");
    store.request.credentials.port = own_port;
    store.start().await;
    let error = prepare(store.request.clone()).await.unwrap_err();
    assert!(
        matches!(error, StoreError::AlreadyRunning { .. }),
        "{error:?}"
    );
    store.stop().await;
}

#[tokio::test]
async fn a_server_that_is_not_the_store_is_noticed() {
    let (Some(mut one), Some(mut two)) = (store(), store()) else {
        return;
    };
    let foreign = two.prepare().await.clone();
    one.request.credentials.port = two.request.credentials.port;
    one.start().await;
    let error = foreign.set_up().await.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Refused { .. } | StoreError::OtherServer { .. }
        ),
        "{error:?}"
    );
    one.stop().await;
}

#[tokio::test]
async fn an_interrupted_initdb_leaves_nothing_half() {
    let Some(mut store) = store() else { return };
    let interrupted =
        tokio::time::timeout(Duration::from_millis(100), prepare(store.request.clone())).await;
    drop(interrupted);
    let data = store.request.dir.join("data");
    assert!(!data.exists() || data.join("PG_VERSION").exists());
    store.start().await;
    let left: Vec<_> = std::fs::read_dir(&store.request.dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("data.new") || name.starts_with("initdb"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
    store.stop().await;
}

#[tokio::test]
async fn data_of_another_major_version_is_refused() {
    let Some(mut store) = store() else { return };
    store.prepare().await;
    std::fs::write(store.request.dir.join("data/PG_VERSION"), "7\n").unwrap();
    let error = prepare(store.request.clone()).await.unwrap_err();
    assert!(matches!(error, StoreError::DataVersion { .. }), "{error:?}");
}

#[tokio::test]
async fn root_and_a_closed_folder_are_refused() {
    let Some(mut store) = store() else { return };
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root may change accounts");
        return;
    }
    let mut request = store.request.clone();
    request.account = None;
    assert!(matches!(
        prepare(request).await.unwrap_err(),
        StoreError::Root { .. }
    ));
    let closed = store
        .request
        .dir
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
    store.request.dir = closed.join("db");
    let error = prepare(store.request.clone()).await.unwrap_err();
    let StoreError::Barred { folder, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(folder, closed);
}

#[tokio::test]
async fn what_is_not_postgres_is_not_ready() {
    let Some(store) = store() else { return };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", store.request.credentials.port))
        .await
        .unwrap();
    let answer = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
    });
    let Readiness::NotReady(reason) = store.readiness().await else {
        panic!("ready")
    };
    assert!(
        reason.contains("does not speak PostgreSQL's protocol"),
        "{reason}"
    );
    answer.await.unwrap();
}
