//! What is asked of an environment after a release: is it there, does it work, is it safe, does it carry the load.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_base::ids::Name;

use super::{
    Context, Job, Mount, Run, Stage, Step, Tool, Triggers, Value, delivered, folder, languages,
    scans,
};
use crate::model::{Plan, Scanner, TargetKind, Tls};

/// The environment in which `production` is rehearsed: one that asks for no approval, `staging` before all others. None
/// where `production` asks for no approval itself, or where there is no other.
#[must_use]
pub fn rehearsal<'a>(
    environments: &'a BTreeMap<Name, Plan>,
    production: &Name,
) -> Option<&'a Name> {
    let plan = environments.get(production)?;
    if !plan.target.approval {
        return None;
    }
    let others = || {
        delivered(environments)
            .filter(|(_, other)| !other.target.approval && other.target.kind == plan.target.kind)
            .map(|(name, _)| name)
    };
    others()
        .find(|name| name.as_str() == "staging")
        .or_else(|| others().last())
}

/// Where an environment is reached from outside; none: the file does not say, and a setting of the pipeline does.
#[must_use]
pub fn base_url(plan: &Plan) -> Option<String> {
    let route = plan.routes.iter().find(|route| {
        route
            .host
            .as_deref()
            .is_some_and(|host| !host.starts_with('*'))
    })?;
    let host = route.host.as_deref()?;
    let certificate = plan
        .cloud
        .as_ref()
        .is_some_and(|cloud| cloud.load_balancer.certificate.is_some());
    let scheme = if certificate || route.tls == Tls::Auto {
        "https"
    } else {
        "http"
    };
    Some(format!("{scheme}://{host}"))
}

/// The value of `BASE_URL` in jobs of an environment.
pub(super) fn base_url_value(plan: &Plan) -> Value {
    base_url(plan).map_or_else(|| Value::Setting("BASE_URL".to_owned()), Value::Text)
}

/// The jobs that verify a release to `environment`. The smoke test is asked of every environment, the rest of those in
/// which something else is rehearsed, or of the only one.
pub(super) fn jobs(
    context: &Context<'_>,
    environment: &Name,
    plan: &Plan,
    branches: &[String],
) -> Vec<Job> {
    let pipeline = context.pipeline;
    let mut jobs = vec![];
    let job = |what: &str, title: String, stage: Stage, needs: Vec<String>| {
        let mut job = context.job(format!("{what}-{environment}"), title, stage);
        job.triggers = Triggers {
            branches: branches.to_vec(),
            ..Triggers::default()
        };
        job.needs = needs;
        job.environment = Some(environment.clone());
        job
    };
    let deploy = format!("deploy-{environment}");
    let mut before = vec![deploy];
    if let Some(smoke) = &pipeline.smoke {
        let mut smoke_job = job(
            "smoke",
            format!("Smoke test of {environment}"),
            Stage::Smoke,
            before.clone(),
        );
        smoke_job.steps.push(Step::Run(
            Run::new("Smoke test", smoke.to_string()).with("BASE_URL", base_url_value(plan)),
        ));
        before = vec![smoke_job.id.clone()];
        jobs.push(smoke_job);
    }
    if !is_verified_in_full(context, environment, plan) {
        return jobs;
    }
    if let Some(integration) = &pipeline.integration {
        let command = integration.to_string();
        let mut job = job(
            "integration",
            format!("Integration tests of {environment}"),
            Stage::Integration,
            before.clone(),
        );
        if let Some(language) = languages::of_program(&command) {
            job.setup.push(languages::setup(context, language, "."));
            job.steps
                .extend(languages::install(language, ".", &command, false).map(Step::Run));
        }
        job.steps.push(Step::Run(
            Run::new("Integration tests", command).with("BASE_URL", base_url_value(plan)),
        ));
        jobs.push(job);
    }
    if pipeline.scan.dynamic.contains(&Scanner::Zap) {
        let mut job = job(
            "dast",
            format!("DAST of {environment}"),
            Stage::DynamicScan,
            before.clone(),
        );
        // What attacks (XSS, SQL injection) stays out of production: there only what looks is used.
        let scan = if plan.target.approval {
            "zap-baseline.py -t \"$BASE_URL\" -m 2"
        } else {
            "zap-full-scan.py -t \"$BASE_URL\" -m 2 -T 15"
        };
        job.steps.push(Step::Tool(Tool {
            title: "Probe".to_owned(),
            image: scans::ZAP.to_owned(),
            command: format!("{scan} -c .zap/rules.tsv -J reports/zap.json -r reports/zap.html -I"),
            entrypoint: false,
            mount: Mount::At("/zap/wrk"),
            environment: BTreeMap::from([("BASE_URL".to_owned(), base_url_value(plan))]),
        }));
        job.artifacts.push("reports".to_owned());
        jobs.push(job);
    }
    if let Some(scenario) = &pipeline.load {
        let mut job = job(
            "load",
            format!("Load test of {environment}"),
            Stage::Load,
            // Probes and load at the same time would blame each other.
            jobs.iter()
                .map(|job| job.id.clone())
                .filter(|id| !id.starts_with("smoke"))
                .chain(before.clone())
                .collect(),
        );
        job.steps.push(Step::Tool(Tool {
            title: "Load test".to_owned(),
            image: format!("docker.io/grafana/k6:{}", context.version("k6", "1.8.1")),
            command: format!(
                "k6 run --summary-export reports/{scenario}.json {}/{scenario}.js",
                folder("k6", None)
            ),
            entrypoint: true,
            mount: Mount::Anywhere,
            environment: BTreeMap::from([("BASE_URL".to_owned(), base_url_value(plan))]),
        }));
        job.artifacts.push("reports".to_owned());
        if let Some(scenario) = context.base.load.get(scenario) {
            // The test itself, and what comes before it.
            let least = scenario.duration + Duration::from_secs(10 * 60);
            job.timeout = job.timeout.max(least);
        }
        jobs.push(job);
    }
    jobs
}

/// Whether everything is verified here: where production is rehearsed, else in production itself.
fn is_verified_in_full(context: &Context<'_>, environment: &Name, plan: &Plan) -> bool {
    if !plan.target.approval {
        let rehearsed = delivered(context.environments).any(|(production, _)| {
            rehearsal(context.environments, production) == Some(environment)
        });
        let alone = delivered(context.environments).all(|(_, plan)| !plan.target.approval);
        return rehearsed || alone;
    }
    rehearsal(context.environments, environment).is_none() && plan.target.kind != TargetKind::Local
}
