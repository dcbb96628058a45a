//! The contract of the items API, on a real Redis that each test starts for itself.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "../../items/tests/api/contract.rs"]
mod contract;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use contract::Client;
use items::store::Store as _;
use items_redis::RedisStore;

/// A server on a free port without a file; killed at the end of the test.
struct Redis {
    child: Child,
    url: String,
}

impl Redis {
    /// None, with the reason printed, where Redis is not installed.
    fn start() -> Option<Self> {
        // Another process may take the port before the server does: then it says so, and the next port is tried.
        for _ in 0..10 {
            let port = std::net::TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            let spawned = Command::new("redis-server")
                .args([
                    "--bind",
                    "127.0.0.1",
                    "--save",
                    "",
                    "--appendonly",
                    "no",
                    "--port",
                    &port.to_string(),
                ])
                .stdout(Stdio::piped())
                .spawn();
            let mut child = match spawned {
                Ok(child) => child,
                Err(error) => {
                    let required =
                        std::env::var("WHARF_TEST_REQUIRE").is_ok_and(|value| value == "all");
                    assert!(!required, "redis-server cannot be started: {error}");
                    eprintln!("skipped: redis-server cannot be started: {error}");
                    return None;
                }
            };
            let mut log = BufReader::new(child.stdout.take().unwrap());
            let mut server = Self {
                child,
                url: format!("redis://127.0.0.1:{port}"),
            };
            let mut line = String::new();
            while log.read_line(&mut line).unwrap() > 0 {
                if line.contains("eady to accept connections") {
                    // Kept open and read, so that the server can go on writing.
                    std::thread::spawn(move || log.lines().count());
                    return Some(server);
                }
                line.clear();
            }
            server.child.wait().unwrap();
        }
        panic!("redis-server did not start on any of ten ports");
    }

    fn client(&self) -> Client {
        Client::new(RedisStore::connect(&self.url).unwrap())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test]
async fn keeps_its_contract() {
    let Some(redis) = Redis::start() else { return };
    contract::holds(&redis.client()).await;
}

#[tokio::test]
async fn refuses_bad_input() {
    let Some(redis) = Redis::start() else { return };
    contract::refuses_bad_input(&redis.client()).await;
}

#[tokio::test]
async fn counts_and_traces() {
    let Some(redis) = Redis::start() else { return };
    contract::counts_and_traces(&redis.client()).await;
}

#[tokio::test]
async fn replicas_share_the_store() {
    let Some(redis) = Redis::start() else { return };
    let (one, two) = (
        RedisStore::connect(&redis.url).unwrap(),
        RedisStore::connect(&redis.url).unwrap(),
    );
    let mut adding = tokio::task::JoinSet::new();
    for count in 0..100 {
        let store = if count % 2 == 0 {
            one.clone()
        } else {
            two.clone()
        };
        let new = items::store::NewItem {
            name: "same".to_owned(),
            description: String::new(),
        };
        adding.spawn(async move { store.add(new).await.unwrap().id });
    }
    let mut ids = adding.join_all().await;
    ids.sort_unstable();
    assert_eq!(ids, (1..=100).collect::<Vec<_>>());
    assert_eq!(one.page(0, 1).await.unwrap().total, 100);
}

#[tokio::test]
async fn is_unavailable_without_its_server() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("redis://:hunter2@127.0.0.1:{port}");
    let client = Client::new(RedisStore::connect(&url).unwrap());
    for path in ["/health", "/items", "/items/1"] {
        let answer = client.get(path).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["code"]),
            (503, &"store_unavailable".into())
        );
        assert!(!answer.text.contains("hunter2"));
    }
}
