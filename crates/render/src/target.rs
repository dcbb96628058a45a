//! The targets: what can be rendered, by name.

use crate::{
    Input, Rendered, alertmanager, ansible, architecture, argocd, cloudformation, cloudwatch,
    compose, dockerfile, flux, github_actions, gitlab_ci, grafana, helm, k6, kubernetes, kustomize,
    locust, loki, nginx, openapi, otel_collector, prometheus, readme, runbook, systemd, terraform,
    userdata,
};

/// One target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name on the command line, and its folder.
    pub name: &'static str,
    /// What it is, in a few words.
    pub summary: &'static str,
    /// Whether it is the same for every environment.
    pub scope: Scope,
    /// Whether the plan has anything for it; if not, why not.
    pub applies: fn(&Input<'_>) -> Result<(), &'static str>,
    /// Makes the files.
    pub make: fn(&Input<'_>, &mut Rendered),
}

/// What a target depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// On the whole file: it holds every environment, and is the same whichever is asked for.
    Project,
    /// On the environment.
    Environment,
}

/// Every target, in the order of the documentation.
pub const TARGETS: &[Target] = &[
    dockerfile::TARGET,
    compose::TARGET,
    kubernetes::TARGET,
    kustomize::TARGET,
    helm::TARGET,
    argocd::TARGET,
    flux::TARGET,
    terraform::TARGET,
    cloudformation::TARGET,
    userdata::TARGET,
    ansible::TARGET,
    github_actions::TARGET,
    gitlab_ci::TARGET,
    prometheus::TARGET,
    alertmanager::TARGET,
    grafana::TARGET,
    loki::TARGET,
    cloudwatch::TARGET,
    otel_collector::TARGET,
    k6::TARGET,
    locust::TARGET,
    nginx::TARGET,
    systemd::TARGET,
    openapi::TARGET,
    architecture::TARGET,
    runbook::TARGET,
    readme::TARGET,
];

impl Target {
    /// The target of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// Renders it.
    #[must_use]
    pub fn render(&self, input: &Input<'_>) -> Rendered {
        let plan = match self.scope {
            Scope::Project => input.base,
            Scope::Environment => input.plan,
        };
        let mut rendered = Rendered::of(plan, self.name);
        (self.make)(input, &mut rendered);
        rendered.finish();
        rendered
    }
}
