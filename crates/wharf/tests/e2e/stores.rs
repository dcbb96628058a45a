//! Services on real stores, which Wharf starts itself.

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
