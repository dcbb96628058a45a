//! What there is: label names and values, series, and how much of each, told from the indexes without opening a block.

use std::collections::{BTreeMap, BTreeSet};

use wharf_signal::{Interrupt, Labels, Matcher, SourceError};

use crate::pick::Wanted;
use crate::snapshot::matches;
use crate::store::LogStore;

/// How much there is of a stream, or of several. Of a block that reaches out of the range the part of its time that lies in it
/// is counted, as if its lines came evenly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Streams.
    pub streams: u64,
    /// Blocks.
    pub chunks: u64,
    /// Entries.
    pub entries: u64,
    /// Bytes of their lines.
    pub bytes: u64,
}

/// Part of a range of time, and what lies in it.
struct Range {
    start: i64,
    end: i64,
}

impl Range {
    /// How much of `amount` between these times lies in the range.
    fn share(&self, min: i64, max: i64, amount: u64) -> u64 {
        let (first, last) = (min.max(self.start), max.min(self.end.saturating_sub(1)));
        if first == min && last == max {
            return amount;
        }
        let width = |a: i64, b: i64| i128::from(b) - i128::from(a) + 1;
        let part = i128::from(amount) * width(first, last).max(0) / width(min, max).max(1);
        u64::try_from(part).unwrap_or_default()
    }
}

impl Stats {
    fn add(&mut self, range: &Range, min: i64, max: i64, entries: u64, bytes: u64) {
        self.chunks += 1;
        self.entries += range.share(min, max, entries);
        self.bytes += range.share(min, max, bytes);
    }
}

impl LogStore {
    /// The streams that match and have entries in `start..end` (nanoseconds), with how much there is of each.
    ///
    /// # Errors
    /// The store failed, or `interrupt` said so.
    pub fn series(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        interrupt: &dyn Interrupt,
    ) -> Result<BTreeMap<Labels, Stats>, SourceError> {
        let mut found: BTreeMap<Labels, Stats> = BTreeMap::new();
        let range = Range { start, end };
        let wanted = Wanted::new(start, end, &[], &[]);
        let snapshot = self.0.snapshot(matchers, &wanted);
        let mut add = |labels: &Labels, min: i64, max: i64, entries: u64, bytes: u64| {
            if !wanted.overlaps(min, max) {
                return;
            }
            match found.get_mut(labels) {
                Some(stats) => stats.add(&range, min, max, entries, bytes),
                None => {
                    let mut stats = Stats {
                        streams: 1,
                        ..Stats::default()
                    };
                    stats.add(&range, min, max, entries, bytes);
                    found.insert(labels.clone(), stats);
                }
            }
        };
        for file in &snapshot.files {
            interrupt.check()?;
            let Some(index) = self.0.index(file)? else {
                continue;
            };
            let streams = index.streams.iter();
            for stream in streams.filter(|s| matches(&s.labels, matchers)) {
                for meta in stream.blocks.iter().map(|b| b.meta) {
                    let (entries, bytes) = (u64::from(meta.entries), u64::from(meta.text));
                    add(&stream.labels, meta.min, meta.max, entries, bytes);
                }
            }
        }
        let frozen = snapshot.frozen.iter().flat_map(|f| &f.streams);
        let frozen = frozen.filter(|s| matches(&s.labels, matchers));
        let frozen = frozen.map(|s| (&s.labels, &s.sealed, &s.growing));
        let live = snapshot.live.iter();
        let live = live.map(|s| (&s.labels, &s.sealed, &s.growing));
        for (labels, sealed, growing) in frozen.chain(live) {
            for meta in sealed.iter().map(|s| s.meta) {
                let (entries, bytes) = (u64::from(meta.entries), u64::from(meta.text));
                add(labels, meta.min, meta.max, entries, bytes);
            }
            if !growing.is_empty() {
                let bytes: u64 = growing.rows.iter().map(|r| u64::from(r.length)).sum();
                let entries = growing.len() as u64;
                add(labels, growing.min(), growing.max(), entries, bytes);
            }
        }
        Ok(found)
    }

    /// How much there is of all streams that match, in `start..end` (nanoseconds).
    ///
    /// # Errors
    /// As [`LogStore::series`].
    pub fn stats(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        interrupt: &dyn Interrupt,
    ) -> Result<Stats, SourceError> {
        let mut all = Stats::default();
        for stats in self.series(matchers, start, end, interrupt)?.values() {
            all.streams += stats.streams;
            all.chunks += stats.chunks;
            all.entries += stats.entries;
            all.bytes += stats.bytes;
        }
        Ok(all)
    }

    /// The names of labels that streams with entries in `start..end` have.
    ///
    /// # Errors
    /// As [`LogStore::series`].
    pub fn label_names(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        interrupt: &dyn Interrupt,
    ) -> Result<BTreeSet<String>, SourceError> {
        let series = self.series(matchers, start, end, interrupt)?;
        let names = series.keys().flat_map(|labels| labels.iter());
        Ok(names.map(|(name, _)| name.to_owned()).collect())
    }

    /// The values that a label has among the streams that match and have entries in `start..end`.
    ///
    /// # Errors
    /// As [`LogStore::series`].
    pub fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        interrupt: &dyn Interrupt,
    ) -> Result<BTreeSet<String>, SourceError> {
        let series = self.series(matchers, start, end, interrupt)?;
        let values = series.keys().filter_map(|labels| labels.get(name));
        Ok(values.map(str::to_owned).collect())
    }
}
