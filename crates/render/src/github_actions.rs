//! GitHub Actions: the jobs of [`wharf_plan::pipeline`] as workflows, and what belongs beside them.
//!
//! - `ci.yml`: every change is checked; the job `Required checks` is what a branch asks for before it takes a change.
//! - `security.yml`: the scans, for every change and on the schedule.
//! - `docker-build.yml`: images are made, scanned, and pushed where a workflow asks for it or a version is tagged.
//! - `deploy.yml`: a pushed branch of an environment on its way there.
//! - `figures.yml`: how deliveries went, against the goals.
//!
//! No workflow may do anything unless a job says so; actions are named by commit (`actions.lock`); the cloud is reached by OIDC.
//! Values of people (names of branches, titles) reach a script as variables and never as text of it.

mod beside;
mod deploy;
mod figures;
mod images;
mod lock;
mod steps;
mod workflows;

use wharf_plan::pipeline::{self, Job, Stage};

use crate::yaml::{Map, Yaml};
use crate::{Input, Rendered, Scope, Target, header, map};

/// The target.
pub const TARGET: Target = Target {
    name: "github-actions",
    summary: "GitHub workflows, Dependabot, a ruleset for branches",
    scope: Scope::Project,
    applies: |input| match input.base.pipeline {
        Some(_) => Ok(()),
        None => Err("the file has no `pipeline`"),
    },
    make,
};

/// The machine that jobs run on: named by its version, so that it changes when somebody changes it.
const RUNNER: &str = "ubuntu-24.04";

fn make(input: &Input<'_>, rendered: &mut Rendered) {
    let graph = pipeline::jobs(input.base, input.environments);
    let workflows = Workflows {
        input,
        graph: &graph,
        images: graph.iter().any(|job| job.stage == Stage::Image),
        scans: graph.iter().any(|job| job.stage == Stage::Scan),
    };
    let header = header(input.base);
    let mut write = |name: &str, workflow: Map| {
        let path = format!(".github/workflows/{name}.yml");
        rendered.yaml(&path, &header, vec![Yaml::from(workflow)]);
    };
    write("ci", workflows::ci(&workflows));
    if workflows.scans {
        write("security", workflows::security(&workflows));
    }
    if workflows.images {
        write("docker-build", images::workflow(&workflows));
    }
    if let Some(deploy) = deploy::workflow(&workflows) {
        write("deploy", deploy);
        write("figures", figures::workflow(&workflows));
    }
    beside::add(&workflows, &header, rendered);
    gaps(input, rendered);
}

/// What the workflows are made from.
struct Workflows<'a> {
    input: &'a Input<'a>,
    graph: &'a [Job],
    /// Whether the project builds an image.
    images: bool,
    /// Whether anything is scanned.
    scans: bool,
}

impl Workflows<'_> {
    fn jobs(&self, of: impl Fn(&Job) -> bool) -> impl Iterator<Item = &Job> {
        self.graph.iter().filter(move |job| of(job))
    }

    /// A workflow up to its jobs: without rights, with a bash that stops at the first failure.
    fn head(name: &str, on: impl Into<Yaml>) -> Map {
        let mut head = map! { "name" => name };
        head.set("on", on);
        head.set_with_comment("\nEach job says what it may do.", "permissions", Map::new());
        head.set_with_comment(
            "\nBash stops at the first command that fails, in a pipe as well.",
            "defaults",
            map! { "run" => map! { "shell" => "bash" } },
        );
        head
    }
}

fn gaps(input: &Input<'_>, rendered: &mut Rendered) {
    for (what, why) in pipeline::gaps(input.base, input.environments) {
        rendered.gap(what, why);
    }
}

/// `${{ … }}`
fn expression(inner: &str) -> Yaml {
    Yaml::Text(format!("${{{{ {inner} }}}}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn rendered(file: &[u8]) -> Rendered {
        let plan = |environment: Option<&str>| wharf_plan::resolve(file, environment).0.unwrap();
        let environments: BTreeMap<_, _> = wharf_plan::environments(file)
            .into_iter()
            .map(|name| (name.parse().unwrap(), plan(Some(&name))))
            .collect();
        let base = plan(None);
        TARGET.render(&Input {
            plan: &base,
            base: &base,
            environments: &environments,
        })
    }

    #[test]
    fn actions_are_named_by_commit_and_nothing_is_allowed_at_the_top() {
        let rendered = rendered(include_bytes!("../../../examples/django-eks/wharf.yaml"));
        let workflows = rendered
            .files
            .iter()
            .filter(|(path, _)| path.contains("/workflows/"));
        for (path, file) in workflows {
            assert!(file.text.contains("\npermissions: {}\n"), "{path}");
            for line in file
                .text
                .lines()
                .filter(|line| line.trim_start().starts_with("uses: "))
            {
                let own = line.contains("uses: ./.github/workflows/");
                let pinned = line.split_once('@').is_some_and(|(_, commit)| {
                    let hash = commit.split(' ').next().unwrap_or_default();
                    hash.len() == 40 && commit.contains(" # v")
                });
                assert!(own || pinned, "{path}: {line}");
            }
        }
    }

    #[test]
    fn images_go_to_docker_hub_with_its_two_secrets() {
        let rendered = rendered(include_bytes!("../../../examples/django-ec2/wharf.yaml"));
        let text = &rendered
            .files
            .get(".github/workflows/docker-build.yml")
            .unwrap()
            .text;
        for piece in [
            "secrets.DOCKERHUB_USERNAME }}/django-app",
            "secrets.DOCKERHUB_TOKEN",
            "type=sha,format=long",
            "value=latest",
            "sbom: true",
        ] {
            assert!(text.contains(piece), "{piece}");
        }
    }

    #[test]
    fn folders_of_targets_are_where_the_targets_are_rendered() {
        let environment = "prod".parse().unwrap();
        for target in crate::TARGETS {
            let folder = pipeline::folder(target.name, Some(&environment));
            let expected = match target.scope {
                Scope::Project => format!("deploy/{}", target.name),
                Scope::Environment => format!("deploy/prod/{}", target.name),
            };
            assert_eq!(folder, expected);
        }
    }
}
