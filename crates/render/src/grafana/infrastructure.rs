//! Machines, replicas and volumes: CPU, memory, disks, network, pods, quotas, scaling; the cloud's own figures.

use wharf_plan::model::{Cloud, Compute};
use wharf_plan::rules::vocabulary::Vocabulary;

use super::dashboard::{CHOSEN, Dashboard};
use super::panel::Panel;

const DISKS: &str = "fstype!~\"tmpfs|ramfs|overlay|squashfs|fuse.*\"";
const NETWORK: &str = "device!~\"lo|veth.*|cali.*|eni.*|docker.*|br-.*\"";

pub(super) fn dashboard(words: &Vocabulary<'_>) -> Option<Dashboard> {
    let mut board = Dashboard::new(
        "infrastructure",
        "Infrastructure",
        "Machines, replicas and volumes: CPU, memory, disks, network, pods, quotas and scaling.",
    )
    .by("instance", "Machine", "node_cpu_seconds_total", "instance");
    if words.has_containers() {
        board = board
            .by_namespace(
                "container_memory_working_set_bytes{service!=\"\"}",
                words.namespace,
            )
            .by(
                "service",
                "Service",
                "container_memory_working_set_bytes{namespace=\"$namespace\"}",
                "service",
            );
    }
    board = board.row("Machines", machines(words));
    if words.has_containers() {
        board = board.row("Replicas", replicas(words));
    }
    if words.on_kubernetes() {
        board = board
            .row("Pods", pods(words))
            .row("Scaling", scaling(words));
    }
    if let Some(cloud) = &words.plan.cloud {
        board = board.row("Cloud", aws(cloud));
    }
    Some(board)
}

fn machines(words: &Vocabulary<'_>) -> Vec<Panel> {
    let limits = words.thresholds();
    let of = "instance=~\"$instance\"";
    vec![
        Panel::lines("CPU", "percentunit", "How busy the processors of each machine are; the line is where the alert begins.")
            .query(
                format!("1 - avg by (instance) (rate(node_cpu_seconds_total{{mode=\"idle\", {of}}}[$__rate_interval]))"),
                "{{instance}}",
            )
            .bad_above(limits.cpu.fraction())
            .up_to(1.0)
            .sized(8, 8),
        Panel::lines("Memory", "percentunit", "Memory in use, without caches that can be given back.")
            .query(
                format!("1 - min by (instance) (node_memory_MemAvailable_bytes{{{of}}} / node_memory_MemTotal_bytes{{{of}}})"),
                "{{instance}}",
            )
            .bad_above(limits.memory.fraction())
            .up_to(1.0)
            .sized(8, 8),
        Panel::lines("Load", "short", "Processes that run or wait for a processor, one minute's mean.")
            .query(format!("max by (instance) (node_load1{{{of}}})"), "{{instance}}")
            .sized(8, 8),
        Panel::lines("Disks", "percentunit", "How full each disk is; the line is where the alert begins.")
            .query(
                format!(
                    "max by (instance, mountpoint) (1 - node_filesystem_avail_bytes{{{of}, {DISKS}}} / node_filesystem_size_bytes{{{of}, {DISKS}}})"
                ),
                "{{instance}} {{mountpoint}}",
            )
            .bad_above(1.0 - limits.disk_free.fraction())
            .up_to(1.0)
            .sized(8, 8),
        Panel::lines("Disk traffic", "Bps", "Bytes a second that are read (above) and written (below).")
            .query(
                format!("sum by (instance) (rate(node_disk_read_bytes_total{{{of}}}[$__rate_interval]))"),
                "{{instance}} read",
            )
            .query(
                format!("-sum by (instance) (rate(node_disk_written_bytes_total{{{of}}}[$__rate_interval]))"),
                "{{instance}} written",
            )
            .also_negative()
            .sized(8, 8),
        Panel::lines("Network", "Bps", "Bytes a second that are received (above) and sent (below).")
            .query(
                format!("sum by (instance) (rate(node_network_receive_bytes_total{{{of}, {NETWORK}}}[$__rate_interval]))"),
                "{{instance}} received",
            )
            .query(
                format!("-sum by (instance) (rate(node_network_transmit_bytes_total{{{of}, {NETWORK}}}[$__rate_interval]))"),
                "{{instance}} sent",
            )
            .also_negative()
            .sized(8, 8),
    ]
}

fn replicas(words: &Vocabulary<'_>) -> Vec<Panel> {
    let limits = words.thresholds();
    let of = format!("container!=\"\", {CHOSEN}");
    vec![
        Panel::lines("CPU by service", "short", "Processors in use by all replicas of each service.")
            .query(
                format!("sum by (service) (rate(container_cpu_usage_seconds_total{{{of}}}[$__rate_interval]))"),
                "{{service}}",
            )
            .sized(8, 8),
        Panel::lines("Memory by service", "bytes", "The working set of all replicas of each service.")
            .query(
                format!("sum by (service) (container_memory_working_set_bytes{{{of}}})"),
                "{{service}}",
            )
            .sized(8, 8),
        Panel::lines(
            "Memory of the limit",
            "percentunit",
            "The replica of each service that is nearest to its limit; at 100% it is killed.",
        )
        .query(
            format!(
                "max by (service) (container_memory_working_set_bytes{{{of}}} / (container_spec_memory_limit_bytes{{{of}}} > 0))"
            ),
            "{{service}}",
        )
        .bad_above(limits.memory.fraction())
        .up_to(1.0)
        .sized(8, 8),
        Panel::lines(
            "Throttled",
            "percentunit",
            "The part of the scheduler's periods in which a replica was held back by its CPU limit.",
        )
        .query(
            format!(
                "max by (service) (increase(container_cpu_cfs_throttled_periods_total{{{of}}}[5m]) / (increase(container_cpu_cfs_periods_total{{{of}}}[5m]) > 0))"
            ),
            "{{service}}",
        )
        .watch_above(0.25)
        .up_to(1.0),
        Panel::lines("Network by service", "Bps", "Bytes a second that are received (above) and sent (below).")
            .query(
                format!("sum by (service) (rate(container_network_receive_bytes_total{{{CHOSEN}}}[$__rate_interval]))"),
                "{{service}} received",
            )
            .query(
                format!("-sum by (service) (rate(container_network_transmit_bytes_total{{{CHOSEN}}}[$__rate_interval]))"),
                "{{service}} sent",
            )
            .also_negative(),
    ]
}

fn pods(words: &Vocabulary<'_>) -> Vec<Panel> {
    let mut panels = vec![
        Panel::lines("Pods by phase", "short", "Pods of the namespace by what they are doing.")
            .query(
                "sum by (phase) (kube_pod_status_phase{namespace=\"$namespace\"})",
                "{{phase}}",
            )
            .stacked()
            .sized(8, 8),
        Panel::bars("Pods by node", "short", "How the pods of the namespace are spread: a service on one node falls with it.")
            .query(
                "count by (node) (kube_pod_info{namespace=\"$namespace\", node!=\"\"})",
                "{{node}}",
            )
            .sized(8, 8),
        Panel::lines("Restarts", "short", "How often containers were started again within an hour.")
            .query(
                format!("sum by (service) (increase(kube_pod_container_status_restarts_total{{{CHOSEN}}}[1h]))"),
                "{{service}}",
            )
            .bad_above(3.0)
            .sized(8, 8),
        Panel::lines("Volumes", "percentunit", "How full each volume is; the line is where the alert begins.")
            .query(
                "max by (persistentvolumeclaim) (1 - kubelet_volume_stats_available_bytes{namespace=\"$namespace\"} / kubelet_volume_stats_capacity_bytes{namespace=\"$namespace\"})",
                "{{persistentvolumeclaim}}",
            )
            .bad_above(1.0 - words.thresholds().disk_free.fraction())
            .up_to(1.0),
    ];
    if words.plan.kubernetes.quota.is_some() {
        panels.push(
            Panel::bars("Quota", "percentunit", "How much of the namespace's quota is taken.")
                .query(
                    "max by (resource) (kube_resourcequota{namespace=\"$namespace\", type=\"used\"})\n/ on (resource)\nmax by (resource) (kube_resourcequota{namespace=\"$namespace\", type=\"hard\"} > 0)",
                    "{{resource}}",
                )
                .watch_above(0.8)
                .bad_above(0.95)
                .up_to(1.0),
        );
    }
    panels
}

fn scaling(words: &Vocabulary<'_>) -> Vec<Panel> {
    let mut panels = vec![
        Panel::lines(
            "Replicas",
            "short",
            "Replicas that are available and that are wanted; a step is a scaling event.",
        )
        .query(
            format!("max by (service) (kube_deployment_status_replicas_available{{{CHOSEN}}})"),
            "{{service}} available",
        )
        .query(
            format!("max by (service) (kube_deployment_spec_replicas{{{CHOSEN}}})"),
            "{{service}} wanted",
        ),
        Panel::lines(
            "Scaling events",
            "short",
            "How often the number of wanted replicas changed within an hour.",
        )
        .query(
            format!("max by (service) (changes(kube_deployment_spec_replicas{{{CHOSEN}}}[1h]))"),
            "{{service}}",
        ),
    ];
    if !words.scaled().is_empty() {
        panels.push(
            Panel::lines(
                "Of the autoscaler's most",
                "percentunit",
                "At 100% the autoscaler cannot add replicas any more.",
            )
            .query(
                format!(
                    "max by (service) (kube_horizontalpodautoscaler_status_current_replicas{{{CHOSEN}}})\n/ on (service)\nmax by (service) (kube_horizontalpodautoscaler_spec_max_replicas{{{CHOSEN}}})"
                ),
                "{{service}}",
            )
            .watch_above(0.8)
            .bad_above(1.0)
            .up_to(1.0)
            .sized(24, 7),
        );
    }
    panels
}

fn aws(cloud: &Cloud) -> Vec<Panel> {
    let region = cloud.region.as_str();
    let mut panels = vec![
        Panel::lines("EC2: CPU", "percent", "CPU of the instances of the auto-scaling groups, as CloudWatch sees it.")
            .cloudwatch(
                region,
                "SEARCH('{AWS/EC2,AutoScalingGroupName} MetricName=\"CPUUtilization\"', 'Average', 300)",
                "",
            )
            .bad_above(cloud.alarms.cpu.fraction() * 100.0)
            .up_to(100.0),
        Panel::lines("Load balancer: requests", "short", "Requests in five minutes at each load balancer.")
            .cloudwatch(
                region,
                "SEARCH('{AWS/ApplicationELB,LoadBalancer} MetricName=\"RequestCount\"', 'Sum', 300)",
                "",
            ),
        Panel::lines("Load balancer: errors", "short", "5xx answers in five minutes: of the targets, and of the load balancer itself.")
            .cloudwatch(
                region,
                "SEARCH('{AWS/ApplicationELB,LoadBalancer} MetricName=\"HTTPCode_Target_5XX_Count\"', 'Sum', 300)",
                "targets",
            )
            .cloudwatch(
                region,
                "SEARCH('{AWS/ApplicationELB,LoadBalancer} MetricName=\"HTTPCode_ELB_5XX_Count\"', 'Sum', 300)",
                "load balancer",
            )
            .bad_above(1.0),
        Panel::lines("Load balancer: targets", "short", "Targets that answer their health check, and that do not.")
            .cloudwatch(
                region,
                "SEARCH('{AWS/ApplicationELB,LoadBalancer,TargetGroup} MetricName=\"HealthyHostCount\"', 'Minimum', 300)",
                "healthy",
            )
            .cloudwatch(
                region,
                "SEARCH('{AWS/ApplicationELB,LoadBalancer,TargetGroup} MetricName=\"UnHealthyHostCount\"', 'Maximum', 300)",
                "unhealthy",
            ),
    ];
    if cloud.compute == Compute::Ec2 {
        panels.push(
            Panel::lines("Auto-scaling group", "short", "Instances in service; a step is a scaling event.")
                .cloudwatch(
                    region,
                    "SEARCH('{AWS/AutoScaling,AutoScalingGroupName} MetricName=\"GroupInServiceInstances\"', 'Average', 60)",
                    "",
                )
                .sized(24, 7),
        );
    }
    panels
}
