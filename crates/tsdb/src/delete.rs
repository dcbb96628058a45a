//! Deleting, and copying a store.

use std::fs;
use std::io;
use std::path::Path;

use wharf_signal::Matcher;

use crate::block::{Block, Entry};
use crate::compact::merge_blocks;
use crate::db::{Db, StoreError};
use crate::flush::{Sorted, flush};
use crate::head::range_end;
use crate::matching::choose;
use crate::wal;

impl Db {
    /// Deletes the samples of the series that match, between two times, inclusive. What is deleted is not seen any more at once, and leaves the
    /// disk with a compaction or [`Db::clean_tombstones`]. A sample that comes late into a deleted range of the head is
    /// deleted as well.
    ///
    /// # Errors
    /// It cannot be written down; some of it may be deleted.
    pub fn delete(&self, matchers: &[Matcher], start: i64, end: i64) -> Result<(), StoreError> {
        self.try_delete(matchers, start, end)
            .map_err(|source| StoreError {
                what: "delete samples".to_owned(),
                source,
            })
    }

    fn try_delete(&self, matchers: &[Matcher], start: i64, end: i64) -> io::Result<()> {
        let _work = self.inner.work();
        {
            let mut log = self.inner.log();
            let mut found = Vec::new();
            {
                let head = self.inner.read();
                for id in choose(&*head, matchers)? {
                    let Some(series) = head.get(id) else { continue };
                    let late = head.late.get(&id).and_then(|late| late.span());
                    let own = series.min().map(|min| (min, series.max()));
                    let spans = own.into_iter().chain(late);
                    let span = spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
                    if let Some((min, max)) = span
                        && start.max(min) <= end.min(max)
                    {
                        found.push((id, series.wal_id, start.max(min), end.min(max)));
                    }
                }
            }
            if !found.is_empty() {
                let stones: Vec<_> = found
                    .iter()
                    .map(|(_, w, from, to)| (*w, *from, *to))
                    .collect();
                log.wal.write(&[&wal::tombstones(&stones)])?;
                let mut head = self.inner.write();
                for (id, _, from, to) in found {
                    head.stones.entry(id).or_default().add(from, to);
                }
            }
        }
        let blocks = self.inner.read().blocks.clone();
        for block in blocks.iter().filter(|block| block.overlaps(start, end)) {
            bury(block, matchers, start, end)?;
        }
        Ok(())
    }

    /// Writes blocks that lost something anew, without it.
    ///
    /// # Errors
    /// A block cannot be read or written; it stays as it is.
    pub fn clean_tombstones(&self, now_ms: i64) -> Result<(), StoreError> {
        let failed = |source| StoreError {
            what: "clean deleted samples up".to_owned(),
            source,
        };
        let _work = self.inner.work();
        let blocks = self.inner.read().blocks.clone();
        for block in blocks.iter().filter(|block| !block.stones().is_empty()) {
            let stamp = self.inner.stamp(now_ms);
            let merged = merge_blocks(&self.inner.dir, std::slice::from_ref(block), stamp);
            let merged = merged.map_err(failed)?;
            self.inner
                .replace(std::slice::from_ref(block), merged)
                .map_err(failed)?;
        }
        Ok(())
    }

    /// Copies everything as blocks into a folder that is not there yet: what is in blocks as hard links.
    ///
    /// # Errors
    /// The folder is there, or cannot be written.
    pub fn snapshot(&self, to: &Path, now_ms: i64) -> Result<(), StoreError> {
        self.try_snapshot(to, now_ms).map_err(|source| StoreError {
            what: format!("copy the store to {}", to.display()),
            source,
        })
    }

    fn try_snapshot(&self, to: &Path, now: i64) -> io::Result<()> {
        let _work = self.inner.work();
        fs::create_dir(to)?;
        // Who opens it as a store looks for a log.
        fs::create_dir(to.join("wal"))?;
        let (blocks, mut spans) = {
            let head = self.inner.read();
            let own = head.series(0..head.end());
            let own = own.filter_map(|(_, s)| Some((s.min()?, s.max())));
            let late = head.late.values().filter_map(|late| late.span());
            (head.blocks.clone(), own.chain(late).collect::<Vec<_>>())
        };
        for block in blocks.iter() {
            let copy = to.join(&block.meta.ulid.0);
            fs::create_dir_all(copy.join("chunks"))?;
            for name in ["index", "tombstones", "meta.json"] {
                if block.dir.join(name).exists() {
                    fs::hard_link(block.dir.join(name), copy.join(name))?;
                }
            }
            for file in fs::read_dir(block.dir.join("chunks"))? {
                let file = file?;
                fs::hard_link(file.path(), copy.join("chunks").join(file.file_name()))?;
            }
        }
        spans.sort_unstable();
        let sorted = Sorted::new(&self.inner, true);
        let range = self.inner.range;
        let mut done = i64::MIN;
        for (min, max) in spans {
            let mut at = min.max(done);
            while at <= max {
                let end = range_end(at, range);
                let span = (end.saturating_sub(range), end);
                flush(&self.inner, &sorted, to, span, self.inner.stamp(now))?;
                done = end;
                at = end;
            }
        }
        Ok(())
    }
}

/// Deletes from a block.
fn bury(block: &Block, matchers: &[Matcher], start: i64, end: i64) -> io::Result<()> {
    let mut stones = (*block.stones()).clone();
    let mut entry = Entry::default();
    let mut changed = false;
    for id in choose(&block.index, matchers)? {
        block.index.series(id, &mut entry)?;
        let touched = entry
            .chunks
            .iter()
            .filter(|c| c.min <= end && c.max >= start);
        let span = touched
            .map(|c| (c.min, c.max))
            .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        if let Some((min, max)) = span {
            let ranges = stones.entry(u64::from(id)).or_default();
            ranges.add(start.max(min), end.min(max));
            changed = true;
        }
    }
    if changed {
        block.bury(stones)?;
    }
    Ok(())
}
