//! `deploy.yml`: a pushed branch of an environment on its way there.

use std::collections::{BTreeMap, BTreeSet};

use wharf_plan::pipeline::{self, Job, Runs, Stage, Step, Value};

use super::workflows::{
    images_permissions, notify, pass, registry_secrets, scan_secrets, spaced, uses_own,
};
use super::{Workflows, expression, steps};
use crate::yaml::{Map, Yaml};
use crate::{list, map};

/// The workflow; none where no environment has a branch.
pub(super) fn workflow(workflows: &Workflows<'_>) -> Option<Map> {
    let branches = pipeline::branches(workflows.input.environments);
    if branches.is_empty() {
        return None;
    }
    let on = map! {
        "push" => map! { "branches" => Yaml::List(branches.iter().map(|branch| Yaml::from(*branch)).collect()) },
    };
    let mut workflow = Workflows::head("Deploy", on);
    workflow.set_with_comment(
        "\nOne release of a branch after the other; one that has begun is not cut off.",
        "concurrency",
        map! { "group" => "deploy-${{ github.ref }}", "cancel-in-progress" => false },
    );
    let mut jobs = Map::new();
    jobs.set("checks", checks(workflows));
    let mut before = vec!["checks".to_owned()];
    if workflows.images {
        jobs.set("images", images(workflows));
        before = vec!["images".to_owned()];
    }
    let delivery: Vec<&Job> = workflows.jobs(|job| job.stage > Stage::Preview).collect();
    // Where jobs were left out, those after them have to say that they may run.
    let mut left_out: BTreeSet<&str> = BTreeSet::new();
    let mut all: Vec<String> = jobs
        .entries()
        .iter()
        .map(|entry| entry.key.clone())
        .collect();
    for job in in_order(&delivery) {
        let mut needs: Vec<String> = vec![];
        for need in &job.needs {
            let meant = if need.starts_with("image-") {
                before.clone()
            } else {
                vec![need.clone()]
            };
            for need in meant {
                if !needs.contains(&need) {
                    needs.push(need);
                }
            }
        }
        if needs.is_empty() {
            needs.clone_from(&before);
        }
        if workflows.images && reads_registry(job) && !needs.contains(&"images".to_owned()) {
            needs.insert(0, "images".to_owned());
        }
        let everywhere = branches
            .iter()
            .all(|branch| job.triggers.branches.iter().any(|own| own == branch));
        let unsure = needs.iter().any(|need| left_out.contains(need.as_str()));
        if !everywhere || unsure || job.runs == Runs::WhenReleaseFails {
            left_out.insert(&job.id);
        }
        let mut out = steps::job(job);
        if let Some(condition) = condition(job, everywhere, unsure) {
            out.set("if", expression(&condition));
        }
        out.set(
            "needs",
            Yaml::Inline(needs.iter().map(Yaml::from).collect()),
        );
        if job.stage == Stage::Approve {
            approve(job, &mut out);
        }
        if matches!(
            job.stage,
            Stage::Provision | Stage::Configure | Stage::Deploy | Stage::Rollback
        ) && let Some(environment) = &job.environment
        {
            out.set_with_comment(
                "Branches share environments; what changes one waits for its turn.",
                "concurrency",
                map! { "group" => format!("environment-{environment}"), "cancel-in-progress" => false },
            );
        }
        out.lead_with(&[
            "name",
            "needs",
            "if",
            "runs-on",
            "timeout-minutes",
            "permissions",
            "environment",
            "concurrency",
        ]);
        all.push(job.id.clone());
        jobs.set(job.id.as_str(), out);
    }
    if let Some(notify) = notify(workflows, &all, "failure()", "a release") {
        jobs.set("notify", notify);
    }
    workflow.set_with_comment("\n", "jobs", spaced(jobs));
    Some(workflow)
}

fn checks(workflows: &Workflows<'_>) -> Map {
    let mut permissions = map! { "actions" => "read", "contents" => "read" };
    let preview = workflows.jobs(|job| job.stage == Stage::Preview).next();
    let of_images = images_permissions(workflows);
    let mut granted: BTreeMap<String, Yaml> = BTreeMap::new();
    if preview.is_some() {
        granted.insert("id-token".to_owned(), Yaml::from("write"));
    }
    if workflows.images {
        for entry in of_images.entries() {
            granted.insert(entry.key.clone(), entry.value.clone());
        }
    }
    if workflows.scans {
        granted.insert("security-events".to_owned(), Yaml::from("write"));
    }
    for (name, value) in granted {
        permissions.set(name, value);
    }
    let mut call = map! { "name" => "Checks", "permissions" => permissions };
    uses_own(&mut call, "ci");
    call.set_full("secrets", pass(&scan_secrets(workflows)));
    call
}

fn images(workflows: &Workflows<'_>) -> Map {
    let mut call = map! {
        "name" => "Images",
        "needs" => list!["checks"],
        "permissions" => images_permissions(workflows),
    };
    uses_own(&mut call, "docker-build");
    call.set("with", map! { "push" => true });
    call.set_full("secrets", pass(&registry_secrets(workflows)));
    call
}

/// The gate: an environment of its own asks for the approval, once; the environment itself lets in its branch only.
fn approve(job: &Job, out: &mut Map) {
    if let Some(environment) = &job.environment {
        out.set_with_comment(
            "It has required reviewers, so that they are asked once and a rollback waits for nobody.",
            "environment",
            format!("{environment}-approval"),
        );
    }
    out.set("permissions", Map::new());
    out.set(
        "steps",
        list![map! {
            "name" => "Somebody has agreed",
            "env" => map! { "ACTOR" => expression("github.actor"), "REVISION" => expression("github.sha") },
            "run" => "echo \"The release of $REVISION by $ACTOR may go on.\" >> \"$GITHUB_STEP_SUMMARY\"",
        }],
    );
}

fn condition(job: &Job, everywhere: bool, unsure: bool) -> Option<String> {
    if job.runs == Runs::WhenReleaseFails
        && let [release, check, ..] = job.needs.as_slice()
    {
        return Some(format!(
            "always() && needs.{release}.result == 'success' && needs.{check}.result == 'failure'"
        ));
    }
    let branches = (!everywhere).then(|| {
        job.triggers
            .branches
            .iter()
            .map(|branch| format!("github.ref_name == '{branch}'"))
            .collect::<Vec<_>>()
            .join(" || ")
    });
    match (branches, unsure) {
        (None, false) => None,
        (Some(branches), false) => Some(branches),
        (None, true) => Some("!cancelled() && !failure()".to_owned()),
        (Some(branches), true) if branches.contains(" || ") => {
            Some(format!("!cancelled() && !failure() && ({branches})"))
        }
        (Some(branches), true) => Some(format!("!cancelled() && !failure() && {branches}")),
    }
}

fn reads_registry(job: &Job) -> bool {
    job.steps.iter().any(|step| match step {
        Step::Run(run) => run
            .environment
            .values()
            .any(|value| *value == Value::Registry),
        _ => false,
    })
}

/// Each job after those that it needs; else as the graph has them.
fn in_order<'a>(jobs: &[&'a Job]) -> Vec<&'a Job> {
    let mut left: Vec<&Job> = jobs.to_vec();
    let mut done: Vec<&Job> = vec![];
    while !left.is_empty() {
        let waits = |job: &Job, left: &[&Job]| {
            left.iter()
                .any(|other| other.id != job.id && job.needs.contains(&other.id))
        };
        let next = left.iter().position(|job| !waits(job, &left)).unwrap_or(0);
        done.push(left.remove(next));
    }
    done
}
