//! Whether anything is measured at all: a scrape that fails, a target that is gone, a certificate that ends.

use std::time::Duration;

use super::example::Example;
use super::vocabulary::Vocabulary;
use super::{Alerting, Group, Rule};
use crate::model::Severity;

const MINUTE: Duration = Duration::from_secs(60);
/// Let's Encrypt renews 30 days before the end; at 14 it has failed often enough for a person to look.
const CERTIFICATE_DAYS: u64 = 14;

pub(super) fn group(words: &Vocabulary<'_>) -> Group {
    let mut rules: Vec<Rule> = vec![target_down(words).into(), target_absent(words).into()];
    if words.serves_certificates() {
        rules.push(certificate(words).into());
    }
    Group {
        name: "targets",
        about: "Whether anything is measured at all, and certificates.",
        rules,
    }
}

fn target_down(words: &Vocabulary<'_>) -> Alerting {
    let up = "up{instance=\"10.0.0.1:9100\", job=\"node-exporter\"}";
    Alerting::new(
        "TargetDown",
        Severity::Warning,
        "max by (job, instance) (up) == 0",
    )
    .hold(words.thresholds().hold)
    .says(
        "{{ $labels.job }} at {{ $labels.instance }} cannot be scraped",
        "Its alerts and dashboards are blind meanwhile. Look at whether it runs and at the network between.",
    )
    .example(
        Example::fires("a target does not answer", 10)
            .given(up, "0x20")
            .so(
                &[("instance", "10.0.0.1:9100"), ("job", "node-exporter")],
                "",
            ),
    )
    .example(Example::quiet("a target misses one scrape", 10).given(up, "1 1 0 1x20"))
}

fn target_absent(words: &Vocabulary<'_>) -> Alerting {
    let jobs = words.jobs();
    let absent: Vec<String> = jobs
        .iter()
        .map(|job| format!("absent(up{{job=\"{job}\"}})"))
        .collect();
    let all = |example: Example, without: Option<&str>| {
        jobs.iter()
            .filter(|job| Some(**job) != without)
            .fold(example, |example, job| {
                example.given(format!("up{{instance=\"a\", job=\"{job}\"}}"), "1x30")
            })
    };
    Alerting::new("TargetAbsent", Severity::Warning, absent.join("\nor ").trim())
        .why("A target that service discovery does not find has no `up` that could be 0.")
        .hold(10 * MINUTE)
        .says(
            "There is nothing to scrape for {{ $labels.job }}",
            "No target of this job is known. Look at its pods or machines, their labels and ports, and at the scrape configuration.",
        )
        .example(
            all(
                Example::fires("no target of a job is found", 20),
                Some("node-exporter"),
            )
            .so(&[("job", "node-exporter")], ""),
        )
        .example(all(Example::quiet("every job has a target", 20), None))
}

fn certificate(words: &Vocabulary<'_>) -> Alerting {
    let expires = format!(
        "nginx_ingress_controller_ssl_expire_time_seconds{{host=\"app.example.com\", namespace=\"{}\"}}",
        words.namespace
    );
    let day = 24 * 60 * 60;
    Alerting::new(
        "CertificateExpiry",
        Severity::Warning,
        format!(
            "min by (namespace, host) (nginx_ingress_controller_ssl_expire_time_seconds) - time() < {}",
            CERTIFICATE_DAYS * day
        ),
    )
    .why("14 days: renewal begins 30 days before the end, and has failed for two weeks by then.")
    .hold(10 * MINUTE)
    .says(
        "The certificate of {{ $labels.host }} ends soon",
        "It ends in {{ $value | humanizeDuration }}. Look at cert-manager: `kubectl describe certificate`.",
    )
    .example(
        Example::fires("a certificate ends in ten days", 20)
            .given(&expires, format!("{}x30", 10 * day + 20 * 60))
            .so(
                &[("namespace", words.namespace), ("host", "app.example.com")],
                "10d 0h 0m 0s",
            ),
    )
    .example(
        Example::quiet("a certificate ends in 60 days", 20)
            .given(&expires, format!("{}x30", 60 * day)),
    )
}
