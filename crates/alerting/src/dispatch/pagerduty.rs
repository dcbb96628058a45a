//! PagerDuty's Events API v2: <https://developer.pagerduty.com/docs/events-api-v2/trigger-events/>. One incident a group: it is
//! triggered again by each message, and resolved when all is over.

use serde_json::{Value, json};
use wharf_control::alert::{Fingerprint, Message};
use wharf_signal::Labels;

use super::Sender;
use super::text::{machine_time, plain, severity, title};

/// PagerDuty's own limit.
const SUMMARY_MAX_CHARS: usize = 1024;

/// PagerDuty takes 512 KB for the whole event.
const DETAILS_MAX_CHARS: usize = 50_000;

pub(super) fn body(sender: &Sender, key: &str, message: &Message) -> Value {
    let identity = Labels::from_pairs([
        ("origin", sender.origin.as_str()),
        ("receiver", &message.receiver),
        ("group", &message.group_key),
    ]);
    let mut event = json!({
        "routing_key": key,
        "dedup_key": format!("wharf-{}", Fingerprint::of(&identity)),
        "event_action": if message.firing.is_empty() { "resolve" } else { "trigger" },
        "client": "wharf",
        "client_url": sender.external_url,
    });
    let summary: String = title(sender, message)
        .chars()
        .take(SUMMARY_MAX_CHARS)
        .collect();
    let details: String = plain(message).chars().take(DETAILS_MAX_CHARS).collect();
    let first = message.firing.first().or(message.resolved.first());
    let mut payload = json!({
        "summary": summary,
        "source": if sender.origin.is_empty() { "wharf" } else { &sender.origin },
        "severity": severity(message),
        "custom_details": {
            "alerts": details,
            "num_firing": message.firing.len(),
            "num_resolved": message.resolved.len(),
        },
    });
    if let Some(first) = first {
        payload["timestamp"] = machine_time(first.starts_at).into();
        for (field, label) in [
            ("component", "service"),
            ("group", "namespace"),
            ("class", "alertname"),
        ] {
            if let Some(value) = first.labels.get(label) {
                payload[field] = value.into();
            }
        }
    }
    event["payload"] = payload;
    event
}
