//! The store beside lists of spans: whatever is pushed, cut, merged and reopened, the answers are the same.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use wharf_base::clock::Timestamp;
use wharf_signal::{Span, SpanEvent, SpanId, SpanKind, SpanLink, SpanStatus, TraceId, Value};
use wharf_traces::traceql::Query;
use wharf_traces::{Options, Range, Search, TraceStore};

#[derive(Debug, Clone)]
enum Step {
    Push(Vec<Span>),
    Flush,
    Maintain,
    Reopen,
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        "[a-c]{0,3}".prop_map(Value::Text),
        any::<bool>().prop_map(Value::Bool),
        (0..4_i64).prop_map(Value::Int),
        (0..4_i32).prop_map(|n| Value::Double(f64::from(n) / 2.0)),
        proptest::collection::vec(any::<u8>(), 0..4).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::List),
            proptest::collection::vec(("[a-c]", inner), 0..3).prop_map(Value::Map),
        ]
    })
}

fn attributes() -> impl Strategy<Value = Vec<(String, Value)>> {
    proptest::collection::btree_map("[a-c]", value(), 0..3)
        .prop_map(|map| map.into_iter().collect())
}

prop_compose! {
    fn span()(
        trace in 1..6_u128,
        id in 1..12_u64,
        parent in 0..12_u64,
        service in "[a-d]",
        name in "[x-z]",
        kind in prop_oneof![Just(SpanKind::Server), Just(SpanKind::Client), Just(SpanKind::Internal)],
        status in prop_oneof![Just(SpanStatus::Unset), Just(SpanStatus::Ok), Just(SpanStatus::Error)],
        start in 0..1_000_i64,
        duration in 0..50_i64,
        attributes in attributes(),
        resource in attributes(),
        event in proptest::option::of(attributes()),
    ) -> Span {
        let link = SpanLink { trace: TraceId(trace), span: SpanId(id), attributes: resource.clone() };
        Span {
            trace: TraceId(trace),
            id: SpanId(id),
            parent: SpanId(parent),
            name,
            service,
            kind,
            start_nanos: start,
            end_nanos: start + duration,
            status,
            message: String::new(),
            attributes,
            resource,
            scope: String::new(),
            links: event.iter().map(|_| link.clone()).collect(),
            events: event
                .into_iter()
                .map(|attributes| SpanEvent { nanos: start, name: "e".to_owned(), attributes })
                .collect(),
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => proptest::collection::vec(span(), 0..8).prop_map(Step::Push),
        2 => Just(Step::Flush),
        1 => Just(Step::Maintain),
        1 => Just(Step::Reopen),
    ]
}

/// Every trace as it has to be: of the same spans the first, ordered by start and id.
fn expected(pushed: &[Span]) -> BTreeMap<TraceId, Vec<Span>> {
    let mut seen = BTreeSet::new();
    let mut traces: BTreeMap<TraceId, Vec<Span>> = BTreeMap::new();
    for span in pushed {
        if seen.insert((span.trace, span.id, span.kind, span.service.clone())) {
            traces.entry(span.trace).or_default().push(span.clone());
        }
    }
    for spans in traces.values_mut() {
        spans.sort_by_key(|span| (span.start_nanos, span.id));
    }
    traces
}

/// The newest traces of which a span of the range fits.
fn found(
    traces: &BTreeMap<TraceId, Vec<Span>>,
    range: Range,
    limit: usize,
    fits: impl Fn(&Span) -> bool,
) -> Vec<TraceId> {
    let runs = |span: &&Span| span.start_nanos <= range.end && span.end_nanos >= range.start;
    let mut ids: Vec<(i64, TraceId)> = traces
        .iter()
        .filter(|(_, spans)| spans.iter().filter(runs).any(&fits))
        .map(|(id, spans)| (-spans[0].start_nanos, *id))
        .collect();
    ids.sort();
    ids.into_iter().take(limit).map(|(_, id)| id).collect()
}

fn of(span: &Span, name: &str) -> Option<Value> {
    let found = span.attributes.iter().find(|(n, _)| n == name);
    found.map(|(_, value)| value.clone())
}

fn compare(store: &TraceStore, pushed: &[Span], range: Range, limit: usize) {
    let traces = expected(pushed);
    for id in (0..7).map(TraceId) {
        let trace = store.trace(id).map(|trace| trace.spans);
        // Those that begin at the same time with the same id are in any order.
        let sorted = |spans: Option<&Vec<Span>>| {
            let mut texts: Vec<String> = spans
                .into_iter()
                .flatten()
                .map(|span| format!("{:020} {span:?}", span.start_nanos))
                .collect();
            texts.sort();
            texts
        };
        assert_eq!(
            sorted(trace.as_ref()),
            sorted(traces.get(&id)),
            "trace {id}"
        );
    }
    let check = |query: &str, fits: &dyn Fn(&Span) -> bool| {
        let search = Search {
            query: Query::parse(query).expect(query),
            range,
            limit,
            spans_per_trace: 1,
        };
        let got = store.search(&search, &()).expect("an answer").traces;
        let got: Vec<TraceId> = got.into_iter().map(|told| told.trace).collect();
        assert_eq!(got, found(&traces, range, limit, fits), "{query} {range:?}");
    };
    check("{}", &|_| true);
    check("{ .service.name = \"a\" && status = error }", &|span| {
        span.service == "a" && span.status == SpanStatus::Error
    });
    check("{ duration > 25ns || name = \"z\" }", &|span| {
        span.end_nanos - span.start_nanos > 25 || span.name == "z"
    });
    check("{ span.a = 2 }", &|span| match of(span, "a") {
        Some(Value::Int(2)) => true,
        Some(Value::Double(number)) => number == 2.0,
        Some(Value::List(items)) => items
            .iter()
            .any(|item| [Value::Int(2), Value::Double(2.0)].contains(item)),
        _ => false,
    });
    let services: BTreeSet<String> = pushed.iter().map(|span| span.service.clone()).collect();
    assert_eq!(store.services(Range::ALL), services);
    let mut edges: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
    for spans in traces.values() {
        for span in spans {
            // Of several with the parent's id the last counts.
            let Some(parent) = spans.iter().rfind(|other| other.id == span.parent) else {
                continue;
            };
            if parent.service != span.service {
                let edge = (parent.service.clone(), span.service.clone());
                let calls = edges.entry(edge).or_default();
                calls.0 += 1;
                let failed = |span: &Span| span.status == SpanStatus::Error;
                calls.1 += u64::from(failed(span) || failed(parent));
            }
        }
    }
    let graph = store.service_graph(Range::ALL, &()).expect("a graph");
    let got: BTreeMap<(String, String), (u64, u64)> = graph
        .edges
        .into_iter()
        .map(|edge| ((edge.client, edge.server), (edge.calls, edge.errors)))
        .collect();
    let calls = |edges: &BTreeMap<_, (u64, u64)>| edges.values().map(|(n, _)| n).sum::<u64>();
    // Which of two parents with one id is taken may differ, not how many calls there are to whom.
    if traces.values().all(|spans| {
        let ids: BTreeSet<SpanId> = spans.iter().map(|span| span.id).collect();
        ids.len() == spans.len()
    }) {
        assert_eq!(got, edges);
    } else {
        assert!(calls(&got) <= u64::try_from(pushed.len()).expect("small"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn answers_are_those_of_a_list(
        steps in proptest::collection::vec(step(), 1..24),
        head_bytes in prop_oneof![Just(200_usize), Just(2_000), Just(1 << 20)],
        start in 0..1_000_i64,
        width in 0..1_000_i64,
        limit in 1..5_usize,
    ) {
        let dir = tempfile::tempdir().expect("a folder");
        let options = Options { head_bytes, ..Options::default() };
        let open = || TraceStore::open(dir.path(), options.clone()).expect("a store");
        let mut store = Some(open().0);
        let mut pushed: Vec<Span> = vec![];
        for step in steps {
            let open_store = store.as_ref().expect("open");
            match step {
                Step::Push(spans) => {
                    let cursor = [("log".to_owned(), pushed.len().to_string())];
                    open_store.push(&spans, &cursor).expect("room");
                    pushed.extend(spans);
                }
                Step::Flush => open_store.flush().expect("room"),
                Step::Maintain => drop(open_store.maintain(Timestamp(1)).expect("room")),
                Step::Reopen => {
                    let cursors = open_store.cursors();
                    drop(store.take());
                    let (again, recovery) = open();
                    prop_assert_eq!(recovery.damage, Vec::<String>::new());
                    prop_assert_eq!(recovery.torn_bytes, 0);
                    prop_assert_eq!(again.cursors(), cursors);
                    store = Some(again);
                }
            }
        }
        let store = store.expect("open");
        compare(&store, &pushed, Range { start, end: start + width }, limit);
        compare(&store, &pushed, Range::ALL, limit);
        prop_assert_eq!(store.health().damaged, 0);
    }
}
