//! `telemetry`, `objectives`, `alerts` and `notify`.

use std::time::Duration;

use wharf_base::ids::Name;
use wharf_base::units::{Bytes, Percent};

use super::scraped::{LabelName, ScrapeTarget};
use crate::decode::{
    Email, FromText, Line, List, OneOrMany, Port, Refusal, Table, Word, record, words,
};
use serde_json::{Value, json};

record! {
    /// What is collected, and for how long.
    pub struct Telemetry {
        /// From scrape to scrape.
        [default "15s"]
        [also "interval"]
        scrape_interval: Duration,
        /// How long samples are kept.
        [default "15d"]
        retention: Duration,
        /// The volume of the samples.
        [default "50Gi"]
        [also "size"]
        storage: Bytes,
        /// Logs.
        [example "{ hot: 14d, archive: 90d }"]
        logs: Logs,
        /// Which part of the requests is traced.
        [default "10%"]
        [also "sampling" "sample_rate"]
        traces: Percent,
        /// When the built-in alerts fire.
        [example "{ error_rate: 2%, latency: 300ms }"]
        thresholds: Thresholds,
        /// What is scraped beside the services.
        [also "scrape_configs" "static_configs"]
        [example "[{ job: billing, url: \"http://10.0.0.7:9100/metrics\" }]"]
        targets: List<ScrapeTarget>,
        /// Files of more such, in Prometheus's form: `[{ targets: [host:port], labels: {} }]` as YAML or JSON, relative to
        /// `wharf.yaml`; read again when they change. The job is called as the file, without its ending.
        [also "file_sd_configs" "files"]
        [example "targets/machines.yaml"]
        target_files: OneOrMany<String>,
        /// Rule files of Prometheus, relative to `wharf.yaml`, beside the rules that Wharf makes.
        [also "rule_files"]
        [example "rules/shop.yml"]
        rules: OneOrMany<String>,
        /// When the messages about alerts go out.
        [also "route"]
        [example "{ repeat_interval: 2h }"]
        notifications: Notifications,
    }
    later { "exporters", "dashboards", "otlp" }
}

record! {
    /// How long logs are kept.
    pub struct Logs {
        /// Where they are searched fast.
        [default "14d"]
        hot: Duration,
        /// At all.
        [default "90d"]
        [also "retention" "cold"]
        archive: Duration,
        /// Where lines go past `hot`, on this machine.
        [default "the state folder"]
        [also "archive_dir" "bucket"]
        [example "{ bucket: shop-logs, region: eu-central-1, access_key: \"${secret.logs-key}\", secret_key: \"${secret.logs-secret}\" }"]
        archive_to: ArchiveTo,
    }
}

record! {
    /// Where old lines are kept: a folder, or a bucket of S3 or of what speaks as S3 does. Each project on each machine has a folder
    /// of its own there. On a cluster Loki keeps them.
    pub struct ArchiveTo {
        /// A folder that is there, absolute or relative to `wharf.yaml`; alone.
        [also "dir" "directory" "folder"]
        [example "/mnt/archive"]
        path: Line,
        /// The bucket's name.
        [also "name"]
        [example "shop-logs"]
        bucket: Word,
        /// What all keys begin with.
        [default "nothing"]
        [example "logs"]
        prefix: Word,
        /// Where the server is, if it is not Amazon's.
        [default "Amazon's of the region"]
        [also "url" "endpoint_url"]
        [example "http://10.0.0.7:9000"]
        endpoint: String,
        /// The region.
        [default "us-east-1"]
        region: Word,
        /// Who asks: a secret. It may list the bucket, and get, put and delete its objects.
        [also "access_key_id" "aws_access_key_id"]
        [example "${secret.logs-key}"]
        access_key: String,
        /// What proves it: a secret.
        [also "secret_access_key" "aws_secret_access_key"]
        [example "${secret.logs-secret}"]
        secret_key: String,
    }
    shorthand path
}

record! {
    /// When the messages about alerts go out. Alerts with the same name, namespace and service are told together.
    pub struct Notifications {
        /// How long the first message waits for more alerts of its group.
        [default "10s for what is critical, 30s for warnings, 5m for information"]
        [also "wait"]
        group_wait: Duration,
        /// The shortest time between two messages of a group.
        [default "5m"]
        [also "interval"]
        group_interval: Duration,
        /// After which time what still fires is told again.
        [default "1h for what is critical, 4h for warnings, 1d for information"]
        [also "repeat"]
        repeat_interval: Duration,
    }
}

record! {
    /// When the built-in alerts fire.
    pub struct Thresholds {
        /// Errors among the requests of a service.
        [default "5%"]
        [also "errors"]
        error_rate: Percent,
        /// The 95th percentile of a service's answers.
        [default "500ms"]
        [also "p95"]
        latency: Duration,
        /// Memory use, of the limit.
        [default "90%"]
        memory: Percent,
        /// CPU use of a machine.
        [default "80%"]
        cpu: Percent,
        /// What is left of a disk.
        [default "10%"]
        disk_free: Percent,
        /// How long it has to be so.
        [default "5m"]
        r#for: Duration,
    }
}

record! {
    /// A service-level objective: which part of a service's requests is good, over which time. Good is what is no 5xx;
    /// with `latency`, what was answered within it; or what two queries say.
    pub struct Objective {
        /// What it is called.
        [required]
        [example "availability"]
        name: Name,
        /// Whose requests count.
        [required]
        [example "web"]
        service: Name,
        /// Which part of them has to be good.
        [required]
        [also "objective"]
        [example "99.9%"]
        target: Percent,
        /// Over which time.
        [default "30d"]
        window: Duration,
        /// The longest good answer.
        [also "under" "threshold"]
        [example "200ms"]
        latency: Duration,
        /// PromQL of the good events a second; `$window` stands for the range. Together with `total`.
        [example "sum(rate(jobs_done_total[$window]))"]
        good: String,
        /// PromQL of all events a second.
        [example "sum(rate(jobs_total[$window]))"]
        total: String,
    }
}

record! {
    /// An alert, beside the built-in ones; or a change of a built-in one, which keeps what is not said here.
    pub struct Alert {
        /// In CamelCase; of a built-in one its name.
        [required]
        [also "alert"]
        [example "QueueBacklog"]
        name: AlertName,
        /// Whether it is there. `false` turns a built-in one off.
        [default "true"]
        [also "disabled"]
        enabled: bool,
        /// PromQL that has a result while the alert is due. Required, but for a built-in alert.
        [default "that of the built-in alert"]
        [also "expr" "promql" "expression"]
        [example "'sum(jobs_waiting) > 1000'"]
        query: String,
        /// How long it has to be so.
        [default "5m"]
        r#for: Duration,
        /// How long it fires on after it was so last.
        [default "0s"]
        [also "keep_firing_for"]
        keep_for: Duration,
        /// How bad it is.
        [default "warning"]
        [also "level" "priority"]
        severity: Severity,
        /// Who is told, of `notify`.
        [default "whoever hears of the severity"]
        [also "receiver" "receivers"]
        [example "slack"]
        notify: OneOrMany<Name>,
        /// One sentence for a person. `{{ $labels.NAME }}` and `{{ $value }}` are filled in.
        [also "description" "message"]
        [example "\"Jobs wait in the queue\""]
        summary: Line,
        /// Where it stands what to do then.
        [also "runbook_url"]
        [example "https://wiki.example.com/queue-backlog"]
        runbook: Line,
        /// Labels that it gets. `alertname`, `severity` and `notify` are set by Wharf.
        [example "{ team: shop }"]
        labels: AlertTexts,
        /// Further texts for people, filled in as `summary`.
        [example "{ dashboard: https://grafana.example.com/d/jobs }"]
        annotations: AlertTexts,
    }
}

/// Labels or annotations, by name.
pub type AlertTexts = Table<LabelName, Line>;

words! {
    /// How bad an alert is.
    pub enum Severity: "a severity" {
        /// Somebody is woken.
        Critical = "critical",
        /// Somebody looks in working hours.
        Warning = "warning",
        /// Nobody has to do anything.
        Info = "info",
    }
}

record! {
    /// Somebody who hears of alerts and of failed pipelines, in exactly one way.
    pub struct Receiver {
        /// A Slack channel; with its `url`.
        [example "\"#alerts\""]
        slack: Channel,
        /// Slack's incoming webhook: a secret. With `pagerduty`: another address of its events API, such as a relay's.
        [also "webhook_url" "api_url"]
        [example "${secret.slack-webhook}"]
        url: String,
        /// PagerDuty's integration key: a secret.
        [also "routing_key" "service_key"]
        [example "${secret.pagerduty-key}"]
        pagerduty: String,
        /// An e-mail address.
        [also "to" "mail"]
        [example "ops@example.com"]
        email: Email,
        /// The server that takes mail; with `email`.
        [default "a relay on this machine, or the cluster's"]
        [also "mail_server" "relay"]
        [example "{ host: smtp.example.com, from: wharf@example.com, user: wharf, password: \"${secret.smtp}\" }"]
        smtp: Smtp,
        /// Where Alertmanager's JSON is posted to; a secret if whoever knows the address may post there.
        [example "https://example.com/alerts"]
        webhook: String,
        /// Which severities it hears of when an alert does not say whom to tell.
        [default "all of them"]
        [also "severity" "levels"]
        [example "[critical]"]
        severities: OneOrMany<Severity>,
    }
    later { "teams", "discord", "opsgenie", "telegram", "sms" }
}

record! {
    /// A mail server.
    pub struct Smtp {
        /// Its name or address.
        [required]
        [also "server" "smarthost"]
        [example "smtp.example.com"]
        host: Word,
        /// Its port.
        [default "587; 465 with `tls: tls`, 25 with `tls: none`"]
        port: Port,
        /// Who the mail is from.
        [required]
        [also "sender"]
        [example "wharf@example.com"]
        from: Email,
        /// Whom it is signed in as.
        [also "username" "login"]
        [example "wharf"]
        user: Word,
        /// The password: a secret.
        [also "pass"]
        [example "${secret.smtp}"]
        password: String,
        /// How the connection is protected.
        [default "starttls"]
        [also "security" "encryption"]
        tls: SmtpTls,
    }
}

words! {
    /// How the connection to a mail server is protected.
    pub enum SmtpTls: "a way to protect mail" {
        /// Before anything is said.
        Starttls = "starttls",
        /// From the first byte.
        Tls = "tls",
        /// Not at all; only to a server on this machine.
        None = "none",
    }
}

/// The name of an alert: CamelCase, as Prometheus' own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertName(pub String);

impl FromText for AlertName {
    fn wording() -> String {
        "a name in CamelCase such as QueueBacklog".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let camel = |text: &str| {
            text.len() <= 63
                && text.starts_with(|c: char| c.is_ascii_uppercase())
                && text.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        if camel(text) {
            return Ok(Self(text.to_owned()));
        }
        let meant: String = text
            .split(['-', '_', ' ', '.'])
            .map(|part| {
                let mut letters = part.chars();
                let first = letters.next().map(|c| c.to_ascii_uppercase());
                first.into_iter().chain(letters).collect::<String>()
            })
            .collect();
        Err(Refusal::unexpected().help(camel(&meant).then(|| format!("did you mean `{meant}`?"))))
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^[A-Z][A-Za-z0-9]{0,62}$" })
    }
}

/// A channel of Slack: `#alerts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel(pub String);

impl FromText for Channel {
    fn wording() -> String {
        "a channel such as \"#alerts\"".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let name = text.strip_prefix(['#', '@']).unwrap_or_default();
        // Slack: lower-case letters, digits, `-` and `_`, at most 80.
        let inner = |c: char| (c.is_alphanumeric() && !c.is_uppercase()) || c == '-' || c == '_';
        if !name.is_empty() && name.len() <= 80 && name.chars().all(inner) {
            return Ok(Self(text.to_owned()));
        }
        let near = !text.is_empty() && text.chars().all(inner);
        Err(Refusal::unexpected().help(near.then(|| format!("did you mean `\"#{text}\"`?"))))
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^[#@].{1,80}$" })
    }
}
