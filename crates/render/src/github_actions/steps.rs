//! A job of the graph as a job of a workflow.

use std::collections::BTreeMap;

use wharf_plan::model::{Language, StoreEngine};
use wharf_plan::pipeline::{
    ClusterAccess, Job, Mount, Permission, Report, Run, Setup, Stage, Step, Tool, Value,
};

use super::{RUNNER, expression, lock};
use crate::map;
use crate::yaml::{Map, Yaml};

/// The job without its `needs` and its condition, which are the workflow's.
pub(super) fn job(job: &Job) -> Map {
    let mut out = map! { "name" => &job.title };
    if job.stage == Stage::Configure {
        // The machines have no way in from the internet.
        let own = format!("vars.CONFIGURE_RUNNER || '{RUNNER}'");
        out.set("runs-on", expression(&own));
    } else {
        out.set("runs-on", RUNNER);
    }
    out.set(
        "timeout-minutes",
        i64::try_from(job.timeout.as_secs().div_ceil(60)).unwrap_or(60),
    );
    if !job.required {
        out.set_with_comment(
            "A failure is shown and stops nothing.",
            "continue-on-error",
            true,
        );
    }
    out.set("permissions", permissions(job));
    if let Some(environment) = &job.environment {
        out.set("environment", environment);
    }
    if !job.matrix.is_empty() {
        let versions = job.matrix.iter().map(Yaml::from).collect();
        out.set(
            "strategy",
            map! {
                "fail-fast" => false,
                "matrix" => map! { "version" => Yaml::Inline(versions) },
            },
        );
    }
    if !job.stores.is_empty() {
        out.set("services", services(job));
    }
    out.set("steps", steps(job));
    out
}

fn permissions(job: &Job) -> Map {
    let mut permissions = Map::new();
    if job.permission == Permission::Report {
        permissions.set("actions", "read");
    }
    permissions.set("contents", "read");
    if job
        .setup
        .iter()
        .any(|setup| matches!(setup, Setup::Cloud { .. }))
    {
        permissions.set("id-token", "write");
    }
    if job.permission == Permission::Report {
        permissions.set("security-events", "write");
    }
    permissions
}

fn services(job: &Job) -> Map {
    let mut services = Map::new();
    for store in &job.stores {
        let mut service = map! { "image" => &store.image };
        let check = match store.engine {
            StoreEngine::Postgres => {
                service.set_with_comment(
                    "It listens to this job alone and holds nothing but its data.",
                    "env",
                    map! { "POSTGRES_DB" => &store.name, "POSTGRES_HOST_AUTH_METHOD" => "trust" },
                );
                "pg_isready --username postgres"
            }
            StoreEngine::Redis => "redis-cli ping",
        };
        service.set("ports", vec![format!("{0}:{0}", store.port)]);
        service.set(
            "options",
            format!("--health-cmd \"{check}\" --health-interval 5s --health-timeout 5s --health-retries 12"),
        );
        services.set(store.name.as_str(), service);
    }
    services
}

/// The steps of a job, from the check-out on.
pub(super) fn steps(job: &Job) -> Yaml {
    let history = job.setup.contains(&Setup::History);
    let mut steps: Vec<Yaml> = vec![checkout(history).into()];
    for setup in &job.setup {
        let setup = self::setup(setup, !job.matrix.is_empty());
        steps.extend(setup.into_iter().map(Yaml::from));
    }
    for step in &job.steps {
        match step {
            Step::Run(run) => steps.push(self::run(run).into()),
            Step::Tool(tool) => steps.push(self::tool(tool).into()),
            Step::Report(report) => steps.push(self::report(report).into()),
            // An image has a workflow of its own.
            Step::Image(_) => {}
        }
    }
    if !job.artifacts.is_empty() {
        let name = if job.matrix.is_empty() {
            job.id.clone()
        } else {
            format!("{}-${{{{ matrix.version }}}}", job.id)
        };
        steps.push(
            map! {
                "name" => "Keep the reports",
                "if" => expression("!cancelled()"),
                "uses" => lock::uses("actions/upload-artifact"),
                "with" => map! {
                    "name" => name,
                    "path" => job.artifacts.join("\n"),
                    "retention-days" => 14,
                },
            }
            .into(),
        );
    }
    Yaml::List(steps)
}

/// The step that fetches the source, without leaving a token behind.
pub(super) fn checkout(history: bool) -> Map {
    let mut with = Map::new();
    if history {
        with.set("fetch-depth", 0);
    }
    with.set("persist-credentials", false);
    map! { "name" => "Check out", "uses" => lock::uses("actions/checkout"), "with" => with }
}

fn setup(setup: &Setup, matrix: bool) -> Vec<Map> {
    match setup {
        Setup::History => vec![],
        Setup::Language {
            language,
            version,
            folder,
        } => {
            let version = if matrix {
                Some("${{ matrix.version }}".to_owned())
            } else {
                version.clone()
            };
            language_setup(*language, version, folder.as_deref())
        }
        Setup::Terraform(version) => vec![map! {
            "name" => "Set up Terraform",
            "uses" => lock::uses("hashicorp/setup-terraform"),
            "with" => map! { "terraform_version" => version, "terraform_wrapper" => false },
        }],
        Setup::Cloud { region, role } => vec![cloud(region, role.variable())],
        Setup::Cluster(ClusterAccess::Eks { cluster, region }) => vec![map! {
            "name" => "Reach the cluster",
            "run" => format!("aws eks update-kubeconfig --name {cluster} --region {region}"),
        }],
        Setup::Cluster(ClusterAccess::Kubeconfig) => vec![map! {
            "name" => "Reach the cluster",
            "env" => map! { "KUBECONFIG_CONTENT" => expression("secrets.KUBECONFIG_CONTENT") },
            "run" => "umask 077\nmkdir -p \"$HOME/.kube\"\nprintf '%s' \"$KUBECONFIG_CONTENT\" > \"$HOME/.kube/config\"\n",
        }],
    }
}

/// The step that takes a role in the cloud: a token of this job for rights that end with it.
pub(super) fn cloud(region: &str, variable: &str) -> Map {
    map! {
        "name" => "Take the role in the cloud",
        "uses" => lock::uses("aws-actions/configure-aws-credentials"),
        "with" => map! {
            "role-to-assume" => expression(&format!("vars.{variable}")),
            "aws-region" => region,
        },
    }
}

fn language_setup(language: Language, version: Option<String>, folder: Option<&str>) -> Vec<Map> {
    let within = |file: &str| match folder {
        None | Some(".") => file.to_owned(),
        Some(folder) => format!("{folder}/{file}"),
    };
    match language {
        Language::Python => {
            let mut with = map! { "python-version" => version.unwrap_or_default() };
            if folder.is_some() {
                with.set("cache", "pip");
                with.set(
                    "cache-dependency-path",
                    format!(
                        "{}\n{}\n",
                        within("requirements*.txt"),
                        within("pyproject.toml")
                    ),
                );
            }
            vec![map! {
                "name" => "Set up Python",
                "uses" => lock::uses("actions/setup-python"),
                "with" => with,
            }]
        }
        Language::Node => {
            let mut with = map! { "node-version" => version.unwrap_or_default() };
            if folder.is_some() {
                with.set("cache", "npm");
                with.set("cache-dependency-path", within("package-lock.json"));
            } else {
                with.set("package-manager-cache", false);
            }
            vec![map! {
                "name" => "Set up Node.js",
                "uses" => lock::uses("actions/setup-node"),
                "with" => with,
            }]
        }
        Language::Go => {
            let mut with = map! { "go-version" => version.unwrap_or_default() };
            if folder.is_some() {
                with.set("cache-dependency-path", within("go.sum"));
            } else {
                with.set("cache", false);
            }
            vec![map! {
                "name" => "Set up Go",
                "uses" => lock::uses("actions/setup-go"),
                "with" => with,
            }]
        }
        Language::Rust => {
            let mut steps = vec![];
            if let Some(version) = version {
                steps.push(map! {
                    "name" => "Set up Rust",
                    "env" => map! { "VERSION" => version },
                    "run" => "rustup toolchain install \"$VERSION\" --profile minimal\nrustup default \"$VERSION\"\n",
                });
            }
            let mut cache = map! {
                "name" => "Keep what is compiled",
                "uses" => lock::uses("Swatinem/rust-cache"),
            };
            if let Some(folder) = folder
                && folder != "."
            {
                cache.set("with", map! { "workspaces" => folder });
            }
            steps.push(cache);
            steps
        }
    }
}

pub(super) fn run(run: &Run) -> Map {
    let mut step = map! { "name" => &run.title };
    if run.folder != "." {
        step.set("working-directory", &run.folder);
    }
    step.set_full("env", environment(&run.environment));
    step.set("run", script(&run.script));
    step
}

/// One command stays on its line; several become a block that ends with a line feed.
fn script(script: &str) -> Yaml {
    if script.contains('\n') {
        Yaml::Text(format!("{script}\n"))
    } else {
        Yaml::from(script)
    }
}

fn environment(environment: &BTreeMap<String, Value>) -> Map {
    let mut map = Map::new();
    for (name, value) in environment {
        map.set(name.as_str(), self::value(value));
    }
    map
}

fn value(value: &Value) -> Yaml {
    match value {
        Value::Text(text) => Yaml::from(text),
        Value::Secret(name) => expression(&format!("secrets.{name}")),
        Value::Setting(name) => expression(&format!("vars.{name}")),
        Value::Revision => expression("github.sha"),
        Value::Actor => expression("github.actor"),
        Value::Branch => expression("github.ref_name"),
        Value::RunUrl => expression(
            "format('{0}/{1}/actions/runs/{2}', github.server_url, github.repository, github.run_id)",
        ),
        Value::Registry => expression("needs.images.outputs.registry"),
    }
}

pub(super) fn tool(tool: &Tool) -> Map {
    let mut script = String::from("mkdir -p reports .cache\n");
    let (user, mount) = match tool.mount {
        Mount::Anywhere => (" --user \"$(id -u):$(id -g)\"", "/src"),
        Mount::At(folder) => {
            script.push_str("chmod a+w reports\n");
            ("", folder)
        }
    };
    script.push_str(&format!(
        "docker run --rm{user} --volume \"$PWD:{mount}\" --workdir {mount}"
    ));
    for variable in tool.environment.keys() {
        script.push_str(&format!(" --env {variable}"));
    }
    let command = if tool.entrypoint {
        tool.command.split_once(' ').map_or("", |(_, rest)| rest)
    } else {
        &tool.command
    };
    script.push_str(&format!(" \\\n  {} \\\n  {command}\n", tool.image));
    let mut step = map! { "name" => &tool.title };
    step.set_full("env", environment(&tool.environment));
    step.set("run", script);
    step
}

pub(super) fn report(report: &Report) -> Map {
    map! {
        "name" => "Show the findings",
        // A fork may not write to the list of findings; the gate holds there as well.
        "if" => expression(&format!(
            "!cancelled() && hashFiles('{}') != '' && github.event.pull_request.head.repo.fork != true",
            report.file
        )),
        "uses" => lock::uses("github/codeql-action/upload-sarif"),
        "with" => map! { "sarif_file" => &report.file, "category" => &report.category },
    }
}
