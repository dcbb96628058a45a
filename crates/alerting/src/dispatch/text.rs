//! What a message says, the same in every way it goes.

use std::collections::BTreeMap;

use wharf_base::clock::Timestamp;
use wharf_control::alert::{Alert, Message};

use super::Sender;

/// Alerts that a text for a person lists; of more it says how many there are.
const LISTED_MAX: usize = 20;

/// The longest annotation that a text quotes.
const ANNOTATION_MAX_CHARS: usize = 1000;

/// How bad a group is: the worst severity of what fires, else of what is over.
pub(super) fn severity(message: &Message) -> &'static str {
    let worst = |alerts: &[Alert]| {
        let rank = |alert: &Alert| match alert.labels.value("severity") {
            "critical" => 0,
            "error" => 1,
            "info" => 3,
            _ => 2,
        };
        alerts.iter().map(rank).min()
    };
    match worst(&message.firing).or_else(|| worst(&message.resolved)) {
        Some(0) => "critical",
        Some(1) => "error",
        Some(3) => "info",
        _ => "warning",
    }
}

/// `[CRITICAL] ServiceDown in shop (prod): web`
pub(super) fn title(sender: &Sender, message: &Message) -> String {
    let state = if message.firing.is_empty() {
        "RESOLVED".to_owned()
    } else {
        severity(message).to_uppercase()
    };
    let common = common(message, |alert| {
        alert
            .labels
            .iter()
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect()
    });
    let name = common.get("alertname").map_or("Alerts", String::as_str);
    let mut title = format!("[{state}] {name}");
    if !sender.origin.is_empty() {
        title.push_str(&format!(" in {}", sender.origin));
    }
    if let Some(of) = common.get("service").or_else(|| common.get("instance")) {
        title.push_str(&format!(": {of}"));
    }
    let count = message.firing.len().max(if message.firing.is_empty() {
        message.resolved.len()
    } else {
        0
    });
    if count > 1 {
        title.push_str(&format!(" ({count} alerts)"));
    }
    one_line(&title)
}

/// A text without line ends and other control characters.
pub(super) fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// One alert for a person.
pub(super) struct Paragraph {
    /// `Resolved: …`, or the summary.
    pub(super) head: String,
    /// What it means; may be empty.
    pub(super) text: String,
    /// Since when, and until when.
    pub(super) times: String,
    /// Where to look at it; may be empty.
    pub(super) link: String,
    /// What to do; may be empty.
    pub(super) runbook: String,
}

/// The alerts, those that fire first, and how many are left out.
pub(super) fn paragraphs(message: &Message) -> (Vec<Paragraph>, usize) {
    let all = || message.firing.iter().chain(&message.resolved);
    let shown = all().take(LISTED_MAX).map(paragraph).collect();
    (shown, all().count().saturating_sub(LISTED_MAX))
}

fn paragraph(alert: &Alert) -> Paragraph {
    let annotation = |name: &str| -> String {
        let text = alert.annotations.get(name).map_or("", String::as_str);
        text.chars().take(ANNOTATION_MAX_CHARS).collect()
    };
    let mut head = annotation("summary");
    if head.is_empty() {
        head = alert.labels.without(|name| name == "severity").to_string();
    }
    let since = format!("Since {}", person_time(alert.starts_at));
    let times = match alert.ends_at {
        Some(at) => format!("{since} until {}.", person_time(at)),
        None => format!("{since}."),
    };
    if alert.ends_at.is_some() {
        head.insert_str(0, "Resolved: ");
    }
    Paragraph {
        head: one_line(&head),
        text: annotation("description"),
        times,
        link: alert.generator_url.clone(),
        runbook: annotation("runbook_url"),
    }
}

/// A whole message as plain text.
pub(super) fn plain(message: &Message) -> String {
    let (paragraphs, left_out) = paragraphs(message);
    let mut out = String::new();
    for part in paragraphs {
        out.push_str(&part.head);
        out.push('\n');
        if !part.text.is_empty() {
            out.push_str(&part.text);
            out.push('\n');
        }
        out.push_str(&part.times);
        out.push('\n');
        if !part.runbook.is_empty() {
            out.push_str(&format!("Runbook: {}\n", part.runbook));
        }
        if !part.link.is_empty() {
            out.push_str(&part.link);
            out.push('\n');
        }
        out.push('\n');
    }
    if left_out > 0 {
        out.push_str(&format!("And {left_out} more.\n"));
    }
    out
}

/// What all alerts of a message have in common.
pub(super) fn common(
    message: &Message,
    of: impl Fn(&Alert) -> BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut alerts = message.firing.iter().chain(&message.resolved);
    let Some(first) = alerts.next() else {
        return BTreeMap::new();
    };
    let mut common = of(first);
    for alert in alerts {
        let other = of(alert);
        common.retain(|name, value| other.get(name) == Some(value));
    }
    common
}

/// RFC 3339, to the millisecond.
pub(super) fn machine_time(at: Timestamp) -> String {
    time(at).map_or_else(
        || "0001-01-01T00:00:00Z".to_owned(),
        |time| format!("{time:.3}"),
    )
}

fn person_time(at: Timestamp) -> String {
    let text = time(at).map_or_else(String::new, |time| format!("{time:.0}"));
    text.replacen('T', " ", 1).replace('Z', " UTC")
}

fn time(at: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(i64::try_from(at.0).ok()?).ok()
}
