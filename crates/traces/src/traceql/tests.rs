//! What queries find among the spans of one trace.

use wharf_signal::{Span, SpanEvent, SpanId, SpanKind, SpanStatus, TraceId, Value};

use super::{Facts, Query};
use crate::assemble::summary;
use crate::codec::{put_span, spans};

fn span(id: u64, parent: u64, service: &str, name: &str, millis: i64) -> Span {
    Span {
        trace: TraceId(1),
        id: SpanId(id),
        parent: SpanId(parent),
        name: name.to_owned(),
        service: service.to_owned(),
        kind: SpanKind::Internal,
        start_nanos: i64::try_from(id).expect("small") * 1_000_000,
        end_nanos: i64::try_from(id).expect("small") * 1_000_000 + millis * 1_000_000,
        status: SpanStatus::Unset,
        message: String::new(),
        attributes: vec![],
        resource: vec![],
        scope: String::new(),
        events: vec![],
        links: vec![],
    }
}

/// 1 ingress -> 2 web -> (3 db, 4 cache); 4 -> 5 cache.
fn trace() -> Vec<u8> {
    let mut all = [
        span(1, 0, "ingress", "GET /items", 100),
        span(2, 1, "web", "list", 90),
        span(3, 2, "db", "SELECT", 50),
        span(4, 2, "cache", "GET", 5),
        span(5, 4, "cache", "socket", 2),
    ];
    all[0].kind = SpanKind::Server;
    all[0].attributes = vec![
        ("http.response.status_code".to_owned(), Value::Int(503)),
        (
            "http.request.method".to_owned(),
            Value::Text("GET".to_owned()),
        ),
        ("load".to_owned(), Value::Double(0.5)),
        ("a b".to_owned(), Value::Bool(true)),
    ];
    all[1].resource = vec![("host.name".to_owned(), Value::Text("h-1".to_owned()))];
    all[2].status = SpanStatus::Error;
    all[2].message = "timeout".to_owned();
    all[2].attributes = vec![(
        "tables".to_owned(),
        Value::List(vec![
            Value::Text("a".to_owned()),
            Value::Text("b".to_owned()),
        ]),
    )];
    all[3].events = vec![SpanEvent {
        nanos: 1,
        name: "miss".to_owned(),
        attributes: vec![("key".to_owned(), Value::Text("k".to_owned()))],
    }];
    let mut bytes = vec![];
    for span in &all {
        put_span(&mut bytes, span);
    }
    bytes
}

/// The ids of the spans that a query finds.
#[track_caller]
fn check(query: &str, expected: &[u64]) {
    let bytes = trace();
    let spans: Vec<_> = spans(&bytes).collect();
    let told = summary(&spans).expect("spans");
    let parsed = Query::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let found = parsed
        .matched(&spans, &Facts::of(&told))
        .unwrap_or_default();
    let ids: Vec<u64> = found.into_iter().map(|at| spans[at].id.0).collect();
    assert_eq!(ids, expected, "{query}");
    let may = spans.iter().any(|span| parsed.may_begin_with(span));
    assert!(
        may || expected.is_empty(),
        "{query} is found by one of its spans"
    );
}

#[track_caller]
fn refused(query: &str, column: usize, message: &str) {
    let error = Query::parse(query).expect_err(query);
    assert!(error.message.contains(message), "{query}: {error}");
    assert_eq!(error.column, column, "{query}: {error}");
}

#[test]
fn facts_are_compared() {
    check("{}", &[1, 2, 3, 4, 5]);
    check("", &[1, 2, 3, 4, 5]);
    check("{ true }", &[1, 2, 3, 4, 5]);
    check("{ false }", &[]);
    check("{name=\"list\"}", &[2]);
    check("{ span:name != \"list\" }", &[1, 3, 4, 5]);
    check("{ duration >= 90ms }", &[1, 2]);
    check("{ 0.05s<=duration && duration<1h }", &[1, 2, 3]);
    check("{ duration > 1m30s }", &[]);
    check("{ status = error }", &[3]);
    check("{ status != error && kind = server }", &[1]);
    check("{ statusMessage =~ \"time.*\" }", &[3]);
    check("{ span:id = \"0000000000000004\" }", &[4]);
    check("{ rootName = \"GET /items\" && name=\"SELECT\" }", &[3]);
    check(
        "{ trace:duration > 99ms && rootServiceName = `ingress` }",
        &[1, 2, 3, 4, 5],
    );
    check("{ !(duration > 10ms) }", &[4, 5]);
    check("{ status =~ \"err.*\" }", &[3]);
}

#[test]
fn attributes_are_compared() {
    check("{ resource.service.name = \"web\" }", &[2]);
    check("{ .service.name =~ \"web|db\" }", &[2, 3]);
    check("{ .service.name !~ \"web|db\" }", &[1, 4, 5]);
    check("{ span.http.response.status_code >= 500 }", &[1]);
    check("{ .http.response.status_code = 503.0 }", &[1]);
    check("{ .http.response.status_code = \"503\" }", &[]);
    check("{ .load < 1 && .load > 0.4 }", &[1]);
    check("{ .\"a b\" }", &[1]);
    check("{ span.\"a b\" = true }", &[1]);
    check("{ .missing != \"x\" }", &[]);
    check("{ .missing = nil && duration < 3ms }", &[5]);
    check("{ .host.name != nil }", &[2]);
    check("{ span.host.name != nil }", &[]);
    check("{ .tables = \"b\" }", &[3]);
    check("{ .tables != \"b\" }", &[]);
    check("{ .tables != \"c\" }", &[3]);
    check("{ event:name = \"miss\" || event.key = \"other\" }", &[4]);
    check("{ .http.request.method = .http.request.method }", &[1]);
}

#[test]
fn spansets_are_combined() {
    check("{ name=\"list\" } && { status = error }", &[2, 3]);
    check("{ name=\"list\" } && { status = ok }", &[]);
    check("{ name=\"list\" } || { status = ok }", &[2]);
    check(
        "{ .service.name=\"web\" } > { .service.name=\"cache\" }",
        &[4],
    );
    check(
        "{ .service.name=\"web\" } >> { .service.name=\"cache\" }",
        &[4, 5],
    );
    check(
        "{ .service.name=\"cache\" } < { .service.name=\"web\" }",
        &[2],
    );
    check("{ .service.name=\"cache\" } << {}", &[1, 2, 4]);
    check("{ name=\"SELECT\" } ~ {}", &[4]);
    check(
        "({ name=\"SELECT\" } || { name=\"list\" }) && { kind = server }",
        &[1, 2, 3],
    );
}

#[test]
fn stages_decide_for_the_trace() {
    check("{ .service.name=\"cache\" } | count() > 1", &[4, 5]);
    check("{ .service.name=\"cache\" } | count() > 2", &[]);
    check("{} | max(duration) > 99ms | { kind = server }", &[1]);
    check("{} | avg(duration) < 50ms", &[1, 2, 3, 4, 5]);
    check(
        "{} | sum(.http.response.status_code) = 503",
        &[1, 2, 3, 4, 5],
    );
    check("{ status=error } | select(span.a, resource.b)", &[3]);
    check("{ status=error } with (most_recent=true)", &[3]);
}

#[test]
fn what_is_not_understood_is_said_where() {
    refused("{", 2, "expected an attribute");
    refused("{ foo = 1 }", 3, "span.foo");
    refused("{ .a = }", 8, "found `}`");
    refused("{ .a = \"x }", 8, "closing quote");
    refused("{ .a =~ \"(\" }", 9, "no regular expression");
    refused("{ .a > 5parsecs }", 8, "neither a number nor a duration");
    refused("{ .a = 1 } | rate()", 14, "PromQL");
    refused("{ .a = 1 } | by(.b)", 14, "not supported");
    refused("{ .a = 1 } !> { }", 12, "not supported");
    refused("{ .a = 1 } extra", 12, "behind the query");
    refused("{ 1 = 1 }", 9, "on one of its sides");
    refused("service=x", 1, "expected a spanset");
    let deep = format!("{{ {} .a = 1 {} }}", "(".repeat(5_000), ")".repeat(5_000));
    refused(&deep, 67, "nested");
    let long = format!("{{ .a = 1 {} }}", "|| .b = 1".repeat(1_000));
    assert!(Query::parse(&long).is_err());
    assert!(Query::parse(&"x".repeat(20_000)).is_err());
}
