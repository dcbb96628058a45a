//! A process that pushes is killed at random points; everything that it said it had pushed is there afterwards.
//!
//! `WHARF_CRASH_ROUNDS` (20) says how often.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use wharf_base::clock::Timestamp;
use wharf_signal::TraceId;
use wharf_traces::{Options, TraceStore};

use crate::made::span;

const CHILD: &str = "WHARF_TRACES_CRASH_DIR";

/// Small, so that blocks are cut and merged all the time.
fn options() -> Options {
    Options {
        head_bytes: 20_000,
        ..Options::default()
    }
}

/// The child: pushes without end, and says what is pushed.
#[test]
fn crash_child() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let (store, recovery) = TraceStore::open(Path::new(&dir), options()).expect("a store");
    assert_eq!(recovery.damage, Vec::<String>::new());
    let first: u64 = store
        .cursors()
        .get("n")
        .map_or(0, |text| text.parse().expect("a number"));
    for trace in first + 1.. {
        let id = u128::from(trace);
        let spans = [span(id, 1, 0, "a", 1), span(id, 2, 1, "b", 1)];
        let cursor = [("n".to_owned(), trace.to_string())];
        store.push(&spans, &cursor).expect("room");
        // In one piece, so that a kill leaves the whole line or nothing of it.
        let line = format!("pushed {trace}\n");
        std::io::stderr()
            .write_all(line.as_bytes())
            .expect("a reader");
        if trace % 50 == 0 {
            store.maintain(Timestamp(trace)).expect("room");
        }
    }
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let rounds: u32 = std::env::var("WHARF_CRASH_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(20);
    let dir = tempfile::tempdir().expect("a folder");
    let mut random = fastrand::Rng::with_seed(11);
    let mut last = 0_u64;
    let mut kills = 0;
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "crash::crash_child", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the child");
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let most = random.u64(1..400);
        let pause = Duration::from_micros(random.u64(0..3_000));
        let mut said = 0;
        for line in lines {
            let line = line.expect("text");
            if let Some(number) = line.strip_prefix("pushed ") {
                last = number.parse().expect("a number");
                said += 1;
                if said == most {
                    std::thread::sleep(pause);
                    child.kill().expect("killed");
                    kills += 1;
                }
            } else {
                assert!(!line.contains("panicked"), "{line}");
            }
        }
        child.wait().expect("it ended");
        let (store, recovery) = TraceStore::open(dir.path(), options()).expect("a store");
        assert_eq!(recovery.damage, Vec::<String>::new(), "round {round}");
        // The end is where something may be missing; all of it is asked for once.
        let from = if round + 1 == rounds {
            1
        } else {
            last.saturating_sub(150).max(1)
        };
        for trace in from..=last {
            let found = store.trace(TraceId(u128::from(trace)));
            assert_eq!(
                found.map(|t| t.spans.len()),
                Some(2),
                "round {round}, trace {trace}"
            );
        }
        let cursor: u64 = store.cursors()["n"].parse().expect("a number");
        // What was in the kernel's hands but not said yet may be there too; the cursor goes with it.
        assert!(cursor >= last, "round {round}");
        let beyond = store.trace(TraceId(u128::from(cursor) + 1));
        assert_eq!(beyond, None, "round {round}");
        assert_eq!(store.health().damaged, 0);
    }
    assert_eq!(kills, rounds);
    println!("{rounds} kills, {last} pushes acknowledged, all there");
}
