//! Any valid plan renders: without a panic, the same twice, with legal and unique names, and no reference into nothing.

mod ansible;
mod aws;
mod cloudformation;
mod compose;
mod dockerfile;
mod documents;
mod generator;
mod helm;
mod kubernetes;
mod kustomize;
mod machines;
mod observability;
mod openapi;
mod pipelines;
mod reading;
mod terraform;

use proptest::prelude::*;
use wharf_base::files::FileSet;

use wharf_render::{Rendered, Target};

use crate::examples::{DEFAULT, EXAMPLES, PROJECT, Plans};
use generator::file;

/// How many files are tried; more take longer, and see more.
fn cases(few: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: asked.and_then(|asked| asked.parse().ok()).unwrap_or(few),
        failure_persistence: None,
        // Each try renders every target.
        max_shrink_iters: 100,
        ..ProptestConfig::default()
    }
}

fn plans(yaml: &str) -> Plans {
    Plans::of(yaml.as_bytes())
        .unwrap_or_else(|problems| panic!("the file is not valid: {problems}\n{yaml}"))
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn any_valid_plan_renders(file in file()) {
        let yaml = file.yaml();
        let rendered = plans(&yaml).render_all();
        for (folder, target, one) in &rendered {
            check(target.name, &one.files).map_err(|problem| {
                TestCaseError::fail(format!("{folder}/{}: {problem}\n{yaml}", target.name))
            })?;
        }
        documents::places(&placed(&rendered))
            .map_err(|problem| TestCaseError::fail(format!("{problem}\n{yaml}")))?;
    }
}

proptest! {
    #![proptest_config(cases(4))]

    #[test]
    fn what_is_rendered_twice_is_the_same(file in file()) {
        let plans = plans(&file.yaml());
        for ((folder, target, one), (_, _, other)) in plans.render_all().iter().zip(&plans.render_all()) {
            prop_assert_eq!(&one.files, &other.files, "{}/{}", folder, target.name);
        }
    }
}

/// The repository that people and pipelines see: every target in its folder, and what pipelines bring at the root.
fn placed(rendered: &[(String, &'static Target, Rendered)]) -> FileSet {
    let mut all = FileSet::new();
    for (folder, target, one) in rendered {
        match folder.as_str() {
            DEFAULT => continue,
            PROJECT => all.nest(&format!("deploy/{}", target.name), one.files.clone()),
            environment => all.nest(
                &format!("deploy/{environment}/{}", target.name),
                one.files.clone(),
            ),
        }
        for (path, file) in &one.files {
            if path.starts_with("deploy/") && all.get(path).is_none() {
                all.add(path, file.text.clone());
            }
        }
    }
    all
}

/// What the reader of the target would refuse, or only see when it is too late.
fn check(target: &str, files: &FileSet) -> Result<(), String> {
    documents::check(files)?;
    match target {
        "kubernetes" | "argocd" | "flux" => kubernetes::check(files),
        "terraform" => terraform::check(files),
        "cloudformation" => cloudformation::check(files),
        "compose" => compose::check(files).and_then(|()| machines::nginx(files)),
        "github-actions" => pipelines::github(files),
        "gitlab-ci" => pipelines::gitlab(files),
        "kustomize" => kustomize::check(files),
        "helm" => helm::check(files),
        "ansible" => ansible::check(files),
        "nginx" => machines::nginx(files),
        "systemd" => machines::systemd(files),
        "userdata" => machines::userdata(files),
        "openapi" => openapi::check(files),
        "dockerfile" => dockerfile::check(files),
        _ => observability::check(files),
    }
}

#[test]
fn the_examples_pass_the_checks() {
    let mut problems = vec![];
    for example in EXAMPLES {
        let all = Plans::of_example(example).render_all();
        problems.extend(documents::places(&placed(&all)).err());
        for (folder, target, rendered) in all {
            if let Err(problem) = check(target.name, &rendered.files) {
                problems.push(format!("{example}: {folder}/{}: {problem}", target.name));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
