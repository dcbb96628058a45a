//! What the store costs: `measure DIR SPANS` pushes so many spans of three services in batches and asks for some. Prints CPU seconds.

#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

use std::path::PathBuf;
use std::time::Duration;

use wharf_base::clock::Timestamp;
use wharf_signal::{Span, SpanId, SpanKind, SpanStatus, TraceId, Value};
use wharf_traces::traceql::Query;
use wharf_traces::{Options, Range, Search, TraceStore};

/// Spans of one push, as a collector sends them.
const BATCH: u64 = 300;
const SERVICES: [&str; 3] = ["ingress", "web", "db"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().ok_or("measure DIR SPANS")?);
    let spans: u64 = arguments.next().ok_or("measure DIR SPANS")?.parse()?;
    let (store, _) = TraceStore::open(&dir, Options::default())?;
    let mut random = fastrand::Rng::with_seed(1);
    let made: Vec<Vec<Span>> = (0..spans / BATCH).map(|n| batch(n, &mut random)).collect();
    let begun = cpu();
    for (n, spans) in (0..).zip(&made) {
        store.push(spans, &[])?;
        if n % 200 == 0 {
            store.maintain(Timestamp(n))?;
        }
    }
    let took = cpu() - begun;
    store.flush()?;
    while store.maintain(Timestamp(1))?.merged > 0 {}
    let health = store.health();
    println!(
        "pushed {spans} spans: {took:?} of CPU, {:.0} spans a CPU second; {} blocks, {:.1} bytes a span",
        spans as f64 / took.as_secs_f64(),
        health.blocks,
        health.bytes as f64 / spans as f64
    );
    let begun = cpu();
    let traces: Vec<TraceId> = made
        .iter()
        .step_by(50)
        .map(|spans| spans[0].trace)
        .collect();
    let found = traces
        .iter()
        .filter(|id| store.trace(**id).is_some())
        .count();
    println!(
        "{found} of {} traces by id: {:?} of CPU each",
        traces.len(),
        (cpu() - begun) / u32::try_from(traces.len())?
    );
    for query in [
        "{ resource.service.name = \"web\" && duration > 100ms }",
        "{ status = error }",
        "{ span.http.response.status_code >= 500 }",
        "{ .n = 77 }",
    ] {
        let begun = cpu();
        let search = Search {
            query: Query::parse(query)?,
            range: Range::ALL,
            limit: 20,
            spans_per_trace: 3,
        };
        let found = store.search(&search, &())?;
        println!(
            "{query}: {} traces, {:?} of CPU, {} MB inspected",
            found.traces.len(),
            cpu() - begun,
            found.inspected_bytes >> 20
        );
    }
    let begun = cpu();
    let graph = store.service_graph(Range::ALL, &())?;
    println!(
        "graph of {} edges: {:?} of CPU",
        graph.edges.len(),
        cpu() - begun
    );
    let status = std::fs::read_to_string("/proc/self/status")?;
    println!(
        "{}",
        status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap_or_default()
    );
    Ok(())
}

/// User and system time of this process.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// Traces of three spans each.
fn batch(n: u64, random: &mut fastrand::Rng) -> Vec<Span> {
    let mut spans = vec![];
    for trace in 0..BATCH / 3 {
        let id = TraceId(random.u128(1..));
        let mut parent = SpanId(0);
        let start = i64::try_from(n * 1_000_000_000 + trace * 10_000_000).unwrap_or_default();
        let failed = random.u32(0..1_000) == 0;
        for (depth, service) in (0_i64..).zip(SERVICES) {
            let own = SpanId(random.u64(1..));
            let millis = i64::from(random.u32(1..120)) - depth;
            let route = ["/items", "/items/{id}", "/health", "/orders"][random.usize(0..4)];
            spans.push(Span {
                trace: id,
                id: own,
                parent,
                name: format!("GET {route}"),
                service: service.to_owned(),
                kind: SpanKind::Server,
                start_nanos: start + depth * 1_000_000,
                end_nanos: start + depth * 1_000_000 + millis * 1_000_000,
                status: if failed {
                    SpanStatus::Error
                } else {
                    SpanStatus::Unset
                },
                message: String::new(),
                attributes: vec![
                    (
                        "http.request.method".to_owned(),
                        Value::Text("GET".to_owned()),
                    ),
                    ("http.route".to_owned(), Value::Text(route.to_owned())),
                    (
                        "url.path".to_owned(),
                        Value::Text(format!("/items/{}", random.u32(0..100_000))),
                    ),
                    (
                        "http.response.status_code".to_owned(),
                        Value::Int(if failed { 503 } else { 200 }),
                    ),
                    (
                        "client.address".to_owned(),
                        Value::Text(format!("10.0.{}.{}", random.u8(..), random.u8(..))),
                    ),
                    (
                        "n".to_owned(),
                        Value::Int(i64::try_from(n).unwrap_or_default()),
                    ),
                ],
                resource: vec![(
                    "service.instance.id".to_owned(),
                    Value::Text(format!("{service}-1")),
                )],
                scope: "measure".to_owned(),
                events: vec![],
                links: vec![],
            });
            parent = own;
        }
    }
    spans
}
