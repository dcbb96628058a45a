//! Grafana: data sources, and dashboards of what the plan has.
//!
//! ```text
//! provisioning/datasources/datasources.yml   Prometheus, Loki, Jaeger; CloudWatch where there is a cloud
//! provisioning/dashboards/dashboards.yml     where the dashboards are
//! dashboards/NAME.json                       one a subject
//! README.md
//! ```
//!
//! Every query asks for series of the vocabulary of [`wharf_plan::rules`]; a dashboard, a row or a panel is there only if
//! the plan has what exposes its series. Every panel has a unit, a description and thresholds that follow from the plan.

mod application;
mod business;
mod cluster;
mod cost;
mod dashboard;
mod database;
mod delivery;
mod infrastructure;
mod logs;
mod objectives;
mod panel;
mod provisioning;
mod redis;

use wharf_base::files::FileSet;
use wharf_plan::model::Plan;
use wharf_plan::rules::vocabulary::Vocabulary;

use crate::{Input, Rendered, Scope, Target, header, template};
use dashboard::Dashboard;

/// The target.
pub const TARGET: Target = Target {
    name: "grafana",
    summary: "Grafana: provisioned data sources and dashboards",
    scope: Scope::Environment,
    applies: |_| Ok(()),
    make,
};

/// The port of Grafana.
pub const PORT: u16 = 3000;

/// The folder that the provisioned dashboards are mounted at.
pub const DASHBOARDS: &str = "/var/lib/grafana/dashboards";

fn make(input: &Input<'_>, out: &mut Rendered) {
    let plan = input.plan;
    configuration(plan, out);
    let rows: Vec<serde_json::Value> = dashboards(plan)
        .iter()
        .map(|dashboard| {
            serde_json::json!({
                "file": dashboard.file,
                "title": dashboard.title,
                "about": dashboard.about,
            })
        })
        .collect();
    out.add(
        "README.md",
        template::fill(
            include_str!("grafana/README.md.in"),
            serde_json::json!({
                "header": header(plan),
                "dashboards": rows,
                "folder": DASHBOARDS,
                "cloud": plan.cloud.is_some(),
            }),
        ),
    );
    gaps(plan, out);
}

/// What Grafana reads: `provisioning/…` and `dashboards/*.json`.
#[must_use]
pub fn files(plan: &Plan) -> FileSet {
    let mut out = Rendered::of(plan, TARGET.name);
    configuration(plan, &mut out);
    out.files
}

fn configuration(plan: &Plan, out: &mut Rendered) {
    provisioning::write(plan, out);
    for dashboard in dashboards(plan) {
        let path = format!("dashboards/{}.json", dashboard.file);
        out.json(&path, dashboard.into_json(plan));
    }
}

fn dashboards(plan: &Plan) -> Vec<Dashboard> {
    let words = Vocabulary::of(plan);
    [
        application::dashboard(&words),
        business::dashboard(&words),
        objectives::dashboard(&words),
        infrastructure::dashboard(&words),
        cluster::dashboard(&words),
        database::dashboard(&words),
        redis::dashboard(&words),
        logs::dashboard(&words),
        delivery::dashboard(&words),
        cost::dashboard(&words),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn gaps(plan: &Plan, out: &mut Rendered) {
    let words = Vocabulary::of(plan);
    if !provisioning::finds_traces_by_label(plan) {
        out.gap(
            "versions.grafana",
            "before 10.3 a trace id is looked for in log lines only, where it is written with dashes: the way from a log line to \
             its trace needs 10.3",
        );
    }
    if plan.pipeline.is_some() && !words.on_kubernetes() {
        out.gap(
            "pipeline.goals",
            "deployments are counted by what a cluster tells of them; here nothing does, so there is no dashboard of deliveries",
        );
    } else if plan.pipeline.is_some() {
        out.gap(
            "pipeline.goals.success",
            "a CI service exposes no metrics of its runs: the dashboard counts deployments that ended well instead",
        );
    }
    if plan.cloud.is_none() {
        out.gap(
            "cost",
            "without a cloud nobody sends a bill: there is no dashboard of cost",
        );
    }
}

#[cfg(test)]
mod tests;
