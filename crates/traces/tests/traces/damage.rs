//! Flipped bits and cut files: found, told of, left out; never served.

use std::fs;
use std::path::{Path, PathBuf};

use wharf_signal::TraceId;
use wharf_traces::{Options, Range, Search, TraceStore, traceql::Query};

use crate::made::span;

const TRACES: u64 = 3_000;

/// A folder with one block of several pages.
fn block() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, _) = TraceStore::open(dir.path(), Options::default()).expect("a store");
    let spans: Vec<_> = (1..=TRACES)
        .map(|trace| span(u128::from(trace), trace, 0, "web", 100))
        .collect();
    store.push(&spans, &[]).expect("room");
    store.flush().expect("room");
    let path = fs::read_dir(dir.path().join("blocks"))
        .expect("blocks")
        .map(|entry| entry.expect("an entry").path())
        .next()
        .expect("a block");
    (dir, path)
}

/// How many traces the store finds. Some are looked up, too: what is given is as it was pushed.
fn given(store: &TraceStore) -> u64 {
    let all = Search {
        query: Query::all(),
        range: Range::ALL,
        limit: 10_000,
        spans_per_trace: 1,
    };
    let found = store.search(&all, &()).expect("an answer").traces;
    let mut given = found.len() as u64;
    for id in (1..=TRACES).step_by(61) {
        match store.trace(TraceId(u128::from(id))) {
            Some(trace) => assert_eq!(trace.spans, [span(u128::from(id), id, 0, "web", 100)]),
            // Found, but not by its id.
            None => given = given.min(TRACES - 1),
        }
    }
    given
}

fn reopened(dir: &Path) -> (TraceStore, wharf_traces::Recovery) {
    TraceStore::open(dir, Options::default()).expect("damage is no error")
}

#[test]
fn a_flipped_bit_of_a_block_is_told_of() {
    let (dir, path) = block();
    let bytes = fs::read(&path).expect("a block");
    let mut random = fastrand::Rng::with_seed(7);
    let borders = [
        0,
        4,
        5,
        8,
        bytes.len() - 1,
        bytes.len() - 8,
        bytes.len() - 32,
    ];
    let places: Vec<usize> = (0..60).map(|_| random.usize(0..bytes.len())).collect();
    for at in borders.into_iter().chain(places) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << random.u8(0..8);
        fs::write(&path, &flipped).expect("written");
        let opened = TraceStore::open(dir.path(), Options::default());
        let Ok((store, recovery)) = opened else {
            let version = at == 4 || at == bytes.len() - 8;
            assert!(version, "only an unknown version is refused: byte {at}");
            continue;
        };
        let given = given(&store);
        // Bytes 5 to 7 of each border are zeros that mean nothing.
        let told = !recovery.damage.is_empty() || store.health().damaged > 0;
        assert!(told || given == TRACES, "byte {at}: {given} of {TRACES}");
        drop(store);
        let aside = path.with_extension("spans.broken");
        if aside.exists() {
            fs::remove_file(aside).expect("removed");
        }
    }
    for length in [0, 3, 40, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..length]).expect("written");
        let (store, recovery) = reopened(dir.path());
        assert_eq!(recovery.damage.len(), 1, "cut at {length}");
        assert_eq!(given(&store), 0);
    }
}

#[test]
fn a_damaged_page_leaves_the_others() {
    let (dir, path) = block();
    let mut bytes = fs::read(&path).expect("a block");
    bytes[100] ^= 0x40;
    fs::write(&path, &bytes).expect("written");
    let (store, recovery) = reopened(dir.path());
    assert!(recovery.damage.is_empty());
    let left = given(&store);
    assert!(left > 0 && left < TRACES, "{left} of {TRACES}");
    let health = store.health();
    assert!(
        health
            .last_damage
            .expect("told of")
            .contains("checksum of a page")
    );
}

#[test]
fn a_block_of_another_version_is_left_alone() {
    let (dir, path) = block();
    let mut bytes = fs::read(&path).expect("a block");
    bytes[4] = 2;
    fs::write(&path, &bytes).expect("written");
    let error = TraceStore::open(dir.path(), Options::default()).expect_err("refused");
    assert!(error.to_string().contains("another version"), "{error}");
    assert_eq!(fs::read(&path).expect("still there"), bytes);
}
