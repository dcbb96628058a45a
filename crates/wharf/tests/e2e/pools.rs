//! A pool of connections before a PostgreSQL: few connections for many clients, whatever is killed or released.

use std::collections::BTreeSet;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::installed;
use crate::stack::{Stack, alive, find, kill, wait_for};
use crate::stores::environment;

const FILE: &str = "\
name: pooled
services:
  web:
    command: [$ACTOR]
    port: 8000
    replicas: 2
    probes: { http: /health }
    environment: { DATABASE_URL: \"${db.url}\", DB_PORT: \"${db.port}\" }
    release: psql -q -v ON_ERROR_STOP=1 -d \"$DATABASE_URL\" -c 'create table if not exists visits (id serial)' -c 'create table if not exists migrated (port int)' -c \"insert into migrated values ($DB_PORT)\"
    rollout: { keep_old: 0s }
stores:
  db: { engine: postgres, pool: { size: 3, clients: 60 } }
";

fn present() -> bool {
    installed::postgres() && installed::pgbouncer()
}

fn store(stack: &Stack) -> Value {
    find(&stack.ps()["stores"], "name", "db").clone()
}

#[track_caller]
fn pid(process: &Value) -> u64 {
    process["pid"]
        .as_u64()
        .unwrap_or_else(|| panic!("{process:#}"))
}

fn psql(url: &str, statement: &str) -> Option<String> {
    let output = Command::new("psql")
        .args(["-X", "-qtA", "-d", url, "-c", statement])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// How many connections to the server twenty clients are given, each with a statement that takes its time.
#[track_caller]
fn backends(url: &str) -> usize {
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let url = url.to_owned();
            let ask = move || psql(&url, "select pg_backend_pid() from pg_sleep(0.1)");
            std::thread::spawn(ask)
        })
        .collect();
    let answers = clients.into_iter().map(|client| client.join().unwrap());
    let pids: BTreeSet<String> = answers.map(|answer| answer.unwrap()).collect();
    pids.len()
}

#[test]
fn clients_share_connections_and_outlive_kills() {
    if !present() {
        return;
    }
    let mut stack = Stack::new(FILE);
    stack.up();
    let before = store(&stack);
    let (server, pool) = (&before["port"], &before["pool"]["port"]);
    let url = environment(stack.pids("web")[0], "DATABASE_URL");
    assert!(url.contains(&format!(":{pool}/")), "{url}: {before:#}");
    assert_eq!(
        psql(&url, "select distinct port from migrated"),
        Some(server.to_string()),
        "a release's command asks the server itself"
    );
    assert_eq!(backends(&url), 3);

    // Each of them, and all of them together.
    let killed = pid(&before["pool"]);
    kill(killed, Signal::KILL);
    wait_for("the pool to be there again", || {
        let pool = &store(&stack)["pool"];
        pool["state"] == "ready" && pool["pid"] != killed
    });
    let after = store(&stack);
    assert_eq!(after["port"], before["port"]);
    assert_eq!(after["pool"]["port"], before["pool"]["port"]);
    assert_eq!(after["pid"], before["pid"], "the server was not restarted");
    assert_eq!(stack.get("/visits").status, 200);

    stack.kill_engine();
    assert_eq!(stack.get("/visits").status, 200);
    stack.up();
    assert_eq!(store(&stack)["pool"]["pid"], after["pool"]["pid"]);

    kill(pid(&after), Signal::KILL);
    wait_for("visits through the pool", || {
        stack.get("/visits").status == 200
    });
    assert_eq!(store(&stack)["pool"]["pid"], after["pool"]["pid"]);

    let all = store(&stack);
    stack.kill_engine();
    kill(pid(&all["pool"]), Signal::KILL);
    kill(pid(&all), Signal::KILL);
    stack.up();
    wait_for("visits through the pool", || {
        stack.get("/visits").status == 200
    });
    assert_eq!(backends(&url), 3);

    let log = stack.run(&["logs", "db"]).succeeded().output;
    assert!(log.contains("db-pool"), "{log}");
    let password = url.split(['@', ':']).nth(2).unwrap();
    assert!(!log.contains(password));
    let last = store(&stack);
    let own = stack.own_processes("shim");
    stack.run(&["down"]).succeeded();
    let left: Vec<u64> = own
        .into_iter()
        .chain([pid(&last), pid(&last["pool"])])
        .filter(|pid| alive(*pid))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    // What is up again after an orderly end has the same address.
    stack.up();
    assert_eq!(store(&stack)["pool"]["port"], before["pool"]["port"]);
    stack.run(&["down", "-v", "--yes"]).succeeded();
    assert!(!stack.folder().join(".wharf/stores").exists());
}

#[test]
fn a_pool_comes_changes_and_goes_with_releases() {
    if !present() {
        return;
    }
    let without = FILE.replace(", pool: { size: 3, clients: 60 }", "");
    let mut stack = Stack::new(&without);
    stack.up();
    assert_eq!(store(&stack)["pool"], Value::Null);
    let direct = environment(stack.pids("web")[0], "DATABASE_URL");
    let server = store(&stack)["pid"].clone();

    let load = stack.load("/visits");
    stack.write(FILE);
    stack.run(&["release"]).succeeded();
    let pids = stack.pids("web");
    let pooled = environment(pids[0], "DATABASE_URL");
    assert_ne!(pooled, direct);
    let pool = store(&stack)["pool"].clone();
    assert_eq!(
        (&pool["size"], &pool["state"]),
        (&3.into(), &"ready".into())
    );

    // Another size is taken on as it runs: nothing is replaced, no client cut off.
    stack.write(&FILE.replace("size: 3", "size: 6, mode: session"));
    stack.run(&["release"]).succeeded();
    assert_eq!(stack.pids("web"), pids);
    assert_eq!(store(&stack)["pool"]["pid"], pool["pid"]);
    assert_eq!(store(&stack)["pool"]["size"], 6);
    wait_for("more connections", || backends(&pooled) > 3);

    // It stays until no replica is left that was told of it.
    stack.write(&without);
    stack.run(&["release"]).succeeded();
    assert_eq!(environment(stack.pids("web")[0], "DATABASE_URL"), direct);
    wait_for("the pool to be gone", || {
        store(&stack)["pool"] == Value::Null
    });
    assert!(!alive(pid(&pool)));
    assert_eq!(store(&stack)["pid"], server, "the server was not restarted");
    load.end();
}
