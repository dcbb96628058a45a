//! What people do not wish for: the ingress dies, the disk is full, sources change while everything runs.

use std::fs;
use std::process::Command;

use rustix::process::Signal;

use crate::stack::{Stack, alive, kill, wait_for};

const FILE: &str = "\
name: resilience
services:
  web:
    command: [$ACTOR]
    port: 8000
    replicas: 2
    probes: { http: /health }
    environment: { VERSION: \"one\" }
";

#[test]
fn an_ingress_and_an_engine_killed_together_come_back() {
    let mut stack = Stack::new(FILE);
    stack.up();
    let pids = stack.pids("web");
    let ingress = stack.own_processes("ingress")[0];
    stack.kill_engine();
    kill(ingress, Signal::KILL);
    wait_for("the ingress to be gone", || !alive(ingress));
    stack.up();
    assert_eq!(stack.pids("web"), pids);
    assert_eq!(stack.get("/").status, 200);
}

/// A file system of a few megabytes, gone with its owner.
pub(crate) struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    /// None: only root may, which is printed.
    pub(crate) fn mount(path: std::path::PathBuf, mebibytes: u32) -> Option<Self> {
        fs::create_dir_all(&path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o"])
            .arg(format!("size={mebibytes}m,mode=755"))
            .arg("tmpfs")
            .arg(&path)
            .status();
        let mounted = mounted.is_ok_and(|status| status.success());
        if !mounted {
            eprintln!("skipped: only root may mount a small disk");
        }
        mounted.then_some(Self(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

#[test]
fn a_full_disk_stops_no_request_and_is_over_when_there_is_room() {
    let mut stack = Stack::new(FILE);
    let Some(disk) = SmallDisk::mount(stack.folder().join(".wharf"), 6) else {
        return;
    };
    stack.up();
    let filler = stack.folder().join(".wharf/filler");
    let load = stack.load("/");
    // As large as it gets: the write that no longer fits fails.
    drop(fs::write(&filler, vec![0; 16 << 20]));
    stack.write(&FILE.replace("\"one\"", "\"two\""));
    let done = stack.run(&["release", "--timeout", "3s"]);
    assert_eq!(done.status, Some(1), "{}{}", done.output, done.errors);
    assert!(stack.get("/").body.starts_with("one "));
    fs::remove_file(&filler).unwrap();
    wait_for("a release", || stack.run(&["release"]).status == Some(0));
    assert!(stack.get("/").body.starts_with("two "));
    load.end();
    stack.run(&["down"]).succeeded();
    drop(disk);
}

#[test]
fn a_change_of_a_source_is_released_and_an_interrupt_stops_everything() {
    let mut stack = Stack::new(
        "\
name: watched
services:
  web:
    build: { context: src, command: \"true\" }
    command: [$ACTOR]
    port: 8000
    env_file: src/env
    probes: { http: /health }
",
    );
    let source = stack.folder().join("src");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("env"), "VERSION=one\n").unwrap();
    let mut attached = stack.spawn(&["up", "--watch"]);
    wait_for("the stack to be ready", || {
        let ps = stack.run(&["ps", "--json"]);
        let ready = ps.output.contains("\"state\":\"ready\"");
        if ready {
            let ps: serde_json::Value = serde_json::from_str(&ps.output).unwrap();
            stack.url = ps["url"].as_str().unwrap().to_owned();
        }
        ready
    });
    wait_for("the first version", || {
        stack.get("/").body.starts_with("one ")
    });
    // Written again and again: the watch may begin a moment after everything is ready.
    wait_for("the second version", || {
        fs::write(source.join("env"), "VERSION=two\n").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
        stack.get("/").body.starts_with("two ")
    });
    let pids = stack.pids("web");
    kill(u64::from(attached.id()), Signal::INT);
    wait_for("the command to end", || {
        attached.try_wait().unwrap().is_some()
    });
    assert_eq!(attached.wait().unwrap().code(), Some(0));
    assert!(!pids.iter().any(|pid| alive(*pid)));
}
