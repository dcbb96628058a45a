//! Prometheus: the scrape configuration, the rules of [`wharf_plan::rules`], and a unit test of each alert.
//!
//! ```text
//! prometheus.yml      what is scraped, where alerts go
//! rules/GROUP.yml     one file a group of rules
//! targets/JOB.yml     on this machine: addresses by hand (file discovery)
//! tests/GROUP.yml     `promtool test rules`: each built-in alert fires, and does not
//! README.md           flags, what has to be there, how to check
//! ```
//!
//! Scraped series are labelled as the vocabulary of the rules wants them: `namespace` and `service` on what belongs to a
//! service, `store` on what an exporter tells of a store. How long samples are kept is a flag of the server and no part of
//! its configuration: see [`flags`].

mod kubernetes;
mod machines;
mod relabel;
mod rule_files;
mod rule_tests;
mod scraped;

use wharf_base::duration;
use wharf_base::files::FileSet;
use wharf_plan::model::{Indicator, Plan, TargetKind};
use wharf_plan::rules::vocabulary::{POSTGRES_EXPORTER, Vocabulary, watched_keys};
use wharf_plan::rules::{budgets, rules};

use crate::yaml::{Map, Yaml};
use crate::{Input, Rendered, Scope, Target, header, list, map, template};

/// The target.
pub const TARGET: Target = Target {
    name: "prometheus",
    summary: "Prometheus: scrape configuration, recording rules, alerts, and a unit test of each alert",
    scope: Scope::Environment,
    applies: |_| Ok(()),
    make,
};

/// The port of Prometheus.
pub const PORT: u16 = 9090;

/// The namespace of what watches a cluster.
pub const MONITORING: &str = "monitoring";

fn make(input: &Input<'_>, out: &mut Rendered) {
    let plan = input.plan;
    configuration(plan, out);
    rule_tests::write(&rules(plan), &header(plan), out);
    out.add("README.md", readme(plan));
    gaps(plan, out);
}

/// What the server reads: `prometheus.yml`, `rules/*.yml`, and on a single machine `targets/*.yml`. For ConfigMaps and
/// images of other targets.
#[must_use]
pub fn files(plan: &Plan) -> FileSet {
    let mut out = Rendered::of(plan, TARGET.name);
    configuration(plan, &mut out);
    out.files
}

/// The server's arguments: where its configuration and data are, and how long samples are kept.
#[must_use]
pub fn flags(plan: &Plan) -> Vec<String> {
    // Prometheus has to drop blocks before the volume is full: compaction needs room beside what is kept.
    let megabytes = plan.telemetry.storage.0 / 1_000_000 * 8 / 10;
    vec![
        "--config.file=/etc/prometheus/prometheus.yml".to_owned(),
        "--storage.tsdb.path=/prometheus".to_owned(),
        format!(
            "--storage.tsdb.retention.time={}",
            duration::format(plan.telemetry.retention)
        ),
        format!("--storage.tsdb.retention.size={megabytes}MB"),
        "--web.enable-lifecycle".to_owned(),
    ]
}

fn configuration(plan: &Plan, out: &mut Rendered) {
    let words = Vocabulary::of(plan);
    let interval = plan.telemetry.scrape_interval;
    let timeout = interval.min(std::time::Duration::from_secs(10));
    let mut labels = map! { "project" => &plan.name };
    labels.set_some("environment", plan.environment.as_ref());
    let global = map! {
        "scrape_interval" => duration::format(interval),
        "scrape_timeout" => duration::format(timeout),
        "evaluation_interval" => duration::format(interval),
        "external_labels" => labels,
    };
    let (alertmanager, jobs) = match plan.target.kind {
        TargetKind::Kubernetes => (
            format!("alertmanager.{MONITORING}.svc:9093"),
            kubernetes::jobs(&words),
        ),
        TargetKind::Compose => ("alertmanager:9093".to_owned(), machines::compose(&words)),
        TargetKind::Ec2 => ("127.0.0.1:9093".to_owned(), machines::ec2(&words)),
        TargetKind::Local => ("127.0.0.1:9093".to_owned(), machines::local(&words, out)),
    };
    let mut config = Map::new();
    config.set("global", global);
    config.set_with_comment("\n", "rule_files", list!["rules/*.yml"]);
    config.set_with_comment(
        "\n",
        "alerting",
        map! { "alertmanagers" => list![map! { "static_configs" => list![
            map! { "targets" => list![alertmanager] },
        ] }] },
    );
    let jobs = jobs.into_iter().chain(scraped::jobs(plan));
    let jobs: Vec<Yaml> = jobs.map(Yaml::from).collect();
    config.set_with_comment("\n", "scrape_configs", jobs);
    out.yaml("prometheus.yml", &header(plan), vec![config.into()]);
    rule_files::write(&rules(plan), &header(plan), out);
}

fn gaps(plan: &Plan, out: &mut Rendered) {
    scraped::gaps(plan, out);
    for file in &plan.telemetry.rules {
        out.gap(
            "telemetry.rules",
            format!("{file} is not copied: put it beside the rendered files, into rules/"),
        );
    }
    let words = Vocabulary::of(plan);
    for budget in budgets(&words) {
        let objective = budget.objective;
        if budget.seen < objective.window {
            out.gap(
                format!("objectives.{}.window", objective.name),
                format!(
                    "samples are kept for {} only, so that is the time the rest of the error budget is counted over; \
                     the burn-rate alerts need three days",
                    duration::format(budget.seen)
                ),
            );
        }
        if let Indicator::Latency { under } = objective.indicator {
            out.gap(
                format!("objectives.{}.latency", objective.name),
                format!(
                    "a histogram answers this only with a bucket of {} s: the metrics of {} must have one",
                    under.as_secs_f64(),
                    objective.service
                ),
            );
        }
    }
    if plan.target.kind == TargetKind::Local && words.ingress().is_some() {
        out.gap(
            "routes",
            "the local ingress tells its metrics on its control socket, which Prometheus cannot read: relay it to the address \
             in targets/ingress.yml, for example with socat",
        );
    }
    let counted: Vec<_> = budgets(&words)
        .iter()
        .map(|budget| &budget.objective.name)
        .collect();
    for objective in &plan.objectives {
        if !counted.contains(&&objective.name) {
            out.gap(
                format!("objectives.{}", objective.name),
                format!(
                    "nothing counts the requests of {}: give it `metrics`",
                    objective.service
                ),
            );
        }
    }
}

fn readme(plan: &Plan) -> String {
    let words = Vocabulary::of(plan);
    let flags: Vec<String> = flags(plan);
    let exporters: Vec<serde_json::Value> = plan
        .stores
        .iter()
        .map(|(name, store)| {
            let postgres = store.engine == wharf_plan::model::StoreEngine::Postgres;
            serde_json::json!({
                "store": name,
                "exporter": if postgres { POSTGRES_EXPORTER } else { "redis-exporter" },
                "port": if postgres { machines::POSTGRES_PORT } else { machines::REDIS_PORT },
                "keys": if postgres { String::new() } else {
                    let keys = watched_keys(plan, name);
                    if keys.is_empty() { String::new() } else { format!("--check-single-keys={}", keys.join(",")) }
                },
            })
        })
        .collect();
    template::fill(
        include_str!("prometheus/README.md.in"),
        serde_json::json!({
            "header": header(plan),
            "flags": flags,
            "jobs": words.jobs(),
            "exporters": exporters,
            "retention": duration::format(plan.telemetry.retention),
            "interval": duration::format(plan.telemetry.scrape_interval),
            "storage": plan.telemetry.storage.to_string(),
            "namespace": words.namespace,
            "kubernetes": words.on_kubernetes(),
        }),
    )
}

#[cfg(test)]
mod tests;
