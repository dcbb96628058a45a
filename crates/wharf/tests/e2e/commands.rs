//! Commands that people type beside `up`, `release` and `down`.

use std::fs;

use rustix::process::Signal;

use crate::stack::{Stack, alive, kill, wait_for};

const FILE: &str = "\
name: commands
services:
  web:
    command: [$ACTOR]
    port: 8000
    replicas: 2
    probes: { http: /health }
    environment: { VERSION: one, GREETING: \"hello ${wharf.service}\" }
environments:
  quiet:
    services:
      web: { replicas: 1, environment: { VERSION: quiet } }
";

#[test]
fn attached_up_stops_everything_at_ctrl_c() {
    let stack = Stack::new(FILE);
    let (mut attached, said) = stack.spawn_heard(&["up"]);
    // That the command knows of it, not only the engine: before, it ends with an error.
    wait_for("everything to be ready", || {
        let said = fs::read_to_string(&said).unwrap();
        said.starts_with("http://127.0.0.1:") && said.contains('\n')
    });
    let own: Vec<u64> = ["engine", "ingress", "shim"]
        .iter()
        .flat_map(|role| stack.own_processes(role))
        .collect();
    assert_eq!(own.len(), 4);
    kill(u64::from(attached.id()), Signal::INT);
    assert!(attached.wait().unwrap().success());
    let left: Vec<_> = own.into_iter().filter(|pid| alive(*pid)).collect();
    assert!(left.is_empty(), "{left:?} run on");
}

#[test]
fn exec_and_run_have_the_services_environment() {
    let mut stack = Stack::new(FILE);
    stack.up();
    for command in ["exec", "run"] {
        let done = stack.run(&[command, "web", "sh", "-c", "echo $GREETING; exit 7"]);
        assert_eq!(
            (done.output.trim(), done.status),
            ("hello web", Some(7)),
            "{command}: {}",
            done.errors
        );
    }
    let done = stack.run(&["exec", "wep", "true"]);
    assert!(
        done.status != Some(0) && done.errors.contains("wep"),
        "{}",
        done.errors
    );
}

#[test]
fn restart_replaces_every_replica_unnoticed() {
    let mut stack = Stack::new(FILE);
    stack.up();
    let before = stack.pids("web");
    let load = stack.load("/");
    stack.run(&["restart", "web"]).succeeded();
    let after = stack.pids("web");
    assert!(
        after.iter().all(|pid| !before.contains(pid)),
        "{before:?} {after:?}"
    );
    load.end();
}

#[test]
fn an_environment_is_laid_over_the_file() {
    let mut stack = Stack::new(FILE);
    let done = stack.run(&["-e", "quiet", "up", "-d"]).succeeded();
    stack.url = done.output.lines().last().unwrap_or_default().to_owned();
    assert_eq!(stack.pids("web").len(), 1);
    assert!(stack.get("/").body.starts_with("quiet "));
}

#[test]
fn a_killed_ingress_refuses_nobody() {
    let mut stack = Stack::new(FILE);
    stack.up();
    let killed = stack.own_processes("ingress");
    kill(killed[0], Signal::KILL);
    // The socket is open all the while: this waits in its queue until the next ingress takes it.
    for _ in 0..5 {
        assert_eq!(stack.get("/").status, 200);
    }
    wait_for("another ingress", || {
        !stack.own_processes("ingress").is_empty()
    });
    assert_ne!(stack.own_processes("ingress"), killed);
}

#[test]
fn logs_hold_every_line_of_every_replica() {
    let mut stack = Stack::new(FILE);
    stack.up();
    let listens = |output: &str| {
        output
            .lines()
            .filter(|line| line.contains("well listens on"))
            .count()
    };
    wait_for("both replicas' first lines", || {
        listens(&stack.run(&["logs", "web"]).succeeded().output) == 2
    });
    let line = stack
        .run(&["logs", "web", "--json", "--tail", "1"])
        .succeeded()
        .output;
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(line["text"].as_str().unwrap().contains("well listens on"));
    assert!(line["replica"].as_str().unwrap().starts_with("web-r1-"));
    // They outlive what wrote them.
    stack.run(&["down"]).succeeded();
    assert_eq!(listens(&stack.run(&["logs", "web"]).succeeded().output), 2);
}

#[test]
fn the_proposal_of_init_runs() {
    let stack = Stack::new(FILE);
    let folder = stack.folder();
    fs::create_dir(folder.join("app")).unwrap();
    fs::write(folder.join("app/go.mod"), "module app\n\ngo 1.19\n").unwrap();
    fs::write(
        folder.join("app/main.go"),
        "package main\n\nfunc main() {}\n",
    )
    .unwrap();
    stack.run(&["init", "app"]).succeeded();
    stack
        .run(&["check", "--file", "app/wharf.yaml"])
        .succeeded();
    // It is not written over.
    let done = stack.run(&["init", "app"]);
    assert!(
        done.status != Some(0) && done.errors.contains("wharf.yaml"),
        "{}",
        done.errors
    );
}
