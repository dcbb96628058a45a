//! The store asked through LogQL.

use wharf_logql::{LogParams, log_query, parse};
use wharf_logs::{Batch, LogStore, Options};
use wharf_signal::{Direction, Labels, LogEntry};

use crate::open;

/// Lines that a query gives, the oldest first.
fn lines(store: &LogStore, query: &str) -> Vec<String> {
    let params = LogParams {
        start: 0,
        end: i64::MAX,
        limit: 100,
        direction: Direction::Forward,
        interval: 0,
        now: 0,
    };
    let expr = parse(query).expect(query);
    let found = log_query(store, &expr, &params, &()).expect(query);
    found.lines.into_iter().map(|line| line.line).collect()
}

#[test]
fn a_trace_id_is_found_among_the_labels_of_a_stream_too() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Options::default());
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let entry = |nanos: i64, trace: &str| LogEntry {
        nanos,
        line: format!("line {nanos}"),
        metadata: Labels::from_pairs([("trace_id", trace)]),
    };
    let streams = vec![
        (
            Labels::from_pairs([("app", "a"), ("trace_id", id)]),
            vec![entry(1, ""), entry(2, "other")],
        ),
        (
            Labels::from_pairs([("app", "a"), ("trace_id", "other")]),
            vec![entry(3, id)],
        ),
        (
            Labels::from_pairs([("app", "a")]),
            vec![entry(4, id), entry(5, "other")],
        ),
    ];
    let batch = Batch {
        streams,
        ..Batch::default()
    };
    store.push(&batch).expect("room");
    let query = format!(r#"{{app="a"}} | trace_id="{id}""#);
    let expected = ["line 1", "line 2", "line 4"];
    assert_eq!(lines(&store, &query), expected, "in memory");
    store.flush().expect("room");
    assert_eq!(lines(&store, &query), expected, "in a file");
}
