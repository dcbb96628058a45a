//! How Grafana recognises its data sources, and what it asks of them first: recorded requests, and the parts of the answers
//! that it reads.

use serde_json::{Value as Json, json};
use wharf_telemetry::Mode;

use crate::ask::Server;

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

#[track_caller]
fn check(found: &Json, path: &str, expected: &Json) {
    assert_eq!(found.pointer(path), Some(expected), "{path} of {found:#}");
}

#[test]
fn grafana_finds_prometheus() {
    let server = Server::start(Mode::Project);
    // Save & test.
    let answer = server
        .post("/api/v1/query", FORM, b"query=1%2B1&time=1700000000")
        .json();
    check(&answer, "/status", &json!("success"));
    check(
        &answer,
        "/data",
        &json!({ "resultType": "scalar", "result": [1_700_000_000, "2"] }),
    );
    let info = server.json("/api/v1/status/buildinfo", &[]);
    check(&info, "/status", &json!("success"));
    assert!(
        info["data"]["version"].as_str().unwrap().starts_with("3."),
        "{info}"
    );
    assert!(info["data"].get("features").is_none(), "{info}");
    // The query builder.
    for path in [
        "/api/v1/labels",
        "/api/v1/label/__name__/values",
        "/api/v1/metadata",
    ] {
        let answer = server.json(path, &[]);
        check(&answer, "/status", &json!("success"));
    }
    let series = server
        .post("/api/v1/series", FORM, b"match%5B%5D=up")
        .json();
    check(&series, "/data", &json!([]));
    let rules = server.json("/api/v1/rules", &[]);
    check(&rules, "/data/groups", &json!([]));
    let alerts = server.json("/api/v1/alerts", &[]);
    check(&alerts, "/data/alerts", &json!([]));
    let exemplars = server.json("/api/v1/query_exemplars", &[("query", "up")]);
    check(&exemplars, "/data", &json!([]));
    // A panel.
    let range = b"query=up&start=1700000000&end=1700003600&step=15";
    let answer = server.post("/api/v1/query_range", FORM, range).json();
    check(
        &answer,
        "/data",
        &json!({ "resultType": "matrix", "result": [] }),
    );
    // Mistakes.
    let answer = server.post("/api/v1/query", FORM, b"query=sum%28");
    assert_eq!(answer.status, 400);
    check(&answer.json(), "/errorType", &json!("bad_data"));
    assert_eq!(
        server
            .get("/api/v1/query_range?query=up&start=0&end=9e9&step=1")
            .status,
        400
    );
    assert_eq!(server.get("/api/v1/nothing").status, 404);
}

#[test]
fn grafana_finds_loki() {
    let server = Server::start(Mode::Project);
    // Save & test.
    let query = [("query", "vector(1)+vector(1)"), ("time", "4000000000")];
    let answer = server.json("/loki/api/v1/query", &query);
    check(&answer, "/status", &json!("success"));
    check(&answer, "/data/resultType", &json!("vector"));
    assert_eq!(
        answer["data"]["result"].as_array().unwrap().len(),
        1,
        "{answer}"
    );
    check(&answer, "/data/result/0/value/1", &json!("2"));
    assert_eq!(server.get("/ready").status, 200);
    let now = wharf_base::clock::now().0 * 1_000_000;
    let push = json!({ "streams": [{
        "stream": { "app": "shop" },
        "values": [[now.to_string(), "level=error msg=\"gone\"", { "trace_id": "abc" }]],
    }] });
    let headers = "Content-Type: application/json\r\n";
    let answer = server.post("/loki/api/v1/push", headers, push.to_string().as_bytes());
    assert_eq!(answer.status, 204, "{}", answer.text());
    let labels = server.json("/loki/api/v1/labels", &[]);
    check(&labels, "/data", &json!(["app", "service_name"]));
    let values = server.json("/loki/api/v1/label/service_name/values", &[]);
    check(&values, "/data", &json!(["shop"]));
    let query = "/loki/api/v1/query_range?query=%7Bapp%3D%22shop%22%7D";
    let flags = "X-Loki-Response-Encoding-Flags: categorize-labels\r\n";
    let answer = crate::ask::ask(server.address, "GET", query, flags, b"").json();
    let value = &answer["data"]["result"][0]["values"][0];
    assert_eq!(value.as_array().unwrap().len(), 3, "{answer}");
    assert_eq!(
        value[2]["structuredMetadata"]["trace_id"], "abc",
        "{answer}"
    );
    assert_eq!(
        value[2]["structuredMetadata"]["detected_level"], "error",
        "{answer}"
    );
    for path in [
        "index/stats",
        "index/volume",
        "detected_labels",
        "detected_fields",
        "patterns",
    ] {
        let path = format!("/loki/api/v1/{path}");
        server.json(&path, &[("query", "{app=\"shop\"}")]);
    }
}

#[test]
fn grafana_finds_tempo_and_jaeger() {
    let server = Server::start(Mode::Project);
    assert_eq!(server.get("/api/echo").text(), "echo");
    let tags = server.json("/api/v2/search/tags", &[]);
    assert!(tags["scopes"].is_array(), "{tags}");
    let found = server.json("/api/search", &[("q", "{}"), ("limit", "20")]);
    check(&found, "/traces", &json!([]));
    let services = server.json("/jaeger/api/services", &[]);
    check(&services, "/data", &json!([]));
    assert_eq!(
        server
            .get("/api/v2/traces/4bf92f3577b34da6a3ce929d0e0e4736")
            .status,
        404
    );
}

#[test]
fn web_pages_elsewhere_are_refused() {
    let server = Server::start(Mode::Project);
    let ask = |headers: &str| {
        crate::ask::ask(server.address, "GET", "/api/v1/query?query=1", headers, b"").status
    };
    assert_eq!(ask(""), 200);
    assert_eq!(ask("Origin: https://evil.example\r\n"), 403);
}
