//! A process that pushes is killed at any moment; every line that it was told about is there once.

use std::collections::HashMap;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use wharf_logs::{Batch, Cursor, LogStore, Options};

use crate::{entry, lines, stream};

/// In the child's environment: the folder of the store.
const FOLDER: &str = "WHARF_LOGS_CRASH_FOLDER";

/// How many rounds there are; 200 take minutes.
const ROUNDS: &str = "WHARF_CRASH_ROUNDS";

fn options() -> Options {
    Options {
        block_bytes: 4 << 10,
        head_bytes: 64 << 10,
        wal_bytes: 256 << 10,
        chunk_bytes: 1 << 20,
        ..Options::default()
    }
}

/// The process that is killed. By itself it does nothing.
#[test]
fn child() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let (store, _) = LogStore::open(folder, options()).expect("a store");
    let mut next = store.cursors().get("source").map_or(0, |c| c.offset);
    let mut out = std::io::stdout().lock();
    loop {
        let count = 1 + next % 7;
        let entries = (next..next + count).map(|n| {
            let line = format!("line {n} {}", "x".repeat((n % 90) as usize));
            entry(i64::try_from(n).expect("small"), line)
        });
        let batch = Batch {
            streams: vec![(stream(&format!("a{}", next % 5)), entries.collect())],
            cursors: vec![(
                "source".to_owned(),
                Cursor {
                    file: 0,
                    offset: next + count,
                },
            )],
            ..Batch::default()
        };
        store.push(&batch).expect("room");
        next += count;
        writeln!(out, "acknowledged {next}").expect("a parent");
        if next % 211 < count {
            store
                .maintain(i64::try_from(next).expect("small"))
                .expect("nothing wrong");
        }
    }
}

/// Runs the child for a while and kills it: the last line that it said it had stored.
fn run(folder: &Path, millis: u64) -> u64 {
    let mut child = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "crash::child", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child");
    let out = BufReader::new(child.stdout.take().expect("a pipe"));
    let reader = std::thread::spawn(move || {
        let mut last = 0;
        for line in out.lines().map_while(Result::ok) {
            // The harness writes the test's name before the first of them.
            let number = line.split_once("acknowledged ").map(|(_, n)| n.parse());
            if let Some(Ok(number)) = number {
                last = number;
            }
        }
        last
    });
    std::thread::sleep(Duration::from_millis(millis));
    child.kill().expect("a kill");
    child.wait().expect("an end");
    reader.join().expect("a reader")
}

#[test]
fn every_acknowledged_line_is_there_once() {
    let rounds = env::var(ROUNDS).ok().and_then(|r| r.parse().ok());
    let dir = tempfile::tempdir().expect("a folder");
    let seed = fastrand::u64(..);
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut told = 0;
    let mut stored = 0;
    for round in 0..rounds.unwrap_or(20) {
        told = run(dir.path(), rng.u64(20..150)).max(told);
        let (store, recovery) = LogStore::open(dir.path(), options()).expect("a store");
        assert_eq!(
            recovery.damaged,
            [] as [&str; 0],
            "seed {seed}, round {round}"
        );
        let cursor = store.cursors().get("source").map_or(0, |c| c.offset);
        assert!(
            cursor >= told,
            "{told} lines were acknowledged, {cursor} are there"
        );
        let mut seen: HashMap<u64, usize> = HashMap::new();
        for line in lines(&store) {
            let number = line.split(' ').nth(1).and_then(|n| n.parse().ok());
            *seen.entry(number.expect("a number")).or_default() += 1;
        }
        let wrong: Vec<_> = (0..cursor).filter(|n| seen.get(n) != Some(&1)).collect();
        assert!(wrong.is_empty(), "seed {seed}, round {round}: {wrong:?}");
        assert_eq!(seen.len() as u64, cursor, "seed {seed}, round {round}");
        stored = cursor;
    }
    assert!(stored > 0, "no child ever stored a line");
    println!("{stored} lines, {told} acknowledged before the last kill");
}
