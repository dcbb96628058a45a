//! Python: a virtual environment in the cache, shared by all artifacts with the same requirements, and a snapshot; with Django
//! also its collected static files.
//!
//! ```text
//! <cache>/venv/<key>/             the environment; virtual environments cannot be moved, so it is made in place
//! <cache>/venv/<key>/.wharf-whole written last: without it the environment is made anew
//! <cache>/venv/<key>.lock
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::assemble::{artifacts_lock, content, put_links};
use super::pip::{self, Installer};
use super::{Job, blocking};
use crate::artifact::{self, Artifact, Record, Scratch};
use crate::detect::Python;
use crate::error::BuildError;
use crate::lock::lock;
use crate::process::{Step, run};
use crate::snapshot::{self, Fingerprint, Scope};
use crate::tool;
use crate::tree;

/// What the settings need for it.
const COLLECT_HINT: &str = "`django.contrib.staticfiles` and STATIC_ROOT = BASE_DIR / \"staticfiles\" belong in the settings, which have to load without a store or a secret";

/// Written when an environment is whole.
const WHOLE: &str = ".wharf-whole";

pub(super) async fn build(job: &Job, found: &Python) -> Result<Artifact, BuildError> {
    let python = interpreter(job)?;
    let installer = pip::installer(job, found)?;
    let fingerprint = |environment: &str| {
        let mut fingerprint = job.fingerprint("python");
        fingerprint.add(environment.as_bytes());
        if let Some(settings) = &job.collect {
            fingerprint.add(b"collectstatic");
            for (name, value) in settings {
                fingerprint.add(name.as_bytes());
                fingerprint.add(value.as_bytes());
            }
        }
        fingerprint
    };
    let bare = content(job, Scope::Source, fingerprint("")).await?;

    let mut key = Fingerprint::new("venv 1");
    key.add(tool::identity(&python).as_bytes());
    // Which Python a shim of pyenv starts.
    key.add(
        std::env::var_os("PYENV_VERSION")
            .unwrap_or_default()
            .as_encoded_bytes(),
    );
    key.add(&fs::read(job.context.join(".python-version")).unwrap_or_default());
    for (name, value) in &job.args {
        key.add(name.as_bytes());
        key.add(value.as_bytes());
    }
    installer.add_to(&mut key);
    if installer.needs_project {
        key.add(bare.digest.as_bytes());
    }
    let key = key.finish();
    let venv = job.cache.join("venv").join(&key);
    {
        let name = format!("the Python environment of {}", job.context.display());
        let _of_venv = lock(
            &job.cache.join("venv").join(format!("{key}.lock")),
            &name,
            &job.progress,
        )
        .await?;
        let usable = venv.join(WHOLE).exists() && tool::is_program(&venv.join("bin/python"));
        if !usable || installer.reaches_out {
            make(job, &installer, &python, &venv).await?;
        }
    }

    let lock = artifacts_lock(&job.artifacts, &job.progress).await?;
    let digest = {
        let mut digest = fingerprint(&key);
        digest.add(bare.digest.as_bytes());
        digest.finish()
    };
    if let Some(artifact) = artifact::reuse(&job.artifacts, &digest) {
        return Ok(artifact);
    }
    let scratch = Scratch::new(&job.artifacts)?;
    let root = scratch.path().join("root");
    let copied = blocking({
        let (context, root, mut copied) = (job.context.clone(), root.clone(), fingerprint(""));
        move || {
            snapshot::copy(&context, &bare.entries, &root, &mut copied)?;
            Ok(copied.finish())
        }
    })
    .await?;
    // What was copied names the artifact, even if the source changed since it was first hashed.
    let mut digest = fingerprint(&key);
    digest.add(copied.as_bytes());
    let digest = digest.finish();

    // Compiled once here and not by every replica, which could not write there. What does not compile is left for the program to meet.
    let compile = [
        venv.join("bin/python").as_os_str(),
        "-m".as_ref(),
        "compileall".as_ref(),
        "-q".as_ref(),
        ".".as_ref(),
    ]
    .map(ToOwned::to_owned);
    match run(
        Step::new(compile, &root).shown("python -m compileall"),
        &job.progress,
    )
    .await
    {
        Ok(_) | Err(BuildError::Failed { .. }) => {}
        Err(other) => return Err(other),
    }

    if let Some(settings) = &job.collect {
        collect(job, settings, &venv, &root).await?;
    }

    let mut record = Record::new();
    record.default_command = job.detected.default_command.clone();
    record.path_prepend.push(venv.join("bin"));
    record
        .env
        .insert("VIRTUAL_ENV".to_owned(), venv.display().to_string());
    // Log lines arrive when they are written, not when a buffer is full.
    record
        .env
        .insert("PYTHONUNBUFFERED".to_owned(), "1".to_owned());
    let mut modules = vec![PathBuf::from("root")];
    if job.context.join("src").is_dir() {
        modules.insert(0, PathBuf::from("root/src"));
    }
    record.env_paths.insert("PYTHONPATH".to_owned(), modules);
    record.uses.push(venv);
    let (artifacts, links) = (job.artifacts.clone(), job.links.clone());
    blocking(move || {
        let _held = lock;
        put_links(&root, &links)?;
        scratch.keep(&artifacts, &digest, &record)
    })
    .await
}

/// Has Django put its static files into its `STATIC_ROOT`, in the artifact.
async fn collect(
    job: &Job,
    settings: &BTreeMap<String, String>,
    venv: &Path,
    root: &Path,
) -> Result<(), BuildError> {
    let python = venv.join("bin/python");
    let argv = [
        python.as_os_str(),
        "manage.py".as_ref(),
        "collectstatic".as_ref(),
        "--noinput".as_ref(),
    ];
    let step = Step::new(argv, root)
        .shown("python manage.py collectstatic --noinput")
        .env(job.args.clone())
        .env([("PYTHONPATH", root.join("src"))])
        .env(settings.clone());
    match run(step, &job.progress).await {
        Ok(_) => {}
        Err(BuildError::Failed {
            command,
            status,
            tail,
            ..
        }) => {
            return Err(BuildError::Failed {
                command,
                dir: job.context.clone(),
                status,
                tail,
                hint: Some(COLLECT_HINT.to_owned()),
            });
        }
        Err(other) => return Err(other),
    }
    let made = root.to_owned();
    blocking(move || tree::open_to_readers(&made)).await
}

/// The Python that makes the environment. Where replicas will run as another user, one that every user can run.
fn interpreter(job: &Job) -> Result<PathBuf, BuildError> {
    let first = tool::find("python3").or_else(|| tool::find("python"));
    let Some(first) = first else {
        return tool::require("python3", &job.context);
    };
    if !rustix::process::geteuid().is_root() || tool::open_to_all(&first) {
        return Ok(first);
    }
    let others = ["/usr/bin/python3", "/usr/local/bin/python3"].map(PathBuf::from);
    match others
        .into_iter()
        .find(|path| tool::is_program(path) && tool::open_to_all(path))
    {
        Some(other) => Ok(other),
        None => {
            job.warn(format!(
                "{} can be run by root only, and replicas do not run as root",
                first.display()
            ));
            Ok(first)
        }
    }
}

/// Makes the environment and installs into it. What an earlier, interrupted attempt left is removed.
async fn make(
    job: &Job,
    installer: &Installer,
    python: &Path,
    venv: &Path,
) -> Result<(), BuildError> {
    let old = venv.to_owned();
    blocking(move || artifact::remove(&old)).await?;
    let uv = tool::find("uv");
    let step = match &uv {
        Some(uv) => {
            let argv = [
                uv.as_os_str(),
                "venv".as_ref(),
                "--quiet".as_ref(),
                "--python".as_ref(),
                python.as_os_str(),
                venv.as_os_str(),
            ];
            Step::new(argv, &job.context).shown("uv venv")
        }
        None => {
            let argv = [
                python.as_os_str(),
                "-m".as_ref(),
                "venv".as_ref(),
                venv.as_os_str(),
            ];
            Step::new(argv, &job.context).shown("python -m venv")
        }
    };
    run(step.env(job.args.clone()), &job.progress)
        .await
        .map_err(without_ensurepip)?;
    for step in installer.steps(job, venv, uv.as_deref())? {
        run(step.env(job.args.clone()), &job.progress).await?;
    }
    let (mark, made) = (venv.join(WHOLE), venv.to_owned());
    blocking(move || {
        tree::open_to_readers(&made)?;
        fs::write(&mark, "").map_err(|e| BuildError::io("cannot write", &mark, e))
    })
    .await
}

/// Debian ships `venv` without what it needs.
fn without_ensurepip(error: BuildError) -> BuildError {
    match error {
        BuildError::Failed {
            command,
            dir,
            status,
            tail,
            ..
        } if tail
            .0
            .iter()
            .any(|line| line.contains("ensurepip") || line.contains("python3-venv")) =>
        {
            let hint = tool::install_hint("python3", &tool::os_release());
            BuildError::Failed {
                command,
                dir,
                status,
                tail,
                hint: Some(hint),
            }
        }
        other => other,
    }
}
