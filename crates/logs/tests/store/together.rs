//! Everything at once: pushes, chunk files, merges, the archive, questions.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use wharf_logs::{Listener, Options};
use wharf_signal::{Direction, Matcher};

use crate::{ask, batch, entry, lines, open};

const LINES: i64 = 3000;
const EVERYTHING: (i64, i64) = (i64::MIN, i64::MAX);

#[test]
fn who_listens_is_told_of_lines() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Options::default());
    let told = Arc::new(AtomicUsize::new(0));
    let count = told.clone();
    let listener: Arc<Listener> = Arc::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
    });
    store.listen(&listener);
    for entries in [
        vec![entry(1, "a"), entry(2, "b")],
        Vec::new(),
        vec![entry(3, "c")],
    ] {
        store.push(&batch("a", entries)).expect("room");
    }
    assert_eq!(told.load(Ordering::SeqCst), 2);
    drop(listener);
    store.push(&batch("a", vec![entry(4, "d")])).expect("room");
    assert_eq!(told.load(Ordering::SeqCst), 2);
}

#[test]
fn nobody_sees_half_of_anything() {
    let dir = tempfile::tempdir().expect("a folder");
    let options = Options {
        block_bytes: 400,
        head_bytes: 5000,
        query_bytes: 3000,
        // What is older than a line or two goes to the archive.
        hot: Duration::from_nanos(1500),
        ..Options::default()
    };
    let store = open(dir.path(), options.clone());
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let pushers: Vec<_> = ["a", "b", "c"]
            .into_iter()
            .map(|app| {
                let store = store.clone();
                scope.spawn(move || {
                    for n in (0..LINES).step_by(3) {
                        let entries = (n..n + 3).map(|n| entry(n, format!("{app} {n}")));
                        store.push(&batch(app, entries.collect())).expect("room");
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            let mut now = 0;
            while !over.load(Ordering::Relaxed) {
                store.maintain(now).expect("nothing wrong");
                store.flush().expect("room");
                now += 50;
            }
        });
        scope.spawn(|| {
            let mut direction = Direction::Forward;
            let mut before = 0;
            let one = [Matcher::equal("app", "a")];
            while !over.load(Ordering::Relaxed) {
                let mut found = ask(&store, &one, EVERYTHING, direction);
                if direction == Direction::Backward {
                    found.reverse();
                }
                let times: Vec<_> = found.iter().map(|(_, e)| e.nanos).collect();
                let expected: Vec<_> = (0..).take(times.len()).collect();
                assert_eq!(times, expected, "every line up to the last, once");
                assert!(times.len() >= before && times.len() % 3 == 0);
                before = times.len();
                direction = match direction {
                    Direction::Forward => Direction::Backward,
                    Direction::Backward => Direction::Forward,
                };
            }
        });
        for pusher in pushers {
            pusher.join().expect("no panic");
        }
        over.store(true, Ordering::Relaxed);
    });
    let health = store.health();
    assert_eq!((health.damage.found, health.trouble), (0, None));
    drop(store);
    let store = open(dir.path(), options);
    let mut seen: HashMap<String, usize> = HashMap::new();
    for line in lines(&store) {
        *seen.entry(line).or_default() += 1;
    }
    assert!(seen.values().all(|n| *n == 1));
    assert_eq!(seen.len() as i64, 3 * LINES);
}
