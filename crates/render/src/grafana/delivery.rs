//! Deliveries: how often, how well, and how fast what goes wrong is mended, beside the pipeline's goals.
//!
//! A deployment is a new ReplicaSet; it failed if its Deployment gave up (`Progressing` is false). An incident is a critical
//! alert of a service that begins to fire. What is older than Prometheus keeps is not counted.

use wharf_base::duration;
use wharf_plan::rules::vocabulary::Vocabulary;

use super::dashboard::{CHOSEN, Dashboard};
use super::panel::Panel;

pub(super) fn dashboard(words: &Vocabulary<'_>) -> Option<Dashboard> {
    let pipeline = words.plan.pipeline.as_ref()?;
    if !words.on_kubernetes() || words.lasting().is_empty() {
        return None;
    }
    let goals = &pipeline.goals;
    let created =
        format!("max by (namespace, service, replicaset) (kube_replicaset_created{{{CHOSEN}}})");
    let deployments =
        |seconds: u32| format!("(count({created} > (time() - {seconds})) or vector(0))");
    let failed = format!(
        "(sum(ceil(changes(kube_deployment_status_condition{{condition=\"Progressing\", status=\"false\", {CHOSEN}}}[7d]) / 2)) or vector(0))"
    );
    let firing = format!("ALERTS{{alertstate=\"firing\", severity=\"critical\", {CHOSEN}}}");
    let begun = format!("({firing} unless {firing} offset 1m)[7d:1m]");
    let week = deployments(604_800);
    let recovery = goals.time_to_recovery.as_secs_f64();
    Some(
        Dashboard::new(
            "delivery",
            "Delivery",
            "How often is deployed, how well it goes, and how fast what goes wrong is mended.",
        )
        .since("now-7d")
        .by_namespace("kube_replicaset_created{service!=\"\"}", words.namespace)
        .by(
            "service",
            "Service",
            "kube_replicaset_created{namespace=\"$namespace\"}",
            "service",
        )
        .row(
            "Against the goals, seven days",
            vec![
                Panel::gauge(
                    "Success",
                    "percentunit",
                    &format!("Deployments that ended well. The goal is {}.", goals.success),
                )
                .query(format!("1 - {failed} / clamp_min({week}, 1)"), "")
                .bad_below(goals.success.fraction())
                .up_to(1.0),
                Panel::gauge(
                    "Deployments a day",
                    "short",
                    &format!("Revisions that were begun, a day. The goal is {} and more.", goals.deployments_per_day),
                )
                .query(format!("{week} / 7"), "")
                .bad_below(f64::from(goals.deployments_per_day))
                .up_to(f64::from(goals.deployments_per_day) * 2.0),
                Panel::gauge(
                    "Change failure",
                    "percentunit",
                    &format!(
                        "Critical alerts that began, for each deployment. The goal is less than {}.",
                        goals.change_failure
                    ),
                )
                .query(
                    format!("(sum(count_over_time({begun})) or vector(0)) / clamp_min({week}, 1)"),
                    "",
                )
                .bad_above(goals.change_failure.fraction())
                .up_to(1.0),
                Panel::gauge(
                    "Time to recovery",
                    "s",
                    &format!(
                        "How long a critical alert fires on average. The goal is less than {}.",
                        duration::format(goals.time_to_recovery)
                    ),
                )
                .query(
                    format!(
                        "60 * (sum(count_over_time({firing}[7d:1m])) or vector(0)) / clamp_min(sum(count_over_time({begun})) or vector(0), 1)"
                    ),
                    "",
                )
                .bad_above(recovery)
                .up_to(recovery * 2.0),
            ],
        )
        .row(
            "Over time",
            vec![
                Panel::lines("Deployments in 24 hours", "short", "Revisions of all chosen services that were begun within the last 24 hours.")
                    .query(deployments(86_400), "deployments")
                    .bad_below(f64::from(goals.deployments_per_day)),
                Panel::lines("Failed deployments", "short", "Deployments that gave up: 1 while one is stuck.")
                    .query(
                        format!("max by (service) (kube_deployment_status_condition{{condition=\"Progressing\", status=\"false\", {CHOSEN}}})"),
                        "{{service}}",
                    )
                    .bad_above(1.0),
                Panel::lines("Age of the revision", "s", "How long ago the newest revision of each service was begun.")
                    .query(
                        format!("time() - max by (service) (kube_replicaset_created{{{CHOSEN}}})"),
                        "{{service}}",
                    ),
                Panel::lines("Critical alerts", "short", "Critical alerts that fire.")
                    .query(format!("count by (service, alertname) ({firing})"), "{{service}} {{alertname}}")
                    .bad_above(1.0),
            ],
        ),
    )
}
