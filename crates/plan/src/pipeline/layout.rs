//! Where rendered files lie in the repository.

use wharf_base::ids::Name;

/// The folder that rendered files are written to, relative to the repository.
pub const DEPLOY: &str = "deploy";

/// Targets whose files are the same for every environment.
const PROJECT_TARGETS: [&str; 11] = [
    "dockerfile",
    "kustomize",
    "helm",
    "argocd",
    "flux",
    "github-actions",
    "gitlab-ci",
    "k6",
    "locust",
    "openapi",
    "readme",
];

/// Where the files of a render target lie: `deploy/helm`, `deploy/prod/terraform`.
#[must_use]
pub fn folder(target: &str, environment: Option<&Name>) -> String {
    match environment {
        Some(environment) if !PROJECT_TARGETS.contains(&target) => {
            format!("{DEPLOY}/{environment}/{target}")
        }
        _ => format!("{DEPLOY}/{target}"),
    }
}
