//! Opening a store: which files belong to it, and what the log has that they have not.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use wharf_signal::Labels;

use crate::archive::Archive;
use crate::batch::Cursor;
use crate::chunk::{self, ChunkFile, ReadError, Summary, Tier};
use crate::damage::Damage;
use crate::head::Head;
use crate::manifest::{Found, Manifest};
use crate::options::Options;
use crate::store::{OpenError, Recovery, State};
use crate::wal::{Replay, Wal, replay};

pub(crate) struct Opened {
    pub(crate) state: State,
    pub(crate) recovery: Recovery,
    pub(crate) damage: Damage,
}

pub(crate) fn open(
    folder: &Path,
    archive: &Arc<dyn Archive>,
    options: &Options,
) -> Result<Opened, OpenError> {
    let io = |source| OpenError::Io {
        path: folder.to_path_buf(),
        source,
    };
    let mut recovery = Recovery::default();
    let mut damage = Damage::default();
    let hot = folder.join("hot");
    let manifest = match Manifest::read(folder).map_err(io)? {
        Found::Manifest(manifest) => manifest,
        Found::Version(version) => {
            return Err(OpenError::Version {
                path: folder.join("manifest"),
                version,
            });
        }
        found @ (Found::Nothing | Found::Damaged) => {
            // From here on there is one before there is a chunk file.
            let manifest = if is_new(folder, &found).map_err(io)? {
                // Nothing of it is anywhere, and where the archive is may be far away.
                Manifest::default()
            } else {
                found_again(&hot, archive, &mut damage).map_err(io)?
            };
            if matches!(found, Found::Damaged) || !manifest.files.is_empty() {
                damage.add(format!(
                    "{}: damaged or gone; made anew from the chunk files that there are",
                    folder.join("manifest").display()
                ));
            }
            manifest.write(folder).map_err(io)?;
            manifest
        }
    };
    recovery.orphans = remove_orphans(&hot, &manifest).map_err(io)?;
    let files = files(&hot, archive, &manifest, &mut damage)?;
    let last_order = manifest.files.iter().map(|(s, _)| s.order).max();
    let mut to = Into {
        head: Head::new(
            options.block_bytes,
            options.level,
            last_order.map_or(0, |order| order + 1),
        ),
        cursors: BTreeMap::new(),
        damage: &mut damage,
        entries: 0,
    };
    let read = replay(&folder.join("wal"), manifest.covered, &mut to).map_err(io)?;
    recovery.files = files.len();
    recovery.entries = to.entries;
    recovery.wal_bytes = read.bytes;
    recovery.torn = read.torn;
    let Into {
        mut head, cursors, ..
    } = to;
    head.sealer.rest();
    recovery.damaged.clone_from(&damage.named);
    let most = manifest.files.iter().map(|(s, _)| s.id + 1).max();
    let state = State {
        head,
        frozen: None,
        wal: Wal::new(folder.join("wal"), read.last + 1, read.bytes),
        record: Vec::new(),
        cursors,
        files: Arc::new(files),
        covered: manifest.covered,
        next_file: manifest.next_file.max(most.unwrap_or_default()),
        clock: manifest.clock,
        clock_written: manifest.clock,
        swept: None,
        head_since: None,
        trouble: None,
    };
    Ok(Opened {
        state,
        recovery,
        damage,
    })
}

fn names(folder: &Path) -> io::Result<Vec<(PathBuf, Option<u64>)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let id = entry.file_name().to_str().and_then(chunk::number);
        found.push((entry.path(), id));
    }
    found.sort();
    Ok(found)
}

/// Whether nothing was ever written to the store.
fn is_new(folder: &Path, found: &Found) -> io::Result<bool> {
    let is_empty =
        |part: &str| Ok::<_, io::Error>(fs::read_dir(folder.join(part))?.next().is_none());
    let local = folder.join("archive");
    Ok(matches!(found, Found::Nothing)
        && is_empty("hot")?
        && is_empty("wal")?
        && (!local.exists() || is_empty("archive")?))
}

/// A manifest of all files that can be read: what is in the hot folder counts before what is in the archive.
fn found_again(
    hot: &Path,
    archive: &Arc<dyn Archive>,
    damage: &mut Damage,
) -> io::Result<Manifest> {
    let mut manifest = Manifest::default();
    let mut seen = HashSet::new();
    let mut tiers = Vec::new();
    for (path, id) in names(hot)? {
        let size = fs::metadata(&path)?.len();
        tiers.extend(id.map(|id| (id, size, Tier::Hot(hot.to_path_buf()))));
    }
    for (name, size) in archive.list()? {
        tiers.extend(chunk::number(&name).map(|id| (id, size, Tier::Archive(archive.clone()))));
    }
    for (id, size, tier) in tiers {
        if !seen.insert(id) {
            continue;
        }
        let archived = matches!(tier, Tier::Archive(_));
        let blank = chunk::Index::default().summary(id, size);
        let file = ChunkFile::new(blank, tier);
        let index = file.open().map_err(ReadError::Io);
        match index.and_then(|handle| handle.index(size)) {
            Ok(index) => manifest.files.push((index.summary(id, size), archived)),
            Err(e) => {
                damage.add(format!("{}: {e}; left out", file.place()));
                if !archived {
                    // What has the name of a chunk file and belongs to nothing is deleted.
                    let path = hot.join(chunk::name(id));
                    fs::rename(&path, path.with_extension("damaged"))?;
                }
            }
        }
        manifest.next_file = manifest.next_file.max(id.saturating_add(1));
    }
    Ok(manifest)
}

/// Deletes what was half done when the last process ended, and what was replaced before.
fn remove_orphans(hot: &Path, manifest: &Manifest) -> io::Result<usize> {
    let hot_files = manifest.files.iter().filter(|(_, archived)| !archived);
    let known: HashSet<u64> = hot_files.map(|(summary, _)| summary.id).collect();
    let mut removed = 0;
    for (path, id) in names(hot)? {
        let half = path.extension().is_some_and(|e| e == "part");
        if half || id.is_some_and(|id| !known.contains(&id)) {
            fs::remove_file(&path)?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn files(
    hot: &Path,
    archive: &Arc<dyn Archive>,
    manifest: &Manifest,
    damage: &mut Damage,
) -> Result<Vec<Arc<ChunkFile>>, OpenError> {
    let mut files = Vec::with_capacity(manifest.files.len());
    for (summary, archived) in &manifest.files {
        let tier = if *archived {
            Tier::Archive(archive.clone())
        } else {
            Tier::Hot(hot.to_path_buf())
        };
        let file = ChunkFile::new(*summary, tier);
        // What is in the archive may be far away: it is read when it is asked for.
        if !archived && let Err(e) = check(&file, summary) {
            if let ReadError::Version(version) = e {
                return Err(OpenError::Version {
                    path: hot.join(summary.name()),
                    version,
                });
            }
            // It stays in the list, so that it is not deleted before its time: somebody may repair it.
            damage.add(format!("{}: {e}; left out", file.place()));
            file.damaged.store(true, Ordering::Relaxed);
        }
        files.push(Arc::new(file));
    }
    Ok(files)
}

fn check(file: &ChunkFile, summary: &Summary) -> Result<(), ReadError> {
    file.open()?.index(summary.size).map(drop)
}

/// Where the log is read into.
struct Into<'a> {
    head: Head,
    cursors: BTreeMap<String, Cursor>,
    damage: &'a mut Damage,
    entries: u64,
}

impl Replay for Into<'_> {
    fn entry(&mut self, labels: &Labels, nanos: i64, line: &str, set: &[u8]) -> io::Result<()> {
        self.entries += 1;
        let added = self.head.add(labels, nanos, line, set);
        added.map_err(io::Error::other)
    }

    fn cursor(&mut self, source: &str, cursor: Cursor) {
        self.cursors.insert(source.to_owned(), cursor);
    }

    fn gone(&mut self, source: &str) {
        self.cursors.remove(source);
    }

    fn damaged(&mut self, what: String) {
        self.damage.add(what);
    }
}
