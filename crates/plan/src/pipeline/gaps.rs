//! What of the file the graph has no job for.

use std::collections::BTreeMap;

use wharf_base::ids::Name;

use super::{delivered, languages, method};
use crate::model::{Deploy, Plan, Scanner};

/// What is not done, and why: `pipeline.scan.code.trivy`, "…".
#[must_use]
pub fn gaps(base: &Plan, environments: &BTreeMap<Name, Plan>) -> Vec<(String, String)> {
    let Some(pipeline) = &base.pipeline else {
        return vec![];
    };
    let mut gaps = vec![];
    let scan = &pipeline.scan;
    let fitting: [(&str, &[Scanner], &[Scanner]); 6] = [
        ("code", &scan.code, &[Scanner::Bandit, Scanner::Semgrep]),
        ("secrets", &scan.secrets, &[Scanner::Gitleaks]),
        (
            "dependencies",
            &scan.dependencies,
            &[Scanner::Safety, Scanner::Snyk, Scanner::Trivy],
        ),
        ("images", &scan.images, &[Scanner::Trivy]),
        ("infrastructure", &scan.infrastructure, &[Scanner::Trivy]),
        ("dynamic", &scan.dynamic, &[Scanner::Zap]),
    ];
    for (subject, asked, known) in fitting {
        for scanner in asked.iter().filter(|scanner| !known.contains(scanner)) {
            let scanner = format!("{scanner:?}").to_lowercase();
            gaps.push((
                format!("pipeline.scan.{subject}"),
                format!("{scanner} is not called for this: it looks at something else"),
            ));
        }
    }
    for (name, test) in &pipeline.tests {
        let command = test.check.command.to_string();
        if let Some(least) = test.coverage
            && languages::with_coverage(&command, least).is_none()
        {
            gaps.push((
                format!("pipeline.tests.{name}.coverage"),
                format!("how `{command}` measures coverage is not known; say its own option for {least} in the command"),
            ));
        }
    }
    for (name, plan) in delivered(environments) {
        if method(plan) == Deploy::None && pipeline.deploy != Deploy::None {
            gaps.push((
                format!("environments.{name}.branch"),
                "a pipeline does not reach an environment that runs with Compose: `wharf release` there does".to_owned(),
            ));
        }
    }
    gaps
}
