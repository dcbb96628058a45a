//! Loki and its collector Promtail.
//!
//! ```text
//! loki.yml             one process: everything in it, objects in S3 where there is a cloud
//! promtail.yml         which lines, which labels (not on this machine, where the engine keeps logs itself)
//! s3-lifecycle.json    the archive tier, where there is a cloud
//! README.md
//! ```
//!
//! Few labels make few streams: `namespace`, `service`, `level`. What identifies a pod or a request stands beside each line
//! as structured metadata, which is searched without an index of its own.
//!
//! Two tiers: lines are kept for `logs.archive` in all, which the compactor enforces. For `logs.hot` their objects are in S3's
//! standard class and in Loki's cache; after that they are in Glacier Instant Retrieval, which is read in milliseconds as
//! before but is paid for by what is read. Queries see both.

use wharf_base::files::FileSet;
use wharf_plan::model::{Cloud, Plan, TargetKind};

use crate::prometheus::MONITORING;
use crate::yaml::Map;
use crate::{Input, Rendered, Scope, Target, header, list, map, template};

/// The target.
pub const TARGET: Target = Target {
    name: "loki",
    summary: "Loki and Promtail: logs of every replica, searched fast and then archived",
    scope: Scope::Environment,
    applies: |_| Ok(()),
    make,
};

/// The port of Loki.
pub const PORT: u16 = 3100;

/// The folder of Loki's data.
const DATA: &str = "/loki";

/// The variable that names the bucket: an account's number is part of its name.
pub const BUCKET_VARIABLE: &str = "LOGS_BUCKET";

fn make(input: &Input<'_>, out: &mut Rendered) {
    let plan = input.plan;
    configuration(plan, out);
    if plan.cloud.is_some() {
        out.json("s3-lifecycle.json", lifecycle(plan));
    }
    out.add("README.md", readme(plan));
    if plan.target.kind == TargetKind::Local {
        out.gap(
            "telemetry.logs",
            "on this machine the engine keeps the logs of replicas itself (`wharf logs`): there is no collector to configure",
        );
    }
    match &plan.cloud {
        None => out.gap(
            "telemetry.logs.hot",
            "without a cloud there is one tier: all lines are on Loki's volume until they are deleted",
        ),
        Some(cloud) if bucket(cloud).is_none() => out.gap(
            "cloud.buckets.logs",
            format!(
                "the file has no bucket `logs`: make {}, or name it in the file, and set {BUCKET_VARIABLE}",
                assumed(cloud)
            ),
        ),
        Some(_) => {}
    }
}

/// What the servers read: `loki.yml`, and `promtail.yml` where there is a collector.
#[must_use]
pub fn files(plan: &Plan) -> FileSet {
    let mut out = Rendered::of(plan, TARGET.name);
    configuration(plan, &mut out);
    out.files
}

/// Loki's arguments.
#[must_use]
pub fn flags(plan: &Plan) -> Vec<String> {
    let mut flags = vec!["-config.file=/etc/loki/loki.yml".to_owned()];
    if plan.cloud.is_some() {
        flags.push("-config.expand-env=true".to_owned());
    }
    flags
}

/// The purpose of the bucket that logs go to.
pub(crate) const BUCKET: &str = "logs";

/// The bucket of the file for logs, with the places that the account fills in.
fn bucket(cloud: &Cloud) -> Option<&str> {
    let mut buckets = cloud.buckets.iter();
    let (_, bucket) = buckets.find(|(purpose, _)| purpose.as_str() == BUCKET)?;
    Some(&bucket.name)
}

fn assumed(cloud: &Cloud) -> String {
    format!("{}-logs-{{account}}", cloud.prefix)
}

fn hours(duration: std::time::Duration) -> String {
    format!("{}h", duration.as_secs().div_ceil(3600))
}

fn days(duration: std::time::Duration) -> u64 {
    duration.as_secs().div_ceil(24 * 3600)
}

fn configuration(plan: &Plan, out: &mut Rendered) {
    out.yaml("loki.yml", &header(plan), vec![server(plan).into()]);
    if plan.target.kind != TargetKind::Local {
        out.yaml("promtail.yml", &header(plan), vec![collector(plan).into()]);
    }
}

fn server(plan: &Plan) -> Map {
    let objects = if plan.cloud.is_some() {
        "s3"
    } else {
        "filesystem"
    };
    let mut config = Map::new();
    config.set_with_comment(
        "One tenant: who may read and write is decided by the network around it.",
        "auth_enabled",
        false,
    );
    config.set_with_comment(
        "\n",
        "server",
        map! { "http_listen_port" => PORT, "grpc_listen_port" => 9096, "log_level" => "warn" },
    );
    config.set_with_comment(
        "\n",
        "common",
        map! {
            "instance_addr" => "127.0.0.1",
            "path_prefix" => DATA,
            "replication_factor" => 1,
            "ring" => map! { "kvstore" => map! { "store" => "inmemory" } },
        },
    );
    config.set_with_comment(
        "\n",
        "schema_config",
        map! { "configs" => list![map! {
            "from" => "2024-01-01",
            "store" => "tsdb",
            "object_store" => objects,
            "schema" => "v13",
            "index" => map! { "prefix" => "index_", "period" => "24h" },
        }] },
    );
    let mut storage = map! { "tsdb_shipper" => map! {
        "active_index_directory" => format!("{DATA}/index"),
        "cache_location" => format!("{DATA}/index-cache"),
    } };
    match &plan.cloud {
        Some(cloud) => {
            let mut aws = Map::new();
            aws.set_with_comment(
                "The role of the machine or of the service account: no key is stored.",
                "region",
                &cloud.region,
            );
            aws.set("bucketnames", format!("${{{BUCKET_VARIABLE}}}"));
            aws.set("s3forcepathstyle", false);
            aws.set("sse", map! { "type" => "SSE-S3" });
            storage.set("aws", aws);
        }
        None => {
            storage.set(
                "filesystem",
                map! { "directory" => format!("{DATA}/chunks") },
            );
        }
    }
    config.set_with_comment("\n", "storage_config", storage);
    let mut compactor = map! { "working_directory" => format!("{DATA}/compactor") };
    compactor.set_with_comment(
        "Without it nothing is ever deleted.",
        "retention_enabled",
        true,
    );
    compactor.set("retention_delete_delay", "2h");
    compactor.set("delete_request_store", objects);
    config.set_with_comment("\n", "compactor", compactor);
    config.set_with_comment("\n", "limits_config", limits(plan));
    config.set_with_comment(
        "\nWhat is asked again is answered from memory.",
        "query_range",
        map! {
            "align_queries_with_step" => true,
            "cache_results" => true,
            "results_cache" => map! { "cache" => map! { "embedded_cache" => map! {
                "enabled" => true, "max_size_mb" => 64,
            } } },
        },
    );
    config.set(
        "chunk_store_config",
        map! { "chunk_cache_config" => map! { "embedded_cache" => map! {
            "enabled" => true,
            "max_size_mb" => 128,
            "ttl" => hours(plan.telemetry.logs_hot),
        } } },
    );
    config.set_with_comment(
        "\nChunks that are lost with a crash are written again from here.",
        "ingester",
        map! {
            "chunk_encoding" => "snappy",
            "chunk_idle_period" => "30m",
            "max_chunk_age" => "2h",
            "wal" => map! { "enabled" => true, "dir" => format!("{DATA}/wal"), "replay_memory_ceiling" => "128MB" },
        },
    );
    config.set_with_comment("\n", "analytics", map! { "reporting_enabled" => false });
    config
}

fn limits(plan: &Plan) -> Map {
    let mut limits = Map::new();
    let tiers = if plan.cloud.is_some() {
        "; s3-lifecycle.json has the tiers within"
    } else {
        ""
    };
    limits.set_with_comment(
        format!("{} days in all{tiers}.", days(plan.telemetry.logs_archive)),
        "retention_period",
        hours(plan.telemetry.logs_archive),
    );
    limits.set("max_query_lookback", hours(plan.telemetry.logs_archive));
    limits.set_with_comment(
        "Trace ids and pods stand beside lines, not in the index.",
        "allow_structured_metadata",
        true,
    );
    limits.set("reject_old_samples", true);
    limits.set("reject_old_samples_max_age", "168h");
    limits.set("ingestion_rate_mb", 8);
    limits.set("ingestion_burst_size_mb", 16);
    limits.set("per_stream_rate_limit", "4MB");
    limits.set("max_label_names_per_series", 10);
    limits.set("max_line_size", "256KB");
    limits.set("max_line_size_truncate", true);
    limits.set("volume_enabled", true);
    limits
}

fn address(plan: &Plan) -> String {
    let host = match plan.target.kind {
        TargetKind::Kubernetes => format!("loki.{MONITORING}.svc"),
        TargetKind::Compose => "loki".to_owned(),
        TargetKind::Local | TargetKind::Ec2 => "127.0.0.1".to_owned(),
    };
    format!("http://{host}:{PORT}/loki/api/v1/push")
}

fn collector(plan: &Plan) -> Map {
    let mut config = Map::new();
    config.set(
        "server",
        map! { "http_listen_port" => 9080, "grpc_listen_port" => 0, "log_level" => "warn" },
    );
    config.set_with_comment(
        "\nHow far each file has been read; kept on the machine, so that nothing is sent twice.",
        "positions",
        map! { "filename" => "/run/promtail/positions.yml" },
    );
    let mut labels = map! { "project" => &plan.name };
    labels.set_some("environment", plan.environment.as_ref());
    config.set_with_comment(
        "\n",
        "clients",
        list![map! {
            "url" => address(plan),
            "backoff_config" => map! { "min_period" => "500ms", "max_period" => "5m", "max_retries" => 20 },
            "external_labels" => labels,
        }],
    );
    let job = match plan.target.kind {
        TargetKind::Kubernetes => pods(plan),
        TargetKind::Compose => containers(plan),
        TargetKind::Local | TargetKind::Ec2 => journal(plan),
    };
    config.set_with_comment("\n", "scrape_configs", list![job]);
    config
}

/// What every line goes through: its level becomes a label, its trace id and origin stand beside it.
fn stages(first: Option<Map>, origin: &str) -> Vec<Map> {
    let mut stages: Vec<Map> = first.into_iter().collect();
    let mut json = Map::new();
    json.set_with_comment(
        "A line that is no JSON goes through as it is.",
        "json",
        map! { "expressions" => map! { "level" => "level", "trace_id" => "trace_id", "timestamp" => "timestamp" } },
    );
    stages.push(json);
    let mut plain = Map::new();
    plain.set_with_comment(
        "Spans carry the same id without dashes.",
        "template",
        map! { "source" => "trace_id", "template" => "{{ Replace .Value \"-\" \"\" -1 }}" },
    );
    stages.push(plain);
    stages.push(
        map! { "template" => map! { "source" => "level", "template" => "{{ ToLower .Value }}" } },
    );
    stages.push(map! { "timestamp" => map! {
        "source" => "timestamp", "format" => "RFC3339Nano", "action_on_failure" => "fudge",
    } });
    stages.push(map! { "labels" => map! { "level" => "" } });
    stages.push(map! { "structured_metadata" => map! { "trace_id" => "", origin => "" } });
    stages.push(map! { "labeldrop" => list![origin, "filename", "stream"] });
    stages
}

fn pods(plan: &Plan) -> Map {
    let project = format!("app.kubernetes.io/part-of={}", plan.name);
    map! {
        "job_name" => "pods",
        "kubernetes_sd_configs" => list![map! {
            "role" => "pod",
            "namespaces" => map! { "names" => list![&plan.kubernetes.namespace] },
            "selectors" => list![map! { "role" => "pod", "label" => project }],
        }],
        "relabel_configs" => list![
            local_only(),
            relabel("__meta_kubernetes_namespace", "namespace"),
            relabel("__meta_kubernetes_pod_label_app_kubernetes_io_name", "service"),
            relabel("__meta_kubernetes_pod_name", "pod"),
            map! {
                "source_labels" => inline(&["__meta_kubernetes_pod_uid", "__meta_kubernetes_pod_container_name"]),
                "separator" => "/",
                "target_label" => "__path__",
                "replacement" => "/var/log/pods/*$1/*.log",
            },
        ],
        "pipeline_stages" => stages(Some(map! { "cri" => map! {} }), "pod"),
    }
}

/// Every node has a collector of its own, which reads the files of that node.
fn local_only() -> Map {
    map! {
        "source_labels" => inline(&["__meta_kubernetes_pod_node_name"]),
        "target_label" => "__host__",
    }
}

fn containers(plan: &Plan) -> Map {
    map! {
        "job_name" => "containers",
        "docker_sd_configs" => list![map! {
            "host" => "unix:///var/run/docker.sock",
            "refresh_interval" => "10s",
            "filters" => list![map! {
                "name" => "label",
                "values" => list![format!("com.docker.compose.project={}", plan.name)],
            }],
        }],
        "relabel_configs" => list![
            map! { "target_label" => "namespace", "replacement" => &plan.kubernetes.namespace },
            relabel("__meta_docker_container_label_com_docker_compose_service", "service"),
            relabel("__meta_docker_container_name", "container"),
        ],
        "pipeline_stages" => stages(None, "container"),
    }
}

fn journal(plan: &Plan) -> Map {
    map! {
        "job_name" => "journal",
        "journal" => map! {
            "path" => "/var/log/journal",
            "max_age" => "12h",
            "labels" => map! { "namespace" => &plan.kubernetes.namespace },
        },
        "relabel_configs" => list![
            map! {
                "source_labels" => inline(&["__journal__systemd_unit"]),
                "regex" => format!("(?:{}-)?(.+)\\.service", plan.name),
                "target_label" => "service",
            },
            relabel("__journal__hostname", "machine"),
        ],
        "pipeline_stages" => stages(None, "machine"),
    }
}

fn relabel(source: &str, target: &str) -> Map {
    map! { "source_labels" => inline(&[source]), "target_label" => target }
}

fn inline(labels: &[&str]) -> crate::yaml::Yaml {
    crate::yaml::Yaml::Inline(labels.iter().map(|label| (*label).into()).collect())
}

/// The archive tier, for `aws s3api put-bucket-lifecycle-configuration`.
fn lifecycle(plan: &Plan) -> serde_json::Value {
    // A week later than the compactor, which knows what is still referred to.
    let end = days(plan.telemetry.logs_archive) + 7;
    serde_json::json!({
        "Rules": [
            {
                "ID": "archive-chunks",
                "Status": "Enabled",
                "Filter": { "Prefix": "fake/" },
                "Transitions": [{
                    "Days": days(plan.telemetry.logs_hot),
                    "StorageClass": "GLACIER_IR",
                }],
                "Expiration": { "Days": end },
            },
            {
                "ID": "expire-index",
                "Status": "Enabled",
                "Filter": { "Prefix": "index/" },
                "Expiration": { "Days": end },
            },
            {
                "ID": "abort-uploads",
                "Status": "Enabled",
                "Filter": { "Prefix": "" },
                "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": 1 },
            },
        ],
    })
}

fn readme(plan: &Plan) -> String {
    let cloud = plan.cloud.as_ref();
    template::fill(
        include_str!("loki/README.md.in"),
        serde_json::json!({
            "header": header(plan),
            "flags": flags(plan).join(" "),
            "hot": days(plan.telemetry.logs_hot),
            "archive": days(plan.telemetry.logs_archive),
            "cloud": cloud.is_some(),
            "bucket": cloud.map(|cloud| bucket(cloud).map_or_else(|| assumed(cloud), str::to_owned)),
            "variable": BUCKET_VARIABLE,
            "collector": plan.target.kind != TargetKind::Local,
            "namespace": plan.kubernetes.namespace,
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(environment: Option<&str>) -> Plan {
        let file = include_bytes!("../../../examples/items-redis/wharf.yaml");
        let (plan, diagnostics) = wharf_plan::resolve(file, environment);
        plan.unwrap_or_else(|| panic!("{diagnostics:?}"))
    }

    #[test]
    fn tiers_are_those_of_the_file() {
        let plan = plan(Some("prod"));
        let files = files(&plan);
        let text = &files.get("loki.yml").expect("it is there").text;
        assert!(text.contains("retention_period: 2160h"), "{text}");
        assert!(text.contains("ttl: 336h"), "{text}");
        let lifecycle = lifecycle(&plan);
        assert_eq!(lifecycle["Rules"][0]["Transitions"][0]["Days"], 14);
    }

    #[test]
    fn a_request_is_found_by_its_id_without_an_index_of_ids() {
        let files = files(&plan(Some("prod")));
        let text = &files.get("promtail.yml").expect("it is there").text;
        assert!(text.contains("structured_metadata:"));
        let labels = text.split("- labels:").nth(1).unwrap_or_default();
        let labels = labels
            .split("- structured_metadata")
            .next()
            .unwrap_or_default();
        assert!(!labels.contains("trace_id"), "{labels}");
    }

    #[test]
    fn this_machine_needs_no_collector_and_no_bucket() {
        let files = files(&plan(None));
        assert!(files.get("promtail.yml").is_none());
        assert!(
            !files
                .get("loki.yml")
                .expect("it is there")
                .text
                .contains("s3")
        );
    }
}
