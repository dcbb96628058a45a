//! Random expressions on random series: a real Prometheus 3 has to say the same.
//!
//! Differences that are known, and that [`stated`] and [`compare`] leave out:
//! - `counted-twice`: Prometheus merges its note about corrected histograms with itself, so that the number of samples it tells
//!   doubles from step to step. The text is compared without that number.
//! - `ten-notes`: its API tells ten warnings and ten infos; where it tells ten, which ones is its choice.
//! - `unordered`: the order in which Prometheus gives series on after a step over a range is that of a hash map, and both which of
//!   equal values `topk` takes and the last bits of sums depend on it. A difference counts only if Prometheus, asked again and
//!   again, is of one mind.
//! - `timestamp-at-offset`: of `timestamp(a @ 0 offset 1m)` Prometheus forgets the offset when it evaluates, but not when it reads
//!   samples. Here the offset counts.
//! - `last-bits`: functions such as `atan2` differ in the last bit, which makes other labels in `count_values` and
//!   anything of a remainder: the generator rounds there, and calculates no powers of large numbers.

use std::collections::BTreeSet;

use fastrand::Rng;
use wharf_promql::testing::{Memory, Target};
use wharf_promql::{Element, Evaluated, Value, parse, pretty};
use wharf_signal::{Sample, Series};

use crate::data::{END, START, generate};
use crate::generate::Generator;
use crate::prometheus::{Prometheus, seconds};

/// How many expressions: `PROMQL_EXPRESSIONS` asks for more.
const EXPRESSIONS: usize = 2500;
const SEED: u64 = 20_260_301;

/// How far two values may be apart, of the greater one.
const TOLERANCE: f64 = 1e-9;

/// What remains of sums that are zero but for rounding, of values like those of the test.
const CANCELLED: f64 = 1e-12;

/// When a query is asked, in milliseconds.
#[derive(Debug, Clone, Copy)]
enum When {
    At(i64),
    Range { start: i64, end: i64, step: i64 },
}

#[test]
fn a_real_prometheus_says_the_same() {
    let Some(prometheus) = Prometheus::start() else {
        return;
    };
    let from_environment = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let seed = from_environment("PROMQL_SEED").unwrap_or(SEED);
    let count = from_environment("PROMQL_EXPRESSIONS");
    let count = count.map_or(EXPRESSIONS, |count| usize::try_from(count).unwrap());
    eprintln!("seed {seed}, {count} expressions");

    let series = generate(seed);
    prometheus.write(&series);
    let mut memory = Memory::default();
    memory.load(&series).unwrap();

    let mut rng = Rng::with_seed(seed);
    let mut generator = Generator::new(seed, (START / 1000, END / 1000));
    let forgotten_offset =
        regex::Regex::new(r"timestamp\([^\[()]* @ (start\(\)|end\(\)|\d+) offset").unwrap();
    let mut forgotten = 0;
    let mut differences = Vec::new();
    let (mut values, mut failures, mut told, mut unordered) = (0usize, 0usize, 0usize, 0usize);
    for _ in 0..count {
        let query = generator.expr();
        let when = if rng.bool() {
            When::At(rng.i64(START..END))
        } else {
            let start = rng.i64(START..END);
            let end = rng.i64(start..END + 300_000);
            let step = rng.i64(1..40) * 5_000;
            When::Range { start, end, step }
        };
        let ask = || match when {
            When::At(at) => {
                let fields = [("query", query.clone()), ("time", seconds(at))];
                prometheus.query("/api/v1/query", &fields)
            }
            When::Range { start, end, step } => {
                let fields = [
                    ("query", query.clone()),
                    ("start", seconds(start)),
                    ("end", seconds(end)),
                    ("step", seconds(step)),
                ];
                prometheus.query("/api/v1/query_range", &fields)
            }
        };
        let theirs = ask();
        let ours = match when {
            When::At(at) => memory.instant(&query, at),
            When::Range { start, end, step } => memory.range(&query, start, end, step),
        };
        match &theirs {
            Ok(answer) => {
                values += usize::from(!is_empty(&answer.value));
                told += usize::from(!answer.warnings.is_empty() || !answer.infos.is_empty());
            }
            Err(_) => failures += 1,
        }
        let Err(why) = compare(&query, ours, theirs.clone()) else {
            continue;
        };
        let again = |_| compare(&query, ask(), theirs.clone()).is_err();
        if (0..20).any(again) {
            unordered += 1;
        } else if forgotten_offset.is_match(&query) {
            forgotten += 1;
        } else {
            differences.push(format!("{query}\n    {when:?}: {why}"));
        }
    }
    eprintln!(
        "{count} expressions: {values} with values, {failures} refused by both, {told} with warnings or infos, {unordered} unordered, {forgotten} timestamp-at-offset, {} different",
        differences.len()
    );
    let shown = differences.iter().take(30).cloned().collect::<Vec<_>>();
    assert!(differences.is_empty(), "seed {seed}:\n{}", shown.join("\n"));
}

/// One line and several: an expression is written as Prometheus formats it.
#[test]
fn a_real_prometheus_writes_the_same() {
    let Some(prometheus) = Prometheus::start() else {
        return;
    };
    let mut generator = Generator::new(SEED, (START / 1000, END / 1000));
    for _ in 0..1000 {
        let query = generator.expr();
        let ours = parse(&query)
            .map(|expr| pretty(&expr))
            .map_err(|e| e.to_string());
        let theirs = prometheus.formatted(&query);
        match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{query}"),
            (Err(ours), Err(theirs)) => assert!(theirs.ends_with(ours), "{ours} {theirs}"),
            _ => panic!("{query}: {ours:?} instead of {theirs:?}"),
        }
    }
}

/// What is no expression is refused in the same words, at the same place.
#[test]
fn a_real_prometheus_refuses_the_same() {
    let Some(prometheus) = Prometheus::start() else {
        return;
    };
    let mut different = Vec::new();
    for query in include_str!("refused.txt").lines() {
        let ours = parse(query)
            .map(|expr| expr.to_string())
            .map_err(|e| e.to_string());
        match (ours, prometheus.formatted(query)) {
            (Err(ours), Err(theirs)) if theirs.ends_with(&ours) => {}
            (ours, theirs) => different.push(format!("{query}\n  {ours:?}\n  {theirs:?}")),
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Vector(elements) => elements.is_empty(),
        Value::Matrix(series) => series.is_empty(),
        _ => false,
    }
}

fn compare(
    query: &str,
    ours: Result<Evaluated, String>,
    theirs: Result<Evaluated, String>,
) -> Result<(), String> {
    let (ours, theirs) = match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (Err(ours), Err(theirs)) => {
            let stripped = theirs.strip_prefix("invalid parameter \"query\": ");
            let theirs = stripped.unwrap_or(&theirs);
            return if ours == theirs {
                Ok(())
            } else {
                Err(format!("{ours:?} instead of {theirs:?}"))
            };
        }
        (Ok(_), Err(why)) => return Err(format!("only Prometheus refuses: {why}")),
        (Err(why), Ok(_)) => return Err(format!("only Prometheus answers; here: {why}")),
    };
    for (what, ours, theirs) in [
        ("warnings", &ours.warnings, &theirs.warnings),
        ("infos", &ours.infos, &theirs.infos),
    ] {
        // The API tells ten of them.
        let (ours, theirs) = (stated(ours), stated(theirs));
        if ours != theirs && theirs.len() < 10 {
            return Err(format!("{what} {ours:?} instead of {theirs:?}"));
        }
    }
    let is_ordered = ["sort", "topk", "bottomk"]
        .iter()
        .any(|f| query.starts_with(f));
    compare_values(ours.value, theirs.value, is_ordered)
}

/// Texts without their places in the query, and without how many samples they are about.
fn stated(texts: &[String]) -> BTreeSet<String> {
    let text = |text: &String| {
        let text = text.rsplit_once(" (").map_or(&text[..], |(text, _)| text);
        let words = text.split(' ').collect::<Vec<_>>();
        let is_count = |index: usize| words.get(index + 1) == Some(&"samples");
        let kept = words
            .iter()
            .enumerate()
            .filter(|(index, _)| !is_count(*index));
        kept.map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
    };
    texts.iter().map(text).collect()
}

fn same(one: f64, other: f64) -> bool {
    #[expect(clippy::float_cmp, reason = "infinities have no difference")]
    if one == other || (one.is_nan() && other.is_nan()) {
        return true;
    }
    let difference = (one - other).abs();
    difference <= CANCELLED || difference <= TOLERANCE * one.abs().max(other.abs())
}

fn compare_values(ours: Value, theirs: Value, is_ordered: bool) -> Result<(), String> {
    match (ours, theirs) {
        (Value::Scalar(a), Value::Scalar(b)) if same(a.v, b.v) => Ok(()),
        (Value::Scalar(a), Value::Scalar(b)) => Err(format!("{} instead of {}", a.v, b.v)),
        (Value::Vector(ours), Value::Vector(theirs)) => {
            if is_ordered {
                let in_order = |all: &[Element]| all.iter().map(|e| e.sample.v).collect::<Vec<_>>();
                let (a, b) = (in_order(&ours), in_order(&theirs));
                if a.len() != b.len() || !a.iter().zip(&b).all(|(a, b)| same(*a, *b)) {
                    return Err(format!("{a:?} instead of {b:?}"));
                }
            }
            compare_series(as_series(ours), as_series(theirs))
        }
        (Value::Matrix(ours), Value::Matrix(theirs)) => compare_series(ours, theirs),
        (ours, theirs) => Err(format!("{ours:?} instead of {theirs:?}")),
    }
}

fn as_series(elements: Vec<Element>) -> Vec<Series> {
    let series = elements.into_iter().map(|element| Series {
        labels: element.labels,
        samples: vec![element.sample],
    });
    series.collect()
}

fn compare_series(mut ours: Vec<Series>, mut theirs: Vec<Series>) -> Result<(), String> {
    for all in [&mut ours, &mut theirs] {
        all.sort_by(|a, b| a.labels.cmp(&b.labels));
    }
    let names = |all: &[Series]| all.iter().map(|s| s.labels.to_string()).collect::<Vec<_>>();
    if names(&ours) != names(&theirs) {
        return Err(format!(
            "{:?} instead of {:?}",
            names(&ours),
            names(&theirs)
        ));
    }
    for (one, other) in ours.iter().zip(&theirs) {
        let matches = |(a, b): (&Sample, &Sample)| a.t == b.t && same(a.v, b.v);
        let difference = one
            .samples
            .iter()
            .zip(&other.samples)
            .find(|(a, b)| !matches((a, b)));
        let labels = &one.labels;
        if let Some((a, b)) = difference {
            return Err(format!("{labels}: {a:?} instead of {b:?}"));
        }
        let (a, b) = (one.samples.len(), other.samples.len());
        if a != b {
            return Err(format!("{labels}: {a} samples instead of {b}"));
        }
    }
    Ok(())
}
