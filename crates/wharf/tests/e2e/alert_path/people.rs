//! Everybody who is told of alerts: their addresses in the file, and what they have heard.

use std::time::Instant;

use serde_json::Value;

use crate::sinks::{HttpSink, MailSink};
use crate::stack::wait_for;

/// What the receivers share with nobody.
pub(super) const SLACK_TOKEN: &str = "T0/B0/hush-slack";
pub(super) const PAGER_KEY: &str = "hush-pager-key";
pub(super) const WEBHOOK: &str = "/hooks/alerts";

/// Who is told of each alert.
pub(super) const RECEIVERS: [&str; 4] = ["hook", "mail", "pager", "slack"];

/// Servers for everybody who is told.
pub(super) struct People {
    pub(super) http: HttpSink,
    pub(super) mail: MailSink,
}

/// A message, whoever got it.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub(super) receiver: &'static str,
    pub(super) at: Instant,
    pub(super) alert: String,
    pub(super) resolved: bool,
    /// The name of its content, where the way has one.
    pub(super) id: String,
}

impl People {
    pub(super) fn new() -> Self {
        Self {
            http: HttpSink::start(),
            mail: MailSink::start(),
        }
    }

    /// What stands in `wharf.yaml` of alerts, everything as fast as it can be.
    pub(super) fn file(&self) -> String {
        let (port, url) = (self.mail.port(), self.http.url());
        format!(
            "telemetry:
  scrape_interval: 1s
  thresholds: {{ for: 3s }}
  notifications: {{ group_wait: 1s, group_interval: 2s, repeat_interval: 1m }}
alerts:
  - {{ name: ErrorBudgetBurnsFast, for: 1s }}
notify:
  mail: {{ email: ops@example.com, smtp: {{ host: 127.0.0.1, port: {port}, from: wharf@example.com, tls: none }}, severities: [critical, warning] }}
  hook: {{ webhook: \"{url}{WEBHOOK}\", severities: [critical, warning] }}
  pager: {{ pagerduty: \"${{secret.pager-key}}\", url: \"{url}/v2/enqueue\", severities: [critical, warning] }}
"
        )
    }

    /// What stands in `.env`.
    pub(super) fn secrets(&self) -> String {
        let url = self.http.url();
        format!(
            "WHARF_SECRET_SLACK_WEBHOOK={url}/services/{SLACK_TOKEN}\nWHARF_SECRET_PAGER_KEY={PAGER_KEY}\n"
        )
    }

    /// Every message, in the order in which they came at each receiver.
    fn heard(&self) -> Vec<Heard> {
        let mut all = vec![];
        for posted in self.http.taken() {
            let body: Value = serde_json::from_str(&posted.body).unwrap();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let (receiver, alert, resolved, id) = if posted.path == WEBHOOK {
                let id = posted.header("idempotency-key").unwrap().to_owned();
                let alert = text(&body["groupLabels"]["alertname"]);
                ("hook", alert, body["status"] == "resolved", id)
            } else if posted.path == "/v2/enqueue" {
                let resolved = body["event_action"] == "resolve";
                let (alert, id) = (text(&body["payload"]["class"]), text(&body["dedup_key"]));
                ("pager", alert, resolved, id)
            } else {
                let (alert, resolved) = of_title(&text(&body["attachments"][0]["title"]));
                ("slack", alert, resolved, String::new())
            };
            let at = posted.at;
            all.push(Heard {
                receiver,
                at,
                alert,
                resolved,
                id,
            });
        }
        for mail in self.mail.taken() {
            let (alert, resolved) = of_title(&mail.header("subject").unwrap());
            all.push(Heard {
                receiver: "mail",
                at: mail.at,
                alert,
                resolved,
                id: mail.header("message-id").unwrap(),
            });
        }
        all
    }

    /// The messages of one alert to one receiver.
    pub(super) fn told(&self, receiver: &str, alert: &str) -> Vec<Heard> {
        let mut all = self.heard();
        all.retain(|heard| heard.receiver == receiver && heard.alert == alert);
        all
    }

    /// Waits until everybody has heard of an alert.
    #[track_caller]
    pub(super) fn hear_of(&self, alert: &str) {
        let heard = |receiver: &&str| !self.told(receiver, alert).is_empty();
        wait_for(&format!("{alert} to be told"), || {
            RECEIVERS.iter().all(heard)
        });
    }

    /// Waits until everybody has heard that an alert is over.
    #[track_caller]
    pub(super) fn hear_the_end_of(&self, alert: &str) {
        let heard = |receiver: &&str| {
            let told = self.told(receiver, alert);
            told.iter().any(|heard| heard.resolved)
        };
        wait_for(&format!("the end of {alert} to be told"), || {
            RECEIVERS.iter().all(heard)
        });
    }
}

/// `[CRITICAL] ServiceDown in items: api`
fn of_title(title: &str) -> (String, bool) {
    let (state, rest) = title.split_once("] ").unwrap();
    let alert = rest.split(' ').next().unwrap_or_default();
    (alert.to_owned(), state == "[RESOLVED")
}
