//! What was acknowledged is there after the process has ended at any point; here by an end in order, and by a folder that
//! is opened again. The stores' own tests kill writers.

use serde_json::json;
use wharf_telemetry::Mode;

use crate::ask::Server;

#[test]
fn what_was_taken_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let now = wharf_base::clock::now().0;
    {
        let server = Server::open(folder.path(), Mode::Project);
        let push = json!({ "streams": [{
            "stream": { "app": "shop" },
            "values": [[format!("{}", now * 1_000_000), "kept"]],
        }] });
        let headers = "Content-Type: application/json\r\n";
        let body = push.to_string();
        assert_eq!(
            server
                .post("/loki/api/v1/push", headers, body.as_bytes())
                .status,
            204
        );
        let spans = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [{
            "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7", "name": "kept",
            "startTimeUnixNano": (now * 1_000_000).to_string(), "endTimeUnixNano": (now * 1_000_000 + 5).to_string(),
        }] }] }] });
        let answer = server.post("/v1/traces", headers, spans.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        let metrics = json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [{
            "name": "kept", "gauge": { "dataPoints": [{ "timeUnixNano": (now * 1_000_000).to_string(), "asDouble": 7.0 }] },
        }] }] }] });
        let answer = server.post("/v1/metrics", headers, metrics.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let server = Server::open(folder.path(), Mode::Project);
    let found = server.json("/api/v1/query", &[("query", "kept")]);
    assert_eq!(found["data"]["result"][0]["value"][1], "7", "{found}");
    let lines = server.json("/loki/api/v1/query_range", &[("query", "{app=\"shop\"}")]);
    assert_eq!(
        lines["data"]["result"][0]["values"][0][1], "kept",
        "{lines}"
    );
    let trace = server.json("/api/v2/traces/4bf92f3577b34da6a3ce929d0e0e4736", &[]);
    assert!(trace.to_string().contains("kept"), "{trace}");
}
