//! Service-level objectives: error ratios over several windows, burn-rate alerts, and what is left of the error budget.
//!
//! The windows and their factors are those of the Site Reliability Workbook, chapter 5 ("multiwindow, multi-burn-rate
//! alerts"): 2% of a 30-day budget in an hour, 5% in six hours, 10% in a day, 10% in three days, each beside a window of a
//! twelfth so that the alert ends soon after the trouble does. For another period of the objective the factors follow from
//! the same shares of the budget; windows in which no budget worth an alert can burn are left out.

use std::collections::BTreeMap;
use std::time::Duration;

use super::example::{Example, percentage};
use super::vocabulary::{Requests, Vocabulary, range};
use super::{Alerting, Group, Recording, Rule};
use crate::model::{Indicator, Objective, Severity};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// One pair of windows: the long, the short, the part of the budget in thousandths, and how bad it is.
const BURNS: [(Duration, Duration, u32, Severity); 4] = [
    (HOUR, Duration::from_secs(5 * 60), 20, Severity::Critical),
    (
        Duration::from_secs(6 * 60 * 60),
        Duration::from_secs(30 * 60),
        50,
        Severity::Critical,
    ),
    (
        Duration::from_secs(24 * 60 * 60),
        Duration::from_secs(2 * 60 * 60),
        100,
        Severity::Warning,
    ),
    (
        Duration::from_secs(72 * 60 * 60),
        Duration::from_secs(6 * 60 * 60),
        100,
        Severity::Warning,
    ),
];

/// What an objective's error budget is counted over.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget<'a> {
    /// The objective.
    pub objective: &'a Objective,
    /// The time that samples are there for: the objective's own, or as long as they are kept.
    pub seen: Duration,
}

/// Every objective of the plan whose requests are counted by something, and over which time its budget is.
#[must_use]
pub fn budgets<'a>(words: &Vocabulary<'a>) -> Vec<Budget<'a>> {
    words
        .plan
        .objectives
        .iter()
        .filter(|objective| {
            matches!(objective.indicator, Indicator::Ratio { .. })
                || words.requests_of(&objective.service).is_some()
        })
        .map(|objective| Budget {
            objective,
            seen: objective.window.min(words.plan.telemetry.retention),
        })
        .collect()
}

pub(super) fn group(words: &Vocabulary<'_>) -> Group {
    let mut rules = vec![];
    for budget in budgets(words) {
        let requests = words.requests_of(&budget.objective.service);
        rules.extend(recordings(words, &budget, requests.as_ref()));
        for severity in [Severity::Critical, Severity::Warning] {
            let alert = burn(words, budget.objective, requests.as_ref(), severity);
            rules.extend(alert.map(Rule::from));
        }
    }
    Group {
        name: "objectives",
        about: "Service-level objectives: error ratios, burn-rate alerts, error budgets.",
        rules,
    }
}

/// PromQL of failed and of all events a second within `window`.
fn events(
    objective: &Objective,
    requests: Option<&Requests<'_>>,
    window: &str,
) -> Option<(String, String)> {
    let service = Some(&objective.service);
    match &objective.indicator {
        Indicator::Availability => {
            let requests = requests?;
            let counter = requests.counter;
            let failed = format!("{}=~\"5..\"", requests.status);
            Some((
                format!(
                    "(sum(rate({counter}{{{}}}[{window}])) or vector(0))",
                    requests.matchers(service, &failed)
                ),
                format!(
                    "sum(rate({counter}{{{}}}[{window}]))",
                    requests.matchers(service, "")
                ),
            ))
        }
        Indicator::Latency { under } => {
            let requests = requests?;
            let histogram = requests.histogram;
            let total = format!(
                "sum(rate({histogram}_count{{{}}}[{window}]))",
                requests.matchers(service, "")
            );
            let good = format!(
                "sum(rate({histogram}_bucket{{{}}}[{window}]))",
                requests.matchers(service, &bound(*under))
            );
            Some((format!("({total} - {good})"), total))
        }
        Indicator::Ratio { good, total } => {
            let fill = |query: &str| format!("({})", query.trim().replace("$window", window));
            let (good, total) = (fill(good), fill(total));
            Some((format!("({total} - {good})"), total))
        }
    }
}

/// The matcher of a histogram's bound. Prometheus 3 writes whole bounds as `1.0`, clients also as `1`.
fn bound(under: Duration) -> String {
    let seconds = under.as_secs_f64();
    if seconds.fract() == 0.0 {
        format!("le=~\"{seconds}(\\\\.0)?\"")
    } else {
        format!("le=\"{seconds}\"")
    }
}

fn labels(words: &Vocabulary<'_>, objective: &Objective) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("namespace".to_owned(), words.namespace.to_owned()),
        ("objective".to_owned(), objective.name.to_string()),
        ("service".to_owned(), objective.service.to_string()),
    ])
}

fn matchers(objective: &Objective) -> String {
    format!(
        "{{objective=\"{}\", service=\"{}\"}}",
        objective.name, objective.service
    )
}

/// What may fail, as a number: 0.001 for 99.9%.
fn allowed(objective: &Objective) -> f64 {
    f64::from(100_000 - objective.target.thousandths) / 100_000.0
}

fn recordings(
    words: &Vocabulary<'_>,
    budget: &Budget<'_>,
    requests: Option<&Requests<'_>>,
) -> Vec<Rule> {
    let objective = budget.objective;
    let labels = labels(words, objective);
    let matchers = matchers(objective);
    let record = |name: String, expr: String| {
        Rule::Record(Recording {
            name,
            expr,
            labels: labels.clone(),
        })
    };
    let Some((failed, all)) = events(objective, requests, "5m") else {
        return vec![];
    };
    let mut rules = vec![
        record("objective:events:rate5m".to_owned(), all),
        record("objective:failures:rate5m".to_owned(), failed),
        record(
            "objective:target:ratio".to_owned(),
            format!("vector({})", objective.target.fraction()),
        ),
    ];
    for window in windows() {
        let text = range(window);
        let expr = if window > 6 * HOUR || text == "5m" {
            // Days of raw samples are much to read every time; their five-minute means give the same.
            let over = |name: &str| match text.as_str() {
                "5m" => format!("{name}{matchers}"),
                _ => format!("sum_over_time({name}{matchers}[{text}])"),
            };
            format!(
                "sum({})\n/ (sum({}) > 0)",
                over("objective:failures:rate5m"),
                over("objective:events:rate5m")
            )
        } else {
            let (failed, all) = events(objective, requests, &text).unwrap_or_default();
            format!("{failed}\n/ ({all} > 0)")
        };
        rules.push(record(format!("objective:error_ratio:rate{text}"), expr));
    }
    let seen = range(budget.seen);
    rules.push(record(
        "objective:error_budget_remaining:ratio".to_owned(),
        format!(
            "1 - (\n  \
               sum(sum_over_time(objective:failures:rate5m{matchers}[{seen}]))\n  \
               / (sum(sum_over_time(objective:events:rate5m{matchers}[{seen}])) > 0)\n\
             ) / {}",
            allowed(objective)
        ),
    ));
    rules
}

/// Every window of an alert, each once, the shortest first.
fn windows() -> Vec<Duration> {
    let mut windows: Vec<Duration> = BURNS
        .iter()
        .flat_map(|(long, short, _, _)| [*long, *short])
        .collect();
    windows.sort_unstable();
    windows.dedup();
    windows
}

/// The pairs of one severity that make sense for the objective: window, window, how many times faster than allowed.
fn pairs(objective: &Objective, severity: Severity) -> Vec<(String, String, f64)> {
    let burns = BURNS.iter().filter(|burn| burn.3 == severity);
    burns
        .filter_map(|(long, short, share, _)| {
            let periods = objective.window.as_secs_f64() / long.as_secs_f64();
            let factor = (f64::from(*share) / 1000.0 * periods * 100.0).round() / 100.0;
            // Slower than allowed is no trouble, and more than everything cannot fail.
            let sensible = factor >= 1.0 && factor * allowed(objective) < 1.0;
            sensible.then(|| (range(*long), range(*short), factor))
        })
        .collect()
}

fn burn(
    words: &Vocabulary<'_>,
    objective: &Objective,
    requests: Option<&Requests<'_>>,
    severity: Severity,
) -> Option<Alerting> {
    let pairs = pairs(objective, severity);
    let (fast, allowed) = (severity == Severity::Critical, allowed(objective));
    if pairs.is_empty() || allowed == 0.0 {
        return None;
    }
    let of = matchers(objective);
    let parts: Vec<String> = pairs
        .iter()
        .map(|(long, short, factor)| {
            format!(
                "(\n  objective:error_ratio:rate{long}{of} > {factor} * {allowed}\n  \
                 and\n  objective:error_ratio:rate{short}{of} > {factor} * {allowed}\n)"
            )
        })
        .collect();
    let name = if fast {
        "ErrorBudgetBurnsFast"
    } else {
        "ErrorBudgetBurnsSlowly"
    };
    let mut alert = Alerting::new(name, severity, parts.join("\nor\n"))
        .hold(Duration::from_secs(if fast { 2 * 60 } else { 15 * 60 }))
        .says(
            &format!(
                "{} of {} is at risk",
                objective.name, objective.service
            ),
            &format!(
                "{{{{ $value | humanizePercentage }}}} of the requests miss the objective ({} over {}). {}",
                objective.target,
                range(objective.window),
                if fast {
                    "At this rate the error budget is gone within days: act now."
                } else {
                    "The error budget does not last: look in working hours."
                }
            ),
        )
        // An alert of one objective is not that of another.
        .label("objective", &objective.name)
        .label("service", &objective.service);
    let minutes = if fast { 90 } else { 30 * 60 };
    let factor = pairs[0].2;
    for (when, ratio, fires) in [
        (
            "errors burn the budget faster than the alert allows",
            ((factor * 1.5 * allowed).min(1.0) * 100_000.0).round() / 100_000.0,
            true,
        ),
        (
            "errors stay within the budget",
            (allowed * 0.5 * 100_000.0).floor() / 100_000.0,
            false,
        ),
    ] {
        let example = Example::fires(when, minutes);
        let Some(example) = given(words, objective, requests, example, ratio) else {
            continue;
        };
        let labels = labels(words, objective);
        let labels: Vec<(&str, &str)> = labels
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        alert = alert.example(if fires {
            example.so(&labels, percentage(ratio))
        } else {
            example
        });
    }
    Some(alert)
}

/// Series of which `ratio` fails; none for an indicator of the file's own.
fn given(
    words: &Vocabulary<'_>,
    objective: &Objective,
    requests: Option<&Requests<'_>>,
    example: Example,
    ratio: f64,
) -> Option<Example> {
    let requests = requests?;
    let steps = example.at.as_secs() / 60 + 10;
    let failed = (ratio * 100_000.0).round();
    let endpoint = requests.example_endpoint();
    let base = format!(
        "{endpoint}namespace=\"{}\", service=\"{}\"",
        words.namespace, objective.service
    );
    let growing = |by: f64| format!("0+{by}x{steps}");
    match &objective.indicator {
        Indicator::Availability => {
            let series = |status: &str| {
                format!(
                    "{}{{{base}, {}=\"{status}\"}}",
                    requests.counter, requests.status
                )
            };
            Some(
                example
                    .given(series("200"), growing(100_000.0 - failed))
                    .given(series("500"), growing(failed)),
            )
        }
        Indicator::Latency { under } => {
            let histogram = requests.histogram;
            let under = under.as_secs_f64();
            Some(
                example
                    .given(
                        format!("{histogram}_bucket{{{base}, le=\"{under}\"}}"),
                        growing(100_000.0 - failed),
                    )
                    .given(
                        format!("{histogram}_bucket{{{base}, le=\"+Inf\"}}"),
                        growing(100_000.0),
                    )
                    .given(format!("{histogram}_count{{{base}}}"), growing(100_000.0)),
            )
        }
        Indicator::Ratio { .. } => None,
    }
}
