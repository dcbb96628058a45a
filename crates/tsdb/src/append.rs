//! Adding samples: a batch is checked as it comes, written to the log as a whole, and then seen as a whole.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use wharf_signal::{AppendError, Appender, Labels, SampleSink, SeriesRef};

use crate::db::{Db, Inner, Log};
use crate::head::{Head, Taken};
use crate::options::millis;
use crate::wal;

/// A sample that waits for its commit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pending {
    id: u32,
    wal_id: u64,
    t: i64,
    v: f64,
}

/// Samples in one record: what a reader has to hold at a time.
const RECORD_SAMPLES: usize = 100_000;
/// Lists of batches that are over are kept for the next ones, so many and so long.
const SPARE: usize = 4;
const SPARE_SAMPLES: usize = 1 << 16;

/// A batch.
struct Batch<'a> {
    db: &'a Inner,
    samples: Vec<Pending>,
    /// Series that the log did not know when they were first used.
    fresh: Vec<u32>,
    cleared: u32,
    refused: u64,
    _epoch: Arc<()>,
}

impl SampleSink for Db {
    fn appender(&self) -> Box<dyn Appender + '_> {
        let spare = self.inner.spare.lock().ok().and_then(|mut s| s.pop());
        let head = self.inner.read();
        Box::new(Batch {
            db: &self.inner,
            samples: spare.unwrap_or_default(),
            fresh: Vec::new(),
            cleared: head.cleared,
            refused: 0,
            _epoch: head.epoch.clone(),
        })
    }
}

impl Appender for Batch<'_> {
    fn append(
        &mut self,
        known: Option<SeriesRef>,
        labels: &Labels,
        t: i64,
        v: f64,
    ) -> Result<SeriesRef, AppendError> {
        let result = self.try_append(known, labels, t, v);
        self.refused += u64::from(result.is_err());
        result
    }

    fn commit(mut self: Box<Self>) -> Result<(), AppendError> {
        self.try_commit()
    }
}

impl Batch<'_> {
    fn try_append(
        &mut self,
        known: Option<SeriesRef>,
        labels: &Labels,
        t: i64,
        v: f64,
    ) -> Result<SeriesRef, AppendError> {
        let mut head = self.db.read();
        let known = known.and_then(|known| u32::try_from(known.0).ok());
        let id = match known.filter(|id| head.get(*id).is_some()) {
            Some(id) => id,
            None => {
                let hash = head.hash(labels);
                match head.find(labels, hash) {
                    Some(id) => id,
                    None => {
                        drop(head);
                        let id = self.create(labels, hash)?;
                        head = self.db.read();
                        id
                    }
                }
            }
        };
        let reference = SeriesRef(u64::from(id));
        let Some(series) = head.get(id) else {
            return Err(AppendError::Storage(
                "the store was emptied while a batch was under way".to_owned(),
            ));
        };
        if series.dying.load(Ordering::Relaxed) {
            series.dying.store(false, Ordering::Relaxed);
        }
        let (mut max, mut value) = (series.max(), series.open.v);
        if let Some(last) = self.samples.last()
            && last.id == id
            && last.t > max
        {
            (max, value) = (last.t, last.v);
        }
        if t <= max || t < head.min_valid {
            if t == max && v.to_bits() == value.to_bits() {
                return Ok(reference);
            }
            self.check_late(&head, t, max)?;
        }
        let clock = self.db.clock.load(Ordering::Relaxed);
        if t > clock && t - clock > millis(self.db.options.ahead) && !self.db.options.accept_any_age
        {
            return Err(AppendError::OutOfBounds);
        }
        if !series.logged && self.fresh.last() != Some(&id) {
            self.fresh.push(id);
        }
        let wal_id = series.wal_id;
        self.samples.push(Pending { id, wal_id, t, v });
        Ok(reference)
    }

    /// Whether a sample that is not newer than its series may be taken.
    fn check_late(&self, head: &Head, t: i64, max: i64) -> Result<(), AppendError> {
        if t == max {
            return Err(AppendError::Duplicate);
        }
        let options = &self.db.options;
        if options.accept_any_age {
            return Ok(());
        }
        let window = millis(options.late);
        // After the clock was set back, what comes now is not old.
        let newest = head.max_t.min(self.db.clock.load(Ordering::Relaxed));
        if window > 0 && t >= newest.saturating_sub(window) {
            return Ok(());
        }
        Err(if t > max {
            AppendError::OutOfBounds
        } else {
            AppendError::OutOfOrder
        })
    }

    fn create(&self, labels: &Labels, hash: u64) -> Result<u32, AppendError> {
        let options = &self.db.options;
        if labels.is_empty() {
            return Err(AppendError::Labels("a series needs labels".to_owned()));
        }
        let count = labels.len();
        if count > options.max_labels {
            let name = labels.name();
            return Err(AppendError::Limit(format!(
                "a series of {name:?} has {count} labels, and {} are allowed; give it fewer, or raise max_labels",
                options.max_labels
            )));
        }
        for (name, value) in labels {
            let (what, length, limit, option) = match name.len() > options.max_name_bytes {
                true => ("name", name.len(), options.max_name_bytes, "max_name_bytes"),
                false => (
                    "value",
                    value.len(),
                    options.max_value_bytes,
                    "max_value_bytes",
                ),
            };
            if length > limit {
                let shown: String = name.chars().take(64).collect();
                return Err(AppendError::Limit(format!(
                    "the {what} of the label {shown:?} is {length} bytes long, and {limit} are allowed; shorten it, or raise {option}"
                )));
            }
        }
        let mut head = self.db.write();
        // Another batch may have been faster.
        if let Some(id) = head.find(labels, hash) {
            return Ok(id);
        }
        if head.len() >= options.max_series {
            return Err(AppendError::Limit(format!(
                "there are {} series already, the most that are allowed; drop labels with many values, or raise max_series",
                head.len()
            )));
        }
        head.create(labels, hash, None).ok_or_else(|| {
            AppendError::Limit(
                "all numbers of series are used up; restart the engine, which begins anew"
                    .to_owned(),
            )
        })
    }

    fn try_commit(&mut self) -> Result<(), AppendError> {
        if self.samples.is_empty() {
            return Ok(());
        }
        let mut log = self.db.log();
        let Log {
            wal,
            series,
            samples,
        } = &mut *log;
        series.clear();
        {
            let head = self.db.read();
            if head.cleared != self.cleared {
                return Err(AppendError::Storage(
                    "the store was emptied while a batch was under way".to_owned(),
                ));
            }
            self.fresh.sort_unstable();
            self.fresh.dedup();
            self.fresh
                .retain(|id| head.get(*id).is_some_and(|s| !s.logged));
            for id in &self.fresh {
                let Some(entry) = head.get(*id) else { continue };
                if series.is_empty() {
                    wal::series_record(series);
                }
                wal::put_series(
                    series,
                    entry.wal_id,
                    entry.pairs.len(),
                    head.pairs(&entry.pairs),
                );
            }
        }
        samples.clear();
        let mut ends = Vec::with_capacity(self.samples.len() / RECORD_SAMPLES + 1);
        for part in self.samples.chunks(RECORD_SAMPLES) {
            let first = (part[0].wal_id, part[0].t);
            wal::samples_record(samples, first.0, first.1);
            for p in part {
                wal::put_sample(samples, first, p.wal_id, p.t, p.v);
            }
            ends.push(samples.len());
        }
        let mut records: Vec<&[u8]> = Vec::with_capacity(ends.len() + 1);
        if !series.is_empty() {
            records.push(series);
        }
        let mut start = 0;
        for end in ends {
            records.push(&samples[start..end]);
            start = end;
        }
        if let Err(error) = wal.write(&records) {
            let sentence = format!(
                "the log in {} cannot be written ({error}); free space on that disk, and samples are taken again",
                self.db.dir.display()
            );
            let mut health = self.db.health();
            health.storage = Some(sentence.clone());
            health.failed_commits += 1;
            return Err(AppendError::Storage(sentence));
        }
        let mut head = self.db.write();
        for id in &self.fresh {
            if let Some(series) = head.get_mut(*id) {
                series.logged = true;
            }
        }
        let (mut taken, mut late) = (0, 0);
        for p in &self.samples {
            let what = head.push(p.id, p.t, p.v);
            taken += u64::from(matches!(what, Some(Taken::InOrder | Taken::Late)));
            late += u64::from(what == Some(Taken::Late));
        }
        let failed = head.files.failed.clone();
        drop(head);
        if series.capacity() + samples.capacity() > 4 << 20 {
            (*series, *samples) = (Vec::new(), Vec::new());
        }
        drop(log);
        let counters = &self.db.counters;
        counters.appended.fetch_add(taken, Ordering::Relaxed);
        counters.late.fetch_add(late, Ordering::Relaxed);
        let mut health = self.db.health();
        health.storage = failed.map(|error| {
            format!("full chunks cannot be written ({error}) and stay in memory; free space on that disk")
        });
        Ok(())
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.db
            .counters
            .refused
            .fetch_add(self.refused, Ordering::Relaxed);
        let mut samples = std::mem::take(&mut self.samples);
        if let Ok(mut spare) = self.db.spare.lock()
            && spare.len() < SPARE
            && samples.capacity() <= SPARE_SAMPLES
        {
            samples.clear();
            spare.push(samples);
        }
    }
}
