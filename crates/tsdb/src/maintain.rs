//! What has to be done every minute: the head's oldest range becomes a block, blocks grow together, old ones are removed.
//!
//! A head that was written into blocks is forgotten in steps, each under its lock for a slice of the series: first samples are left to whoever
//! still reads them from before (the epoch), then the chunks go, then series without any, then old segments of the log.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::block::Block;
use crate::checkpoint::checkpoint;
use crate::compact::{Merged, merge_blocks, plan};
use crate::db::{Db, Inner, StoreError};
use crate::files;
use crate::flush::{Sorted, flush};
use crate::head::late::Late;
use crate::head::{LateMap, range_end};
use crate::open::Mark;
use crate::options::millis;

/// As many series are gone through while the head is locked once.
const SLICE: u32 = 4096;

/// A clock that moved by more than this between two calls, or that is this far from the newest sample at the first, was set.
const JUMP: i64 = 3_600_000;

/// For so many calls after the clock was set no block is removed for its age: about an hour, in which a wrong clock is likely noticed.
const DOUBT: u32 = 60;

/// So many late samples are worth a block before the head's next one.
const MANY_LATE: usize = 1 << 20;

/// What maintenance has begun.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) mark: Mark,
    /// Everything before this time is in blocks, and is forgotten as soon as nobody holds the epoch.
    forget: Option<(i64, u32, Arc<()>)>,
    /// Series without samples, ascending, and the epoch in which they had none.
    dying: Option<(Vec<u32>, Arc<()>)>,
    last_now: Option<i64>,
    doubt: u32,
}

impl Work {
    pub(crate) fn new(mark: Mark) -> Self {
        Self {
            mark,
            forget: None,
            dying: None,
            last_now: None,
            doubt: 0,
        }
    }

    /// After everything was removed.
    pub(crate) fn reset(&mut self) {
        self.mark = Mark::new(i64::MIN, 0);
        self.forget = None;
        self.dying = None;
    }
}

impl Db {
    /// Does what is due; to be called about every minute, from a thread that may block. Appends and queries go on meanwhile.
    ///
    /// # Errors
    /// Something cannot be read or written. It is tried again the next time.
    pub fn maintain(&self, now_ms: i64) -> Result<(), StoreError> {
        let result = self.inner.maintain(now_ms);
        self.inner.health().compaction = result.as_ref().err().map(ToString::to_string);
        result
    }
}

impl Inner {
    fn maintain(&self, now: i64) -> Result<(), StoreError> {
        let step = |what: &str| {
            let what = what.to_owned();
            move |source| StoreError { what, source }
        };
        let mut work = self.work();
        self.note_clock(&mut work, now);
        let files = self
            .log()
            .wal
            .unsynced()
            .map_err(step("put the log on the disk"))?;
        for file in files {
            file.sync_data().map_err(step("put the log on the disk"))?;
        }
        self.forget(&mut work)
            .map_err(step("forget what is in blocks"))?;
        while let Some(before) = self.due(&work, now) {
            self.head_to_blocks(&mut work, before, now)
                .map_err(step("write a block of new samples"))?;
            self.forget(&mut work)
                .map_err(step("forget what is in blocks"))?;
        }
        let ranges = self.options.ranges();
        loop {
            let blocks = plan(&self.read().blocks, &ranges);
            if blocks.is_empty() {
                break;
            }
            let mut whole = true;
            for block in &blocks {
                if let Err(error) = block.index.all() {
                    block.set_stuck();
                    self.damaged(
                        &block.dir,
                        format!("{error}; it is merged with no other block"),
                    );
                    whole = false;
                }
            }
            if !whole {
                continue;
            }
            let merged = merge_blocks(&self.dir, &blocks, self.stamp(now));
            let merged = merged.map_err(step("merge blocks"))?;
            self.replace(&blocks, merged)
                .map_err(step("merge blocks"))?;
        }
        self.retain(&mut work, now)
            .map_err(step("remove old blocks"))
    }

    /// Notices a clock that was set.
    fn note_clock(&self, work: &mut Work, now: i64) {
        let newest = self.read().max_t;
        let before = work.last_now.or((newest != i64::MIN).then_some(newest));
        let jumped = before.is_some_and(|before| {
            now.saturating_sub(before) > JUMP || before.saturating_sub(now) > JUMP / 60
        });
        work.doubt = if jumped {
            DOUBT
        } else {
            work.doubt.saturating_sub(1)
        };
        work.last_now = Some(now);
        self.clock.store(now, Ordering::Relaxed);
    }

    /// Up to when the head should become a block.
    fn due(&self, work: &Work, now: i64) -> Option<i64> {
        if work.forget.is_some() {
            return None;
        }
        let head = self.read();
        let old = |late: &&Late| late.span().is_some_and(|(min, _)| min < head.min_valid);
        let late: usize = head.late.values().filter(old).map(Late::len).sum();
        // Samples from the future do not make those of the present late.
        let newest = match self.options.accept_any_age {
            true => head.max_t,
            false => head.max_t.min(now),
        };
        if head.min_t != i64::MAX
            && newest.saturating_sub(head.min_t) > self.range.saturating_mul(3) / 2
        {
            return Some(range_end(head.min_t, self.range));
        }
        (late > MANY_LATE).then_some(head.min_valid)
    }

    /// Writes everything before a time into blocks, and shows them.
    fn head_to_blocks(&self, work: &mut Work, before: i64, now: i64) -> io::Result<()> {
        let upcoming = self.log().wal.index() + 1;
        work.mark = work
            .mark
            .with_late(before.max(work.mark.late_before), upcoming);
        work.mark.write(&self.dir)?;
        let segment = {
            let mut log = self.log();
            let mut head = self.write();
            let segment = log.wal.cut()?;
            head.min_valid = head.min_valid.max(before);
            let (mut frozen, mut kept) = (LateMap::default(), LateMap::default());
            for (id, late) in std::mem::take(&mut head.late) {
                for sample in late.read(before, i64::MAX) {
                    kept.entry(id).or_default().insert(sample.t, sample.v);
                }
                if late.span().is_some_and(|(min, _)| min < before) {
                    frozen.insert(id, late);
                }
            }
            head.late = kept;
            head.frozen = Arc::new(frozen);
            segment
        };
        let open = |dir: &PathBuf| Block::open(dir, &self.cache).map(Arc::new);
        let written = self.write_blocks(before, now);
        let mut blocks: Vec<_> = match written.and_then(|dirs| dirs.iter().map(open).collect()) {
            Ok(blocks) => blocks,
            Err(error) => {
                self.thaw();
                return Err(error);
            }
        };
        work.mark = Mark::new(before, segment);
        // Without it the log is read again, and what blocks have is found twice: no reason to show no blocks.
        let marked = work.mark.write(&self.dir);
        let mut head = self.write();
        let mut all = (*head.blocks).clone();
        all.append(&mut blocks);
        head.blocks = Arc::new(all);
        head.frozen = Arc::default();
        let epoch = std::mem::replace(&mut head.epoch, Arc::new(()));
        work.forget = Some((before, segment, epoch));
        marked
    }

    /// Blocks for every range that has something before a time.
    fn write_blocks(&self, before: i64, now: i64) -> io::Result<Vec<PathBuf>> {
        let sorted = Sorted::new(self, false);
        let mut ranges = BTreeSet::new();
        {
            let head = self.read();
            if head.min_t < before {
                ranges.insert(range_end(head.min_t, self.range));
            }
            for late in head.frozen.values() {
                for sample in late.read(i64::MIN, before.saturating_sub(1)) {
                    ranges.insert(range_end(sample.t, self.range));
                }
            }
        }
        let mut dirs: Vec<PathBuf> = Vec::new();
        for end in ranges {
            let range = (end.saturating_sub(self.range), end);
            match flush(self, &sorted, &self.dir, range, self.stamp(now)) {
                Ok(dir) => dirs.extend(dir),
                Err(error) => {
                    for dir in dirs {
                        files::remove_dir(&dir)?;
                    }
                    return Err(error);
                }
            }
        }
        Ok(dirs)
    }

    /// After blocks could not be written: late samples are as before.
    fn thaw(&self) {
        let mut head = self.write();
        let frozen = std::mem::take(&mut head.frozen);
        for (id, late) in frozen.iter() {
            let newer = head.late.remove(id).unwrap_or_default();
            let mut whole = late.clone();
            for sample in newer.read(i64::MIN, i64::MAX) {
                whole.insert(sample.t, sample.v);
            }
            head.late.insert(*id, whole);
        }
    }

    /// Removes series that have no samples any more.
    fn bury(&self, work: &mut Work) {
        if let Some((dead, epoch)) = &work.dying
            && Arc::strong_count(epoch) == 1
        {
            let mut head = self.write();
            let gone = |id: &&u32| {
                let id = **id;
                let late = head.late.contains_key(&id) || head.frozen.contains_key(&id);
                !late
                    && head
                        .get(id)
                        .is_some_and(|s| s.dying.load(Ordering::Relaxed) && s.is_empty())
            };
            let dead: Vec<u32> = dead.iter().filter(gone).copied().collect();
            head.remove(&dead);
            work.dying = None;
        }
    }

    /// Forgets what is in blocks, as far as nobody reads it any more.
    fn forget(&self, work: &mut Work) -> io::Result<()> {
        self.bury(work);
        let Some((before, segment, epoch)) = &work.forget else {
            return Ok(());
        };
        let (before, segment) = (*before, *segment);
        if Arc::strong_count(epoch) > 1 {
            return Ok(());
        }
        let mut dying = Vec::new();
        let mut alive = Vec::new();
        let mut min = i64::MAX;
        let end = {
            let mut head = self.write();
            head.min_t = i64::MAX;
            head.end()
        };
        let mut start = 0;
        while start < end {
            let next = start.saturating_add(SLICE).min(end);
            let mut head = self.write();
            for id in start..next {
                let late = head.late.contains_key(&id) || head.frozen.contains_key(&id);
                let Some(series) = head.get_mut(id) else {
                    continue;
                };
                let forgotten = series.forget_before(before);
                min = min.min(series.min().unwrap_or(i64::MAX));
                alive.push(series.wal_id);
                if series.is_empty() && !late {
                    *series.dying.get_mut() = true;
                    dying.push(id);
                }
                head.chunks -= forgotten;
                if let Some(stones) = head.stones.get_mut(&id) {
                    stones.forget_before(before);
                    if stones.is_empty() {
                        head.stones.remove(&id);
                    }
                }
            }
            start = next;
        }
        {
            let mut head = self.write();
            // A chunk may begin before, if ranges were shorter or longer once: that part of it is in blocks.
            head.min_t = head.min_t.min(min.max(before));
            head.files.forget_before(before)?;
            let epoch = std::mem::replace(&mut head.epoch, Arc::new(()));
            // Those who were dying before and are not gone yet are among them.
            work.dying = Some((dying, epoch));
        }
        work.forget = None;
        self.bury(work);
        alive.sort_unstable();
        checkpoint(
            &self.dir,
            segment,
            before,
            &alive,
            self.options.segment_bytes,
        )
    }

    /// Shows a block instead of others, which are removed; those with damage are set aside.
    pub(crate) fn replace(&self, old: &[Arc<Block>], merged: Merged) -> io::Result<()> {
        let new = match &merged.dir {
            Some(dir) => Some(Arc::new(Block::open(dir, &self.cache)?)),
            None => None,
        };
        {
            let mut head = self.write();
            let mut all = (*head.blocks).clone();
            all.retain(|block| !old.iter().any(|o| Arc::ptr_eq(o, block)));
            all.extend(new);
            head.blocks = Arc::new(all);
        }
        for (dir, what) in &merged.damaged {
            let mut aside = dir.as_os_str().to_owned();
            aside.push(".corrupt");
            std::fs::rename(dir, &aside)?;
            self.damaged(
                dir,
                format!("{what}; set aside as .corrupt, what is good of it is in another block"),
            );
        }
        for block in old {
            if block.dir.exists() {
                files::remove_dir(&block.dir)?;
            }
        }
        Ok(())
    }

    /// Removes blocks that are too old, or too many.
    fn retain(&self, work: &mut Work, now: i64) -> io::Result<()> {
        let (mut blocks, newest) = {
            let head = self.read();
            let ends = head.blocks.iter().map(|block| block.meta.max_time);
            let newest = ends.max().unwrap_or(i64::MIN).max(head.max_t);
            ((*head.blocks).clone(), newest.min(now))
        };
        blocks.sort_by_key(|block| Reverse(block.meta.max_time));
        let oldest = newest.saturating_sub(millis(self.options.retention));
        let by_age = work.doubt == 0 && !self.options.accept_any_age;
        let limit = self.options.retention_bytes.unwrap_or(u64::MAX);
        let mut size = 0_u64;
        for block in blocks {
            size = size.saturating_add(block.size());
            let aged = by_age && block.meta.max_time < oldest;
            if aged || size > limit {
                let nothing = Merged {
                    dir: None,
                    damaged: Vec::new(),
                };
                self.replace(std::slice::from_ref(&block), nothing)?;
            }
        }
        Ok(())
    }
}
