//! Ages: hot, archived, gone; and clocks that jump.

use std::time::Duration;

use wharf_logs::Options;

use crate::{batch, entry, lines, open};

const DAY: i64 = 24 * 3_600_000_000_000;

fn options() -> Options {
    Options {
        hot: Duration::from_secs(2 * 86_400),
        archive: Duration::from_secs(5 * 86_400),
        // As if it had been asked often enough.
        clock_step: Duration::from_secs(100 * 86_400),
        ..Options::default()
    }
}

#[test]
fn lines_move_to_the_archive_and_go() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = open(dir.path(), options());
    for day in 0..4 {
        let line = entry(day * DAY + 1, format!("day {day}"));
        store.push(&batch("a", vec![line])).expect("room");
        store.flush().expect("room");
    }
    store.maintain(4 * DAY).expect("nothing wrong");
    let health = store.health();
    assert_eq!((health.hot.files, health.archive.files), (2, 2));
    assert_eq!(lines(&store), ["day 0", "day 1", "day 2", "day 3"]);
    drop(store);
    store = open(dir.path(), options());
    assert_eq!(lines(&store), ["day 0", "day 1", "day 2", "day 3"]);
    let kept = store.maintain(6 * DAY).expect("nothing wrong");
    assert_eq!((kept.deleted, kept.archived), (1, 2));
    assert_eq!(lines(&store), ["day 1", "day 2", "day 3"]);
    let archived = std::fs::read_dir(dir.path().join("archive")).expect("a folder");
    assert_eq!(archived.count(), 3);
    let hot = std::fs::read_dir(dir.path().join("hot")).expect("a folder");
    assert_eq!(hot.count(), 0);
}

#[test]
fn the_oldest_go_when_there_are_too_many() {
    let dir = tempfile::tempdir().expect("a folder");
    let options = Options {
        max_bytes: Some(700),
        ..options()
    };
    let store = open(dir.path(), options);
    for day in 0..4 {
        store
            .push(&batch("a", vec![entry(day * DAY, format!("day {day}"))]))
            .expect("room");
        store.flush().expect("room");
    }
    store.maintain(4 * DAY).expect("nothing wrong");
    let health = store.health();
    assert!(health.hot.bytes + health.archive.bytes <= 700, "{health:?}");
    assert_eq!(lines(&store).last().map(String::as_str), Some("day 3"));
}

#[test]
fn a_clock_that_jumps_deletes_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let options = Options {
        clock_step: Duration::from_secs(600),
        ..options()
    };
    let mut store = open(dir.path(), options.clone());
    let mut expected = Vec::new();
    let mut push = |store: &wharf_logs::LogStore, now: i64| {
        let line = format!("at {now}");
        store
            .push(&batch("a", vec![entry(now, line.clone())]))
            .expect("room");
        expected.push((now, line));
        store.maintain(now).expect("nothing wrong");
    };
    for now in [
        10 * DAY,
        10 * DAY + 1,
        400 * DAY,
        400 * DAY + 1,
        10 * DAY + 2,
        DAY,
        10 * DAY + 3,
    ] {
        push(&store, now);
    }
    store.flush().expect("room");
    drop(store);
    store = open(dir.path(), options);
    push(&store, 400 * DAY + 2);
    expected.sort();
    let expected: Vec<_> = expected.into_iter().map(|(_, line)| line).collect();
    assert_eq!(lines(&store), expected);
}

#[test]
fn small_files_become_large_ones() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), options());
    for n in 0..40i64 {
        let line = format!("line {n}");
        store
            .push(&batch(&format!("a{}", n % 3), vec![entry(DAY + n, line)]))
            .expect("room");
        store.flush().expect("room");
        store.maintain(DAY + n).expect("nothing wrong");
    }
    let health = store.health();
    assert!(health.hot.files < 10, "{health:?}");
    let expected: Vec<_> = (0..40).map(|n| format!("line {n}")).collect();
    assert_eq!(lines(&store), expected);
    let files = std::fs::read_dir(dir.path().join("hot")).expect("a folder");
    assert_eq!(files.count(), health.hot.files);
}
