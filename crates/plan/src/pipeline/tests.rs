use std::collections::{BTreeMap, BTreeSet};

use wharf_base::ids::Name;

use super::*;
use crate::resolve;

const EXAMPLES: [&[u8]; 5] = [
    include_bytes!("../../../../examples/chat/wharf.yaml"),
    include_bytes!("../../../../examples/django-ec2/wharf.yaml"),
    include_bytes!("../../../../examples/django-eks/wharf.yaml"),
    include_bytes!("../../../../examples/items/wharf.yaml"),
    include_bytes!("../../../../examples/items-redis/wharf.yaml"),
];

fn plans(file: &[u8]) -> (Plan, BTreeMap<Name, Plan>) {
    let plan = |environment: Option<&str>| resolve(file, environment).0.unwrap();
    let environments = crate::environments(file)
        .into_iter()
        .map(|name| (name.parse().unwrap(), plan(Some(&name))))
        .collect();
    (plan(None), environments)
}

fn graph(file: &[u8]) -> Vec<Job> {
    let (base, environments) = plans(file);
    jobs(&base, &environments)
}

#[track_caller]
fn job<'a>(jobs: &'a [Job], id: &str) -> &'a Job {
    let ids: Vec<&str> = jobs.iter().map(|job| job.id.as_str()).collect();
    jobs.iter()
        .find(|job| job.id == id)
        .unwrap_or_else(|| panic!("no job {id} in {ids:?}"))
}

fn scripts_of(job: &Job) -> String {
    let scripts = job.steps.iter().map(|step| match step {
        Step::Run(run) => run.script.clone(),
        Step::Tool(tool) => tool.command.clone(),
        Step::Image(_) | Step::Report(_) => String::new(),
    });
    scripts.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_need_is_a_job_that_does_not_come_later() {
    for file in EXAMPLES {
        let jobs = graph(file);
        let ids: BTreeSet<&str> = jobs.iter().map(|job| job.id.as_str()).collect();
        assert_eq!(ids.len(), jobs.len(), "ids are unique");
        for one in &jobs {
            for need in &one.needs {
                assert!(ids.contains(need.as_str()), "{} needs {need}", one.id);
                let rehearsed = one.stage == Stage::Approve;
                assert!(
                    rehearsed || job(&jobs, need).stage <= one.stage,
                    "{} {need}",
                    one.id
                );
            }
        }
    }
}

#[test]
fn production_comes_after_the_rehearsal_and_an_approval() {
    let jobs = graph(EXAMPLES[4]);
    let approve = job(&jobs, "approve-prod");
    for need in [
        "deploy-staging",
        "smoke-staging",
        "integration-staging",
        "dast-staging",
        "load-staging",
    ] {
        assert!(approve.needs.contains(&need.to_owned()), "{need}");
    }
    let staging = job(&jobs, "deploy-staging");
    assert_eq!(staging.triggers.branches, ["develop", "main"]);
    let deploy = job(&jobs, "deploy-prod");
    assert_eq!(deploy.triggers.branches, ["main"]);
    assert!(deploy.needs.contains(&"approve-prod".to_owned()));
    assert!(scripts_of(deploy).contains("canary.sh items-redis-prod api"));
    assert!(!scripts_of(staging).contains("canary.sh"));
    assert_eq!(job(&jobs, "rollback-prod").runs, Runs::WhenReleaseFails);
}

#[test]
fn a_coverage_gate_is_said_to_the_tool() {
    let eks = graph(EXAMPLES[2]);
    assert!(scripts_of(job(&eks, "test-unit")).contains("--cov-fail-under=80"));
    let items = graph(EXAMPLES[3]);
    assert!(scripts_of(job(&items, "test-unit")).contains("--fail-under-lines 85"));
    let said = |command: &str| {
        let least = "80%".parse().expect("a share");
        super::languages::with_coverage(command, least).map(|(command, _)| command)
    };
    assert!(said("npm test").is_some_and(|command| command.contains("{\"lines\":80}")));
    let vitest = said("npx vitest run");
    assert!(vitest.is_some_and(|command| command.contains("--coverage.thresholds.lines=80")));
    assert_eq!(said("make test"), None);
}

#[test]
fn a_test_finds_its_stores_where_they_run() {
    let jobs = graph(EXAMPLES[2]);
    let unit = job(&jobs, "test-unit");
    assert_eq!(unit.stores.len(), 2);
    let Some(Step::Run(run)) = unit.steps.last() else {
        panic!("the test is the last step");
    };
    let text = |name: &str| run.environment.get(name).cloned();
    let database = "postgresql://postgres@localhost:5432/db".to_owned();
    assert_eq!(text("DATABASE_URL"), Some(Value::Text(database)));
    let broker = "redis://localhost:6379/1".to_owned();
    assert_eq!(text("CELERY_BROKER_URL"), Some(Value::Text(broker)));
}

#[test]
fn gates_follow_the_file() {
    let redis = graph(EXAMPLES[4]);
    assert!(scripts_of(job(&redis, "scan-dependencies-trivy")).contains("HIGH,CRITICAL"));
    let items = graph(EXAMPLES[3]);
    assert!(scripts_of(job(&items, "scan-dependencies-trivy")).contains("--severity CRITICAL"));
    let ec2 = graph(EXAMPLES[1]);
    let bandit = job(&ec2, "scan-code-bandit");
    assert!(scripts_of(bandit).contains("--ini .bandit"));
    assert!(
        !bandit.triggers.schedule,
        "there is no schedule in that file"
    );
}

#[test]
fn registries_are_known_by_their_names() {
    let (mut plan, environments) = plans(EXAMPLES[1]);
    assert_eq!(registry(&plan, &environments), Registry::DockerHub);
    plan.images.registry = None;
    let region = "us-east-1".to_owned();
    assert_eq!(registry(&plan, &environments), Registry::Ecr { region });
    plan.images.registry = Some("123456789012.dkr.ecr.eu-west-1.amazonaws.com".to_owned());
    let region = "eu-west-1".to_owned();
    assert_eq!(registry(&plan, &environments), Registry::Ecr { region });
    plan.images.registry = Some("registry.example.com/acme".to_owned());
    let other = Registry::Other("registry.example.com".to_owned());
    assert_eq!(registry(&plan, &environments), other);
    let (items, environments) = plans(EXAMPLES[3]);
    assert_eq!(registry(&items, &environments), Registry::Host);
}
