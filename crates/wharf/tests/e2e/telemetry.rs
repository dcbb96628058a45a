//! The telemetry of a running project, asked as people and scripts ask it.

use serde_json::Value;

use crate::http;
use crate::resilience::SmallDisk;
use crate::stack::{Stack, find, wait_for};

/// A service with metrics, and an ingress before it.
const FILE: &str = r#"
name: watched
telemetry: { scrape_interval: 1s }
services:
  web:
    command: [$ACTOR]
    port: 8000
    replicas: 2
    probes: { http: /health }
    resources: { memory: 64Mi..128Mi }
routes:
  - paths: { /: web }
"#;

/// Where the telemetry of a project answers; starts its engine if none runs.
pub(crate) fn telemetry(stack: &Stack) -> String {
    stack.ps()["telemetry_url"].as_str().unwrap().to_owned()
}

/// What a path answers, which has to be 200.
#[track_caller]
pub(crate) fn ask(url: &str, path: &str) -> Value {
    let answer = http::send(url, "GET", path, None).unwrap();
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()
}

/// The values of an instant query, by a label.
pub(crate) fn values(url: &str, query: &str, label: &str) -> Vec<(String, f64)> {
    let encoded: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
    let answer = ask(url, &format!("/api/v1/query?query={encoded}"));
    let result = answer["data"]["result"].as_array().unwrap().clone();
    let pair = |one: &Value| {
        let value = one["value"][1].as_str().unwrap().parse().unwrap();
        let name = one["metric"][label].as_str().unwrap_or_default();
        (name.to_owned(), value)
    };
    result.iter().map(pair).collect()
}

#[test]
fn everything_that_runs_is_measured() {
    let mut stack = Stack::new(FILE);
    stack.up();
    let url = telemetry(&stack);
    wait_for("every job to be scraped", || {
        let up = values(&url, "up", "job");
        let is_up = |job: &str| up.iter().any(|(name, value)| name == job && *value == 1.0);
        ["prometheus", "node-exporter", "cadvisor", "ingress"]
            .iter()
            .all(|job| is_up(job))
    });
    for _ in 0..20 {
        assert_eq!(stack.get("/").status, 200);
    }
    wait_for("the requests to be counted", || {
        let query = "sum by (service) (wharf_ingress_requests_total)";
        let counted = values(&url, query, "service");
        counted
            .iter()
            .any(|(service, count)| service == "web" && *count >= 20.0)
    });
    let memory = "container_memory_working_set_bytes{service=\"web\"} > 0";
    wait_for("the memory of both replicas", || {
        values(&url, memory, "replica").len() == 2
    });
    assert!(values(&url, "node_memory_MemAvailable_bytes > 0", "instance").len() == 1);
    let ready = values(&url, "wharf_service_replicas_available", "service");
    assert_eq!(ready, [("web".to_owned(), 2.0)]);

    // The command asks the same.
    let asked = stack
        .run(&["query", "wharf_service_replicas_available"])
        .succeeded();
    assert!(asked.output.contains("service=\"web\""), "{}", asked.output);
    let chart = stack.run(&["query", "up", "--since", "1m"]).succeeded();
    assert!(chart.output.contains("job=\"ingress\""), "{}", chart.output);
    let refused = stack.run(&["query", "sum(up"]);
    assert_eq!(refused.status, Some(2), "{}", refused.errors);
    assert!(refused.errors.contains("1:"), "{}", refused.errors);

    // What was collected outlives the engine, whatever kills it.
    let before = values(&url, "count(count_over_time(up[10m]))", "");
    stack.kill_engine();
    let url = telemetry(&stack);
    wait_for("the same series", || {
        values(&url, "count(count_over_time(up[10m]))", "") == before
    });
    let doctor = stack.run(&["doctor"]).succeeded();
    assert!(
        doctor.output.contains("ok   the telemetry takes metrics"),
        "{}",
        doctor.output
    );
}

#[test]
fn a_request_is_found_by_the_id_in_its_answer() {
    let mut stack = Stack::of_example("items", "1.0.0");
    stack.up();
    let posted = http::send(&stack.url, "POST", "/items", Some(r#"{"name":"needle"}"#)).unwrap();
    assert_eq!(posted.status, 201, "{}", posted.body);
    let id = posted.header("x-trace-id").to_owned();
    wait_for("the lines of the request", || {
        let done = stack.run(&["logs", "--trace", &id]);
        let lines: Vec<&str> = done.output.lines().collect();
        let of = |name: &str| lines.iter().any(|line| line.contains(name));
        done.status == Some(0) && of("ingress") && of("request_completed")
    });
    let url = telemetry(&stack);
    // Found by what it is, too.
    let query = "{service=\"api\"} | json | status_code = 201 |= \"request_completed\"";
    let done = stack.run(&["logs", "--query", query]).succeeded();
    assert!(done.output.contains("request_completed"), "{}", done.output);
    let raw = stack
        .run(&["logs", "--query", query, "--output", "raw"])
        .succeeded();
    let first: Value = serde_json::from_str(raw.output.lines().next().unwrap()).unwrap();
    assert_eq!(first["status_code"], 201);

    // Its span, if the ingress sampled it; a request whose caller has sampled it is always there.
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = format!("traceparent: {parent}\r\n");
    let got = http::send_with(&stack.url, "GET", "/items", &headers, None).unwrap();
    assert_eq!(got.status, 200);
    wait_for("the span of the request", || {
        let done = stack.run(&["trace", parent]);
        let shown = |text: &str| done.output.contains(text);
        done.status == Some(0) && shown("GET /items") && shown("info request_completed")
    });
    let trace = ask(&url, "/api/v2/traces/4bf92f3577b34da6a3ce929d0e0e4736");
    assert!(trace.to_string().contains("GET /"), "{trace}");
}

#[test]
fn alerts_fire_are_explained_silenced_and_resolved() {
    let alert = r#"
alerts:
  - { name: NoReplica, query: 'wharf_service_replicas_wanted{service="web"} < 2', for: 1s, severity: critical, summary: "too few of {{ $labels.service }}" }
"#;
    let mut stack = Stack::new(&format!("{FILE}{alert}"));
    stack.up();
    let quiet = stack.run(&["alerts"]).succeeded();
    assert!(!quiet.output.contains("NoReplica"), "{}", quiet.output);
    stack.run(&["scale", "web=1"]).succeeded();
    wait_for("the alert to fire", || {
        let done = stack.run(&["alerts"]);
        let line = done.output.lines().find(|line| line.contains("NoReplica"));
        line.is_some_and(|line| line.contains("firing") && line.contains("too few of web"))
    });
    let why = stack.run(&["alerts", "why", "NoReplica"]).succeeded();
    assert!(why.output.contains("firing"), "{}", why.output);
    let made = stack.run(&["alerts", "silence", "NoReplica", "--for", "5m", "--json"]);
    let made: Value = serde_json::from_str(&made.succeeded().output).unwrap();
    let id = made["silenceID"].as_str().unwrap().to_owned();
    let listed = stack.run(&["alerts", "silences"]).succeeded();
    assert!(listed.output.contains(&id), "{}", listed.output);
    let url = telemetry(&stack);
    let alerts = ask(&url, "/api/v2/alerts");
    let suppressed = alerts.as_array().unwrap().iter().any(|alert| {
        alert["labels"]["alertname"] == "NoReplica" && alert["status"]["state"] == "suppressed"
    });
    assert!(suppressed, "{alerts}");
    // A restart forgets neither.
    stack.kill_engine();
    wait_for("the alert after a restart", || {
        let url = telemetry(&stack);
        let rules = http::send(&url, "GET", "/api/v1/rules?type=alert", None);
        rules.is_ok_and(|rules| rules.body.contains("\"state\":\"firing\""))
    });
    let listed = stack.run(&["alerts", "silences"]).succeeded();
    assert!(listed.output.contains(&id), "{}", listed.output);
    stack.run(&["alerts", "unsilence", &id]).succeeded();
    stack.run(&["scale", "web=2"]).succeeded();
    wait_for("the alert to be over", || {
        !stack.run(&["alerts"]).output.contains("NoReplica")
    });
    assert_eq!(find(&stack.ps()["services"], "name", "web")["desired"], 2);
}

#[test]
fn a_full_disk_stops_the_telemetry_alone_and_nothing_is_lost_after_it() {
    let mut stack = Stack::new(FILE);
    let folder = stack.folder().join(".wharf/telemetry");
    let Some(disk) = SmallDisk::mount(folder.clone(), 24) else {
        return;
    };
    stack.up();
    let url = telemetry(&stack);
    let good = "ok   the telemetry takes metrics";
    let is_good = || stack.run(&["doctor"]).output.contains(good);
    wait_for("the telemetry to be ready", is_good);
    wait_for("the first samples", || {
        !values(&url, "up", "job").is_empty()
    });
    // As large as it gets: the write that no longer fits fails.
    let filler = folder.join("filler");
    drop(std::fs::write(&filler, vec![0; 64 << 20]));
    let load = stack.load("/");
    wait_for("doctor to say it", || {
        let said = stack.run(&["doctor"]).output;
        said.contains("the log in") && said.contains("No space left") && said.contains("free space")
    });
    // What the file has already may hold a little more.
    wait_for("a line to be refused", || {
        let now = jiff::Timestamp::now().as_nanosecond().to_string();
        let values = serde_json::json!([[now, "x".repeat(9_000)]]);
        let push =
            serde_json::json!({ "streams": [{ "stream": { "app": "other" }, "values": values }] });
        let refused = http::send(&url, "POST", "/loki/api/v1/push", Some(&push.to_string()));
        refused.unwrap().status == 503
    });
    // What is already there is answered, and what the service answers meanwhile is in its lines later.
    assert!(!values(&url, "up offset 1s or last_over_time(up[10m])", "job").is_empty());
    let late = stack.get("/");
    assert_eq!(late.status, 200);
    load.end();
    std::fs::remove_file(&filler).unwrap();
    wait_for("doctor to be content", is_good);
    wait_for("new samples", || {
        let fresh = "max(timestamp(up{job=\"ingress\"})) > time() - 3";
        !values(&url, fresh, "").is_empty()
    });
    wait_for("the lines that had to wait", || {
        let id = late.header("x-trace-id").to_owned();
        stack
            .run(&["logs", "--trace", &id])
            .output
            .contains("ingress")
    });
    stack.run(&["down"]).succeeded();
    drop(disk);
}
