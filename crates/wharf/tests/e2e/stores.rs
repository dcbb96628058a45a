//! Services on real stores, which Wharf starts itself.

use crate::http;
use crate::installed;
use crate::stack::Stack;

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
    let pid = stack.pids("web")[0];
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let url = environment
        .split(|byte| *byte == 0)
        .find_map(|entry| entry.strip_prefix(b"DATABASE_URL="));
    let url = String::from_utf8(url.unwrap().to_vec()).unwrap();
    let password = url.split(['@', ':']).nth(2).unwrap().to_owned();
    assert!(password.len() >= 16, "the password is short");
    password
}
