//! Appending, querying, blocks, deletion, limits.

use wharf_signal::{AppendError, MatchOp, Matcher, Sample, SampleSink};
use wharf_tsdb::{Db, OpenError, Options};

use crate::store::{HOUR, MINUTE, add, everything, labels, open, options, select, short};

#[test]
fn samples_are_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (labels("up", &[("job", "a")]), labels("up", &[("job", "b")]));
    let before = {
        let (db, recovery) = open(dir.path(), options());
        assert_eq!(recovery.damage, []);
        for i in 0..500 {
            add(
                &db,
                &[(&a, i * 15_000, i as f64), (&b, i * 15_000 + 7, 0.5)],
            );
        }
        everything(&db)
    };
    assert_eq!(before[0].samples.len(), 500);
    assert_eq!(
        before[1].samples[499],
        Sample {
            t: 499 * 15_000 + 7,
            v: 0.5
        }
    );
    for _ in 0..3 {
        let (db, recovery) = open(dir.path(), options());
        assert_eq!(recovery.damage, []);
        assert_eq!(everything(&db), before);
    }
}

#[test]
fn a_store_is_open_once() {
    let dir = tempfile::tempdir().unwrap();
    let (db, _) = open(dir.path(), options());
    let again = Db::open(dir.path(), options()).unwrap_err();
    assert!(matches!(again, OpenError::Locked(_)));
    assert!(again.to_string().contains("open already"), "{again}");
    drop(db);
    open(dir.path(), options());
}

#[test]
fn what_is_wrong_with_a_sample_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let strict = Options {
        late: std::time::Duration::ZERO,
        max_series: 2,
        max_labels: 3,
        max_value_bytes: 10,
        ..options()
    };
    let (db, _) = open(dir.path(), strict);
    let a = labels("a", &[]);
    let said = add(
        &db,
        &[
            (&a, 1000, 1.0),
            (&a, 1000, 1.0),
            (&a, 1000, 2.0),
            (&a, 999, 1.0),
            (&a, 1001, 1.0),
        ],
    );
    let errors: Vec<_> = said.into_iter().map(Result::err).collect();
    let wanted = [
        None,
        None,
        Some(AppendError::Duplicate),
        Some(AppendError::OutOfOrder),
        None,
    ];
    assert_eq!(errors, wanted);
    let long = labels("a", &[("x", "12345678901")]);
    let many = labels("a", &[("x", "1"), ("y", "2"), ("z", "3")]);
    let said = add(
        &db,
        &[
            (&long, 1, 1.0),
            (&many, 1, 1.0),
            (&wharf_signal::Labels::empty(), 1, 1.0),
        ],
    );
    assert!(matches!(&said[0], Err(AppendError::Limit(what)) if what.contains("11 bytes")));
    assert!(matches!(&said[1], Err(AppendError::Limit(what)) if what.contains("4 labels")));
    assert!(matches!(&said[2], Err(AppendError::Labels(_))));
    let said = add(
        &db,
        &[(&labels("b", &[]), 1, 1.0), (&labels("c", &[]), 1, 1.0)],
    );
    assert!(matches!(&said[1], Err(AppendError::Limit(what)) if what.contains("max_series")));
    assert_eq!(everything(&db).len(), 2);
}

#[test]
fn a_batch_that_is_dropped_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let a = labels("a", &[]);
    {
        let (db, _) = open(dir.path(), options());
        let mut batch = db.appender();
        let known = batch.append(None, &a, 1, 1.0).unwrap();
        drop(batch);
        assert_eq!(everything(&db), []);
        let mut batch = db.appender();
        assert_eq!(batch.append(Some(known), &a, 2, 2.0), Ok(known));
        batch.commit().unwrap();
    }
    let (db, _) = open(dir.path(), options());
    assert_eq!(everything(&db)[0].samples, [Sample { t: 2, v: 2.0 }]);
}

#[test]
fn a_query_sees_what_was_there_when_it_began() {
    let dir = tempfile::tempdir().unwrap();
    let (db, _) = open(dir.path(), short());
    let names: Vec<_> = (0..40)
        .map(|i| labels("m", &[("i", &format!("{i:02}"))]))
        .collect();
    for t in 0..100 {
        let batch: Vec<_> = names.iter().map(|l| (l, t * 1000, t as f64)).collect();
        add(&db, &batch);
    }
    let matchers = [Matcher::equal("__name__", "m")];
    let all = wharf_signal::Select {
        matchers: &matchers,
        start: 0,
        end: i64::MAX,
    };
    let mut answers = wharf_signal::SampleSource::select(&db, all, &()).unwrap();
    let first = answers.next().unwrap().unwrap();
    assert_eq!(first.samples.len(), 100);
    for t in 100..1000 {
        let batch: Vec<_> = names.iter().map(|l| (l, t * 1000, t as f64)).collect();
        add(&db, &batch);
        if t % 60 == 0 {
            db.maintain(t * 1000).unwrap();
        }
    }
    for series in answers {
        assert_eq!(series.unwrap().samples, first.samples);
    }
    db.maintain(1_000_000).unwrap();
    assert!(db.stats().blocks > 1);
    let now = everything(&db);
    assert_eq!((now.len(), now[7].samples.len()), (40, 1000));
}

#[test]
fn matchers_choose_as_in_prometheus() {
    let dir = tempfile::tempdir().unwrap();
    let (db, _) = open(dir.path(), short());
    let sets = [
        labels("m", &[("n", "1")]),
        labels("m", &[("n", "1"), ("i", "a")]),
        labels("m", &[("n", "1"), ("i", "b")]),
        labels("m", &[("n", "2")]),
        labels("m", &[("n", "2.5")]),
    ];
    let check = |name: &str, op, value: &str, expected: &[usize]| {
        let matcher = Matcher::new(name, op, value).unwrap();
        let found = select(
            &db,
            &[Matcher::equal("__name__", "m"), matcher.clone()],
            0,
            i64::MAX,
        );
        let mut wanted: Vec<_> = expected.iter().map(|at| sets[*at].clone()).collect();
        wanted.sort();
        let found: Vec<_> = found.into_iter().map(|s| s.labels).collect();
        assert_eq!(found, wanted, "{matcher}");
    };
    for round in 0..2 {
        let batch: Vec<_> = sets.iter().map(|l| (l, 1000, 1.0)).collect();
        if round == 0 {
            add(&db, &batch);
        } else {
            // Once more out of a block.
            let later: Vec<_> = sets.iter().map(|l| (l, 10 * MINUTE, 1.0)).collect();
            add(&db, &later);
            db.maintain(10 * MINUTE).unwrap();
            assert_eq!(db.stats().blocks, 1);
        }
        use MatchOp::{Equal, NotEqual, NotRegex, Regex};
        check("n", Equal, "1", &[0, 1, 2]);
        check("n", Equal, "", &[]);
        check("i", Equal, "", &[0, 3, 4]);
        check("i", Equal, "a", &[1]);
        check("i", NotEqual, "a", &[0, 2, 3, 4]);
        check("i", NotEqual, "", &[1, 2]);
        check("n", Regex, "1|2", &[0, 1, 2, 3]);
        check("n", Regex, "2.*", &[3, 4]);
        check("i", Regex, "a|", &[0, 1, 3, 4]);
        check("i", Regex, ".*", &[0, 1, 2, 3, 4]);
        check("i", Regex, ".+", &[1, 2]);
        check("i", NotRegex, ".+", &[0, 3, 4]);
        check("i", NotRegex, "a|", &[2]);
        check("n", NotRegex, "2.*", &[0, 1, 2]);
        check("missing", NotEqual, "x", &[0, 1, 2, 3, 4]);
        check("missing", Equal, "x", &[]);
    }
}

#[test]
fn late_samples_are_taken_within_their_window() {
    let dir = tempfile::tempdir().unwrap();
    let a = labels("a", &[]);
    let wanted = {
        let (db, _) = open(dir.path(), options());
        for i in 0..1000 {
            add(&db, &[(&a, i * 15_000, 1.0)]);
        }
        let newest = 999 * 15_000;
        let said = add(
            &db,
            &[
                (&a, newest - 5 * MINUTE + 1, 2.0),
                (&a, newest - 11 * MINUTE, 2.0),
            ],
        );
        assert_eq!(said, [Ok(()), Err(AppendError::OutOfOrder)]);
        let found = everything(&db);
        assert_eq!(found[0].samples.len(), 1001);
        assert!(found[0].samples.is_sorted_by(|a, b| a.t < b.t));
        found
    };
    let (db, _) = open(dir.path(), options());
    assert_eq!(everything(&db), wanted);
    db.maintain(999 * 15_000).unwrap();
    assert_eq!(db.stats().blocks, 1);
    assert_eq!(everything(&db), wanted);
}

#[test]
fn blocks_grow_together_and_old_ones_go() {
    let dir = tempfile::tempdir().unwrap();
    let a = labels("a", &[]);
    let long = Options {
        retention: std::time::Duration::from_secs(120 * 3600),
        ..options()
    };
    let (db, _) = open(dir.path(), long.clone());
    let mut now = 0;
    for i in 0..(5 * 24 * 60) {
        now = i * MINUTE;
        add(&db, &[(&a, now, i as f64)]);
        if i % 10 == 0 {
            db.maintain(now).unwrap();
        }
    }
    let stats = db.stats();
    // 2 h, 6 h; 18 h would be longer than a tenth of what is kept.
    assert!((20..26).contains(&stats.blocks), "{stats:?}");
    assert_eq!(everything(&db)[0].samples.len(), 5 * 24 * 60);
    for i in 0..(24 * 6) {
        now += 10 * MINUTE;
        add(&db, &[(&a, now, i as f64)]);
        db.maintain(now).unwrap();
    }
    let kept = everything(&db);
    let oldest = kept[0].samples[0].t;
    assert!(
        now - oldest < 128 * HOUR && now - oldest >= 120 * HOUR,
        "{}",
        (now - oldest) / HOUR
    );
    drop(db);
    let (db, recovery) = open(dir.path(), long);
    assert_eq!(recovery.damage, []);
    assert_eq!(everything(&db), kept);
}

#[test]
fn what_is_deleted_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (labels("a", &[]), labels("b", &[]));
    let (db, _) = open(dir.path(), short());
    for t in 0..600 {
        add(&db, &[(&a, t * 1000, 1.0), (&b, t * 1000, 1.0)]);
    }
    db.maintain(600_000).unwrap();
    db.delete(&[Matcher::equal("__name__", "a")], 100_000, 550_000)
        .unwrap();
    let check = |db: &Db| {
        let found = everything(db);
        assert_eq!(found[1].samples.len(), 600);
        let times: Vec<_> = found[0].samples.iter().map(|s| s.t / 1000).collect();
        let wanted: Vec<_> = (0..100).chain(551..600).collect();
        assert_eq!(times, wanted);
    };
    check(&db);
    drop(db);
    let (db, _) = open(dir.path(), short());
    check(&db);
    db.clean_tombstones(600_000).unwrap();
    check(&db);
    db.delete(&[Matcher::equal("__name__", "b")], i64::MIN, i64::MAX)
        .unwrap();
    assert_eq!(everything(&db).len(), 1);
}

#[test]
fn an_emptied_store_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let any = Options {
        accept_any_age: true,
        ..short()
    };
    let (db, _) = open(dir.path(), any.clone());
    let a = labels("a", &[]);
    for round in 0..3 {
        for t in [5, 900, 3, 400, 1] {
            assert_eq!(add(&db, &[(&a, t * 1000, round as f64)]), [Ok(())]);
        }
        if round == 1 {
            db.maintain(1_700_000_000_000).unwrap();
        }
        let found = everything(&db);
        let times: Vec<_> = found[0].samples.iter().map(|s| (s.t / 1000, s.v)).collect();
        let v = round as f64;
        assert_eq!(times, [(1, v), (3, v), (5, v), (400, v), (900, v)]);
        db.clear().unwrap();
        assert_eq!(everything(&db), []);
    }
    add(&db, &[(&a, 7, 7.0)]);
    drop(db);
    let (db, recovery) = open(dir.path(), any);
    assert_eq!(recovery.damage, []);
    assert_eq!(everything(&db)[0].samples, [Sample { t: 7, v: 7.0 }]);
}

#[test]
fn a_clock_that_was_set_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (db, _) = open(dir.path(), options());
    let a = labels("a", &[]);
    let year = 365 * 24 * HOUR;
    let start = 50 * year;
    let mut wanted = Vec::new();
    let mut now = start;
    let mut step = |now: i64, minutes: i64| {
        for i in 0..minutes {
            let t = now + i * MINUTE;
            db.maintain(t).unwrap();
            assert_eq!(add(&db, &[(&a, t, 1.0)]), [Ok(())], "{t}");
            wanted.push(t);
        }
        now + minutes * MINUTE
    };
    now = step(now, 300);
    // A month ahead for half an hour, and back again.
    step(now + year / 12, 30);
    now = step(now + 30 * MINUTE, 300);
    // An hour back.
    db.maintain(now - HOUR).unwrap();
    step(now - HOUR + 30_000, 20);
    wanted.sort_unstable();
    let times = |db: &Db| {
        everything(db)[0]
            .samples
            .iter()
            .map(|s| s.t)
            .collect::<Vec<_>>()
    };
    assert_eq!(times(&db), wanted);
    drop(db);
    let (db, _) = open(dir.path(), options());
    assert_eq!(times(&db), wanted);
}

#[test]
fn names_and_values_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    let (db, _) = open(dir.path(), short());
    add(&db, &[(&labels("old", &[("x", "1")]), 0, 1.0)]);
    add(
        &db,
        &[(&labels("new", &[("y", "2"), ("x", "3")]), 600_000, 1.0)],
    );
    db.maintain(600_000).unwrap();
    assert_eq!(db.stats().blocks, 1);
    let all = (i64::MIN, i64::MAX);
    assert_eq!(
        db.label_names(&[], all.0, all.1, &()).unwrap(),
        ["__name__", "x", "y"]
    );
    assert_eq!(
        db.label_values("x", &[], all.0, all.1, &()).unwrap(),
        ["1", "3"]
    );
    assert_eq!(
        db.label_values("x", &[], 500_000, all.1, &()).unwrap(),
        ["3"]
    );
    let new = [Matcher::equal("__name__", "new")];
    assert_eq!(
        db.label_values("x", &new, all.0, all.1, &()).unwrap(),
        ["3"]
    );
    assert_eq!(
        db.label_names(&new, all.0, all.1, &()).unwrap(),
        ["__name__", "x", "y"]
    );
    assert_eq!(db.series(&new, all.0, all.1, 10, &()).unwrap().len(), 1);
    let cardinality = db.cardinality(10);
    assert!(
        cardinality
            .series_by_metric
            .contains(&("new".to_owned(), 1))
    );
}
