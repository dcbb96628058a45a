//! `images` and `pipeline`.

use std::time::Duration;

use wharf_base::cron::Cron;
use wharf_base::ids::Name;
use wharf_base::units::Percent;

use super::build::Language;
use super::service::Command;
use crate::decode::{Count, Folder, List, OneOrMany, Table, Word, record, words};

record! {
    /// What images are called, and for which processors they are made.
    pub struct Images {
        /// The registry.
        [default "the cloud's own, or this machine"]
        [example "ghcr.io/acme"]
        registry: Word,
        /// The name within the registry; `{service}` stands for the service's. Services with one build share one image.
        [default "`PROJECT/{service}`"]
        [also "name" "repo"]
        [example "\"shop/{service}\""]
        repository: Word,
        /// For which processors.
        [default "linux/amd64"]
        [also "platform" "arch"]
        [example "[linux/amd64, linux/arm64]"]
        platforms: OneOrMany<Platform>,
        /// The tag that rendered files name where no pipeline sets one.
        [default "latest"]
        tag: Word,
    }
    later { "sign", "sbom", "retention" }
}

words! {
    /// Processors that images are made for.
    pub enum Platform: "a platform" {
        /// 64-bit Intel and AMD.
        Amd64 = "linux/amd64",
        /// 64-bit ARM.
        Arm64 = "linux/arm64",
    }
}

record! {
    /// What happens to a change on its way to its users. Which branch goes where stands in the environments.
    pub struct Pipeline {
        /// Checks of style and types, by name.
        [example "{ clippy: { command: cargo clippy -- -D warnings } }"]
        lint: Table<Name, CheckJob>,
        /// Tests of units, by name.
        [also "test" "unit"]
        [example "{ unit: { command: pytest, coverage: 80% } }"]
        tests: Table<Name, TestJob>,
        /// Security scans.
        [also "security"]
        [example "{ secrets: [gitleaks], images: [trivy], gate: critical }"]
        scan: Scan,
        /// Run against every deployed environment, whose address is in `BASE_URL`: is it there at all?
        [also "smoke_test"]
        [example "curl --fail --silent \"$BASE_URL/health\""]
        smoke: Command,
        /// Run against the environment before the last.
        [also "integration_test" "e2e"]
        [example "cargo test --test integration"]
        integration: Command,
        /// Which scenario of `load` runs before the last environment.
        [also "load_test" "performance"]
        [example "peak"]
        load: Name,
        /// What makes the cloud's resources: planned on pull requests, applied on the branch of an environment.
        [default "nothing: somebody does"]
        [also "infrastructure"]
        [example "terraform"]
        provision: Provision,
        /// Whether Ansible configures the machines after that.
        [default "false"]
        [also "ansible"]
        configure: bool,
        /// What releases.
        [default "instance_refresh with compute ec2, else kustomize"]
        [also "release" "deployment"]
        deploy: Deploy,
        /// Who hears of a failure, of `notify`.
        [also "notifications"]
        [example "[slack]"]
        notify: OneOrMany<Name>,
        /// When everything is scanned without a change: cron, five fields, UTC.
        [default "never"]
        [also "cron"]
        [example "\"0 4 * * 1\""]
        schedule: Cron,
        /// Whether updates of dependencies are proposed every week.
        [default "false"]
        [also "dependabot" "renovate"]
        updates: bool,
        /// Further jobs, by name.
        [also "stages" "steps"]
        [example "{ docs: { command: make docs } }"]
        jobs: Table<Name, Job>,
        /// After which a job is stopped.
        [default "30m"]
        [also "timeout_minutes"]
        timeout: Duration,
        /// How deliveries are to go; shown by dashboards, not enforced.
        [example "{ deployments_per_day: 10 }"]
        goals: Goals,
    }
    later { "provider", "runners", "cache", "environments" }
}

record! {
    /// One command in one folder.
    pub struct CheckJob {
        /// What runs.
        [required]
        [also "run" "script"]
        [example "flake8 ."]
        command: Command,
        /// In which folder, relative to `wharf.yaml`.
        [default "`.`"]
        [also "dir" "working_directory" "context"]
        [example "./backend"]
        folder: Folder,
        /// What it is written in; decides what is installed and cached.
        [default "that of the build in the folder"]
        language: Language,
    }
    shorthand command
}

record! {
    /// Tests of one part.
    pub struct TestJob {
        /// What runs.
        [required]
        [also "run" "script"]
        [example "pytest"]
        command: Command,
        /// In which folder, relative to `wharf.yaml`.
        [default "`.`"]
        [also "dir" "working_directory" "context"]
        [example "./backend"]
        folder: Folder,
        /// What it is written in; decides what is installed and cached.
        [default "that of the build in the folder"]
        language: Language,
        /// Below this the job fails.
        [default "not measured"]
        [also "min_coverage" "coverage_threshold"]
        [example "80%"]
        coverage: Percent,
        /// Versions of the language to test with.
        [default "that of the build"]
        [also "matrix"]
        [example "[\"3.11\", \"3.12\"]"]
        versions: OneOrMany<Word>,
        /// Stores that run beside it.
        [also "services"]
        [example "[db]"]
        stores: List<Name>,
    }
    shorthand command
}

record! {
    /// A job of its own.
    pub struct Job {
        /// What runs.
        [required]
        [also "run" "script"]
        [example "make docs"]
        command: Command,
        /// In which folder, relative to `wharf.yaml`.
        [default "`.`"]
        [also "dir" "working_directory" "context"]
        folder: Folder,
        /// What it is written in; decides what is installed and cached.
        [default "that of the build in the folder"]
        language: Language,
        /// Jobs, or the stages `lint`, `tests`, `scan`, `build` and `deploy`, that have to end well before.
        [also "depends_on" "after"]
        [example "[tests]"]
        needs: List<Name>,
        /// Whether a failure fails the pipeline.
        [default "true"]
        required: bool,
    }
    shorthand command
}

record! {
    /// Security scans, by what is looked at; each names the tools.
    pub struct Scan {
        /// The source: `bandit`, `semgrep`, `snyk`.
        [also "sast" "source"]
        [example "[semgrep]"]
        code: OneOrMany<Scanner>,
        /// Secrets in the history: `gitleaks`, `trivy`.
        [example "[gitleaks]"]
        secrets: OneOrMany<Scanner>,
        /// Dependencies: `safety`, `trivy`, `snyk`.
        [also "sca"]
        [example "[trivy]"]
        dependencies: OneOrMany<Scanner>,
        /// Images: `trivy`, `snyk`.
        [also "containers" "image"]
        [example "[trivy]"]
        images: OneOrMany<Scanner>,
        /// Rendered files: `trivy`, `snyk`.
        [also "iac"]
        [example "[trivy]"]
        infrastructure: OneOrMany<Scanner>,
        /// The running application: `zap`.
        [also "dast"]
        [example "[zap]"]
        dynamic: OneOrMany<Scanner>,
        /// From which severity on a finding stops the pipeline.
        [default "critical"]
        [also "fail_on" "severity"]
        gate: Gate,
    }
}

words! {
    /// Scanners that a pipeline may call.
    pub enum Scanner: "a scanner" {
        /// Python source.
        Bandit = "bandit",
        /// Source of many languages.
        Semgrep = "semgrep",
        /// Secrets in the history.
        Gitleaks = "gitleaks",
        /// Python dependencies.
        Safety = "safety",
        /// Dependencies, images and rendered files.
        Trivy = "trivy",
        /// The same, as a service.
        Snyk = "snyk",
        /// The running application.
        Zap = "zap",
    }
    later { "codeql", "sonarqube", "grype", "checkov", "tfsec", "nikto" }
}

words! {
    /// From which severity on a finding stops the pipeline.
    pub enum Gate: "a severity" {
        /// Critical ones only.
        Critical = "critical",
        /// High and critical ones.
        High = "high",
    }
}

words! {
    /// What makes the cloud's resources.
    pub enum Provision: "a tool" {
        /// Terraform.
        Terraform = "terraform",
        /// CloudFormation.
        Cloudformation = "cloudformation",
    }
    later { "pulumi", "opentofu", "cdk" }
}

words! {
    /// What releases.
    pub enum Deploy: "a way to release" {
        /// `helm upgrade --atomic`.
        Helm = "helm",
        /// `kubectl apply -k`, and a rollback when the roll-out fails.
        Kustomize = "kustomize",
        /// A canary beside the stable release, watched, then the whole.
        Canary = "canary",
        /// An instance refresh of the auto-scaling group.
        InstanceRefresh = "instance_refresh",
        /// Images are pushed; something else deploys them.
        None = "none",
    }
}

record! {
    /// How deliveries are to go (DORA's four).
    pub struct Goals {
        /// Pipelines that end well.
        [default "95%"]
        success: Percent,
        /// Deployments a day.
        [default "1"]
        deployments_per_day: Count<1, 10_000>,
        /// Deployments that have to be taken back or mended.
        [default "5%"]
        change_failure: Percent,
        /// From a failure to its end.
        [default "30m"]
        time_to_recovery: Duration,
    }
}
