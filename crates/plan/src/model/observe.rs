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

/// An alert of the file, beside the built-in ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// In CamelCase; unique.
    pub name: String,
    /// PromQL that has a result while the alert is due.
    pub query: String,
    /// How long it has to be so.
    #[serde(with = "wharf_base::duration")]
    pub hold: Duration,
    /// How bad it is.
    pub severity: Severity,
    /// Who is told; empty: whoever hears of the severity.
    pub notify: Vec<Name>,
    /// One sentence for a person.
    pub summary: Option<String>,
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
    },
    /// E-mail.
    Email {
        /// The address.
        to: String,
    },
    /// An HTTP POST of Alertmanager's JSON.
    Webhook {
        /// Where to.
        url: Template,
    },
}
