//! Security scans of what lies in the repository: source, secrets, dependencies, rendered files. Each finds everything and
//! shows it; what is as bad as the gate, or worse, stops the pipeline.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Context, DEPLOY, Job, Mount, Permission, Run, Setup, Stage, Step, TOOLS_PYTHON, Tool, Triggers,
    Value, languages, tidy,
};
use crate::model::{Gate, Language, Plan, Scanner, Source};

/// Findings in the format of SARIF 2.1.0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The file, relative to the repository.
    pub file: String,
    /// What tells these findings from those of other scans.
    pub category: String,
}

/// The images of scanners, each by the digest that its tag had when it was chosen: a tag can be moved.
pub(super) const TRIVY: &str = "docker.io/aquasec/trivy:0.74.0@sha256:62b1e65e8869bc4b4c6aa4fa2b21595256c7c2f6018a9d9ad61caf87187c1969";
const GITLEAKS: &str = "ghcr.io/gitleaks/gitleaks:v8.30.1@sha256:c00b6bd0aeb3071cbcb79009cb16a60dd9e0a7c60e2be9ab65d25e6bc8abbb7f";
pub(super) const ZAP: &str = "ghcr.io/zaproxy/zaproxy:2.17.0@sha256:781a2bdaea47324e7bab583e2263f21d257b0aee61ed51521a5be45f5f5081ef";

const BANDIT: &str = "bandit[sarif]==1.8.6";
const SEMGREP: &str = "semgrep==1.145.0";
const SAFETY: &str = "safety==3.6.2";
const SNYK: &str = "snyk@1.1307.4";

pub(super) fn jobs(context: &Context<'_>) -> Vec<Job> {
    let scan = &context.pipeline.scan;
    let mut jobs = vec![];
    for scanner in &scan.code {
        jobs.extend(code(context, *scanner));
    }
    for scanner in &scan.secrets {
        jobs.extend(secrets(context, *scanner));
    }
    for scanner in &scan.dependencies {
        jobs.extend(dependencies(context, *scanner));
    }
    for scanner in &scan.infrastructure {
        jobs.extend(infrastructure(context, *scanner));
    }
    jobs
}

/// The severities that stop the pipeline, as Trivy says them.
pub(super) fn severities(gate: Gate) -> &'static str {
    match gate {
        Gate::Critical => "CRITICAL",
        Gate::High => "HIGH,CRITICAL",
    }
}

/// Files that the scanners of the plan read, by path.
#[must_use]
pub fn files(plan: &Plan) -> BTreeMap<&'static str, String> {
    let mut files = BTreeMap::new();
    let Some(pipeline) = &plan.pipeline else {
        return files;
    };
    let scan = &pipeline.scan;
    if scan.code.contains(&Scanner::Bandit) {
        files.insert(".bandit", include_str!("files/bandit.ini").to_owned());
    }
    if scan.dependencies.contains(&Scanner::Safety) {
        let severities = match scan.gate {
            Gate::Critical => "        - critical",
            Gate::High => "        - high\n        - critical",
        };
        files.insert(
            ".safety-policy.yml",
            include_str!("files/safety-policy.yml").replace("<<severities>>", severities),
        );
    }
    if scan.infrastructure.contains(&Scanner::Trivy) {
        files.insert(
            ".trivyignore.yaml",
            include_str!("files/trivyignore.yaml").to_owned(),
        );
    }
    if scan.dynamic.contains(&Scanner::Zap) {
        files.insert(
            ".zap/rules.tsv",
            include_str!("files/zap-rules.tsv").to_owned(),
        );
    }
    files
}

fn scan_job(context: &Context<'_>, subject: &str, scanner: &str, title: String) -> Job {
    let mut job = context.job(format!("scan-{subject}-{scanner}"), title, Stage::Scan);
    job.triggers = Triggers {
        schedule: context.pipeline.schedule.is_some(),
        ..Triggers::every_change()
    };
    job.permission = Permission::Report;
    job
}

fn report(name: &str) -> Step {
    Step::Report(Report {
        file: format!("reports/{name}.sarif"),
        category: name.to_owned(),
    })
}

fn python_tools() -> Setup {
    Setup::Language {
        language: Language::Python,
        version: Some(TOOLS_PYTHON.to_owned()),
        folder: None,
    }
}

fn code(context: &Context<'_>, scanner: Scanner) -> Option<Job> {
    let (name, install, find, gate) = match scanner {
        Scanner::Bandit => {
            let folders = folders(context, Some(Language::Python));
            let folders = folders
                .iter()
                .map(|(folder, _)| folder.as_str())
                .collect::<Vec<_>>()
                .join(" ");
            // Bandit knows three severities; its high one stands for both of the gate's.
            (
                "bandit",
                BANDIT,
                format!(
                    "bandit --ini .bandit --recursive {folders} --format sarif --output reports/bandit.sarif --exit-zero"
                ),
                format!("bandit --ini .bandit --recursive {folders} --severity-level high"),
            )
        }
        Scanner::Semgrep => (
            "semgrep",
            SEMGREP,
            "semgrep scan --config p/owasp-top-ten --metrics off --sarif --output reports/semgrep.sarif"
                .to_owned(),
            "semgrep scan --config p/owasp-top-ten --metrics off --severity ERROR --error".to_owned(),
        ),
        _ => return None,
    };
    let mut job = scan_job(
        context,
        "code",
        name,
        format!("Scan the source with {name}"),
    );
    job.setup.push(python_tools());
    job.steps = vec![
        Step::Run(Run::new(
            "Install",
            format!("python -m pip install '{install}'"),
        )),
        Step::Run(Run::new("Find", format!("mkdir -p reports\n{find}"))),
        report(name),
        Step::Run(Run::new("Gate", gate)),
    ];
    Some(job)
}

fn secrets(context: &Context<'_>, scanner: Scanner) -> Option<Job> {
    if scanner != Scanner::Gitleaks {
        return None;
    }
    let mut job = scan_job(
        context,
        "secrets",
        "gitleaks",
        "Look for secrets in the history".to_owned(),
    );
    job.setup.push(Setup::History);
    job.steps = vec![
        Step::Tool(Tool {
            title: "Gate".to_owned(),
            image: GITLEAKS.to_owned(),
            command: "gitleaks git --no-banner --redact=100 --report-format sarif --report-path reports/gitleaks.sarif ."
                .to_owned(),
            entrypoint: true,
 mount: Mount::Anywhere,
            environment: BTreeMap::new(),
        }),
        report("gitleaks"),
    ];
    Some(job)
}

fn dependencies(context: &Context<'_>, scanner: Scanner) -> Vec<Job> {
    match scanner {
        Scanner::Trivy => {
            let mut job = scan_job(
                context,
                "dependencies",
                "trivy",
                "Scan the dependencies with trivy".to_owned(),
            );
            job.steps = trivy(
                context,
                "dependencies",
                "filesystem --scanners vuln --skip-dirs .cache",
                ".",
            );
            vec![job]
        }
        Scanner::Safety => {
            let mut job = scan_job(
                context,
                "dependencies",
                "safety",
                "Scan the dependencies with safety".to_owned(),
            );
            job.permission = Permission::Read;
            job.setup.push(python_tools());
            job.steps.push(Step::Run(Run::new(
                "Install",
                format!("python -m pip install '{SAFETY}'"),
            )));
            for (folder, _) in folders(context, Some(Language::Python)) {
                let scan = Run::new(
                    format!("Gate {folder}"),
                    format!(
                        "safety --key \"$SAFETY_API_KEY\" --stage cicd scan --target {folder} --policy-file .safety-policy.yml"
                    ),
                );
                job.steps.push(Step::Run(
                    scan.with("SAFETY_API_KEY", Value::Secret("SAFETY_API_KEY".to_owned())),
                ));
            }
            vec![job]
        }
        Scanner::Snyk => {
            let folders = folders(context, None);
            let alone = folders.len() == 1;
            folders
                .into_iter()
                .map(|(folder, language)| snyk(context, &folder, language, alone))
                .collect()
        }
        _ => vec![],
    }
}

fn snyk(context: &Context<'_>, folder: &str, language: Option<Language>, alone: bool) -> Job {
    let name = if alone {
        "snyk".to_owned()
    } else {
        format!("snyk-{}", folder.replace(['/', '.'], "-"))
    };
    let title = format!("Scan the dependencies of {folder} with snyk");
    let mut job = scan_job(context, "dependencies", &name, title);
    let mut node = Setup::Language {
        language: Language::Node,
        version: Some(context.version("node", "22")),
        folder: None,
    };
    // Snyk asks the package manager, which has to know what is installed.
    match language {
        Some(Language::Node) => node = languages::setup(context, Language::Node, folder),
        Some(language @ Language::Python) => {
            job.setup.push(languages::setup(context, language, folder));
        }
        _ => {}
    }
    job.setup.push(node);
    if let Some(language @ (Language::Python | Language::Node)) = language {
        let install = languages::install(language, folder, "", false);
        job.steps.extend(install.map(Step::Run));
    }
    let threshold = match context.pipeline.scan.gate {
        Gate::Critical => "critical",
        Gate::High => "high",
    };
    let scan = Run::new(
        "Gate",
        format!(
            "mkdir -p reports\nnpx --yes {SNYK} test {folder} --severity-threshold={threshold} --sarif-file-output=reports/{name}.sarif"
        ),
    );
    job.steps.push(Step::Run(
        scan.with("SNYK_TOKEN", Value::Secret("SNYK_TOKEN".to_owned())),
    ));
    job.steps.push(report(&name));
    job
}

fn infrastructure(context: &Context<'_>, scanner: Scanner) -> Option<Job> {
    if scanner != Scanner::Trivy {
        return None;
    }
    let mut job = scan_job(
        context,
        "infrastructure",
        "trivy",
        "Scan the rendered files with trivy".to_owned(),
    );
    job.steps = trivy(
        context,
        "infrastructure",
        "config --ignorefile .trivyignore.yaml",
        DEPLOY,
    );
    Some(job)
}

fn trivy(context: &Context<'_>, subject: &str, command: &str, target: &str) -> Vec<Step> {
    let severities = severities(context.pipeline.scan.gate);
    let name = format!("trivy-{subject}");
    // Vulnerabilities without a fix are shown and stop nobody: there is nothing to do about them yet.
    let fixed = if command.starts_with("config") {
        ""
    } else {
        " --ignore-unfixed"
    };
    vec![
        trivy_step(
            "Find",
            format!("trivy {command} --format sarif --output reports/{name}.sarif {target}"),
        ),
        report(&name),
        trivy_step(
            "Gate",
            format!("trivy {command} --severity {severities}{fixed} --exit-code 1 {target}"),
        ),
    ]
}

/// A run of Trivy; its database is fetched once for all runs of a job.
pub(super) fn trivy_step(title: &str, command: String) -> Step {
    Step::Tool(Tool {
        title: title.to_owned(),
        image: TRIVY.to_owned(),
        command,
        entrypoint: true,
        mount: Mount::Anywhere,
        environment: BTreeMap::from([(
            "TRIVY_CACHE_DIR".to_owned(),
            Value::Text(".cache/trivy".to_owned()),
        )]),
    })
}

/// The folders of builds, each once, with their languages; all of them, or those of one language. Without any, the
/// repository.
fn folders(
    context: &Context<'_>,
    language: Option<Language>,
) -> BTreeSet<(String, Option<Language>)> {
    let mut folders = BTreeSet::new();
    for service in context.base.services.values() {
        if let Source::Build(build) = &service.source {
            let of_build = build.toolchain.as_ref().map(|toolchain| toolchain.language);
            if language.is_none() || of_build.is_none() || of_build == language {
                folders.insert((tidy(&build.context), of_build));
            }
        }
    }
    if folders.is_empty() {
        folders.insert((".".to_owned(), None));
    }
    folders
}
