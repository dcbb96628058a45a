//! `ci.yml` and `security.yml`.

use std::collections::BTreeSet;

use wharf_plan::pipeline::{self, Job, Registry, Stage, Step, Value};

use super::{RUNNER, Workflows, expression, steps};
use crate::yaml::{Map, Yaml};
use crate::{list, map};

/// What a branch asks for before it takes a change: the name of the job that sums all up.
pub(super) const REQUIRED: &str = "Required checks";

/// Every change is checked.
pub(super) fn ci(workflows: &Workflows<'_>) -> Map {
    let mut on = map! {
        "pull_request" => Yaml::Null,
        // Branches of environments come by way of deploy.yml, which runs this one first.
        "push" => map! { "branches" => list!["feature/**"] },
    };
    on.set("workflow_call", call_secrets(workflows, &BTreeSet::new()));
    let mut workflow = Workflows::head("CI", on);
    workflow.set_with_comment(
        "\nA newer state of a proposed change makes the older one's checks useless.",
        "concurrency",
        map! {
            "group" => "ci-${{ github.event_name }}-${{ github.ref }}",
            "cancel-in-progress" => expression("github.event_name == 'pull_request'"),
        },
    );
    let mut jobs = Map::new();
    let mut all = vec![];
    let stages = [Stage::Lint, Stage::Test, Stage::Further];
    for job in workflows.jobs(|job| stages.contains(&job.stage)) {
        let mut out = steps::job(job);
        if !job.needs.is_empty() {
            out.set(
                "needs",
                Yaml::Inline(job.needs.iter().map(Yaml::from).collect()),
            );
            out.lead_with(&["name", "needs"]);
        }
        if job.required {
            all.push(job.id.clone());
        }
        jobs.set(job.id.as_str(), out);
    }
    if workflows.scans {
        let mut call = map! {
            "name" => "Security",
            "permissions" => map! { "actions" => "read", "contents" => "read", "security-events" => "write" },
        };
        uses_own(&mut call, "security");
        call.set_full("secrets", pass(&scan_secrets(workflows)));
        jobs.set("security", call);
        all.push("security".to_owned());
    }
    if workflows.images {
        let mut call = map! {
            "name" => "Images",
            "permissions" => images_permissions(workflows),
        };
        uses_own(&mut call, "docker-build");
        call.set("with", map! { "push" => false });
        jobs.set("images", call);
        all.push("images".to_owned());
    }
    for job in workflows.jobs(|job| job.stage == Stage::Preview) {
        let mut out = steps::job(job);
        out.set_with_comment(
            "A fork gets no rights in the cloud.",
            "if",
            expression(
                "github.event_name == 'pull_request' && github.event.pull_request.head.repo.full_name == github.repository",
            ),
        );
        out.lead_with(&["name", "if"]);
        all.push(job.id.clone());
        jobs.set(job.id.as_str(), out);
    }
    jobs.set_with_comment(
        "\nOne name for the rules of a branch to ask for, whatever jobs there are.",
        "required-checks",
        required(&all),
    );
    workflow.set_with_comment("\n", "jobs", spaced(jobs));
    workflow
}

/// Calls a workflow of the same commit.
pub(super) fn uses_own(call: &mut Map, workflow: &str) {
    call.set_with_comment(
        "The same commit, as with `$/`, which GitHub Enterprise Server does not know.",
        "uses",
        Yaml::Raw(format!(
            "./.github/workflows/{workflow}.yml # zizmor: ignore[self-repository]"
        )),
    );
}

/// The jobs with an empty line between them.
pub(super) fn spaced(jobs: Map) -> Map {
    let mut spaced = Map::new();
    for (index, entry) in jobs.entries().iter().enumerate() {
        let comment = if index > 0 && !entry.comment.starts_with('\n') {
            format!("\n{}", entry.comment)
        } else {
            entry.comment.clone()
        };
        spaced.set_with_comment(comment, entry.key.clone(), entry.value.clone());
    }
    spaced
}

fn required(all: &[String]) -> Map {
    map! {
        "name" => REQUIRED,
        "if" => expression("always()"),
        "needs" => Yaml::List(all.iter().map(Yaml::from).collect()),
        "runs-on" => RUNNER,
        "timeout-minutes" => 5,
        "permissions" => Map::new(),
        "steps" => list![map! {
            "name" => "All of them went well, or had nothing to do",
            "env" => map! { "RESULTS" => expression("join(needs.*.result, ' ')") },
            "run" => "echo \"$RESULTS\"\n[[ \"$RESULTS\" != *failure* && \"$RESULTS\" != *cancelled* ]]\n",
        }],
    }
}

/// The scans.
pub(super) fn security(workflows: &Workflows<'_>) -> Map {
    let mut on = Map::new();
    let schedule = workflows
        .input
        .base
        .pipeline
        .as_ref()
        .and_then(|pipeline| pipeline.schedule.as_ref());
    if let Some(cron) = schedule {
        on.set_with_comment(
            "New holes are found in old code.",
            "schedule",
            list![map! { "cron" => cron }],
        );
    }
    let mut told = BTreeSet::new();
    if schedule.is_some() {
        for message in pipeline::messages(workflows.input.base) {
            told.extend(secrets_in(message.run.environment.values()));
        }
    }
    on.set("workflow_call", call_secrets(workflows, &told));
    on.set("workflow_dispatch", Yaml::Null);
    let mut workflow = Workflows::head("Security", on);
    let mut jobs = Map::new();
    let mut all = vec![];
    for job in workflows.jobs(|job| job.stage == Stage::Scan) {
        all.push(job.id.clone());
        let mut out = steps::job(job);
        if !secrets_of(job).is_empty() {
            out.set_with_comment(
                "A fork gets no secret.",
                "if",
                expression("github.event.pull_request.head.repo.fork != true"),
            );
            out.lead_with(&["name", "if"]);
        }
        jobs.set(job.id.as_str(), out);
    }
    if schedule.is_some() {
        let condition = "failure() && github.event_name == 'schedule'";
        if let Some(notify) = notify(workflows, &all, condition, "the scheduled scans") {
            jobs.set("notify", notify);
        }
    }
    workflow.set_with_comment("\n", "jobs", spaced(jobs));
    workflow
}

/// The job that tells of a failure; none where nobody is to hear of it.
pub(super) fn notify(
    workflows: &Workflows<'_>,
    needs: &[String],
    condition: &str,
    what: &str,
) -> Option<Map> {
    let project = &workflows.input.base.name;
    let messages = pipeline::messages(workflows.input.base);
    if messages.is_empty() {
        return None;
    }
    let tell: Vec<Yaml> = messages
        .iter()
        .map(|message| {
            let mut step = steps::run(&message.run);
            // One that cannot be told is no reason not to tell the next.
            step.set("if", expression("!cancelled()"));
            step.lead_with(&["name", "if"]);
            step.into()
        })
        .collect();
    let text = format!(
        "{project}: {what} failed on ${{{{ github.ref_name }}}}: ${{{{ github.server_url }}}}/${{{{ github.repository }}}}/actions/runs/${{{{ github.run_id }}}}"
    );
    Some(map! {
        "name" => "Tell of the failure",
        "if" => expression(condition),
        "needs" => Yaml::List(needs.iter().map(Yaml::from).collect()),
        "runs-on" => RUNNER,
        "timeout-minutes" => 5,
        "permissions" => Map::new(),
        "env" => map! { "MESSAGE" => text },
        "steps" => Yaml::List(tell),
    })
}

/// The secrets that jobs of the scans read.
pub(super) fn scan_secrets(workflows: &Workflows<'_>) -> BTreeSet<String> {
    workflows
        .jobs(|job| job.stage == Stage::Scan)
        .flat_map(secrets_of)
        .collect()
}

fn secrets_of(job: &Job) -> Vec<String> {
    let values = job.steps.iter().flat_map(|step| match step {
        Step::Run(run) => run.environment.values().collect::<Vec<_>>(),
        Step::Tool(tool) => tool.environment.values().collect(),
        Step::Image(_) | Step::Report(_) => vec![],
    });
    secrets_in(values)
}

fn secrets_in<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<String> {
    values
        .filter_map(|value| match value {
            Value::Secret(name) => Some(name.clone()),
            _ => None,
        })
        .collect()
}

/// The secrets that the registry asks for.
pub(super) fn registry_secrets(workflows: &Workflows<'_>) -> BTreeSet<String> {
    let names: &[&str] = match registry(workflows) {
        Registry::DockerHub => &["DOCKERHUB_TOKEN", "DOCKERHUB_USERNAME"],
        Registry::Other(_) => &["REGISTRY_PASSWORD", "REGISTRY_USERNAME"],
        Registry::Ecr { .. } | Registry::Host => &[],
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub(super) fn registry(workflows: &Workflows<'_>) -> Registry {
    pipeline::registry(workflows.input.base, workflows.input.environments)
}

/// What a workflow that builds images may do; a called workflow gets no more than its caller has.
pub(super) fn images_permissions(workflows: &Workflows<'_>) -> Map {
    let mut permissions = map! { "actions" => "read", "contents" => "read" };
    match registry(workflows) {
        Registry::Ecr { .. } => {
            permissions.set("id-token", "write");
        }
        Registry::Host => {
            permissions.set("packages", "write");
        }
        Registry::DockerHub | Registry::Other(_) => {}
    }
    permissions.set("security-events", "write");
    permissions
}

/// `workflow_call` with the secrets that it reads.
fn call_secrets(workflows: &Workflows<'_>, own: &BTreeSet<String>) -> Yaml {
    let mut secrets = Map::new();
    for name in scan_secrets(workflows) {
        secrets.set(name, map! { "required" => false });
    }
    if secrets.is_empty() {
        return Yaml::Null;
    }
    for name in own {
        secrets.set_with_comment(
            "Read on the schedule only.",
            name.as_str(),
            map! { "required" => false },
        );
    }
    map! { "secrets" => secrets }.into()
}

/// `secrets` of a call: each is passed by its name, none besides.
pub(super) fn pass(names: &BTreeSet<String>) -> Map {
    let mut secrets = Map::new();
    for name in names {
        secrets.set(name.as_str(), expression(&format!("secrets.{name}")));
    }
    secrets
}
