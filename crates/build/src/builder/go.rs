//! Go: `go build` of every program of the module, into a folder of the cache, where Go finds what is up to date.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Job;
use super::assemble::assemble;
use super::cargo::{procfile_command, start, wanted};
use crate::artifact::{Artifact, Record};
use crate::detect::Go;
use crate::error::BuildError;
use crate::process::{Step, run};
use crate::snapshot::{Fingerprint, Scope};
use crate::tool;

pub(super) async fn build(job: &Job, _found: &Go) -> Result<Artifact, BuildError> {
    let go = tool::require("go", &job.context)?;
    let mut key = Fingerprint::new("go output");
    key.add(job.context.as_os_str().as_bytes());
    let output = job.cache.join("go").join(key.finish());
    std::fs::create_dir_all(&output).map_err(|e| BuildError::io("cannot make", &output, e))?;

    // Only programs have an install target, whose last part is the name that `go build` gives.
    let format = "{{if eq .Name \"main\"}}{{.Target}}{{end}}";
    let list = Step::new(
        [
            go.as_os_str(),
            "list".as_ref(),
            "-f".as_ref(),
            format.as_ref(),
            "./...".as_ref(),
        ],
        &job.context,
    );
    let listed = run(
        list.shown("go list ./...").captured().env(job.args.clone()),
        &job.progress,
    )
    .await?;
    let names: Vec<String> = String::from_utf8_lossy(&listed)
        .lines()
        .filter_map(|line| {
            Some(
                Path::new(line.trim())
                    .file_name()?
                    .to_string_lossy()
                    .into_owned(),
            )
        })
        .collect();
    // The state of version control is not part of the program: it would change with every commit.
    let mut folder = output.clone().into_os_string();
    folder.push("/");
    let argv = [
        go.as_os_str(),
        "build".as_ref(),
        "-buildvcs=false".as_ref(),
        "-o".as_ref(),
        &folder,
        "./...".as_ref(),
    ];
    run(
        Step::new(argv, &job.context)
            .shown("go build ./...")
            .env(job.args.clone()),
        &job.progress,
    )
    .await?;

    let mut programs: Vec<(String, PathBuf)> = names
        .into_iter()
        .map(|name| (name.clone(), output.join(name)))
        .collect();
    programs.sort();
    programs.dedup();
    let programs = wanted(job, "the Go module", programs)?;
    let mut record = Record::new();
    let main = if let [(only, _)] = programs.as_slice() {
        Some(start(&job.context, only))
    } else {
        None
    };
    record.default_command = procfile_command(job).or(main);
    assemble(job, "go", Scope::Source, programs, record).await
}
