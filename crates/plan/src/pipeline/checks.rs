//! Checks of style, tests of units, and the jobs of the file.

use std::collections::BTreeMap;
use std::convert::Infallible;

use wharf_base::ids::Name;

use super::{Context, Job, Run, Stage, Step, StoreBeside, Triggers, Value, languages, tidy};
use crate::model::{PipelineCheck, Source, StoreEngine};
use crate::template::{Field, Own, Reference, Template};

pub(super) fn jobs(context: &Context<'_>) -> Vec<Job> {
    let mut jobs = vec![];
    for (name, check) in &context.pipeline.lint {
        let mut job = context.job(
            format!("lint-{name}"),
            format!("Lint with {name}"),
            Stage::Lint,
        );
        job.triggers = Triggers::every_change();
        add_check(context, &mut job, check, &check.command.to_string(), false);
        jobs.push(job);
    }
    for (name, test) in &context.pipeline.tests {
        let mut job = context.job(format!("test-{name}"), format!("Test {name}"), Stage::Test);
        job.triggers = Triggers::every_change();
        job.matrix.clone_from(&test.versions);
        job.stores = test
            .stores
            .iter()
            .filter_map(|store| beside(context, store))
            .collect();
        let command = test.check.command.to_string();
        let measured = test
            .coverage
            .and_then(|least| languages::with_coverage(&command, least));
        let folder = tidy(&test.check.folder);
        match measured {
            Some((command, report)) => {
                add_check(context, &mut job, &test.check, &command, true);
                job.artifacts.push(if folder == "." {
                    report.to_owned()
                } else {
                    format!("{folder}/{report}")
                });
            }
            None => add_check(context, &mut job, &test.check, &command, false),
        }
        if let Some(Step::Run(run)) = job.steps.last_mut() {
            run.environment = variables(context, &folder, &test.stores);
        }
        jobs.push(job);
    }
    jobs
}

/// The jobs of the file: they run for every change, after what they name.
pub(super) fn further(context: &Context<'_>) -> Vec<Job> {
    let mut jobs = vec![];
    for (name, further) in &context.pipeline.jobs {
        let mut job = context.job(format!("job-{name}"), name.to_string(), Stage::Further);
        job.triggers = Triggers::every_change();
        job.required = further.required;
        for need in &further.needs {
            job.needs.extend(meant(context, need));
        }
        let command = further.check.command.to_string();
        add_check(context, &mut job, &further.check, &command, false);
        jobs.push(job);
    }
    jobs
}

/// The jobs that a name of the file means: a job of it, a check or a test by its name, or a whole stage.
fn meant(context: &Context<'_>, name: &Name) -> Vec<String> {
    let pipeline = context.pipeline;
    let lint = || pipeline.lint.keys().map(|name| format!("lint-{name}"));
    let tests = || pipeline.tests.keys().map(|name| format!("test-{name}"));
    match name.as_str() {
        "lint" => lint().collect(),
        "test" | "tests" => tests().collect(),
        _ if pipeline.jobs.contains_key(name) => vec![format!("job-{name}")],
        _ => lint()
            .chain(tests())
            .filter(|id| {
                id.split_once('-')
                    .is_some_and(|(_, rest)| rest == name.as_str())
            })
            .collect(),
    }
}

fn add_check(
    context: &Context<'_>,
    job: &mut Job,
    check: &PipelineCheck,
    command: &str,
    coverage: bool,
) {
    let folder = tidy(&check.folder);
    let plain = check.command.to_string();
    let language = languages::of_check(context, check.language, &folder, &plain);
    if let Some(language) = language {
        job.setup.push(languages::setup(context, language, &folder));
        job.steps
            .extend(languages::install(language, &folder, &plain, coverage).map(Step::Run));
    }
    job.steps.push(Step::Run(
        Run::new(job.title.clone(), command).within(&folder),
    ));
}

fn beside(context: &Context<'_>, name: &Name) -> Option<StoreBeside> {
    let store = context.base.stores.get(name)?;
    let (image, known, port) = match store.engine {
        StoreEngine::Postgres => ("postgres", "17", 5432),
        StoreEngine::Redis => ("redis", "7", 6379),
    };
    let version = store.version.as_deref().unwrap_or(known);
    Some(StoreBeside {
        name: name.clone(),
        engine: store.engine,
        image: format!("{image}:{version}-alpine"),
        port,
    })
}

/// The variables of the service that is built in `folder`, as far as they speak of the stores beside the test: the
/// programs find them as they do everywhere. A secret has a value of its own, which protects nothing.
fn variables(context: &Context<'_>, folder: &str, stores: &[Name]) -> BTreeMap<String, Value> {
    let mut variables = BTreeMap::new();
    let services = context.base.services.values().filter(
        |service| matches!(&service.source, Source::Build(build) if tidy(&build.context) == folder),
    );
    for service in services {
        for (name, template) in &service.environment {
            if !variables.contains_key(name)
                && let Some(text) = text(context, template, stores)
            {
                variables.insert(name.clone(), Value::Text(text));
            }
        }
    }
    variables
}

fn text(context: &Context<'_>, template: &Template, stores: &[Name]) -> Option<String> {
    let known = template.references().all(|reference| match reference {
        Reference::Field { of, .. } => stores.contains(of),
        Reference::Secret(_) | Reference::Wharf(Own::Project | Own::Service | Own::Environment) => {
            true
        }
        Reference::Wharf(Own::Release) | Reference::Volume(_) => false,
        Reference::Env { default, .. } => default.is_some(),
    });
    let rendered = template.render(|reference| {
        Ok::<_, Infallible>(match reference {
            Reference::Field { of, field } => field_of(context, of, *field),
            Reference::Secret(_) => "for-tests-only".to_owned(),
            Reference::Env { default, .. } => default.clone().unwrap_or_default(),
            Reference::Wharf(Own::Project) => context.base.name.to_string(),
            Reference::Wharf(_) | Reference::Volume(_) => "test".to_owned(),
        })
    });
    rendered.ok().filter(|_| known)
}

/// A store beside a test listens on this machine and asks for no password.
fn field_of(context: &Context<'_>, store: &Name, field: Field) -> String {
    let Some(engine) = context.base.stores.get(store).map(|store| store.engine) else {
        return String::new();
    };
    let (url, port, user, database) = match engine {
        StoreEngine::Postgres => (
            format!("postgresql://postgres@localhost:5432/{store}"),
            "5432",
            "postgres",
            store.as_str(),
        ),
        StoreEngine::Redis => ("redis://localhost:6379".to_owned(), "6379", "", "0"),
    };
    match field {
        Field::Url => url,
        Field::Host => "localhost".to_owned(),
        Field::Port => port.to_owned(),
        Field::User => user.to_owned(),
        Field::Password => String::new(),
        Field::Database => database.to_owned(),
    }
}
