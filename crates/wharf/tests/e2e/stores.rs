//! Services on real stores, which Wharf starts itself.

use std::io::{BufRead as _, BufReader};
use std::process::Command;

use crate::http;
use crate::installed;
use crate::stack::{Stack, find, wait_for};

#[test]
fn items_on_redis_share_and_keep_what_is_posted() {
    if !installed::redis() {
        return;
    }
    let mut stack = Stack::of_example("items-redis", "1.0.0");
    stack.up();
    assert_eq!(stack.pids("api").len(), 3);
    let posted = http::send(&stack.url, "POST", "/items", Some(r#"{"name":"anchor"}"#)).unwrap();
    assert_eq!(posted.status, 201, "{}", posted.body);
    for _ in 0..6 {
        assert_eq!(stack.get("/items").json()["items"][0], posted.json());
    }
    stack.run(&["down"]).succeeded();
    stack.up();
    assert_eq!(stack.get("/items").json()["items"][0], posted.json());
}

#[test]
fn rows_in_postgres_survive_down_and_a_killed_engine() {
    if !installed::postgres() {
        return;
    }
    let mut stack = Stack::new(
        "\
name: ledger
services:
  web:
    command: [$ACTOR]
    port: 8000
    replicas: 2
    probes: { http: /health }
    environment: { DATABASE_URL: \"${db.url}\" }
    release: psql -q -d \"$DATABASE_URL\" -c 'create table if not exists visits (id serial)'
stores:
  db: { engine: postgres, version: \"15\" }
",
    );
    stack.up();
    for count in 1..=5 {
        let answer = stack.get("/visits");
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, count.to_string().as_str())
        );
    }
    // The password is nowhere where people look.
    let password = psql_password(&stack);
    for command in [
        &["ps", "--json"][..],
        &["check", "--format", "json"],
        &["logs"],
        &["rollout", "history"],
    ] {
        let done = stack.run(command);
        assert!(
            !done.output.contains(&password) && !done.errors.contains(&password),
            "wharf {}",
            command.join(" ")
        );
    }
    stack.run(&["down"]).succeeded();
    stack.up();
    assert_eq!(stack.get("/visits").body, "6");
    stack.kill_engine();
    stack.up();
    assert_eq!(stack.get("/visits").body, "7");
}

/// The password in a replica's own environment.
#[track_caller]
fn psql_password(stack: &Stack) -> String {
    let url = environment(stack.pids("web")[0], "DATABASE_URL");
    let password = url.split(['@', ':']).nth(2).unwrap().to_owned();
    assert!(password.len() >= 16, "the password is short");
    password
}

/// A variable of a replica's own environment.
#[track_caller]
pub(crate) fn environment(pid: u64, name: &str) -> String {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let value = environment.split(|byte| *byte == 0).find_map(|entry| {
        entry
            .strip_prefix(name.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"="))
    });
    String::from_utf8(value.unwrap().to_vec()).unwrap()
}

#[test]
fn the_depth_of_a_queue_is_shown() {
    if !installed::redis() {
        return;
    }
    let mut stack = Stack::new(
        "\
name: jobs
services:
  worker:
    command: exec sleep 1000
    environment: { BROKER_URL: \"${cache.url}/1\" }
    scale:
      max: 3
      metrics: [{ name: queue-depth, queue: { store: cache, list: celery }, target: 10 }]
stores:
  cache: { engine: redis }
",
    );
    stack.up();
    let url = environment(stack.pids("worker")[0], "BROKER_URL");
    assert!(url.ends_with("/1") && !url.ends_with("/0/1"), "{url}");
    let queues = |stack: &Stack| find(&stack.ps()["stores"], "name", "cache")["queues"].clone();
    wait_for("the empty queue", || {
        queues(&stack) == serde_json::json!({ "celery": 0 })
    });
    let (password, rest) = url
        .strip_prefix("redis://:")
        .and_then(|rest| rest.split_once('@'))
        .unwrap();
    let port = rest.split([':', '/']).nth(1).unwrap();
    let pushed = Command::new("redis-cli")
        .args(["-p", port, "-n", "1", "RPUSH", "celery", "a", "b", "c"])
        .env("REDISCLI_AUTH", password)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&pushed.stdout).trim(), "3");
    wait_for("three jobs", || {
        queues(&stack) == serde_json::json!({ "celery": 3 })
    });
    let shown = stack.run(&["ps"]).succeeded().output;
    assert!(shown.contains("ready (celery: 3)"), "{shown}");
}

#[test]
fn a_store_that_goes_over_its_memory_says_so() {
    if !installed::postgres() {
        return;
    }
    let mut stack = Stack::new(
        "\
name: limited
services:
  web:
    command: exec sleep 1000
    environment: { DATABASE_URL: \"${db.url}\" }
    needs: [db]
stores:
  db: { engine: postgres, resources: { memory: 192Mi } }
",
    );
    let doctor = stack.run(&["doctor", "--json"]).output;
    if !doctor.contains("memory limits are enforced") {
        eprintln!("skipped: no memory limit can be enforced here");
        return;
    }
    stack.up();
    let url = environment(stack.pids("web")[0], "DATABASE_URL");
    let asked = Command::new("psql")
        .args([
            "-qtA",
            "-d",
            &url,
            "-c",
            "select length(repeat('x', 900000000))",
        ])
        .output()
        .unwrap();
    assert!(!asked.status.success(), "the limit does not hold");
    wait_for("the store to say what became of it", || {
        stack
            .run(&["ps"])
            .output
            .contains("which went over its memory limit of 192Mi")
    });
    let ready = || find(&stack.ps()["stores"], "name", "db")["state"] == "ready";
    wait_for("the store to be ready again", ready);
}

/// A Redis that Wharf does not run, with one key that says which it is. Killed when dropped.
struct Elsewhere {
    server: std::process::Child,
    port: u16,
}

impl Elsewhere {
    fn start(stack: &Stack, said: &str) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut server = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(stack.folder())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // Asked any earlier, a client could be given the server's port as its own.
        let lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let ready = lines
            .map_while(Result::ok)
            .any(|line| line.contains("Ready to accept connections"));
        let elsewhere = Self { server, port };
        assert!(ready, "no Redis on port {port}");
        assert_eq!(redis(&elsewhere.url(), &["SET", "said", said]), "OK");
        elsewhere
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

fn redis(url: &str, arguments: &[&str]) -> String {
    let asked = Command::new("redis-cli")
        .args(["-u", url])
        .args(arguments)
        .output()
        .unwrap();
    String::from_utf8_lossy(&asked.stdout).trim().to_owned()
}

#[test]
fn another_address_of_a_store_comes_with_a_release_and_goes_with_its_undo() {
    if !installed::redis() {
        return;
    }
    let file = |url: &str| {
        format!(
            "\
name: moved
services:
  asks:
    command: exec sleep 1000
    environment: {{ CACHE: \"${{cache.url}}/0\" }}
    rollout: {{ keep_old: 0s }}
  other: {{ command: exec sleep 1000 }}
stores:
  cache: {{ engine: redis{url} }}
"
        )
    };
    let mut stack = Stack::new(&file(", url: \"${env.CACHE_URL}\""));
    let (first, second) = (
        Elsewhere::start(&stack, "first"),
        Elsewhere::start(&stack, "second"),
    );
    let said = |stack: &Stack| {
        let url = environment(stack.pids("asks")[0], "CACHE");
        redis(&url, &["GET", "said"])
    };
    let state = |stack: &Stack| find(&stack.ps()["stores"], "name", "cache")["state"].clone();
    let port = |stack: &Stack| find(&stack.ps()["stores"], "name", "cache")["port"].clone();
    stack.set("CACHE_URL", &first.url());
    stack.up();
    assert_eq!(
        (said(&stack).as_str(), state(&stack)),
        ("first", "external".into())
    );
    let other = stack.pids("other");

    // The value of a variable, then the text of the file.
    stack.set("CACHE_URL", &second.url());
    stack.run(&["release"]).succeeded();
    assert_eq!(
        (said(&stack).as_str(), port(&stack)),
        ("second", second.port.into())
    );
    let asks = stack.pids("asks");
    stack.run(&["release"]).succeeded();
    assert_eq!(stack.pids("asks"), asks, "nothing has changed");
    stack.run(&["rollout", "undo"]).succeeded();
    assert_eq!(
        (said(&stack).as_str(), port(&stack)),
        ("first", first.port.into())
    );
    stack.write(&file(&format!(", url: \"{}\"", second.url())));
    stack.run(&["release"]).succeeded();
    assert_eq!(said(&stack), "second");
    stack.kill_engine();
    stack.run(&["rollout", "undo"]).succeeded();
    assert_eq!(said(&stack), "first");

    // A server of its own, and back.
    stack.write(&file(""));
    stack.run(&["release"]).succeeded();
    let url = environment(stack.pids("asks")[0], "CACHE");
    assert!(url.starts_with("redis://:"), "it has a password: {url}");
    assert_eq!(state(&stack), "ready");
    stack.run(&["rollout", "undo"]).succeeded();
    assert_eq!(said(&stack), "first");
    wait_for("its own server to be gone", || state(&stack) == "external");
    assert_eq!(stack.pids("other"), other, "it does not ask the store");
}
