//! Node.js: dependencies from the lock file, the `build` script, both in a copy of the context.
//!
//! Installed dependencies are kept in `<cache>/node/<key>/node_modules`, read-only, and put into further builds by hard
//! links. That is done only where the key says all: no install scripts of the package itself, no workspace, no dependency
//! outside of the folder.

use std::fs;
use std::path::{Path, PathBuf};

use super::assemble::{artifacts_lock, content, put_links};
use super::{Job, blocking};
use crate::artifact::{self, Artifact, Record, Scratch};
use crate::detect::{Manager, Node};
use crate::error::BuildError;
use crate::process::{Progress, Step, run};
use crate::snapshot::{self, Fingerprint, Scope};
use crate::tool;
use crate::tree;

/// Scripts of the package that `install` runs: they may read anything in it.
const INSTALL_SCRIPTS: [&str; 6] = [
    "preinstall",
    "install",
    "postinstall",
    "prepublish",
    "preprepare",
    "prepare",
];

/// What decides which dependencies are installed, besides package.json.
const LOCK_FILES: [&str; 7] = [
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
];

pub(super) async fn build(job: &Job, found: &Node) -> Result<Artifact, BuildError> {
    let node = tool::require("node", &job.context)?;
    let manager = found.manager.as_str();
    let needs_manager = found.dependencies || found.scripts.contains_key("build");
    let manager_program = if needs_manager {
        Some(tool::require(manager, &job.context)?)
    } else {
        None
    };
    if !found.locked && found.dependencies {
        job.warn(format!(
            "{} has no lock file: dependencies are whatever is newest now",
            job.context.display()
        ));
    }

    let fingerprint = || {
        let mut fingerprint = job.fingerprint("node");
        fingerprint.add(tool::identity(&node).as_bytes());
        if let Some(program) = &manager_program {
            fingerprint.add(tool::identity(program).as_bytes());
        }
        fingerprint
    };
    let found_content = content(job, Scope::Source, fingerprint()).await?;
    let lock = artifacts_lock(&job.artifacts, &job.progress).await?;
    // What lies outside of the folder is not in the digest, so that a build of the same digest may differ.
    if !found.reaches_out
        && let Some(artifact) = artifact::reuse(&job.artifacts, &found_content.digest)
    {
        return Ok(artifact);
    }
    let scratch = Scratch::new(&job.artifacts)?;
    let root = scratch.path().join("root");
    // Hashed again while it is copied, so that the digest holds even if the source changes meanwhile.
    let digest = blocking({
        let (context, root, mut copied) = (job.context.clone(), root.clone(), fingerprint());
        move || {
            snapshot::copy_writable(&context, &found_content.entries, &root, &mut copied)?;
            Ok(copied.finish())
        }
    })
    .await?;
    if found.dependencies {
        install(job, found, &node, &root).await?;
    }
    if found.scripts.contains_key("build") {
        let step = Step::new([manager, "run", "build"], &root).env(job.args.clone());
        run(step.env([("CI", "1")]), &job.progress)
            .await
            .map_err(|e| relabel(e, &root, &job.context))?;
    }
    let mut record = Record::new();
    record.default_command = job.detected.default_command.clone();
    record
        .env
        .insert("NODE_ENV".to_owned(), "production".to_owned());
    record.path_prepend.push("root/node_modules/.bin".into());
    let (artifacts, links) = (job.artifacts.clone(), job.links.clone());
    blocking(move || {
        let _held = lock;
        let cache = root.join("node_modules/.cache");
        artifact::remove(&cache)?;
        tree::seal(&root)?;
        put_links(&root, &links)?;
        scratch.keep(&artifacts, &digest, &record)
    })
    .await
}

/// Puts the dependencies into `root`, from the cache where they are there.
async fn install(job: &Job, found: &Node, node: &Path, root: &Path) -> Result<(), BuildError> {
    let keepable = !found.reaches_out
        && found.members.is_empty()
        && INSTALL_SCRIPTS
            .iter()
            .all(|script| !found.scripts.contains_key(*script));
    let kept = job.cache.join("node").join(key(job, found, node)?);
    let modules = root.join("node_modules");
    if keepable && kept.join("node_modules").is_dir() {
        (job.progress)(Progress::Step("dependencies are unchanged".to_owned()));
        return blocking(move || tree::link_tree(&kept.join("node_modules"), &modules)).await;
    }
    let argv: &[&str] = match (found.manager, found.locked) {
        (Manager::Npm, true) => &["npm", "ci", "--include=dev", "--no-audit", "--no-fund"],
        (Manager::Npm, false) => &["npm", "install", "--include=dev", "--no-audit", "--no-fund"],
        (Manager::Pnpm, _) => &["pnpm", "install", "--frozen-lockfile", "--prod=false"],
        // The first Yarn and the later ones have different words for it.
        (Manager::Yarn, _) if root.join(".yarnrc.yml").exists() => {
            &["yarn", "install", "--immutable"]
        }
        (Manager::Yarn, _) => &["yarn", "install", "--frozen-lockfile", "--production=false"],
    };
    // Not linked to pnpm's own store: what is sealed below would be sealed there too.
    let own_files = [("npm_config_package_import_method", "clone-or-copy")];
    let step = Step::new(argv, root).env(own_files).env(job.args.clone());
    run(step, &job.progress)
        .await
        .map_err(|e| relabel(e, root, &job.context))?;
    if !keepable || !modules.is_dir() {
        return Ok(());
    }
    blocking(move || {
        let new = kept.with_extension("new");
        artifact::remove(&new)?;
        fs::create_dir_all(&new).map_err(|e| BuildError::io("cannot make", &new, e))?;
        tree::seal(&modules)?;
        tree::link_tree(&modules, &new.join("node_modules"))?;
        artifact::remove(&kept)?;
        fs::rename(&new, &kept).map_err(|e| BuildError::io("cannot make", &kept, e))
    })
    .await
}

/// What installed dependencies depend on.
fn key(job: &Job, found: &Node, node: &Path) -> Result<String, BuildError> {
    let mut key = Fingerprint::new("node_modules 1");
    key.add(found.manager.as_str().as_bytes());
    key.add(tool::identity(node).as_bytes());
    for (name, value) in &job.args {
        key.add(name.as_bytes());
        key.add(value.as_bytes());
    }
    let package = fs::read(job.context.join("package.json"));
    let package =
        package.map_err(|e| BuildError::io("cannot read", &job.context.join("package.json"), e))?;
    let package: serde_json::Value = serde_json::from_slice(&package).unwrap_or_default();
    for part in [
        "dependencies",
        "devDependencies",
        "optionalDependencies",
        "peerDependencies",
        "overrides",
        "resolutions",
        "pnpm",
    ] {
        key.add(
            package
                .get(part)
                .map(ToString::to_string)
                .unwrap_or_default()
                .as_bytes(),
        );
    }
    for name in LOCK_FILES {
        key.add(&fs::read(job.context.join(name)).unwrap_or_default());
    }
    Ok(key.finish())
}

/// Errors name the user's folder, not the copy in which the command ran.
fn relabel(error: BuildError, copy: &Path, context: &Path) -> BuildError {
    match error {
        BuildError::Failed {
            command,
            dir,
            status,
            mut tail,
            hint,
        } if dir == copy => {
            let (copy, shown) = (copy.display().to_string(), context.display().to_string());
            for line in &mut tail.0 {
                *line = line.replace(&copy, &shown);
            }
            BuildError::Failed {
                command,
                dir: PathBuf::from(shown),
                status,
                tail,
                hint,
            }
        }
        other => other,
    }
}
