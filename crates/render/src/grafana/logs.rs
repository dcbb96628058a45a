//! Logs: how many lines of which level, and the lines themselves, live.

use wharf_plan::rules::vocabulary::Vocabulary;

use super::dashboard::Dashboard;
use super::panel::Panel;

const OF: &str = "{namespace=\"$namespace\", service=~\"$service\"}";

pub(super) fn dashboard(words: &Vocabulary<'_>) -> Option<Dashboard> {
    let series = if words.requests().is_empty() {
        "up"
    } else {
        "service:http_requests:rate5m"
    };
    Some(
        Dashboard::new(
            "logs",
            "Logs",
            "Lines of every replica by level, live, and by the id of a request.",
        )
        .since("now-1h")
        .by_namespace(series, words.namespace)
        .by(
            "service",
            "Service",
            &format!("{series}{{namespace=\"$namespace\"}}"),
            "service",
        )
        .typed("trace_id", "Trace id")
        .row(
            "How much",
            vec![
                Panel::lines("Lines by level", "short", "Log lines a second by level.")
                    .of_logs()
                    .query(format!("sum by (level) (rate({OF} [$__auto]))"), "{{level}}")
                    .stacked(),
                Panel::lines("Errors by service", "short", "Lines of level error a second.")
                    .of_logs()
                    .query(
                        "sum by (service) (rate({namespace=\"$namespace\", service=~\"$service\", level=~\"error|critical|fatal\"} [$__auto]))",
                        "{{service}}",
                    ),
            ],
        )
        .row(
            "Lines",
            vec![
                Panel::logs(
                    "Lines",
                    "Every line of the chosen services; with a trace id, those of one request through all of them.",
                )
                .query(format!("{OF} |= \"$trace_id\""), "")
                .sized(24, 18),
            ],
        ),
    )
}
