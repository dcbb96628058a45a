//! What is stopped is gone: replicas, what they started, and all of Wharf's own processes.

use crate::stack::{Stack, alive, wait_for, with_environment};

/// Replicas whose children leave their session; the mark finds them wherever they have gone.
fn start(mark: &str) -> (Stack, Vec<u64>, String) {
    let mut stack = Stack::new(&format!(
        "\
name: leftovers
services:
  web:
    command: [$ACTOR]
    port: 8000
    replicas: 2
    probes: {{ http: /health }}
    environment: {{ OFFSPRING: \"1\", E2E_MARK: {mark} }}
  worker:
    command: \"sleep 1000 & setsid sleep 1000 & wait\"
    environment: {{ E2E_MARK: {mark} }}
"
    ));
    stack.up();
    let mark = format!("E2E_MARK={mark}");
    // Two replicas with a child each, and a shell with two.
    wait_for("every process to run", || {
        with_environment(&mark).len() >= 7
    });
    let ps = stack.ps();
    let own = ps["processes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|process| process["pid"].as_u64().unwrap())
        .collect();
    (stack, own, mark)
}

#[track_caller]
fn check_gone(own: &[u64], mark: &str) {
    let left = with_environment(mark);
    assert!(
        left.is_empty(),
        "{} of the replicas' processes run on: {left:?}",
        left.len()
    );
    let left: Vec<_> = own.iter().filter(|pid| alive(**pid)).collect();
    assert!(left.is_empty(), "Wharf's own processes run on: {left:?}");
}

fn unique(test: &str) -> String {
    format!("{test}-{}", std::process::id())
}

#[test]
fn nothing_survives_down() {
    let (stack, own, mark) = start(&unique("down"));
    stack.run(&["down"]).succeeded();
    check_gone(&own, &mark);
}

#[test]
fn nothing_survives_a_killed_engine_and_down() {
    let (stack, own, mark) = start(&unique("kill"));
    stack.kill_engine();
    stack.run(&["down"]).succeeded();
    check_gone(&own, &mark);
}

#[test]
fn nothing_survives_killed_shims_and_down() {
    let (stack, own, mark) = start(&unique("shims"));
    for shim in stack.own_processes("shim") {
        crate::stack::kill(shim, rustix::process::Signal::KILL);
    }
    stack.run(&["down"]).succeeded();
    check_gone(&own, &mark);
}
