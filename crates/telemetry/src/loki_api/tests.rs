//! Requests as Grafana and logcli make them, and what they have to be answered.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wharf_logs::{Batch, Listener, LogStore, Options};
use wharf_signal::{
    Direction, Interrupt, Labels, LogEntry, LogSelect, LogSource, LogVisit, Matcher, SourceError,
};

use super::index::Size;
use super::params::{now, parse_time};
use super::{LogIndex, router};

/// Entries in the order of time.
struct Lines(Vec<(Labels, LogEntry)>);

impl LogSource for Lines {
    fn visit(
        &self,
        select: LogSelect<'_>,
        _: &dyn Interrupt,
        visit: &mut LogVisit<'_>,
    ) -> Result<(), SourceError> {
        let wanted = |(labels, entry): &&(Labels, LogEntry)| {
            (select.start..select.end).contains(&entry.nanos)
                && select.matchers.iter().all(|m| m.matches_labels(labels))
        };
        let mut entries: Vec<_> = self.0.iter().filter(wanted).collect();
        if select.direction == Direction::Backward {
            entries.reverse();
        }
        for (labels, entry) in entries {
            if visit(labels, entry) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }
}

impl LogIndex for Lines {
    fn series(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        _: &dyn Interrupt,
    ) -> Result<BTreeMap<Labels, Size>, SourceError> {
        let mut found: BTreeMap<Labels, Size> = BTreeMap::new();
        for (labels, entry) in &self.0 {
            let inside = (start..end).contains(&entry.nanos);
            if inside && matchers.iter().all(|m| m.matches_labels(labels)) {
                let size = found.entry(labels.clone()).or_default();
                size.chunks = 1;
                size.entries += 1;
                size.bytes += entry.line.len() as u64;
            }
        }
        Ok(found)
    }

    /// There never are more.
    fn listen(&self, _: &Arc<Listener>) {}
}

/// 2023-11-14T22:13:20Z
const T: i64 = 1_700_000_000;

async fn serve_of(logs: Arc<dyn LogIndex>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let app = router(logs);
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn serve() -> SocketAddr {
    let entry = |seconds: i64, app: &str, line: &str| {
        let entry = LogEntry {
            nanos: (T + seconds) * 1_000_000_000,
            line: line.to_owned(),
            metadata: Labels::from_pairs([("trace_id", "t1")]),
        };
        (Labels::from_pairs([("app", app)]), entry)
    };
    let lines = Lines(vec![
        entry(1, "web", r#"{"status":200,"took":"5ms"}"#),
        entry(2, "web", r#"{"status":503,"took":"9ms"}"#),
        entry(3, "db", "level=info rows=5"),
    ]);
    serve_of(Arc::new(lines)).await
}

/// Sends a request as it stands, and gives the status and the body.
async fn ask(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).expect("a status");
    (status.parse().expect("a number"), body.to_owned())
}

async fn get(path: &str, header: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{header}Connection: close\r\n\r\n");
    ask(serve().await, &request).await
}

/// Asks, and compares the answer without its statistics.
async fn check(path: &str, expected: Value) {
    let (status, body) = get(path, "").await;
    assert_eq!(status, 200, "{path}: {body}");
    let mut body: Value = serde_json::from_str(&body).expect("JSON");
    if let Some(data) = body.get_mut("data").and_then(Value::as_object_mut) {
        data.remove("stats");
    }
    assert_eq!(body, expected, "{path}");
}

fn success(data: Value) -> Value {
    json!({"status": "success", "data": data})
}

#[tokio::test]
async fn grafana_recognises_it() {
    check(
        "/loki/api/v1/query?direction=backward&query=vector%281%29%2Bvector%281%29&time=4000000000",
        success(json!({
            "resultType": "vector",
            "result": [{"metric": {}, "value": [4_000_000_000_i64, "2"]}],
        })),
    )
    .await;
    let (status, body) = get("/loki/api/v1/status/buildinfo", "").await;
    assert_eq!(status, 200);
    assert!(body.contains(r#""version":"3"#), "{body}");
    assert_eq!(get("/ready", "").await, (200, "ready\n".to_owned()));
}

#[tokio::test]
async fn lines_are_given_by_stream() {
    let range = "start=1700000000&end=1700000010000000000";
    check(
        &format!("/loki/api/v1/query_range?query=%7Bapp%3D%22web%22%7D&{range}&limit=1"),
        success(json!({
            "resultType": "streams",
            "result": [{
                "stream": {"app": "web", "trace_id": "t1"},
                "values": [["1700000002000000000", r#"{"status":503,"took":"9ms"}"#]],
            }],
        })),
    )
    .await;
    let path = format!(
        "/loki/api/v1/query_range?query=%7Bapp%3D%22web%22%7D%7Cjson%7Cstatus%3E%3D500&{range}&direction=forward"
    );
    let (status, body) = get(
        &path,
        "X-Loki-Response-Encoding-Flags: categorize-labels\r\n",
    )
    .await;
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(body["data"]["encodingFlags"], json!(["categorize-labels"]));
    assert_eq!(
        body["data"]["result"],
        json!([{
            "stream": {"app": "web"},
            "values": [[
                "1700000002000000000",
                r#"{"status":503,"took":"9ms"}"#,
                {"structuredMetadata": {"trace_id": "t1"}, "parsed": {"status": "503", "took": "9ms"}},
            ]],
        }])
    );
    assert_eq!(body["data"]["stats"]["summary"]["totalLinesProcessed"], 2);
}

#[tokio::test]
async fn numbers_are_given_over_time() {
    check(
        "/loki/api/v1/query_range?query=sum(count_over_time(%7Bapp%3D~%22.%2B%22%7D%5B5s%5D))&start=1700000000&end=1700000004&step=2",
        success(json!({
            "resultType": "matrix",
            "result": [{"metric": {}, "values": [[T + 2, "2"], [T + 4, "3"]]}],
        })),
    )
    .await;
}

#[tokio::test]
async fn forms_are_read_as_urls_are() {
    let body = "query=sum(count_over_time({app%3D\"web\"}[1m]))&time=1700000010";
    let request = format!(
        "POST /loki/api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let (status, answer) = ask(serve().await, &request).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains(r#""value":[1700000010,"2"]"#), "{answer}");
}

#[tokio::test]
async fn labels_and_volumes_are_told() {
    let range = "start=1700000000&end=1700000010";
    let path = |path: &str| format!("/loki/api/v1/{path}{range}");
    check(&path("labels?"), success(json!(["app"]))).await;
    check(&path("label/app/values?"), success(json!(["db", "web"]))).await;
    check(
        &path("label/app/values?query=%7Bapp%3D%22db%22%7D&"),
        success(json!(["db"])),
    )
    .await;
    check(&path("label/none/values?"), success(json!([]))).await;
    check(
        &path("series?match[]=%7Bapp%3D~%22w.%2B%22%7D&"),
        success(json!([{"app": "web"}])),
    )
    .await;
    check(
        &path("index/stats?query=%7Bapp%3D%22web%22%7D&"),
        json!({"streams": 1, "chunks": 1, "entries": 2, "bytes": 54}),
    )
    .await;
    check(
        &path("index/volume?query=%7Bapp%3D~%22.%2B%22%7D&"),
        success(json!({
            "resultType": "vector",
            "result": [
                {"metric": {"app": "web"}, "value": [T + 10, "54"]},
                {"metric": {"app": "db"}, "value": [T + 10, "17"]},
            ],
        })),
    )
    .await;
    check(
        &path("index/volume_range?query=%7Bapp%3D%22db%22%7D&step=5&"),
        success(json!({
            "resultType": "matrix",
            "result": [{"metric": {"app": "db"}, "values": [[T + 5, "17"]]}],
        })),
    )
    .await;
    check(
        &path("detected_labels?"),
        json!({"detectedLabels": [{"label": "app", "cardinality": 2}]}),
    )
    .await;
    check(
        &path("detected_fields?query=%7Bapp%3D%22web%22%7D&"),
        json!({"limit": 1000, "fields": [
            {"label": "status", "type": "int", "cardinality": 2, "parsers": ["json"]},
            {"label": "took", "type": "duration", "cardinality": 2, "parsers": ["json"]},
            {"label": "trace_id", "type": "string", "cardinality": 1, "parsers": []},
        ]}),
    )
    .await;
    check(
        &path("detected_field/status/values?query=%7Bapp%3D%22web%22%7D&"),
        json!({"values": ["200", "503"], "limit": 1000}),
    )
    .await;
    check(
        &path("patterns?query=%7Bapp%3D%22db%22%7D&step=10&"),
        success(json!([{"pattern": "level=info rows=<_>", "samples": [[T, 1]]}])),
    )
    .await;
    check(
        "/loki/api/v1/format_query?query=sum(rate(%7Bapp%3D%22a%22%7D%5B60s%5D))",
        success(json!(r#"sum(rate({app="a"}[1m]))"#)),
    )
    .await;
}

#[tokio::test]
async fn what_is_wrong_is_said_in_text() {
    for (path, part) in [
        ("query_range?query=%7B", "parse error at line 1, col 2"),
        (
            "query_range?query=%7B%7D",
            "at least one regexp or equality matcher",
        ),
        (
            "query?query=%7Bapp%3D%22a%22%7D",
            "log queries are not supported as an instant query",
        ),
        ("query_range?query=vector(1)&step=0", "zero or negative"),
        (
            "query_range?query=vector(1)&start=x",
            "could not parse 'start'",
        ),
        (
            "query_range?query=vector(1)&start=20&end=10",
            "end timestamp must not be before",
        ),
        (
            "query_range?query=vector(1)&limit=9999",
            "max entries limit per query exceeded",
        ),
        (
            "query_range?query=vector(1)&direction=up",
            "invalid direction",
        ),
        (
            "query_range?query=vector(1)&start=0&end=100000&step=1",
            "exceeded maximum resolution",
        ),
        (
            "labels?query=%7Bapp%3D%22a%22%7D%7Cjson",
            "only label matchers",
        ),
        ("format_query?query=%7B", "invalid-query"),
    ] {
        let (status, body) = get(&format!("/loki/api/v1/{path}"), "").await;
        assert_eq!(status, 400, "{path}: {body}");
        assert!(body.contains(part), "{path}: {body}");
    }
}

#[tokio::test]
async fn lines_are_followed_over_a_websocket() {
    let address = serve().await;
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = "GET /loki/api/v1/tail?query=%7Bapp%3D%22db%22%7D&start=1700000000 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains("rows=5") {
        let mut part = [0; 1024];
        let read = stream.read(&mut part).await.expect("a part");
        assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&part[..read]);
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    let message = &answer[answer.find("{\"streams").expect("a message")..];
    let message: Value = serde_json::from_str(message).expect("JSON");
    assert_eq!(
        message["streams"][0]["values"][0],
        json!(["1700000003000000000", "level=info rows=5"])
    );
}

#[tokio::test]
async fn a_line_that_comes_is_sent_to_who_follows() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, _) = LogStore::open(dir.path(), Options::default()).expect("a store");
    let address = serve_of(Arc::new(store.clone())).await;
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = "GET /loki/api/v1/tail?query=%7Bapp%3D%22db%22%7D%7C%3D%22row%22 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    for round in 0..3 {
        let entry = |line: String| LogEntry {
            nanos: now(),
            line,
            metadata: Labels::empty(),
        };
        let lines = vec![entry(format!("row {round}")), entry("other".to_owned())];
        let batch = Batch {
            streams: vec![(Labels::from_pairs([("app", "db")]), lines)],
            ..Batch::default()
        };
        store.push(&batch).expect("room");
        while !String::from_utf8_lossy(&answer).contains(&format!("\"row {round}\"")) {
            let mut part = [0; 1024];
            let read = stream.read(&mut part).await.expect("a part");
            assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&part[..read]);
        }
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(!answer.contains("other"), "{answer}");
    for round in 0..3 {
        let times = answer.matches(&format!("\"row {round}\"")).count();
        assert_eq!(times, 1, "{answer}");
    }
}

#[test]
fn times_are_read_as_loki_reads_them() {
    for (text, expected) in [
        ("1700000000", Some(T * 1_000_000_000)),
        ("1700000000.5", Some(T * 1_000_000_000 + 500_000_000)),
        ("1700000000000000001", Some(T * 1_000_000_000 + 1)),
        (
            "2023-11-14T22:13:20.000000001Z",
            Some(T * 1_000_000_000 + 1),
        ),
        ("1e300.0", None),
        ("99999999999999999999", None),
        ("yesterday", None),
    ] {
        assert_eq!(parse_time(text), expected, "{text}");
    }
}
