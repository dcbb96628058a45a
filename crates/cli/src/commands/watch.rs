//! `wharf up --watch`: a release whenever a source file changes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;
use wharf_plan::model::Source;

use crate::args::{Global, Listen};
use crate::commands::release;
use crate::follow::follow;
use crate::output::Output;
use crate::project::Project;

/// An editor writes several files, some of them twice; the release waits until they are quiet.
const QUIET: Duration = Duration::from_millis(200);

/// Folders that hold results, not sources, also where no `.gitignore` says so.
const RESULTS: [&str; 7] = [
    ".git",
    ".wharf",
    "target",
    "node_modules",
    "__pycache__",
    ".venv",
    "dist",
];

/// Watches until it fails.
pub(crate) async fn run(project: &Project, global: &Global, output: &Output) -> anyhow::Result<()> {
    // Logs are shown all the while.
    let output = &Output {
        plain: true,
        ..output.clone()
    };
    let (changes, mut changed) = mpsc::channel::<PathBuf>(1_024);
    let ignored = ignored(&project.base_dir);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        if matches!(event.kind, notify::EventKind::Access(_)) {
            return;
        }
        for path in event.paths {
            if is_source(&path, &ignored) {
                // One change is as good as a thousand: a full queue loses nothing.
                drop(changes.try_send(path));
            }
        }
    })
    .context("cannot watch the source files")?;
    for dir in source_dirs(project, global, output)? {
        watcher
            .watch(&dir, RecursiveMode::Recursive)
            .with_context(|| format!("cannot watch {}", dir.display()))?;
    }
    output.progress("watching the source files; a change is released");
    while let Some(mut path) = changed.recv().await {
        while let Ok(Some(next)) = tokio::time::timeout(QUIET, changed.recv()).await {
            // An editor's temporary file is gone by now; what it became is what people know.
            if !path.exists() {
                path = next;
            }
        }
        let shown = path.strip_prefix(&project.base_dir).unwrap_or(&path);
        output.progress(&format!("{} has changed", shown.display()));
        // A release that fails is shown and mended with the next change; the watch goes on.
        if let Err(error) = release_once(project, global, output).await {
            crate::exit::report(output, &error);
        }
    }
    Ok(())
}

async fn release_once(project: &Project, global: &Global, output: &Output) -> anyhow::Result<()> {
    let (client, accepted) = release::request(project, global, Listen::default(), output).await?;
    let ended = follow(&project.state, &client, &accepted, global.timeout, output).await?;
    release::finish(&accepted, &ended, output)
}

fn source_dirs(
    project: &Project,
    global: &Global,
    output: &Output,
) -> anyhow::Result<Vec<PathBuf>> {
    let plan = project.plan(global, output)?;
    let mut dirs = vec![project.base_dir.clone()];
    for service in plan.services.values() {
        if let Source::Build(build) = &service.source {
            let dir = project.base_dir.join(&build.context);
            let dir = std::fs::canonicalize(&dir)
                .with_context(|| format!("there is no folder {}", dir.display()))?;
            if !dirs.iter().any(|watched| dir.starts_with(watched)) {
                dirs.push(dir);
            }
        }
    }
    Ok(dirs)
}

fn ignored(base_dir: &Path) -> Gitignore {
    let mut builder = GitignoreBuilder::new(base_dir);
    for dir in base_dir.ancestors() {
        // A folder without a `.gitignore`, or with one that cannot be read, ignores nothing.
        drop(builder.add(dir.join(".gitignore")));
        if dir.join(".git").exists() {
            break;
        }
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

fn is_source(path: &Path, ignored: &Gitignore) -> bool {
    let result = path
        .components()
        .any(|part| RESULTS.iter().any(|name| part.as_os_str() == *name));
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let editor =
        name.ends_with('~') || name.starts_with(".#") || name.ends_with(".swp") || name == "4913";
    !result && !editor && !ignored.matched(path, path.is_dir()).is_ignore()
}
