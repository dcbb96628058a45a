//! Rendering from the command line: the plans of a file, what its folders are written in, the targets that were asked for.

use std::collections::BTreeMap;

use anyhow::Context;
use wharf_base::ids::Name;
use wharf_plan::model::Plan;
use wharf_render::{Input, Rendered, Scope, TARGETS, Target};

use crate::args::Global;
use crate::exit::{Code, failure};
use crate::output::Output;
use crate::project::Project;

/// Everything that targets are made from.
pub(crate) struct Plans {
    base: Plan,
    environments: BTreeMap<Name, Plan>,
    chosen: Option<Name>,
}

impl Plans {
    /// Reads the project's file; prints everything that is wrong with it.
    pub(crate) fn read(
        project: &Project,
        global: &Global,
        output: &Output,
    ) -> anyhow::Result<Self> {
        // The diagnostics are those of every environment, whichever is asked for.
        let chosen_plan = project.plan(global, output)?;
        let bytes = project.read()?;
        let plan = |environment: Option<&str>| {
            let (plan, _) = wharf_plan::resolve(&bytes, environment);
            let mut plan = plan.context("the file has changed while it was read")?;
            wharf_build::toolchain::fill(&mut plan, &project.base_dir)?;
            anyhow::Ok(plan)
        };
        let mut environments = BTreeMap::new();
        for name in wharf_plan::environments(&bytes) {
            let plan = plan(Some(&name))?;
            environments.insert(name.parse::<Name>()?, plan);
        }
        Ok(Self {
            base: plan(None)?,
            environments,
            chosen: chosen_plan.environment,
        })
    }

    /// The plan that was asked for.
    pub(crate) fn chosen(&self) -> &Plan {
        self.chosen
            .as_ref()
            .and_then(|name| self.environments.get(name))
            .unwrap_or(&self.base)
    }

    pub(crate) fn input(&self) -> Input<'_> {
        Input {
            plan: self.chosen(),
            base: &self.base,
            environments: &self.environments,
        }
    }

    /// Renders one target. One that is the same for every environment is made from the file as it stands.
    pub(crate) fn render(&self, target: &Target) -> Rendered {
        let mut input = self.input();
        if target.scope == Scope::Project {
            input.plan = &self.base;
        }
        target.render(&input)
    }

    /// The targets of `words`: names, or `all`, `project`, `environment`. A target that was named and has nothing to do here
    /// is an error; one that a group holds is passed over.
    pub(crate) fn targets(&self, words: &[String]) -> anyhow::Result<Vec<&'static Target>> {
        let mut asked: Vec<&'static Target> = vec![];
        for word in words {
            let group: Option<fn(&Target) -> bool> = match word.as_str() {
                "all" => Some(|_| true),
                "project" => Some(|target| target.scope == Scope::Project),
                "environment" => Some(|target| target.scope == Scope::Environment),
                _ => None,
            };
            if let Some(belongs) = group {
                let input = self.input();
                let group = TARGETS.iter().filter(|target| belongs(target));
                asked.extend(group.filter(|target| (target.applies)(&input).is_ok()));
                continue;
            }
            let target = Target::find(word).ok_or_else(|| unknown(word))?;
            (target.applies)(&self.input()).map_err(|reason| {
                let message = format!("the plan has nothing for {word}: {reason}");
                failure(
                    Code::Usage,
                    message,
                    "`wharf render --list` tells what it has",
                )
            })?;
            asked.push(target);
        }
        let mut seen = std::collections::BTreeSet::new();
        asked.retain(|target| seen.insert(target.name));
        Ok(asked)
    }
}

fn unknown(word: &str) -> anyhow::Error {
    let names = TARGETS.iter().map(|target| target.name);
    let hint = match wharf_spec::diagnostic::nearest(word, names) {
        Some(near) => format!("`{near}` is near; `wharf render --list` shows every target"),
        None => "`wharf render --list` shows every target".to_owned(),
    };
    failure(
        Code::Usage,
        format!("there is no render target `{word}`"),
        hint,
    )
}
