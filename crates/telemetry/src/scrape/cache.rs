//! The series of one target, found by the text that tells of them.
//!
//! Expositions hardly change their order, so the series that followed another the last time is tried first: then nothing
//! is looked up at all. Texts are kept as 128 bits of a hash with a secret seed, which is a fraction of their size; two texts of one
//! target would have to meet in all of them to be taken for the same.

use std::collections::HashSet;

use hashbrown::HashTable;
use wharf_signal::{Labels, SeriesRef};
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// No entry has this index: there are not that many.
const NONE: u32 = u32::MAX;

/// The hash of a text that tells of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key([u64; 2]);

/// A series.
#[derive(Debug)]
pub(super) struct Entry {
    key: Key,
    /// Under which it is kept.
    pub(super) labels: Labels,
    /// Where.
    pub(super) reference: SeriesRef,
    /// The entry that came after it the last time.
    next: u32,
    /// The scrape that told of it last, and the one before that.
    seen: u32,
    before: u32,
    /// Whether its samples carry times of their own: then nobody knows when it ended.
    pub(super) own_time: bool,
}

/// The series of a target.
#[derive(Debug)]
pub(super) struct Cache {
    entries: Vec<Entry>,
    table: HashTable<u32>,
    seed: u64,
    /// The number of the scrape; the first is 1.
    scrape: u32,
    /// The last scrape that was taken; 0: none, or its series have their marks already.
    good: u32,
    /// The first entry of the last scrape, and the last one that was found.
    first: u32,
    last: u32,
    /// How many entries this scrape has told of.
    visited: usize,
}

impl Cache {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            entries: vec![],
            table: HashTable::new(),
            seed,
            scrape: 0,
            good: 0,
            first: 0,
            last: NONE,
            visited: 0,
        }
    }

    pub(super) fn key(&self, text: &[u8]) -> Key {
        let hash = xxh3_128_with_seed(text, self.seed);
        Key([hash as u64, (hash >> 64) as u64])
    }

    /// The number of the scrape.
    pub(super) fn scrape(&self) -> u32 {
        self.scrape
    }

    /// A scrape begins.
    pub(super) fn begin(&mut self) {
        self.scrape += 1;
        self.last = NONE;
        self.visited = 0;
    }

    /// Looks a series up, and takes note that it was told of. The second value: for the first time in this scrape.
    pub(super) fn visit(&mut self, key: Key) -> Option<(&mut Entry, bool)> {
        let expected = match self.entries.get(self.last as usize) {
            Some(last) => last.next,
            None => self.first,
        };
        let hit = self.entries.get(expected as usize);
        let index = if hit.is_some_and(|entry| entry.key == key) {
            expected
        } else {
            let entries = &self.entries;
            let found = self
                .table
                .find(key.0[0], |index| entries[*index as usize].key == key);
            let found = *found?;
            self.follows(found);
            found
        };
        self.last = index;
        let entry = &mut self.entries[index as usize];
        let first = entry.seen != self.scrape;
        if first {
            entry.before = entry.seen;
            entry.seen = self.scrape;
            self.visited += 1;
        }
        Some((entry, first))
    }

    /// Keeps a series that was not there.
    pub(super) fn insert(
        &mut self,
        key: Key,
        labels: Labels,
        reference: SeriesRef,
        own_time: bool,
    ) {
        let Ok(index) = u32::try_from(self.entries.len()) else {
            return;
        };
        if index == NONE {
            return;
        }
        let entries = &self.entries;
        self.table
            .insert_unique(key.0[0], index, |index| entries[*index as usize].key.0[0]);
        self.follows(index);
        self.last = index;
        self.visited += 1;
        self.entries.push(Entry {
            key,
            labels,
            reference,
            next: index + 1,
            seen: self.scrape,
            before: 0,
            own_time,
        });
    }

    /// Notes what comes after the entry that was found last.
    fn follows(&mut self, index: u32) {
        match self.entries.get_mut(self.last as usize) {
            Some(last) => last.next = index,
            None => self.first = index,
        }
    }

    /// The scrape is taken. Gives every series that the last one told of and this one does not, and forgets it.
    pub(super) fn finish(&mut self, mut ended: impl FnMut(&Entry)) {
        let good = std::mem::replace(&mut self.good, self.scrape);
        if self.visited == self.entries.len() {
            return;
        }
        // A series may be told of with its labels in another order: then it is another text and has not ended.
        let renamed: HashSet<SeriesRef> = self
            .entries
            .iter()
            .filter(|entry| entry.seen == self.scrape && entry.before == 0)
            .map(|entry| entry.reference)
            .collect();
        let mut index = 0;
        while let Some(entry) = self.entries.get(index) {
            if entry.seen == self.scrape {
                index += 1;
                continue;
            }
            let live = good != 0 && entry.seen == good && !entry.own_time;
            if live && !renamed.contains(&entry.reference) {
                ended(entry);
            }
            self.remove(index);
        }
    }

    /// The scrape is not taken. Gives every series that the last one told of; they are kept for when it tells of them again.
    pub(super) fn fail(&mut self, mut ended: impl FnMut(&Entry)) {
        let good = std::mem::replace(&mut self.good, 0);
        if good == 0 {
            return;
        }
        for entry in &self.entries {
            let told = entry.seen == good || (entry.seen == self.scrape && entry.before == good);
            if told && !entry.own_time {
                ended(entry);
            }
        }
    }

    /// Removes an entry; the last one takes its place.
    fn remove(&mut self, index: usize) {
        let entries = &self.entries;
        let hash = |index: usize| entries[index].key.0[0];
        let moved = entries.len() - 1;
        if let Ok(slot) = self.table.find_entry(hash(index), |i| *i as usize == index) {
            slot.remove();
        }
        if moved != index
            && let Some(slot) = self.table.find_mut(hash(moved), |i| *i as usize == moved)
            && let Ok(index) = u32::try_from(index)
        {
            *slot = index;
        }
        self.entries.swap_remove(index);
    }

    /// How many series there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Scrapes `told` and gives which series have ended; `taken`: whether the scrape was good.
    fn scrape(cache: &mut Cache, told: &[u8], taken: bool) -> BTreeSet<String> {
        cache.begin();
        for series in told {
            let key = cache.key(&[*series]);
            if cache.visit(key).is_none() {
                let labels = Labels::from_pairs([("a", series.to_string())]);
                cache.insert(key, labels, SeriesRef(u64::from(*series)), false);
            }
        }
        let mut ended = BTreeSet::new();
        let mut note = |entry: &Entry| {
            assert!(ended.insert(entry.labels.value("a").to_owned()));
        };
        if taken {
            cache.finish(&mut note);
        } else {
            cache.fail(&mut note);
        }
        ended
    }

    proptest! {
        /// Against a set: ended is what the last good scrape had and this one has not, once.
        #[test]
        fn series_end_once(scrapes in prop::collection::vec((prop::collection::vec(0u8..12, 0..12), prop::bool::weighted(0.8)), 0..20)) {
            let mut cache = Cache::new(7);
            let mut live = BTreeSet::new();
            for (told, taken) in scrapes {
                let ended = scrape(&mut cache, &told, taken);
                let told: BTreeSet<String> = told.iter().map(u8::to_string).collect();
                let expected: BTreeSet<String> = if taken {
                    live.difference(&told).cloned().collect()
                } else {
                    live.clone()
                };
                prop_assert_eq!(ended, expected);
                if taken {
                    prop_assert_eq!(cache.len(), told.len());
                    live = told;
                } else {
                    live.clear();
                }
            }
        }
    }

    #[test]
    fn a_series_with_another_text_has_not_ended() {
        let mut cache = Cache::new(1);
        let one = |cache: &mut Cache, text: &[u8]| {
            cache.begin();
            let key = cache.key(text);
            assert!(cache.visit(key).is_none());
            cache.insert(key, Labels::empty(), SeriesRef(5), false);
            let mut ended = 0;
            cache.finish(|_| ended += 1);
            ended
        };
        assert_eq!(one(&mut cache, b"m{a,b}"), 0);
        assert_eq!(one(&mut cache, b"m{b,a}"), 0);
        assert_eq!(cache.len(), 1);
    }
}
