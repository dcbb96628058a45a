//! From a folder and programs to an artifact on disk.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use super::{Job, blocking};
use crate::artifact::{self, Artifact, Record, Scratch};
use crate::error::BuildError;
use crate::lock::{Lock, lock};
use crate::process::ProgressSink;
use crate::snapshot::{self, Entry, Fingerprint, Scope};

/// The lock under which artifacts are made and removed.
pub(super) async fn artifacts_lock(
    artifacts: &Path,
    progress: &ProgressSink,
) -> Result<Lock, BuildError> {
    lock(
        &artifacts.join(".lock"),
        &artifacts.display().to_string(),
        progress,
    )
    .await
}

/// The content of a context: its list and its digest.
pub(super) struct Content {
    pub(super) entries: Vec<Entry>,
    pub(super) digest: String,
}

/// Lists and hashes the context; `fingerprint` holds what else the artifact depends on.
pub(super) async fn content(
    job: &Job,
    scope: Scope,
    mut fingerprint: Fingerprint,
) -> Result<Content, BuildError> {
    let (context, except) = (job.context.clone(), job.except());
    let content = blocking(move || {
        let entries = snapshot::list(&context, scope, &except)?;
        snapshot::hash(&context, &entries, &mut fingerprint)?;
        Ok(Content {
            entries,
            digest: fingerprint.finish(),
        })
    })
    .await?;
    warn_of_escaping(job, &content.entries);
    Ok(content)
}

/// Tells of links whose copies will lead elsewhere.
pub(super) fn warn_of_escaping(job: &Job, entries: &[Entry]) {
    for path in snapshot::escaping(entries) {
        job.warn(format!(
            "the link {} leads out of {} and will lead nowhere: replace it by a copy, or build the folder above",
            path.display(),
            job.context.display()
        ));
    }
}

/// Makes the artifact of a snapshot and of programs, by name; finds it where it exists. Every program is in `bin` and,
/// unless something of the snapshot has its name, also at `./<name>` and `./target/release/<name>`.
///
/// What is copied is hashed again, so that the digest is that of the artifact even if the source changes meanwhile.
pub(super) async fn assemble(
    job: &Job,
    tool: &str,
    scope: Scope,
    programs: Vec<(String, PathBuf)>,
    mut record: Record,
) -> Result<Artifact, BuildError> {
    let lock = artifacts_lock(&job.artifacts, &job.progress).await?;
    let (context, artifacts, except) = (job.context.clone(), job.artifacts.clone(), job.except());
    let (mut first, mut second) = (job.fingerprint(tool), job.fingerprint(tool));
    let links = job.links.clone();
    let entries = blocking({
        let context = context.clone();
        move || snapshot::list(&context, scope, &except)
    })
    .await?;
    warn_of_escaping(job, &entries);
    blocking(move || {
        let _held = lock;
        for (name, path) in &programs {
            first.add(name.as_bytes());
            snapshot::hash_program(path, &mut first)?;
        }
        snapshot::hash(&context, &entries, &mut first)?;
        if let Some(artifact) = artifact::reuse(&artifacts, &first.finish()) {
            return Ok(artifact);
        }
        let scratch = Scratch::new(&artifacts)?;
        let (bin, root) = (scratch.path().join("bin"), scratch.path().join("root"));
        if !programs.is_empty() {
            fs::create_dir(&bin).map_err(|e| BuildError::io("cannot make", &bin, e))?;
            record.path_prepend.push("bin".into());
        }
        for (name, path) in &programs {
            second.add(name.as_bytes());
            snapshot::copy_program(path, &bin.join(name), &mut second)?;
        }
        snapshot::copy(&context, &entries, &root, &mut second)?;
        for (name, _) in &programs {
            link_unless_there(&Path::new("../bin").join(name), &root.join(name))?;
            let release = root.join("target/release");
            if fs::create_dir_all(&release).is_ok() {
                link_unless_there(&Path::new("../../../bin").join(name), &release.join(name))?;
            }
        }
        put_links(&root, &links)?;
        let digest = second.finish();
        scratch.keep(&artifacts, &digest, &record)
    })
    .await
}

fn link_unless_there(target: &Path, at: &Path) -> Result<(), BuildError> {
    match symlink(target, at) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
            Err(BuildError::io("cannot make", at, e))
        }
        _ => Ok(()),
    }
}

/// Puts the request's links in place of whatever the snapshot has there.
pub(super) fn put_links(
    root: &Path,
    links: &std::collections::BTreeMap<PathBuf, PathBuf>,
) -> Result<(), BuildError> {
    for (path, target) in links {
        let inside = path
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !inside || path.as_os_str().as_bytes().is_empty() {
            let why = io::Error::new(
                io::ErrorKind::InvalidInput,
                "it does not lie in the artifact",
            );
            return Err(BuildError::io("cannot put a link at", path, why));
        }
        let at = root.join(path);
        // A link among the parents would lead the writing below out of the artifact.
        let mut above = root.to_owned();
        for part in path.parent().into_iter().flat_map(Path::components) {
            above.push(part);
            if above.is_symlink() {
                fs::remove_file(&above).map_err(|e| BuildError::io("cannot remove", &above, e))?;
            }
        }
        if let Some(parent) = at.parent() {
            fs::create_dir_all(parent).map_err(|e| BuildError::io("cannot make", parent, e))?;
        }
        match fs::symlink_metadata(&at) {
            Ok(metadata) if metadata.is_dir() => artifact::remove(&at)?,
            Ok(_) => fs::remove_file(&at).map_err(|e| BuildError::io("cannot remove", &at, e))?,
            Err(_) => {}
        }
        symlink(target, &at).map_err(|e| BuildError::io("cannot make", &at, e))?;
    }
    Ok(())
}
