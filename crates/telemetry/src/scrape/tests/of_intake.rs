//! What becomes of answers, one after another.

use std::time::Instant;

use wharf_base::clock::Timestamp;
use wharf_exporters::Families;
use wharf_protocols::exposition::Format;
use wharf_signal::is_stale;

use super::super::ScrapeError;
use super::super::intake::{Answer, Intake, Report};
use super::super::target::Target;
use super::sink::Memory;
use super::target;

struct Bench {
    memory: Memory,
    intake: Intake,
    target: Target,
    t: u64,
}

impl Bench {
    fn new(edit: impl FnOnce(&mut Target)) -> Self {
        let mut target = target("http://h:1/metrics");
        edit(&mut target);
        Self {
            memory: Memory::default(),
            intake: Intake::new(3),
            target: target.completed(),
            t: 0,
        }
    }

    fn take(&mut self, answer: Result<Answer, ScrapeError>) -> Report {
        self.t += 1_000;
        let t = Timestamp(self.t);
        self.intake
            .take(&self.memory, &self.target, t, Instant::now(), answer)
    }

    fn tell(&mut self, text: &str) -> Report {
        let body = text.as_bytes().to_vec();
        self.take(Ok(Answer::Text {
            body,
            format: Format::Text,
        }))
    }

    /// Values with staleness as `x`.
    fn seen(&self, name: &str) -> String {
        let values = self.memory.values(name).into_iter();
        let words: Vec<String> = values
            .map(|v| {
                if is_stale(v) {
                    "x".to_owned()
                } else {
                    v.to_string()
                }
            })
            .collect();
        words.join(" ")
    }
}

#[test]
fn series_end_when_they_are_not_told_of() {
    let mut bench = Bench::new(|_| {});
    bench.tell("# TYPE a counter\n# HELP a A.\na 1\nb{x=\"1\"} 2\n");
    bench.tell("a 2\n");
    bench.tell("a 3\nb{x=\"1\"} 4\n");
    assert_eq!(bench.seen("a"), "1 2 3");
    assert_eq!(bench.seen("b"), "2 x 4");
    assert_eq!(bench.seen("up"), "1 1 1");
    assert_eq!(bench.seen("scrape_samples_scraped"), "2 1 2");
    assert_eq!(bench.seen("scrape_series_added"), "2 0 1");
    let labels = r#"{__name__="b", instance="h:1", job="shop", x="1"}"#;
    let times: Vec<i64> = bench.memory.samples(labels).iter().map(|s| s.t).collect();
    assert_eq!(times, [1_000, 2_000, 3_000]);
}

#[test]
fn a_failed_scrape_ends_all_once_and_takes_nothing() {
    let mut bench = Bench::new(|_| {});
    bench.tell("a 1\nb 1\n");
    let report = bench.tell("a 2\nb nonsense\n");
    assert!(
        matches!(report.error, Some(ScrapeError::Malformed(_))),
        "{report:?}"
    );
    let gone = || {
        Err(ScrapeError::Connect {
            address: "h:1".to_owned(),
            reason: "refused".to_owned(),
        })
    };
    bench.take(gone());
    bench.take(gone());
    bench.tell("a 5\nb 5\n");
    assert_eq!(bench.seen("a"), "1 x 5");
    assert_eq!(bench.seen("b"), "1 x 5");
    assert_eq!(bench.seen("up"), "1 0 0 0 1");
}

#[test]
fn limits_fail_the_whole_scrape() {
    #[track_caller]
    fn check(edit: fn(&mut Target), text: &str, message: &str) {
        let mut bench = Bench::new(edit);
        let report = bench.tell(text);
        let error = report.error.expect("it fails").to_string();
        assert!(error.contains(message), "{error}");
        assert_eq!(bench.seen("up"), "0");
        assert_eq!(bench.seen("a"), "");
    }
    check(
        |t| t.limits.samples = Some(2),
        "a 1\na{x=\"1\"} 1\na{x=\"2\"} 1\n",
        "sample limit of 2",
    );
    check(
        |t| t.limits.labels = Some(3),
        "a{x=\"1\"} 1\n",
        "label limit exceeded (metric a: 4, limit 3)",
    );
    check(
        |t| t.limits.label_name_bytes = Some(8),
        "a{x23456789=\"1\"} 1\n",
        "label name length",
    );
    check(
        |t| t.limits.label_value_bytes = Some(8),
        "a{x=\"123456789\"} 1\n",
        "label value length",
    );
    check(|_| {}, "{x=\"1\"} 1\n", "");
}

#[test]
fn times_of_the_target_count_where_they_may() {
    let mut bench = Bench::new(|_| {});
    let report = bench.tell("a 1 400\na 2 500\nb 1 99999999\nc 1\nc 2\n");
    assert_eq!(bench.seen("a"), "1 2");
    assert_eq!(bench.seen("b"), "");
    assert_eq!(bench.seen("c"), "1");
    assert_eq!(report.refused.map(|(count, _)| count), Some(2));
    // Nobody knows when such a series ends.
    bench.tell("c 3\n");
    assert_eq!(bench.seen("a"), "1 2");
    let mut bench = Bench::new(|t| t.honor_timestamps = false);
    bench.tell("a 1 500\n");
    bench.tell("");
    assert_eq!(bench.seen("a"), "1 x");
}

#[test]
fn what_the_store_refuses_is_told() {
    let mut bench = Bench::new(|_| {});
    let report = bench.tell("a 1\nrefused 1\nb 1\n");
    assert_eq!(report.refused, Some((1, "too many series".to_owned())));
    assert_eq!(bench.seen("b"), "1");
    bench.memory.fill(true);
    let report = bench.tell("a 2\n");
    assert!(report.error.unwrap().to_string().contains("disk is full"));
    bench.memory.fill(false);
    bench.tell("a 3\nb 3\n");
    assert_eq!(bench.seen("a"), "1 3");
}

#[test]
fn collectors_are_taken_as_expositions_are() {
    let mut bench = Bench::new(|_| {});
    let families = |value: f64, both: bool| {
        let mut families = Families::new();
        families.gauge("a", "A.").add(&[("x", "1")], value);
        if both {
            families.counter("b_total", "B.").add(&[], value);
        }
        Ok(Answer::Families(families))
    };
    let report = bench.take(families(1.0, true));
    assert_eq!(report.metadata.unwrap()["b_total"].help, "B.");
    let report = bench.take(families(2.0, false));
    assert!(report.metadata.is_none());
    assert_eq!(bench.seen("a"), "1 2");
    assert_eq!(bench.seen("b_total"), "1 x");
    bench
        .intake
        .end(&bench.memory, &bench.target, Timestamp(9_000));
    assert_eq!(bench.seen("a"), "1 2 x");
    assert_eq!(bench.seen("b_total"), "1 x");
    assert_eq!(bench.seen("up"), "1 1 x");
}
