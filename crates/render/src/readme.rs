//! The README of the infrastructure: how to begin, what is in each folder and how it is applied, what the pipeline needs, which
//! choices were made and why, what everything is called.

mod decisions;
mod needs;

use serde::Serialize;
use wharf_base::ids::Name;
use wharf_plan::model::{Deploy, Plan, TargetKind};
use wharf_plan::pipeline::{self, ClusterAccess};

use decisions::{Decision, decisions};
use needs::{Need, needs};

use crate::architecture::{Diagram, flowchart};
use crate::{Input, Rendered, Scope, Target, header, target, template};

/// The target.
pub const TARGET: Target = Target {
    name: "readme",
    summary: "the README of the infrastructure",
    scope: Scope::Project,
    applies: |_| Ok(()),
    make,
};

fn make(input: &Input<'_>, rendered: &mut Rendered) {
    rendered.add(
        "README.md",
        template::fill(include_str!("readme/README.md.in"), facts(input)),
    );
}

#[derive(Debug, Serialize)]
struct Facts {
    header: String,
    project: String,
    environments: Vec<Environment>,
    services: Vec<Service>,
    stores: Vec<String>,
    folders: Vec<Folder>,
    pipeline: Option<PipelineFacts>,
    diagram: String,
    diagram_of: Option<String>,
    decisions: Vec<Decision>,
    secrets: Vec<Secret>,
    production: Option<String>,
}

#[derive(Debug, Serialize)]
struct Environment {
    name: String,
    place: String,
    branch: Option<String>,
    approval: bool,
    address: Option<String>,
    namespace: Option<String>,
    cluster: Option<String>,
    region: Option<String>,
    budget: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Service {
    name: String,
    image: Option<String>,
    command: Option<String>,
    port: Option<u16>,
}

#[derive(Debug, Serialize)]
struct Folder {
    path: String,
    what: String,
    /// A command; none: it is read, by people or by another folder's tools.
    apply: Option<String>,
}

#[derive(Debug, Serialize)]
struct PipelineFacts {
    stages: Vec<String>,
    secrets: Vec<Need>,
    settings: Vec<Need>,
    approvals: Vec<String>,
    helm: bool,
    kustomize: bool,
    goals: Vec<(String, String)>,
    branches: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Secret {
    name: String,
    what: String,
}

fn facts(input: &Input<'_>) -> Facts {
    let base = input.base;
    let production = input
        .environments
        .iter()
        .find(|(_, plan)| plan.target.approval)
        .or_else(|| input.environments.iter().next_back());
    let shown = production.map_or(base, |(_, plan)| plan);
    Facts {
        header: header(base),
        project: base.name.to_string(),
        environments: input
            .environments
            .iter()
            .map(|(name, plan)| environment(name, plan))
            .collect(),
        services: base
            .services
            .iter()
            .map(|(name, service)| Service {
                name: name.to_string(),
                image: crate::images::tagged(base, name),
                command: service.command.as_ref().map(ToString::to_string),
                port: service.primary_port_number(),
            })
            .collect(),
        stores: base
            .stores
            .iter()
            .map(|(name, store)| {
                let version = store.version.as_deref().unwrap_or_default();
                format!("{name} ({} {version})", store.engine.as_str())
            })
            .collect(),
        folders: folders(input),
        pipeline: base.pipeline.as_ref().map(|_| pipeline_facts(input)),
        diagram: flowchart(&Diagram::of(shown)),
        diagram_of: production.map(|(name, _)| name.to_string()),
        decisions: decisions(shown),
        secrets: base
            .secrets
            .iter()
            .map(|(name, secret)| Secret {
                name: name.to_string(),
                what: secret.description.clone().unwrap_or_default(),
            })
            .collect(),
        production: production.map(|(name, _)| name.to_string()),
    }
}

fn environment(name: &Name, plan: &Plan) -> Environment {
    let kubernetes = plan.target.kind == TargetKind::Kubernetes;
    let place = match plan.target.kind {
        TargetKind::Local => "this machine",
        TargetKind::Compose => "Docker Compose",
        TargetKind::Kubernetes => "Kubernetes",
        TargetKind::Ec2 => "EC2 auto-scaling group",
    };
    Environment {
        name: name.to_string(),
        place: place.to_owned(),
        branch: plan.target.branch.clone(),
        approval: plan.target.approval,
        address: pipeline::base_url(plan),
        namespace: kubernetes.then(|| plan.kubernetes.namespace.clone()),
        cluster: match pipeline::access(plan) {
            Some(ClusterAccess::Eks { cluster, .. }) => Some(cluster),
            _ => None,
        },
        region: plan.cloud.as_ref().map(|cloud| cloud.region.clone()),
        budget: plan.cloud.as_ref().and_then(|cloud| cloud.budget),
    }
}

/// The folders that are rendered, each with the command that applies it.
fn folders(input: &Input<'_>) -> Vec<Folder> {
    let mut folders = vec![];
    for target in target::TARGETS {
        let mut applies: Vec<Option<&Name>> = vec![];
        match target.scope {
            Scope::Project => {
                if (target.applies)(input).is_ok() {
                    applies.push(None);
                }
            }
            Scope::Environment => {
                for (name, plan) in input.environments {
                    let input = Input { plan, ..*input };
                    if (target.applies)(&input).is_ok() {
                        applies.push(Some(name));
                    }
                }
            }
        }
        if applies.is_empty() {
            continue;
        }
        let name = match applies.as_slice() {
            [None] => pipeline::folder(target.name, None),
            [Some(only)] => pipeline::folder(target.name, Some(only)),
            _ => format!("deploy/ENV/{}", target.name),
        };
        folders.push(Folder {
            apply: apply(input.base, target.name, &name),
            path: name,
            what: target.summary.to_owned(),
        });
    }
    folders
}

/// The command that applies a folder; none: there is none.
fn apply(base: &Plan, target: &str, folder: &str) -> Option<String> {
    let project = &base.name;
    Some(match target {
        "dockerfile" => {
            "docker build --file deploy/dockerfile/SERVICE/Dockerfile FOLDER".to_owned()
        }
        "compose" => format!("docker compose --file {folder}/docker-compose.yml up"),
        "kubernetes" => format!("kubectl apply --filename {folder}"),
        "kustomize" => format!("kubectl apply --kustomize {folder}/overlays/ENV"),
        "helm" => format!(
            "helm upgrade {release} {folder}/{project} --install --values {folder}/{project}/values-ENV.yaml",
            release = wharf_plan::pipeline::helm_release(project)
        ),
        "argocd" | "flux" => format!("kubectl apply --filename {folder}"),
        "terraform" => format!("terraform -chdir={folder} init && terraform -chdir={folder} apply"),
        "cloudformation" => format!(
            "aws cloudformation deploy --template-file {folder}/main-template.yaml --parameter-overrides file://{folder}/parameters.json --stack-name STACK --capabilities CAPABILITY_NAMED_IAM --disable-rollback"
        ),
        "ansible" => format!(
            "ansible-playbook --inventory {folder}/inventory/hosts.ini {folder}/playbook.yml"
        ),
        "github-actions" | "gitlab-ci" => format!("cp -R {folder}/. ."),
        "k6" => format!("k6 run --env BASE_URL=URL {folder}/SCENARIO.js"),
        "locust" => format!("locust --locustfile {folder}/SCENARIO.py --headless --host URL"),
        _ => return None,
    })
}

fn pipeline_facts(input: &Input<'_>) -> PipelineFacts {
    let graph = pipeline::jobs(input.base, input.environments);
    let mut stages: Vec<String> = graph
        .iter()
        .map(|job| job.stage.as_str().to_owned())
        .collect();
    stages.dedup();
    let (secrets, settings) = needs(input, &graph);
    let releases = |methods: &[Deploy]| {
        pipeline::delivered(input.environments)
            .any(|(_, plan)| methods.contains(&pipeline::method(plan)))
    };
    let goals = input.base.pipeline.as_ref().map(|pipeline| &pipeline.goals);
    PipelineFacts {
        stages,
        secrets,
        settings,
        helm: releases(&[Deploy::Helm]),
        kustomize: releases(&[Deploy::Kustomize, Deploy::Canary]),
        approvals: input
            .environments
            .iter()
            .filter(|(_, plan)| plan.target.approval && plan.target.branch.is_some())
            .map(|(name, _)| name.to_string())
            .collect(),
        goals: goals.map_or_else(Vec::new, |goals| {
            vec![
                (
                    "pipelines that end well".to_owned(),
                    format!("> {}", goals.success),
                ),
                (
                    "deployments a day".to_owned(),
                    format!("{}+", goals.deployments_per_day),
                ),
                (
                    "change failure".to_owned(),
                    format!("< {}", goals.change_failure),
                ),
                (
                    "time to recovery".to_owned(),
                    format!("< {}", wharf_base::duration::format(goals.time_to_recovery)),
                ),
            ]
        }),
        branches: pipeline::branches(input.environments)
            .into_iter()
            .map(str::to_owned)
            .collect(),
    }
}
