//! Cargo: `cargo build --release` in the context, whose messages name the programs.
//!
//! It builds into the target folder that the developer uses too, so that nothing is compiled twice.

use std::path::{Path, PathBuf};

use serde_json::Value;
use wharf_plan::model::Command;

use super::Job;
use super::assemble::assemble;
use crate::artifact::{Artifact, Record};
use crate::detect::Cargo;
use crate::error::BuildError;
use crate::process::{Step, run};
use crate::snapshot::Scope;
use crate::tool;

pub(super) async fn build(job: &Job, found: &Cargo) -> Result<Artifact, BuildError> {
    let cargo = tool::require("cargo", &job.context)?;
    let mut shown = "cargo build --release".to_owned();
    let mut argv = vec![cargo.into_os_string()];
    argv.extend(
        [
            "build",
            "--release",
            "--bins",
            "--message-format",
            "json-render-diagnostics",
        ]
        .map(Into::into),
    );
    if locked(&job.context) {
        argv.push("--locked".into());
        shown.push_str(" --locked");
    }
    let step = Step::new(argv, &job.context).shown(shown).captured();
    let messages = run(step.env(job.args.clone()), &job.progress).await?;
    let programs = wanted(job, "the Cargo package", programs(&messages))?;
    let mut record = Record::new();
    let named = found
        .default_run
        .as_ref()
        .filter(|name| programs.iter().any(|(other, _)| other == *name));
    let main = match (named, programs.as_slice()) {
        (Some(name), _) => Some(name.clone()),
        (None, [(only, _)]) => Some(only.clone()),
        _ => None,
    };
    record.default_command = procfile_command(job).or(main.map(|name| start(&job.context, &name)));
    assemble(job, "cargo", Scope::Source, programs, record).await
}

/// The programs that the artifact holds: all, or the one that the plan names.
pub(super) fn wanted(
    job: &Job,
    what: &'static str,
    mut programs: Vec<(String, PathBuf)>,
) -> Result<Vec<(String, PathBuf)>, BuildError> {
    if programs.is_empty() {
        return Err(BuildError::NoProgram {
            what,
            dir: job.context.clone(),
        });
    }
    let Some(program) = &job.program else {
        return Ok(programs);
    };
    let names: Vec<String> = programs.iter().map(|(name, _)| name.clone()).collect();
    programs.retain(|(name, _)| name == program);
    if programs.is_empty() {
        return Err(BuildError::OtherProgram {
            what,
            dir: job.context.clone(),
            program: program.clone(),
            there: names.join(", "),
        });
    }
    Ok(programs)
}

/// How a program of `bin` is started: `./name`, or by `PATH` where the source has something else of that name.
pub(super) fn start(context: &Path, name: &str) -> Command {
    let taken = context.join(name).exists();
    Command::Exec(vec![if taken {
        name.to_owned()
    } else {
        format!("./{name}")
    }])
}

/// The `web` line of a Procfile, which is all that a shell command of the detection can come from.
pub(super) fn procfile_command(job: &Job) -> Option<Command> {
    job.detected
        .default_command
        .clone()
        .filter(|command| matches!(command, Command::Shell(_)))
}

/// Whether the package, or the workspace around it, has a lock file.
fn locked(context: &Path) -> bool {
    context
        .ancestors()
        .take_while(|folder| {
            *folder == context
                || folder.join("Cargo.toml").exists()
                || !folder.join(".git").exists()
        })
        .filter(|folder| folder.join("Cargo.toml").exists())
        .any(|folder| folder.join("Cargo.lock").exists())
}

/// The programs that Cargo's messages name (one JSON object a line), with their paths.
fn programs(messages: &[u8]) -> Vec<(String, PathBuf)> {
    let lines = messages
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let mut programs: Vec<(String, PathBuf)> = lines
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter(|message| {
            message["target"]["kind"]
                .as_array()
                .is_some_and(|kinds| kinds.iter().any(|kind| kind == "bin"))
        })
        .filter_map(|message| {
            Some((
                message["target"]["name"].as_str()?.to_owned(),
                PathBuf::from(message["executable"].as_str()?),
            ))
        })
        .collect();
    programs.sort();
    programs.dedup_by(|a, b| a.0 == b.0);
    programs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_programs() {
        let messages = br#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"l"},"executable":null}
not json
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"b"},"executable":"/t/release/b","fresh":true}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"a"},"executable":"/t/release/a"}
{"reason":"build-finished","success":true}"#;
        let expected = [
            ("a".to_owned(), PathBuf::from("/t/release/a")),
            ("b".to_owned(), PathBuf::from("/t/release/b")),
        ];
        assert_eq!(programs(messages), expected);
    }
}
