//! `figures.yml`: how deliveries went in the last 30 days, against the goals of the file. The figures are those of the runs
//! of `deploy.yml`, so nothing else has to be kept.

use wharf_base::duration;

use super::{RUNNER, Workflows};
use crate::yaml::{Map, Yaml};
use crate::{list, map};

pub(super) fn workflow(workflows: &Workflows<'_>) -> Map {
    let on = map! {
        "schedule" => list![map! { "cron" => "0 6 * * 1" }],
        "workflow_dispatch" => Yaml::Null,
    };
    let mut workflow = Workflows::head("Delivery figures", on);
    let Some(pipeline) = &workflows.input.base.pipeline else {
        return workflow;
    };
    let goals = &pipeline.goals;
    let job = map! {
        "name" => "Delivery figures",
        "runs-on" => RUNNER,
        "timeout-minutes" => 10,
        "permissions" => map! { "actions" => "read" },
        "steps" => list![map! {
            "name" => "The last 30 days against the goals",
            "env" => map! {
                "GH_TOKEN" => "${{ github.token }}",
                "REPOSITORY" => "${{ github.repository }}",
                "GOAL_SUCCESS" => goals.success.to_string(),
                "GOAL_DEPLOYMENTS" => goals.deployments_per_day,
                "GOAL_CHANGE_FAILURE" => goals.change_failure.to_string(),
                "GOAL_RECOVERY" => duration::format(goals.time_to_recovery),
            },
            "run" => include_str!("figures.sh"),
        }],
    };
    workflow.set_with_comment("\n", "jobs", map! { "figures" => job });
    workflow
}
