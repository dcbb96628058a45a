//! What is refused, cut or dropped.

use wharf_logs::{Batch, Cursor, Limits, LogStore, OpenError, Options, Origin, PushError, Refusal};
use wharf_signal::Labels;

use crate::{batch, entry, lines, open, stream};

const HOUR: i64 = 3_600_000_000_000;

#[test]
fn a_store_has_one_owner() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Options::default());
    let second = LogStore::open(dir.path(), Options::default());
    assert!(matches!(second, Err(OpenError::InUse(_))));
    drop(store);
    open(dir.path(), Options::default());
}

#[test]
fn a_client_that_sends_again_changes_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Options::default());
    let mut sent = batch("a", vec![entry(1, "x"), entry(1, "y"), entry(2, "x")]);
    sent.origin = Origin::Remote;
    assert_eq!(store.push(&sent).expect("room").entries, 3);
    let again = store.push(&sent).expect("room");
    assert_eq!((again.entries, again.duplicates), (0, 3));
    sent.origin = Origin::Local;
    assert_eq!(store.push(&sent).expect("room").entries, 3);
    assert_eq!(lines(&store), ["x", "y", "x", "y", "x", "x"]);
}

#[test]
fn what_is_too_late_is_refused_of_clients_only() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Options::default());
    let mut sent = batch("a", vec![entry(2 * HOUR, "new"), entry(HOUR, "late")]);
    sent.origin = Origin::Remote;
    assert_eq!(store.push(&sent).expect("room").entries, 2);
    sent.streams[0].1 = vec![entry(HOUR - 1, "too late"), entry(3 * HOUR, "newer")];
    let pushed = store.push(&sent).expect("room");
    assert_eq!((pushed.entries, pushed.refused.len()), (1, 1));
    let why = &pushed.refused[0].why;
    assert!(
        matches!(why, Refusal::TooFarBehind { nanos, .. } if *nanos == HOUR - 1),
        "{why}"
    );
    sent.origin = Origin::Local;
    assert_eq!(store.push(&sent).expect("room").entries, 2);
}

#[test]
fn limits_hold() {
    let dir = tempfile::tempdir().expect("a folder");
    let options = Options {
        limits: Limits {
            streams: 1,
            line_bytes: 30,
            metadata: 1,
            cursors: 1,
            ..Limits::default()
        },
        ..Options::default()
    };
    let store = open(dir.path(), options);
    let mut long = entry(1, "z".repeat(50));
    long.metadata = Labels::from_pairs([("a", "1"), ("b", "2")]);
    let pushed = store.push(&batch("a", vec![long])).expect("room");
    assert_eq!((pushed.cut, pushed.metadata_cut), (1, 1));
    let second = store
        .push(&batch("b", vec![entry(1, "x")]))
        .expect("an answer");
    assert_eq!(second.refused[0].why, Refusal::Streams(1));
    let cursors = |sources: &[&str]| Batch {
        cursors: sources
            .iter()
            .map(|s| ((*s).to_owned(), Cursor::default()))
            .collect(),
        ..Batch::default()
    };
    store.push(&cursors(&["one"])).expect("room");
    let error = store.push(&cursors(&["two"])).expect_err("one too many");
    assert!(matches!(error, PushError::Cursors(1)));
    let gone = Batch {
        gone: vec!["one".to_owned()],
        ..Batch::default()
    };
    store.push(&gone).expect("room");
    store.push(&cursors(&["two"])).expect("room");
    store.flush().expect("room");
    drop(store);
    let store = open(dir.path(), Options::default());
    assert_eq!(store.cursors().keys().collect::<Vec<_>>(), ["two"]);
    assert!(lines(&store)[0].ends_with(" [cut: 50 bytes]"));
}

#[test]
fn a_query_ends_when_it_is_told_to() {
    use std::ops::ControlFlow;
    use wharf_signal::{Direction, Interrupt, Interrupted, LogSelect, LogSource, SourceError};
    struct Never;
    impl Interrupt for Never {
        fn check(&self) -> Result<(), Interrupted> {
            Err(Interrupted::Timeout)
        }
    }
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Options::default());
    let many = (0..5000).map(|n| entry(n, "x")).collect();
    store.push(&batch("a", many)).expect("room");
    let select = LogSelect {
        matchers: &[],
        start: 0,
        end: i64::MAX,
        direction: Direction::Backward,
        contains: &[],
        metadata: &[],
    };
    let mut seen = 0;
    let error = store.visit(select, &Never, &mut |_, _| {
        seen += 1;
        ControlFlow::Continue(())
    });
    assert!(matches!(
        error,
        Err(SourceError::Interrupted(Interrupted::Timeout))
    ));
    let mut last = Vec::new();
    let broken = store.visit(select, &(), &mut |_, entry| {
        last.push(entry.nanos);
        if last.len() == 3 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert!(broken.is_ok());
    assert_eq!(last, [4999, 4998, 4997]);
}

#[test]
fn what_there_is_is_told_without_opening_blocks() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Options::default());
    store
        .push(&batch("a", vec![entry(0, "12345"), entry(9, "12345")]))
        .expect("room");
    store.flush().expect("room");
    store.push(&batch("b", vec![entry(5, "1")])).expect("room");
    let told = |range: (i64, i64)| {
        let stats = store.stats(&[], range.0, range.1, &()).expect("stats");
        (stats.streams, stats.chunks, stats.entries, stats.bytes)
    };
    assert_eq!(told((0, 10)), (2, 2, 3, 11));
    assert_eq!(told((0, 5)), (1, 1, 1, 5));
    assert_eq!(told((10, 20)), (0, 0, 0, 0));
    let values = store.label_values("app", &[], 0, 10, &()).expect("values");
    assert_eq!(values.into_iter().collect::<Vec<_>>(), ["a", "b"]);
    let names = store.label_names(&[], 6, 10, &()).expect("names");
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["app"]);
    let series = store.series(&[], 6, 10, &()).expect("series");
    assert_eq!(series.into_keys().collect::<Vec<_>>(), [stream("a")]);
}
