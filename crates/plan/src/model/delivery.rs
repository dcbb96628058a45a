//! From the source to a release: images, and the pipeline that makes, checks and ships them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wharf_base::ids::Name;
use wharf_base::units::Percent;

use super::{Command, Severity};

/// What images are called and for which processors they are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Images {
    /// `docker.io`, `ghcr.io/acme`, `123456789012.dkr.ecr.us-east-1.amazonaws.com`; none: the cloud's own registry (ECR),
    /// or the local engine.
    pub registry: Option<String>,
    /// The name within the registry; `{service}` stands for the service's. Services with one build share one image.
    pub repository: String,
    /// `linux/amd64`, `linux/arm64`.
    pub platforms: Vec<String>,
    /// The tag that rendered files name where no pipeline sets one.
    pub tag: String,
}

/// What a build's sources are written in; decides the rendered Dockerfile, linters and caches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toolchain {
    /// The language.
    pub language: Language,
    /// Its version: `3.11`, `1.90`, `20`, `1.23`; none: the newest that the renderer knows.
    pub version: Option<String>,
    /// The framework, where it changes the image or the pipeline.
    pub framework: Option<Framework>,
    /// Debian packages that the program needs while it runs: `libpq5`.
    pub packages: Vec<String>,
    /// Debian packages that only the build needs.
    pub build_packages: Vec<String>,
}

/// Languages that have a Dockerfile of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Rust, built by Cargo.
    Rust,
    /// Python, with `requirements.txt` or `pyproject.toml`.
    Python,
    /// JavaScript or TypeScript, with npm.
    Node,
    /// Go.
    Go,
}

/// Frameworks that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framework {
    /// Django: collects static files, migrates.
    Django,
    /// Flask.
    Flask,
    /// FastAPI.
    Fastapi,
    /// React, built to static files.
    React,
}

/// What happens to a change on its way to its users. Which branch goes where stands in the environments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    /// Checks of style and types.
    pub lint: BTreeMap<Name, Check>,
    /// Tests of units.
    pub tests: BTreeMap<Name, Test>,
    /// Security scans.
    pub scan: Scan,
    /// Run against every deployed environment: is it there at all?
    pub smoke: Option<Command>,
    /// Run against staging.
    pub integration: Option<Command>,
    /// Which load scenario runs against staging before production.
    pub load: Option<Name>,
    /// What provisions the cloud on the way: plans on pull requests, applies on the branch of an environment.
    pub provision: Option<Provision>,
    /// Whether Ansible configures the machines after that.
    pub configure: bool,
    /// What releases.
    pub deploy: Deploy,
    /// Who hears of a failure.
    pub notify: Vec<Name>,
    /// When everything is scanned without a change; cron, UTC.
    pub schedule: Option<String>,
    /// Whether updates of dependencies are proposed every week.
    pub updates: bool,
    /// Further jobs.
    pub jobs: BTreeMap<Name, Job>,
    /// After which a job is stopped.
    #[serde(with = "wharf_base::duration")]
    pub timeout: Duration,
    /// How deliveries are to go: shown by dashboards, not enforced.
    pub goals: DeliveryGoals,
}

/// One command in one folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What runs.
    pub command: Command,
    /// In which folder, relative to `wharf.yaml`.
    pub folder: String,
    /// What it is written in; decides what is installed and cached.
    pub language: Option<Language>,
}

/// Tests of one part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Test {
    /// What runs.
    pub check: Check,
    /// Below this the job fails; none: not measured.
    pub coverage: Option<Percent>,
    /// Versions of the language to test with; empty: the one of the build.
    pub versions: Vec<String>,
    /// Stores that run beside it.
    pub stores: Vec<Name>,
}

/// Security scans, by what is looked at; each names the tools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    /// The source: `bandit`, `semgrep`.
    pub code: Vec<Scanner>,
    /// Secrets in the history: `gitleaks`.
    pub secrets: Vec<Scanner>,
    /// Dependencies: `safety`, `trivy`, `snyk`.
    pub dependencies: Vec<Scanner>,
    /// The image: `trivy`.
    pub images: Vec<Scanner>,
    /// Rendered files: `trivy`.
    pub infrastructure: Vec<Scanner>,
    /// The running application: `zap`.
    pub dynamic: Vec<Scanner>,
    /// From which severity on a finding stops the pipeline.
    pub gate: Gate,
}

/// Scanners that a pipeline may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "names of tools")]
pub enum Scanner {
    Bandit,
    Semgrep,
    Gitleaks,
    Safety,
    Trivy,
    Snyk,
    Zap,
}

/// From which severity on a finding stops the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Critical ones only.
    Critical,
    /// High and critical ones.
    High,
}

/// What makes the cloud's resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provision {
    /// Terraform.
    Terraform,
    /// CloudFormation.
    Cloudformation,
}

/// What releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deploy {
    /// `helm upgrade --atomic`.
    Helm,
    /// `kubectl apply -k`, and a rollback when the roll-out fails.
    Kustomize,
    /// A canary beside the stable release, watched, then the whole.
    Canary,
    /// An instance refresh of the auto-scaling group.
    InstanceRefresh,
    /// Images are pushed; something else deploys them.
    None,
}

/// A job of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// What runs.
    pub check: Check,
    /// Jobs, or stages, that have to end well before.
    pub needs: Vec<Name>,
    /// Whether a failure fails the pipeline.
    pub required: bool,
}

/// How deliveries are to go (DORA's four).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryGoals {
    /// Pipelines that end well.
    pub success: Percent,
    /// Deployments a day.
    pub deployments_per_day: u32,
    /// Deployments that have to be taken back or mended.
    pub change_failure: Percent,
    /// From a failure to its end.
    #[serde(with = "wharf_base::duration")]
    pub time_to_recovery: Duration,
}

/// What of an environment every other one may know: enough for a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Where it runs.
    pub kind: TargetKind,
    /// The branch whose changes go there; none: by hand.
    pub branch: Option<String>,
    /// Whether somebody has to agree to each deployment.
    pub approval: bool,
}

/// Where an environment runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// On this machine.
    Local,
    /// On one machine with Docker Compose.
    Compose,
    /// On a Kubernetes cluster.
    Kubernetes,
    /// On an auto-scaling group of EC2 instances.
    Ec2,
}

/// The severity that notifications of a failed pipeline have.
pub const PIPELINE_FAILURE: Severity = Severity::Warning;
