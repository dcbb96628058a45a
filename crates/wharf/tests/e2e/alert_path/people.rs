//! Everybody who is told of alerts: their addresses in the file, and what they have heard.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::sinks::{HttpSink, Mail, MailSink, Posted};
use crate::stack::wait_for;

/// What the receivers share with nobody.
pub(super) const SLACK_TOKEN: &str = "T0/B0/hush-slack";
pub(super) const PAGER_KEY: &str = "hush-pager-key";
pub(super) const WEBHOOK: &str = "/hooks/alerts";

/// How long something has to be so, before an alert fires.
pub(super) const HOLD: Duration = Duration::from_secs(3);
/// The same of `HighMemory`: long enough to kill the engine meanwhile.
pub(super) const HOLD_MEMORY: Duration = Duration::from_secs(5);
/// Fires from the beginning to the end.
pub(super) const DRILL: &str = "Drill";

/// Who is told of each alert.
pub(super) const RECEIVERS: [&str; 4] = ["hook", "mail", "pager", "slack"];

/// Servers for everybody who is told.
pub(super) struct People {
    pub(super) http: HttpSink,
    pub(super) mail: MailSink,
    /// Since when messages of an alert count, and the same in seconds of the clock.
    begun: Mutex<BTreeMap<String, (Instant, f64)>>,
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
            begun: Mutex::default(),
        }
    }

    /// Messages of an alert count from now on.
    pub(super) fn begin(&self, alert: &str, now: f64) {
        let mut begun = self.begun.lock().unwrap();
        begun.insert(alert.to_owned(), (Instant::now(), now));
    }

    /// Since when they do.
    pub(super) fn begun(&self, alert: &str) -> f64 {
        self.begun.lock().unwrap()[alert].1
    }

    fn counts(&self, alert: &str, at: Instant) -> bool {
        let begun = self.begun.lock().unwrap();
        begun.get(alert).is_none_or(|(since, _)| at >= *since)
    }

    /// What stands in `wharf.yaml` of alerts, everything as fast as it can be.
    pub(super) fn file(&self) -> String {
        let (port, url) = (self.mail.port(), self.http.url());
        let (hold, memory) = (HOLD.as_secs(), HOLD_MEMORY.as_secs());
        format!(
            "telemetry:
  scrape_interval: 1s
  thresholds: {{ for: {hold}s }}
  notifications: {{ group_wait: 1s, group_interval: 2s, repeat_interval: 1m }}
alerts:
  - {{ name: HighMemory, for: {memory}s }}
  - {{ name: {DRILL}, query: vector(1), for: 1s }}
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
        let posted = self.http.taken();
        let mailed = self.mail.taken();
        posted
            .iter()
            .map(heard)
            .chain(mailed.iter().map(read))
            .collect()
    }

    /// The messages of one alert to one receiver.
    pub(super) fn told(&self, receiver: &str, alert: &str) -> Vec<Heard> {
        let mut all = self.heard();
        all.retain(|heard| heard.receiver == receiver && heard.alert == alert);
        all.retain(|heard| self.counts(alert, heard.at));
        all
    }

    /// What was posted at a path about an alert.
    pub(super) fn posted(&self, path: &str, alert: &str) -> Vec<Posted> {
        let mut all = self.http.taken();
        all.retain(|one| one.path.starts_with(path) && self.counts(alert, one.at));
        all.retain(|one| heard(one).alert == alert);
        all
    }

    /// The mails about an alert.
    pub(super) fn mailed(&self, alert: &str) -> Vec<Mail> {
        let mut all = self.mail.taken();
        all.retain(|mail| self.counts(alert, mail.at) && read(mail).alert == alert);
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

fn heard(posted: &Posted) -> Heard {
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
    Heard {
        receiver,
        at: posted.at,
        alert,
        resolved,
        id,
    }
}

fn read(mail: &Mail) -> Heard {
    let (alert, resolved) = of_title(&mail.header("subject").unwrap());
    Heard {
        receiver: "mail",
        at: mail.at,
        alert,
        resolved,
        id: mail.header("message-id").unwrap(),
    }
}

/// `[CRITICAL] ServiceDown in items: api`
fn of_title(title: &str) -> (String, bool) {
    let (state, rest) = title.split_once("] ").unwrap();
    let alert = rest.split(' ').next().unwrap_or_default();
    (alert.to_owned(), state == "[RESOLVED")
}
