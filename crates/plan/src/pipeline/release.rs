//! The release itself, and the way back, as commands.

use std::collections::BTreeMap;

use wharf_base::ids::Name;

use super::{Context, DEPLOY, Run, Step, Value, delivered, deployments, folder, method};
use crate::images::built;
use crate::model::{Deploy, Plan};
use crate::resolve::names::joined;

/// `repository` in the registry that images are pushed to, for bash.
fn pushed(context: &Context<'_>, repository: &str) -> String {
    match &context.base.images.registry {
        Some(_) => match repository.strip_prefix("docker.io/") {
            // On Docker Hub a name of one part belongs to its user.
            Some(name) if !name.contains('/') => format!("docker.io/$DOCKERHUB_USERNAME/{name}"),
            _ => repository.to_owned(),
        },
        None => format!("$REGISTRY/{repository}"),
    }
}

fn with_revision(mut run: Run) -> Run {
    if run.script.contains("$REGISTRY") {
        run = run.with("REGISTRY", Value::Registry);
    }
    if run.script.contains("$DOCKERHUB_USERNAME") {
        run = run.with(
            "DOCKERHUB_USERNAME",
            Value::Secret("DOCKERHUB_USERNAME".to_owned()),
        );
    }
    run.with("REVISION", Value::Revision)
}

/// What Helm calls the project in a namespace: it takes at most 53 characters.
#[must_use]
pub fn helm_release(project: &Name) -> String {
    joined(&[project.as_str()], 53)
}

/// When a release has failed for taking too long: the longest deadline of its services.
fn deadline(plan: &Plan) -> u64 {
    let deadlines = plan
        .services
        .values()
        .map(|service| service.rollout.progress_deadline.as_secs());
    deadlines.max().unwrap_or(600)
}

pub(super) fn release(
    context: &Context<'_>,
    name: &Name,
    plan: &Plan,
    method: Deploy,
) -> Vec<Step> {
    let namespace = &plan.kubernetes.namespace;
    let seconds = deadline(plan);
    let mut steps = vec![];
    match method {
        Deploy::Helm => {
            let chart = format!("{}/{}", folder("helm", None), context.base.name);
            let registry = match &context.base.images.registry {
                None if !built(context.base).is_empty() => {
                    " \\\n  --set-string image.registry=\"$REGISTRY\""
                }
                _ => "",
            };
            let script = format!(
                "helm upgrade {release} {chart} --install --namespace {namespace} \\\n  --values {chart}/values-{name}.yaml --set-string image.tag=\"$REVISION\"{registry} \\\n  --atomic --timeout {seconds}s --description \"$REVISION by $ACTOR\"",
                release = helm_release(&context.base.name),
            );
            let run = Run::new("Release", script).with("ACTOR", Value::Actor);
            steps.push(Step::Run(with_revision(run)));
        }
        Deploy::Kustomize => steps.push(Step::Run(kustomize(context, name, plan))),
        Deploy::Canary => {
            for image in built(context.base) {
                for service in image.services {
                    if !deployments(plan).any(|deployment| deployment == service)
                        || plan.services[service].ports.is_empty()
                    {
                        continue;
                    }
                    let thresholds = &plan.telemetry.thresholds;
                    let run = Run::new(
                        format!("Canary of {service}"),
                        format!(
                            "{CANARY} {namespace} {service} \"{}:$REVISION\"",
                            pushed(context, &image.repository)
                        ),
                    )
                    .with(
                        "MAX_ERROR_RATIO",
                        Value::Text(thresholds.error_rate.fraction().to_string()),
                    )
                    .with(
                        "MAX_P95_SECONDS",
                        Value::Text(thresholds.latency.as_secs_f64().to_string()),
                    );
                    steps.push(Step::Run(with_revision(run)));
                }
            }
            steps.push(Step::Run(kustomize(context, name, plan)));
        }
        Deploy::InstanceRefresh => {
            let group = group(plan);
            let parameter = released(context, name);
            steps.push(Step::Run(
                Run::new(
                    "Replace the machines",
                    format!("{REFRESH} {group} {parameter} \"$REVISION\""),
                )
                .with("REVISION", Value::Revision),
            ));
        }
        Deploy::None => {}
    }
    steps
}

/// The auto-scaling group of an environment.
fn group(plan: &Plan) -> String {
    let prefix = plan.cloud.as_ref().map(|cloud| cloud.prefix.as_str());
    format!("{}-asg", prefix.unwrap_or(plan.name.as_str()))
}

/// The SSM parameter that names the revision to start; its history says who released what, and when.
fn released(context: &Context<'_>, environment: &Name) -> String {
    format!("/{}/{environment}/revision", context.base.name)
}

/// Releases the overlay with the new images; what does not become ready is undone at once.
fn kustomize(context: &Context<'_>, name: &Name, plan: &Plan) -> Run {
    let namespace = &plan.kubernetes.namespace;
    let seconds = deadline(plan);
    let overlay = format!("{}/overlays/{name}", folder("kustomize", None));
    let images = built(context.base);
    let mut script = String::new();
    if !images.is_empty() {
        script.push_str(&format!("(\n  cd {overlay}\n  kustomize edit set image"));
    }
    for image in &images {
        let pushed = pushed(context, &image.repository);
        // Manifests name an image without its registry; the overlay puts that before it.
        let registry = context.base.images.registry.as_deref().unwrap_or_default();
        let name = image
            .repository
            .strip_prefix(registry)
            .unwrap_or(&image.repository);
        let name = name.trim_start_matches('/');
        let image = format!(" \\\n    \"{name}={pushed}:$REVISION\"");
        script.push_str(&image);
    }
    if !script.is_empty() {
        script.push_str("\n)\n");
    }
    script.push_str(&format!("{RELEASE} {overlay} {namespace} {seconds}"));
    let deployments: Vec<&str> = deployments(plan).map(Name::as_str).collect();
    if !deployments.is_empty() {
        script.push_str(" \\\n  ");
        script.push_str(&deployments.join(" "));
    }
    with_revision(Run::new("Release", script).with("ACTOR", Value::Actor))
}

/// Takes a release back that became ready and then failed its smoke test.
pub(super) fn back(context: &Context<'_>, name: &Name, plan: &Plan, method: Deploy) -> Run {
    let namespace = &plan.kubernetes.namespace;
    let seconds = deadline(plan);
    match method {
        Deploy::Helm => Run::new(
            "Take back",
            format!(
                "helm rollback {} --namespace {namespace} --wait --timeout {seconds}s",
                helm_release(&context.base.name)
            ),
        ),
        Deploy::InstanceRefresh => {
            let group = group(plan);
            Run::new(
                "Take back",
                format!("{REFRESH} {group} {} previous", released(context, name)),
            )
        }
        Deploy::Kustomize | Deploy::Canary | Deploy::None => Run::new(
            "Take back",
            format!(
                "deployments=({})\nkubectl --namespace {namespace} rollout undo \"${{deployments[@]}}\"\nfor deployment in \"${{deployments[@]}}\"; do\n  kubectl --namespace {namespace} rollout status \"$deployment\" --timeout={seconds}s\ndone",
                in_bash(plan)
            ),
        ),
    }
}

/// The Deployments as items of an array of bash.
fn in_bash(plan: &Plan) -> String {
    let names: Vec<String> = deployments(plan)
        .map(|name| format!("deployment/{name}"))
        .collect();
    names.join(" ")
}

const RELEASE: &str = "deploy/pipeline/release.sh";
const CANARY: &str = "deploy/pipeline/canary.sh";
const REFRESH: &str = "deploy/pipeline/refresh.sh";

/// The scripts that jobs call, by path.
#[must_use]
pub fn scripts(environments: &BTreeMap<Name, Plan>) -> BTreeMap<String, &'static str> {
    let mut scripts = BTreeMap::new();
    for (_, plan) in delivered(environments) {
        match method(plan) {
            Deploy::Kustomize => {
                scripts.insert(RELEASE.to_owned(), include_str!("scripts/release.sh"));
            }
            Deploy::Canary => {
                scripts.insert(CANARY.to_owned(), include_str!("scripts/canary.sh"));
                scripts.insert(RELEASE.to_owned(), include_str!("scripts/release.sh"));
            }
            Deploy::InstanceRefresh => {
                scripts.insert(REFRESH.to_owned(), include_str!("scripts/refresh.sh"));
            }
            _ => {}
        }
    }
    debug_assert!(scripts.keys().all(|path| path.starts_with(DEPLOY)));
    scripts
}
