//! Each question, on spans in memory and in blocks.

use std::time::Duration;

use wharf_base::clock::Timestamp;
use wharf_signal::{SpanId, SpanKind, SpanStatus, TraceId};
use wharf_traces::traceql::{Field, Query};
use wharf_traces::{Conditions, Options, Range, Scope, Search, TraceStore};

use crate::made::span;

const SERVICES: [&str; 3] = ["ingress", "web", "db"];

/// Traces 1 to 60 of three spans each, a trace a minute; the thirtieth fails; those of tens come in two pieces.
fn filled(dir: &std::path::Path, flushed: bool) -> TraceStore {
    let (store, recovery) = TraceStore::open(dir, Options::default()).expect("a store");
    assert!(recovery.damage.is_empty());
    let mut late = vec![];
    for trace in 1..=60_u64 {
        let start = i64::try_from(trace).expect("small") * 60;
        let mut spans = vec![];
        for (depth, service) in (0_u64..).zip(SERVICES) {
            let id = trace * 10 + depth + 1;
            let parent = if depth == 0 { 0 } else { id - 1 };
            let mut made = span(u128::from(trace), id, parent, service, start);
            if trace == 30 && service == "db" {
                made.status = SpanStatus::Error;
                made.end_nanos += 4_000_000_000;
            }
            spans.push(made);
        }
        if trace % 10 == 0 {
            late.extend(spans.split_off(2));
        }
        store.push(&spans, &[]).expect("room");
        if flushed && trace % 20 == 0 {
            store.flush().expect("room");
        }
    }
    store.push(&late, &[]).expect("room");
    store
}

fn both(check: impl Fn(&TraceStore)) {
    for flushed in [false, true] {
        let dir = tempfile::tempdir().expect("a folder");
        let store = filled(dir.path(), flushed);
        assert_eq!(store.health().blocks > 0, flushed);
        check(&store);
    }
}

fn search(query: &str) -> Search {
    Search {
        query: Query::parse(query).expect(query),
        range: Range::ALL,
        limit: 20,
        spans_per_trace: 3,
    }
}

fn ids(store: &TraceStore, search: &Search) -> Vec<u128> {
    let found = store.search(search, &()).expect("an answer");
    assert!(!found.partial);
    found.traces.into_iter().map(|told| told.trace.0).collect()
}

#[test]
fn a_trace_in_pieces_is_put_together() {
    both(|store| {
        let trace = store.trace(TraceId(20)).expect("a trace");
        let spans: Vec<SpanId> = trace.spans.iter().map(|span| span.id).collect();
        assert_eq!(spans, [SpanId(201), SpanId(202), SpanId(203)]);
        assert!(!trace.truncated);
        assert_eq!(trace.spans[2], span(20, 203, 202, "db", 1_200));
        assert_eq!(store.trace(TraceId(999)), None);
    });
}

#[test]
fn the_newest_that_fit_are_found() {
    both(|store| {
        let newest: Vec<u128> = (41..=60).rev().collect();
        assert_eq!(ids(store, &search("{}")), newest);
        assert_eq!(ids(store, &search("{ status = error }")), [30]);
        assert_eq!(ids(store, &search("{ duration > 2s }")), [30]);
        assert_eq!(ids(store, &search("{ .n = 203 }")), [20]);
        assert_eq!(ids(store, &search("{ traceDuration > 2s }")), [30]);
        assert_eq!(ids(store, &search("{ .service.name = \"nobody\" }")), []);
        let both = "{ .service.name = \"ingress\" && .n < 305 } && { status = error }";
        assert_eq!(ids(store, &search(both)), [30]);
        let early = Search {
            range: Range {
                start: 0,
                end: 150_000_000_000,
            },
            ..search("{ .service.name = \"web\" }")
        };
        assert_eq!(ids(store, &early), [2, 1]);
        let form = Search {
            query: Conditions::default()
                .service("db")
                .name("op-3")
                .min_duration(Duration::from_secs(1))
                .max_duration(Duration::from_secs(2))
                .status(SpanStatus::Unset)
                .attribute("n", "103")
                .query(),
            ..search("{}")
        };
        assert_eq!(ids(store, &form), [10]);
    });
}

#[test]
fn a_summary_tells_of_the_whole_trace() {
    both(|store| {
        let found = store
            .search(&search("{ .service.name = \"db\" && status = error }"), &())
            .expect("an answer");
        let told = &found.traces[0];
        assert_eq!((&*told.root_service, &*told.root_name), ("ingress", "op-1"));
        assert_eq!((told.spans(), told.matched, told.failed()), (3, 1, true));
        assert_eq!(told.duration_nanos, 5_000_000_000);
        assert_eq!(told.services["db"].errors, 1);
        assert_eq!(told.examples[0].service, "db");
        let named: Vec<&str> = told.examples[0]
            .attributes
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(named, ["service.name", "status"]);
    });
}

#[test]
fn names_and_values_are_listed() {
    both(|store| {
        let services: Vec<String> = store.services(Range::ALL).into_iter().collect();
        assert_eq!(services, ["db", "ingress", "web"]);
        let operations = store.operations("web", Range::ALL);
        assert!(operations.contains(&(SpanKind::Server, "op-2".to_owned())));
        assert!(store.operations("nobody", Range::ALL).is_empty());
        let tags = store.tag_names(Range::ALL);
        assert!(tags.contains(&(Scope::Span, "http.route".to_owned())));
        assert!(tags.contains(&(Scope::Resource, "host.name".to_owned())));
        let values = |name: &str| -> Vec<String> {
            let field = Field::parse(name).expect(name);
            let values = store.tag_values(&field, Range::ALL, &()).expect("values");
            values.into_iter().map(|value| value.text).collect()
        };
        assert_eq!(values(".http.route"), ["/r/0", "/r/1", "/r/2"]);
        assert_eq!(values("resource.service.name"), ["db", "ingress", "web"]);
        assert_eq!(values("status"), ["error", "unset"]);
    });
}

#[test]
fn the_graph_has_calls_and_their_durations() {
    both(|store| {
        let graph = store.service_graph(Range::ALL, &()).expect("a graph");
        assert!(!graph.partial);
        let edges: Vec<(&str, &str, u64, u64)> = graph
            .edges
            .iter()
            .map(|e| (&*e.client, &*e.server, e.calls, e.errors))
            .collect();
        assert_eq!(edges, [("ingress", "web", 60, 0), ("web", "db", 60, 1)]);
        let off = graph.edges[0].p95.abs_diff(Duration::from_secs(1));
        assert!(off < Duration::from_millis(40), "{:?}", graph.edges[0]);
    });
}

#[test]
fn small_blocks_are_merged_and_old_ones_go() {
    let dir = tempfile::tempdir().expect("a folder");
    let options = Options {
        retention: Duration::from_secs(3_600),
        steady_clock: Duration::from_secs(60),
        ..Options::default()
    };
    let (store, _) = TraceStore::open(dir.path(), options).expect("a store");
    for trace in 1..=6_u64 {
        let start = 1_000_000 + i64::try_from(trace).expect("small");
        let made = span(u128::from(trace), trace, 0, "web", start);
        // The same twice: kept once.
        store.push(&[made.clone(), made], &[]).expect("room");
        store.flush().expect("room");
    }
    let now = |seconds: u64| Timestamp(seconds * 1_000);
    let done = store.maintain(now(1_000_010)).expect("room");
    assert_eq!((done.merged, done.deleted), (6, 0));
    assert_eq!(store.health().blocks, 1);
    assert_eq!(store.health().block_spans, 6);
    assert_eq!(store.trace(TraceId(3)).expect("a trace").spans.len(), 1);
    // A clock that jumps deletes nothing until it has gone steadily for a while.
    let far = 1_000_000 + 86_400;
    assert_eq!(store.maintain(now(far)).expect("room").deleted, 0);
    assert_eq!(store.maintain(now(1_000_020)).expect("room").deleted, 0);
    assert_eq!(store.maintain(now(far)).expect("room").deleted, 0);
    assert_eq!(store.maintain(now(far + 30)).expect("room").deleted, 0);
    assert_eq!(store.maintain(now(far + 60)).expect("room").deleted, 1);
    assert_eq!(store.trace(TraceId(3)), None);
}

#[test]
fn the_oldest_go_for_want_of_space() {
    let dir = tempfile::tempdir().expect("a folder");
    let options = Options {
        max_bytes: 6_000,
        ..Options::default()
    };
    let (store, _) = TraceStore::open(dir.path(), options).expect("a store");
    for trace in 1..=30_u64 {
        let made = span(u128::from(trace), trace, 0, "web", 10);
        store.push(&[made], &[]).expect("room");
        store.flush().expect("room");
        store.maintain(Timestamp(1_000)).expect("room");
    }
    assert!(store.health().bytes < 8_000, "{:?}", store.health());
    assert_eq!(store.trace(TraceId(1)), None);
    assert!(store.trace(TraceId(30)).is_some());
}

#[test]
fn what_cannot_be_kept_is_refused_and_said() {
    let dir = tempfile::tempdir().expect("a folder");
    let options = Options {
        max_span_bytes: 1_000,
        ..Options::default()
    };
    let (store, _) = TraceStore::open(dir.path(), options.clone()).expect("a store");
    let mut long = span(1, 2, 0, "web", 1);
    long.message = "x".repeat(1_000);
    let nobody = span(0, 3, 0, "web", 1);
    let pushed = store
        .push(&[span(1, 1, 0, "web", 1), long, nobody], &[])
        .expect("room");
    assert_eq!((pushed.accepted, pushed.rejected), (1, 2));
    assert!(
        pushed
            .reason
            .expect("a reason")
            .contains("1000 are allowed")
    );
    assert_eq!(store.trace(TraceId(1)).expect("a trace").spans.len(), 1);
    let again = TraceStore::open(dir.path(), options).expect_err("in use");
    assert!(again.to_string().contains("in use"), "{again}");
}
