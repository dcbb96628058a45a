//! GitLab CI: the jobs of [`wharf_plan::pipeline`] as one `.gitlab-ci.yml`.
//!
//! Each job runs in the image that has its tools. The cloud is reached by OIDC: GitLab's token for the job is what the AWS
//! tools trade for the role. Secrets and settings are CI/CD variables of the names that the scripts use.

mod images;
mod jobs;

use std::collections::BTreeSet;

use wharf_plan::pipeline::{self, Job, Setup};

use crate::yaml::Yaml;
use crate::{Input, Rendered, Scope, Target, header, list, map};

/// The target.
pub const TARGET: Target = Target {
    name: "gitlab-ci",
    summary: "the pipeline for GitLab",
    scope: Scope::Project,
    applies: |input| match input.base.pipeline {
        Some(_) => Ok(()),
        None => Err("the file has no `pipeline`"),
    },
    make,
};

fn make(input: &Input<'_>, rendered: &mut Rendered) {
    let graph = pipeline::jobs(input.base, input.environments);
    let mut file = map! { "stages" => stages(&graph) };
    file.set_with_comment(
        "\nProposed changes, branches of environments and of features, the schedule.",
        "workflow",
        map! { "rules" => rules(input) },
    );
    file.set_with_comment(
        "\nA newer commit makes the checks of the older one useless. Jobs that release are not cut off.",
        "default",
        map! { "interruptible" => true },
    );
    file.set_with_comment(
        "\n",
        "variables",
        map! { "ACTOR" => "$GITLAB_USER_LOGIN", "REVISION" => "$CI_COMMIT_SHA" },
    );
    for job in &graph {
        file.set_with_comment("\n", job.id.as_str(), jobs::job(input, &graph, job));
    }
    for (index, message) in pipeline::messages(input.base).iter().enumerate() {
        let comment = if index == 0 {
            "\nWhoever is to hear of a failure."
        } else {
            "\n"
        };
        file.set_with_comment(
            comment,
            format!("notify-{}", message.receiver),
            jobs::notify(input, message),
        );
    }
    rendered.yaml(".gitlab-ci.yml", &header(input.base), vec![file.into()]);
    for (path, text) in pipeline::files(input.base) {
        rendered.add(path, text);
    }
    for (path, script) in pipeline::scripts(input.environments) {
        rendered.add_program(path, script);
    }
    for (what, why) in pipeline::gaps(input.base, input.environments) {
        rendered.gap(what, why);
    }
    if input
        .base
        .pipeline
        .as_ref()
        .is_some_and(|pipeline| pipeline.updates)
    {
        rendered.gap(
            "pipeline.updates",
            "GitLab proposes no updates itself; run Renovate beside it",
        );
    }
    let cloud = |setup: &Setup| matches!(setup, Setup::Cloud { .. });
    if graph.iter().any(|job| job.setup.iter().any(cloud)) {
        rendered.gap(
            "cloud.repository",
            "the roles that Terraform makes trust the tokens of GitHub: let them trust https://gitlab.com and the paths of the project's refs",
        );
    }
    if graph.iter().any(|job| job.triggers.schedule) {
        rendered.gap(
            "pipeline.schedule",
            "GitLab keeps schedules in its settings (CI/CD, Schedules); the scans run whenever one of them starts a pipeline",
        );
    }
}

fn stages(graph: &[Job]) -> Yaml {
    let stages: BTreeSet<_> = graph.iter().map(|job| job.stage).collect();
    Yaml::List(
        stages
            .into_iter()
            .map(|stage| Yaml::from(stage.as_str()))
            .collect(),
    )
}

fn rules(input: &Input<'_>) -> Yaml {
    let mut rules = list![
        map! { "if" => "$CI_PIPELINE_SOURCE == \"merge_request_event\"" },
        map! { "if" => "$CI_PIPELINE_SOURCE == \"schedule\"" },
    ];
    if let Yaml::List(rules) = &mut rules {
        let feature = "$CI_COMMIT_BRANCH =~ /^feature\\//";
        let mut proposed = crate::yaml::Map::new();
        proposed.set_with_comment(
            "A feature that is proposed runs once, as the proposal.",
            "if",
            format!("{feature} && $CI_OPEN_MERGE_REQUESTS"),
        );
        proposed.set("when", "never");
        rules.push(proposed.into());
        rules.push(map! { "if" => feature }.into());
        for branch in pipeline::branches(input.environments) {
            rules.push(map! { "if" => jobs::on_branch(branch) }.into());
        }
    }
    rules
}
