//! The content of a source folder: listed, hashed, copied.
//!
//! A snapshot holds what `.gitignore` and `.wharfignore` files leave, without version control, caches and installed
//! dependencies. Symbolic links stay links. Files keep whether they can be executed and when they were changed, and become
//! read-only: mode 0444 or 0555, so that no replica changes the content of another.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};
use sha2::{Digest, Sha256};

use crate::error::BuildError;

/// More is no source of a service but a folder that was named by mistake.
const FILES_MAX: usize = 200_000;

/// As [`FILES_MAX`].
const BYTES_MAX: u64 = 8 << 30;

/// Large enough that system calls do not count.
const BUFFER_BYTES: usize = 128 << 10;

/// Never part of a snapshot, at any depth: version control, Wharf's own state, caches that tools make anew.
const NEVER: [&str; 12] = [
    ".git",
    ".hg",
    ".svn",
    ".jj",
    ".wharf",
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".tox",
    ".DS_Store",
    ".gradle",
];

/// What a snapshot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Source: what version control would keep. Installed dependencies are left out.
    Source,
    /// What a build command left, whether or not version control ignores it.
    Built,
}

/// One thing in a folder. Paths are relative to the folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) kind: EntryKind,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum EntryKind {
    Folder,
    File { executable: bool },
    Link { target: PathBuf },
}

/// Lists a folder, sorted by path; `except` (absolute paths) is left out.
pub(crate) fn list(
    root: &Path,
    scope: Scope,
    except: &[PathBuf],
) -> Result<Vec<Entry>, BuildError> {
    let mut builder = WalkBuilder::new(root);
    let source = scope == Scope::Source;
    builder
        .hidden(false)
        .ignore(false)
        .git_global(false)
        .git_ignore(source)
        .git_exclude(source)
        .parents(source)
        .require_git(false)
        .follow_links(false)
        .add_custom_ignore_filename(".wharfignore");
    let except = except.to_vec();
    builder.filter_entry(move |entry| wanted(entry, scope, &except));
    let mut entries = Vec::new();
    let mut bytes: u64 = 0;
    for entry in builder.build() {
        let entry = entry.map_err(|e| walk_error(root, e))?;
        let Ok(path) = entry.path().strip_prefix(root) else {
            continue;
        };
        if path.as_os_str().is_empty() {
            continue;
        }
        let metadata = entry.metadata().map_err(|e| walk_error(root, e))?;
        let kind = if metadata.is_dir() {
            EntryKind::Folder
        } else if metadata.is_symlink() {
            let target = fs::read_link(entry.path())
                .map_err(|e| BuildError::io("cannot read", entry.path(), e))?;
            EntryKind::Link { target }
        } else if metadata.is_file() {
            bytes = bytes.saturating_add(metadata.len());
            EntryKind::File {
                executable: metadata.permissions().mode() & 0o111 != 0,
            }
        } else {
            // Sockets, pipes and devices are not content.
            continue;
        };
        entries.push(Entry {
            path: path.to_owned(),
            kind,
        });
        let limit = if entries.len() > FILES_MAX {
            format!("{FILES_MAX} files")
        } else if bytes > BYTES_MAX {
            format!("{} GiB", BYTES_MAX >> 30)
        } else {
            continue;
        };
        return Err(BuildError::TooLarge {
            dir: root.to_owned(),
            limit,
        });
    }
    entries.sort();
    Ok(entries)
}

fn walk_error(root: &Path, error: ignore::Error) -> BuildError {
    let message = error.to_string();
    BuildError::io(
        "cannot list",
        root,
        error
            .into_io_error()
            .unwrap_or_else(|| io::Error::other(message)),
    )
}

fn wanted(entry: &DirEntry, scope: Scope, except: &[PathBuf]) -> bool {
    if entry.depth() == 0 {
        return true;
    }
    let (path, name) = (entry.path(), entry.file_name());
    if NEVER.iter().any(|never| name == *never) || except.iter().any(|except| path == except) {
        return false;
    }
    let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
    match scope {
        Scope::Source if is_dir => {
            // A virtual environment is known by its file, a cache by its tag (https://bford.info/cachedir/).
            name != "node_modules"
                && !path.join("pyvenv.cfg").exists()
                && !path.join("CACHEDIR.TAG").exists()
        }
        Scope::Source => true,
        Scope::Built => built_by_cargo(entry).unwrap_or(true),
    }
}

/// Of Cargo's `target`, which is tagged as a cache and grows to gigabytes, only the programs are wanted:
/// `target/release/x`, `target/<triple>/release/x`. None for what lies elsewhere.
fn built_by_cargo(entry: &DirEntry) -> Option<bool> {
    let path = entry.path();
    let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
    let target = path
        .ancestors()
        .skip(1)
        .take(3)
        .find(|folder| folder.join(".rustc_info.json").exists())?;
    let inner = path.strip_prefix(target).ok()?;
    let depth = inner.components().count();
    if is_dir {
        let name = entry.file_name();
        return Some(
            depth <= 2
                && ![
                    "deps",
                    "build",
                    "incremental",
                    "examples",
                    ".fingerprint",
                    "doc",
                ]
                .iter()
                .any(|n| name == *n),
        );
    }
    let executable = entry
        .metadata()
        .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    let library = path
        .extension()
        .is_some_and(|extension| extension == "so" || extension == "dylib");
    Some(depth >= 2 && executable && !library)
}

/// Links of a snapshot that lead out of it by a relative way: in a copy of the folder they lead elsewhere.
pub(crate) fn escaping(entries: &[Entry]) -> Vec<&Path> {
    entries
        .iter()
        .filter(|entry| match &entry.kind {
            EntryKind::Link { target } if target.is_relative() => {
                let mut depth = entry.path.components().count().saturating_sub(1);
                target.components().any(|component| match component {
                    Component::ParentDir => depth.checked_sub(1).map(|d| depth = d).is_none(),
                    Component::Normal(_) => {
                        depth += 1;
                        false
                    }
                    _ => false,
                })
            }
            _ => false,
        })
        .map(|entry| entry.path.as_path())
        .collect()
}

/// A hash under construction. Every part is preceded by its length, so that no two contents run together to the same bytes.
pub(crate) struct Fingerprint(Sha256);

impl Fingerprint {
    /// `purpose` keeps hashes of different kinds apart.
    pub(crate) fn new(purpose: &str) -> Self {
        let mut fingerprint = Self(Sha256::new());
        fingerprint.add(purpose.as_bytes());
        fingerprint
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0
            .update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        self.0.update(bytes);
    }

    fn add_entry(&mut self, entry: &Entry, content: Option<[u8; 32]>) {
        self.add(entry.path.as_os_str().as_bytes());
        match &entry.kind {
            EntryKind::Folder => self.add(b"d"),
            EntryKind::File { executable } => self.add(if *executable { b"x" } else { b"f" }),
            EntryKind::Link { target } => {
                self.add(b"l");
                self.add(target.as_os_str().as_bytes());
            }
        }
        if let Some(content) = content {
            self.add(&content);
        }
    }

    /// 128 bits as hexadecimal digits: short enough for a path, and far beyond accidental collision.
    pub(crate) fn finish(self) -> String {
        self.0
            .finalize()
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// Hashes what `entries` name in `root`. A file that has vanished meanwhile is an error.
pub(crate) fn hash(
    root: &Path,
    entries: &[Entry],
    into: &mut Fingerprint,
) -> Result<(), BuildError> {
    let mut buffer = vec![0; BUFFER_BYTES];
    for entry in entries {
        let content = match entry.kind {
            EntryKind::File { .. } => {
                Some(read_through(&root.join(&entry.path), None, &mut buffer)?)
            }
            _ => None,
        };
        into.add_entry(entry, content);
    }
    Ok(())
}

/// Copies what `entries` name from `root` to `to`, an empty folder, and hashes what it copies.
pub(crate) fn copy(
    root: &Path,
    entries: &[Entry],
    to: &Path,
    into: &mut Fingerprint,
) -> Result<(), BuildError> {
    let mut buffer = vec![0; BUFFER_BYTES];
    for entry in entries {
        let (from, to) = (root.join(&entry.path), to.join(&entry.path));
        let mut content = None;
        // A folder may be missing where only a file in it was wanted.
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(|e| BuildError::io("cannot make", parent, e))?;
        }
        match &entry.kind {
            EntryKind::Folder => {
                fs::create_dir_all(&to).map_err(|e| BuildError::io("cannot make", &to, e))?
            }
            EntryKind::Link { target } => {
                std::os::unix::fs::symlink(target, &to)
                    .map_err(|e| BuildError::io("cannot make", &to, e))?;
            }
            EntryKind::File { executable } => {
                content = Some(copy_file(&from, &to, *executable, &mut buffer)?);
            }
        }
        into.add_entry(entry, content);
    }
    Ok(())
}

/// Copies as [`copy`] does, for a build to work in: files can be written until [`seal`].
pub(crate) fn copy_writable(
    root: &Path,
    entries: &[Entry],
    to: &Path,
    into: &mut Fingerprint,
) -> Result<(), BuildError> {
    copy(root, entries, to, into)?;
    for entry in entries {
        if let EntryKind::File { executable } = entry.kind {
            let path = to.join(&entry.path);
            let mode = if executable { 0o755 } else { 0o644 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))
                .map_err(|e| BuildError::io("cannot write", &path, e))?;
        }
    }
    Ok(())
}

/// Copies one file and makes it read-only; gives its hash.
fn copy_file(
    from: &Path,
    to: &Path,
    executable: bool,
    buffer: &mut [u8],
) -> Result<[u8; 32], BuildError> {
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(|e| BuildError::io("cannot make", to, e))?;
    let hash = read_through(from, Some((&mut file, to)), buffer)?;
    let changed = fs::metadata(from).and_then(|metadata| metadata.modified());
    if let Ok(changed) = changed {
        file.set_modified(changed)
            .map_err(|e| BuildError::io("cannot write", to, e))?;
    }
    let mode = if executable { 0o555 } else { 0o444 };
    file.set_permissions(fs::Permissions::from_mode(mode))
        .map_err(|e| BuildError::io("cannot write", to, e))?;
    Ok(hash)
}

/// Puts a program in place, read-only and executable, and hashes it.
pub(crate) fn copy_program(
    from: &Path,
    to: &Path,
    into: &mut Fingerprint,
) -> Result<(), BuildError> {
    let content = copy_file(from, to, true, &mut vec![0; BUFFER_BYTES])?;
    into.add(&content);
    Ok(())
}

/// Hashes a program as [`copy_program`] does.
pub(crate) fn hash_program(from: &Path, into: &mut Fingerprint) -> Result<(), BuildError> {
    let content = read_through(from, None, &mut vec![0; BUFFER_BYTES])?;
    into.add(&content);
    Ok(())
}

fn read_through(
    from: &Path,
    mut to: Option<(&mut File, &Path)>,
    buffer: &mut [u8],
) -> Result<[u8; 32], BuildError> {
    let mut file = File::open(from).map_err(|e| BuildError::io("cannot read", from, e))?;
    let mut hasher = Sha256::new();
    loop {
        let read = match file.read(buffer) {
            Ok(0) => return Ok(hasher.finalize().into()),
            Ok(read) => read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(BuildError::io("cannot read", from, e)),
        };
        hasher.update(&buffer[..read]);
        if let Some((file, path)) = &mut to {
            file.write_all(&buffer[..read])
                .map_err(|e| BuildError::io("cannot write", path, e))?;
        }
    }
}

#[cfg(test)]
mod tests;
