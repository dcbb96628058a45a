//! The service's own spans: one for each request that its caller wants recorded, sent to the collector that
//! `OTEL_EXPORTER_OTLP_ENDPOINT` names, as OTLP in JSON.
//!
//! A thread of its own sends them in batches. A collector that is slow or away costs spans, never requests.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use serde_json::{Value, json};
use uuid::Uuid;

/// Spans that wait; more are dropped.
const WAITING_MAX: usize = 1_000;
/// Spans of one request to the collector.
const BATCH_MAX: usize = 200;
/// How long the first of a batch waits for others.
const BATCH_AGE: Duration = Duration::from_secs(1);
/// For the connection, and for each of its reads and writes.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Where spans are handed over.
#[derive(Debug, Clone)]
pub(crate) struct Spans {
    queue: SyncSender<Value>,
}

/// The span that a request came with: its id, and whether the trace is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parent {
    id: u64,
    sampled: bool,
}

impl Parent {
    /// From `traceparent`: `00-<trace>-<span>-<flags>`.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get("traceparent")?.to_str().ok()?;
        let mut parts = text.split('-').skip(2);
        let id = u64::from_str_radix(parts.next()?, 16).ok()?;
        let flags = u8::from_str_radix(parts.next()?, 16).ok()?;
        let sampled = flags & 1 == 1;
        Some(Self { id, sampled })
    }
}

/// A request that has been answered.
pub(crate) struct Finished<'a> {
    pub(crate) trace: Uuid,
    pub(crate) method: &'static str,
    /// The route's pattern.
    pub(crate) endpoint: &'a str,
    pub(crate) path: &'a str,
    pub(crate) status: u16,
    pub(crate) duration: Duration,
}

impl Spans {
    /// None where no collector is named, or one that is not asked over plain HTTP.
    pub(crate) fn from_environment() -> Option<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let endpoint = variable("OTEL_EXPORTER_OTLP_ENDPOINT")?;
        let rest = endpoint.strip_prefix("http://")?;
        let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let mut path = format!("/{}", prefix.trim_end_matches('/'));
        path.push_str(if path.len() > 1 {
            "/v1/traces"
        } else {
            "v1/traces"
        });
        let name = variable("OTEL_SERVICE_NAME").unwrap_or_else(|| "items".to_owned());
        let more = variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
        let resource: Vec<Value> = more
            .split(',')
            .filter_map(|pair| pair.split_once('='))
            .filter(|(key, _)| *key != "service.name")
            .chain([("service.name", name.as_str())])
            .map(|(key, value)| text(key, value))
            .collect();
        let (queue, waiting) = sync_channel(WAITING_MAX);
        let collector = Collector {
            authority: authority.to_owned(),
            path,
            resource: resource.into(),
        };
        std::thread::Builder::new()
            .name("spans".to_owned())
            .spawn(move || collector.send_all(&waiting))
            .ok()?;
        Some(Self { queue })
    }

    /// Hands over the span of a request, if its trace is recorded.
    pub(crate) fn add(&self, parent: Option<Parent>, finished: &Finished<'_>) {
        let Some(parent) = parent.filter(|parent| parent.sampled) else {
            return;
        };
        let (own, _) = Uuid::new_v4().as_u64_pair();
        let end = jiff::Timestamp::now();
        let start = end
            .saturating_sub(jiff::SignedDuration::try_from(finished.duration).unwrap_or_default())
            .unwrap_or(end);
        let failed = finished.status >= 500;
        let span = json!({
            "traceId": finished.trace.simple().to_string(),
            "spanId": format!("{own:016x}"),
            "parentSpanId": format!("{:016x}", parent.id),
            "name": format!("{} {}", finished.method, finished.endpoint),
            "kind": 2,
            "startTimeUnixNano": start.as_nanosecond().to_string(),
            "endTimeUnixNano": end.as_nanosecond().to_string(),
            "attributes": [
                text("http.request.method", finished.method),
                text("http.route", finished.endpoint),
                text("url.path", finished.path),
                { "key": "http.response.status_code", "value": { "intValue": finished.status.to_string() } },
            ],
            "status": if failed { json!({ "code": 2 }) } else { json!({}) },
        });
        // A full queue: the collector is behind, and the request matters more.
        drop(self.queue.try_send(span));
    }
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// Who is sent the spans.
struct Collector {
    authority: String,
    path: String,
    resource: Value,
}

impl Collector {
    /// Until the service ends.
    fn send_all(&self, waiting: &Receiver<Value>) {
        while let Ok(first) = waiting.recv() {
            let until = Instant::now() + BATCH_AGE;
            let mut batch = vec![first];
            let mut ended = false;
            while batch.len() < BATCH_MAX && !ended {
                match waiting.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(span) => batch.push(span),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => ended = true,
                }
            }
            // A batch that does not arrive is lost: the next one may.
            drop(self.send(batch));
        }
    }

    fn send(&self, batch: Vec<Value>) -> std::io::Result<()> {
        let body = json!({ "resourceSpans": [{
            "resource": { "attributes": self.resource },
            "scopeSpans": [{ "scope": { "name": "items" }, "spans": batch }],
        }] })
        .to_string();
        let address = self.authority.to_socket_addrs()?.next();
        let address = address.ok_or(std::io::ErrorKind::AddrNotAvailable)?;
        let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        write!(
            stream,
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.path,
            self.authority,
            body.len()
        )?;
        // The answer's first bytes say that the request was read.
        stream.read(&mut [0; 64]).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_span_is_the_parent() {
        let mut headers = HeaderMap::new();
        assert_eq!(Parent::of(&headers), None);
        let mut given = |text: &'static str| {
            headers.insert("traceparent", axum::http::HeaderValue::from_static(text));
            Parent::of(&headers)
        };
        let parent = |sampled| {
            Some(Parent {
                id: 0xb7ad_6b71_6920_3331,
                sampled,
            })
        };
        let recorded = given("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        assert_eq!(recorded, parent(true));
        let not = given("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
        assert_eq!(not, parent(false));
        assert_eq!(given("00-x"), None);
    }
}
