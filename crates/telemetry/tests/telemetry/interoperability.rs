//! Prometheus's own tool on the API and on the folder; the examples of OTLP.

use std::path::{Path, PathBuf};
use std::process::Command;

use wharf_protocols::remote_write::{TimeSeries, WriteRequest, encode};
use wharf_signal::{Labels, Sample};
use wharf_telemetry::Mode;

use crate::ask::{Server, wait_until};
use crate::require::skip;

fn promtool() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = cache.or(home).map(|cache| cache.join("wharf-ci/gobin"));
    let mut folders = cache
        .into_iter()
        .chain(std::env::split_paths(&path).collect::<Vec<_>>());
    let found = folders.find_map(|folder| Some(folder.join("promtool")).filter(|p| p.exists()));
    if found.is_none() {
        skip("promtool is not installed");
    }
    found
}

#[track_caller]
fn run(program: &Path, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success(),
        "promtool {arguments:?}\n{said}{errors}"
    );
    said
}

/// Six hours of a counter of two series, ending now.
fn fill(server: &Server) -> i64 {
    let end = i64::try_from(wharf_base::clock::now().0).unwrap() / 15_000 * 15_000;
    let start = end - 6 * 3_600_000;
    let series = ["a", "b"].map(|job| TimeSeries {
        labels: Labels::from_pairs([("__name__", "jobs_total"), ("job", job)]),
        samples: (0..=6 * 240)
            .map(|n| Sample {
                t: start + n * 15_000,
                v: n as f64,
            })
            .collect(),
        ..TimeSeries::default()
    });
    for series in series {
        let request = WriteRequest {
            series: vec![series],
            ..WriteRequest::default()
        };
        let headers = "Content-Encoding: snappy\r\n";
        let answer = server.post("/api/v1/write", headers, &encode(&request));
        assert_eq!(answer.status, 204, "{}", answer.text());
    }
    end
}

fn has_block(metrics: &Path) -> bool {
    let mut entries = metrics.read_dir().unwrap().map(|entry| entry.unwrap());
    entries.any(|entry| entry.path().join("meta.json").exists())
}

#[test]
fn promtool_asks_and_reads_the_folder() {
    let Some(promtool) = promtool() else { return };
    let mut server = Server::start(Mode::Test);
    let end = fill(&server);
    let url = format!("http://{}", server.address);
    let said = run(&promtool, &["query", "instant", &url, "sum(jobs_total)"]);
    assert!(said.contains("=> 2880 @"), "{said}");
    let (from, to) = ((end / 1000 - 600).to_string(), (end / 1000).to_string());
    let range = [
        "query", "range", "--start", &from, "--end", &to, "--step", "60s", &url,
    ];
    let said = run(&promtool, &[&range[..], &["rate(jobs_total[5m])"]].concat());
    assert!(said.contains("0.06666666666666667 @"), "{said}");
    let said = run(
        &promtool,
        &["query", "series", "--match", "jobs_total", &url],
    );
    assert!(
        said.contains("job=\"a\"") && said.contains("job=\"b\""),
        "{said}"
    );
    let said = run(&promtool, &["query", "labels", &url, "job"]);
    assert_eq!(said.lines().collect::<Vec<_>>(), ["a", "b"]);
    server.stop();
    let folder = server.dir().join("metrics");
    let folder = folder.to_str().unwrap();
    let said = run(&promtool, &["tsdb", "dump", folder]);
    assert_eq!(
        said.lines().count(),
        2 * 1441,
        "{}",
        said.lines().next().unwrap_or_default()
    );
    // What it lists and analyzes is a block. Six hours are more than the head keeps; each start begins with what is due.
    let mut server = Server::open(server.dir(), Mode::Test);
    wait_until("a block is written", || has_block(Path::new(folder)));
    server.stop();
    run(&promtool, &["tsdb", "list", folder]);
    run(&promtool, &["tsdb", "analyze", folder]);
}

#[test]
fn the_examples_of_otlp_are_accepted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/otlp");
    if !folder.is_dir() {
        return skip("the examples of OTLP are not beside the repository");
    }
    let server = Server::start(Mode::Test);
    let headers = "Content-Type: application/json\r\n";
    for (file, path) in [
        ("trace.json", "/v1/traces"),
        ("metrics.json", "/v1/metrics"),
        ("logs.json", "/v1/logs"),
        ("events.json", "/v1/logs"),
    ] {
        let body = std::fs::read(folder.join(file)).unwrap();
        let answer = server.post(path, headers, &body);
        assert_eq!(answer.status, 200, "{file}: {}", answer.text());
    }
    let trace = server.json("/api/v2/traces/5b8efff798038103d269b633813fc60c", &[]);
    assert!(trace.to_string().contains("I'm a server span"), "{trace}");
}
