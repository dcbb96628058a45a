//! The store through its public face.

mod archived;
mod crash;
mod damage;
mod full;
mod limits;
mod logql;
mod model;
mod retention;
mod together;

use std::ops::ControlFlow;

use wharf_logs::{Batch, LogStore, Options};
use wharf_signal::{Direction, Labels, LogEntry, LogSelect, LogSource, Matcher};

/// A line without metadata.
fn entry(nanos: i64, line: impl Into<String>) -> LogEntry {
    LogEntry {
        nanos,
        line: line.into(),
        metadata: Labels::empty(),
    }
}

fn stream(app: &str) -> Labels {
    Labels::from_pairs([("app", app)])
}

fn batch(app: &str, entries: Vec<LogEntry>) -> Batch {
    Batch {
        streams: vec![(stream(app), entries)],
        ..Batch::default()
    }
}

fn open(dir: &std::path::Path, options: Options) -> LogStore {
    let (store, recovery) = LogStore::open(dir, options).expect("a store");
    assert_eq!(recovery.damaged, [] as [&str; 0]);
    store
}

/// All entries of a range, as they come.
fn ask(
    store: &LogStore,
    matchers: &[Matcher],
    (start, end): (i64, i64),
    direction: Direction,
) -> Vec<(Labels, LogEntry)> {
    let select = LogSelect {
        matchers,
        start,
        end,
        direction,
        contains: &[],
        metadata: &[],
    };
    let mut found = Vec::new();
    store
        .visit(select, &(), &mut |labels, entry| {
            found.push((labels.clone(), entry.clone()));
            ControlFlow::Continue(())
        })
        .expect("an answer");
    found
}

/// All lines, the oldest first.
fn lines(store: &LogStore) -> Vec<String> {
    let all = ask(store, &[], (i64::MIN, i64::MAX), Direction::Forward);
    all.into_iter().map(|(_, entry)| entry.line).collect()
}
