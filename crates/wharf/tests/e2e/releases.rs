//! Releases that go well, seen from outside.

use crate::stack::{Stack, wait_for};

fn file(version: &str) -> String {
    format!(
        "\
name: releases
services:
  web:
    command: [$ACTOR]
    port: 8000
    replicas: 2
    probes: {{ http: /health }}
    environment: {{ VERSION: \"{version}\" }}
"
    )
}

#[track_caller]
fn check_version(stack: &Stack, version: &str) {
    for _ in 0..6 {
        let body = stack.get("/").body;
        assert!(body.starts_with(&format!("{version} ")), "{body}");
    }
}

#[test]
fn a_release_respects_the_live_scale() {
    let mut stack = Stack::new(&file("one"));
    stack.up();
    stack.run(&["scale", "web=4"]).succeeded();
    wait_for("four replicas", || stack.ps()["services"][0]["ready"] == 4);
    stack.write(&file("two"));
    stack.run(&["release"]).succeeded();
    assert_eq!(stack.pids("web").len(), 4);
    check_version(&stack, "two");
}

#[test]
fn a_replica_that_dies_comes_back_while_the_other_serves() {
    let mut stack = Stack::new(&file("one"));
    stack.up();
    let pids = stack.pids("web");
    crate::stack::kill(pids[0], rustix::process::Signal::KILL);
    wait_for("a new replica", || {
        let ps = stack.ps();
        let replicas = ps["services"][0]["replicas"].as_array().unwrap().clone();
        let ready: Vec<_> = replicas
            .iter()
            .filter(|replica| replica["state"] == "ready")
            .collect();
        ready.len() == 2 && ready.iter().all(|replica| replica["pid"] != pids[0])
    });
    check_version(&stack, "one");
}

#[test]
fn a_kill_of_the_engine_in_a_release_leaves_one_version() {
    let mut stack = Stack::new(&file("one"));
    stack.up();
    let load = stack.load("/");
    stack.write(&file("two"));
    std::thread::scope(|scope| {
        let release = scope.spawn(|| stack.run(&["release"]));
        wait_for("a replica of the new release", || {
            let ps = stack.run(&["ps", "--json"]);
            ps.output.contains("\"r2\"") || release.is_finished()
        });
        stack.kill_engine();
    });
    stack.up();
    wait_for("the rollout to end", || {
        let ps = stack.ps();
        let replicas = ps["services"][0]["replicas"].as_array().unwrap().clone();
        let ready: Vec<_> = replicas
            .iter()
            .filter(|replica| replica["state"] == "ready")
            .collect();
        ready.len() == 2
            && ready
                .iter()
                .all(|replica| replica["release"] == ps["services"][0]["release"])
    });
    let version = stack.get("/").body.split(' ').next().unwrap().to_owned();
    check_version(&stack, &version);
    load.end();
}

#[test]
fn undo_goes_back_and_history_tells() {
    let mut stack = Stack::new(&file("one"));
    stack.up();
    let load = stack.load("/");
    stack.write(&file("two"));
    stack.run(&["release"]).succeeded();
    check_version(&stack, "two");
    stack.run(&["rollout", "undo"]).succeeded();
    check_version(&stack, "one");
    load.end();
    let history = stack.run(&["rollout", "history"]).succeeded().output;
    assert!(
        history.contains("r1") && history.contains("r2"),
        "{history}"
    );
}
