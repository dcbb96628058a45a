//! What users do: the operations of the API, what they create, how tasks get done.

use wharf_plan::rules::vocabulary::{Vocabulary, queues};

use super::dashboard::{CHOSEN, Dashboard};
use super::panel::Panel;

pub(super) fn dashboard(words: &Vocabulary<'_>) -> Option<Dashboard> {
    if words.measured.is_empty() {
        return None;
    }
    let done = |range: &str, further: &str| {
        format!("http_requests_total{{{CHOSEN}, status=~\"2..\"{further}}}[{range}]")
    };
    Some(
        Dashboard::new(
            "business",
            "Business",
            "What users do with the API, what they create, and how tasks get done.",
        )
        .since("now-24h")
        .by_namespace("service:http_requests:rate5m", words.namespace)
        .by(
            "service",
            "Service",
            "service:http_requests:rate5m{namespace=\"$namespace\"}",
            "service",
        )
        .row(
            "Today",
            vec![
                Panel::number(
                    "Operations in 24 hours",
                    "short",
                    "Requests that ended well within the last 24 hours.",
                )
                .query(format!("sum(increase({}))", done("24h", "")), "")
                .sized(6, 4),
                Panel::number(
                    "Created in 24 hours",
                    "short",
                    "POST requests that ended well: registrations, orders, messages, whatever the API creates.",
                )
                .query(
                    format!("sum(increase({})) or vector(0)", done("24h", ", method=\"POST\"")),
                    "",
                )
                .sized(6, 4),
                Panel::number(
                    "Completed",
                    "percentunit",
                    "The part of the requests within the last hour that ended well.",
                )
                .query(
                    format!(
                        "sum(rate({})) / sum(rate(http_requests_total{{{CHOSEN}}}[1h]))",
                        done("1h", "")
                    ),
                    "",
                )
                .bad_below(0.95)
                .up_to(1.0)
                .sized(6, 4),
                Panel::number(
                    "Refused",
                    "percentunit",
                    "The part of the requests within the last hour that were refused (4xx): much of it is an API that is misunderstood.",
                )
                .query(
                    format!(
                        "(sum(rate(http_requests_total{{{CHOSEN}, status=~\"4..\"}}[1h])) or vector(0)) / sum(rate(http_requests_total{{{CHOSEN}}}[1h]))"
                    ),
                    "",
                )
                .watch_above(0.05)
                .bad_above(0.2)
                .sized(6, 4),
            ],
        )
        .row("Operations of the API", operations(words))
        .row(
            "Use of the API",
            vec![
                Panel::bars(
                    "Most used in 24 hours",
                    "short",
                    "How often each endpoint was asked within the last 24 hours.",
                )
                .query(
                    format!(
                        "topk(15, sum by (service, method, endpoint) (increase(http_requests_total{{{CHOSEN}}}[24h])))"
                    ),
                    "{{service}} {{method}} {{endpoint}}",
                ),
                Panel::lines(
                    "Compared with last week",
                    "reqps",
                    "Requests a second now, and at the same time a week ago.",
                )
                .query(format!("sum(service:http_requests:rate5m{{{CHOSEN}}})"), "now")
                .query(
                    format!("sum(service:http_requests:rate5m{{{CHOSEN}}} offset 1w)"),
                    "a week ago",
                ),
            ],
        )
        .row("Tasks", tasks(words)),
    )
}

/// One panel an operation that the file names, except for probes.
fn operations(words: &Vocabulary<'_>) -> Vec<Panel> {
    let mut panels = vec![];
    for name in &words.measured {
        let Some(service) = words.plan.services.get(*name) else {
            continue;
        };
        let users = service.api.iter().filter(|operation| {
            !matches!(
                operation.path.as_str(),
                "/health" | "/healthz" | "/ready" | "/metrics"
            )
        });
        for operation in users {
            let of = format!(
                "namespace=\"$namespace\", service=\"{name}\", method=\"{}\", endpoint=\"{}\"",
                operation.method, operation.path
            );
            let about = operation
                .summary
                .as_deref()
                .unwrap_or("An operation of the API");
            panels.push(
                Panel::lines(
                    &format!("{} {}", operation.method, operation.path),
                    "reqpm",
                    &format!("{about}: requests a minute that ended well, and that did not."),
                )
                .query(
                    format!("sum(rate(http_requests_total{{{of}, status=~\"2..\"}}[$__rate_interval])) * 60"),
                    "done",
                )
                .query(
                    format!("sum(rate(http_requests_total{{{of}, status!~\"2..\"}}[$__rate_interval])) * 60"),
                    "not done",
                )
                .sized(8, 7),
            );
        }
    }
    panels
}

fn tasks(words: &Vocabulary<'_>) -> Vec<Panel> {
    let mut panels = vec![];
    for (service, store, list, most) in queues(words.plan) {
        let of = format!("namespace=\"$namespace\", store=\"{store}\", key=\"{list}\"");
        panels.push(
            Panel::lines(
                &format!("Tasks of {service} that wait"),
                "short",
                "The length of the queue; the line is what the largest number of workers is meant to carry.",
            )
            .query(format!("sum(redis_key_size{{{of}}})"), "waiting")
            .bad_above(most),
        );
        panels.push(
            Panel::lines(
                &format!("Completion of the tasks of {service}"),
                "short",
                "Tasks a minute by which the queue grows (above zero: more come than are completed) or shrinks.",
            )
            .query(
                format!("sum(deriv(redis_key_size{{{of}}}[10m])) * 60"),
                "change",
            )
            .also_negative(),
        );
    }
    panels
}
