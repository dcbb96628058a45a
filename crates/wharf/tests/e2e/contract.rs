//! What scripts may rely on: the shape of `ps --json`, last lines, exit codes.

use serde_json::Value;

use crate::stack::{Stack, find};

const FILE: &str = "\
name: contract
services:
  web:
    command: [$ACTOR]
    port: 8000
    replicas: 2
    probes: { http: /health }
  worker:
    command: sleep 1000
";

#[track_caller]
fn keys(value: &Value, expected: &[&str]) {
    let keys: Vec<_> = value
        .as_object()
        .unwrap_or_else(|| panic!("no object: {value}"))
        .keys()
        .collect();
    for key in expected {
        assert!(keys.contains(&&(*key).to_owned()), "no {key} in {keys:?}");
    }
}

#[test]
fn ps_prints_the_stack_as_json() {
    let mut stack = Stack::new(FILE);
    stack.up();
    let ps = stack.ps();
    keys(
        &ps,
        &[
            "project",
            "state",
            "url",
            "release",
            "services",
            "stores",
            "processes",
        ],
    );
    assert_eq!(
        (&ps["project"], &ps["release"]),
        (&"contract".into(), &"r1".into())
    );
    assert_eq!(ps["url"], stack.url.as_str());
    let web = find(&ps["services"], "name", "web");
    keys(web, &["name", "desired", "ready", "release", "replicas"]);
    assert_eq!(
        (&web["desired"], &web["ready"], &web["release"]),
        (&2.into(), &2.into(), &"r1".into())
    );
    for replica in web["replicas"].as_array().unwrap() {
        keys(
            replica,
            &["id", "state", "pid", "port", "release", "restarts"],
        );
        assert_eq!(
            (&replica["state"], &replica["restarts"]),
            (&"ready".into(), &0.into())
        );
        assert!(replica["id"].as_str().unwrap().starts_with("web-r1-"));
        assert!(replica["port"].as_u64().unwrap() > 0);
    }
    assert_eq!(find(&ps["services"], "name", "worker")["ready"], 1);
    assert_eq!(stack.own_processes("engine").len(), 1);
    assert_eq!(stack.own_processes("ingress").len(), 1);
    assert_eq!(stack.own_processes("shim").len(), 3);
    // Each replica answers under the pid that is shown.
    let mut answered: Vec<u64> = vec![];
    crate::stack::wait_for("both replicas to answer", || {
        let body = stack.get("/").body;
        answered.push(body.trim().parse().unwrap());
        answered.sort_unstable();
        answered.dedup();
        answered == stack.pids("web")
    });
}

#[test]
fn up_again_changes_nothing() {
    let mut stack = Stack::new(FILE);
    stack.up();
    let (url, pids) = (stack.url.clone(), stack.pids("web"));
    stack.up();
    assert_eq!((&stack.url, stack.pids("web")), (&url, pids));
    assert_eq!(stack.ps()["release"], "r1");
}

#[test]
fn a_wrong_file_is_a_usage_error_with_its_line() {
    let stack = Stack::new("name: wrong\nservices:\n  web:\n    comand: sleep 1\n");
    for command in [&["check"][..], &["up", "-d"]] {
        let done = stack.run(command);
        assert_eq!(done.status, Some(2), "{}{}", done.output, done.errors);
        assert!(
            done.errors.contains("wharf.yaml:4:5") && done.errors.contains("comand"),
            "{}",
            done.errors
        );
    }
}

#[test]
fn check_prints_the_resolved_plan() {
    let stack = Stack::new(FILE);
    let plan: Value =
        serde_json::from_str(&stack.run(&["check", "--format", "json"]).succeeded().output)
            .unwrap();
    assert_eq!(plan["services"]["web"]["replicas"], 2);
    assert_eq!(plan["services"]["web"]["ports"]["http"], 8000);
}

#[test]
fn what_is_not_up_is_a_clear_failure() {
    let stack = Stack::new(FILE);
    for command in [
        &["ps"][..],
        &["scale", "web=1"],
        &["exec", "web", "true"],
        &["rollout", "undo"],
    ] {
        let done = stack.run(command);
        assert_eq!(done.status, Some(1), "{}{}", done.output, done.errors);
        assert!(done.errors.contains("wharf up"), "{}", done.errors);
    }
    // There is nothing to stop: that is what was asked for.
    stack.run(&["down"]).succeeded();
}
