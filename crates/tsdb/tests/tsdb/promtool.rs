//! Prometheus's own tool reads what was written, and its server's folder is read here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::store::{HOUR, add, everything, labels, open, options};

/// The newest `promtool` that is there. Nothing, with the reason printed, if none is; a failure under `WHARF_TEST_REQUIRE=all`.
fn promtool() -> Option<PathBuf> {
    let built = std::env::var_os("HOME")
        .map(|home| Path::new(&home).join(".cache/wharf-ci/gobin/promtool"));
    let tools = built.into_iter().chain([PathBuf::from("promtool")]);
    for tool in tools {
        if Command::new(&tool)
            .arg("--version")
            .output()
            .is_ok_and(|o| o.status.success())
        {
            return Some(tool);
        }
    }
    let required = std::env::var("WHARF_TEST_REQUIRE").is_ok_and(|value| value == "all");
    assert!(!required, "promtool is required");
    eprintln!("skipped: there is no promtool; install prometheus");
    None
}

fn run(tool: &Path, args: &[&str], dir: &Path) -> String {
    let out = Command::new(tool)
        .arg("tsdb")
        .args(args)
        .arg(dir)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{args:?}: {errors}");
    String::from_utf8(out.stdout).unwrap()
}

type Dump = BTreeMap<String, Vec<(i64, String)>>;

fn dump(tool: &Path, dir: &Path) -> Dump {
    let mut found = Dump::new();
    for line in run(tool, &["dump"], dir).lines() {
        let (series, rest) = line.rsplit_once("} ").unwrap();
        let (value, t) = rest.split_once(' ').unwrap();
        let samples = found.entry(format!("{series}}}")).or_default();
        samples.push((t.parse().unwrap(), value.to_owned()));
    }
    found
}

#[test]
fn promtool_reads_blocks_head_and_log() {
    let Some(tool) = promtool() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (db, _) = open(dir.path(), options());
    let sets: Vec<_> = (0..20)
        .map(|i| {
            labels(
                "http_requests_total",
                &[
                    ("instance", &format!("host-{}", i % 5)),
                    ("code", &i.to_string()),
                    ("job", "w"),
                ],
            )
        })
        .collect();
    let start = 480_000 * HOUR / 3600;
    let start = start - start % (2 * HOUR);
    for i in 0..1600 {
        let t = start + i * 15_000;
        let batch: Vec<_> = sets
            .iter()
            .enumerate()
            .map(|(n, l)| (l, t, (i * (n as i64 % 3)) as f64 + n as f64 / 8.0))
            .collect();
        add(&db, &batch);
        if i % 40 == 0 {
            db.maintain(t).unwrap();
        }
    }
    assert!(db.stats().blocks > 0);
    let ours = everything(&db);
    drop(db);
    let theirs = dump(&tool, dir.path());
    assert_eq!(theirs.len(), ours.len());
    for series in &ours {
        let samples = &theirs[&series.labels.to_string()];
        assert_eq!(samples.len(), series.samples.len());
        for (theirs, ours) in samples.iter().zip(&series.samples) {
            assert_eq!(
                (theirs.0, theirs.1.parse::<f64>().unwrap()),
                (ours.t, ours.v)
            );
        }
    }
    let list = run(&tool, &["list"], dir.path());
    assert!(list.contains("NUM SAMPLES"), "{list}");
    let analyzed = run(&tool, &["analyze"], dir.path());
    assert!(analyzed.contains("http_requests_total"), "{analyzed}");
    let text = run(&tool, &["dump-openmetrics"], dir.path());
    assert_eq!(
        text.lines()
            .filter(|line| line.contains("instance="))
            .count(),
        20 * 1600
    );
}

#[test]
fn promtool_does_not_see_what_is_deleted() {
    let Some(tool) = promtool() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (db, _) = open(dir.path(), options());
    let (a, b) = (labels("a", &[]), labels("b", &[("x", "1")]));
    for i in 0..1000 {
        add(&db, &[(&a, i * 15_000, 1.0), (&b, i * 15_000, 2.0)]);
    }
    db.maintain(1000 * 15_000).unwrap();
    assert_eq!(db.stats().blocks, 1);
    db.delete(
        &[wharf_signal::Matcher::equal("__name__", "a")],
        10 * 15_000,
        900 * 15_000,
    )
    .unwrap();
    let copy = dir.path().join("copy");
    db.snapshot(&copy, 1000 * 15_000).unwrap();
    drop(db);
    for dir in [dir.path(), &copy] {
        let theirs = dump(&tool, dir);
        assert_eq!(
            theirs["{__name__=\"a\"}"].len(),
            10 + 99,
            "{}",
            dir.display()
        );
        assert_eq!(theirs["{__name__=\"b\", x=\"1\"}"].len(), 1000);
    }
}

/// What is in the folder here is what promtool sees there.
#[track_caller]
fn compare(db: &wharf_tsdb::Db, theirs: &Dump) {
    let ours = everything(db);
    assert_eq!(ours.len(), theirs.len());
    for series in ours {
        let samples = &theirs[&series.labels.to_string()];
        assert_eq!(samples.len(), series.samples.len(), "{}", series.labels);
        for (theirs, ours) in samples.iter().zip(&series.samples) {
            let value: f64 = theirs.1.parse().unwrap();
            assert_eq!(theirs.0, ours.t);
            assert!(
                value == ours.v || value.is_nan() && ours.v.is_nan(),
                "{}",
                series.labels
            );
        }
    }
}

#[test]
fn blocks_that_promtool_made_are_read() {
    let Some(tool) = promtool() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut text = String::from("# TYPE m gauge\n");
    for i in 0..3000 {
        for name in ["a", "b", "c"] {
            text += &format!(
                "m{{name=\"{name}\"}} {} {}\n",
                i * 7 % 100,
                1_600_000_000 + i * 15
            );
        }
    }
    let input = dir.path().join("input");
    std::fs::write(&input, text + "# EOF\n").unwrap();
    let store = dir.path().join("store");
    run(
        &tool,
        &["create-blocks-from", "openmetrics", input.to_str().unwrap()],
        &store,
    );
    std::fs::create_dir_all(store.join("wal")).unwrap();
    let theirs = dump(&tool, &store);
    let (db, recovery) = open(&store, options());
    assert_eq!(recovery.damage, []);
    assert!(recovery.blocks > 3);
    compare(&db, &theirs);
    // And so are those that they become.
    db.maintain(1_600_000_000_000 + 100 * HOUR).unwrap();
    assert!(db.stats().blocks < recovery.blocks);
    compare(&db, &theirs);
}

#[test]
fn a_folder_of_prometheus_is_read() {
    let Some(tool) = promtool() else { return };
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let config = dir.path().join("prometheus.yml");
    let scrape = format!(
        "scrape_configs:\n- job_name: self\n  scrape_interval: 100ms\n  scrape_timeout: 100ms\n  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n"
    );
    std::fs::write(&config, scrape).unwrap();
    // The one that `.ci/run` builds, or the system's.
    let built = std::env::var_os("HOME")
        .map(|home| Path::new(&home).join(".cache/wharf-ci/gobin/prometheus3"));
    let program = built.filter(|program| program.exists());
    let server = Command::new(program.unwrap_or_else(|| PathBuf::from("prometheus")))
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", store.display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
    let Ok(mut server) = server else {
        let required = std::env::var("WHARF_TEST_REQUIRE").is_ok_and(|value| value == "all");
        assert!(!required, "prometheus is required");
        eprintln!("skipped: there is no prometheus; install it");
        return;
    };
    let log = store.join("wal/00000000");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while std::fs::metadata(&log).map_or(0, |m| m.len()) < 150_000
        && std::time::Instant::now() < deadline
    {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    server.kill().unwrap();
    server.wait().unwrap();
    let theirs = dump(&tool, &store);
    let (db, recovery) = open(&store, options());
    assert_eq!(recovery.orphans, 0);
    assert!(theirs.len() > 300, "{}", theirs.len());
    compare(&db, &theirs);
}
