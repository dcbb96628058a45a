//! What the API promises, whatever store it stands on. Also compiled into the tests of `items-redis`.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use items::store::Store;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt as _;

/// Asks the router without a socket.
pub(crate) struct Client {
    router: Router,
    /// The router's sockets would close if this were dropped.
    _stop: watch::Sender<bool>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{error} in {:?}", self.text))
    }
}

impl Client {
    pub(crate) fn new(store: impl Store) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self {
            router: items::api::router(store, "1.2.3".to_owned(), stopped),
            _stop: stop,
        }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self
            .router
            .clone()
            .oneshot(request.body(Body::from(body.to_owned())).unwrap())
            .await
            .unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8(bytes.into()).unwrap(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub(crate) async fn post(&self, body: &str) -> Answer {
        self.send(
            "POST",
            "/items",
            &[("content-type", "application/json")],
            body,
        )
        .await
    }
}

/// Items are added, found, paged and removed. The store is empty at first.
pub(crate) async fn holds(client: &Client) {
    let health = client.get("/health").await;
    assert_eq!(health.status, 200);
    assert_eq!(
        health.json(),
        json!({ "status": "ok", "version": "1.2.3", "pid": std::process::id() })
    );

    assert_eq!(
        client.get("/items").await.json(),
        json!({ "items": [], "total": 0, "limit": 20, "offset": 0 })
    );
    let mut added = vec![];
    for name in ["  Anchor ", "Buoy", "Crane"] {
        let answer = client
            .post(&json!({ "name": name, "description": "heavy" }).to_string())
            .await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let item = answer.json();
        assert_eq!(item["name"], name.trim());
        assert_eq!(answer.headers["location"], format!("/items/{}", item["id"]));
        assert_eq!(
            client
                .get(answer.headers["location"].to_str().unwrap())
                .await
                .json(),
            item
        );
        added.push(item);
    }
    assert_eq!(client.get("/items").await.json()["items"], json!(added));
    let page = client.get("/items?limit=1&offset=1").await.json();
    assert_eq!(
        page,
        json!({ "items": [added[1]], "total": 3, "limit": 1, "offset": 1 })
    );
    assert_eq!(
        client.get("/items?offset=9").await.json()["items"],
        json!([])
    );

    let second = format!("/items/{}", added[1]["id"]);
    assert_eq!(client.send("DELETE", &second, &[], "").await.status, 204);
    assert_eq!(client.send("DELETE", &second, &[], "").await.status, 404);
    assert_eq!(client.get(&second).await.status, 404);
    assert_eq!(
        client.get("/items").await.json()["items"],
        json!([added[0], added[2]])
    );
}

/// Each mistake has its status, its code and a sentence that names it.
pub(crate) async fn refuses_bad_input(client: &Client) {
    let long = json!({ "name": "x".repeat(101) }).to_string();
    let huge = json!({ "name": "x", "description": "x".repeat(40_000) }).to_string();
    let posts = [
        ("{", 400, "invalid_body", "EOF"),
        ("", 400, "invalid_body", "EOF"),
        ("[]", 422, "invalid_body", ""),
        ("{}", 422, "invalid_body", "name"),
        (r#"{"name":7}"#, 422, "invalid_body", "expected a string"),
        (
            r#"{"name":"a","colour":"red"}"#,
            422,
            "invalid_body",
            "colour",
        ),
        (
            r#"{"name":"  "}"#,
            422,
            "invalid_item",
            "1 to 100 characters, it has 0",
        ),
        (long.as_str(), 422, "invalid_item", "it has 101"),
        (huge.as_str(), 413, "invalid_body", ""),
    ];
    for (body, status, code, part) in posts {
        check(&client.post(body).await, status, code, part);
    }
    check(
        &client.send("POST", "/items", &[], r#"{"name":"a"}"#).await,
        415,
        "invalid_body",
        "Content-Type",
    );
    let requests = [
        ("GET", "/items?limit=0", 400, "bad_request", "1 to 100"),
        ("GET", "/items?limit=many", 400, "bad_request", "limit"),
        ("GET", "/items?page=2", 400, "bad_request", "page"),
        ("GET", "/items?offset=-1", 400, "bad_request", "offset"),
        ("GET", "/items/one", 400, "bad_request", "one"),
        ("GET", "/items/9", 404, "not_found", "no item 9"),
        ("GET", "/nothing", 404, "not_found", "nothing at this path"),
        ("PUT", "/items", 405, "method_not_allowed", ""),
        ("GET", "/stream", 400, "bad_request", "seconds"),
        ("GET", "/stream?seconds=0", 400, "bad_request", "1 to 600"),
    ];
    for (method, path, status, code, part) in requests {
        check(
            &client.send(method, path, &[], "").await,
            status,
            code,
            part,
        );
    }
}

#[track_caller]
fn check(answer: &Answer, status: u16, code: &str, part: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    let error = answer.json()["error"].clone();
    assert_eq!(error["code"], code, "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(part), "expected {part:?} in {message:?}");
}

/// Each request is counted under its template, and carries the trace id it came with.
pub(crate) async fn counts_and_traces(client: &Client) {
    let id = "0af76519-16cd-43dd-8448-eb211c80319c";
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for headers in [
        &[("x-trace-id", id)][..],
        &[("traceparent", parent)],
        &[("x-trace-id", "?"), ("traceparent", parent)],
    ] {
        assert_eq!(
            client.send("GET", "/items/1", headers, "").await.headers["x-trace-id"],
            id
        );
    }
    let fresh = client.get("/nothing").await.headers["x-trace-id"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(uuid::Uuid::parse_str(&fresh).unwrap().get_version_num(), 4);

    let metrics = client.get("/metrics").await;
    assert!(
        metrics.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    let labels = r#"{method="GET",endpoint="/items/{id}",status="404"}"#;
    for line in [
        format!("http_requests_total{labels} 3"),
        format!("http_request_duration_seconds_count{labels} 3"),
    ] {
        assert!(
            metrics.text.lines().any(|found| found == line),
            "no {line:?} in {}",
            metrics.text
        );
    }
    assert!(
        metrics
            .text
            .contains(r#"endpoint="unmatched",status="404""#)
    );
}
