//! One job of the graph as a job of GitLab.

use wharf_plan::model::{Language, StoreEngine};
use wharf_plan::pipeline::{
    self, ClusterAccess, Job, Message, Mount, Registry, Role, Run, Runs, Setup, Stage, Step, Value,
};

use super::images;
use crate::yaml::{Map, Yaml};
use crate::{Input, list, map};

/// `kubectl`, `helm`, `kustomize`, `aws`, `jq` and bash.
const CLUSTER_TOOLS: &str = "docker.io/alpine/k8s:1.31.5";
/// `aws` and bash.
const AWS_TOOLS: &str = "docker.io/amazon/aws-cli:2.27.9";
/// Buildx, and the engine beside it.
const DOCKER: &str = "docker.io/library/docker:28";
const DOCKER_ENGINE: &str = "docker.io/library/docker:28-dind";
/// Ansible, for machines.
const ANSIBLE: &str = "ansible-core==2.17.14";

/// The rule of a branch.
pub(super) fn on_branch(branch: &str) -> String {
    format!("$CI_COMMIT_BRANCH == \"{branch}\"")
}

pub(super) fn job(input: &Input<'_>, graph: &[Job], job: &Job) -> Map {
    let mut out = map! { "stage" => job.stage.as_str() };
    let releases = matches!(
        job.stage,
        Stage::Provision | Stage::Configure | Stage::Deploy | Stage::Rollback
    );
    out.set("image", image(job));
    out.set_full("services", services(job));
    if !job.matrix.is_empty() {
        let versions = job.matrix.iter().map(Yaml::from).collect();
        out.set(
            "parallel",
            map! { "matrix" => list![map! { "VERSION" => Yaml::Inline(versions) }] },
        );
    }
    if let Some(environment) = &job.environment {
        let mut about = map! { "name" => environment };
        if let Some(url) = input
            .environments
            .get(environment)
            .and_then(pipeline::base_url)
        {
            about.set("url", url);
        }
        if job.stage != Stage::Deploy {
            about.set("action", "verify");
        }
        out.set("environment", about);
    }
    if releases {
        out.set("interruptible", false);
        if let Some(environment) = &job.environment {
            out.set("resource_group", environment);
        }
    }
    let cloud = cloud(input, job);
    let mut variables = variables(input, job);
    if let Some((region, role)) = cloud {
        out.set(
            "id_tokens",
            map! { "AWS_TOKEN" => map! { "aud" => "https://gitlab.com" } },
        );
        variables.set("AWS_REGION", &region);
        variables.set("AWS_ROLE_ARN", format!("${}", role.variable()));
        variables.set("AWS_WEB_IDENTITY_TOKEN_FILE", "/tmp/aws-token");
    }
    if job.setup.contains(&Setup::History) {
        variables.set_with_comment("The whole history.", "GIT_DEPTH", 0);
    }
    if job.steps.iter().any(|step| matches!(step, Step::Image(_))) {
        variables.set("DOCKER_TLS_CERTDIR", "/certs");
    }
    out.set_full("variables", variables);
    out.set("rules", rules(job));
    out.set("needs", needs(graph, job));
    out.set("script", script(input, job));
    if !job.artifacts.is_empty() || has_reports(job) {
        let mut paths: Vec<String> = job.artifacts.clone();
        if has_reports(job) {
            paths.push("reports".to_owned());
        }
        paths.dedup();
        out.set(
            "artifacts",
            map! { "when" => "always", "expire_in" => "14 days", "paths" => paths },
        );
    }
    if !job.required {
        out.set("allow_failure", true);
    }
    out.set(
        "timeout",
        format!("{} minutes", job.timeout.as_secs().div_ceil(60)),
    );
    out
}

/// The region and the role of a job that acts in the cloud.
fn cloud(input: &Input<'_>, job: &Job) -> Option<(String, Role)> {
    let own = job.setup.iter().find_map(|setup| match setup {
        Setup::Cloud { region, role } => Some((region.clone(), *role)),
        _ => None,
    });
    let pushes = job.stage == Stage::Image;
    own.or_else(
        || match pipeline::registry(input.base, input.environments) {
            Registry::Ecr { region } if pushes => Some((region, Role::Images)),
            _ => None,
        },
    )
}

fn has_reports(job: &Job) -> bool {
    job.steps
        .iter()
        .any(|step| matches!(step, Step::Report(_) | Step::Image(_)))
}

/// The image with the tools of a job.
fn image(job: &Job) -> Yaml {
    let of_tool = job.steps.iter().find_map(|step| match step {
        Step::Tool(tool) => Some(&tool.image),
        _ => None,
    });
    if let Some(image) = of_tool {
        // The shell of the job runs the tool, not the image's own start.
        return map! { "name" => image, "entrypoint" => Yaml::Inline(vec![Yaml::from("")]) }.into();
    }
    if job.steps.iter().any(|step| matches!(step, Step::Image(_))) {
        return Yaml::from(DOCKER);
    }
    let mut image = Yaml::from("docker.io/library/debian:12-slim");
    for setup in &job.setup {
        match setup {
            Setup::Cluster(_) => return Yaml::from(CLUSTER_TOOLS),
            Setup::Terraform(version) => {
                return map! {
                    "name" => format!("docker.io/hashicorp/terraform:{version}"),
                    "entrypoint" => Yaml::Inline(vec![Yaml::from("")]),
                }
                .into();
            }
            Setup::Language {
                language, version, ..
            } => {
                let (name, known) = match language {
                    Language::Python => ("python", "3.12"),
                    Language::Node => ("node", "22"),
                    Language::Go => ("golang", "1.23"),
                    Language::Rust => ("rust", "1.90"),
                };
                let version = if job.matrix.is_empty() {
                    version.clone().unwrap_or_else(|| known.to_owned())
                } else {
                    "$VERSION".to_owned()
                };
                image = Yaml::from(format!("docker.io/library/{name}:{version}"));
            }
            Setup::Cloud { .. } if job.stage == Stage::Configure => {
                return Yaml::from("docker.io/library/python:3.12");
            }
            Setup::Cloud { .. } => {
                image = map! {
                    "name" => AWS_TOOLS,
                    "entrypoint" => Yaml::Inline(vec![Yaml::from("")]),
                }
                .into();
            }
            Setup::History => {}
        }
    }
    if job.stage == Stage::Smoke {
        return map! {
            "name" => "docker.io/curlimages/curl:8.17.0",
            "entrypoint" => Yaml::Inline(vec![Yaml::from("")]),
        }
        .into();
    }
    image
}

fn services(job: &Job) -> Yaml {
    let mut services: Vec<Yaml> = vec![];
    if job.steps.iter().any(|step| matches!(step, Step::Image(_))) {
        services.push(map! { "name" => DOCKER_ENGINE, "alias" => "docker" }.into());
    }
    for store in &job.stores {
        let mut service = map! {
            "name" => format!("docker.io/library/{}", store.image),
            "alias" => &store.name,
        };
        if store.engine == StoreEngine::Postgres {
            service.set(
                "variables",
                map! { "POSTGRES_DB" => &store.name, "POSTGRES_HOST_AUTH_METHOD" => "trust" },
            );
        }
        services.push(service.into());
    }
    Yaml::List(services)
}

/// What the steps of a job are told. Secrets, settings and what GitLab knows of the run are there by themselves.
fn variables(input: &Input<'_>, job: &Job) -> Map {
    let mut variables = Map::new();
    for step in &job.steps {
        let environment = match step {
            Step::Run(run) => &run.environment,
            Step::Tool(tool) => &tool.environment,
            Step::Image(_) | Step::Report(_) => continue,
        };
        for (name, value) in environment {
            if let Some(value) = self::value(input, job, name, value) {
                variables.set(name.as_str(), value);
            }
        }
    }
    variables
}

fn value(input: &Input<'_>, job: &Job, name: &str, value: &Value) -> Option<String> {
    match value {
        // Stores beside a job are reached by their names, not on its own machine.
        Value::Text(text) => Some(job.stores.iter().fold(text.clone(), |text, store| {
            text.replace(
                &format!("localhost:{}", store.port),
                &format!("{}:{}", store.name, store.port),
            )
        })),
        Value::Secret(variable) | Value::Setting(variable) => {
            (variable != name).then(|| format!("${variable}"))
        }
        Value::Revision | Value::Actor => None,
        Value::Branch => Some("$CI_COMMIT_BRANCH".to_owned()),
        Value::RunUrl => Some("$CI_PIPELINE_URL".to_owned()),
        Value::Registry => Some(images::registry(input)),
    }
}

fn rules(job: &Job) -> Yaml {
    let mut conditions = vec![];
    if job.triggers.pull_request {
        conditions.push("$CI_PIPELINE_SOURCE == \"merge_request_event\"".to_owned());
    }
    if job.triggers.schedule {
        conditions.push("$CI_PIPELINE_SOURCE == \"schedule\"".to_owned());
    }
    let branch = "$CI_PIPELINE_SOURCE == \"push\"";
    if job.triggers.every_branch {
        conditions.push(branch.to_owned());
    }
    for name in &job.triggers.branches {
        conditions.push(format!("{branch} && {}", on_branch(name)));
    }
    let rules = conditions.into_iter().map(|condition| {
        let mut rule = map! { "if" => condition };
        if job.stage == Stage::Approve {
            rule.set("when", "manual");
            rule.set("allow_failure", false);
        }
        if job.runs == Runs::WhenReleaseFails {
            rule.set("when", "on_failure");
        }
        Yaml::from(rule)
    });
    Yaml::List(rules.collect())
}

/// Jobs that come before; one that is not in this pipeline is no hindrance. Without any, a job begins with the pipeline.
fn needs(graph: &[Job], job: &Job) -> Yaml {
    // A release that failed has undone itself: only what was asked after it takes it back.
    let skipped = usize::from(job.runs == Runs::WhenReleaseFails);
    let mut needs: Vec<&String> = job.needs.iter().skip(skipped).collect();
    // What is pushed or changed has been checked.
    let images = graph.iter().any(|other| other.stage == Stage::Image);
    let first = if images {
        job.stage == Stage::Image
    } else {
        job.needs.is_empty() && job.stage > Stage::Preview
    };
    if first {
        let checks = graph
            .iter()
            .filter(|other| other.stage < Stage::Image && other.required);
        needs.extend(checks.map(|check| &check.id));
    }
    if needs.is_empty() {
        return Yaml::Inline(vec![]);
    }
    Yaml::List(
        needs
            .into_iter()
            .map(|need| map! { "job" => need, "optional" => true }.into())
            .collect(),
    )
}

fn script(input: &Input<'_>, job: &Job) -> Yaml {
    let mut lines: Vec<Yaml> = vec![];
    if job
        .setup
        .iter()
        .any(|setup| matches!(setup, Setup::Cloud { .. }))
    {
        lines.push("printf '%s' \"$AWS_TOKEN\" > \"$AWS_WEB_IDENTITY_TOKEN_FILE\"".into());
    }
    if job.stage == Stage::Configure {
        lines.push(format!("python -m pip install {ANSIBLE} boto3").into());
    }
    for setup in &job.setup {
        match setup {
            Setup::Cluster(ClusterAccess::Eks { cluster, region }) => lines.push(
                format!("aws eks update-kubeconfig --name {cluster} --region {region}").into(),
            ),
            Setup::Cluster(ClusterAccess::Kubeconfig) => lines.push(
                "umask 077\nmkdir -p ~/.kube\nprintf '%s' \"$KUBECONFIG_CONTENT\" > ~/.kube/config\n"
                    .into(),
            ),
            _ => {}
        }
    }
    for step in &job.steps {
        match step {
            Step::Run(run) => lines.push(self::run(run)),
            Step::Tool(tool) => {
                let folders = Yaml::from("mkdir -p reports .cache");
                if !lines.contains(&folders) {
                    lines.push(folders);
                    if let Mount::At(folder) = tool.mount {
                        lines.push(format!("ln -s \"$CI_PROJECT_DIR\" {folder}").into());
                    }
                }
                lines.push(tool.command.as_str().into());
            }
            Step::Image(image) => lines.extend(images::build(input, image)),
            // Findings are kept with the job.
            Step::Report(_) => {}
        }
    }
    if job.stage == Stage::Approve {
        lines.push("echo \"The release of $REVISION by $ACTOR may go on.\"".into());
    }
    Yaml::List(lines)
}

fn run(run: &Run) -> Yaml {
    let mut script = run.script.clone();
    if run.folder != "." {
        script = format!("cd \"$CI_PROJECT_DIR/{}\"\n{script}", run.folder);
    }
    if script.contains('\n') {
        script.push('\n');
    }
    Yaml::from(script)
}

/// The job that tells somebody of a failure.
pub(super) fn notify(input: &Input<'_>, message: &Message) -> Map {
    let mut variables = map! {
        "MESSAGE" => format!(
            "{}: a pipeline failed on $CI_COMMIT_REF_NAME: $CI_PIPELINE_URL",
            input.base.name
        ),
    };
    for (name, value) in &message.run.environment {
        match value {
            Value::Secret(variable) | Value::Setting(variable) if variable != name => {
                variables.set(name.as_str(), format!("${variable}"));
            }
            Value::Text(text) => {
                variables.set(name.as_str(), text);
            }
            _ => {}
        }
    }
    map! {
        "stage" => ".post",
        "image" => CLUSTER_TOOLS,
        "variables" => variables,
        "rules" => list![map! {
            "if" => "$CI_PIPELINE_SOURCE != \"merge_request_event\"",
            "when" => "on_failure",
        }],
        "script" => list![format!("{}\n", message.run.script)],
        "timeout" => "5 minutes",
    }
}
