//! The span of a request, from its line in the ingress's access log: the way of the request itself pays nothing for it.
//!
//! Attributes are named as the semantic conventions of OpenTelemetry have them (HTTP, server spans); what they have no name for begins
//! with `wharf.`.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use wharf_signal::{Span, SpanId, SpanKind, SpanStatus, TraceId, Value};

/// The service whose spans these are.
const SERVICE: &str = "ingress";

/// Which requests become spans although nobody sampled them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Those that took at least this long.
    pub slow: Duration,
}

impl Default for Keep {
    /// A second: what a person notices as waiting.
    fn default() -> Self {
        Self {
            slow: Duration::from_secs(1),
        }
    }
}

/// What is read of a line.
#[derive(Deserialize)]
struct Line<'a> {
    time: &'a str,
    trace_id: &'a str,
    span_id: &'a str,
    #[serde(default)]
    parent_span_id: Option<&'a str>,
    sampled: bool,
    #[serde(borrow)]
    request_id: Cow<'a, str>,
    #[serde(borrow)]
    client: Cow<'a, str>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    host: Cow<'a, str>,
    #[serde(borrow)]
    path: Cow<'a, str>,
    status: u16,
    duration_seconds: f64,
    #[serde(default)]
    upstream_seconds: Option<f64>,
    #[serde(default)]
    bytes_in: u64,
    #[serde(default)]
    bytes_out: u64,
    #[serde(borrow)]
    route: Cow<'a, str>,
    #[serde(borrow)]
    service: Cow<'a, str>,
    #[serde(borrow)]
    release: Cow<'a, str>,
    #[serde(borrow)]
    replica: Cow<'a, str>,
    #[serde(default)]
    retries: u32,
    #[serde(borrow, default)]
    user_agent: Cow<'a, str>,
    #[serde(borrow)]
    protocol: Cow<'a, str>,
    #[serde(borrow, default)]
    error: Option<Cow<'a, str>>,
}

/// The span of an access log line; None: the line is none, or the request was not sampled, went well and was fast.
#[must_use]
pub fn span_of(line: &str, keep: &Keep) -> Option<Span> {
    let line: Line<'_> = serde_json::from_str(line).ok()?;
    let failed = line.status >= 500;
    let duration = Duration::try_from_secs_f64(line.duration_seconds).ok()?;
    if !(line.sampled || failed || duration >= keep.slow) {
        return None;
    }
    let ended: jiff::Timestamp = line.time.parse().ok()?;
    let end_nanos = i64::try_from(ended.as_nanosecond()).ok()?;
    let nanos = i64::try_from(duration.as_nanos()).ok()?;
    let text = |value: &str| Value::Text(value.to_owned());
    let mut attributes = vec![
        ("http.request.method", text(&line.method)),
        ("url.path", text(&line.path)),
        (
            "http.response.status_code",
            Value::Int(i64::from(line.status)),
        ),
        ("client.address", text(&line.client)),
        ("server.address", text(&line.host)),
        ("network.protocol.name", text("http")),
        (
            "network.protocol.version",
            text(line.protocol.trim_start_matches("HTTP/")),
        ),
        ("http.request.body.size", number(line.bytes_in)),
        ("http.response.body.size", number(line.bytes_out)),
        ("user_agent.original", text(&line.user_agent)),
        ("wharf.request_id", text(&line.request_id)),
        ("wharf.route", text(&line.route)),
        ("wharf.service", text(&line.service)),
        ("wharf.release", text(&line.release)),
        ("wharf.replica", text(&line.replica)),
        ("wharf.retries", number(u64::from(line.retries))),
    ];
    if let Some(seconds) = line.upstream_seconds {
        attributes.push(("wharf.upstream_seconds", Value::Double(seconds)));
    }
    if failed {
        attributes.push(("error.type", text(&line.status.to_string())));
    }
    attributes.retain(|(_, value)| *value != Value::Text(String::new()));
    // A route without a host or a name of its own says nothing.
    let name = if line.route.is_empty() || line.route == "default" {
        line.method.into_owned()
    } else {
        format!("{} {}", line.method, line.route)
    };
    Some(Span {
        trace: TraceId::parse(line.trace_id)?,
        id: SpanId::parse(line.span_id).filter(|id| *id != SpanId::default())?,
        parent: line
            .parent_span_id
            .and_then(SpanId::parse)
            .unwrap_or_default(),
        name,
        service: SERVICE.to_owned(),
        kind: SpanKind::Server,
        start_nanos: end_nanos.saturating_sub(nanos),
        end_nanos,
        // What the client did wrong is no failure of the server's.
        status: if failed {
            SpanStatus::Error
        } else {
            SpanStatus::Unset
        },
        message: line
            .error
            .filter(|_| failed)
            .map(Cow::into_owned)
            .unwrap_or_default(),
        attributes: attributes
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        resource: vec![],
        scope: "wharf".to_owned(),
        events: vec![],
        links: vec![],
    })
}

fn number(value: u64) -> Value {
    Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(sampled: bool, status: u16, seconds: f64) -> String {
        format!(
            r#"{{"time":"2026-11-21T22:00:01.500Z","trace_id":"0af76519-16cd-43dd-8448-eb211c80319c","span_id":"00f067aa0ba902b7","parent_span_id":"b7ad6b7169203331","sampled":{sampled},"request_id":"r-1","client":"127.0.0.1","method":"GET","host":"app.localhost","path":"/a\"b","status":{status},"duration_seconds":{seconds:.6},"upstream_seconds":null,"bytes_in":0,"bytes_out":12,"route":"/items","service":"web","release":"3","replica":"web-1","retries":1,"user_agent":"curl/8","protocol":"HTTP/1.1"}}"#
        )
    }

    #[test]
    fn a_line_becomes_a_span() {
        let span = span_of(&line(true, 200, 0.25), &Keep::default()).expect("a span");
        assert_eq!(span.trace.to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(span.id.to_string(), "00f067aa0ba902b7");
        assert_eq!(span.parent.to_string(), "b7ad6b7169203331");
        assert_eq!(span.name, "GET /items");
        assert_eq!(span.end_nanos - span.start_nanos, 250_000_000);
        assert_eq!(span.end_nanos % 1_000_000_000, 500_000_000);
        assert_eq!(
            (span.kind, span.status),
            (SpanKind::Server, SpanStatus::Unset)
        );
        let of = |name: &str| {
            let found = span.attributes.iter().find(|(n, _)| n == name);
            found.map(|(_, value)| value.clone())
        };
        assert_eq!(of("url.path"), Some(Value::Text("/a\"b".to_owned())));
        assert_eq!(of("http.response.status_code"), Some(Value::Int(200)));
        let version = Value::Text("1.1".to_owned());
        assert_eq!(of("network.protocol.version"), Some(version));
        assert_eq!(of("wharf.retries"), Some(Value::Int(1)));
        assert_eq!(of("error.type"), None);
    }

    #[test]
    fn errors_and_slow_ones_are_always_kept() {
        let kept = |sampled, status, seconds| {
            span_of(&line(sampled, status, seconds), &Keep::default()).is_some()
        };
        assert!(!kept(false, 200, 0.1));
        assert!(!kept(false, 404, 0.1));
        assert!(kept(false, 503, 0.1));
        assert!(kept(false, 200, 1.0));
        let failed = span_of(&line(false, 503, 0.1), &Keep::default()).expect("a span");
        assert_eq!(failed.status, SpanStatus::Error);
        assert!(
            failed
                .attributes
                .iter()
                .any(|(name, _)| name == "error.type")
        );
    }

    #[test]
    fn what_is_no_line_is_no_span() {
        for text in ["", "{}", "null", "{\"time\":1}", "listening on 8080"] {
            assert!(span_of(text, &Keep::default()).is_none(), "{text}");
        }
        let absurd = line(true, 200, 1.0).replace("1.000000", "1e300");
        assert!(span_of(&absurd, &Keep::default()).is_none());
    }
}
