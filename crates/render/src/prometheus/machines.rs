//! What is scraped where there is no cluster: containers of Compose, instances of EC2, this machine.

use std::collections::BTreeMap;

use wharf_base::ids::Name;
use wharf_plan::model::StoreEngine;
use wharf_plan::rules::vocabulary::{POSTGRES_EXPORTER, REDIS_EXPORTER, Vocabulary};

use super::relabel::{copy, fix, keep, steps, take};
use crate::yaml::{Map, Yaml};
use crate::{Rendered, header, list, map};

/// Where a postgres exporter listens.
pub(super) const POSTGRES_PORT: u16 = 9187;
/// Where a redis exporter listens.
pub(super) const REDIS_PORT: u16 = 9121;
/// Where a node exporter listens.
const NODE_PORT: u16 = 9100;

/// Path and port of a service's metrics.
fn endpoint<'a>(words: &Vocabulary<'a>, service: &Name) -> Option<(&'a str, u16)> {
    let service = words.plan.services.get(service)?;
    let metrics = service.metrics.as_ref()?;
    Some((metrics.path.as_str(), *service.ports.get(&metrics.port)?))
}

fn prometheus() -> Map {
    map! {
        "job_name" => "prometheus",
        "static_configs" => list![map! { "targets" => list![format!("localhost:{}", super::PORT)] }],
    }
}

fn job(name: &str, path: Option<&str>) -> Map {
    let mut job = Map::new();
    job.set_with_comment("\n", "job_name", name);
    job.set_some("metrics_path", path.filter(|path| *path != "/metrics"));
    job
}

/// The exporters of stores: job, port, and the store of each.
fn exporters<'a>(words: &Vocabulary<'a>) -> BTreeMap<&'static str, (u16, Vec<&'a Name>)> {
    let mut all = BTreeMap::new();
    for (job, engine, port) in [
        (POSTGRES_EXPORTER, StoreEngine::Postgres, POSTGRES_PORT),
        (REDIS_EXPORTER, StoreEngine::Redis, REDIS_PORT),
    ] {
        let stores: Vec<&Name> = words.stores(engine).collect();
        if !stores.is_empty() {
            all.insert(job, (port, stores));
        }
    }
    all
}

/// Containers find each other by the names of their services; a name has one address a replica.
pub(super) fn compose(words: &Vocabulary<'_>) -> Vec<Map> {
    let resolved = |name: &str, port: u16| {
        list![map! { "names" => list![name], "type" => "A", "port" => port }]
    };
    let mut jobs = vec![prometheus()];
    for name in &words.measured {
        if let Some((path, port)) = endpoint(words, name) {
            let mut job = job(name.as_str(), Some(path));
            job.set("dns_sd_configs", resolved(name.as_str(), port));
            job.set(
                "relabel_configs",
                steps(vec![
                    fix("service", name.as_str()),
                    fix("namespace", words.namespace),
                ]),
            );
            jobs.push(job);
        }
    }
    if words.ingress().is_some() {
        let mut job = job("ingress", None);
        job.set("honor_labels", true);
        job.set(
            "static_configs",
            list![map! { "targets" => list!["traefik:8082"], "labels" => map! { "namespace" => words.namespace } }],
        );
        job.set(
            "metric_relabel_configs",
            steps(vec![take(&["service"], "(.+)@docker", "service")]),
        );
        jobs.push(job);
    }
    let mut node = job("node-exporter", None);
    node.set(
        "static_configs",
        list![map! { "targets" => list![format!("node-exporter:{NODE_PORT}")] }],
    );
    jobs.push(node);
    let mut cadvisor = job("cadvisor", None);
    cadvisor.set(
        "static_configs",
        list![map! { "targets" => list!["cadvisor:8080"], "labels" => map! { "namespace" => words.namespace } }],
    );
    cadvisor.set(
        "metric_relabel_configs",
        steps(vec![
            copy("container_label_com_docker_compose_service", "service"),
            copy("container_label_com_docker_compose_service", "container"),
            map! { "regex" => "container_label_.+", "action" => "labeldrop" },
        ]),
    );
    jobs.push(cadvisor);
    for (name, (port, stores)) in exporters(words) {
        let mut job = job(name, None);
        let targets: Vec<Map> = stores
            .iter()
            .map(|store| {
                map! {
                    "targets" => list![format!("{store}-exporter:{port}")],
                    "labels" => map! { "namespace" => words.namespace, "store" => *store },
                }
            })
            .collect();
        job.set("static_configs", targets);
        jobs.push(job);
    }
    jobs
}

/// Instances are found by their tags; Prometheus's machine has a role that may list them, so there is no key here.
pub(super) fn ec2(words: &Vocabulary<'_>) -> Vec<Map> {
    let plan = words.plan;
    let region = plan
        .cloud
        .as_ref()
        .map_or("us-east-1", |cloud| cloud.region.as_str());
    let environment = plan.environment.as_ref().map_or("", |name| name.as_str());
    let found = |port: u16| {
        list![map! {
            "region" => region,
            "port" => port,
            "filters" => list![
                map! { "name" => "tag:Project", "values" => list![&plan.name] },
                map! { "name" => "tag:Environment", "values" => list![environment] },
                map! { "name" => "instance-state-name", "values" => list!["running"] },
            ],
        }]
    };
    let mut jobs = vec![prometheus()];
    for name in &words.measured {
        if let Some((path, port)) = endpoint(words, name) {
            let mut job = job(name.as_str(), Some(path));
            job.set("ec2_sd_configs", found(port));
            job.set(
                "relabel_configs",
                steps(vec![
                    in_group(),
                    copy("__meta_ec2_instance_id", "instance"),
                    fix("service", name.as_str()),
                    fix("namespace", words.namespace),
                ]),
            );
            jobs.push(job);
        }
    }
    let mut node = job("node-exporter", None);
    node.set("ec2_sd_configs", found(NODE_PORT));
    node.set(
        "relabel_configs",
        steps(vec![
            in_group(),
            copy("__meta_ec2_instance_id", "instance"),
            copy("__meta_ec2_availability_zone", "zone"),
        ]),
    );
    jobs.push(node);
    jobs.extend(beside(words));
    jobs
}

/// Instances of the auto-scaling group: a bastion has the project's tags too, and runs no exporter.
fn in_group() -> Map {
    let mut step = Map::new();
    let plain = keep(&["__meta_ec2_tag_aws_autoscaling_groupName"], ".+");
    for (index, entry) in plain.entries().iter().enumerate() {
        let comment = if index == 0 {
            "Only instances of the auto-scaling group: a bastion carries the same tags."
        } else {
            ""
        };
        step.set_with_comment(comment, entry.key.clone(), entry.value.clone());
    }
    step
}

/// Exporters that run beside Prometheus and reach the stores from there.
fn beside(words: &Vocabulary<'_>) -> Vec<Map> {
    exporters(words)
        .into_iter()
        .map(|(name, (port, stores))| {
            let mut job = job(name, None);
            job.set("static_configs", addresses(words, port, &stores));
            job
        })
        .collect()
}

/// One exporter a store, on ports from `port` up.
fn addresses(words: &Vocabulary<'_>, port: u16, stores: &[&Name]) -> Vec<Map> {
    (port..)
        .zip(stores)
        .map(|(port, store)| {
            map! {
                "targets" => list![format!("127.0.0.1:{port}")],
                "labels" => map! { "namespace" => words.namespace, "store" => *store },
            }
        })
        .collect()
}

/// This machine: addresses stand in files, which Prometheus reads again when they change.
pub(super) fn local(words: &Vocabulary<'_>, out: &mut Rendered) -> Vec<Map> {
    let mut jobs = vec![prometheus()];
    let mut add = |name: &str, path: Option<&str>, honor: bool, targets: Vec<Map>| {
        let file = format!("targets/{name}.yml");
        let targets: Vec<Yaml> = targets.into_iter().map(Yaml::from).collect();
        out.yaml(&file, &header(words.plan), vec![Yaml::List(targets)]);
        let mut job = job(name, path);
        if honor {
            job.set("honor_labels", true);
        }
        job.set("file_sd_configs", list![map! { "files" => list![file] }]);
        jobs.push(job);
    };
    for name in &words.measured {
        if let Some((path, port)) = endpoint(words, name) {
            add(
                name.as_str(),
                Some(path),
                false,
                vec![map! {
                    "targets" => list![format!("127.0.0.1:{port}")],
                    "labels" => map! { "namespace" => words.namespace, "service" => *name },
                }],
            );
        }
    }
    if words.ingress().is_some() {
        add(
            "ingress",
            None,
            true,
            vec![map! {
                "targets" => list!["127.0.0.1:8079"],
                "labels" => map! { "namespace" => words.namespace },
            }],
        );
    }
    add(
        "node-exporter",
        None,
        false,
        vec![map! { "targets" => list![format!("127.0.0.1:{NODE_PORT}")] }],
    );
    for (name, (port, stores)) in exporters(words) {
        add(name, None, false, addresses(words, port, &stores));
    }
    jobs
}
