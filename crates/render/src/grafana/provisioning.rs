//! Data sources and where dashboards are.

use wharf_plan::model::{Plan, TargetKind};

use super::DASHBOARDS;
use crate::prometheus::MONITORING;
use crate::yaml::{Map, Yaml};
use crate::{Rendered, header, list, map};

pub(super) fn write(plan: &Plan, out: &mut Rendered) {
    let mut sources: Vec<Yaml> = vec![
        prometheus(plan).into(),
        loki(plan).into(),
        jaeger(plan).into(),
    ];
    if let Some(cloud) = &plan.cloud {
        sources.push(
            map! {
                "name" => "CloudWatch",
                "uid" => "cloudwatch",
                "type" => "cloudwatch",
                "access" => "proxy",
                // The role of the machine or of the service account: no key is stored.
                "jsonData" => map! { "authType" => "default", "defaultRegion" => &cloud.region },
                "editable" => false,
            }
            .into(),
        );
    }
    let sources = map! {
        "apiVersion" => 1,
        "prune" => true,
        "datasources" => Yaml::List(sources),
    };
    out.yaml(
        "provisioning/datasources/datasources.yml",
        &header(plan),
        vec![sources.into()],
    );
    let provider = map! {
        "name" => "wharf",
        "folder" => &plan.name,
        "type" => "file",
        "disableDeletion" => true,
        "allowUiUpdates" => false,
        "updateIntervalSeconds" => 30,
        "options" => map! { "path" => DASHBOARDS, "foldersFromFilesStructure" => false },
    };
    let providers = map! { "apiVersion" => 1, "providers" => list![provider] };
    out.yaml(
        "provisioning/dashboards/dashboards.yml",
        &header(plan),
        vec![providers.into()],
    );
}

/// Whether the rendered Grafana finds a trace id in what Loki keeps beside a line (10.3 and newer).
pub(super) fn finds_traces_by_label(plan: &Plan) -> bool {
    let version = plan.versions.get("grafana").map_or("", String::as_str);
    let mut numbers = version
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version.is_empty() || major > 10 || major == 10 && minor >= 3
}

fn url(plan: &Plan, host: &str, port: u16) -> String {
    match plan.target.kind {
        TargetKind::Kubernetes => format!("http://{host}.{MONITORING}.svc:{port}"),
        TargetKind::Compose => format!("http://{host}:{port}"),
        TargetKind::Local | TargetKind::Ec2 => format!("http://127.0.0.1:{port}"),
    }
}

fn source(name: &str, uid: &str, url: String) -> Map {
    map! {
        "name" => name,
        "uid" => uid,
        "type" => uid,
        "access" => "proxy",
        "url" => url,
        "isDefault" => uid == "prometheus",
    }
}

fn prometheus(plan: &Plan) -> Map {
    let mut map = source(
        "Prometheus",
        "prometheus",
        url(plan, "prometheus", crate::prometheus::PORT),
    );
    let interval = wharf_base::duration::format(plan.telemetry.scrape_interval);
    map.set(
        "jsonData",
        map! { "httpMethod" => "POST", "timeInterval" => interval },
    );
    map.set("editable", false);
    map
}

fn loki(plan: &Plan) -> Map {
    let mut map = source("Loki", "loki", url(plan, "loki", 3100));
    let mut data = map! { "maxLines" => 1000 };
    if finds_traces_by_label(plan) {
        data.set_with_comment(
            "The collector keeps the trace id beside each line, without dashes as Jaeger wants it.",
            "derivedFields",
            list![map! {
                "name" => "TraceID",
                "matcherType" => "label",
                "matcherRegex" => "trace_id",
                "datasourceUid" => "jaeger",
                // A doubled sign is one: Grafana fills in environment variables here.
                "url" => "$${__value.raw}",
                "urlDisplayLabel" => "The trace of this request",
            }],
        );
    }
    map.set("jsonData", data);
    map.set("editable", false);
    map
}

fn jaeger(plan: &Plan) -> Map {
    let mut map = source("Jaeger", "jaeger", url(plan, "jaeger", 16686));
    let namespace = &plan.kubernetes.namespace;
    map.set(
        "jsonData",
        map! {
            "tracesToLogsV2" => map! {
                "datasourceUid" => "loki",
                "spanStartTimeShift" => "-5m",
                "spanEndTimeShift" => "5m",
                "customQuery" => true,
                "query" => format!("{{namespace=\"{namespace}\"}} | trace_id=\"$${{__trace.traceId}}\""),
            },
            "tracesToMetrics" => map! {
                "datasourceUid" => "prometheus",
                "tags" => list![map! { "key" => "service.name", "value" => "service" }],
                "queries" => list![
                    map! { "name" => "Requests", "query" => "sum(service:http_requests:rate5m{$$__tags})" },
                    map! { "name" => "Errors", "query" => "sum(service:http_errors:rate5m{$$__tags})" },
                ],
            },
            "nodeGraph" => map! { "enabled" => true },
        },
    );
    map.set("editable", false);
    map
}
