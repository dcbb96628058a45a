//! Redis.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wharf_plan::model::StoreEngine;
use wharf_store::{Readiness, StoreError, prepare};

use super::*;

fn store() -> Option<Store> {
    server(StoreEngine::Redis).map(Store::new)
}

/// Sends inline commands after the login and gives all that Redis answers.
async fn ask(store: &Store, commands: &str) -> String {
    let credentials = &store.request.credentials;
    let mut stream = TcpStream::connect(("127.0.0.1", credentials.port))
        .await
        .unwrap();
    let request = format!("AUTH {}\r\n{commands}\r\nQUIT\r\n", credentials.password);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn data_survives_an_orderly_stop_a_kill_and_a_torn_tail() {
    let Some(mut store) = store() else { return };
    store.start().await;
    assert_eq!(ask(&store, "SET a 1").await, "+OK\r\n+OK\r\n+OK\r\n");
    store.stop().await;
    store.start().await;
    assert_eq!(ask(&store, "SET b 2").await, "+OK\r\n+OK\r\n+OK\r\n");
    store.kill().await;
    let folder = store.request.dir.join("data/appendonlydir");
    let tail = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            path.extension().is_some_and(|extension| extension == "aof")
                && path.to_string_lossy().contains("incr")
        })
        .unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(tail).unwrap();
    std::io::Write::write_all(&mut file, b"*3\r\n$3\r\nSET\r\n$1\r\nc").unwrap();
    store.start().await;
    assert_eq!(
        ask(&store, "MGET a b c").await,
        "+OK\r\n*3\r\n$1\r\n1\r\n$1\r\n2\r\n$-1\r\n+OK\r\n"
    );
    store.stop().await;
}

#[tokio::test]
async fn a_password_is_asked_for() {
    let Some(mut store) = store() else { return };
    store.start().await;
    let right = std::mem::replace(&mut store.request.credentials.password, "wrong".to_owned());
    let Readiness::NotReady(reason) = store.readiness().await else {
        panic!("ready with a wrong password")
    };
    assert!(reason.contains("WRONGPASS"), "{reason}");
    store.request.credentials.password = right;
    assert!(store.readiness().await.is_ready());
    let mode = std::fs::metadata(store.request.dir.join("redis.conf"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let error = prepare(store.request.clone()).await.unwrap_err();
    assert!(matches!(error, StoreError::PortTaken { .. }), "{error:?}");
    store.stop().await;
}

#[tokio::test]
async fn lists_are_counted_in_their_databases() {
    let Some(mut store) = store() else { return };
    store.start().await;
    ask(
        &store,
        "RPUSH celery a b c\r\nSET plain 1\r\nSELECT 1\r\nRPUSH celery d",
    )
    .await;
    let list = |database, key: &str| wharf_store::RedisList {
        database,
        key: key.to_owned(),
    };
    let lists = [
        list(0, "celery"),
        list(1, "celery"),
        list(0, "none"),
        list(0, "plain"),
    ];
    let credentials = store.request.credentials.clone();
    let lengths = wharf_store::list_lengths(&credentials, &lists, DEADLINE).await;
    assert_eq!(lengths, Ok(vec![3, 1, 0, 0]));
    let beyond = wharf_store::list_lengths(&credentials, &[list(99, "celery")], DEADLINE).await;
    assert!(beyond.unwrap_err().starts_with("Redis says: ERR"));
    store.stop().await;
    let gone = wharf_store::list_lengths(&credentials, &lists, DEADLINE).await;
    assert!(gone.unwrap_err().starts_with("cannot reach Redis"));
}
