//! Cost: what the month has come to by service of the cloud, beside the budget, and what is paid for and not used.

use wharf_plan::model::Cloud;
use wharf_plan::rules::vocabulary::Vocabulary;

use super::dashboard::Dashboard;
use super::panel::Panel;

/// Billing metrics are in this region only, whatever the region of what is billed.
const BILLING: &str = "us-east-1";

pub(super) fn dashboard(words: &Vocabulary<'_>) -> Option<Dashboard> {
    let cloud = words.plan.cloud.as_ref()?;
    let mut board = Dashboard::new(
        "cost",
        "Cost",
        "What the month has come to by service of the cloud, beside the budget, and what is paid for and not used.",
    )
    .since("now-30d")
    .row("This month", month(cloud));
    if words.on_kubernetes() {
        board = board
            .by_namespace("kube_pod_container_resource_requests", words.namespace)
            .row("Paid for and not used", unused());
    }
    Some(board)
}

fn month(cloud: &Cloud) -> Vec<Panel> {
    let total =
        "SEARCH('{AWS/Billing,Currency} MetricName=\"EstimatedCharges\"', 'Maximum', 21600)";
    let mut spent = Panel::number(
        "Since the first of the month",
        "currencyUSD",
        "The account's estimated charges of this month, which AWS renews every few hours.",
    )
    .cloudwatch(BILLING, total, "")
    .sized(8, 8);
    let mut curve = Panel::lines(
        "Over the month",
        "currencyUSD",
        "The estimated charges of this month as they grow; the line is the budget.",
    )
    .cloudwatch(BILLING, total, "total")
    .sized(16, 8);
    if let Some(budget) = cloud.budget {
        let budget = f64::from(budget);
        spent = spent.watch_above(budget * 0.8).bad_above(budget);
        curve = curve.bad_above(budget);
    }
    vec![
        spent,
        curve,
        Panel::lines(
            "By service",
            "currencyUSD",
            "The estimated charges of this month by service: EKS, EC2, RDS, ElastiCache, S3 and the others.",
        )
        .cloudwatch(
            BILLING,
            "SEARCH('{AWS/Billing,Currency,ServiceName} MetricName=\"EstimatedCharges\"', 'Maximum', 21600)",
            "",
        )
        .stacked()
        .sized(24, 9),
    ]
}

fn unused() -> Vec<Panel> {
    vec![
        Panel::lines(
            "CPU set aside and not used",
            "short",
            "Processors that pods request and do not use: what smaller requests would set free.",
        )
        .query(
            "sum(kube_pod_container_resource_requests{namespace=\"$namespace\", resource=\"cpu\"})\n- sum(rate(container_cpu_usage_seconds_total{namespace=\"$namespace\", container!=\"\"}[1h]))",
            "processors",
        )
        .also_negative(),
        Panel::lines(
            "Memory set aside and not used",
            "bytes",
            "Memory that pods request and do not use.",
        )
        .query(
            "sum(kube_pod_container_resource_requests{namespace=\"$namespace\", resource=\"memory\"})\n- sum(container_memory_working_set_bytes{namespace=\"$namespace\", container!=\"\"})",
            "memory",
        )
        .also_negative(),
    ]
}
