//! What was acknowledged is there after the process has ended at any point: samples, lines and spans that are sent all the
//! time to a whole telemetry, which is killed. The stores' own tests kill writers amid blocks that are cut and merged.
//!
//! `WHARF_CRASH_ROUNDS` (10) says how often.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value as Json, json};
use wharf_protocols::remote_write::{TimeSeries, WriteRequest, encode};
use wharf_signal::{Labels, Sample};
use wharf_telemetry::Mode;

use crate::ask::{Answer, Server, ask, try_ask};

const CHILD: &str = "WHARF_TELEMETRY_CRASH_DIR";

/// The child: a telemetry that runs until it is killed, and says where.
#[test]
fn crash_child() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let server = Server::open(Path::new(&dir), Mode::Project);
    let line = format!("address {}\n", server.address);
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    std::thread::park();
}

struct Victim {
    child: Child,
    address: SocketAddr,
}

impl Victim {
    fn spawn(dir: &Path) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::crash_child", "--nocapture"])
            .env(CHILD, dir)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// One that is ready.
    fn start(dir: &Path) -> Self {
        let mut child = Self::spawn(dir);
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            assert!(!line.contains("panicked"), "{line}");
            line.strip_prefix("address ")?.parse().ok()
        });
        Self {
            child,
            address: address.expect("it says where it listens"),
        }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// What is sent as one thing after the other, each with a number of its own from 1 on.
struct Sender {
    send: fn(SocketAddr, u64) -> std::io::Result<Answer>,
    /// The number that was sent last, acknowledged or not.
    sent: AtomicU64,
    acknowledged: std::sync::Mutex<Vec<u64>>,
}

impl Sender {
    fn new(send: fn(SocketAddr, u64) -> std::io::Result<Answer>) -> Self {
        Self {
            send,
            sent: AtomicU64::new(0),
            acknowledged: std::sync::Mutex::default(),
        }
    }

    fn run(&self, address: SocketAddr, end: &AtomicBool) {
        while !end.load(Ordering::Relaxed) {
            let number = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
            match (self.send)(address, number) {
                Ok(answer) if answer.status < 300 => {
                    self.acknowledged.lock().unwrap().push(number);
                }
                Ok(answer) => panic!("{number}: {} {}", answer.status, answer.text()),
                // It is gone.
                Err(_) => return,
            }
        }
    }

    fn acknowledged(&self) -> Vec<u64> {
        self.acknowledged.lock().unwrap().clone()
    }
}

/// Milliseconds of the thing with this number: one after the other, all in the last minutes.
fn millis(number: u64) -> i64 {
    static BEGIN: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    let begin = BEGIN.get_or_init(|| wharf_base::clock::now().0 - 300_000);
    i64::try_from(begin + number).unwrap()
}

const JSON: &str = "Content-Type: application/json\r\n";

fn send_sample(address: SocketAddr, number: u64) -> std::io::Result<Answer> {
    let series = TimeSeries {
        labels: Labels::from_pairs([("__name__", "sent")]),
        samples: vec![Sample {
            t: millis(number),
            v: number as f64,
        }],
        ..TimeSeries::default()
    };
    let request = WriteRequest {
        series: vec![series],
        ..WriteRequest::default()
    };
    let headers = "Content-Encoding: snappy\r\n";
    try_ask(address, "POST", "/api/v1/write", headers, &encode(&request))
}

fn send_line(address: SocketAddr, number: u64) -> std::io::Result<Answer> {
    let at = millis(number) * 1_000_000;
    let push = json!({ "streams": [{ "stream": { "app": "shop" }, "values": [[at.to_string(), number.to_string()]] }] });
    let path = "/loki/api/v1/push";
    try_ask(address, "POST", path, JSON, push.to_string().as_bytes())
}

fn send_span(address: SocketAddr, number: u64) -> std::io::Result<Answer> {
    let at = millis(number) * 1_000_000;
    let spans = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [{
        "traceId": format!("{number:032x}"), "spanId": format!("{number:016x}"), "name": "sent",
        "startTimeUnixNano": at.to_string(), "endTimeUnixNano": (at + 5).to_string(),
    }] }] }] });
    let body = spans.to_string();
    try_ask(address, "POST", "/v1/traces", JSON, body.as_bytes())
}

#[track_caller]
fn json_of(address: SocketAddr, path: &str, parameters: &[(&str, &str)]) -> Json {
    let query: String = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    let answer = ask(address, "GET", &format!("{path}?{query}"), "", b"");
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

/// The numbers of every sample that is there.
fn samples(address: SocketAddr) -> Vec<u64> {
    let found = json_of(address, "/api/v1/query", &[("query", "sent[1h]")]);
    let values = found["data"]["result"][0]["values"].as_array();
    let number = |pair: &Json| pair[1].as_str().unwrap().parse().unwrap();
    values.into_iter().flatten().map(number).collect()
}

/// The numbers of every line that is there, in pages, as far as they are at or after the time of this one.
fn lines(address: SocketAddr, from: u64) -> Vec<u64> {
    let mut all = vec![];
    let mut start = millis(from) * 1_000_000;
    loop {
        let parameters = [
            ("query", "{app=\"shop\"}"),
            ("start", &start.to_string()),
            ("end", &(millis(1 << 20) * 1_000_000).to_string()),
            ("limit", "5000"),
            ("direction", "forward"),
        ];
        let found = json_of(address, "/loki/api/v1/query_range", &parameters);
        let values = found["data"]["result"][0]["values"].as_array();
        let values = values.cloned().unwrap_or_default();
        let number = |pair: &Json| pair[1].as_str().unwrap().parse::<u64>().unwrap();
        all.extend(values.iter().map(number));
        let Some(last) = values.last().filter(|_| values.len() == 5000) else {
            return all;
        };
        start = last[0].as_str().unwrap().parse::<i64>().unwrap() + 1;
    }
}

/// Fails unless each of `acknowledged` is among `found`, which holds nothing twice.
#[track_caller]
fn all_there(what: &str, acknowledged: &[u64], mut found: Vec<u64>) {
    found.sort_unstable();
    let twice = found.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(twice, None, "{what}");
    let missing: Vec<&u64> = acknowledged
        .iter()
        .filter(|number| found.binary_search(number).is_err())
        .collect();
    assert!(missing.is_empty(), "{what}: {missing:?} are gone");
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let rounds: u32 = std::env::var("WHARF_CRASH_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(10);
    let folder = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::with_seed(5);
    let senders = [send_sample, send_line, send_span].map(Sender::new);
    let acknowledged = || senders.each_ref().map(Sender::acknowledged);
    let mut before = [1_u64; 3];
    for round in 0..=rounds {
        // Now and then it does not even come up.
        if random.u8(0..5) == 0 {
            let mut early = Victim::spawn(folder.path());
            std::thread::sleep(Duration::from_millis(random.u64(0..60)));
            early.kill().unwrap();
            early.wait().unwrap();
        }
        let mut victim = Victim::start(folder.path());
        let address = victim.address;
        let [sample, line, span] = acknowledged();
        let last = round == rounds;
        let from = if last { [1; 3] } else { before };
        let since = |all: &[u64], from: u64| -> Vec<u64> {
            all.iter().copied().filter(|n| *n >= from).collect()
        };
        all_there("samples", &sample, samples(address));
        all_there("lines", &since(&line, from[1]), lines(address, from[1]));
        for number in since(&span, from[2]) {
            let trace = json_of(address, &format!("/api/v2/traces/{number:032x}"), &[]);
            assert!(trace.to_string().contains("sent"), "{number}: {trace}");
        }
        if last {
            victim.kill();
            let counts = [sample.len(), line.len(), span.len()];
            assert!(
                counts.iter().all(|count| *count > rounds as usize),
                "{counts:?}"
            );
            let [samples, lines, spans] = counts;
            println!(
                "{rounds} kills; {samples} samples, {lines} lines, {spans} spans acknowledged, all there"
            );
            return;
        }
        before = senders
            .each_ref()
            .map(|one| one.sent.load(Ordering::Relaxed).max(1));
        let end = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for sender in &senders {
                scope.spawn(|| sender.run(address, &end));
            }
            std::thread::sleep(Duration::from_millis(random.u64(1..120)));
            victim.kill();
            end.store(true, Ordering::Relaxed);
        });
    }
}

#[test]
fn what_was_taken_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let now = wharf_base::clock::now().0;
    {
        let server = Server::open(folder.path(), Mode::Project);
        let push = json!({ "streams": [{
            "stream": { "app": "shop" },
            "values": [[format!("{}", now * 1_000_000), "kept"]],
        }] });
        let headers = "Content-Type: application/json\r\n";
        let body = push.to_string();
        assert_eq!(
            server
                .post("/loki/api/v1/push", headers, body.as_bytes())
                .status,
            204
        );
        let spans = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [{
            "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7", "name": "kept",
            "startTimeUnixNano": (now * 1_000_000).to_string(), "endTimeUnixNano": (now * 1_000_000 + 5).to_string(),
        }] }] }] });
        let answer = server.post("/v1/traces", headers, spans.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        let metrics = json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [{
            "name": "kept", "gauge": { "dataPoints": [{ "timeUnixNano": (now * 1_000_000).to_string(), "asDouble": 7.0 }] },
        }] }] }] });
        let answer = server.post("/v1/metrics", headers, metrics.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let server = Server::open(folder.path(), Mode::Project);
    let found = server.json("/api/v1/query", &[("query", "kept")]);
    assert_eq!(found["data"]["result"][0]["value"][1], "7", "{found}");
    let lines = server.json("/loki/api/v1/query_range", &[("query", "{app=\"shop\"}")]);
    assert_eq!(
        lines["data"]["result"][0]["values"][0][1], "kept",
        "{lines}"
    );
    let trace = server.json("/api/v2/traces/4bf92f3577b34da6a3ce929d0e0e4736", &[]);
    assert!(trace.to_string().contains("kept"), "{trace}");
}
