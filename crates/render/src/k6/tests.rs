use std::collections::BTreeMap;

use super::{TARGET, literal};
use crate::Input;

const PLAN: &str = "
name: shop
services:
  api: { build: { context: ., language: go }, port: 8000 }
load:
  peak:
    service: api
    users: 200
    duration: 15m
    ramp_up: 1m
    ramp_down: 30s
    think_time: 500ms
    requests:
      - { path: /items?page=1, weight: 9 }
      - { method: POST, path: \"/it's\", weight: 1, body: { name: \"a\\nb\" }, expect: 201 }
    thresholds: { p95: 500ms, p99: 1s, errors: 0.1%, rate: 1000/s }
";

fn script(target: &crate::Target, file: &str) -> String {
    let (plan, diagnostics) = wharf_plan::resolve(PLAN.as_bytes(), None);
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:?}"));
    let environments = BTreeMap::new();
    let rendered = target.render(&Input {
        plan: &plan,
        base: &plan,
        environments: &environments,
    });
    rendered.files.get(file).unwrap().text.clone()
}

#[test]
fn a_script_says_what_the_scenario_says() {
    let text = script(&TARGET, "peak.js");
    for line in [
        "// 200 users for 15 minutes, ramps included.",
        "{ duration: '60s', target: 200 },",
        "{ duration: '810s', target: 200 },",
        "{ duration: '30s', target: 0 },",
        "http_req_duration: ['p(95)<500', 'p(99)<1000'],",
        "http_req_failed: ['rate<=0.001'],",
        "http_reqs: ['rate>=1000'],",
        "name: 'GET /items', weight: 9",
        r#"path: "/it's""#,
        r#"JSON.stringify({"name":"a\nb"})"#,
        "sleep(0.5);",
    ] {
        assert!(text.contains(line), "`{line}` is missing in\n{text}");
    }
}

#[test]
fn locust_says_the_same() {
    let text = script(&crate::locust::TARGET, "peak.py");
    for line in [
        "# 200 users for 15 minutes, ramps included.",
        "wait_time = constant(0.5)",
        "(0, 60, 200),",
        "(60, 870, 200),",
        "(870, 900, 0),",
        "@task(9)",
        "get_response_time_percentile(0.95) > 500:",
        "get_response_time_percentile(0.99) > 1000:",
        "fail_ratio > 0.001:",
        "total_rps < 1000:",
        r#"json={"name": "a\nb"},"#,
    ] {
        assert!(text.contains(line), "`{line}` is missing in\n{text}");
    }
}

#[test]
fn a_text_stays_a_text() {
    assert_eq!(literal("a"), "'a'");
    assert_eq!(literal("it's \\"), r#""it's \\""#);
}
