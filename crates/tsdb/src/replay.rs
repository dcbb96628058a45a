//! Fills the head from its chunk files and the log.
//!
//! A series' chunks hold a beginning of what came in order; the log has it again, and what came after. So a sample of the log that is newer
//! than those of its series before it in the log came in order, and is passed over where the chunks reach as far.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use wharf_signal::Labels;

use crate::head::Head;
use crate::head::chunk_files::Sealed;
use crate::open::{Mark, below};
use crate::state::{Damage, Recovery};
use crate::wal::{self, Reader, Record, Wal, segment_path};

/// As many places of damage are told.
const DAMAGE: usize = 1000;

/// From numbers in the log to series. Numbers ascend without large gaps, but those of a foreign log need not.
#[derive(Default)]
struct Numbers {
    dense: Vec<u32>,
    sparse: HashMap<u64, u32>,
}

const NONE: u32 = u32::MAX;

impl Numbers {
    fn get(&self, wal_id: u64) -> Option<u32> {
        let dense = usize::try_from(wal_id)
            .ok()
            .and_then(|at| self.dense.get(at));
        match dense {
            Some(id) => (*id != NONE).then_some(*id),
            None => self.sparse.get(&wal_id).copied(),
        }
    }

    fn insert(&mut self, wal_id: u64, id: u32, series: usize) {
        let limit = series * 4 + (1 << 20);
        match usize::try_from(wal_id).ok().filter(|at| *at < limit) {
            Some(at) => {
                if self.dense.len() <= at {
                    let from = self.dense.len() as u64;
                    self.dense.resize(at + 1, NONE);
                    // What was too far ahead before.
                    for (number, id) in self.sparse.extract_if(|n, _| *n >= from && *n <= wal_id) {
                        self.dense[number as usize] = id;
                    }
                }
                self.dense[at] = id;
            }
            None => {
                self.sparse.insert(wal_id, id);
            }
        }
    }
}

struct Replay<'a> {
    head: &'a mut Head,
    chunks: HashMap<u64, Vec<Sealed>>,
    numbers: Numbers,
    /// Of each series: up to where its chunks reach.
    reached: Vec<i64>,
    mark: Mark,
    recovery: &'a mut Recovery,
}

/// Reads the log into the head.
pub(crate) fn replay(
    dir: &Path,
    head: &mut Head,
    chunks: HashMap<u64, Vec<Sealed>>,
    mark: Mark,
    recovery: &mut Recovery,
) -> io::Result<()> {
    let mut replay = Replay {
        head,
        chunks,
        numbers: Numbers::default(),
        reached: Vec::new(),
        mark,
        recovery,
    };
    let wal_dir = dir.join("wal");
    for entry in fs::read_dir(&wal_dir)? {
        let path = entry?.path();
        let name = path.to_string_lossy();
        if name.ends_with(".tmp") || name.ends_with(".tmp-for-deletion") {
            if path.is_dir() {
                fs::remove_dir_all(&path)?;
            } else {
                fs::remove_file(&path)?;
            }
        }
    }
    let mut checkpoints = wal::checkpoints(&wal_dir)?;
    let newest = checkpoints.pop();
    for (_, old) in checkpoints {
        crate::files::remove_dir(&old)?;
    }
    let mut files = Vec::new();
    let mut first = 0;
    if let Some((covered, path)) = newest {
        for index in wal::segments(&path)? {
            files.push((path.clone(), index, covered));
        }
        first = covered.saturating_add(1);
    }
    let segments = wal::segments(&wal_dir)?;
    let last = segments.last().copied();
    for index in segments {
        if index < first {
            fs::remove_file(segment_path(&wal_dir, index))?;
            continue;
        }
        files.push((wal_dir.clone(), index, index));
    }
    for (folder, index, number) in files {
        let ends_here = folder == wal_dir && Some(index) == last;
        replay.segment(dir, &folder, index, number, ends_here)?;
    }
    replay.finish();
    Ok(())
}

impl Replay<'_> {
    fn segment(
        &mut self,
        dir: &Path,
        folder: &Path,
        index: u32,
        number: u32,
        ends_here: bool,
    ) -> io::Result<()> {
        if number >= self.mark.late_segment {
            self.head.min_valid = self.head.min_valid.max(self.mark.late_before);
        }
        let path = segment_path(folder, index);
        let mut reader = Reader::open(&path)?;
        let mut buffer = Vec::new();
        let mut none = 0;
        while let Some(record) = reader.next()? {
            match Record::read(record, std::mem::take(&mut buffer)) {
                Some(Record::Series(series)) => {
                    for (wal_id, labels) in series {
                        self.series(wal_id, &labels);
                    }
                }
                Some(Record::Samples(samples)) => {
                    self.samples(&samples, number);
                    buffer = samples;
                }
                Some(Record::Tombstones(stones)) => {
                    for (wal_id, from, to) in stones {
                        if let Some(id) = self.numbers.get(wal_id) {
                            self.head.stones.entry(id).or_default().add(from, to);
                        }
                    }
                }
                Some(Record::Other) => {}
                None => none += 1,
            }
        }
        let faults = reader.faults();
        let good = reader.good();
        let file = below(dir, &path);
        for fault in faults
            .iter()
            .take(DAMAGE.saturating_sub(self.recovery.damage.len()))
        {
            let became = match fault.torn {
                true => "the process was stopped while it wrote; cut off",
                false => "left out",
            };
            self.recovery.damage.push(Damage {
                file: file.clone(),
                offset: Some(fault.offset),
                what: format!("{}; {became}", fault.what),
            });
        }
        if none > 0 {
            self.recovery.damage.push(Damage {
                file,
                offset: None,
                what: format!("{none} records are none that can be read; left out"),
            });
        }
        if faults.is_empty() && none == 0 {
            return Ok(());
        }
        if ends_here && none == 0 && faults.iter().all(|fault| fault.torn) {
            OpenOptions::new().write(true).open(&path)?.set_len(good)?;
            return Ok(());
        }
        repair(dir, folder, index)
    }

    fn series(&mut self, wal_id: u64, labels: &Labels) {
        if labels.is_empty() {
            return;
        }
        let hash = self.head.hash(labels);
        let id = match self.head.find(labels, hash) {
            Some(id) => {
                self.head.reserve_wal_id(wal_id);
                Some(id)
            }
            None => {
                self.recovery.series += 1;
                self.head.create(labels, hash, Some(wal_id))
            }
        };
        let Some(id) = id else { return };
        self.numbers.insert(wal_id, id, self.head.len());
        let at = id as usize;
        if self.reached.len() <= at {
            self.reached.resize(at + 1, i64::MIN);
        }
        let before = self.mark.before;
        let chunks = self.chunks.remove(&wal_id).unwrap_or_default();
        let Some(series) = self.head.get_mut(id) else {
            return;
        };
        series.logged = true;
        // The newer of two numbers is the one that is in use.
        series.wal_id = wal_id;
        let mut added = 0;
        let mut first = i64::MAX;
        for chunk in chunks {
            if chunk.max() >= before && chunk.min() > self.reached[at] {
                self.reached[at] = chunk.max();
                series.sealed.push(chunk);
                first = first.min(chunk.min());
                added += 1;
            }
        }
        series.sealed.shrink_to_fit();
        self.head.chunks += added;
        self.head.min_t = self.head.min_t.min(first);
        self.head.max_t = self.head.max_t.max(self.reached[at]);
    }

    fn samples(&mut self, samples: &[(u64, i64, f64)], segment: u32) {
        let in_blocks = |t: i64| segment < self.mark.segment && t < self.mark.before;
        for (wal_id, t, v) in samples {
            if in_blocks(*t) {
                continue;
            }
            let Some(id) = self.numbers.get(*wal_id) else {
                self.recovery.orphans += 1;
                continue;
            };
            self.recovery.samples += 1;
            // What is older than is valid, and still here, came late.
            if *t <= self.reached[id as usize]
                && *t >= self.head.min_valid
                && let Some(series) = self.head.get_mut(id)
                && *t > series.max()
            {
                series.open.t = *t;
                series.open.v = *v;
                continue;
            }
            self.head.push(id, *t, *v);
        }
    }

    fn finish(mut self) {
        self.head.min_valid = self.head.min_valid.max(self.mark.late_before);
        for (id, reached) in self.reached.drain(..).enumerate() {
            // Where the log lost what the chunks have.
            if let Some(series) = self.head.get_mut(id as u32)
                && reached > series.max()
            {
                series.open.t = reached;
            }
        }
        if self.recovery.orphans > 0 {
            self.recovery.damage.push(Damage {
                file: "wal".to_owned(),
                offset: None,
                what: format!(
                    "{} samples are of series whose record was damaged; left out",
                    self.recovery.orphans
                ),
            });
        }
    }
}

/// Writes a segment anew from what is good of it; the damaged one is set aside.
fn repair(dir: &Path, folder: &Path, index: u32) -> io::Result<()> {
    let path = segment_path(folder, index);
    let tmp = folder.join("repair.tmp");
    fs::create_dir_all(&tmp)?;
    {
        let mut wal = Wal::create(&tmp, index, u64::from(u32::MAX))?;
        let mut reader = Reader::open(&path)?;
        while let Some(record) = reader.next()? {
            if Record::read(record, Vec::new()).is_some() {
                wal.write(&[record])?;
            }
        }
        wal.sync()?;
    }
    let aside = dir.join(format!(
        "wal-{}.corrupt",
        below(dir, &path).replace('/', "-")
    ));
    fs::rename(&path, aside)?;
    fs::rename(segment_path(&tmp, index), &path)?;
    fs::remove_dir_all(&tmp)
}
