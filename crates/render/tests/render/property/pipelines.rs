//! Pipelines of GitHub and GitLab: jobs, steps, inputs and outputs that are referred to are there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wharf_base::files::FileSet;

use super::reading::{
    Checked, document, entries, items, keys, known, pattern, text, texts, unique, walk,
};

pub(super) fn github(files: &FileSet) -> Checked {
    let mut workflows = BTreeMap::new();
    for (path, file) in files {
        if path.starts_with(".github/workflows/") {
            workflows.insert(path.as_str(), document(path, &file.text)?);
        }
    }
    for (path, workflow) in &workflows {
        for (id, job) in entries(&workflow["jobs"]) {
            check_job(workflow, id, job, &workflows)
                .map_err(|problem| format!("{path}: {id}: {problem}"))?;
        }
    }
    Ok(())
}

fn check_job(workflow: &Value, id: &str, job: &Value, all: &BTreeMap<&str, Value>) -> Checked {
    if !pattern!("^[A-Za-z_][A-Za-z0-9_-]{0,99}$").is_match(id) {
        return Err("this is no id of a job".to_owned());
    }
    let jobs = &workflow["jobs"];
    let needs = texts(&job["needs"]);
    needs
        .iter()
        .try_for_each(|name| known("needs", name, keys(jobs)))?;
    unique("needs", needs.iter().copied())?;
    if let Some(called) = text(&job["uses"]).strip_prefix("./") {
        let called = all
            .get(called)
            .ok_or_else(|| format!("there is no workflow {called}"))?;
        let wants = &called["on"]["workflow_call"];
        for (given, section) in [("with", "inputs"), ("secrets", "secrets")] {
            for name in keys(&job[given]) {
                known(section, name, keys(&wants[section]))?;
            }
            for (name, want) in entries(&wants[section]) {
                if want["required"] == true && job[given][name].is_null() && job[given] != "inherit"
                {
                    return Err(format!("it is called without {name} of its {section}"));
                }
            }
        }
    }
    let steps: Vec<&str> = items(&job["steps"])
        .map(|step| text(&step["id"]))
        .filter(|id| !id.is_empty())
        .collect();
    unique("steps", steps.iter().copied())?;
    let mut problem = Ok(());
    walk(job, &mut |_, value| {
        for line in texts(value) {
            let checked = expressions(line).try_for_each(|(kind, name, rest)| match kind {
                "steps" => known("step", name, steps.iter().copied()),
                "matrix" => known("matrix", name, matrix(job)),
                "inputs" => known("input", name, inputs(workflow)),
                "needs" => {
                    known("needs", name, needs.iter().copied())?;
                    let other = &jobs[name];
                    match rest.strip_prefix("outputs.") {
                        Some(output) if other["uses"].is_null() => {
                            known("output", output, keys(&other["outputs"]))
                        }
                        _ => Ok(()),
                    }
                }
                _ => Ok(()),
            });
            if problem.is_ok() {
                problem = checked;
            }
        }
    });
    problem
}

fn inputs(workflow: &Value) -> impl Iterator<Item = &str> {
    let on = &workflow["on"];
    keys(&on["workflow_call"]["inputs"]).chain(keys(&on["workflow_dispatch"]["inputs"]))
}

fn matrix(job: &Value) -> impl Iterator<Item = &str> {
    let matrix = &job["strategy"]["matrix"];
    keys(matrix).chain(items(&matrix["include"]).flat_map(keys))
}

/// `(context, name, what follows)` of what the expressions of a line refer to.
fn expressions(line: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    let whole = pattern!(r"\$\{\{(.*?)\}\}")
        .captures_iter(line)
        .filter_map(|one| one.get(1));
    let names = pattern!(r"\b(steps|needs|matrix|inputs)\.([A-Za-z0-9_-]+)\.?([A-Za-z0-9_.-]*)");
    whole
        .flat_map(|one| names.captures_iter(one.as_str()))
        .map(|found| {
            let part = |index| {
                found
                    .get(index)
                    .map_or("", |part: regex::Match<'_>| part.as_str())
            };
            (part(1), part(2), part(3))
        })
}

/// What is no job. <https://docs.gitlab.com/ci/yaml/>
const KEYWORDS: [&str; 7] = [
    "default",
    "include",
    "stages",
    "variables",
    "workflow",
    "spec",
    "image",
];

pub(super) fn gitlab(files: &FileSet) -> Checked {
    let Some(file) = files.get(".gitlab-ci.yml") else {
        return Ok(());
    };
    let pipeline = document(".gitlab-ci.yml", &file.text)?;
    let jobs = || entries(&pipeline).filter(|(name, _)| !KEYWORDS.contains(name));
    let names: BTreeSet<&str> = jobs().map(|(name, _)| name).collect();
    let stages = texts(&pipeline["stages"]);
    unique("stages", stages.iter().copied())?;
    for (name, job) in jobs() {
        let told = |problem: String| format!("{name}: {problem}");
        if name.is_empty() || name.len() > 255 {
            return Err(told("a name has 1 to 255 characters".to_owned()));
        }
        if let Some(stage) = job["stage"].as_str() {
            known(
                "stage",
                stage,
                stages.iter().copied().chain([".pre", ".post"]),
            )
            .map_err(told)?;
        }
        let needs: Vec<&str> = items(&job["needs"])
            .map(|need| need.as_str().unwrap_or_else(|| text(&need["job"])))
            .collect();
        unique("needs", needs.iter().copied()).map_err(told)?;
        let others = needs
            .into_iter()
            .chain(texts(&job["dependencies"]))
            .chain(texts(&job["extends"]));
        for other in others.chain(job["environment"]["on_stop"].as_str()) {
            known("job", other, names.iter().copied()).map_err(told)?;
            if names.contains(other)
                && other.starts_with('.')
                && !texts(&job["extends"]).contains(&other)
            {
                return Err(told(format!("{other} never runs")));
            }
        }
    }
    Ok(())
}

#[test]
fn sees_what_is_broken() {
    let whole = "on:\n  workflow_call:\n    inputs:\n      size: {}\njobs:\n  build:\n    outputs: { image: x }\n    steps:\n\
                 \x20     - id: one\n      - run: echo ${{ steps.one.outputs.x }} ${{ inputs.size }}\n  deploy:\n    needs: [build]\n\
                 \x20   steps:\n      - run: helm upgrade shop ${{ needs.build.outputs.image }}\n  again:\n    uses: ./.github/workflows/a.yml\n\
                 \x20   with: { size: 1 }\n";
    super::reading::proves(
        github,
        ".github/workflows/a.yml",
        whole,
        &[
            ("[build]", "[builds]", "needs `builds`"),
            ("steps.one", "steps.two", "step `two`"),
            ("inputs.size", "inputs.sizes", "input `sizes`"),
            ("outputs.image", "outputs.images", "output `images`"),
            ("needs.build", "needs.again", "needs `again`"),
            ("a.yml", "b.yml", "no workflow"),
            ("with: { size", "with: { sizes", "inputs `sizes`"),
            ("  deploy:", "  9deploy:", "no id of a job"),
        ],
    );
    let whole = "stages: [test]\n.base:\n  image: x\na:\n  stage: test\n  extends: .base\nb:\n  needs: [a]\n  stage: test\n";
    super::reading::proves(
        gitlab,
        ".gitlab-ci.yml",
        whole,
        &[
            ("stage: test", "stage: tests", "stage `tests`"),
            ("[a]", "[c]", "job `c`"),
            ("[a]", "[.base]", "never runs"),
            ("extends: .base", "extends: .bases", "job `.bases`"),
        ],
    );
}
