//! Replicas as containers: memory, throttling, crash loops, missing replicas, and what changed (deployments, scaling).

use std::time::Duration;

use wharf_base::ids::Name;

use super::example::{Example, above, below, percentage};
use super::vocabulary::{Vocabulary, fraction};
use super::{Alerting, Group, Rule};
use crate::model::Severity;

const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn group(words: &Vocabulary<'_>) -> Group {
    let mut rules: Vec<Rule> = vec![];
    if let Some(service) = words.lasting().first() {
        if let Some(replicas) = words.replicas() {
            rules.push(high_memory(words, service, replicas).into());
            rules.push(throttled(words, service, replicas).into());
        }
        if let Some((wanted, available)) = words.replica_counts() {
            rules.push(crash_looping(words, service).into());
            rules.push(replicas_missing(words, service, wanted, available).into());
            rules.push(deployed(words, service).into());
            rules.push(scaled(words, service, wanted).into());
        }
    }
    if let Some(service) = words.scaled().first() {
        rules.push(at_maximum(words, service).into());
    }
    if words.on_kubernetes() {
        rules.push(job_failed(words).into());
    }
    Group {
        name: "replicas",
        about: "Replicas: memory, CPU, crash loops, missing ones, and what has changed.",
        rules,
    }
}

fn labelled(words: &Vocabulary<'_>, name: &str, service: &Name) -> String {
    if words.on_this_machine() {
        return format!(
            "{name}{{name=\"{service}-1\", namespace=\"{}\", release=\"r1\", replica=\"{service}-1\", service=\"{service}\"}}",
            words.namespace
        );
    }
    format!(
        "{name}{{container=\"{service}\", namespace=\"{}\", pod=\"{service}-5d8f7-abcde\", service=\"{service}\"}}",
        words.namespace
    )
}

fn at<'t>(words: &'t Vocabulary<'_>, service: &'t Name) -> [(&'static str, &'t str); 2] {
    [
        ("namespace", words.namespace),
        ("service", service.as_str()),
    ]
}

fn high_memory(words: &Vocabulary<'_>, service: &Name, replicas: &str) -> Alerting {
    let limit = words.thresholds().memory;
    let case = |example: Example, share: f64| {
        example
            .given(
                labelled(words, "container_memory_working_set_bytes", service),
                format!("{}x20", (share * 1000.0).round()),
            )
            .given(
                labelled(words, "container_spec_memory_limit_bytes", service),
                "1000x20",
            )
    };
    let high = (above(limit).fraction() * 1000.0).round() / 1000.0;
    Alerting::new(
        "HighMemory",
        Severity::Warning,
        format!(
            "max by (namespace, service) (\n  \
               container_memory_working_set_bytes{{{replicas}}}\n  \
               / (container_spec_memory_limit_bytes{{{replicas}}} > 0)\n\
             ) > {}",
            fraction(limit)
        ),
    )
    .why("The working set is what the kernel cannot take back: at the limit the replica is killed.")
    .hold(words.thresholds().hold)
    .says(
        "A replica of {{ $labels.service }} is near its memory limit",
        "It uses {{ $value | humanizePercentage }} of its limit and is killed at 100%. Raise the limit, or look for a leak.",
    )
    .example(
        case(
            Example::fires("a replica uses nearly all of its limit", 10),
            high,
        )
        .so(&at(words, service), percentage(high)),
    )
    .example(case(
        Example::quiet("a replica uses half of what is tolerated", 10),
        below(limit).fraction(),
    ))
}

fn throttled(words: &Vocabulary<'_>, service: &Name, replicas: &str) -> Alerting {
    let case = |example: Example, periods: u32| {
        example
            .given(
                labelled(words, "container_cpu_cfs_throttled_periods_total", service),
                format!("0+{periods}x40"),
            )
            .given(
                labelled(words, "container_cpu_cfs_periods_total", service),
                "0+600x40",
            )
    };
    Alerting::new(
        "CpuThrottled",
        Severity::Info,
        format!(
            "max by (namespace, service) (\n  \
               increase(container_cpu_cfs_throttled_periods_total{{{replicas}}}[5m])\n  \
               / (increase(container_cpu_cfs_periods_total{{{replicas}}}[5m]) > 0)\n\
             ) > 0.25"
        ),
    )
    .hold(15 * MINUTE)
    .says(
        "{{ $labels.service }} wants more CPU than its limit",
        "It was held back in {{ $value | humanizePercentage }} of the scheduler's periods, which users feel as latency. \
         Raise the limit or add replicas.",
    )
    .example(
        case(
            Example::fires("half of the periods are throttled", 30),
            300,
        )
        .so(&at(words, service), "50%"),
    )
    .example(case(
        Example::quiet("one period in ten is throttled", 30),
        60,
    ))
}

fn crash_looping(words: &Vocabulary<'_>, service: &Name) -> Alerting {
    let (counter, logs) = if words.on_this_machine() {
        ("wharf_service_restarts_total", "`wharf logs`")
    } else {
        (
            "kube_pod_container_status_restarts_total",
            "`kubectl logs --previous`",
        )
    };
    let restarts = labelled(words, counter, service);
    Alerting::new(
        "CrashLooping",
        Severity::Warning,
        format!(
            "max by (namespace, service) (\n  \
               increase({counter}{{service!=\"\"}}[15m])\n\
             ) >= 3"
        ),
    )
    .says(
        "{{ $labels.service }} crashes again and again",
        &format!(
            "A replica was restarted at least three times within a quarter of an hour. Its last log lines say why: {logs}."
        ),
    )
    .example(
        Example::fires("a replica restarts every three minutes", 20)
            .given(&restarts, "0 0 0 1 1 1 2 2 2 3 3 3 4 4 4 5 5 5 6 6 6 7")
            .so(&at(words, service), ""),
    )
    .example(Example::quiet("a replica restarted once", 20).given(&restarts, "0x10 1x10"))
}

fn replicas_missing(
    words: &Vocabulary<'_>,
    service: &Name,
    wanted: &str,
    available: &str,
) -> Alerting {
    let case = |example: Example, count: u32| {
        example
            .given(labelled(words, available, service), format!("{count}x40"))
            .given(labelled(words, wanted, service), "3x40")
    };
    let (why, look) = if words.on_this_machine() {
        (
            "Longer than a roll-out takes: this is one that does not end.",
            "replicas that are not ready: `wharf ps`",
        )
    } else {
        (
            "Longer than a roll-out takes: this is one that does not end, or a cluster without room.",
            "pods that are pending or not ready",
        )
    };
    Alerting::new(
        "ReplicasMissing",
        Severity::Warning,
        format!(
            "max by (namespace, service) ({wanted}{{service!=\"\"}})\n\
             - max by (namespace, service) ({available}{{service!=\"\"}}) > 0"
        ),
    )
    .why(why)
    .hold(15 * MINUTE)
    .says(
        "{{ $labels.service }} has fewer replicas than wanted",
        &format!(
            "{{{{ $value | humanize }}}} are missing for a quarter of an hour. Look at {look}."
        ),
    )
    .example(
        case(Example::fires("one replica of three is missing", 30), 2).so(&at(words, service), "1"),
    )
    .example(case(Example::quiet("all replicas are there", 30), 3))
}

fn deployed(words: &Vocabulary<'_>, service: &Name) -> Alerting {
    let (series, labels) = if words.on_this_machine() {
        (
            "wharf_service_released_seconds",
            "release=\"r2\"".to_owned(),
        )
    } else {
        (
            "kube_replicaset_created",
            format!("replicaset=\"{service}-5d8f7\""),
        )
    };
    let created = format!(
        "{series}{{namespace=\"{}\", {labels}, service=\"{service}\"}}",
        words.namespace
    );
    Alerting::new(
        "Deployed",
        Severity::Info,
        format!("time() - max by (namespace, service) ({series}{{service!=\"\"}}) < 600"),
    )
    .says(
        "{{ $labels.service }} is being deployed",
        "A new revision of {{ $labels.service }} began {{ $value | humanizeDuration }} ago.",
    )
    .example(
        Example::fires("a revision is five minutes old", 15)
            .given(&created, "_x10 600x20")
            .so(&at(words, service), "5m 0s"),
    )
    .example(Example::quiet("a revision is 20 minutes old", 30).given(&created, "_x10 600x20"))
}

fn scaled(words: &Vocabulary<'_>, service: &Name, wanted: &str) -> Alerting {
    let series = labelled(words, wanted, service);
    Alerting::new(
        "Scaled",
        Severity::Info,
        format!("max by (namespace, service) (changes({wanted}{{service!=\"\"}}[10m])) > 0"),
    )
    .says(
        "{{ $labels.service }} was scaled",
        "The number of wanted replicas changed {{ $value | humanize }} times within ten minutes.",
    )
    .example(
        Example::fires("replicas were added once", 12)
            .given(&series, "2x8 4x20")
            .so(&at(words, service), "1"),
    )
    .example(Example::quiet("the count stays", 12).given(&series, "2x20"))
}

fn at_maximum(words: &Vocabulary<'_>, service: &Name) -> Alerting {
    let case = |example: Example, current: u32| {
        example
            .given(
                labelled(
                    words,
                    "kube_horizontalpodautoscaler_status_current_replicas",
                    service,
                ),
                format!("{current}x40"),
            )
            .given(
                labelled(
                    words,
                    "kube_horizontalpodautoscaler_spec_max_replicas",
                    service,
                ),
                "10x40",
            )
    };
    Alerting::new(
        "AutoscalerAtMaximum",
        Severity::Warning,
        "max by (namespace, service) (kube_horizontalpodautoscaler_status_current_replicas{service!=\"\"})\n\
         >= max by (namespace, service) (kube_horizontalpodautoscaler_spec_max_replicas{service!=\"\"})",
    )
    .hold(15 * MINUTE)
    .says(
        "{{ $labels.service }} cannot scale any further",
        "It runs {{ $value | humanize }} replicas, the most that it may. More load makes it slower: raise `scale.max`.",
    )
    .example(
        case(Example::fires("ten replicas of at most ten", 30), 10)
            .so(&at(words, service), "10"),
    )
    .example(case(Example::quiet("six replicas of at most ten", 30), 6))
}

fn job_failed(words: &Vocabulary<'_>) -> Alerting {
    let failed = format!(
        "kube_job_status_failed{{job_name=\"migrate\", namespace=\"{}\"}}",
        words.namespace
    );
    Alerting::new(
        "JobFailed",
        Severity::Warning,
        format!(
            "max by (namespace, job_name) (kube_job_status_failed{{namespace=\"{}\"}}) > 0",
            words.namespace
        ),
    )
    .says(
        "The job {{ $labels.job_name }} failed",
        "A migration, backup or scheduled run ended with an error: `kubectl logs job/{{ $labels.job_name }}`.",
    )
    .example(
        Example::fires("a job has a failed pod", 5)
            .given(&failed, "1x10")
            .so(
                &[("namespace", words.namespace), ("job_name", "migrate")],
                "",
            ),
    )
    .example(Example::quiet("no pod failed", 5).given(&failed, "0x10"))
}
