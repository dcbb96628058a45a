//! What the jobs of a pipeline are written in, where the file does not say: the language of the build in their folder.

use crate::model::{Language, Pipeline, Plan, Service, Source};

/// Gives each job without a language that of the build in its folder. Who learns the language of a build later calls it
/// again.
pub fn fill(plan: &mut Plan) {
    let Plan {
        pipeline: Some(pipeline),
        services,
        ..
    } = plan
    else {
        return;
    };
    let Pipeline {
        lint, tests, jobs, ..
    } = pipeline;
    let checks = lint
        .values_mut()
        .chain(tests.values_mut().map(|test| &mut test.check))
        .chain(jobs.values_mut().map(|job| &mut job.check));
    for check in checks.filter(|check| check.language.is_none()) {
        let folder = plain(&check.folder);
        check.language = services
            .values()
            .find_map(|service| built_in(service, folder));
    }
}

fn built_in(service: &Service, folder: &str) -> Option<Language> {
    match &service.source {
        Source::Build(build) if plain(&build.context) == folder => {
            build.toolchain.as_ref().map(|toolchain| toolchain.language)
        }
        _ => None,
    }
}

/// A folder without what says nothing: `./app/` is `app`, and `.` is empty.
fn plain(path: &str) -> &str {
    let path = path.trim_start_matches("./").trim_end_matches('/');
    if path == "." { "" } else { path }
}
