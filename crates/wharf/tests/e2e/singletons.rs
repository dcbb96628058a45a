//! A singleton never runs twice at once: over releases, crashes, and whatever of Wharf is killed in between.

use std::fs;

use rustix::process::Signal;

use crate::stack::{Stack, kill, wait_for, with_environment};

/// Holds a lock as long as it runs, takes its time to end, and writes down when it begins, ends, and finds the lock taken.
const FILE: &str = "\
name: alone
services:
  beat:
    singleton: true
    command: |
      exec 9>\"$DIR/lock\"
      flock -n 9 || echo \"twice $$\" >>\"$DIR/log\"
      trap 'sleep 0.3; echo \"end $$\" >>\"$DIR/log\"; exit 0' TERM
      echo \"begin $$ $VERSION\" >>\"$DIR/log\"
      while :; do sleep 0.05; done
    environment: { DIR: \"${volume.notes}\", VERSION: \"0\", E2E_MARK: $MARK }
    volumes: [\"notes:/notes\"]
";

#[test]
fn a_singleton_never_runs_twice() {
    let mark = format!("singleton-{}", std::process::id());
    let file = |version: u32| {
        FILE.replace("$MARK", &mark)
            .replace("VERSION: \"0\"", &format!("VERSION: \"{version}\""))
    };
    let stack = Stack::new(&file(0));
    stack.run(&["up", "-d"]).succeeded();
    let log = || fs::read_to_string(stack.folder().join(".wharf/volumes/notes/log")).unwrap();
    let begun = |version: u32| {
        log()
            .lines()
            .any(|line| line.starts_with("begin ") && line.ends_with(&format!(" {version}")))
    };
    // In order, one after the other.
    stack.write(&file(1));
    stack.run(&["release"]).succeeded();
    assert!(begun(1), "{}", log());

    // The engine is killed at several moments of a release: before, while and after the old one ends.
    for (version, moment) in [(2, 0), (3, 100), (4, 250), (5, 400), (6, 600)] {
        stack.write(&file(version));
        let mut release = stack.spawn(&["release"]);
        let before = log();
        if moment > 0 {
            wait_for("the release to have begun", || {
                let rollout = stack.run(&["rollout", "status", "--json"]).output;
                rollout.contains("progressing") || log() != before
            });
            std::thread::sleep(std::time::Duration::from_millis(moment));
        }
        stack.kill_engine();
        release.wait().unwrap();
        stack.run(&["up", "-d"]).succeeded();
        wait_for("the new version", || begun(version));
    }

    // The replica crashes; its shim is killed; engine and shim are killed together.
    let count = || {
        log()
            .lines()
            .filter(|line| line.starts_with("begin "))
            .count()
    };
    let mut runs = count();
    let mut again = |what: &str| {
        wait_for(what, || count() > runs);
        runs = count();
    };
    kill(stack.pids("beat")[0], Signal::KILL);
    again("another run after a crash");
    kill(stack.own_processes("shim")[0], Signal::KILL);
    again("another run without its shim");
    wait_for("a shim", || !stack.own_processes("shim").is_empty());
    let shim = stack.own_processes("shim")[0];
    stack.kill_engine();
    kill(shim, Signal::KILL);
    stack.run(&["up", "-d"]).succeeded();
    again("another run after both were killed");

    let log = log();
    assert!(!log.contains("twice"), "{log}");
    wait_for("one shell and its sleep at most", || {
        (1..=2).contains(&with_environment(&format!("E2E_MARK={mark}")).len())
    });
}
