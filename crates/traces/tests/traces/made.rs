//! Spans to test with.

use wharf_signal::{Span, SpanId, SpanKind, SpanStatus, TraceId, Value};

/// A plain span of a second whose facts follow from its numbers.
pub(crate) fn span(trace: u128, id: u64, parent: u64, service: &str, start_seconds: i64) -> Span {
    let start = start_seconds * 1_000_000_000;
    Span {
        trace: TraceId(trace),
        id: SpanId(id),
        parent: SpanId(parent),
        name: format!("op-{}", id % 5),
        service: service.to_owned(),
        kind: SpanKind::Server,
        start_nanos: start,
        end_nanos: start + 1_000_000_000,
        status: SpanStatus::Unset,
        message: String::new(),
        attributes: vec![
            (
                "http.route".to_owned(),
                Value::Text(format!("/r/{}", id % 3)),
            ),
            (
                "n".to_owned(),
                Value::Int(i64::try_from(id).expect("small")),
            ),
        ],
        resource: vec![("host.name".to_owned(), Value::Text("h".to_owned()))],
        scope: "test".to_owned(),
        events: vec![],
        links: vec![],
    }
}
