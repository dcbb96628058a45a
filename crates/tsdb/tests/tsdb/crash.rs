//! The process is killed while it writes: what it had acknowledged is there, and no half of a batch.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use wharf_signal::SampleSink;
use wharf_tsdb::Options;

use crate::store::{everything, labels, open, short};

/// The folder of the process that is killed.
const DIR: &str = "WHARF_TSDB_CRASH_DIR";
const SERIES: usize = 50;

fn options() -> Options {
    Options {
        retention: std::time::Duration::from_secs(3600),
        ..short()
    }
}

/// Not a test of its own: the process that is killed. It says the number of each batch that was taken.
#[test]
fn writer() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let (db, _) = open(Path::new(&dir), options());
    let mut next = db.stats().max_time.map_or(0, |t| t / 1000 + 1);
    loop {
        let mut batch = db.appender();
        for i in 0..SERIES {
            // Some series change their name now and then.
            let age = if i < 5 { next / 100 } else { 0 };
            let labels = labels("m", &[("i", &i.to_string()), ("age", &age.to_string())]);
            batch
                .append(None, &labels, next * 1000, (next * 7 + i as i64) as f64)
                .unwrap();
        }
        batch.commit().unwrap();
        // In one write: a line that is cut off is none.
        std::io::stderr()
            .write_all(format!("taken {next}.\n").as_bytes())
            .unwrap();
        if next % 37 == 0 {
            db.maintain(next * 1000).unwrap();
        }
        next += 1;
    }
}

#[test]
fn what_was_acknowledged_survives() {
    let rounds = std::env::var("WHARF_CRASH_ROUNDS")
        .ok()
        .and_then(|r| r.parse().ok())
        .unwrap_or(15);
    let dir = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let mut last = -1;
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "crash::writer",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(DIR, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut left = random.usize(1..120);
        let nap = random.u64(0..3000);
        for line in lines {
            let line = line.unwrap();
            let number = line
                .strip_prefix("taken ")
                .and_then(|rest| rest.strip_suffix('.'));
            if let Some(number) = number {
                last = number.parse().unwrap();
            }
            left = left.saturating_sub(1);
            if left == 0 {
                std::thread::sleep(std::time::Duration::from_micros(nap));
                child.kill().unwrap();
                left = usize::MAX;
            }
        }
        child.wait().unwrap();
        let (db, _) = open(dir.path(), options());
        let mut batches: BTreeMap<i64, usize> = BTreeMap::new();
        for series in everything(&db) {
            let i: i64 = series.labels.value("i").parse().unwrap();
            for sample in series.samples {
                let number = sample.t / 1000;
                assert_eq!(sample.v, (number * 7 + i) as f64, "round {round}");
                *batches.entry(number).or_default() += 1;
            }
        }
        assert!(
            batches.values().all(|count| *count == SERIES),
            "round {round}: half a batch"
        );
        let first = *batches.keys().next().unwrap();
        assert!(
            first == 0 || last - first >= 3600,
            "round {round}: {first} of {last}"
        );
        let missing: Vec<_> = (first..=last)
            .filter(|n| !batches.contains_key(n))
            .collect();
        assert_eq!(missing, Vec::<i64>::new(), "round {round}: of {last}");
    }
}
