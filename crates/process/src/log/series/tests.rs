use std::io::Write;

use super::*;
use crate::LogTarget;
use crate::log::{Kind, Merge, Start, Writer};

fn target(dir: &Path, name: &str) -> LogTarget {
    LogTarget {
        dir: dir.to_owned(),
        name: name.to_owned(),
        max_bytes: 65_536,
        max_files: 3,
    }
}

fn write(dir: &Path, name: &str, records: impl IntoIterator<Item = (u64, String)>) {
    let mut writer = Writer::open(target(dir, name)).unwrap();
    for (nanos, text) in records {
        writer.push(Kind::Stdout, false, text.as_bytes(), nanos);
    }
    writer.flush();
    assert_eq!(writer.dropped(), 0);
}

#[track_caller]
fn check(dir: &Path, start: Start, expected: &[&str]) {
    let got: Vec<String> = Merge::new(series_in(dir).unwrap(), start)
        .map(|record| record.text)
        .collect();
    assert_eq!(got, expected);
}

#[test]
fn series_are_merged_by_time() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        "a",
        [(1_000_000, "a1".into()), (4_000_000, "a4".into())],
    );
    write(
        dir.path(),
        "b",
        [
            (2_000_000, "b2".into()),
            (3_000_000, "b3".into()),
            (4_000_000, "b4".into()),
        ],
    );
    check(
        dir.path(),
        Start::default(),
        &["a1", "b2", "b3", "a4", "b4"],
    );
    check(
        dir.path(),
        Start {
            tail: Some(2),
            since: None,
        },
        &["a4", "b4"],
    );
    check(
        dir.path(),
        Start {
            tail: Some(3),
            since: None,
        },
        &["b3", "a4", "b4"],
    );
    check(
        dir.path(),
        Start {
            tail: Some(99),
            since: None,
        },
        &["a1", "b2", "b3", "a4", "b4"],
    );
    check(
        dir.path(),
        Start {
            tail: Some(0),
            since: None,
        },
        &[],
    );
    check(
        dir.path(),
        Start {
            tail: None,
            since: Some(Timestamp(3)),
        },
        &["b3", "a4", "b4"],
    );
    check(
        dir.path(),
        Start {
            tail: Some(1),
            since: Some(Timestamp(3)),
        },
        &["b4"],
    );
    check(&dir.path().join("missing"), Start::default(), &[]);
}

#[test]
fn rotation_keeps_the_newest_files_and_readers_go_over_it() {
    let dir = tempfile::tempdir().unwrap();
    // Each record has some 2 KB, so a file holds about 30 and a batch of 64 KiB fills one.
    let text = |n: u64| format!("{n:06}{}", "x".repeat(2_000));
    write(dir.path(), "a", (0..20).map(|n| (n, text(n))));
    let mut reader = Reader::new(series_in(dir.path()).unwrap().remove(0));
    for n in 0..20 {
        assert_eq!(reader.next_record().unwrap().text, text(n));
    }
    assert_eq!(reader.next_record(), None);
    for n in 20..200 {
        write(dir.path(), "a", [(n, text(n))]);
        assert_eq!(
            reader.next_record().map(|record| record.text),
            Some(text(n)),
            "{n}"
        );
    }
    let files = files(dir.path(), "a").unwrap();
    assert_eq!(files.len(), 3);
    assert!(
        files
            .iter()
            .all(|(_, path)| fs::metadata(path).unwrap().len() <= 65_536)
    );
    let tail = Start {
        tail: Some(50),
        since: None,
    };
    let last: Vec<String> = Merge::new(series_in(dir.path()).unwrap(), tail)
        .map(|record| record.text)
        .collect();
    assert_eq!(last, (150..200).map(text).collect::<Vec<_>>());
}

#[test]
fn torn_and_foreign_bytes_are_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a", [(1, "one".into())]);
    let path = dir.path().join(file_name("a", 1));
    let mut file = File::options().append(true).open(&path).unwrap();
    file.write_all(b"\x00\xff\n12 z what\n\n3 o tor").unwrap();
    write(dir.path(), "a", [(4, "four".into())]);
    check(dir.path(), Start::default(), &["one", "tor", "four"]);
    check(
        dir.path(),
        Start {
            tail: Some(2),
            since: None,
        },
        &["tor", "four"],
    );
    fs::write(
        dir.path().join(file_name("a", 2)),
        b"wharf-log 9\n5 o from the future\n",
    )
    .unwrap();
    fs::write(dir.path().join(file_name("b", 1)), vec![b'x'; 300_000]).unwrap();
    fs::write(dir.path().join("notes.txt"), b"").unwrap();
    check(dir.path(), Start::default(), &["one", "tor", "four"]);
}

#[test]
fn files_may_be_any_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let mut seed = 7_u64;
    for round in 0..50 {
        let mut bytes = if round % 2 == 0 {
            HEADER.to_vec()
        } else {
            Vec::new()
        };
        for _ in 0..5_000 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            bytes.push(b"0123456789 oen+\n\xff{x"[usize::try_from(seed % 19).unwrap()]);
        }
        fs::write(dir.path().join(file_name("a", round + 1)), &bytes).unwrap();
    }
    let all = Merge::new(series_in(dir.path()).unwrap(), Start::default()).count();
    let tail = Merge::new(
        series_in(dir.path()).unwrap(),
        Start {
            tail: Some(10),
            since: None,
        },
    )
    .count();
    assert!(tail <= 10 && tail <= all);
}

#[test]
fn a_reader_goes_on_where_another_stood() {
    let dir = tempfile::tempdir().unwrap();
    // More than one file's worth, so that positions lie in several.
    let lines = (0..1_500_u64).map(|n| (n, format!("{n} {}", "x".repeat(100))));
    write(dir.path(), "a", lines);
    let series = || series_in(dir.path()).unwrap().remove(0);
    let whole: Vec<String> = {
        let mut reader = Reader::new(series());
        std::iter::from_fn(|| reader.next_record().map(|record| record.text)).collect()
    };
    let mut position = None;
    let mut pieces = vec![];
    loop {
        let mut reader = match position {
            None => Reader::new(series()),
            Some(position) => Reader::resume(series(), position),
        };
        let before = pieces.len();
        pieces.extend((0..7).map_while(|_| reader.next_record().map(|record| record.text)));
        if pieces.len() == before {
            break;
        }
        position = Some(reader.position());
    }
    assert_eq!(pieces, whole);
}
