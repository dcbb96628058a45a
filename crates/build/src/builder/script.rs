//! A `build.command`: it runs in the context, and what it leaves there is the artifact. Also: nothing to build.

use std::path::Path;

use wharf_plan::model::Command;

use super::Job;
use super::assemble::assemble;
use crate::artifact::{Artifact, Record};
use crate::detect::Kind;
use crate::error::BuildError;
use crate::process::{Step, run};
use crate::snapshot::Scope;

/// Runs each time: only the command knows what it depends on.
pub(super) async fn build(job: &Job, line: &Command) -> Result<Artifact, BuildError> {
    let step = Step::new(line.argv(), &job.context)
        .shown(line.to_string())
        .env(job.args.clone());
    run(step, &job.progress).await?;
    let mut record = Record::new();
    if job.context.join("node_modules/.bin").is_dir() {
        record
            .path_prepend
            .push(Path::new("root/node_modules/.bin").to_owned());
    }
    // What starts a program that Wharf has not built itself is known only where nothing has to be in a certain place.
    record.default_command = match &job.detected.kind {
        Kind::Node(_) | Kind::Command => job.detected.default_command.clone(),
        _ => None,
    };
    assemble(job, "command", Scope::Built, Vec::new(), record).await
}

/// The folder as it is.
pub(super) async fn nothing_to_build(job: &Job) -> Result<Artifact, BuildError> {
    let mut record = Record::new();
    record.default_command = job.detected.default_command.clone();
    assemble(job, "copy", Scope::Source, Vec::new(), record).await
}
