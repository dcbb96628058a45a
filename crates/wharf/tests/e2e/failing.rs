//! Six releases that go wrong, each in its own way: the old release serves throughout, the new one is reverted within
//! its deadline, and the sentence names the cause.

use std::time::{Duration, Instant};

use crate::stack::{Stack, find};

/// Twice what the file below allows: for a busy machine, and for the stopping afterwards.
const DEADLINE: Duration = Duration::from_secs(60);

fn file(version: &str, more: &str) -> String {
    format!(
        "\
name: failing
services:
  web:
    command: [$ACTOR]
    port: 8000
    replicas: 2
    probes:
      readiness: {{ http: /health, period: 100ms, failure_threshold: 1 }}
    rollout: {{ min_ready: 2s, progress_deadline: 20s }}
    environment:
      VERSION: \"{version}\"
{more}"
    )
}

/// Releases `bad` over a good one, and expects a failure that says all of `parts`.
#[track_caller]
fn check(bad: &str, parts: &[&str]) {
    let mut stack = Stack::new(&file("good", ""));
    stack.up();
    let pids = stack.pids("web");
    let load = stack.load("/");
    stack.write(bad);
    let begin = Instant::now();
    let done = stack.run(&["release"]);
    let took = begin.elapsed();
    done.failed_saying(parts);
    assert!(took < DEADLINE, "it took {took:?}");
    load.end();
    // The replicas of the old release are the very same, and its file is in force.
    assert_eq!(stack.pids("web"), pids);
    let ps = stack.ps();
    assert_eq!(
        find(&ps["services"], "name", "web")["release"],
        "r1",
        "{ps:#}"
    );
    assert!(stack.get("/").body.starts_with("good "));
    // What failed is on record, and a good release afterwards goes through.
    assert!(
        stack
            .run(&["rollout", "history"])
            .succeeded()
            .output
            .contains("r2")
    );
    stack.write(&file("better", ""));
    stack.run(&["release"]).succeeded();
    assert!(stack.get("/").body.starts_with("better "));
}

#[test]
fn a_release_that_crashes() {
    check(
        &file("bad", "      MODE: crash\n"),
        &["web", "3", "cannot open the ledger: permission denied"],
    );
}

#[test]
fn a_release_that_never_becomes_ready() {
    check(
        &file("bad", "      MODE: unready\n"),
        &["web", "/health", "503"],
    );
}

/// The path is the new release's: nobody asks the old replicas for it.
#[test]
fn a_release_whose_health_path_is_not_there() {
    check(
        &file("bad", "").replace("/health", "/absent"),
        &["web", "/absent", "404"],
    );
}

#[test]
fn a_release_that_flaps() {
    check(
        &file("bad", "      MODE: flap\n"),
        &["web", "/health", "503"],
    );
}

#[test]
fn a_release_whose_one_shot_fails() {
    let one_shot = "    release: \"echo relation ledger does not exist >&2; exit 4\"\n";
    check(
        &file("bad", one_shot),
        &["web", "4", "relation ledger does not exist"],
    );
}

#[test]
fn a_release_whose_build_fails() {
    let build =
        "    build: { context: ., command: \"echo undefined symbol ledger >&2; exit 5\" }\n";
    check(
        &file("bad", build),
        &["web", "build", "undefined symbol ledger"],
    );
}
