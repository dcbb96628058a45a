//! What lies beside the workflows: updates of dependencies, rules of branches, files of scanners, scripts.

use std::collections::{BTreeMap, BTreeSet};

use wharf_plan::model::{Language, Provision, Source};
use wharf_plan::pipeline::{self, folder};

use super::{Workflows, workflows::REQUIRED};
use crate::yaml::{Map, Yaml};
use crate::{Rendered, list, map};

pub(super) fn add(workflows: &Workflows<'_>, header: &str, rendered: &mut Rendered) {
    let base = workflows.input.base;
    if base
        .pipeline
        .as_ref()
        .is_some_and(|pipeline| pipeline.updates)
    {
        rendered.yaml(
            ".github/dependabot.yml",
            header,
            vec![dependabot(workflows).into()],
        );
    }
    for (path, text) in pipeline::files(base) {
        rendered.add(path, text);
    }
    for (path, script) in pipeline::scripts(workflows.input.environments) {
        rendered.add_program(path, script);
    }
    let branches = pipeline::branches(workflows.input.environments);
    if !branches.is_empty() {
        rendered.json(".github/rulesets/environments.json", ruleset(&branches));
    }
}

/// The rules of the environments' branches, as GitHub imports them: a change comes with a green run and an approval.
fn ruleset(branches: &BTreeSet<&str>) -> serde_json::Value {
    let include: Vec<String> = branches
        .iter()
        .map(|branch| format!("refs/heads/{branch}"))
        .collect();
    serde_json::json!({
        "name": "Branches of environments",
        "target": "branch",
        "enforcement": "active",
        "conditions": { "ref_name": { "include": include, "exclude": [] } },
        "rules": [
            { "type": "deletion" },
            { "type": "non_fast_forward" },
            {
                "type": "pull_request",
                "parameters": {
                    "required_approving_review_count": 1,
                    "dismiss_stale_reviews_on_push": true,
                    "require_code_owner_review": false,
                    "require_last_push_approval": true,
                    "required_review_thread_resolution": true
                }
            },
            {
                "type": "required_status_checks",
                "parameters": {
                    "strict_required_status_checks_policy": true,
                    "required_status_checks": [{ "context": REQUIRED }]
                }
            }
        ]
    })
}

/// Updates are proposed once a week, those of one kind together, and not before a version has been out for a week.
fn dependabot(workflows: &Workflows<'_>) -> Map {
    let base = workflows.input.base;
    let mut places: BTreeSet<(&str, String)> = BTreeSet::new();
    places.insert(("github-actions", "/".to_owned()));
    let at = |folder: &str| {
        let folder = folder.trim_start_matches("./").trim_matches('/');
        format!("/{}", if folder == "." { "" } else { folder })
    };
    for service in base.services.values() {
        let Source::Build(build) = &service.source else {
            continue;
        };
        if let Some(toolchain) = &build.toolchain {
            let ecosystem = match toolchain.language {
                Language::Rust => "cargo",
                Language::Python => "pip",
                Language::Node => "npm",
                Language::Go => "gomod",
            };
            places.insert((ecosystem, at(&build.context)));
        }
        if let Some(dockerfile) = &build.dockerfile {
            let dir = dockerfile.rsplit_once('/').map_or("", |(dir, _)| dir);
            places.insert(("docker", at(&format!("{}/{dir}", build.context))));
        }
    }
    for image in crate::images::built(base) {
        if image.build.dockerfile.is_none() {
            places.insert((
                "docker",
                at(&format!("{}/{}", folder("dockerfile", None), image.name)),
            ));
        }
    }
    let terraform = base
        .pipeline
        .as_ref()
        .is_some_and(|pipeline| pipeline.provision == Some(Provision::Terraform));
    for (name, plan) in workflows.input.environments {
        if terraform && plan.cloud.is_some() {
            places.insert(("terraform", at(&folder("terraform", Some(name)))));
        }
    }
    let mut folders: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (ecosystem, folder) in places {
        folders.entry(ecosystem).or_default().push(folder);
    }
    let updates: Vec<Yaml> = folders
        .into_iter()
        .map(|(ecosystem, folders)| {
            let mut update = map! { "package-ecosystem" => ecosystem };
            match folders.as_slice() {
                [only] => update.set("directory", only),
                _ => update.set("directories", folders),
            };
            update.set("schedule", map! { "interval" => "weekly" });
            update.set("cooldown", map! { "default-days" => 7 });
            update.set("open-pull-requests-limit", 5);
            update.set(
                "groups",
                map! { format!("{ecosystem}-updates") => map! { "patterns" => list!["*"] } },
            );
            update.into()
        })
        .collect();
    map! { "version" => 2, "updates" => Yaml::List(updates) }
}
