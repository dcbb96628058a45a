//! Bringing lines from memory to a chunk file, and changing the set of files.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::block::Sealer;
use crate::chunk::{ChunkFile, Summary, Tier, Writer};
use crate::damage::lock;
use crate::head::Frozen;
use crate::manifest::Manifest;
use crate::store::{Inner, State};

impl Inner {
    /// Writes the lines in memory to a chunk file. Whether there were any. Others push meanwhile.
    ///
    /// # Errors
    /// It cannot be written, in one sentence. The lines stay in memory, and in the log.
    pub(crate) fn cut(&self) -> Result<bool, String> {
        let _only = lock(&self.cutting);
        let frozen = {
            let mut state = lock(&self.state);
            if state.frozen.is_none() {
                freeze(&mut state).map_err(|e| self.sentence(&e))?;
            }
            state.frozen.clone()
        };
        let Some(frozen) = frozen else {
            return Ok(false);
        };
        let added = self.write(&frozen).map_err(|e| self.sentence(&e))?;
        let wrote = added.is_some();
        let change = Change {
            added: Vec::from_iter(added),
            covered: Some(frozen.covered),
            ..Change::default()
        };
        self.install(change).map_err(|e| self.sentence(&e))?;
        let mut state = lock(&self.state);
        state.trouble = None;
        // What cannot be deleted now is by the next cut, and not read again by the next start.
        state.wal.forget(frozen.covered).ok();
        Ok(wrote)
    }

    fn sentence(&self, error: &io::Error) -> String {
        format!(
            "cannot write chunk files to {}: {error}; free space or check the disk",
            self.hot().display()
        )
    }

    pub(crate) fn hot(&self) -> PathBuf {
        self.folder.join("hot")
    }

    pub(crate) fn next_file(&self) -> u64 {
        let mut state = lock(&self.state);
        state.next_file += 1;
        state.next_file - 1
    }

    fn write(&self, frozen: &Frozen) -> io::Result<Option<Arc<ChunkFile>>> {
        let mut sealer = Sealer::new(self.options.level);
        let mut writer = Writer::create(&self.hot(), self.next_file())?;
        for stream in &frozen.streams {
            for sealed in &stream.sealed {
                writer.add(&stream.labels, sealed)?;
            }
            if !stream.growing.is_empty() {
                let sealed = sealer.seal(&stream.growing, stream.order)?;
                writer.add(&stream.labels, &sealed)?;
            }
        }
        if writer.is_empty() {
            return Ok(None);
        }
        let summary = writer.finish()?;
        Ok(Some(self.hot_file(summary)))
    }

    pub(crate) fn hot_file(&self, summary: Summary) -> Arc<ChunkFile> {
        Arc::new(ChunkFile::new(summary, Tier::Hot(self.hot())))
    }

    /// Changes the set of files in one step: after a crash it is as before, or as after.
    pub(crate) fn install(&self, change: Change) -> io::Result<()> {
        let _only = lock(&self.installing);
        let (manifest, files) = {
            let state = lock(&self.state);
            let removed: HashSet<_> = change.removed.iter().map(Arc::as_ptr).collect();
            let kept = state
                .files
                .iter()
                .filter(|f| !removed.contains(&Arc::as_ptr(f)));
            let mut files: Vec<_> = kept.chain(&change.added).cloned().collect();
            files.sort_by_key(|f| f.summary.id);
            let manifest = Manifest {
                covered: change.covered.unwrap_or(state.covered),
                next_file: state.next_file,
                clock: state.clock,
                files: files.iter().map(|f| (f.summary, !f.is_hot())).collect(),
            };
            (manifest, files)
        };
        manifest.write(&self.folder)?;
        let mut state = lock(&self.state);
        state.files = Arc::new(files);
        state.clock_written = manifest.clock;
        if change.covered.is_some() {
            state.covered = manifest.covered;
            state.frozen = None;
        }
        drop(state);
        for file in &change.removed {
            file.doom();
        }
        Ok(())
    }
}

/// What becomes of the set of files.
#[derive(Default)]
pub(crate) struct Change {
    pub(crate) added: Vec<Arc<ChunkFile>>,
    /// Are deleted once nobody reads them.
    pub(crate) removed: Vec<Arc<ChunkFile>>,
    /// Lines up to this file of the log are in chunk files.
    pub(crate) covered: Option<u64>,
}

/// Takes the lines out of the memory that grows, if there are any, or if only the log has grown.
fn freeze(state: &mut State) -> io::Result<()> {
    if !state.head.has_lines() && state.wal.bytes() == 0 {
        return Ok(());
    }
    let covered = state.wal.leave();
    // The cursors are in the next file before those with their lines are deleted.
    if !state.cursors.is_empty() {
        state.wal.ready(&state.cursors)?;
    }
    state.head_since = None;
    let frozen = state.head.freeze(covered);
    state.frozen = Some(Arc::new(frozen));
    Ok(())
}
