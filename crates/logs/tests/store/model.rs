//! The store against a list.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use proptest::prelude::*;
use wharf_logs::{Batch, Cursor, LogStore, Options, Origin};
use wharf_signal::{Direction, Labels, LogEntry, LogSelect, LogSource, MatchOp, Matcher};

use crate::{ask, open, stream};

#[derive(Debug, Clone)]
enum Step {
    Push {
        app: usize,
        entries: Vec<(i64, String, Option<String>)>,
        remote: bool,
        cursor: Option<u64>,
    },
    Flush,
    Maintain,
    Reopen,
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-d ]{0,12}",
        1 => "[a-d]{30,90}",
        1 => "[é-ü]{0,4}",
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let entries = prop::collection::vec((0i64..40, text(), prop::option::of("[ab]{4,5}")), 0..25);
    prop_oneof![
        8 => (0usize..4, entries, any::<bool>(), prop::option::of(any::<u64>()))
            .prop_map(|(app, entries, remote, cursor)| Step::Push { app, entries, remote, cursor }),
        2 => Just(Step::Flush),
        1 => Just(Step::Maintain),
        1 => Just(Step::Reopen),
    ]
}

/// Blocks and files so small that all of them come into play.
fn small() -> Options {
    Options {
        block_bytes: 300,
        head_bytes: 3000,
        query_bytes: 2000,
        ..Options::default()
    }
}

/// What the store should hold: in the order in which it came.
#[derive(Default)]
struct Model {
    entries: Vec<(Labels, LogEntry)>,
    cursors: BTreeMap<String, Cursor>,
}

impl Model {
    fn ordered(&self, keep: impl Fn(&Labels, &LogEntry) -> bool) -> Vec<(Labels, LogEntry)> {
        let kept = self.entries.iter().filter(|(l, e)| keep(l, e));
        let mut all: Vec<_> = kept.cloned().collect();
        all.sort_by_key(|(_, e)| e.nanos);
        all
    }
}

/// Between streams the order of entries of one time is nobody's business.
fn by_stream(all: &[(Labels, LogEntry)]) -> Vec<(Labels, LogEntry)> {
    let mut all = all.to_vec();
    all.sort_by(|a, b| (a.1.nanos, &a.0).cmp(&(b.1.nanos, &b.0)));
    all
}

#[track_caller]
fn check(store: &LogStore, model: &Model, range: (i64, i64), needles: &[String]) {
    let within = |e: &LogEntry| (range.0..range.1).contains(&e.nanos);
    let forward = ask(store, &[], range, Direction::Forward);
    assert!(forward.is_sorted_by_key(|(_, e)| e.nanos));
    assert_eq!(
        by_stream(&forward),
        by_stream(&model.ordered(|_, e| within(e)))
    );

    let mut backward = ask(store, &[], range, Direction::Backward);
    backward.reverse();
    assert!(backward.is_sorted_by_key(|(_, e)| e.nanos));
    assert_eq!(by_stream(&backward), by_stream(&forward));

    let select = LogSelect {
        matchers: &[],
        start: range.0,
        end: range.1,
        direction: Direction::Backward,
        contains: &[],
        metadata: &[],
    };
    let mut unordered = Vec::new();
    let mut visit = |labels: &Labels, entry: &LogEntry| {
        unordered.push((labels.clone(), entry.clone()));
        ControlFlow::Continue(())
    };
    store
        .visit_unordered(select, &(), &mut visit)
        .expect("an answer");
    let sorted = |all: &[(Labels, LogEntry)]| {
        let mut all: Vec<_> = all
            .iter()
            .map(|(l, e)| (l.clone(), e.nanos, e.line.clone()))
            .collect();
        all.sort();
        all
    };
    assert_eq!(sorted(&unordered), sorted(&forward));

    let some = [Matcher::new("app", MatchOp::Regex, "a1|a[2]").expect("a matcher")];
    let matching = ask(store, &some, range, Direction::Forward);
    let expected = model.ordered(|l, e| within(e) && some[0].matches_labels(l));
    assert_eq!(by_stream(&matching), by_stream(&expected));

    let metadata = [("id".to_owned(), "abab".to_owned())];
    // Every stream has this label, so that its value among the metadata says nothing.
    let of_streams = [("app".to_owned(), "abab".to_owned())];
    for (needles, metadata) in [
        (needles, &metadata[..0]),
        (&[][..], &metadata[..]),
        (&[][..], &of_streams[..]),
    ] {
        let select = LogSelect {
            matchers: &[],
            start: range.0,
            end: range.1,
            direction: Direction::Backward,
            contains: needles,
            metadata,
        };
        let wanted = |l: &Labels, e: &LogEntry| {
            let has = |(n, v): &(String, String)| l.get(n).is_some() || e.metadata.value(n) == v;
            needles.iter().all(|n| e.line.contains(n.as_str())) && metadata.iter().all(has)
        };
        let mut hits = Vec::new();
        let mut visit = |labels: &Labels, entry: &LogEntry| {
            if wanted(labels, entry) {
                hits.push((labels.clone(), entry.clone()));
            }
            ControlFlow::Continue(())
        };
        store.visit(select, &(), &mut visit).expect("an answer");
        hits.reverse();
        let expected = model.ordered(|l, e| within(e) && wanted(l, e));
        assert_eq!(by_stream(&hits), by_stream(&expected), "{needles:?}");
    }

    let stats = store.stats(&[], i64::MIN, i64::MAX, &()).expect("stats");
    assert_eq!(stats.entries, model.entries.len() as u64);
    let bytes: usize = model.entries.iter().map(|(_, e)| e.line.len()).sum();
    assert_eq!(stats.bytes, bytes as u64);
    assert_eq!(store.cursors(), model.cursors);
}

fn push(store: &LogStore, model: &mut Model, step: &Step) {
    let Step::Push {
        app,
        entries,
        remote,
        cursor,
    } = step
    else {
        return;
    };
    let labels = stream(&format!("a{app}"));
    let source = format!("source {app}");
    let entries: Vec<_> = entries
        .iter()
        .map(|(nanos, line, id)| LogEntry {
            nanos: *nanos,
            line: line.clone(),
            metadata: Labels::from_pairs(id.iter().map(|id| ("id", id.as_str()))),
        })
        .collect();
    let cursor = cursor.map(|offset| Cursor { file: 1, offset });
    let before = model.entries.len();
    for entry in &entries {
        let same = |(l, e): &(Labels, LogEntry)| {
            *l == labels && e.nanos == entry.nanos && e.line == entry.line
        };
        // What is compressed already is not looked into: the batch itself always is.
        if !*remote || !model.entries[before..].iter().any(same) {
            model.entries.push((labels.clone(), entry.clone()));
        }
    }
    let batch = Batch {
        streams: vec![(labels.clone(), entries.clone())],
        origin: if *remote {
            Origin::Remote
        } else {
            Origin::Local
        },
        cursors: cursor.iter().map(|c| (source.clone(), *c)).collect(),
        gone: Vec::new(),
    };
    let held = ask(store, &[], (i64::MIN, i64::MAX), Direction::Forward);
    let pushed = store.push(&batch).expect("room");
    if *remote {
        // Which older entries it still knows is its business; that it dropped only such is not.
        let known = |e: &LogEntry| {
            held.iter()
                .any(|(l, h)| *l == labels && h.nanos == e.nanos && h.line == e.line)
        };
        let dropped = model.entries.len() - before - pushed.entries;
        let all: Vec<_> = model.entries.drain(before..).collect();
        let candidates = all.iter().filter(|(_, e)| known(e)).count();
        assert!(dropped <= candidates);
        let now = ask(store, &[], (i64::MIN, i64::MAX), Direction::Forward);
        for (l, e) in all {
            let same = |list: &[(Labels, LogEntry)]| {
                let same = |(hl, h): &&(Labels, LogEntry)| {
                    *hl == l && h.nanos == e.nanos && h.line == e.line
                };
                list.iter().filter(same).count()
            };
            if same(&now) > same(&held) {
                model.entries.push((l, e));
            }
        }
    } else {
        assert_eq!(pushed.entries, entries.len());
    }
    if let Some(cursor) = cursor {
        model.cursors.insert(source, cursor);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn it_holds_what_a_list_holds(
        steps in prop::collection::vec(step(), 1..25),
        start in 0i64..40,
        length in 0i64..40,
        needles in prop::collection::vec("[a-d]{0,6}", 0..3),
    ) {
        let dir = tempfile::tempdir().expect("a folder");
        let mut store = open(dir.path(), small());
        let mut model = Model::default();
        for step in &steps {
            match step {
                Step::Push { .. } => push(&store, &mut model, step),
                Step::Flush => {
                    store.flush().expect("room");
                }
                Step::Maintain => {
                    store.maintain(50).expect("nothing wrong");
                }
                Step::Reopen => {
                    drop(store);
                    store = open(dir.path(), small());
                }
            }
            check(&store, &model, (start, start + length), &needles);
        }
        prop_assert_eq!(store.health().damage.found, 0);
    }
}
