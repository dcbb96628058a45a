//! Machines and volumes: CPU, memory, disks.

use std::time::Duration;

use super::example::{Example, above, below, percentage};
use super::vocabulary::{Vocabulary, fraction};
use super::{Alerting, Group, Rule};
use crate::model::Severity;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// File systems that are no disk.
const NO_DISK: &str = "fstype!~\"tmpfs|ramfs|overlay|squashfs|fuse.*\"";

pub(super) fn group(words: &Vocabulary<'_>) -> Group {
    let mut rules: Vec<Rule> = vec![
        high_cpu(words).into(),
        high_memory(words).into(),
        disk_low(words).into(),
        disk_full_soon().into(),
    ];
    if words.on_kubernetes() {
        rules.push(volume_low(words).into());
        rules.push(node_not_ready(words).into());
    }
    Group {
        name: "machines",
        about: "Machines and volumes: CPU, memory, disks.",
        rules,
    }
}

fn high_cpu(words: &Vocabulary<'_>) -> Alerting {
    let limit = words.thresholds().cpu;
    let case = |example: Example, busy: f64| {
        let idle = 60.0 - (busy * 60.0 * 1000.0).round() / 1000.0;
        example.given(
            "node_cpu_seconds_total{cpu=\"0\", instance=\"node-1\", job=\"node-exporter\", mode=\"idle\"}",
            format!("0+{idle}x30"),
        )
    };
    let busy = above(limit).fraction();
    Alerting::new(
        "HostHighCpu",
        Severity::Warning,
        format!(
            "1 - avg by (instance) (rate(node_cpu_seconds_total{{mode=\"idle\"}}[5m])) > {}",
            fraction(limit)
        ),
    )
    .hold(words.thresholds().hold)
    .says(
        "{{ $labels.instance }} is short of CPU",
        "Its processors are busy for {{ $value | humanizePercentage }} of the time. Add machines, or move work away.",
    )
    .example(
        case(Example::fires("a machine is busy", 15), busy)
            .so(&[("instance", "node-1")], percentage(busy)),
    )
    .example(case(
        Example::quiet("a machine is half as busy as tolerated", 15),
        below(limit).fraction(),
    ))
}

fn high_memory(words: &Vocabulary<'_>) -> Alerting {
    let limit = words.thresholds().memory;
    let case = |example: Example, used: f64| {
        let available = 10_000.0 - (used * 10_000.0).round();
        let labels = "{instance=\"node-1\", job=\"node-exporter\"}";
        example
            .given(
                format!("node_memory_MemAvailable_bytes{labels}"),
                format!("{available}x20"),
            )
            .given(format!("node_memory_MemTotal_bytes{labels}"), "10000x20")
    };
    let used = (above(limit).fraction() * 10_000.0).round() / 10_000.0;
    Alerting::new(
        "HostHighMemory",
        Severity::Warning,
        format!(
            "1 - min by (instance) (node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes) > {}",
            fraction(limit)
        ),
    )
    .hold(words.thresholds().hold)
    .says(
        "{{ $labels.instance }} is short of memory",
        "{{ $value | humanizePercentage }} of its memory is in use. The kernel kills processes when it runs out.",
    )
    .example(
        case(Example::fires("little memory is left", 10), used)
            .so(&[("instance", "node-1")], percentage(used)),
    )
    .example(case(
        Example::quiet("half of what is tolerated is in use", 10),
        below(limit).fraction(),
    ))
}

fn disk(name: &str) -> String {
    format!(
        "{name}{{device=\"/dev/nvme0n1p1\", fstype=\"ext4\", instance=\"node-1\", job=\"node-exporter\", mountpoint=\"/\"}}"
    )
}

fn disk_low(words: &Vocabulary<'_>) -> Alerting {
    let limit = words.thresholds().disk_free;
    let case = |example: Example, free: f64| {
        example
            .given(
                disk("node_filesystem_avail_bytes"),
                format!("{}x20", (free * 10_000.0).round()),
            )
            .given(disk("node_filesystem_size_bytes"), "10000x20")
    };
    let low = (below(limit).fraction() * 10_000.0).round() / 10_000.0;
    Alerting::new(
        "DiskAlmostFull",
        Severity::Warning,
        format!(
            "min by (instance, mountpoint) (\n  \
               node_filesystem_avail_bytes{{{NO_DISK}}} / node_filesystem_size_bytes{{{NO_DISK}}}\n\
             ) < {}",
            fraction(limit)
        ),
    )
    .hold(words.thresholds().hold)
    .says(
        "The disk {{ $labels.mountpoint }} of {{ $labels.instance }} is almost full",
        "{{ $value | humanizePercentage }} of it are free. Images, logs and old releases are what can go first.",
    )
    .example(
        case(Example::fires("little of a disk is free", 10), low).so(
            &[("instance", "node-1"), ("mountpoint", "/")],
            percentage(low),
        ),
    )
    .example(case(
        Example::quiet("half of a disk is free", 10),
        above(limit).fraction(),
    ))
}

fn disk_full_soon() -> Alerting {
    let case = |example: Example, avail: &str| {
        example
            .given(disk("node_filesystem_avail_bytes"), avail)
            .given(disk("node_filesystem_size_bytes"), "100000x600")
    };
    Alerting::new(
        "DiskFullSoon",
        Severity::Warning,
        format!(
            "min by (instance, mountpoint) (\n  \
               predict_linear(node_filesystem_avail_bytes{{{NO_DISK}}}[6h], 86400)\n\
             ) < 0\n\
             and\n\
             min by (instance, mountpoint) (\n  \
               node_filesystem_avail_bytes{{{NO_DISK}}} / node_filesystem_size_bytes{{{NO_DISK}}}\n\
             ) < 0.4"
        ),
    )
    .why("The line through the last six hours, a day ahead; a fresh and empty disk may fill fast at first.")
    .hold(HOUR)
    .says(
        "The disk {{ $labels.mountpoint }} of {{ $labels.instance }} is full within a day",
        "It fills as it has for six hours. Find out what writes, and grow it or clean it up.",
    )
    .example(
        case(
            Example::fires("a disk loses 20% in eight hours and has 20% left", 480),
            "40000-42x600",
        )
        .so(&[("instance", "node-1"), ("mountpoint", "/")], ""),
    )
    .example(case(
        Example::quiet("a disk that is rather full stays so", 480),
        "20000x600",
    ))
}

fn volume_low(words: &Vocabulary<'_>) -> Alerting {
    let limit = words.thresholds().disk_free;
    let labels = format!(
        "{{namespace=\"{}\", persistentvolumeclaim=\"data\"}}",
        words.namespace
    );
    let case = |example: Example, free: f64| {
        example
            .given(
                format!("kubelet_volume_stats_available_bytes{labels}"),
                format!("{}x20", (free * 10_000.0).round()),
            )
            .given(
                format!("kubelet_volume_stats_capacity_bytes{labels}"),
                "10000x20",
            )
    };
    let low = (below(limit).fraction() * 10_000.0).round() / 10_000.0;
    Alerting::new(
        "VolumeAlmostFull",
        Severity::Warning,
        format!(
            "min by (namespace, persistentvolumeclaim) (\n  \
               kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes\n\
             ) < {}",
            fraction(limit)
        ),
    )
    .hold(words.thresholds().hold)
    .says(
        "The volume {{ $labels.persistentvolumeclaim }} is almost full",
        "{{ $value | humanizePercentage }} of it are free. Grow the claim: classes that can do so do it while it is in use.",
    )
    .example(
        case(Example::fires("little of a volume is free", 10), low).so(
            &[
                ("namespace", words.namespace),
                ("persistentvolumeclaim", "data"),
            ],
            percentage(low),
        ),
    )
    .example(case(
        Example::quiet("half of a volume is free", 10),
        above(limit).fraction(),
    ))
}

fn node_not_ready(words: &Vocabulary<'_>) -> Alerting {
    let ready = "kube_node_status_condition{condition=\"Ready\", node=\"node-1\", status=\"true\"}";
    Alerting::new(
        "NodeNotReady",
        Severity::Critical,
        "max by (node) (kube_node_status_condition{condition=\"Ready\", status=\"true\"}) == 0",
    )
    .hold(words.thresholds().hold)
    .says(
        "The node {{ $labels.node }} is not ready",
        "Its pods are moved to other nodes if there is room. Look at the machine and at its kubelet.",
    )
    .example(
        Example::fires("a node is not ready", 10)
            .given(ready, "0x20")
            .so(&[("node", "node-1")], ""),
    )
    .example(Example::quiet("a node is ready again within two minutes", 10).given(ready, "1x5 0 0 1x20"))
}
