//! Plan -> files for the real engines: one module a target, each a pure function.
//!
//! A target reads the [`Plan`] and nothing else: no file system, no environment, no clock. The same plan gives the same
//! bytes. What a target cannot express it reports as a [`Gap`]; nothing is dropped in silence. Values of secrets never
//! come here: the plan holds references only.

pub mod alertmanager;
pub mod ansible;
pub mod architecture;
pub mod argocd;
pub mod cloudformation;
pub mod cloudwatch;
pub mod compose;
pub mod dockerfile;
pub mod flux;
mod gap;
pub mod github_actions;
pub mod gitlab_ci;
pub mod grafana;
pub mod helm;
pub mod images;
pub mod k6;
pub mod kubernetes;
pub mod kustomize;
mod line;
mod load_profile;
pub mod locust;
pub mod loki;
pub mod machine;
pub mod names;
pub mod nginx;
pub mod openapi;
pub mod otel_collector;
pub mod prometheus;
pub mod readme;
mod rendered;
pub mod runbook;
pub mod systemd;
pub mod target;
pub mod template;
pub mod terraform;
pub mod userdata;
pub mod values;
pub mod yaml;

use std::collections::BTreeMap;

use wharf_base::ids::Name;
use wharf_plan::model::Plan;

pub use gap::Gap;
pub use rendered::Rendered;
pub use target::{Scope, TARGETS, Target};

/// What a target is made from.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The environment that is rendered, or the file as it stands.
    pub plan: &'a Plan,
    /// The file as it stands.
    pub base: &'a Plan,
    /// Every environment of the file, by name: for overlays, values, pipelines.
    pub environments: &'a BTreeMap<Name, Plan>,
}

/// The sentence that every file begins with, without a comment's sign.
#[must_use]
pub fn header(plan: &Plan) -> String {
    match &plan.environment {
        Some(environment) => format!(
            "Made by wharf from wharf.yaml ({}, environment {environment}). Change that file and render again.",
            plan.name
        ),
        None => format!(
            "Made by wharf from wharf.yaml ({}). Change that file and render again.",
            plan.name
        ),
    }
}
