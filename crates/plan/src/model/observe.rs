//! What is watched: metrics, logs, traces; objectives, alerts, and who hears of them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wharf_base::ids::Name;
use wharf_base::units::{Bytes, Percent};

use crate::template::Template;

/// What is collected and for how long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Telemetry {
    /// From scrape to scrape.
    #[serde(with = "wharf_base::duration")]
    pub scrape_interval: Duration,
    /// How long samples are kept.
    #[serde(with = "wharf_base::duration")]
    pub retention: Duration,
    /// The volume of the samples.
    pub storage: Bytes,
    /// How long logs are kept where they are searched fast.
    #[serde(with = "wharf_base::duration")]
    pub logs_hot: Duration,
    /// How long they are kept at all.
    #[serde(with = "wharf_base::duration")]
    pub logs_archive: Duration,
    /// Where they are kept once they are not searched fast; none: in the state folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs_archive_to: Option<LogArchive>,
    /// Which part of the requests is traced.
    pub traces: Percent,
    /// When the built-in alerts fire.
    pub thresholds: Thresholds,
    /// What is scraped beside the services, in the order of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<ScrapeTarget>,
    /// Files of more, relative to the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_files: Vec<TargetFile>,
    /// Rule files of Prometheus, relative to `wharf.yaml`.
    #[serde(default)]
    pub rules: Vec<String>,
    /// When the messages about alerts go out.
    #[serde(default)]
    pub notifications: Notifications,
}

/// Where old lines are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogArchive {
    /// A folder, absolute or relative to `wharf.yaml`.
    Folder(String),
    /// A bucket of S3, or of what speaks as S3 does.
    Bucket {
        /// Its name.
        name: String,
        /// What all keys begin with; empty: nothing.
        prefix: String,
        /// The server, `http://…` or `https://…`; none: Amazon's of the region.
        endpoint: Option<String>,
        /// The region.
        region: String,
        /// Who asks: a secret.
        access_key: Template,
        /// What proves it: a secret.
        secret_key: Template,
    },
}

/// Something that tells metrics and is no service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScrapeTarget {
    /// The label `job` of its series; unique.
    pub job: Name,
    /// Where it tells them: `http://…` or `https://…`.
    pub urls: Vec<String>,
    /// Labels that all its series get.
    pub labels: BTreeMap<String, String>,
    /// From scrape to scrape.
    #[serde(with = "wharf_base::duration")]
    pub interval: Duration,
    /// For a whole answer; at most the interval.
    #[serde(with = "wharf_base::duration")]
    pub timeout: Duration,
    /// Whether its own labels win.
    pub honor_labels: bool,
    /// Whether its own times count.
    pub honor_timestamps: bool,
    /// How many samples a scrape may have; none: no limit.
    pub sample_limit: Option<u32>,
}

/// A file of targets in the form of Prometheus's `file_sd_configs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetFile {
    /// The job of those that name none; unique.
    pub job: Name,
    /// The file, relative to `wharf.yaml`.
    pub path: String,
}

/// When the messages about alerts go out; what is not said follows from the severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Notifications {
    /// How long the first message waits for more alerts of its group.
    #[serde(with = "super::optional_duration", default)]
    pub group_wait: Option<Duration>,
    /// The shortest time between two messages of a group.
    #[serde(with = "super::optional_duration", default)]
    pub group_interval: Option<Duration>,
    /// After which time what still fires is told again.
    #[serde(with = "super::optional_duration", default)]
    pub repeat_interval: Option<Duration>,
}

/// When the built-in alerts fire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// Errors among the requests of a service.
    pub error_rate: Percent,
    /// The 95th percentile of a service's answers.
    #[serde(with = "wharf_base::duration")]
    pub latency: Duration,
    /// Memory use, of the limit.
    pub memory: Percent,
    /// CPU use of a machine.
    pub cpu: Percent,
    /// What is left of a disk.
    pub disk_free: Percent,
    /// How long it has to be so.
    #[serde(with = "wharf_base::duration")]
    pub hold: Duration,
}

/// A service-level objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// What it is called; unique.
    pub name: Name,
    /// Whose requests count.
    pub service: Name,
    /// Which part of them has to be good.
    pub target: Percent,
    /// Over which time.
    #[serde(with = "wharf_base::duration")]
    pub window: Duration,
    /// What makes a request good.
    pub indicator: Indicator,
}

/// What makes a request good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Indicator {
    /// No 5xx.
    Availability,
    /// An answer within `under`.
    Latency {
        /// The longest good answer.
        #[serde(with = "wharf_base::duration")]
        under: Duration,
    },
    /// PromQL of good and of all events a second; `$window` stands for the range.
    Ratio {
        /// The good ones.
        good: String,
        /// All of them.
        total: String,
    },
}

/// An alert of the file: one of its own, or a change of the built-in one of its name. What is not said is the built-in one's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// In CamelCase; unique.
    pub name: String,
    /// Whether it is there.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// PromQL that has a result while the alert is due; none only of a built-in one.
    #[serde(default)]
    pub query: Option<String>,
    /// How long it has to be so.
    #[serde(with = "super::optional_duration", default)]
    pub hold: Option<Duration>,
    /// How long it fires on after it was so last.
    #[serde(with = "super::optional_duration", default)]
    pub keep: Option<Duration>,
    /// How bad it is.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// Who is told; empty: whoever hears of the severity.
    pub notify: Vec<Name>,
    /// One sentence for a person.
    pub summary: Option<String>,
    /// Where it stands what to do.
    #[serde(default)]
    pub runbook: Option<String>,
    /// Labels beside those that Wharf sets.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Texts beside summary and description.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

fn enabled() -> bool {
    true
}

/// How bad an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Somebody is woken.
    Critical,
    /// Somebody looks in working hours.
    Warning,
    /// Nobody has to do anything.
    Info,
}

impl Severity {
    /// The word of the file, and of the label `severity`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// Somebody who hears of alerts and of failed pipelines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receiver {
    /// In which way.
    pub channel: Channel,
    /// Which severities it hears of when an alert does not say whom to tell.
    pub severities: Vec<Severity>,
}

/// Ways to tell somebody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A Slack channel.
    Slack {
        /// `#alerts`.
        channel: String,
        /// The incoming webhook: a secret.
        url: Template,
    },
    /// PagerDuty.
    Pagerduty {
        /// The integration key: a secret.
        key: Template,
        /// Another address of the events API; none: PagerDuty's own.
        #[serde(default)]
        url: Option<String>,
    },
    /// E-mail.
    Email {
        /// The address.
        to: String,
        /// The server that takes the mail; none: a relay nearby.
        #[serde(default)]
        smtp: Option<Smtp>,
    },
    /// An HTTP POST of Alertmanager's JSON.
    Webhook {
        /// Where to.
        url: Template,
    },
}

/// A mail server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Smtp {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who the mail is from.
    pub from: String,
    /// Whom it is signed in as, with the password: a secret.
    pub account: Option<(String, Template)>,
    /// How the connection is protected.
    pub tls: SmtpTls,
}

/// How the connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmtpTls {
    /// Before anything is said.
    Starttls,
    /// From the first byte.
    Tls,
    /// Not at all; only to a server on this machine.
    None,
}
