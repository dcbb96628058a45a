//! Torn and flipped bytes, a disk that is full.

use std::fs;
use std::path::{Path, PathBuf};

use wharf_logs::{LogStore, Options};

use crate::{batch, entry, lines, open};

fn files(dir: &Path, part: &str) -> Vec<PathBuf> {
    let found = fs::read_dir(dir.join(part)).expect("a folder");
    let mut found: Vec<_> = found.map(|f| f.expect("a file").path()).collect();
    found.sort();
    found
}

fn line(n: usize) -> String {
    format!("line {n} {}", "x".repeat(n % 50))
}

/// A store with lines in two files and in the log, closed.
fn filled(dir: &Path) -> Vec<String> {
    let options = Options {
        block_bytes: 500,
        ..Options::default()
    };
    let store = open(dir, options);
    for n in 0..60 {
        let nanos = i64::try_from(n).expect("small");
        store
            .push(&batch("a", vec![entry(nanos, line(n))]))
            .expect("room");
        if n == 20 || n == 40 {
            store.flush().expect("room");
        }
    }
    (0..60).map(line).collect()
}

/// Opens a damaged store: what is given was there before, and what is missing was reported.
#[track_caller]
fn check(dir: &Path, all: &[String], what: &str) -> usize {
    let (store, recovery) = LogStore::open(dir, Options::default()).expect("a store");
    let found = lines(&store);
    let mut left = all.iter();
    for line in &found {
        assert!(
            left.any(|l| l == line),
            "{what}: {line:?} was never pushed, or comes twice"
        );
    }
    let reported = store.health().damage.found > 0 || recovery.torn > 0;
    assert!(
        found.len() == all.len() || reported,
        "{what}: lines are missing without a word"
    );
    store
        .push(&batch("a", vec![entry(100, "goes on")]))
        .expect("room");
    all.len() - found.len()
}

#[test]
fn a_flipped_bit_anywhere_is_found() {
    let mut rng = fastrand::Rng::with_seed(11);
    for round in 0..60 {
        let dir = tempfile::tempdir().expect("a folder");
        let all = filled(dir.path());
        let part = if round % 2 == 0 { "hot" } else { "wal" };
        let files = files(dir.path(), part);
        let file = &files[rng.usize(..files.len())];
        let mut bytes = fs::read(file).expect("bytes");
        // A version that is not known is refused: another test.
        let at = rng.usize(16..bytes.len());
        bytes[at] ^= 1 << rng.u8(..8);
        fs::write(file, bytes).expect("room");
        let missing = check(dir.path(), &all, &format!("{part} at {at}"));
        assert!(missing < all.len());
    }
}

#[test]
fn a_torn_log_loses_its_end_only() {
    for cut in [1, 9, 30, 200] {
        let dir = tempfile::tempdir().expect("a folder");
        let all = filled(dir.path());
        let log = files(dir.path(), "wal").pop().expect("a log");
        let bytes = fs::read(&log).expect("bytes");
        fs::write(&log, &bytes[..bytes.len() - cut]).expect("room");
        let missing = check(dir.path(), &all, "a torn log");
        assert!(
            (1..=cut.div_ceil(20) + 2).contains(&missing),
            "{cut} bytes cost {missing} lines"
        );
    }
}

#[test]
fn a_torn_chunk_file_is_left_out() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = filled(dir.path());
    let file = files(dir.path(), "hot").remove(0);
    let bytes = fs::read(&file).expect("bytes");
    fs::write(&file, &bytes[..bytes.len() / 2]).expect("room");
    assert_eq!(check(dir.path(), &all, "a torn chunk"), 21);
    // It is still there, for whoever can repair it.
    fs::write(&file, bytes).expect("room");
    let (store, recovery) = LogStore::open(dir.path(), Options::default()).expect("a store");
    assert_eq!(recovery.damaged, [] as [&str; 0]);
    assert_eq!(lines(&store).len(), all.len() + 1);
}

#[test]
fn a_damaged_manifest_is_made_anew() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = filled(dir.path());
    let path = dir.path().join("manifest");
    let mut bytes = fs::read(&path).expect("bytes");
    *bytes.last_mut().expect("bytes") ^= 1;
    fs::write(&path, bytes).expect("room");
    assert_eq!(check(dir.path(), &all, "a manifest"), 0);
    let (_, recovery) = LogStore::open(dir.path(), Options::default()).expect("a store");
    assert_eq!(recovery.damaged, [] as [&str; 0]);
}

#[test]
fn an_unknown_version_is_refused() {
    for (part, at) in [("hot", 8), ("wal", 8), ("", 8)] {
        let dir = tempfile::tempdir().expect("a folder");
        filled(dir.path());
        let path = match part {
            "" => dir.path().join("manifest"),
            part => files(dir.path(), part).pop().expect("a file"),
        };
        let mut bytes = fs::read(&path).expect("bytes");
        bytes[at] = 9;
        fs::write(&path, bytes).expect("room");
        let error = LogStore::open(dir.path(), Options::default()).map(|_| ());
        let error = error.expect_err("refused");
        let chain = format!("{error}: {:?}", std::error::Error::source(&error));
        assert!(chain.contains("version 9"), "{part}: {chain}");
    }
}
