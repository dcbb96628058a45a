//! What holds for every expression and every text.

use std::collections::HashSet;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use wharf_promql::testing::{Memory, Target};
use wharf_promql::{
    MAX_DEPTH, MAX_NESTING, Options, Value, instant, parse, parse_selector, pretty, range,
};
use wharf_signal::{Interrupt, Interrupted, is_stale};

use crate::data::{END, START, generate};
use crate::generate::Generator;

static MEMORY: LazyLock<Memory> = LazyLock::new(|| {
    let mut memory = Memory::default();
    memory.load(&generate(7)).unwrap();
    memory
});

fn expression(seed: u64) -> String {
    Generator::new(seed, (START / 1000, END / 1000)).expr()
}

/// Whether an answer has distinct series, ordered samples and no marks of staleness.
fn is_sound(value: &Value) -> bool {
    match value {
        Value::Scalar(_) | Value::String { .. } => true,
        Value::Vector(elements) => {
            let labels: HashSet<_> = elements.iter().map(|e| &e.labels).collect();
            labels.len() == elements.len() && elements.iter().all(|e| !is_stale(e.sample.v))
        }
        Value::Matrix(series) => {
            series.is_sorted_by(|a, b| a.labels < b.labels)
                && series.iter().all(|series| {
                    series.samples.is_sorted_by(|a, b| a.t < b.t)
                        && series.samples.iter().all(|sample| !is_stale(sample.v))
                })
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_written_is_read_again(seed: u64) {
        // The generator makes operators that allow no such matching as well.
        if let Ok(expr) = parse(&expression(seed)) {
            let line = expr.to_string();
            // Prometheus writes a sign before infinity, which binds looser than the operator when it is read again.
            prop_assume!(!line.contains("+Inf ^"));
            prop_assert_eq!(&parse(&line).unwrap(), &expr, "{}", line);
            prop_assert_eq!(parse(&line).unwrap().to_string(), line);
            prop_assert_eq!(&parse(&pretty(&expr)).unwrap(), &expr);
        }
    }

    #[test]
    fn broken_texts_are_read_or_refused(seed: u64, place: prop::sample::Index, c: char, cut: bool) {
        let mut text = expression(seed);
        let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
        let place = places[place.index(places.len())];
        if cut {
            text.remove(place);
        } else {
            text.insert(place, c);
        }
        if let Err(error) = parse(&text) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-c(){}\\[\\]\"'`,:=~!@#+*/%^<> 0-9.emhx_\\\\-]{0,40}") {
        if let Ok(expr) = parse(&text) {
            prop_assert!(!expr.to_string().is_empty());
        }
        if let Ok(matchers) = parse_selector(&text) {
            prop_assert!(!matchers.is_empty());
        }
    }

    #[test]
    fn any_time_is_evaluated_or_refused(seed: u64, start: i64, span: u32, step: i64) {
        let Ok(expr) = parse(&expression(seed)) else { return Ok(()) };
        let memory = &*MEMORY;
        let options = Options { max_samples: 20_000, ..Options::default() };
        let end = start.saturating_add(i64::from(span));
        for answer in [
            instant(memory, &expr, start, &options),
            range(memory, &expr, start, end, step, &options),
            range(memory, &expr, START, END, step.rem_euclid(100_000), &options),
        ] {
            match answer {
                Ok(answer) => prop_assert!(is_sound(&answer.value), "{expr}"),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }
}

#[test]
fn what_is_nested_too_deep_is_refused() {
    for text in [
        "(".repeat(100_000),
        "-".repeat(100_000),
        "1+".repeat(100_000) + "1",
        "1^".repeat(100_000) + "1",
        "abs(".repeat(100_000),
        "sum(".repeat(100_000),
        format!("a{}", "[1m:1m]".repeat(100_000)),
        "{".repeat(100_000),
        format!("{}a{}", "rate((".repeat(1000), ")[1m:])".repeat(1000)),
    ] {
        assert!(parse(&text).is_err(), "{}", &text[..20]);
    }
}

/// A tree as deep as is allowed is walked on the stack of an ordinary thread, in a build without optimisation too.
#[test]
fn what_is_as_deep_as_is_allowed_is_evaluated() {
    let depth = usize::try_from(MAX_DEPTH).unwrap();
    let nesting = usize::try_from(MAX_NESTING).unwrap() - 2;
    let run = move || {
        for text in [
            "up+".repeat(depth - 2) + "up",
            format!("{}up{}", "abs(".repeat(nesting), ")".repeat(nesting)),
            format!("{}up{}", "sum(".repeat(nesting), ")".repeat(nesting)),
            format!("{}up{}", "(".repeat(nesting), ")".repeat(nesting)),
            format!("{}1{}", "-(".repeat(nesting / 2), ")".repeat(nesting / 2)),
            format!(
                "{}up{}",
                "last_over_time((".repeat(nesting / 2),
                ")[1m:1m])".repeat(nesting / 2)
            ),
        ] {
            let expr = parse(&text).unwrap();
            assert_eq!(parse(&expr.to_string()).unwrap(), expr);
            assert!(pretty(&expr).len() >= text.len());
            instant(&*MEMORY, &expr, END, &Options::default()).unwrap();
        }
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(run);
    thread.unwrap().join().unwrap();
}

#[test]
fn what_needs_too_many_samples_is_refused() {
    let memory = &*MEMORY;
    for text in [
        "requests_total",
        "rate(requests_total[5m])",
        "requests_total[30m]",
        "vector(1)[100y:1ms]",
        "sum(requests_total) by (job)",
        "count_over_time(vector(1)[100y:1ms])",
        "time()",
    ] {
        let options = Options {
            max_samples: 10,
            ..Options::default()
        };
        let expr = parse(text).unwrap();
        let is_scalar = text == "time()";
        let failed = if is_scalar {
            range(memory, &expr, START, i64::MAX / 8, 1, &options)
        } else {
            instant(memory, &expr, END, &options)
        };
        assert_eq!(
            failed.unwrap_err().to_string(),
            "query processing would load too many samples into memory in query execution",
            "{text}"
        );
    }
}

/// Lets a query go on a number of times.
struct Patience(AtomicUsize);

impl Interrupt for Patience {
    fn check(&self) -> Result<(), Interrupted> {
        let left = self.0.fetch_sub(1, Ordering::Relaxed);
        if left == 0 {
            Err(Interrupted::Timeout)
        } else {
            Ok(())
        }
    }
}

#[test]
fn a_query_is_stopped_from_outside() {
    let memory = &*MEMORY;
    let expr = parse("sum(rate(requests_total[30m])) by (job) > quantile(0.5, queue)").unwrap();
    for checks in [0, 1, 5] {
        let patience = Patience(AtomicUsize::new(checks));
        let options = Options {
            interrupt: &patience,
            ..Options::default()
        };
        let stopped = range(memory, &expr, START, END, 500, &options);
        let message = stopped.unwrap_err().to_string();
        assert_eq!(message, "query timed out in expression evaluation");
    }
}
