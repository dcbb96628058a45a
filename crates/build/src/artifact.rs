//! Artifacts on disk.
//!
//! ```text
//! <artifacts>/.lock             held while artifacts are made or removed
//! <artifacts>/.new-…/           one under construction; left over only by a killed process, removed by the next build
//! <artifacts>/<digest>/root/    where replicas start: the snapshot
//! <artifacts>/<digest>/bin/     programs that were built
//! <artifacts>/<digest>/artifact.json
//! ```
//!
//! `artifact.json` is written last and the folder then renamed, so that what has a digest for a name is whole. Its
//! `format` is 1; a reader that meets another takes the artifact for absent, and it is built again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use wharf_base::clock::{self, Timestamp};
use wharf_plan::model::Command;

use crate::error::BuildError;
use crate::lock::try_lock;

const FORMAT: u32 = 1;

/// Far above the time between the end of a build and the release that refers to its artifact.
const RECENT: Duration = Duration::from_secs(600);

/// Something that can be started, as often as wanted: immutable, named by its content.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    /// What it is: 32 hexadecimal digits over source, programs and how they were made.
    pub digest: String,
    /// The folder that replicas start in. Its files are read-only.
    pub dir: PathBuf,
    /// What goes before the `PATH` of a replica.
    pub path_prepend: Vec<PathBuf>,
    /// Variables of a replica; those of the plan win over them.
    pub env: BTreeMap<String, String>,
    /// What starts it where the plan has no command; none where that is not known.
    pub default_command: Option<Command>,
    /// Whether it was there already.
    pub cached: bool,
}

/// The content of `artifact.json`. Relative paths are relative to the artifact's own folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) format: u32,
    pub(crate) path_prepend: Vec<PathBuf>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) default_command: Option<Command>,
    /// Variables whose values are lists of folders.
    pub(crate) env_paths: BTreeMap<String, Vec<PathBuf>>,
    /// Folders of the cache that it uses.
    pub(crate) uses: Vec<PathBuf>,
}

impl Record {
    pub(crate) fn new() -> Self {
        Self {
            format: FORMAT,
            path_prepend: vec![],
            env: BTreeMap::new(),
            env_paths: BTreeMap::new(),
            default_command: None,
            uses: vec![],
        }
    }

    fn read(folder: &Path) -> Option<Self> {
        let text = fs::read(folder.join("artifact.json")).ok()?;
        let record: Self = serde_json::from_slice(&text).ok()?;
        (record.format == FORMAT).then_some(record)
    }
}

/// The artifact of that digest, if it is there and whole and all that it uses is.
#[must_use]
pub fn open(artifacts: &Path, digest: &str) -> Option<Artifact> {
    if digest.is_empty() || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let folder = artifacts.join(digest);
    let record = Record::read(&folder)?;
    if !record.uses.iter().all(|path| path.exists()) {
        return None;
    }
    let mut env = record.env;
    for (name, paths) in record.env_paths {
        let paths: Vec<String> = paths
            .iter()
            .map(|path| folder.join(path).display().to_string())
            .collect();
        env.insert(name, paths.join(":"));
    }
    Some(Artifact {
        digest: digest.to_owned(),
        dir: folder.join("root"),
        path_prepend: record
            .path_prepend
            .iter()
            .map(|path| folder.join(path))
            .collect(),
        env,
        default_command: record.default_command,
        cached: true,
    })
}

/// As [`open`], for a build: from now on it counts as recent.
pub(crate) fn reuse(artifacts: &Path, digest: &str) -> Option<Artifact> {
    let artifact = open(artifacts, digest)?;
    let now = UNIX_EPOCH + Duration::from_millis(clock::now().0);
    let touched =
        fs::File::open(artifacts.join(digest)).and_then(|folder| folder.set_modified(now));
    // Only a folder of another user cannot be touched, and that user does not prune it either.
    drop(touched);
    Some(artifact)
}

fn is_recent(folder: &Path) -> bool {
    let modified = fs::metadata(folder).and_then(|metadata| metadata.modified());
    let Some(since_epoch) = modified
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
    else {
        return false;
    };
    let modified = Timestamp(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX));
    clock::now().since(modified) < RECENT
}

/// A folder under construction; removed when dropped before [`Scratch::keep`].
pub(crate) struct Scratch {
    path: Option<PathBuf>,
}

impl Scratch {
    /// A new folder `<artifacts>/.new-…`, and in it an empty `root`. What earlier attempts left is removed: the caller holds
    /// the lock. The name is new each time, because a cancelled attempt may still be copying into its own.
    pub(crate) fn new(artifacts: &Path) -> Result<Self, BuildError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        for path in folders(artifacts)? {
            if name_of(&path).starts_with(".new-") {
                // Best effort, for the same reason: what is left is removed another time.
                drop(remove(&path));
            }
        }
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = artifacts.join(format!(".new-{}-{count}", std::process::id()));
        let root = path.join("root");
        fs::create_dir_all(&root).map_err(|e| BuildError::io("cannot make", &root, e))?;
        Ok(Self { path: Some(path) })
    }

    pub(crate) fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new(""))
    }

    /// Writes the record and gives the folder its name; replaces an unusable one of that name.
    pub(crate) fn keep(
        mut self,
        artifacts: &Path,
        digest: &str,
        record: &Record,
    ) -> Result<Artifact, BuildError> {
        let file = self.path().join("artifact.json");
        let text = serde_json::to_vec_pretty(record)
            .map_err(|e| BuildError::io("cannot write", &file, e.into()))?;
        fs::write(&file, text).map_err(|e| BuildError::io("cannot write", &file, e))?;
        let folder = artifacts.join(digest);
        remove(&folder)?;
        fs::rename(self.path(), &folder).map_err(|e| BuildError::io("cannot make", &folder, e))?;
        self.path = None;
        let kept = open(artifacts, digest);
        kept.map(|artifact| Artifact {
            cached: false,
            ..artifact
        })
        .ok_or_else(|| {
            BuildError::io(
                "cannot read back",
                &folder,
                io::Error::other("it is not what was written"),
            )
        })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // Best effort: the next build removes what is left.
            drop(fs::remove_dir_all(path));
        }
    }
}

pub(crate) fn remove(path: &Path) -> Result<(), BuildError> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(BuildError::io("cannot remove", path, e))
        }
        _ => Ok(()),
    }
}

/// Removes the artifacts of a service whose digest is not in `keep`; gives how many. What was built or found again within the last
/// ten minutes stays: it may not be in anybody's list yet. While the service is being built nothing is removed.
///
/// # Errors
/// A folder could not be read or removed.
pub fn prune(artifacts: &Path, keep: &[&str]) -> Result<usize, BuildError> {
    if !artifacts.exists() {
        return Ok(0);
    }
    let Some(_held) = try_lock(&artifacts.join(".lock"))? else {
        return Ok(0);
    };
    let mut removed = 0;
    for path in folders(artifacts)? {
        let name = name_of(&path);
        if !name.starts_with('.') && !keep.contains(&name.as_str()) && !is_recent(&path) {
            // Renamed first, so that one that is half removed is not taken for whole.
            let dying = artifacts.join(format!(".old-{name}"));
            remove(&dying)?;
            fs::rename(&path, &dying).map_err(|e| BuildError::io("cannot remove", &path, e))?;
            remove(&dying)?;
            removed += 1;
        } else if name.starts_with(".old-") {
            remove(&path)?;
        }
    }
    Ok(removed)
}

/// Removes from a cache what no artifact of `artifacts` (the folders of all services) uses; gives how many. Not while a build runs.
///
/// # Errors
/// A folder could not be read or removed.
pub fn prune_cache(cache: &Path, artifacts: &[&Path]) -> Result<usize, BuildError> {
    let mut used = BTreeSet::new();
    for service in artifacts {
        for folder in folders(service)? {
            used.extend(
                Record::read(&folder)
                    .into_iter()
                    .flat_map(|record| record.uses),
            );
        }
    }
    let mut removed = 0;
    for kind in ["venv", "node"] {
        for path in folders(&cache.join(kind))? {
            if !used.contains(&path) {
                remove(&path)?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// The folders in `parent`, none where it is not there.
fn folders(parent: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let entries = match fs::read_dir(parent) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(BuildError::io("cannot read", parent, e)),
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| BuildError::io("cannot read", parent, e))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(artifacts: &Path, digest: &str, record: &Record) -> Artifact {
        let scratch = Scratch::new(artifacts).unwrap();
        fs::write(scratch.path().join("root/file"), "x").unwrap();
        scratch.keep(artifacts, digest, record).unwrap()
    }

    #[test]
    fn an_artifact_is_whole_or_absent() {
        let dir = tempfile::tempdir().unwrap();
        let artifacts = dir.path();
        drop(Scratch::new(artifacts).unwrap());
        assert_eq!(folders(artifacts).unwrap(), Vec::<PathBuf>::new());
        let mut record = Record::new();
        record.path_prepend = vec!["bin".into(), "/abs".into()];
        let artifact = made(artifacts, "ab12", &record);
        assert!(!artifact.cached);
        assert_eq!(
            artifact.path_prepend,
            [artifacts.join("ab12/bin"), "/abs".into()]
        );
        assert_eq!(
            open(artifacts, "ab12"),
            Some(Artifact {
                cached: true,
                ..artifact
            })
        );
        for absent in ["ab13", "", "..", "../ab12"] {
            assert_eq!(open(artifacts, absent), None, "{absent}");
        }
        fs::write(artifacts.join("ab12/artifact.json"), r#"{"format":2}"#).unwrap();
        assert_eq!(open(artifacts, "ab12"), None, "of another format");
        fs::write(artifacts.join("ab12/artifact.json"), "torn").unwrap();
        assert_eq!(open(artifacts, "ab12"), None, "torn");
    }

    #[test]
    fn what_nobody_uses_is_pruned() {
        let dir = tempfile::tempdir().unwrap();
        let (artifacts, cache) = (dir.path().join("artifacts/web"), dir.path().join("cache"));
        let mut record = Record::new();
        record.uses = vec![cache.join("venv/used")];
        fs::create_dir_all(cache.join("venv/used")).unwrap();
        fs::create_dir_all(cache.join("venv/unused")).unwrap();
        made(&artifacts, "aa", &record);
        made(&artifacts, "bb", &Record::new());
        made(&artifacts, "cc", &Record::new());
        fs::create_dir(artifacts.join(".old-cc")).unwrap();
        let long_ago = UNIX_EPOCH + Duration::from_secs(1);
        for digest in ["aa", "bb"] {
            let folder = fs::File::open(artifacts.join(digest)).unwrap();
            folder.set_modified(long_ago).unwrap();
        }
        assert_eq!(prune(&artifacts, &["aa"]).unwrap(), 1);
        assert!(open(&artifacts, "aa").is_some() && open(&artifacts, "bb").is_none());
        assert!(!artifacts.join(".old-cc").exists());
        assert!(open(&artifacts, "cc").is_some(), "it is recent");
        let folder = fs::File::open(artifacts.join("cc")).unwrap();
        folder.set_modified(long_ago).unwrap();
        assert!(reuse(&artifacts, "cc").is_some());
        assert_eq!(prune(&artifacts, &["aa"]).unwrap(), 0, "it is recent again");
        assert_eq!(prune_cache(&cache, &[&artifacts]).unwrap(), 1);
        assert!(cache.join("venv/used").exists() && !cache.join("venv/unused").exists());
        fs::remove_dir(cache.join("venv/used")).unwrap();
        assert_eq!(open(&artifacts, "aa"), None, "what it uses is gone");
    }
}
