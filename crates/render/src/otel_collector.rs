//! The OpenTelemetry collector, with Jaeger behind it.
//!
//! ```text
//! otel-collector.yml   OTLP in; sampling by what a trace shows; Jaeger and Prometheus out
//! README.md            what services have to be told, how Jaeger runs
//! ```
//!
//! Sampling waits for a trace to end: those with an error or a slow span are all kept, of the others the part that the file
//! says. Counts and durations of spans are made before sampling, so they are of all requests.

use wharf_base::duration;
use wharf_base::files::FileSet;
use wharf_plan::model::{Plan, TargetKind};

use crate::prometheus::MONITORING;
use crate::yaml::Map;
use crate::{Input, Rendered, Scope, Target, header, list, map, template};

/// The target.
pub const TARGET: Target = Target {
    name: "otel-collector",
    summary: "OpenTelemetry collector: OTLP in, sampled traces to Jaeger",
    scope: Scope::Environment,
    applies: |_| Ok(()),
    make,
};

/// Where OTLP comes in: gRPC, HTTP.
pub const OTLP_PORTS: (u16, u16) = (4317, 4318);
/// Where Prometheus reads the metrics of spans.
pub const METRICS_PORT: u16 = 8889;
/// Where the collector says that it works.
pub(crate) const HEALTH_PORT: u16 = 13133;
/// What the collector is called, as a workload and as a host.
pub(crate) const COLLECTOR: &str = "otel-collector";
/// What Jaeger is called.
pub(crate) const JAEGER: &str = "jaeger";
/// Where Jaeger shows traces.
pub(crate) const JAEGER_PORT: u16 = 16686;
/// How Jaeger keeps its spans: on a volume, for a week.
pub(crate) const JAEGER_STORAGE: [(&str, &str); 5] = [
    ("SPAN_STORAGE_TYPE", "badger"),
    ("BADGER_EPHEMERAL", "false"),
    ("BADGER_DIRECTORY_KEY", "/badger/key"),
    ("BADGER_DIRECTORY_VALUE", "/badger/data"),
    ("BADGER_SPAN_STORE_TTL", "168h"),
];
/// The variable that says which service spans are of.
pub(crate) const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";

/// What every service is told, beside its own name.
pub(crate) fn variables(on: TargetKind) -> [(&'static str, String); 3] {
    let endpoint = format!("http://{}:{}", host(on, COLLECTOR), OTLP_PORTS.1);
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf".to_owned()),
        ("OTEL_PROPAGATORS", "tracecontext".to_owned()),
    ]
}

fn make(input: &Input<'_>, out: &mut Rendered) {
    let plan = input.plan;
    configuration(plan, out);
    let version = |name: &str, default: &str| {
        let version = plan.versions.get(name);
        version.cloned().unwrap_or_else(|| default.to_owned())
    };
    out.add(
        "README.md",
        template::fill(
            include_str!("otel_collector/README.md.in"),
            serde_json::json!({
                "header": header(plan),
                "variables": variables(plan.target.kind),
                "service_name": SERVICE_NAME,
                "storage": JAEGER_STORAGE,
                "port": JAEGER_PORT,
                "on_cluster": plan.target.kind == TargetKind::Kubernetes && plan.kubernetes.monitoring,
                "share": plan.telemetry.traces.to_string(),
                "slow": duration::format(plan.telemetry.thresholds.latency),
                "jaeger": version("jaeger", "1.63.0"),
                "services": plan.services.keys().collect::<Vec<_>>(),
            }),
        ),
    );
}

/// What the collector reads: `otel-collector.yml`.
#[must_use]
pub fn files(plan: &Plan) -> FileSet {
    let mut out = Rendered::of(plan, TARGET.name);
    configuration(plan, &mut out);
    out.files
}

fn host(on: TargetKind, name: &str) -> String {
    match on {
        TargetKind::Kubernetes => format!("{name}.{MONITORING}.svc"),
        TargetKind::Compose => name.to_owned(),
        TargetKind::Local | TargetKind::Ec2 => "127.0.0.1".to_owned(),
    }
}

fn configuration(plan: &Plan, out: &mut Rendered) {
    let mut config = Map::new();
    config.set(
        "extensions",
        map! { "health_check" => map! { "endpoint" => format!("0.0.0.0:{HEALTH_PORT}") } },
    );
    let listen = |port: u16| map! { "endpoint" => format!("0.0.0.0:{port}") };
    config.set_with_comment(
        "\n",
        "receivers",
        map! { "otlp" => map! { "protocols" => map! {
            "grpc" => listen(OTLP_PORTS.0),
            "http" => listen(OTLP_PORTS.1),
        } } },
    );
    config.set_with_comment("\n", "processors", processors(plan));
    config.set_with_comment(
        "\nRate, errors and durations of spans, as metrics.",
        "connectors",
        map! { "spanmetrics" => map! {
            "histogram" => map! { "explicit" => map! { "buckets" => buckets() } },
            "dimensions" => list![
                map! { "name" => "http.request.method" },
                map! { "name" => "http.response.status_code" },
            ],
            "metrics_flush_interval" => "15s",
        } },
    );
    let mut jaeger =
        map! { "endpoint" => format!("{}:{}", host(plan.target.kind, JAEGER), jaeger_port(plan)) };
    let mut tls = Map::new();
    tls.set_with_comment(
        "Both run in the same network; nothing else reaches Jaeger's port.",
        "insecure",
        true,
    );
    jaeger.set("tls", tls);
    jaeger.set(
        "sending_queue",
        map! { "enabled" => true, "queue_size" => 1000 },
    );
    jaeger.set(
        "retry_on_failure",
        map! { "enabled" => true, "max_elapsed_time" => "5m" },
    );
    config.set_with_comment(
        "\n",
        "exporters",
        map! {
            "otlp/jaeger" => jaeger,
            "prometheus" => map! { "endpoint" => format!("0.0.0.0:{METRICS_PORT}") },
        },
    );
    config.set_with_comment("\n", "service", service());
    out.yaml("otel-collector.yml", &header(plan), vec![config.into()]);
}

/// On one machine the collector has OTLP's own port, so Jaeger has another.
fn jaeger_port(plan: &Plan) -> u16 {
    match plan.target.kind {
        TargetKind::Local | TargetKind::Ec2 => 14317,
        TargetKind::Kubernetes | TargetKind::Compose => OTLP_PORTS.0,
    }
}

fn buckets() -> crate::yaml::Yaml {
    let bounds = [
        "5ms", "10ms", "25ms", "50ms", "100ms", "250ms", "500ms", "1s", "2500ms", "5s", "10s",
    ];
    crate::yaml::Yaml::Inline(bounds.iter().map(|bound| (*bound).into()).collect())
}

fn processors(plan: &Plan) -> Map {
    let mut processors = Map::new();
    processors.set_with_comment(
        "First in every pipeline: refuses before the kernel kills.",
        "memory_limiter",
        map! { "check_interval" => "1s", "limit_percentage" => 80, "spike_limit_percentage" => 25 },
    );
    let mut attributes = vec![map! {
        "key" => "service.namespace", "value" => &plan.name, "action" => "upsert",
    }];
    if let Some(environment) = &plan.environment {
        attributes.push(map! {
            "key" => "deployment.environment", "value" => environment, "action" => "upsert",
        });
    }
    processors.set("resource", map! { "attributes" => attributes });
    let delete = |key: &str| map! { "key" => key, "action" => "delete" };
    processors.set_with_comment(
        "Credentials have no place in a trace, whatever a library records.",
        "attributes/credentials",
        map! { "actions" => list![
            delete("http.request.header.authorization"),
            delete("http.request.header.cookie"),
            delete("http.response.header.set-cookie"),
            delete("db.connection_string"),
        ] },
    );
    let slow = plan.telemetry.thresholds.latency.as_millis();
    let share = plan.telemetry.traces.fraction() * 100.0;
    processors.set_with_comment(
        "All spans of a trace have to reach the same collector: with several, put a load balancer by trace id before them.",
        "tail_sampling",
        map! {
            "decision_wait" => "10s",
            "num_traces" => 50_000,
            "policies" => list![
                map! {
                    "name" => "errors",
                    "type" => "status_code",
                    "status_code" => map! { "status_codes" => list!["ERROR"] },
                },
                map! {
                    "name" => "slow",
                    "type" => "latency",
                    "latency" => map! { "threshold_ms" => i64::try_from(slow).unwrap_or(i64::MAX) },
                },
                map! {
                    "name" => "others",
                    "type" => "probabilistic",
                    "probabilistic" => map! { "sampling_percentage" => share },
                },
            ],
        },
    );
    processors.set(
        "batch",
        map! { "timeout" => "5s", "send_batch_size" => 1024, "send_batch_max_size" => 2048 },
    );
    processors
}

fn service() -> Map {
    let inline = |names: &[&str]| {
        crate::yaml::Yaml::Inline(names.iter().map(|name| (*name).into()).collect())
    };
    let mut pipelines = Map::new();
    pipelines.set_with_comment(
        "Every span is counted …",
        "traces/count",
        map! {
            "receivers" => inline(&["otlp"]),
            "processors" => inline(&["memory_limiter", "resource"]),
            "exporters" => inline(&["spanmetrics"]),
        },
    );
    pipelines.set_with_comment(
        "… and some traces are kept.",
        "traces",
        map! {
            "receivers" => inline(&["otlp"]),
            "processors" => inline(&["memory_limiter", "resource", "attributes/credentials", "tail_sampling", "batch"]),
            "exporters" => inline(&["otlp/jaeger"]),
        },
    );
    pipelines.set(
        "metrics",
        map! {
            "receivers" => inline(&["otlp", "spanmetrics"]),
            "processors" => inline(&["memory_limiter", "resource", "batch"]),
            "exporters" => inline(&["prometheus"]),
        },
    );
    map! { "extensions" => inline(&["health_check"]), "pipelines" => pipelines }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_pipeline_is_configured() {
        let file = include_bytes!("../../../examples/items-redis/wharf.yaml");
        let (plan, diagnostics) = wharf_plan::resolve(file, Some("prod"));
        let plan = plan.unwrap_or_else(|| panic!("{diagnostics:?}"));
        let text = files(&plan)
            .get("otel-collector.yml")
            .expect("it is there")
            .text
            .clone();
        assert!(text.contains("sampling_percentage: 10.0"), "{text}");
        assert!(text.contains("threshold_ms: 500"), "{text}");
        for part in [
            "otlp",
            "spanmetrics",
            "memory_limiter",
            "resource",
            "attributes/credentials",
            "tail_sampling",
            "batch",
            "otlp/jaeger",
            "prometheus",
            "health_check",
        ] {
            assert!(text.contains(&format!("  {part}:\n")), "{part}");
        }
    }
}
