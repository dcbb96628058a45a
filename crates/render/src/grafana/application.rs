//! The application: rate, latency, errors, connections.

use wharf_plan::rules::vocabulary::Vocabulary;

use super::dashboard::{CHOSEN, Dashboard};
use super::panel::Panel;

pub(super) fn dashboard(words: &Vocabulary<'_>) -> Option<Dashboard> {
    let requests = words.requests();
    if requests.is_empty() {
        return None;
    }
    let limits = words.thresholds();
    let (errors, slow) = (limits.error_rate.fraction(), limits.latency.as_secs_f64());
    let mut overview = vec![
        Panel::number("Requests", "reqps", "Requests a second of the chosen services.")
            .query(format!("sum(service:http_requests:rate5m{{{CHOSEN}}})"), ""),
        Panel::number(
            "Errors",
            "percentunit",
            "The part of the requests that ended with a 5xx status within five minutes.",
        )
        .query(
            format!(
                "sum(service:http_errors:rate5m{{{CHOSEN}}}) / (sum(service:http_requests:rate5m{{{CHOSEN}}}) > 0)"
            ),
            "",
        )
        .watch_above(errors / 5.0)
        .bad_above(errors),
        Panel::number(
            "Latency p95",
            "s",
            "95 of 100 answers of the slowest chosen service are faster than this.",
        )
        .query(
            format!("max(service:http_request_duration_seconds:p95{{{CHOSEN}}})"),
            "",
        )
        .watch_above(slow / 2.0)
        .bad_above(slow),
        Panel::number(
            "Alerts",
            "short",
            "Alerts of the chosen services that fire.",
        )
        .query(
            format!("count(ALERTS{{alertstate=\"firing\", severity!=\"info\", {CHOSEN}}}) or vector(0)"),
            "",
        )
        .bad_above(1.0),
    ];
    if let Some(connections) = words.connections() {
        overview.push(
            Panel::number(
                "Connections",
                "short",
                "Connections of clients that are open at the ingress: about as many as active users.",
            )
            .query(connections, ""),
        );
    }
    if words.on_kubernetes() {
        overview.push(
            Panel::number(
                "Replicas",
                "short",
                "Replicas of the chosen services that are available.",
            )
            .query(
                format!("sum(max by (namespace, service) (kube_deployment_status_replicas_available{{{CHOSEN}}}))"),
                "",
            )
            .bad_below(1.0),
        );
    }
    let board = Dashboard::new(
        "application",
        "Application",
        "Rate, errors and latency of each service, and who is connected.",
    )
    .by_namespace("service:http_requests:rate5m", words.namespace)
    .by(
        "service",
        "Service",
        "service:http_requests:rate5m{namespace=\"$namespace\"}",
        "service",
    )
    .row("Now", overview)
    .row("Traffic", traffic(words))
    .row("Errors", failures(words, errors))
    .row("Latency", latency(words, slow));
    Some(
        board.row(
            "What is wrong",
            vec![
                Panel::table(
                    "Alerts that fire",
                    "none",
                    "Every alert of the namespace, with its labels.",
                )
                .query(
                    "sum by (alertname, severity, service) (ALERTS{alertstate=\"firing\", namespace=\"$namespace\"})",
                    "",
                ),
                Panel::logs("Errors in the logs", "Lines of level error of the chosen services.")
                    .query("{namespace=\"$namespace\", service=~\"$service\", level=~\"error|critical|fatal\"}", "")
                    .sized(12, 8),
            ],
        ),
    )
}

fn traffic(words: &Vocabulary<'_>) -> Vec<Panel> {
    let mut by_status = Panel::lines(
        "Requests by status",
        "reqps",
        "Requests a second by status code, all chosen services together.",
    )
    .stacked();
    for requests in words.requests() {
        let (counter, status) = (requests.counter, requests.status);
        by_status = by_status.query(
            format!("sum by ({status}) (rate({counter}{{{CHOSEN}}}[$__rate_interval]))"),
            &format!("{{{{{status}}}}}"),
        );
    }
    let mut panels = vec![
        Panel::lines(
            "Requests by service",
            "reqps",
            "Requests a second of each service.",
        )
        .query(
            format!("service:http_requests:rate5m{{{CHOSEN}}}"),
            "{{service}}",
        ),
        by_status,
    ];
    if !words.measured.is_empty() {
        panels.push(
            Panel::lines(
                "Busiest endpoints",
                "reqps",
                "Requests a second of the ten endpoints that are asked most.",
            )
            .query(
                format!(
                    "topk(10, sum by (service, method, endpoint) (rate(http_requests_total{{{CHOSEN}}}[$__rate_interval])))"
                ),
                "{{service}} {{method}} {{endpoint}}",
            ),
        );
    }
    if let Some(connections) = words.connections() {
        panels.push(
            Panel::lines(
                "Open connections",
                "short",
                "Connections of clients at the ingress, WebSockets included.",
            )
            .query(connections, "connections"),
        );
    }
    panels
}

fn failures(words: &Vocabulary<'_>, limit: f64) -> Vec<Panel> {
    let by_class = |title: &str, class: &str, about: &str| {
        let mut panel = Panel::lines(title, "reqps", about);
        for requests in words.requests() {
            let (counter, status) = (requests.counter, requests.status);
            panel = panel.query(
                format!(
                    "sum by (service) (rate({counter}{{{CHOSEN}, {status}=~\"{class}\"}}[$__rate_interval]))"
                ),
                "{{service}}",
            );
        }
        panel.sized(8, 8)
    };
    vec![
        Panel::lines(
            "Error ratio",
            "percentunit",
            "The part of the requests that ended with a 5xx status; the line is where the alert begins.",
        )
        .query(
            format!("service:http_errors:ratio_rate5m{{{CHOSEN}}}"),
            "{{service}}",
        )
        .bad_above(limit)
        .sized(8, 8),
        by_class("Server errors (5xx)", "5..", "Answers that are the service's fault."),
        by_class("Client errors (4xx)", "4..", "Requests that were refused: bad input, no permission, no such page."),
    ]
}

fn latency(words: &Vocabulary<'_>, limit: f64) -> Vec<Panel> {
    let quantile = |name: &str, about: &str| {
        Panel::lines(&format!("Latency {name}"), "s", about)
            .query(
                format!("service:http_request_duration_seconds:{name}{{{CHOSEN}}}"),
                "{{service}}",
            )
            .sized(8, 8)
    };
    let mut panels = vec![
        quantile("p50", "Half of the answers are faster than this."),
        quantile(
            "p95",
            "95 of 100 answers are faster than this; the line is where the alert begins.",
        )
        .bad_above(limit),
        quantile("p99", "99 of 100 answers are faster than this."),
    ];
    if !words.measured.is_empty() {
        panels.push(
            Panel::lines(
                "Slowest endpoints (p95)",
                "s",
                "The ten endpoints whose 95th percentile is the highest.",
            )
            .query(
                format!(
                    "topk(10, histogram_quantile(0.95, sum by (service, method, endpoint, le) (rate(http_request_duration_seconds_bucket{{{CHOSEN}}}[$__rate_interval]))))"
                ),
                "{{service}} {{method}} {{endpoint}}",
            )
            .bad_above(limit)
            .sized(24, 8),
        );
    }
    panels
}
