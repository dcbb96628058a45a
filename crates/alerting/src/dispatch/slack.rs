//! Slack's incoming webhooks: <https://api.slack.com/messaging/webhooks>, with an attachment as Alertmanager sends it.

use serde_json::{Value, json};
use wharf_control::alert::Message;

use super::Sender;
use super::text::{paragraphs, severity, title};

/// Slack cuts a text behind so many characters.
const TEXT_MAX_CHARS: usize = 3000;

pub(super) fn body(sender: &Sender, channel: &str, message: &Message) -> Value {
    let title = escaped(&title(sender, message));
    let color = match severity(message) {
        _ if message.firing.is_empty() => "good",
        "critical" | "error" => "danger",
        "warning" => "warning",
        _ => "#439fe0",
    };
    let (paragraphs, left_out) = paragraphs(message);
    let mut text = String::new();
    for part in paragraphs {
        text.push_str(&format!("*{}*\n", escaped(&part.head)));
        if !part.text.is_empty() {
            text.push_str(&escaped(&part.text));
            text.push('\n');
        }
        text.push_str(&part.times);
        for (name, link) in [("Runbook", &part.runbook), ("Query", &part.link)] {
            if link.starts_with("http") && !link.contains(['|', '<', '>']) {
                text.push_str(&format!(" <{link}|{name}>"));
            }
        }
        text.push_str("\n\n");
    }
    if left_out > 0 {
        text.push_str(&format!("And {left_out} more."));
    }
    let text: String = text.trim_end().chars().take(TEXT_MAX_CHARS).collect();
    let mut body = json!({
        "username": "wharf",
        "attachments": [{
            "color": color,
            "title": title,
            "title_link": sender.external_url,
            "fallback": title,
            "text": text,
            "mrkdwn_in": ["text"],
        }],
    });
    if !channel.is_empty() {
        body["channel"] = channel.into();
    }
    body
}

/// The three characters that Slack takes for markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
