//! Scraping real servers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use wharf_base::clock::Timestamp;
use wharf_exporters::{Families, Replica, Root};
use wharf_signal::{Labels, MetricKind, is_stale};

use super::super::{
    Collecting, Collector, Health, HostCollector, ReplicasCollector, Scraper, Source, Target,
};
use super::server::{Reply, Server};
use super::sink::Memory;
use super::target;

/// Far above what any of it takes.
const DEADLINE: Duration = Duration::from_secs(30);

fn scraper() -> (Arc<Memory>, Scraper) {
    let memory = Arc::new(Memory::default());
    let scraper = Scraper::new(Arc::clone(&memory) as _, Handle::current());
    (memory, scraper)
}

fn text(text: &str) -> Reply {
    Reply::Text(text.to_owned())
}

#[track_caller]
fn until(condition: impl Fn() -> bool) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    async move {
        let begin = Instant::now();
        while !condition() {
            assert!(begin.elapsed() < DEADLINE, "waited in vain at {place}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

fn stale(memory: &Memory, name: &str) -> bool {
    memory.last(name).is_some_and(is_stale)
}

#[tokio::test]
async fn a_server_that_changes_dies_and_returns() {
    let (memory, scraper) = scraper();
    let server = Server::start(text("# HELP a A.\n# TYPE a gauge\na 1\nb 2\n")).await;
    scraper.set_targets([target(&server.url)]);
    until(|| memory.values("b").len() > 2).await;
    assert!(memory.values("b").iter().all(|v| *v == 2.0));
    let connections = server.connections.load(Ordering::Relaxed);
    assert!(connections < server.heads.lock().unwrap().len());
    let head = server.heads.lock().unwrap()[0].to_lowercase();
    assert!(head.starts_with("get /metrics http/1.1\r\n"), "{head}");
    assert!(
        head.contains("\r\naccept: application/openmetrics-text;version=1.0.0"),
        "{head}"
    );
    assert!(head.contains("\r\naccept-encoding: gzip\r\n"), "{head}");
    assert!(
        head.contains("\r\nx-prometheus-scrape-timeout-seconds: 0.04\r\n"),
        "{head}"
    );
    assert_eq!(scraper.metadata()["a"][0].1.kind, MetricKind::Gauge);

    server.answer(text("a 5\n"));
    until(|| stale(&memory, "b")).await;
    server.answer(Reply::Gzip("b 7\n".to_owned()));
    until(|| memory.last("b") == Some(7.0) && stale(&memory, "a")).await;

    let address = server
        .url
        .trim_start_matches("http://")
        .trim_end_matches("/metrics")
        .to_owned();
    drop(server);
    until(|| stale(&memory, "b")).await;
    until(|| memory.last("up") == Some(0.0)).await;
    let state = &scraper.targets()[0];
    assert_eq!(state.health, Health::Down);
    let error = state.last_error.clone().unwrap();
    assert!(
        error.starts_with("cannot connect to http://127.0.0.1:")
            || error.starts_with("no answer from"),
        "{error}"
    );
    assert_eq!(state.labels.get("instance"), Some(&*address));

    scraper.set_targets([]);
    until(|| stale(&memory, "up")).await;
    scraper.stop().await;
}

#[tokio::test]
async fn bad_answers_are_told_apart() {
    let (memory, scraper) = scraper();
    let server = Server::start(text("a 1\n")).await;
    let mut one = target(&server.url);
    one.limits.body_bytes = 200;
    scraper.set_targets([one]);
    let error = || scraper.targets()[0].last_error.clone().unwrap_or_default();
    until(|| memory.last("up") == Some(1.0)).await;
    let long = "a{x=\"1\"} 1\n".repeat(30);
    let raw = |bytes: &[u8]| Reply::Raw(bytes.to_vec());
    for (reply, expected) in [
        (text("a 1\n}{\n"), "2"),
        (text(&long), "body size limit of 200 bytes exceeded"),
        (
            Reply::Gzip(long.clone()),
            "body size limit of 200 bytes exceeded",
        ),
        (Reply::Stall, "no whole answer within 40ms"),
        (
            raw(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"),
            "503",
        ),
        (raw(b"no http at all\r\n\r\n"), "no answer from"),
        (
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na 1"),
            "no answer from",
        ),
        (
            raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\na 1\n"),
            "no gzip",
        ),
        (
            raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 4\r\n\r\na 1\n"),
            "packed with br",
        ),
    ] {
        server.answer(reply);
        until(|| error().contains(expected)).await;
        assert!(stale(&memory, "a"));
        server.answer(text("a 1\n"));
        until(|| scraper.targets()[0].health == Health::Up).await;
        until(|| memory.last("a") == Some(1.0)).await;
    }
    assert!(memory.values("scrape_body_size_bytes").contains(&-1.0));
    scraper.stop().await;
    assert_eq!(
        memory.last("a"),
        Some(1.0),
        "the end of the scraper is no end of series"
    );
}

#[tokio::test]
async fn targets_come_and_go_and_the_others_stay() {
    let (memory, scraper) = scraper();
    let (first, second) = (
        Server::start(text("a 1\n")).await,
        Server::start(text("b 1\n")).await,
    );
    scraper.set_targets([target(&first.url)]);
    until(|| memory.values("a").len() > 1).await;
    scraper.set_targets([target(&first.url), target(&second.url)]);
    until(|| memory.values("b").len() > 1).await;
    // What may change without being another target.
    let mut changed = target(&first.url);
    changed.limits.samples = Some(0);
    scraper.set_targets([changed]);
    until(|| stale(&memory, "b")).await;
    until(|| stale(&memory, "a")).await;
    assert_eq!(scraper.targets().len(), 1);
    let connections = first.connections.load(Ordering::Relaxed);
    assert!(connections < first.heads.lock().unwrap().len());
    assert!(!memory.values("b").is_empty());
    scraper.stop().await;
}

#[tokio::test]
async fn unix_sockets_deep_in_the_tree() {
    let (memory, scraper) = scraper();
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a".repeat(60)).join("b".repeat(60));
    std::fs::create_dir_all(&deep).unwrap();
    // A short way to it, for the listener only.
    let link = folder.path().join("l");
    std::os::unix::fs::symlink(&deep, &link).unwrap();
    let server = Server::on_socket(&link.join("s"), text("a{job=\"mine\"} 1\n"));
    let path = deep.join("s");
    let mut one = target(&format!("unix:{}:/metrics?x=1", path.display()));
    one.labels = Labels::from_pairs([("instance", "ingress")]);
    one.honor_labels = true;
    scraper.set_targets([one]);
    until(|| memory.values("a").len() > 1).await;
    assert!(server.heads.lock().unwrap()[0].starts_with("GET /metrics?x=1 HTTP/1.1\r\n"));
    assert!(
        !memory
            .samples(r#"{__name__="a", instance="ingress", job="mine"}"#)
            .is_empty()
    );
    assert!(
        !memory
            .samples(r#"{__name__="up", instance="ingress", job="shop"}"#)
            .is_empty()
    );
    scraper.stop().await;
}

/// Tells the time, or hangs, or fails.
struct Clockwork;

impl Collector for Clockwork {
    fn collect(&self, now: Timestamp) -> Collecting<'_> {
        Box::pin(async move {
            match now.0 / 200 % 3 {
                0 => std::future::pending().await,
                1 => Err("it is broken".to_owned()),
                _ => {
                    let mut families = Families::new();
                    families.gauge("now", "Now.").add(&[], now.0 as f64);
                    Ok(families)
                }
            }
        })
    }
}

#[tokio::test]
async fn collectors_are_targets() {
    let (memory, scraper) = scraper();
    let source = Source::Collect {
        name: "clockwork".to_owned(),
        collector: Arc::new(Clockwork),
    };
    scraper.set_targets([Target::new("host", source, Duration::from_millis(20))]);
    let error = || scraper.targets()[0].last_error.clone().unwrap_or_default();
    until(|| error().contains("no whole answer within 20ms")).await;
    until(|| error() == "it is broken").await;
    until(|| memory.last("now").is_some_and(|v| v > 0.0)).await;
    until(|| stale(&memory, "now")).await;
    assert!(
        memory
            .names()
            .contains(&"scrape_duration_seconds".to_owned())
    );
    scraper.stop().await;
}

#[tokio::test]
async fn this_machine_and_its_replicas_are_targets() {
    let (memory, scraper) = scraper();
    let replicas = Arc::new(ReplicasCollector::new(Root::default()));
    replicas.set(vec![Replica {
        service: "web".to_owned(),
        replica: "1".to_owned(),
        release: "7".to_owned(),
        name: "web-1".to_owned(),
        pid: i32::try_from(std::process::id()).unwrap(),
        started_at: Timestamp(1),
        cgroups: vec![],
        cpu_millis: None,
        memory_bytes: None,
    }]);
    let collect = |job: &str, collector: Arc<dyn Collector>| {
        let source = Source::Collect {
            name: job.to_owned(),
            collector,
        };
        // Reading the kernel's files may take a while on a busy machine.
        Target::new(job, source, Duration::from_millis(500))
    };
    let host = Arc::new(HostCollector::new(Root::default()));
    scraper.set_targets([
        collect("node-exporter", host),
        collect("cadvisor", Arc::clone(&replicas) as _),
    ]);
    until(|| {
        memory
            .last("node_memory_MemTotal_bytes")
            .is_some_and(|v| v > 0.0)
    })
    .await;
    until(|| memory.last("container_threads").is_some_and(|v| v > 0.0)).await;
    replicas.set(vec![]);
    until(|| stale(&memory, "container_threads")).await;
    assert_eq!(
        scraper.metadata()["node_cpu_seconds_total"][0].1.kind,
        MetricKind::Counter
    );
    scraper.stop().await;
}
