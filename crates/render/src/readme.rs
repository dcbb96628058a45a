//! The README of the infrastructure: how to begin, what is in each folder and how it is applied, what the pipeline needs, which
//! choices were made and why, what everything is called.

use std::collections::BTreeMap;

use serde::Serialize;
use wharf_base::ids::Name;
use wharf_plan::model::{
    Channel, Compute, Deploy, IngressClass, Nat, Plan, Provision, Scanner, SecretProvider,
    StoresBy, TargetKind,
};
use wharf_plan::pipeline::{self, ClusterAccess, Registry, Setup, Step, Value};

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
        template::fill(include_str!("readme/README.md"), facts(input)),
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
    goals: Vec<(String, String)>,
    branches: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Need {
    name: String,
    place: String,
    what: String,
}

#[derive(Debug, Serialize)]
struct Decision {
    what: String,
    why: String,
    instead: String,
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
            "helm upgrade {project} {folder}/{project} --install --values {folder}/{project}/values-ENV.yaml"
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
    let goals = input.base.pipeline.as_ref().map(|pipeline| &pipeline.goals);
    PipelineFacts {
        stages,
        secrets,
        settings,
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

/// The secrets and the settings that jobs read, by name, each with the place where it is kept.
fn needs(input: &Input<'_>, graph: &[pipeline::Job]) -> (Vec<Need>, Vec<Need>) {
    let mut secrets: BTreeMap<String, String> = BTreeMap::new();
    let mut settings: BTreeMap<String, String> = BTreeMap::new();
    let mut add = |value: &Value, place: &str| {
        let (kind, name) = match value {
            Value::Secret(name) => (&mut secrets, name),
            Value::Setting(name) => (&mut settings, name),
            _ => return,
        };
        let places = kind.entry(name.clone()).or_default();
        if !places.split(", ").any(|known| known == place) {
            if !places.is_empty() {
                places.push_str(", ");
            }
            places.push_str(place);
        }
    };
    for job in graph {
        let place = job.environment.as_ref().map_or("repository", Name::as_str);
        for step in &job.steps {
            let environment = match step {
                Step::Run(run) => &run.environment,
                Step::Tool(tool) => &tool.environment,
                Step::Image(_) | Step::Report(_) => continue,
            };
            for value in environment.values() {
                add(value, place);
            }
        }
        for setup in &job.setup {
            match setup {
                Setup::Cloud { role, .. } => {
                    add(&Value::Setting(role.variable().to_owned()), place)
                }
                Setup::Cluster(ClusterAccess::Kubeconfig) => {
                    add(&Value::Secret("KUBECONFIG_CONTENT".to_owned()), place);
                }
                _ => {}
            }
        }
    }
    for message in pipeline::messages(input.base) {
        for value in message.run.environment.values() {
            add(value, "repository");
        }
    }
    match pipeline::registry(input.base, input.environments) {
        Registry::DockerHub => {
            for name in ["DOCKERHUB_USERNAME", "DOCKERHUB_TOKEN"] {
                add(&Value::Secret(name.to_owned()), "repository");
            }
        }
        Registry::Other(_) => {
            for name in ["REGISTRY_USERNAME", "REGISTRY_PASSWORD"] {
                add(&Value::Secret(name.to_owned()), "repository");
            }
        }
        Registry::Ecr { .. } => add(
            &Value::Setting("AWS_DEPLOY_ROLE_ARN".to_owned()),
            "repository",
        ),
        Registry::Host => {}
    }
    let list = |needs: BTreeMap<String, String>| {
        needs
            .into_iter()
            .map(|(name, place)| Need {
                what: meaning(input.base, &name),
                name,
                place,
            })
            .collect()
    };
    (list(secrets), list(settings))
}

fn meaning(base: &Plan, name: &str) -> String {
    let known = match name {
        "AWS_PREVIEW_ROLE_ARN" => "Role that may read, for plans of proposed changes",
        "AWS_PROVISION_ROLE_ARN" => "Role that makes and changes resources",
        "AWS_DEPLOY_ROLE_ARN" => "Role that pushes images and releases them",
        "ANSIBLE_VAULT_PASSWORD" => "Opens the vault of the Ansible variables",
        "BASE_URL" => "Where the environment is reached, without a slash at the end",
        "DOCKERHUB_USERNAME" => "User of Docker Hub",
        "DOCKERHUB_TOKEN" => "Access token of that user, for reading and writing",
        "KUBECONFIG_CONTENT" => "kubeconfig of the role `cicd`",
        "REGISTRY_USERNAME" => "User of the registry",
        "REGISTRY_PASSWORD" => "Password of that user",
        "SAFETY_API_KEY" => "Key of Safety",
        "SNYK_TOKEN" => "Token of Snyk",
        "SMTP_URL" => "Mail server, `smtps://HOST:465`",
        "SMTP_USER" => "User of the mail server; mails come from that address",
        "SMTP_PASSWORD" => "Password of that user",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    let secret = base
        .secrets
        .iter()
        .find(|(secret, _)| secret.as_str().replace('-', "_").to_ascii_uppercase() == name);
    secret
        .and_then(|(_, secret)| secret.description.clone())
        .unwrap_or_default()
}

/// What was chosen where something else would have been possible, as far as it is so in this environment.
fn decisions(plan: &Plan) -> Vec<Decision> {
    let mut decisions = vec![];
    let mut decide = |what: &str, why: &str, instead: &str| {
        decisions.push(Decision {
            what: what.to_owned(),
            why: why.to_owned(),
            instead: instead.to_owned(),
        });
    };
    if plan.target.kind == TargetKind::Kubernetes {
        match plan.kubernetes.ingress {
            IngressClass::Nginx => decide(
                "ingress-nginx serves the routes",
                "the same on every cluster, limits of rate and body included",
                "`kubernetes.ingress: alb`: a load balancer of AWS, with its firewall and certificates",
            ),
            IngressClass::Alb => decide(
                "an Application Load Balancer serves the routes",
                "certificates and firewall come with it, and it outlives the nodes",
                "`kubernetes.ingress: nginx`: one less bill, and the same on every cluster",
            ),
        }
    }
    if let Some(cloud) = &plan.cloud {
        if cloud.stores == StoresBy::Managed {
            decide(
                "the cloud runs the stores",
                "backups, patches and failover are somebody's whole job",
                "`cloud.stores: cluster`: cheaper, and the same on every cluster",
            );
        }
        match cloud.network.nat {
            Nat::Single => decide(
                "one NAT gateway",
                "one bill, and one address that others may have to know",
                "`nat: per_zone`: the other zones keep their way out when its zone is gone",
            ),
            Nat::PerZone => decide(
                "a NAT gateway in each zone",
                "a zone that is gone takes no other's way out with it",
                "`nat: single`: one bill instead of one a zone",
            ),
            Nat::None => {}
        }
        if cloud.compute == Compute::Ec2 {
            decide(
                "machines are replaced, never changed",
                "what runs is what was set up, and the way back is the way there",
                "a cluster (`compute: eks`): denser, and faster to release to",
            );
        }
        if cloud.bastion.is_none() {
            decide(
                "no bastion",
                "Session Manager reaches every machine, and writes down who did what",
                "`cloud.bastion`: a machine to patch, reached by Session Manager as well",
            );
        }
    }
    if let Some(pipeline) = &plan.pipeline {
        match pipeline::method(plan) {
            Deploy::Canary => decide(
                "a canary before each release",
                "few users meet a fault, and figures decide, not hope",
                "`deploy: kustomize`: five minutes faster",
            ),
            Deploy::Helm => decide(
                "Helm releases",
                "one release is one thing: it goes back as a whole, and does so by itself when it fails",
                "`deploy: kustomize`: no template between the file and the cluster",
            ),
            Deploy::Kustomize => decide(
                "Kustomize releases",
                "what is applied can be read as it is",
                "`deploy: helm`: a history of releases that go back as a whole",
            ),
            Deploy::InstanceRefresh | Deploy::None => {}
        }
        if pipeline.provision == Some(Provision::Terraform) {
            decide(
                "Terraform makes the cloud's resources",
                "a plan is read before it is applied, and every resource has its line",
                "`provision: cloudformation`: no state to keep",
            );
        }
        if pipeline.scan.images.contains(&Scanner::Trivy) {
            decide(
                "an image is scanned before it is pushed",
                "nobody can pull what nobody has looked at",
                "scans by the registry, which come after",
            );
        }
        let by_mail = pipeline
            .notify
            .iter()
            .filter_map(|name| plan.notify.get(name))
            .any(|receiver| matches!(receiver.channel, Channel::Email { .. }));
        if by_mail {
            decide(
                "failures of the pipeline come by mail",
                "everybody has it",
                "`notify` with Slack: read sooner",
            );
        }
    }
    match plan.secret_store.provider {
        SecretProvider::AwsSecretsManager => decide(
            "secrets are in Secrets Manager",
            "rotated, audited, and in no file",
            "`secret_store: sealed_secrets`: encrypted in Git, without a bill",
        ),
        SecretProvider::SealedSecrets => decide(
            "secrets are sealed in Git",
            "a change of a secret is reviewed like any other, and the cluster alone can read it",
            "`secret_store: aws_secrets_manager`: rotation by itself",
        ),
        SecretProvider::Kubernetes | SecretProvider::Local => {}
    }
    decisions
}
