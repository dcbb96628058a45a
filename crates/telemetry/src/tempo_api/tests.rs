//! The requests that Grafana's data sources send, and what they need of the answers.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value as JsonValue, json};
use tower::ServiceExt;
use wharf_protocols::otlp::{Encoding, Limits, decode_traces};
use wharf_signal::{Span, SpanEvent, SpanId, SpanKind, SpanStatus, TraceId, Value};
use wharf_traces::{Options, TraceStore};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const START: i64 = 1_763_762_400_000_000_000;

fn span(id: u64, parent: u64, service: &str, name: &str, kind: SpanKind, millis: i64) -> Span {
    Span {
        trace: TraceId::parse(TRACE).expect("an id"),
        id: SpanId(id),
        parent: SpanId(parent),
        name: name.to_owned(),
        service: service.to_owned(),
        kind,
        start_nanos: START + i64::try_from(id).expect("small") * 1_000_000,
        end_nanos: START + (i64::try_from(id).expect("small") + millis) * 1_000_000,
        status: SpanStatus::Unset,
        message: String::new(),
        attributes: vec![("http.route".to_owned(), Value::Text("/items".to_owned()))],
        resource: vec![("host.name".to_owned(), Value::Text("h".to_owned()))],
        scope: "test".to_owned(),
        events: vec![],
        links: vec![],
    }
}

struct Api {
    store: TraceStore,
    _dir: tempfile::TempDir,
}

impl Api {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let (store, _) = TraceStore::open(dir.path(), Options::default()).expect("a store");
        let mut failed = span(3, 2, "db", "SELECT \"x\"", SpanKind::Client, 10);
        failed.status = SpanStatus::Error;
        failed.message = "timeout".to_owned();
        failed.attributes = vec![("http.response.status_code".to_owned(), Value::Int(503))];
        failed.events = vec![SpanEvent {
            nanos: START + 4_000_000,
            name: "exception".to_owned(),
            attributes: vec![("n".to_owned(), Value::Int(1))],
        }];
        let spans = [
            span(1, 0, "ingress", "GET /items", SpanKind::Server, 50),
            span(2, 1, "web", "list", SpanKind::Server, 40),
            failed,
        ];
        store.push(&spans, &[]).expect("room");
        Self { store, _dir: dir }
    }

    async fn get(&self, uri: &str, accept: &str) -> (StatusCode, String, Vec<u8>) {
        let request = Request::get(uri)
            .header("accept", accept)
            .body(Body::empty())
            .expect("a request");
        let answer = super::router(self.store.clone())
            .oneshot(request)
            .await
            .expect("an answer");
        let status = answer.status();
        let kind = answer.headers()["content-type"]
            .to_str()
            .expect("text")
            .to_owned();
        let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await;
        (status, kind, body.expect("a body").to_vec())
    }

    fn asked(&self, uri: &str) -> (StatusCode, String, Vec<u8>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        runtime.block_on(self.get(uri, "application/json, */*"))
    }

    #[track_caller]
    fn json(&self, uri: &str) -> JsonValue {
        let (status, kind, body) = self.asked(uri);
        let text = String::from_utf8_lossy(&body).into_owned();
        assert_eq!(status, StatusCode::OK, "{uri}: {text}");
        assert_eq!(kind, "application/json", "{uri}");
        serde_json::from_slice(&body).expect(&text)
    }

    #[track_caller]
    fn refused(&self, uri: &str, expected: StatusCode, message: &str) {
        let (status, _, body) = self.asked(uri);
        let text = String::from_utf8_lossy(&body).into_owned();
        assert_eq!(status, expected, "{uri}: {text}");
        assert!(text.contains(message), "{uri}: {text}");
    }
}

#[tokio::test]
async fn tempo_is_recognised() {
    let api = Api::new();
    let (status, _, body) = api.get("/api/echo", "*/*").await;
    assert_eq!((status, body.as_slice()), (StatusCode::OK, &b"echo"[..]));
    let (status, _, body) = api.get("/api/status/buildinfo", "*/*").await;
    assert_eq!(status, StatusCode::OK);
    let told: JsonValue = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(told["version"], "2.7.0");
}

#[tokio::test]
async fn a_trace_is_given_in_protocol_buffers_as_grafana_wants_it() {
    let api = Api::new();
    let limits = Limits::default();
    let expected = api
        .store
        .trace(TraceId::parse(TRACE).expect("an id"))
        .expect("a trace")
        .spans;
    let (status, kind, body) = api
        .get(&format!("/api/traces/{TRACE}"), "application/protobuf")
        .await;
    assert_eq!((status, &*kind), (StatusCode::OK, "application/protobuf"));
    let (spans, _) = decode_traces(&body, Encoding::Protobuf, limits).expect("OTLP");
    assert_eq!(spans, expected);
    let (_, _, body) = api
        .get(
            &format!("/api/v2/traces/{TRACE}?start=1&end=2"),
            "application/protobuf",
        )
        .await;
    // A message with the trace as its first field: its tag and length before it.
    assert_eq!(body[0], 0x0a);
    let trace = &body[if body[1] < 0x80 { 2 } else { 3 }..];
    let (spans, _) = decode_traces(trace, Encoding::Protobuf, limits).expect("OTLP");
    assert_eq!(spans, expected);
    let (_, kind, body) = api.get(&format!("/api/v2/traces/{TRACE}"), "*/*").await;
    assert_eq!(kind, "application/json");
    let told: JsonValue = serde_json::from_slice(&body).expect("JSON");
    let (spans, _) =
        decode_traces(told["trace"].to_string().as_bytes(), Encoding::Json, limits).expect("OTLP");
    assert_eq!(spans, expected);
}

#[test]
fn a_trace_is_given_in_json() {
    let api = Api::new();
    // As X-Trace-ID writes it, too.
    for id in [TRACE, "0af76519-16cd-43dd-8448-eb211c80319c", &TRACE[1..]] {
        let told = api.json(&format!("/api/traces/{id}"));
        assert_eq!(told["batches"].as_array().map(Vec::len), Some(3), "{told}");
        let span = &told["batches"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!(span["traceId"], TRACE);
        assert_eq!(span["name"], "GET /items");
    }
    api.refused("/api/traces/1", StatusCode::NOT_FOUND, "not found");
    api.refused("/api/v2/traces/xyz", StatusCode::BAD_REQUEST, "no trace id");
}

#[test]
fn searches_find_traces() {
    let api = Api::new();
    // { resource.service.name = "web" && duration > 10ms }, as the builder writes it.
    let query = "%7Bresource.service.name%3D%22web%22%20%26%26%20duration%3E10ms%7D";
    let told = api.json(&format!(
        "/api/search?q={query}&limit=20&spss=3&start=1763762000&end=1763763000"
    ));
    let trace = &told["traces"][0];
    assert_eq!(trace["traceID"], TRACE);
    assert_eq!(trace["rootServiceName"], "ingress");
    assert_eq!(trace["rootTraceName"], "GET /items");
    assert_eq!(trace["startTimeUnixNano"], (START + 1_000_000).to_string());
    assert_eq!(trace["durationMs"], 50);
    assert_eq!(
        trace["serviceStats"]["db"],
        json!({ "spanCount": 1, "errorCount": 1 })
    );
    assert_eq!(trace["spanSets"][0]["matched"], 1);
    assert_eq!(
        trace["spanSet"]["spans"][0],
        json!({
            "spanID": "0000000000000002",
            "name": "list",
            "startTimeUnixNano": (START + 2_000_000).to_string(),
            "durationNanos": "40000000",
            "attributes": [{ "key": "service.name", "value": { "stringValue": "web" } }],
        })
    );
    let tags = |text: &str| {
        let told = api.json(&format!(
            "/api/search?tags={text}&minDuration=10ms&maxDuration=1m"
        ));
        told["traces"].as_array().map(Vec::len)
    };
    assert_eq!(tags("service.name%3Ddb%20error%3Dtrue"), Some(1));
    assert_eq!(tags("name%3D%22GET%20%2Fitems%22"), Some(1));
    assert_eq!(tags("http.response.status_code%3D503"), Some(1));
    assert_eq!(tags("service.name%3Dnobody"), Some(0));
    assert_eq!(api.json("/api/search?start=1&end=2")["traces"], json!([]));
    api.refused(
        "/api/search?q=%7B",
        StatusCode::BAD_REQUEST,
        "parse error at line 1, col 2",
    );
    api.refused("/api/search?limit=x", StatusCode::BAD_REQUEST, "`limit`");
    api.refused("/api/search?tags=%22", StatusCode::BAD_REQUEST, "logfmt");
    api.refused(
        "/api/search?start=3&end=2",
        StatusCode::BAD_REQUEST,
        "later than",
    );
    api.refused(
        "/api/metrics/query_range?q=x",
        StatusCode::NOT_IMPLEMENTED,
        "PromQL",
    );
}

#[test]
fn names_and_values_fill_the_forms() {
    let api = Api::new();
    let told = api.json("/api/search/tags");
    assert_eq!(
        told["tagNames"],
        json!([
            "host.name",
            "http.response.status_code",
            "http.route",
            "service.name"
        ])
    );
    let told = api.json("/api/v2/search/tags?start=1763762000&end=1763763000");
    let scopes: Vec<&JsonValue> = told["scopes"].as_array().expect("scopes").iter().collect();
    assert_eq!(scopes.len(), 3);
    assert_eq!(
        scopes[1],
        &json!({ "name": "resource", "tags": ["host.name", "service.name"] })
    );
    let told = api.json("/api/v2/search/tags?scope=span");
    assert_eq!(told["scopes"].as_array().map(Vec::len), Some(1));
    api.refused(
        "/api/v2/search/tags?scope=x",
        StatusCode::BAD_REQUEST,
        "`scope`",
    );
    assert_eq!(
        api.json("/api/search/tag/service.name/values")["tagValues"],
        json!(["db", "ingress", "web"])
    );
    assert_eq!(
        api.json("/api/v2/search/tag/status/values")["tagValues"],
        json!([{ "type": "keyword", "value": "error" }, { "type": "keyword", "value": "unset" }])
    );
    let query = "%7Bresource.service.name%3D%22db%22%7D";
    assert_eq!(
        api.json(&format!("/api/v2/search/tag/name/values?q={query}"))["tagValues"],
        json!([{ "type": "string", "value": "SELECT \"x\"" }])
    );
    assert_eq!(
        api.json("/api/v2/search/tag/span.http.response.status_code/values")["tagValues"],
        json!([{ "type": "int", "value": "503" }])
    );
    api.refused(
        "/api/v2/search/tag/nothing/values",
        StatusCode::BAD_REQUEST,
        "span.nothing",
    );
}

#[test]
fn jaegers_page_and_source_are_answered() {
    let api = Api::new();
    let told = api.json("/jaeger/api/services");
    assert_eq!(
        told,
        json!({ "data": ["db", "ingress", "web"], "total": 3, "limit": 0, "offset": 0, "errors": null })
    );
    let told = api.json("/jaeger/api/services/web/operations");
    assert_eq!(told["data"], json!(["list"]));
    let told = api.json("/jaeger/api/operations?service=db&spanKind=client");
    assert_eq!(
        told["data"],
        json!([{ "name": "SELECT \"x\"", "spanKind": "client" }])
    );
    let told = api.json("/jaeger/api/dependencies?endTs=1763763000000&lookback=3600000");
    assert_eq!(
        told["data"],
        json!([
            { "parent": "ingress", "child": "web", "callCount": 1 },
            { "parent": "web", "child": "db", "callCount": 1 },
        ])
    );
    let found =
        |parameters: &str| api.json(&format!("/jaeger/api/traces?{parameters}"))["data"].take();
    let by_service = found(
        "service=db&operation=&tags=%7B%22error%22%3A%22true%22%7D&minDuration=5ms&start=1763762000000000&end=1763763000000000&limit=20&lookback=1h",
    );
    let by_id = api.json(&format!("/jaeger/api/traces/{TRACE}"))["data"].take();
    assert_eq!(by_service, by_id);
    assert_eq!(found(&format!("traceID={TRACE}&traceID=1")), by_id);
    assert_eq!(found("service=db&tag=http.response.status_code:503"), by_id);
    assert_eq!(
        found("service=db&tag=http.response.status_code:200"),
        json!([])
    );
    let trace = &by_id[0];
    let failed = &trace["spans"][2];
    let process = failed["processID"].as_str().expect("a process");
    assert_eq!(trace["processes"][process]["serviceName"], "db");
    assert_eq!(failed["startTime"], START / 1_000 + 3_000);
    assert_eq!(failed["duration"], 10_000);
    assert_eq!(failed["references"][0]["spanID"], "0000000000000002");
    let tags = failed["tags"].as_array().expect("tags");
    assert!(tags.contains(&json!({ "key": "error", "type": "bool", "value": true })));
    assert!(tags.contains(&json!({ "key": "span.kind", "type": "string", "value": "client" })));
    assert_eq!(failed["logs"][0]["fields"][0]["value"], "exception");
    api.refused(
        "/jaeger/api/traces/1",
        StatusCode::NOT_FOUND,
        "\"msg\":\"trace not found\"",
    );
    api.refused("/jaeger/api/traces", StatusCode::BAD_REQUEST, "`service`");
    api.refused(
        "/jaeger/api/traces?service=a&tags=x",
        StatusCode::BAD_REQUEST,
        "JSON object",
    );
}
