//! Recording rules and alerts that follow from a plan: the same ones wherever it runs.
//!
//! [`rules`] is pure. What it makes is rendered as Prometheus rule files, and is what the local engine evaluates, so that
//! the rule that wakes somebody in production is the rule that fires on a laptop. Each built-in alert carries
//! [`Example`]s of when it fires and of when it does not; they become rule unit tests.
//!
//! # Vocabulary
//!
//! Every series that belongs to a service, or to a store's workload, carries the labels `namespace` (the plan's
//! `kubernetes.namespace`, wherever it runs) and `service`; what an exporter tells of a store carries `namespace` and
//! `store`. Whoever collects (a scrape configuration, the engine) sets them. The job of a service is called as the service.
//!
//! | who | job | series |
//! | --- | --- | --- |
//! | services with `metrics` | the service | `http_requests_total{method,endpoint,status}`, the histogram `http_request_duration_seconds` with the same labels |
//! | the local ingress | `ingress` | `wharf_ingress_requests_total{code,method}`, `wharf_ingress_request_duration_seconds`, `wharf_ingress_connections` |
//! | ingress-nginx | `ingress` | `nginx_ingress_controller_requests{status,method}`, `nginx_ingress_controller_request_duration_seconds`, `nginx_ingress_controller_ssl_expire_time_seconds{host}`, `nginx_ingress_controller_nginx_process_connections{state}` |
//! | Traefik (Compose) | `ingress` | `traefik_service_requests_total{code,method}`, `traefik_service_request_duration_seconds`, `traefik_open_connections` |
//! | node exporter | `node-exporter` | `node_cpu_seconds_total{mode}`, `node_memory_*_bytes`, `node_filesystem_*_bytes{mountpoint,fstype}`, `node_disk_*`, `node_network_*`, `node_load1` |
//! | cAdvisor | `cadvisor` | `container_cpu_usage_seconds_total`, `container_cpu_cfs_*periods_total`, `container_memory_working_set_bytes`, `container_spec_memory_limit_bytes`, `container_network_*_bytes_total` |
//! | the engine, of its replicas | `cadvisor` | the same of memory, CPU and network, with `service`, `replica`, `release`, `name` and without `container` |
//! | the engine, of its services | `prometheus` | `wharf_service_replicas_wanted`, `wharf_service_replicas_available`, `wharf_service_restarts_total{replica}`, `wharf_service_released_seconds{release}` (when the release of the service began, as a Unix time) |
//! | kubelet | `kubelet` | `kubelet_volume_stats_*_bytes{persistentvolumeclaim}` |
//! | kube-state-metrics | `kube-state-metrics` | `kube_deployment_*`, `kube_replicaset_created`, `kube_pod_*`, `kube_horizontalpodautoscaler_*`, `kube_node_*`, `kube_job_status_failed`, `kube_cronjob_status_last_successful_time`, `kube_resourcequota` |
//! | API server | `apiserver` | `apiserver_request_total{code,verb}`, `apiserver_request_duration_seconds` |
//! | postgres exporter | `postgres-exporter` | `pg_up`, `pg_stat_activity_count{datname,state}`, `pg_settings_max_connections`, `pg_stat_database_*`, `pg_database_size_bytes`, `pg_stat_user_tables_*`, `pg_replication_lag_seconds`, `pg_locks_count` |
//! | PgBouncer exporter | `pgbouncer-exporter` | `pgbouncer_pools_client_*_connections`, `pgbouncer_pools_server_*_connections`, `pgbouncer_pools_client_maxwait_seconds` |
//! | redis exporter | `redis-exporter` | `redis_up`, `redis_memory_*_bytes`, `redis_keyspace_*_total`, `redis_commands_*`, `redis_db_keys`, `redis_connected_clients`, `redis_key_size{db,key}` for the lists that an autoscaler watches |
//!
//! # Names of recording rules
//!
//! `service:http_*` as Prometheus recommends (`level:metric:operation`), `objective:*` for objectives. Alert names are in
//! CamelCase; the label `severity` is that of the plan, and `notify` names receivers where the file does.

mod containers;
mod example;
mod hosts;
mod objectives;
mod own;
mod services;
mod stores;
mod targets;
pub mod vocabulary;

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_base::ids::Name;

use crate::model::{Plan, Severity};

pub use example::{Example, Firing, Series};
pub use objectives::{Budget, budgets};
use vocabulary::Vocabulary;

/// Every rule of a plan, by group.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// The groups, in order; a group reads only what it or an earlier one records.
    pub groups: Vec<Group>,
}

impl Rules {
    /// Every alert, in order.
    pub fn alerts(&self) -> impl Iterator<Item = &Alerting> {
        let rules = self.groups.iter().flat_map(|group| &group.rules);
        rules.filter_map(|rule| match rule {
            Rule::Alert(alert) => Some(&**alert),
            Rule::Record(_) => None,
        })
    }
}

/// Rules that are evaluated one after another.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// What it is called: `services`.
    pub name: &'static str,
    /// What it watches, in one sentence.
    pub about: &'static str,
    /// The rules.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// A series is made.
    Record(Recording),
    /// Somebody is told.
    Alert(Box<Alerting>),
}

/// A rule that makes a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// The series: `service:http_requests:rate5m`.
    pub name: String,
    /// PromQL.
    pub expr: String,
    /// Labels that it gets.
    pub labels: BTreeMap<String, String>,
}

/// A rule that tells somebody.
#[derive(Debug, Clone, PartialEq)]
pub struct Alerting {
    /// In CamelCase.
    pub name: String,
    /// Why it is as it is; a comment. Empty: nothing has to be said.
    pub why: String,
    /// PromQL that has a result while the alert is due.
    pub expr: String,
    /// How long it has to be so.
    pub hold: Duration,
    /// How bad it is.
    pub severity: Severity,
    /// Labels beside `severity` and `notify`.
    pub labels: BTreeMap<String, String>,
    /// Who is told; empty: whoever hears of the severity.
    pub notify: Vec<Name>,
    /// One sentence; `{{ $labels.… }}` and `{{ $value | … }}` as in Prometheus.
    pub summary: String,
    /// What it means and what to look at first.
    pub description: String,
    /// How long it fires on after it was so last.
    pub keep: Duration,
    /// Texts beside summary and description.
    pub annotations: BTreeMap<String, String>,
    /// When it fires and when not. Built-in alerts have both.
    pub examples: Vec<Example>,
}

impl Alerting {
    fn new(name: &str, severity: Severity, expr: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            why: String::new(),
            expr: expr.into(),
            hold: Duration::ZERO,
            severity,
            labels: BTreeMap::new(),
            notify: vec![],
            summary: String::new(),
            description: String::new(),
            keep: Duration::ZERO,
            annotations: BTreeMap::new(),
            examples: vec![],
        }
    }

    fn why(mut self, why: &str) -> Self {
        why.clone_into(&mut self.why);
        self
    }

    fn hold(mut self, hold: Duration) -> Self {
        self.hold = hold;
        self
    }

    fn label(mut self, name: &str, value: impl ToString) -> Self {
        self.labels.insert(name.to_owned(), value.to_string());
        self
    }

    fn says(mut self, summary: &str, description: &str) -> Self {
        summary.clone_into(&mut self.summary);
        description.clone_into(&mut self.description);
        self
    }

    fn example(mut self, example: Example) -> Self {
        self.examples.push(example);
        self
    }

    /// All labels of the rule, as Prometheus writes them.
    #[must_use]
    pub fn all_labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.labels.clone();
        labels.insert("severity".to_owned(), self.severity.as_str().to_owned());
        if !self.notify.is_empty() {
            let names: Vec<&str> = self.notify.iter().map(Name::as_str).collect();
            labels.insert("notify".to_owned(), names.join(","));
        }
        labels
    }

    /// All annotations of the rule, as Prometheus writes them.
    #[must_use]
    pub fn all_annotations(&self) -> BTreeMap<String, String> {
        let mut annotations = self.annotations.clone();
        annotations.insert("summary".to_owned(), self.summary.clone());
        annotations.insert("description".to_owned(), self.description.clone());
        annotations
    }
}

impl From<Alerting> for Rule {
    fn from(alert: Alerting) -> Self {
        Self::Alert(Box::new(alert))
    }
}

fn record(name: &str, expr: impl Into<String>) -> Rule {
    Rule::Record(Recording {
        name: name.to_owned(),
        expr: expr.into(),
        labels: BTreeMap::new(),
    })
}

/// The names of all built-in alerts, of every target: what a file may turn off or change.
pub const BUILT_IN: &[&str] = &[
    "AutoscalerAtMaximum",
    "BackupTooOld",
    "CertificateExpiry",
    "CpuThrottled",
    "CrashLooping",
    "DatabaseConnectionsHigh",
    "DatabaseUnreachable",
    "Deployed",
    "DiskAlmostFull",
    "DiskFullSoon",
    "ErrorBudgetBurnsFast",
    "ErrorBudgetBurnsSlowly",
    "HighErrorRate",
    "HighLatency",
    "HighMemory",
    "HostHighCpu",
    "HostHighMemory",
    "JobFailed",
    "NodeNotReady",
    "PoolExhausted",
    "QueueBacklog",
    "RedisMemoryHigh",
    "RedisUnreachable",
    "ReplicasMissing",
    "Scaled",
    "ServiceDown",
    "TargetAbsent",
    "TargetDown",
    "VolumeAlmostFull",
];

/// Every rule of the plan. An alert of the file changes the built-in ones of its name: what it does not say stays.
#[must_use]
pub fn rules(plan: &Plan) -> Rules {
    let mut rules = built_in(plan);
    let mut added = vec![];
    for alert in &plan.alerts {
        let of_name = |rule: &Rule| matches!(rule, Rule::Alert(a) if a.name == alert.name);
        let mut found = false;
        for group in &mut rules.groups {
            group.rules.retain_mut(|rule| {
                if !of_name(rule) {
                    return true;
                }
                // Of several (one a queue) another query makes one.
                let stays = alert.enabled && !(found && alert.query.is_some());
                found = true;
                if let Rule::Alert(built_in) = rule {
                    own::change(built_in, alert);
                }
                stays
            });
        }
        if alert.enabled && !found {
            added.extend(own::alert(plan, alert).map(Rule::from));
        }
    }
    rules.groups.push(Group {
        name: "project",
        about: "Alerts of the file.",
        rules: added,
    });
    rules.groups.retain(|group| !group.rules.is_empty());
    rules
}

/// The rules that follow from a plan without those of the file.
fn built_in(plan: &Plan) -> Rules {
    let words = Vocabulary::of(plan);
    Rules {
        groups: vec![
            services::group(&words),
            objectives::group(&words),
            containers::group(&words),
            hosts::group(&words),
            stores::group(&words),
            targets::group(&words),
        ],
    }
}

#[cfg(test)]
mod tests;
