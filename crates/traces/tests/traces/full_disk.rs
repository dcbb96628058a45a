//! A disk without room: pushes are refused, queries go on, and it works again when there is room.
//!
//! The kernel's limit on the size of a file stands for the disk: writing beyond it fails as a full disk does.

use std::path::Path;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wharf_signal::TraceId;
use wharf_traces::{Options, PushError, TraceStore};

use crate::made::span;

const CHILD: &str = "WHARF_TRACES_FULL_DIR";

fn limit(bytes: Option<u64>) {
    let known = getrlimit(Resource::Fsize);
    let limit = Rlimit {
        current: bytes.or(known.maximum),
        maximum: known.maximum,
    };
    setrlimit(Resource::Fsize, limit).expect("a lower limit");
}

/// The child, in which the signal of that limit is ignored.
#[test]
fn full_disk_child() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let options = || Options {
        head_bytes: 30_000,
        ..Options::default()
    };
    let (store, _) = TraceStore::open(Path::new(&dir), options()).expect("a store");
    let push =
        |store: &TraceStore, trace: u64| store.push(&[span(u128::from(trace), 1, 0, "a", 1)], &[]);
    let there = |store: &TraceStore, trace: u64| store.trace(TraceId(u128::from(trace))).is_some();
    for trace in 1..=300 {
        push(&store, trace).expect("room");
    }
    for (round, most) in (1_u64..).zip([0, 100, 1_000, 2_345]) {
        limit(Some(most));
        let mut refused = 0;
        let mut taken = vec![];
        for trace in round * 1_000..round * 1_000 + 300 {
            match push(&store, trace) {
                Ok(_) => taken.push(trace),
                Err(PushError::Storage(_)) => {
                    refused += 1;
                    assert!(!there(&store, trace), "what was refused is not there");
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(refused > 0, "with {most} bytes");
        assert!(store.health().failing.is_some());
        assert!(
            there(&store, 1) && there(&store, 300),
            "questions are answered"
        );
        limit(None);
        push(&store, round * 1_000 + 500).expect("room again");
        assert_eq!(store.health().failing, None);
        assert!(taken.iter().all(|trace| there(&store, *trace)));
    }
    drop(store);
    let (store, recovery) = TraceStore::open(Path::new(&dir), options()).expect("a store");
    assert_eq!(recovery.damage, Vec::<String>::new());
    assert!((1..=300).all(|trace| there(&store, trace)));
    assert!((1..=4).all(|round| there(&store, round * 1_000 + 500)));
}

#[test]
fn a_full_disk_stops_and_recovers() {
    let dir = tempfile::tempdir().expect("a folder");
    let test = std::env::current_exe().expect("this test");
    let output = Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; exec \"$0\" --exact full_disk::full_disk_child --nocapture",
        ])
        .arg(test)
        .env(CHILD, dir.path())
        // Its own words would be written to a file that is too large, too.
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let ran = String::from_utf8_lossy(&output.stdout).contains("1 passed");
    assert!(ran, "the child is a test of this program");
}
