//! The body that Alertmanager posts to webhooks, version 4:
//! <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wharf_control::alert::{Alert, Fingerprint, Message};
use wharf_signal::Labels;

use super::Sender;
use super::text::{common, machine_time};

/// Alerts in one body; of more `truncatedAlerts` says how many are left out.
const ALERTS_MAX: usize = 500;

fn map(labels: &Labels) -> BTreeMap<String, String> {
    let pairs = labels.iter();
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

pub(super) fn body(sender: &Sender, message: &Message) -> Value {
    let count = message.firing.len() + message.resolved.len();
    let alerts = message
        .firing
        .iter()
        .chain(&message.resolved)
        .take(ALERTS_MAX);
    json!({
        "version": "4",
        "groupKey": message.group_key,
        "truncatedAlerts": count.saturating_sub(ALERTS_MAX),
        "status": if message.firing.is_empty() { "resolved" } else { "firing" },
        "receiver": message.receiver,
        "groupLabels": map(&message.group_labels),
        "commonLabels": common(message, |alert| map(&alert.labels)),
        "commonAnnotations": common(message, |alert| alert.annotations.clone()),
        "externalURL": sender.external_url,
        "alerts": alerts.map(alert).collect::<Vec<Value>>(),
    })
}

fn alert(alert: &Alert) -> Value {
    let ends_at = alert.ends_at.map(machine_time);
    json!({
        "status": if alert.ends_at.is_some() { "resolved" } else { "firing" },
        "labels": map(&alert.labels),
        "annotations": alert.annotations,
        "startsAt": machine_time(alert.starts_at),
        "endsAt": ends_at.unwrap_or_else(|| "0001-01-01T00:00:00Z".to_owned()),
        "generatorURL": alert.generator_url,
        "fingerprint": Fingerprint::of(&alert.labels).to_string(),
    })
}
