//! The texts of the repository: what is neither built nor fetched.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Folders that hold what programs have made.
const MADE: [&str; 7] = [
    "target",
    "node_modules",
    "artifacts",
    "corpus",
    "fixtures",
    "golden",
    "snapshots",
];
/// Folders whose names begin with a dot and that are ours all the same.
const DOTTED: [&str; 3] = [".cargo", ".ci", ".github"];
/// What is read, by the end of its name.
const TEXTS: [&str; 9] = [
    "rs", "md", "toml", "yaml", "yml", "py", "json", "sh", "justfile",
];

/// One file.
#[derive(Debug)]
pub(crate) struct File {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Every text below `root`, by path.
pub(crate) fn read(root: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() {
                if !MADE.contains(&name.as_str())
                    && (!name.starts_with('.') || DOTTED.contains(&name.as_str()))
                {
                    folders.push(entry.path());
                }
            } else if TEXTS.contains(&name.rsplit('.').next().unwrap_or_default()) {
                files.push(load(root, &entry.path())?);
            }
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn load(root: &Path, path: &PathBuf) -> Result<File> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let path = path.strip_prefix(root)?.to_string_lossy().into_owned();
    Ok(File { path, text })
}
