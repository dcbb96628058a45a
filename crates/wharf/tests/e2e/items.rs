//! The main job: the items example, from its source to three routed replicas, released under load.

use serde_json::json;

use crate::http;
use crate::stack::{Stack, example_file, wait_for};

/// One test, because its build takes long: each part goes on where the last one ended.
#[test]
fn items_runs_and_is_released() {
    let mut stack = Stack::of_example("items", "1.0.0");
    stack.up();
    let first = stack.pids("api");
    assert_eq!(first.len(), 3);

    // The API answers through the ingress, whichever replica is asked.
    let posted = http::send(&stack.url, "POST", "/items", Some(r#"{"name":"anchor"}"#)).unwrap();
    assert_eq!(posted.status, 201, "{}", posted.body);
    for _ in 0..6 {
        let page = stack.get("/items").json();
        assert_eq!(
            (&page["total"], &page["items"][0]),
            (&1.into(), &posted.json())
        );
    }
    assert_eq!(stack.get("/health").json()["version"], "1.0.0");
    assert!(stack.get("/metrics").body.contains("http_requests_total{"));
    assert_eq!(stack.get("/openapi.json").json()["openapi"], "3.1.0");

    // The trace id of the answer leads to the service's log line.
    let trace = posted.header("x-trace-id").to_owned();
    wait_for("the request's log line", || {
        let log = stack.run(&["logs", "api"]).succeeded().output;
        log.lines().any(|line| {
            line.contains(&trace) && line.contains("request_completed") && line.contains("201")
        })
    });

    // A release changes every pid and the version; nobody notices.
    let load = stack.load("/health");
    stack.write(&example_file("items", "2.0.0"));
    stack.run(&["release"]).succeeded();
    let second = stack.pids("api");
    assert!(
        second.iter().all(|pid| !first.contains(pid)),
        "{first:?} {second:?}"
    );
    assert_eq!(stack.get("/health").json()["version"], "2.0.0");

    // An undo brings the old version back, at once and without arguments.
    stack.run(&["rollout", "undo"]).succeeded();
    assert_eq!(stack.get("/health").json()["version"], "1.0.0");

    // The engine dies: requests go on, and the next one takes over what runs.
    let before = stack.pids("api");
    stack.kill_engine();
    assert_eq!(stack.get("/health").status, 200);
    assert_eq!(stack.pids("api"), before);

    stack.run(&["scale", "api=1"]).succeeded();
    wait_for("one replica", || {
        crate::stack::find(&stack.ps()["services"], "name", "api")["ready"] == 1
    });
    let versions: Vec<_> = load
        .end()
        .iter()
        .map(|body| serde_json::from_str::<serde_json::Value>(body).unwrap())
        .collect();
    assert!(
        versions.iter().all(|health| health["status"] == "ok"),
        "{versions:?}"
    );
    assert!(
        versions
            .iter()
            .any(|health| health["version"] == json!("2.0.0"))
    );

    // What was posted outlives all of it.
    stack.run(&["down"]).succeeded();
    assert!(http::send(&stack.url, "GET", "/health", None).is_err());
    stack.up();
    assert_eq!(stack.get("/items").json()["total"], 1);
}
