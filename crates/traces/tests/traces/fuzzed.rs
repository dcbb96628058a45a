//! What holds for any text as a query, checked by the fuzz target `traceql` and, over its corpus, by an ordinary test.

use std::sync::LazyLock;

use wharf_signal::{Span, SpanId, SpanKind, SpanStatus, TraceId, Value};
use wharf_traces::traceql::{Field, Query};
use wharf_traces::{Options, Range, Search, TraceStore};

static STORE: LazyLock<(tempfile::TempDir, TraceStore)> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, _) = TraceStore::open(dir.path(), Options::default()).expect("a store");
    let span = |id: u64| Span {
        trace: TraceId(1),
        id: SpanId(id),
        // Two of them are each other's parents.
        parent: SpanId(id ^ 1),
        name: "n".to_owned(),
        service: "a".to_owned(),
        kind: SpanKind::Server,
        start_nanos: i64::MAX - 5,
        end_nanos: i64::MAX,
        status: SpanStatus::Error,
        message: "m".to_owned(),
        attributes: vec![
            (
                "a".to_owned(),
                Value::List(vec![Value::Int(1), Value::Text("b".to_owned())]),
            ),
            ("n".to_owned(), Value::Double(f64::NAN)),
        ],
        resource: vec![],
        scope: String::new(),
        events: vec![],
        links: vec![],
    };
    store.push(&[span(2), span(3), span(8)], &[]).expect("room");
    (dir, store)
});

/// A query is read or refused at a place in it, and can be asked; nothing panics.
pub(crate) fn traceql(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(field) = Field::parse(text) {
        STORE
            .1
            .tag_values(&field, None, Range::ALL, &())
            .expect("nobody stops it");
    }
    match Query::parse(text) {
        Ok(query) => {
            let search = Search {
                query,
                range: Range::ALL,
                limit: 2,
                spans_per_trace: 2,
            };
            let found = STORE.1.search(&search, &()).expect("nobody stops it");
            assert!(found.traces.len() <= 1);
        }
        Err(error) => assert!((1..=text.len() + 1).contains(&error.column), "{error}"),
    }
}

#[cfg(test)]
#[test]
fn the_corpus_of_queries_holds() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/traceql");
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let bytes = std::fs::read(entry.expect("an entry").path()).expect("a file");
        traceql(&bytes);
        for at in 0..bytes.len() {
            traceql(&bytes[..at]);
            let mut changed = bytes.clone();
            changed[at] ^= 0x11;
            traceql(&changed);
        }
    }
}
