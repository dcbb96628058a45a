//! The pipeline as a graph of jobs: what happens to a change on its way to its users.
//!
//! [`jobs`] knows no product that runs pipelines. GitHub Actions, GitLab CI and `wharf ci` on this machine all run the same
//! jobs: a job is commands, what has to be there before them, and when it runs. Rendered files lie where [`folder`] says.
//!
//! Of the environments with a branch, one that asks for approval is a production environment. Before it is released, its
//! revision is released to the environment of rehearsal ([`rehearsal`]) and verified there, so that what a user sees has been
//! seen before.

mod checks;
mod delivery;
mod gaps;
mod images;
mod languages;
mod layout;
mod notify;
mod release;
mod scans;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wharf_base::ids::Name;

use crate::model::{Language, Pipeline, Plan, StoreEngine, TargetKind};

pub use delivery::{ClusterAccess, access, deployments, method, registry};
pub use gaps::gaps;
pub use images::{ImageBuild, Registry};
pub use languages::TOOLS_PYTHON;
pub use layout::{DEPLOY, folder};
pub use notify::Message;
pub use release::{helm_release, scripts};
pub use scans::{Report, files};
pub use verify::{base_url, rehearsal};

/// One job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// What other jobs call it; unique: `test-unit`, `deploy-prod`.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// Which part of the way it is.
    pub stage: Stage,
    /// When it runs.
    pub triggers: Triggers,
    /// The jobs that come before it. One that did not run is no hindrance; one that failed is.
    pub needs: Vec<String>,
    /// Whether it runs because all is well, or because something is not.
    pub runs: Runs,
    /// What has to be there before its steps.
    pub setup: Vec<Setup>,
    /// What it does, one after the other; the first that fails ends it.
    pub steps: Vec<Step>,
    /// The environment whose secrets, variables and approval it needs.
    pub environment: Option<Name>,
    /// Versions of the language; it runs once with each. Empty: once.
    pub matrix: Vec<String>,
    /// Stores that run beside it.
    pub stores: Vec<StoreBeside>,
    /// What is kept of it, whether it failed or not.
    pub artifacts: Vec<String>,
    /// What it may do.
    pub permission: Permission,
    /// Whether a failure fails the pipeline.
    pub required: bool,
    /// After which it is stopped.
    pub timeout: Duration,
}

/// Parts of the way, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Style and types.
    Lint,
    /// Units.
    Test,
    /// Source, secrets, dependencies, rendered files.
    Scan,
    /// Jobs of the file.
    Further,
    /// Images: made, scanned, pushed.
    Image,
    /// What would change in the cloud.
    Preview,
    /// Somebody agrees.
    Approve,
    /// The cloud.
    Provision,
    /// The machines.
    Configure,
    /// The release.
    Deploy,
    /// Is it there at all?
    Smoke,
    /// Does it work with the rest?
    Integration,
    /// The running application, from outside.
    DynamicScan,
    /// Does it carry the load?
    Load,
    /// The release before, again.
    Rollback,
}

impl Stage {
    /// One word, for GitLab's stages and for lists.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lint => "lint",
            Self::Test => "test",
            Self::Scan => "scan",
            Self::Further => "further",
            Self::Image => "image",
            Self::Preview => "preview",
            Self::Approve => "approve",
            Self::Provision => "provision",
            Self::Configure => "configure",
            Self::Deploy => "deploy",
            Self::Smoke => "smoke",
            Self::Integration => "integration",
            Self::DynamicScan => "dynamic-scan",
            Self::Load => "load",
            Self::Rollback => "rollback",
        }
    }
}

/// When a job runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Triggers {
    /// For a proposed change.
    pub pull_request: bool,
    /// For every pushed branch of the strategy: those of environments, and `feature/…`.
    pub every_branch: bool,
    /// For these branches.
    pub branches: Vec<String>,
    /// On the schedule.
    pub schedule: bool,
}

/// Why a job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// Nothing it needs has failed.
    OnSuccess,
    /// The first of its needs went well, and another failed: what was released has to go.
    WhenReleaseFails,
}

/// What has to be there before a job's steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setup {
    /// The whole history of the repository, not only its newest state.
    History,
    /// A language, and what the sources of `folder` depend on.
    Language {
        /// Which.
        language: Language,
        /// Its version; none: what the machine has. With a matrix, the matrix wins.
        version: Option<String>,
        /// Whose dependencies are kept from run to run; none: there are none.
        folder: Option<String>,
    },
    /// Terraform of this version.
    Terraform(String),
    /// The rights of a role in the cloud, without a key that outlives the job.
    Cloud {
        /// The region.
        region: String,
        /// Which role.
        role: Role,
    },
    /// A cluster that `kubectl` and `helm` reach.
    Cluster(ClusterAccess),
}

/// Roles in the cloud that a pipeline may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Reads, to say what would change.
    Preview,
    /// Makes and changes resources.
    Provision,
    /// Pushes images, before anybody agrees to a release.
    Images,
    /// Releases.
    Deploy,
}

impl Role {
    /// The variable of the pipeline that holds its ARN.
    #[must_use]
    pub fn variable(self) -> &'static str {
        match self {
            Self::Preview => "AWS_PREVIEW_ROLE_ARN",
            Self::Provision => "AWS_PROVISION_ROLE_ARN",
            Self::Images => "AWS_IMAGES_ROLE_ARN",
            Self::Deploy => "AWS_DEPLOY_ROLE_ARN",
        }
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Commands for bash, which stops at the first that fails.
    Run(Run),
    /// A tool in a container, with the repository as its folder.
    Tool(Tool),
    /// An image is made, scanned and, for branches of environments, pushed.
    Image(ImageBuild),
    /// Findings are shown where findings are shown.
    Report(Report),
}

/// Commands.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// What they do.
    pub title: String,
    /// Them.
    pub script: String,
    /// In which folder, relative to the repository.
    pub folder: String,
    /// Their variables.
    pub environment: BTreeMap<String, Value>,
}

/// A tool in a container.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// What it does.
    pub title: String,
    /// Its image, with tag or digest.
    pub image: String,
    /// The program and its arguments, as one line for a POSIX shell.
    pub command: String,
    /// Whether the image starts with the program, so that a container's arguments do not name it.
    pub entrypoint: bool,
    /// Where it looks for the repository, and whether it may run as the user that owns it.
    pub mount: Mount,
    /// Its variables.
    pub environment: BTreeMap<String, Value>,
}

/// Where a tool in a container looks for the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mount {
    /// Anywhere; it runs as the user that owns the repository.
    Anywhere,
    /// In this folder only, as a user of its own.
    At(&'static str),
}

/// What a variable holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A secret of the pipeline, by its variable.
    Secret(String),
    /// A setting of the pipeline, by its variable.
    Setting(String),
    /// The revision: the hash of the commit.
    Revision,
    /// Who has caused the run.
    Actor,
    /// The branch.
    Branch,
    /// Where the run is shown.
    RunUrl,
    /// The registry that images are pushed to, where the file does not name it.
    Registry,
}

/// A store beside a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreBeside {
    /// The store.
    pub name: Name,
    /// Which server.
    pub engine: StoreEngine,
    /// Its image.
    pub image: String,
    /// Its port.
    pub port: u16,
}

/// What a job may do to the repository and beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Read the source.
    Read,
    /// Report findings.
    Report,
    /// Act in the cloud or on a cluster.
    Cloud,
}

/// Every job, in the order of their stages. `base` is the file as it stands; without a `pipeline` there is none.
#[must_use]
pub fn jobs(base: &Plan, environments: &BTreeMap<Name, Plan>) -> Vec<Job> {
    let Some(pipeline) = &base.pipeline else {
        return vec![];
    };
    let context = Context {
        base,
        pipeline,
        environments,
    };
    let mut jobs = checks::jobs(&context);
    jobs.extend(scans::jobs(&context));
    jobs.extend(checks::further(&context));
    jobs.extend(images::jobs(&context));
    jobs.extend(delivery::jobs(&context));
    // The sort is stable: within a stage jobs stay in the order of their kind and name.
    jobs.sort_by_key(|job| job.stage);
    jobs
}

/// What is said when a job fails, to whom the pipeline names.
#[must_use]
pub fn messages(base: &Plan) -> Vec<Message> {
    notify::messages(base)
}

/// The branches of environments, in order.
#[must_use]
pub fn branches(environments: &BTreeMap<Name, Plan>) -> BTreeSet<&str> {
    delivered(environments)
        .filter_map(|(_, plan)| plan.target.branch.as_deref())
        .collect()
}

/// The environments that a pipeline delivers to: those with a branch that run elsewhere than on a developer's machine.
pub fn delivered(environments: &BTreeMap<Name, Plan>) -> impl Iterator<Item = (&Name, &Plan)> {
    environments
        .iter()
        .filter(|(_, plan)| plan.target.branch.is_some() && plan.target.kind != TargetKind::Local)
}

/// What every part of the graph is made from.
struct Context<'a> {
    base: &'a Plan,
    pipeline: &'a Pipeline,
    environments: &'a BTreeMap<Name, Plan>,
}

impl Context<'_> {
    fn job(&self, id: String, title: String, stage: Stage) -> Job {
        Job {
            id,
            title,
            stage,
            triggers: Triggers::default(),
            needs: vec![],
            runs: Runs::OnSuccess,
            setup: vec![],
            steps: vec![],
            environment: None,
            matrix: vec![],
            stores: vec![],
            artifacts: vec![],
            permission: Permission::Read,
            required: true,
            timeout: self.pipeline.timeout,
        }
    }

    /// The version of a tool that the file names, or one that is known to work.
    fn version(&self, tool: &str, known: &str) -> String {
        let version = self.base.versions.get(tool);
        version.map_or_else(|| known.to_owned(), Clone::clone)
    }
}

impl Triggers {
    /// For every change: proposed, or pushed to a branch of the strategy.
    fn every_change() -> Self {
        Self {
            pull_request: true,
            every_branch: true,
            ..Self::default()
        }
    }
}

impl Run {
    fn new(title: impl Into<String>, script: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            script: script.into(),
            folder: ".".to_owned(),
            environment: BTreeMap::new(),
        }
    }

    fn within(mut self, folder: &str) -> Self {
        folder.clone_into(&mut self.folder);
        self
    }

    fn with(mut self, variable: &str, value: Value) -> Self {
        self.environment.insert(variable.to_owned(), value);
        self
    }
}

/// A folder of the file as a path without `./` before it: `app`, and `.` for the repository itself.
fn tidy(folder: &str) -> String {
    let tidy = folder.trim_start_matches("./").trim_end_matches('/');
    if tidy.is_empty() { "." } else { tidy }.to_owned()
}

#[cfg(test)]
mod tests;
