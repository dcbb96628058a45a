//! What is scraped on a cluster: found through the Kubernetes API.
//!
//! Pods are found by `app.kubernetes.io/part-of` and `app.kubernetes.io/name` and by the number of a container's port, so
//! that neither annotations nor Services have to be kept in step. Pods of services are `SERVICE-<replica set>-<id>`.

use wharf_plan::model::{Service, StoreEngine};
use wharf_plan::rules::vocabulary::{
    PGBOUNCER_EXPORTER, POSTGRES_EXPORTER, REDIS_EXPORTER, Vocabulary,
};

use super::MONITORING;
use super::machines::{POSTGRES_PORT, REDIS_PORT};
use super::relabel::{any_of, copy, drop, fix, keep, set, steps, take};
use crate::kubernetes::POOL_EXPORTER_PORT;
use crate::yaml::Map;
use crate::{list, map};

const NAME: &str = "__meta_kubernetes_pod_label_app_kubernetes_io_name";
const PORT: &str = "__meta_kubernetes_pod_container_port_number";
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
const CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

pub(super) fn jobs(words: &Vocabulary<'_>) -> Vec<Map> {
    let mut jobs = vec![map! {
        "job_name" => "prometheus",
        "static_configs" => list![map! { "targets" => list![format!("localhost:{}", super::PORT)] }],
    }];
    if !words.measured.is_empty() {
        jobs.push(services(words));
    }
    if words.ingress().is_some() {
        jobs.push(ingress(words));
    }
    jobs.push(node_exporter());
    jobs.push(cadvisor(words));
    jobs.push(kubelet());
    jobs.push(state_metrics(words));
    jobs.push(api_server());
    for (job, engine, port) in [
        (POSTGRES_EXPORTER, StoreEngine::Postgres, POSTGRES_PORT),
        (REDIS_EXPORTER, StoreEngine::Redis, REDIS_PORT),
    ] {
        let names: Vec<_> = words.stores(engine).collect();
        if !names.is_empty() {
            jobs.push(exporter(words, job, &any_of(names), port));
        }
    }
    let pooled = words.pooled();
    if !pooled.is_empty() {
        jobs.push(exporter(
            words,
            PGBOUNCER_EXPORTER,
            &any_of(pooled),
            POOL_EXPORTER_PORT,
        ));
    }
    jobs.push(spans());
    jobs
}

/// Pods of a namespace, by a label selector.
fn pods(namespace: &str, label: &str) -> crate::yaml::Yaml {
    list![map! {
        "role" => "pod",
        "namespaces" => map! { "names" => list![namespace] },
        "selectors" => list![map! { "role" => "pod", "label" => label }],
    }]
}

fn running() -> Map {
    drop(&["__meta_kubernetes_pod_phase"], "Pending|Succeeded|Failed")
}

fn services(words: &Vocabulary<'_>) -> Map {
    let plan = words.plan;
    let measured: Vec<(&str, &Service)> = words
        .measured
        .iter()
        .filter_map(|name| Some((name.as_str(), plan.services.get(*name)?)))
        .collect();
    let ports: Vec<String> = measured
        .iter()
        .filter_map(|(name, service)| {
            let metrics = service.metrics.as_ref()?;
            Some(format!("{name};{}", service.ports.get(&metrics.port)?))
        })
        .collect();
    let mut found = vec![
        running(),
        keep(&[NAME, PORT], ports.join("|")),
        copy(NAME, "job"),
        copy(NAME, "service"),
        copy("__meta_kubernetes_namespace", "namespace"),
        copy("__meta_kubernetes_pod_name", "pod"),
        copy("__meta_kubernetes_pod_node_name", "node"),
    ];
    for (name, service) in measured {
        if let Some(metrics) = &service.metrics
            && metrics.path != "/metrics"
        {
            found.push(set(&[NAME], name, "__metrics_path__", &metrics.path));
        }
    }
    let mut job = Map::new();
    job.set_with_comment(
        "\nThe services; the job of each is called as the service.",
        "job_name",
        "services",
    );
    job.set(
        "kubernetes_sd_configs",
        pods(
            words.namespace,
            &format!("app.kubernetes.io/part-of={}", plan.name),
        ),
    );
    job.set("relabel_configs", steps(found));
    job
}

fn ingress(words: &Vocabulary<'_>) -> Map {
    let mut job = Map::new();
    job.set_with_comment(
        "\nRequests as ingress-nginx counts them. Its own labels win: they name the namespace and Service of a request.",
        "job_name",
        "ingress",
    );
    job.set("honor_labels", true);
    job.set(
        "kubernetes_sd_configs",
        pods(
            "ingress-nginx",
            "app.kubernetes.io/name=ingress-nginx,app.kubernetes.io/component=controller",
        ),
    );
    job.set(
        "relabel_configs",
        steps(vec![
            running(),
            keep(&["__meta_kubernetes_pod_container_port_number"], "10254"),
            copy("__meta_kubernetes_pod_name", "pod"),
        ]),
    );
    let renamed: Vec<Map> = words
        .plan
        .services
        .iter()
        .filter_map(|(name, service)| {
            let called = service.expose.as_ref()?.name.as_ref()?;
            (called != name.as_str()).then(|| {
                set(
                    &["namespace", "service"],
                    &format!("{};{called}", words.namespace),
                    "service",
                    name.as_str(),
                )
            })
        })
        .collect();
    if !renamed.is_empty() {
        job.set("metric_relabel_configs", steps(renamed));
    }
    job
}

fn node_exporter() -> Map {
    let mut job = Map::new();
    job.set_with_comment("\n", "job_name", "node-exporter");
    job.set(
        "kubernetes_sd_configs",
        pods(MONITORING, "app.kubernetes.io/name=node-exporter"),
    );
    job.set(
        "relabel_configs",
        steps(vec![
            running(),
            keep(&[PORT], "9100"),
            copy("__meta_kubernetes_pod_node_name", "instance"),
        ]),
    );
    job
}

/// The kubelet's port speaks TLS with a certificate of the node's own.
fn of_kubelet(job: &mut Map, path: Option<&str>) {
    job.set("scheme", "https");
    job.set_some("metrics_path", path);
    job.set(
        "authorization",
        map! { "type" => "Bearer", "credentials_file" => TOKEN },
    );
    let mut tls = Map::new();
    tls.set_with_comment(
        "Kubelets sign their serving certificates themselves unless the cluster approves requests for them.",
        "insecure_skip_verify",
        true,
    );
    job.set("tls_config", tls);
    job.set("kubernetes_sd_configs", list![map! { "role" => "node" }]);
}

fn cadvisor(words: &Vocabulary<'_>) -> Map {
    let mut job = Map::new();
    job.set_with_comment(
        "\nContainers, as the kubelet's cAdvisor measures them.",
        "job_name",
        "cadvisor",
    );
    of_kubelet(&mut job, Some("/metrics/cadvisor"));
    job.set(
        "relabel_configs",
        steps(vec![copy("__meta_kubernetes_node_name", "instance")]),
    );
    let mut unused = drop(
        &["__name__"],
        "container_(tasks_state|memory_failures_total|blkio_.+|file_descriptors|threads.*|ulimits_soft|sockets)",
    );
    unused = commented("Series that no rule and no dashboard reads.", unused);
    let mut steps_of = vec![unused];
    steps_of.extend(by_pod(words));
    job.set("metric_relabel_configs", steps(steps_of));
    job
}

/// A character that Kubernetes makes up names of: no vowels, so that `web-release-x2b4c` is no pod of `web`.
const RANDOM: &str = "[bcdfghjklmnpqrstvwxz2456789]";

/// The label `service` from the names of pods: those of Deployments, and those of the stores' StatefulSets.
fn by_pod(words: &Vocabulary<'_>) -> Vec<Map> {
    let mut found = vec![];
    let services = any_of(words.lasting());
    if !services.is_empty() {
        found.push(take(
            &["namespace", "pod"],
            format!("{};({services})-{RANDOM}+-{RANDOM}{{5}}", words.namespace),
            "service",
        ));
    }
    let stores = any_of(words.clustered());
    if !stores.is_empty() {
        found.push(take(
            &["namespace", "pod"],
            format!("{};({stores})-[0-9]+", words.namespace),
            "service",
        ));
    }
    if let Some(first) = found.first_mut() {
        let map = std::mem::take(first);
        *first = commented("Which service or store a pod belongs to.", map);
    }
    found
}

fn kubelet() -> Map {
    let mut job = Map::new();
    job.set_with_comment(
        "\nVolumes, and the kubelets themselves.",
        "job_name",
        "kubelet",
    );
    of_kubelet(&mut job, None);
    job.set(
        "relabel_configs",
        steps(vec![copy("__meta_kubernetes_node_name", "instance")]),
    );
    job.set(
        "metric_relabel_configs",
        steps(vec![commented(
            "Of its many series those that are read.",
            keep(
                &["__name__"],
                "up|kubelet_(volume_stats_.+|running_(pods|containers)|node_name)",
            ),
        )]),
    );
    job
}

fn state_metrics(words: &Vocabulary<'_>) -> Map {
    let mut job = Map::new();
    job.set_with_comment(
        "\nWhat the API server knows of workloads. Its own labels win: they name what is told of, not who tells.",
        "job_name",
        "kube-state-metrics",
    );
    job.set("honor_labels", true);
    job.set(
        "kubernetes_sd_configs",
        pods(MONITORING, "app.kubernetes.io/name=kube-state-metrics"),
    );
    job.set(
        "relabel_configs",
        steps(vec![
            running(),
            keep(&[PORT], "8080"),
            copy("__meta_kubernetes_pod_name", "instance"),
        ]),
    );
    let mut found = by_pod(words);
    let services = any_of(words.lasting());
    let namespace = words.namespace;
    if !services.is_empty() {
        found.push(take(
            &["namespace", "deployment"],
            format!("{namespace};({services})"),
            "service",
        ));
        found.push(take(
            &["namespace", "replicaset"],
            format!("{namespace};({services})-[a-z0-9]+"),
            "service",
        ));
    }
    let scaled = any_of(words.scaled());
    if !scaled.is_empty() {
        found.push(commented(
            "An autoscaler is called as its service; KEDA's has a prefix.",
            take(
                &["namespace", "horizontalpodautoscaler"],
                format!("{namespace};(?:keda-hpa-)?({scaled})"),
                "service",
            ),
        ));
    }
    let stores = any_of(words.clustered());
    if !stores.is_empty() {
        found.push(take(
            &["namespace", "statefulset"],
            format!("{namespace};({stores})"),
            "service",
        ));
    }
    if !found.is_empty() {
        job.set("metric_relabel_configs", steps(found));
    }
    job
}

fn api_server() -> Map {
    let mut job = Map::new();
    job.set_with_comment("\n", "job_name", "apiserver");
    job.set("scheme", "https");
    job.set(
        "authorization",
        map! { "type" => "Bearer", "credentials_file" => TOKEN },
    );
    job.set("tls_config", map! { "ca_file" => CA });
    job.set(
        "kubernetes_sd_configs",
        list![
            map! { "role" => "endpointslice", "namespaces" => map! { "names" => list!["default"] } }
        ],
    );
    job.set(
        "relabel_configs",
        steps(vec![keep(
            &[
                "__meta_kubernetes_service_name",
                "__meta_kubernetes_endpointslice_port_name",
            ],
            "kubernetes;https",
        )]),
    );
    job.set(
        "metric_relabel_configs",
        steps(vec![commented(
            "The API server has tens of thousands of series; these are read.",
            keep(
                &["__name__"],
                "up|apiserver_request_total|apiserver_request_duration_seconds_(bucket|sum|count)|apiserver_current_inflight_requests",
            ),
        ), drop(&["__name__", "verb"], "apiserver_request_duration_seconds_bucket;(WATCH|CONNECT)")]),
    );
    job
}

/// What the collector of traces counts, where there is one.
fn spans() -> Map {
    let mut job = Map::new();
    job.set_with_comment(
        "\nRate, errors and durations of spans, where the OpenTelemetry collector runs.",
        "job_name",
        "otel-collector",
    );
    job.set(
        "kubernetes_sd_configs",
        pods(MONITORING, "app.kubernetes.io/name=otel-collector"),
    );
    job.set(
        "relabel_configs",
        steps(vec![
            running(),
            keep(&[PORT], crate::otel_collector::METRICS_PORT.to_string()),
        ]),
    );
    job
}

/// Pods of the project that listen on the exporter's port; the store's name begins theirs.
fn exporter(words: &Vocabulary<'_>, job_name: &str, stores: &str, port: u16) -> Map {
    let mut job = Map::new();
    job.set_with_comment("\n", "job_name", job_name);
    job.set(
        "kubernetes_sd_configs",
        pods(
            words.namespace,
            &format!("app.kubernetes.io/part-of={}", words.plan.name),
        ),
    );
    job.set(
        "relabel_configs",
        steps(vec![
            running(),
            keep(&[PORT], port.to_string()),
            take(&[NAME], format!("({stores})(?:-.+)?"), "store"),
            fix("namespace", words.namespace),
        ]),
    );
    job
}

/// The step with a comment above it.
fn commented(comment: &str, step: Map) -> Map {
    let mut out = Map::new();
    for (index, entry) in step.entries().iter().enumerate() {
        let comment = if index == 0 { comment } else { "" };
        out.set_with_comment(comment, entry.key.clone(), entry.value.clone());
    }
    out
}
