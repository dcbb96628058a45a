//! What `benches/logs.py` measures the store with: made-up lines, and each question asked in a process of its own.
//!
//! ```text
//! logs_load generate BYTES FILE         lines of JSON as services write them, always the same, of 24 streams
//! logs_load generate BYTES FILE N       the same of as many replicas: 12 streams of each
//! logs_load ingest DIR FILE             pushes them, 512 a batch, with their trace id as metadata
//! logs_load ask DIR QUERY LINES lines [LIMIT]      the newest lines for which a query of LogQL asks, 5,000 or so many
//! logs_load ask DIR QUERY LINES number             numbers at the end
//! logs_load ask DIR QUERY LINES range SECONDS      numbers over all of the time, one in so many seconds
//! ```
//!
//! `LINES` is how many were generated, which tells the end. Each prints one JSON object. Questions are asked as the engine asks them:
//! through the parser and the evaluator of LogQL.

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use wharf_logql::{Limits, LogParams, MetricParams, MetricResult, log_query, metric_query};
use wharf_logs::{Batch, LogStore, Options};
use wharf_signal::{Direction, Labels, LogEntry};

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000_000_000;

/// Between two lines: 1 GiB is some hours of a busy application.
const STEP: i64 = 7_300_000;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["generate", bytes, file] => generate(bytes.parse()?, file.as_ref(), 2),
        ["generate", bytes, file, replicas] => {
            generate(bytes.parse()?, file.as_ref(), replicas.parse()?)
        }
        ["ingest", dir, file] => ingest(dir.as_ref(), file.as_ref()),
        ["ask", dir, query, lines, ref form @ ..] => {
            let form = match form {
                ["lines"] => Form::Lines { limit: MAX_LINES },
                ["lines", limit] => Form::Lines {
                    limit: limit.parse()?,
                },
                ["number"] => Form::Number,
                ["range", seconds] => Form::Range {
                    seconds: seconds.parse()?,
                },
                _ => return Err("lines, number or range?".into()),
            };
            let end = START + lines.parse::<i64>()? * STEP;
            ask(dir.as_ref(), query, end, form)
        }
        _ => Err("see the head of this example for what it can do".into()),
    }
}

const SERVICES: [&str; 4] = ["web", "api", "worker", "auth"];
const ROUTES: [&str; 6] = [
    "/",
    "/items",
    "/items/{}",
    "/users/{}/orders",
    "/login",
    "/search?q={}",
];
const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
    "curl/8.5.0",
    "kube-probe/1.31",
];

fn generate(bytes: u64, file: &Path, replicas: u16) -> Result<(), Box<dyn Error>> {
    let mut out = BufWriter::new(File::create(file)?);
    let mut rng = fastrand::Rng::with_seed(20_260_101);
    let (mut written, mut lines) = (0, 0i64);
    let mut trace = 0;
    while written < bytes {
        // Some lines belong to one request.
        if trace == 0 || rng.u8(..) < 140 {
            trace = rng.u128(1..);
        }
        let nanos = START + lines * STEP;
        let millis = nanos / 1_000_000 - START / 1_000_000;
        let time = format!(
            "2026-01-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            1 + millis / 86_400_000,
            millis / 3_600_000 % 24,
            millis / 60_000 % 60,
            millis / 1000 % 60,
            millis % 1000
        );
        let (status, level) = match rng.u16(..1000) {
            0..6 => (500 + rng.u16(..4), "error"),
            6..40 => (404, "warn"),
            _ => (200, "info"),
        };
        let route = ROUTES[rng.usize(..ROUTES.len())];
        let line = format!(
            "{{\"time\":\"{time}\",\"level\":\"{level}\",\"service\":\"{}\",\"replica\":{},\"trace_id\":\"{trace:032x}\",\
             \"method\":\"{}\",\"path\":\"{}\",\"status\":{status},\"duration_ms\":{:.3},\"bytes\":{},\"client\":\"10.{}.{}.{}\",\
             \"agent\":\"{}\",\"message\":\"request completed\"}}\n",
            SERVICES[rng.usize(..SERVICES.len())],
            rng.u16(..replicas),
            if rng.u8(..) < 200 { "GET" } else { "POST" },
            route.replace("{}", &rng.u32(1..50_000).to_string()),
            f64::from(rng.u32(200..90_000)) / 1000.0,
            rng.u32(80..30_000),
            rng.u8(..4),
            rng.u8(..),
            rng.u8(..),
            AGENTS[rng.usize(..AGENTS.len())],
        );
        out.write_all(line.as_bytes())?;
        written += line.len() as u64;
        lines += 1;
    }
    out.flush()?;
    say(&format!("{{\"bytes\":{written},\"lines\":{lines}}}"));
    Ok(())
}

/// A field of such a line.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let place = line.find(name)? + name.len();
    let rest = line.get(place..)?.strip_prefix("\":")?;
    let rest = rest.strip_prefix('"').unwrap_or(rest);
    rest.split(['"', ',', '}']).next()
}

fn ingest(dir: &Path, file: &Path) -> Result<(), Box<dyn Error>> {
    let (store, _) = LogStore::open(dir, Options::default())?;
    let mut streams: HashMap<String, Labels> = HashMap::new();
    let mut batch: HashMap<Labels, Vec<LogEntry>> = HashMap::new();
    let (mut bytes, mut lines) = (0, 0i64);
    let begin = Instant::now();
    let mut reader = BufReader::with_capacity(1 << 20, File::open(file)?);
    let mut line = String::new();
    let push = |batch: &mut HashMap<Labels, Vec<LogEntry>>| {
        let batch = Batch {
            streams: batch.drain().collect(),
            ..Batch::default()
        };
        store.push(&batch)
    };
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            break;
        }
        let text = line.trim_end_matches('\n');
        let [level, service, replica, trace] = ["level", "service", "replica", "trace_id"]
            .map(|name| field(text, name).unwrap_or_default());
        let key = format!("{level} {service} {replica}");
        let labels = streams.entry(key).or_insert_with(|| {
            Labels::from_pairs([("level", level), ("service", service), ("replica", replica)])
        });
        bytes += text.len();
        let entry = LogEntry {
            nanos: START + lines * STEP,
            line: text.to_owned(),
            metadata: Labels::from_sorted([("trace_id", trace)]),
        };
        batch.entry(labels.clone()).or_default().push(entry);
        lines += 1;
        if lines % 512 == 0 {
            push(&mut batch)?;
        }
        if lines % 200_000 == 0 {
            store.maintain(START + lines * STEP)?;
        }
    }
    push(&mut batch)?;
    store.flush()?;
    let pushed = begin.elapsed();
    while store.maintain(START + lines * STEP)?.merged > 0 {}
    let health = store.health();
    let memory = status_bytes("VmHWM");
    say(&format!(
        "{{\"bytes\":{bytes},\"lines\":{lines},\"seconds\":{:.3},\"streams\":{},\"files\":{},\"stored\":{},\"peak\":{memory}}}",
        pushed.as_secs_f64(),
        streams.len(),
        health.hot.files,
        health.hot.bytes,
    ));
    Ok(())
}

/// Lines that a question may be answered with; the API's limit.
const MAX_LINES: usize = 5_000;

/// Asks as the engine's API of Loki does it, over all lines.
fn ask(dir: &Path, query: &str, end: i64, form: Form) -> Result<(), Box<dyn Error>> {
    let (store, _) = LogStore::open(dir, Options::default())?;
    let begin = Instant::now();
    let expr = wharf_logql::parse(query)?;
    let (mut found, mut points) = (0.0, 0);
    let looked_at = match form {
        Form::Lines { limit } => {
            let params = LogParams {
                start: START,
                end,
                limit,
                direction: Direction::Backward,
                interval: 0,
                now: end,
            };
            let result = log_query(&store, &expr, &params, &())?;
            found = result.lines.len() as f64;
            result.stats.lines
        }
        Form::Number | Form::Range { .. } => {
            // Loki asks from one whole step to another, so that no line is left over.
            let (start, end, step) = match form {
                Form::Range { seconds } => {
                    let step = seconds.max(1) * 1_000_000_000;
                    (START, START + (end - START + step - 1) / step * step, step)
                }
                _ => (end, end, 0),
            };
            let params = MetricParams {
                start,
                end,
                step,
                now: end,
            };
            let (result, stats) = metric_query(&store, &expr, &params, &Limits::default(), &())?;
            let samples: Vec<f64> = match result {
                MetricResult::Scalar(sample) => vec![sample.v],
                MetricResult::Vector(samples) => samples.iter().map(|(_, s)| s.v).collect(),
                MetricResult::Matrix(series) => {
                    let samples = series.iter().flat_map(|series| &series.samples);
                    samples.map(|sample| sample.v).collect()
                }
            };
            points = samples.len();
            found += samples.iter().sum::<f64>();
            stats.lines
        }
    };
    let took = begin.elapsed().as_secs_f64() * 1000.0;
    let memory = status_bytes("VmHWM");
    say(&format!(
        "{{\"found\":{found},\"points\":{points},\"lines\":{looked_at},\"millis\":{took:.1},\"peak\":{memory}}}"
    ));
    Ok(())
}

/// What a question is answered with.
enum Form {
    /// The newest lines.
    Lines { limit: usize },
    /// A number of each series, at the end.
    Number,
    /// A number at each step, from the first line to the end.
    Range { seconds: i64 },
}

/// A size out of `/proc/self/status`, in bytes.
fn status_bytes(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}

#[expect(clippy::print_stdout, reason = "it is what the benchmark reads")]
fn say(line: &str) {
    println!("{line}");
}
