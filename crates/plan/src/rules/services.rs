//! Requests of services: rates, errors, latencies, and whether a service is there at all.

use wharf_base::ids::Name;

use super::example::{Example, above, below, duration, percentage};
use super::vocabulary::{Requests, Vocabulary, fraction};
use super::{Alerting, Group, Rule, record};
use crate::model::Severity;

pub(super) fn group(words: &Vocabulary<'_>) -> Group {
    let mut rules = vec![];
    let requests = words.requests();
    if let Some(first) = requests.first() {
        rules.extend(recordings(&requests));
        rules.push(high_error_rate(words, first).into());
        rules.push(high_latency(words, first).into());
    }
    rules.extend(service_down(words).map(Rule::from));
    Group {
        name: "services",
        about: "Requests of services: rate, errors, latency, and whether anything answers.",
        rules,
    }
}

fn recordings(requests: &[Requests<'_>]) -> Vec<Rule> {
    let union = |part: &dyn Fn(&Requests<'_>) -> String| -> String {
        let parts: Vec<String> = requests.iter().map(part).collect();
        parts.join("\nor\n")
    };
    let mut rules = vec![
        record(
            "service:http_requests:rate5m",
            union(&|requests| {
                let (counter, matchers) = (requests.counter, requests.matchers(None, ""));
                format!("sum by (namespace, service) (rate({counter}{{{matchers}}}[5m]))")
            }),
        ),
        // A service that never failed has no series of errors: it counts as none.
        record(
            "service:http_errors:rate5m",
            union(&|requests| {
                let failed = format!("{}=~\"5..\"", requests.status);
                let (counter, matchers) = (requests.counter, requests.matchers(None, &failed));
                format!("sum by (namespace, service) (rate({counter}{{{matchers}}}[5m]))")
            }) + "\nor\nservice:http_requests:rate5m * 0",
        ),
        record(
            "service:http_errors:ratio_rate5m",
            "service:http_errors:rate5m / (service:http_requests:rate5m > 0)",
        ),
    ];
    for (quantile, name) in [("0.5", "p50"), ("0.95", "p95"), ("0.99", "p99")] {
        rules.push(record(
            &format!("service:http_request_duration_seconds:{name}"),
            union(&|requests| {
                let (histogram, matchers) = (requests.histogram, requests.matchers(None, ""));
                format!(
                    "histogram_quantile({quantile},\n  \
                     sum by (namespace, service, le) (rate({histogram}_bucket{{{matchers}}}[5m])))"
                )
            }),
        ));
    }
    rules
}

fn high_error_rate(words: &Vocabulary<'_>, requests: &Requests<'_>) -> Alerting {
    let thresholds = words.thresholds();
    let limit = thresholds.error_rate;
    let service = requests.services[0];
    let case = |example: Example, share: f64| {
        let errors = (share * 1000.0).round();
        example
            .given(
                counter(words, requests, service, "200"),
                format!("0+{}x20", 1000.0 - errors),
            )
            .given(
                counter(words, requests, service, "500"),
                format!("0+{errors}x20"),
            )
    };
    let bad = above(limit).fraction();
    Alerting::new(
        "HighErrorRate",
        Severity::Critical,
        format!("service:http_errors:ratio_rate5m > {}", fraction(limit)),
    )
    .hold(thresholds.hold)
    .says(
        "{{ $labels.service }} fails requests",
        "{{ $value | humanizePercentage }} of the requests to {{ $labels.service }} ended with a 5xx status. \
         Look at the newest release and at the stores it needs.",
    )
    .example(
        case(
            Example::fires("more requests fail than are tolerated", 15),
            bad,
        )
        .so(
            &[
                ("namespace", words.namespace),
                ("service", service.as_str()),
            ],
            percentage((bad * 1000.0).round() / 1000.0),
        ),
    )
    .example(case(
        Example::quiet("fewer requests fail than are tolerated", 15),
        below(limit).fraction(),
    ))
}

fn high_latency(words: &Vocabulary<'_>, requests: &Requests<'_>) -> Alerting {
    let thresholds = words.thresholds();
    let limit = thresholds.latency.as_secs_f64();
    let service = requests.services[0];
    let case = |example: Example, bounds: &[(f64, u32)]| {
        bounds
            .iter()
            .map(|(bound, count)| (bound.to_string(), *count))
            .chain([("+Inf".to_owned(), 60)])
            .fold(example, |example, (bound, count)| {
                let series = bucket(words, requests, service, &bound);
                example.given(series, format!("0+{count}x20"))
            })
    };
    Alerting::new(
        "HighLatency",
        Severity::Warning,
        format!("service:http_request_duration_seconds:p95 > {limit}"),
    )
    .hold(thresholds.hold)
    .says(
        "{{ $labels.service }} answers slowly",
        "The slowest 5% of the requests to {{ $labels.service }} take more than {{ $value | humanizeDuration }}. \
         Look at its CPU, at the stores it needs, and at whether it has scaled.",
    )
    .example(
        // All answers lie in the upper bucket, so the quantile is 95% of the way through it.
        case(
            Example::fires("every answer takes longer than the limit", 15),
            &[(limit, 0), (limit * 2.0, 60)],
        )
        .so(
            &[
                ("namespace", words.namespace),
                ("service", service.as_str()),
            ],
            duration(limit * 1.95),
        ),
    )
    .example(case(
        Example::quiet("every answer takes half of the limit at most", 15),
        &[(limit / 2.0, 60), (limit, 60)],
    ))
}

fn service_down(words: &Vocabulary<'_>) -> Option<Alerting> {
    let (first, last) = (words.lasting(), words.measured.first().copied());
    let counts = words.replica_counts().zip(first.first().copied());
    let mut parts: Vec<String> = vec![];
    let mut examples: Vec<Example> = vec![];
    let at = |service: &Name| {
        [
            ("namespace", words.namespace.to_owned()),
            ("service", service.to_string()),
        ]
    };
    let so = |example: Example, service: &Name| {
        let labels = at(service);
        let labels: Vec<(&str, &str)> = labels.iter().map(|(n, v)| (*n, v.as_str())).collect();
        example.so(&labels, "")
    };
    if let Some(((wanted, available), service)) = counts {
        let labels = format!(
            "{{namespace=\"{}\", service=\"{service}\"}}",
            words.namespace
        );
        let case = |example: Example, count: u32| {
            example
                .given(format!("{available}{labels}"), format!("{count}x20"))
                .given(format!("{wanted}{labels}"), "3x20")
        };
        parts.push(format!(
            "max by (namespace, service) ({available}{{service!=\"\"}}) == 0\n\
             and\n\
             max by (namespace, service) ({wanted}{{service!=\"\"}}) > 0"
        ));
        examples.push(so(
            case(Example::fires("no replica is available", 10), 0),
            service,
        ));
        examples.push(case(
            Example::quiet("one replica of three is available", 10),
            1,
        ));
    }
    // A cluster knows of each replica whether it is ready; elsewhere a scrape that fails says it too.
    if let Some(service) = last.filter(|_| !words.on_kubernetes()) {
        let jobs =
            super::vocabulary::one_of("job", words.measured.iter().map(|name| name.as_str()));
        let up = |instance: &str| {
            format!(
                "up{{instance=\"{instance}\", job=\"{service}\", namespace=\"{}\", service=\"{service}\"}}",
                words.namespace
            )
        };
        parts.push(format!("max by (namespace, service) (up{{{jobs}}}) == 0"));
        let dead = Example::fires("no replica answers", 10)
            .given(up("a"), "0x20")
            .given(up("b"), "0x20");
        examples.push(so(dead, service));
        examples.push(
            Example::quiet("one replica of two answers", 10)
                .given(up("a"), "0x20")
                .given(up("b"), "1x20"),
        );
    }
    if parts.is_empty() {
        return None;
    }
    let alert = Alerting::new("ServiceDown", Severity::Critical, parts.join("\nor\n"))
        .hold(words.thresholds().hold)
        .says(
            "{{ $labels.service }} is down",
            "No replica of {{ $labels.service }} is available. Look at its last log lines and at its newest release; \
             undo the release if it is to blame.",
        );
    Some(examples.into_iter().fold(alert, Alerting::example))
}

fn counter(
    words: &Vocabulary<'_>,
    requests: &Requests<'_>,
    service: &Name,
    status: &str,
) -> String {
    let Requests {
        counter,
        status: label,
        ..
    } = requests;
    let endpoint = requests.example_endpoint();
    format!(
        "{counter}{{{endpoint}method=\"GET\", namespace=\"{}\", service=\"{service}\", {label}=\"{status}\"}}",
        words.namespace
    )
}

fn bucket(words: &Vocabulary<'_>, requests: &Requests<'_>, service: &Name, bound: &str) -> String {
    let Requests {
        histogram, status, ..
    } = requests;
    let endpoint = requests.example_endpoint();
    format!(
        "{histogram}_bucket{{{endpoint}le=\"{bound}\", method=\"GET\", namespace=\"{}\", service=\"{service}\", {status}=\"200\"}}",
        words.namespace
    )
}
