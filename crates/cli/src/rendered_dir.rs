//! A folder of rendered files: what is in it, what would change, how it is written.
//!
//! Beside the files lies `.wharf-render.json`: the plan that they were made from, and the SHA-256 of each file as it was
//! written. So a file that somebody changed by hand is known, and is never written over without being asked; a file
//! that is not rendered any more is deleted, and no other.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wharf_base::files::{File, FileSet};
use wharf_plan::model::Plan;

/// What the folder remembers; version 1. A reader that does not know the version refuses the folder.
const MANIFEST: &str = ".wharf-render.json";
const VERSION: u32 = 1;

/// A folder that targets are rendered into.
pub(crate) struct RenderedDir {
    pub(crate) dir: PathBuf,
    manifest: Manifest,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Manifest {
    version: u32,
    /// The plan of the last rendering.
    plan: Option<serde_json::Value>,
    /// The files of each target: path in the folder -> SHA-256.
    targets: BTreeMap<String, BTreeMap<String, String>>,
}

/// What would happen to one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileChange {
    /// Its path in the folder.
    pub(crate) path: String,
    pub(crate) kind: FileChangeKind,
    /// Whether somebody changed it by hand since it was rendered.
    pub(crate) edited: bool,
    /// What is there; empty if nothing is.
    pub(crate) old: String,
    /// What is to be there; empty if nothing is.
    pub(crate) new: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileChangeKind {
    Added,
    Changed,
    Removed,
}

impl RenderedDir {
    /// Reads what the folder remembers; it need not exist.
    pub(crate) fn open(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(MANIFEST);
        let manifest = match std::fs::read(&path) {
            Ok(bytes) => {
                let manifest: Manifest = serde_json::from_slice(&bytes).with_context(|| {
                    format!("{} is damaged: delete it to render anew", path.display())
                })?;
                anyhow::ensure!(
                    manifest.version == VERSION,
                    "{} is of another version of wharf ({}): delete it to render anew",
                    path.display(),
                    manifest.version
                );
                // What it names may be deleted, so it names nothing outside of the folder.
                let inside = |path: &String| {
                    Path::new(path)
                        .components()
                        .all(|part| matches!(part, Component::Normal(_)))
                };
                anyhow::ensure!(
                    manifest
                        .targets
                        .values()
                        .flat_map(BTreeMap::keys)
                        .all(inside),
                    "{} names files outside of its folder: delete it to render anew",
                    path.display()
                );
                manifest
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Manifest::default(),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        Ok(Self {
            dir: dir.to_owned(),
            manifest,
        })
    }

    /// The targets that are rendered here.
    pub(crate) fn targets(&self) -> Vec<String> {
        self.manifest.targets.keys().cloned().collect()
    }

    /// The plan of the last rendering; none if there was none, or it was of a version that said other things.
    pub(crate) fn plan(&self) -> Option<Plan> {
        serde_json::from_value(self.manifest.plan.clone()?).ok()
    }

    /// What would change if `files` were written as `target`.
    pub(crate) fn changes(&self, target: &str, files: &FileSet) -> anyhow::Result<Vec<FileChange>> {
        let mut changes = vec![];
        let before = self.manifest.targets.get(target);
        for (path, file) in files {
            let path = format!("{target}/{path}");
            let old = self.read(&path)?;
            let edited = match (&old, before.and_then(|files| files.get(&path))) {
                (Some(old), Some(hash)) => sha256(old) != *hash,
                // A file that is not ours is as good as one that was changed.
                (Some(_), None) => true,
                (None, _) => false,
            };
            match old {
                Some(old) if old == file.text => {}
                Some(old) => changes.push(FileChange {
                    path,
                    kind: FileChangeKind::Changed,
                    edited,
                    old,
                    new: file.text.clone(),
                }),
                None => changes.push(FileChange {
                    path,
                    kind: FileChangeKind::Added,
                    edited: false,
                    old: String::new(),
                    new: file.text.clone(),
                }),
            }
        }
        for (path, hash) in before.into_iter().flatten() {
            let inner = path.strip_prefix(&format!("{target}/")).unwrap_or(path);
            if files.get(inner).is_some() {
                continue;
            }
            if let Some(old) = self.read(path)? {
                changes.push(FileChange {
                    path: path.clone(),
                    kind: FileChangeKind::Removed,
                    edited: sha256(&old) != *hash,
                    old,
                    new: String::new(),
                });
            }
        }
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(changes)
    }

    /// Applies the changes of `target`. Each file is replaced in one step, so that no reader sees half of one.
    pub(crate) fn write(
        &mut self,
        target: &str,
        files: &FileSet,
        changes: &[FileChange],
    ) -> anyhow::Result<()> {
        // Most files lie in a folder that was just made.
        let mut made = BTreeSet::new();
        for change in changes {
            let path = self.dir.join(&change.path);
            if change.kind == FileChangeKind::Removed {
                std::fs::remove_file(&path)
                    .with_context(|| format!("cannot delete {}", path.display()))?;
                self.remove_empty_folders(&path);
                continue;
            }
            let inner = change.path.strip_prefix(&format!("{target}/"));
            if let Some(file) = inner.and_then(|inner| files.get(inner)) {
                if let Some(folder) = path.parent()
                    && made.insert(folder.to_owned())
                {
                    make_folder(folder)?;
                }
                replace(&path, file)?;
            }
        }
        let hashes = files
            .iter()
            .map(|(path, file)| (format!("{target}/{path}"), sha256(&file.text)))
            .collect();
        self.manifest.targets.insert(target.to_owned(), hashes);
        Ok(())
    }

    /// Remembers what was written, and from which plan.
    pub(crate) fn close(mut self, plan: &Plan) -> anyhow::Result<()> {
        self.manifest.version = VERSION;
        self.manifest.plan = Some(serde_json::to_value(plan)?);
        let text = serde_json::to_string_pretty(&self.manifest)? + "\n";
        let file = File {
            text,
            executable: false,
        };
        make_folder(&self.dir)?;
        replace(&self.dir.join(MANIFEST), &file)
    }

    fn read(&self, path: &str) -> anyhow::Result<Option<String>> {
        let path = self.dir.join(path);
        match std::fs::read(&path) {
            // What is no text was not written here; its change shows as such.
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    fn remove_empty_folders(&self, path: &Path) {
        for folder in path.ancestors().skip(1) {
            // Stops at the first that is not empty.
            if folder == self.dir || std::fs::remove_dir(folder).is_err() {
                return;
            }
        }
    }
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn make_folder(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// Writes a file in a folder that is there.
fn replace(path: &Path, file: &File) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let shown = path.display();
    let write = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".wharf-new");
        let new = folder.join(name);
        let written = (|| {
            let mut open = std::fs::File::create(&new)?;
            open.write_all(file.text.as_bytes())?;
            let mode = if file.executable { 0o755 } else { 0o644 };
            open.set_permissions(std::fs::Permissions::from_mode(mode))?;
            std::fs::rename(&new, path)
        })();
        if written.is_err() {
            drop(std::fs::remove_file(&new));
        }
        written
    };
    write().with_context(|| format!("cannot write {shown}"))
}
