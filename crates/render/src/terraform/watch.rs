//! Alarms, logs, and what it costs.

use serde_json::json;
use wharf_plan::model::StoreEngine;

use super::facts::Facts;
use super::hcl::Value;
use super::shared::{environment, fill, kms_key_arn, log_retention_days, name_prefix, topic_arn};
use super::stack::{Argument, Module, argument, output};
use crate::machine;

/// The log groups beside those that belong to a module of their own.
fn log_groups(facts: &Facts<'_>) -> Vec<String> {
    let flow = facts.flow_log_group();
    let mut groups: Vec<String> = facts
        .cloud
        .log_groups
        .iter()
        .filter(|name| **name != flow)
        .cloned()
        .collect();
    // What the machines' agent writes to.
    if facts.has.ec2 {
        groups.push(machine::log_group(facts.plan, facts.cloud));
    }
    groups.sort();
    groups.dedup();
    groups
}

fn project(facts: &Facts<'_>) -> Argument {
    argument("project", "string", "The project: a tag of everything.").is(facts.plan.name.as_str())
}

pub(super) fn cloudwatch(facts: &Facts<'_>) -> Module {
    let alarms = &facts.cloud.alarms;
    let groups = log_groups(facts);
    let group = facts.has.ec2 || facts.has.eks;
    let context = json!({
        "group": group, "nodes": facts.has.nodes, "alb": facts.has.alb,
        "postgres": facts.has.postgres, "redis": facts.has.redis, "log_groups": !groups.is_empty(),
        "error_rate": facts.plan.telemetry.thresholds.error_rate.floor().max(1),
    });
    let mut module = Module::new("cloudwatch", "Alarms, who hears of them, and log groups.")
        .file(
            "main.tf",
            fill(include_str!("modules/cloudwatch.tf"), &context),
        )
        .file(
            "alarms.tf",
            fill(include_str!("modules/cloudwatch_alarms.tf"), &context),
        )
        .takes([
            name_prefix(facts),
            argument(
                "notification_email",
                "string",
                "Who hears of alarms; null: nobody yet.",
            )
            .is(email(facts))
            .matches_or_null("^[^@ ]+@[^@ ]+[.][^@ ]+$", "An e-mail address, or null."),
            kms_key_arn(),
        ]);
    if group || facts.has.nodes || facts.has.postgres {
        module = module.takes([
            argument("cpu_threshold", "number", "CPU above this many percent …")
                .knob("cpu_alarm_threshold", alarms.cpu.floor())
                .between(1, 100),
            argument(
                "cpu_minutes",
                "number",
                "… for this many minutes raises an alarm.",
            )
            .knob("cpu_alarm_minutes", (alarms.cpu_hold.as_secs() / 60).max(1)),
        ]);
    }
    if !groups.is_empty() {
        module = module.takes([
            argument(
                "log_groups",
                "list(string)",
                "Log groups of the application.",
            )
            .is(groups),
            log_retention_days(facts),
        ]);
    }
    if group {
        let code = if facts.has.eks {
            "module.eks.node_group"
        } else {
            "module.asg.group_name"
        };
        module = module.takes([argument(
            "group_name",
            "string",
            "The auto-scaling group that is watched.",
        )
        .code(code, "app-asg")]);
    }
    if facts.has.nodes {
        module = module.takes([
            argument("instance_ids", "map(string)", "The nodes, by number.").code(
                "module.nodes.instance_ids",
                Value::Map(vec![("1".into(), "i-0123456789abcdef0".into())]),
            ),
        ]);
    }
    if facts.has.alb {
        module = module.takes([
            argument(
                "load_balancer",
                "string",
                "The load balancer, as CloudWatch knows it.",
            )
            .code("module.alb.arn_suffix", "app/app/0123456789abcdef"),
            argument(
                "target_group",
                "string",
                "The target group, as CloudWatch knows it.",
            )
            .code(
                "module.alb.target_group_arn_suffix",
                "targetgroup/app/0123456789abcdef",
            ),
        ]);
    }
    if facts.has.postgres {
        let names: Vec<String> = facts
            .stores
            .iter()
            .filter(|store| store.engine == StoreEngine::Postgres)
            .map(|store| {
                format!(
                    "var.{}_identifier",
                    crate::names::identifier(store.name.as_str())
                )
            })
            .collect();
        module = module.takes([argument("databases", "list(string)", "The databases.")
            .code(format!("[{}]", names.join(", ")), vec!["app-db"])]);
    }
    if facts.has.redis {
        let maps: Vec<String> = facts
            .stores
            .iter()
            .filter(|store| store.engine == StoreEngine::Redis)
            .map(|store| format!("module.{}.node_ids", facts.module_of(store)))
            .collect();
        let code = match maps.as_slice() {
            [one] => one.clone(),
            maps => format!("merge({})", maps.join(", ")),
        };
        module = module.takes([
            argument("cache_nodes", "map(string)", "The nodes of the caches.").code(
                code,
                Value::Map(vec![("app-cache-001".into(), "app-cache-001".into())]),
            ),
        ]);
    }
    module.gives([
        output("topic_arn", "Where alarms go.", "aws_sns_topic.alarms.arn")
            .public_as("alarm_topic_arn"),
    ])
}

/// Who hears of alarms: the file's address, else the first receiver with one.
fn email(facts: &Facts<'_>) -> Option<String> {
    use wharf_plan::model::Channel;
    facts.cloud.alarms.email.clone().or_else(|| {
        facts
            .plan
            .notify
            .values()
            .find_map(|receiver| match &receiver.channel {
                Channel::Email { to, .. } => Some(to.clone()),
                _ => None,
            })
    })
}

pub(super) fn budget(facts: &Facts<'_>) -> Option<Module> {
    let limit = facts.cloud.budget?;
    Some(
        Module::new(
            "budget",
            "Says when the month becomes more expensive than planned.",
        )
        .file(
            "main.tf",
            fill(include_str!("modules/budget.tf"), facts.has),
        )
        .takes([
            name_prefix(facts),
            project(facts),
            environment(facts),
            argument("limit", "number", "US dollars a month.")
                .knob("monthly_budget", limit)
                .check("<it> > 0", "More than nothing."),
            topic_arn("Who hears of it."),
        ])
        .gives([output(
            "name",
            "The budget.",
            "aws_budgets_budget.this.name",
        )]),
    )
}
