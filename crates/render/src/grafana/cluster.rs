//! The cluster as a whole: nodes, what each namespace uses of it, the API server.

use wharf_plan::rules::vocabulary::Vocabulary;

use super::dashboard::Dashboard;
use super::panel::Panel;

pub(super) fn dashboard(words: &Vocabulary<'_>) -> Option<Dashboard> {
    if !words.on_kubernetes() {
        return None;
    }
    Some(
        Dashboard::new(
            "cluster",
            "Cluster",
            "Nodes, what each namespace uses of them, and the API server.",
        )
        .row("Now", now())
        .row("By namespace", by_namespace())
        .row("API server", api_server()),
    )
}

fn now() -> Vec<Panel> {
    vec![
        Panel::number("Nodes", "short", "Nodes that are ready.")
            .query("sum(kube_node_status_condition{condition=\"Ready\", status=\"true\"})", "")
            .bad_below(1.0),
        Panel::number("Pods", "short", "Pods that run.")
            .query("sum(kube_pod_status_phase{phase=\"Running\"})", ""),
        Panel::number("Pods that wait", "short", "Pods that no node has taken yet.")
            .query("sum(kube_pod_status_phase{phase=\"Pending\"}) or vector(0)", "")
            .watch_above(1.0)
            .bad_above(5.0),
        Panel::gauge("CPU requested", "percentunit", "How much of the nodes' CPU is set aside by requests: at 100% no pod fits any more.")
            .query(
                "sum(kube_pod_container_resource_requests{resource=\"cpu\"}) / sum(kube_node_status_allocatable{resource=\"cpu\"})",
                "",
            )
            .watch_above(0.8)
            .bad_above(0.95)
            .up_to(1.0)
            .sized(6, 4),
        Panel::gauge("Memory requested", "percentunit", "How much of the nodes' memory is set aside by requests.")
            .query(
                "sum(kube_pod_container_resource_requests{resource=\"memory\"}) / sum(kube_node_status_allocatable{resource=\"memory\"})",
                "",
            )
            .watch_above(0.8)
            .bad_above(0.95)
            .up_to(1.0)
            .sized(6, 4),
    ]
}

fn by_namespace() -> Vec<Panel> {
    vec![
        Panel::lines("CPU", "short", "Processors in use by each namespace.")
            .query(
                "sum by (namespace) (rate(container_cpu_usage_seconds_total{container!=\"\"}[$__rate_interval]))",
                "{{namespace}}",
            )
            .stacked(),
        Panel::lines("Memory", "bytes", "The working set of each namespace.")
            .query(
                "sum by (namespace) (container_memory_working_set_bytes{container!=\"\"})",
                "{{namespace}}",
            )
            .stacked(),
        Panel::lines("Network", "Bps", "Bytes a second that each namespace receives (above) and sends (below).")
            .query(
                "sum by (namespace) (rate(container_network_receive_bytes_total[$__rate_interval]))",
                "{{namespace}} received",
            )
            .query(
                "-sum by (namespace) (rate(container_network_transmit_bytes_total[$__rate_interval]))",
                "{{namespace}} sent",
            )
            .also_negative(),
        Panel::lines("Pods", "short", "Pods of each namespace.")
            .query("count by (namespace) (kube_pod_info)", "{{namespace}}")
            .stacked(),
        Panel::bars("CPU used of what is requested", "percentunit", "Far below 100%, requests are larger than they have to be.")
            .query(
                "sum by (namespace) (rate(container_cpu_usage_seconds_total{container!=\"\"}[1h]))\n/\nsum by (namespace) (kube_pod_container_resource_requests{resource=\"cpu\"})",
                "{{namespace}}",
            )
            .bad_above(1.0),
        Panel::bars("Memory used of what is requested", "percentunit", "Above 100%, pods are the first to be evicted when a node runs short.")
            .query(
                "sum by (namespace) (container_memory_working_set_bytes{container!=\"\"})\n/\nsum by (namespace) (kube_pod_container_resource_requests{resource=\"memory\"})",
                "{{namespace}}",
            )
            .bad_above(1.0),
    ]
}

fn api_server() -> Vec<Panel> {
    vec![
        Panel::lines("Requests", "reqps", "Requests a second to the API server, by verb.")
            .query(
                "sum by (verb) (rate(apiserver_request_total{job=\"apiserver\"}[$__rate_interval]))",
                "{{verb}}",
            )
            .sized(8, 8),
        Panel::lines("Errors", "percentunit", "The part of the requests that ended with a 5xx status.")
            .query(
                "(sum(rate(apiserver_request_total{job=\"apiserver\", code=~\"5..\"}[$__rate_interval])) or vector(0)) / sum(rate(apiserver_request_total{job=\"apiserver\"}[$__rate_interval]))",
                "errors",
            )
            .bad_above(0.01)
            .sized(8, 8),
        Panel::lines("Latency p99", "s", "99 of 100 answers are faster than this, by verb.")
            .query(
                "histogram_quantile(0.99, sum by (verb, le) (rate(apiserver_request_duration_seconds_bucket{job=\"apiserver\"}[$__rate_interval])))",
                "{{verb}}",
            )
            .bad_above(1.0)
            .sized(8, 8),
    ]
}
