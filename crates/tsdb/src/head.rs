//! The head: what is not in blocks yet, and the lists that find it.
//!
//! All of it is behind one lock of the store. Series have numbers that ascend and are not given twice while the store is open, so that lists of
//! them stay ordered by adding at their end.

pub(crate) mod chunk_files;
pub(crate) mod late;
mod postings;
mod read;
mod series;
mod symbols;

use std::hash::BuildHasher;
use std::io;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use wharf_signal::Labels;

use crate::block::{Block, Ranges};
use crate::matching::Lists;
use chunk_files::ChunkFiles;
use late::Late;
pub(crate) use postings::Postings;
pub(crate) use read::{Seen, Snapshot};
pub(crate) use series::{Series, range_end};
pub(crate) use symbols::Symbols;

/// Late samples by series.
pub(crate) type LateMap = HashMap<u32, Late>;

/// Series stand beside each other in the order in which they came, which is that in which a target tells of them: the next one is in the
/// processor's cache already. Few enough in a page that those which stay of many hold little memory.
const PAGE: usize = 64;
type Page = Vec<Option<Series>>;

/// The head of a store, and its blocks, so that both change at once.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) symbols: Symbols,
    pub(crate) postings: Postings,
    pages: Vec<Option<Page>>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    next: u32,
    next_wal_id: u64,
    pub(crate) files: ChunkFiles,
    pub(crate) late: LateMap,
    /// Late samples that are being written into blocks.
    pub(crate) frozen: Arc<LateMap>,
    pub(crate) stones: HashMap<u32, Ranges>,
    pub(crate) blocks: Arc<Vec<Arc<Block>>>,
    /// Held by whoever looks into the head without its lock in between: nothing is forgotten while one from before is held.
    pub(crate) epoch: Arc<()>,
    /// What is before is in blocks: samples of such times are late.
    pub(crate) min_valid: i64,
    /// Of all samples that came in order and are still here.
    pub(crate) min_t: i64,
    /// Of all samples that ever came.
    pub(crate) max_t: i64,
    pub(crate) chunks: usize,
    /// How often everything was forgotten.
    pub(crate) cleared: u32,
    range: i64,
}

/// What became of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    InOrder,
    Late,
    /// There is one of its time.
    Known,
}

impl Head {
    pub(crate) fn new(files: ChunkFiles, range: i64) -> Self {
        Self {
            symbols: Symbols::default(),
            postings: Postings::default(),
            pages: Vec::new(),
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            next: 0,
            next_wal_id: 1,
            files,
            late: LateMap::default(),
            frozen: Arc::default(),
            stones: HashMap::default(),
            blocks: Arc::default(),
            epoch: Arc::default(),
            min_valid: i64::MIN,
            min_t: i64::MAX,
            max_t: i64::MIN,
            chunks: 0,
            cleared: 0,
            range,
        }
    }

    /// Forgets everything, files included; numbers go on.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        self.files.clear()?;
        self.symbols = Symbols::default();
        self.postings = Postings::default();
        self.pages.iter_mut().for_each(|page| *page = None);
        self.index = HashTable::new();
        self.late = LateMap::default();
        self.frozen = Arc::default();
        self.stones = HashMap::default();
        self.blocks = Arc::default();
        self.epoch = Arc::default();
        self.min_valid = i64::MIN;
        self.min_t = i64::MAX;
        self.max_t = i64::MIN;
        self.chunks = 0;
        self.cleared += 1;
        Ok(())
    }

    /// How many series there are.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn get(&self, id: u32) -> Option<&Series> {
        let page = self.pages.get(id as usize / PAGE)?.as_ref()?;
        page.get(id as usize % PAGE)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut Series> {
        let page = self.pages.get_mut(id as usize / PAGE)?.as_mut()?;
        page.get_mut(id as usize % PAGE)?.as_mut()
    }

    /// One past the last number.
    pub(crate) fn end(&self) -> u32 {
        self.next
    }

    /// All series of these numbers.
    pub(crate) fn series(&self, ids: std::ops::Range<u32>) -> impl Iterator<Item = (u32, &Series)> {
        ids.filter_map(|id| Some((id, self.get(id)?)))
    }

    pub(crate) fn hash(&self, labels: &Labels) -> u64 {
        self.hasher.hash_one(labels.as_bytes())
    }

    /// The series of a label set.
    pub(crate) fn find(&self, labels: &Labels, hash: u64) -> Option<u32> {
        let same = |id: &u32| {
            self.get(*id).is_some_and(|series| {
                series.hash == hash && self.pairs(&series.pairs).eq(labels.iter())
            })
        };
        self.index.find(hash, same).copied()
    }

    /// Names and values as texts.
    pub(crate) fn pairs<'a>(
        &'a self,
        pairs: &'a [(u32, u32)],
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let text = |id| self.symbols.text(id);
        pairs.iter().map(move |(n, v)| (text(*n), text(*v)))
    }

    pub(crate) fn labels(&self, pairs: &[(u32, u32)]) -> Labels {
        Labels::from_sorted(self.pairs(pairs))
    }

    /// Adds a series that is not there; nothing if all numbers are used up. Without a number for the log it gets the next one.
    pub(crate) fn create(
        &mut self,
        labels: &Labels,
        hash: u64,
        wal_id: Option<u64>,
    ) -> Option<u32> {
        let id = self.next;
        self.next = id.checked_add(1)?;
        let wal_id = wal_id.unwrap_or(self.next_wal_id);
        self.next_wal_id = self.next_wal_id.max(wal_id.saturating_add(1));
        let symbols = &mut self.symbols;
        let pairs: Arc<[_]> = labels
            .iter()
            .map(|(name, value)| (symbols.intern(name), symbols.intern(value)))
            .collect();
        self.postings.add(id, &pairs);
        let series = Series::new(wal_id, hash, pairs);
        let page = id as usize / PAGE;
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        let slots = self.pages[page].get_or_insert_with(|| Vec::with_capacity(PAGE));
        // After everything was forgotten a page begins in its middle.
        slots.resize_with(id as usize % PAGE, || None);
        slots.push(Some(series));
        let pages = &self.pages;
        self.index.insert_unique(hash, id, |id| {
            let page = pages[*id as usize / PAGE].as_ref();
            let series = page.and_then(|page| page[*id as usize % PAGE].as_ref());
            series.map_or(0, |series| series.hash)
        });
        Some(id)
    }

    /// No number up to this one is given to a new series in the log.
    pub(crate) fn reserve_wal_id(&mut self, id: u64) {
        self.next_wal_id = self.next_wal_id.max(id.saturating_add(1));
    }

    /// Adds a sample, in order or late, whichever it is.
    pub(crate) fn push(&mut self, id: u32, t: i64, v: f64) -> Option<Taken> {
        let page = self.pages.get_mut(id as usize / PAGE)?.as_mut()?;
        let series = page.get_mut(id as usize % PAGE)?.as_mut()?;
        self.max_t = self.max_t.max(t);
        *series.dying.get_mut() = false;
        if t > series.max() && t >= self.min_valid {
            self.chunks += usize::from(series.push(t, v, self.range, &mut self.files));
            self.min_t = self.min_t.min(t);
            return Some(Taken::InOrder);
        }
        if t == series.max() {
            return Some(Taken::Known);
        }
        let taken = self.late.entry(id).or_default().insert(t, v);
        Some(if taken { Taken::Late } else { Taken::Known })
    }

    /// Forgets series, ascending.
    pub(crate) fn remove(&mut self, dead: &[u32]) {
        let mut pairs = Vec::new();
        for id in dead {
            let Some(page) = self.pages.get_mut(*id as usize / PAGE) else {
                continue;
            };
            let slot = page.as_mut().and_then(|p| p.get_mut(*id as usize % PAGE));
            let Some(series) = slot.and_then(Option::take) else {
                continue;
            };
            if let Ok(entry) = self.index.find_entry(series.hash, |other| other == id) {
                entry.remove();
            }
            pairs.extend_from_slice(&series.pairs);
            self.stones.remove(id);
            // The page that is being filled keeps its places.
            let full = page.as_ref().is_some_and(|p| p.len() == PAGE);
            if full && page.iter().flatten().all(Option::is_none) {
                *page = None;
            }
        }
        let mut unique = pairs.clone();
        unique.sort_unstable();
        unique.dedup();
        self.postings.remove(dead, unique.into_iter());
        for (name, value) in pairs {
            self.symbols.release(name);
            self.symbols.release(value);
        }
    }
}

impl Lists for Head {
    fn all(&self) -> io::Result<Vec<u32>> {
        Ok(self.series(0..self.next).map(|(id, _)| id).collect())
    }

    fn with(&self, name: &str, value: &str, out: &mut Vec<u32>) -> io::Result<()> {
        if let (Some(name), Some(value)) = (self.symbols.find(name), self.symbols.find(value)) {
            out.extend_from_slice(self.postings.get(name, value));
        }
        Ok(())
    }

    fn having(
        &self,
        name: &str,
        wanted: &mut dyn FnMut(&str) -> bool,
        out: &mut Vec<u32>,
    ) -> io::Result<()> {
        let Some(name) = self.symbols.find(name) else {
            return Ok(());
        };
        for (value, list) in self.postings.values(name) {
            if wanted(self.symbols.text(value)) {
                out.extend_from_slice(list);
            }
        }
        Ok(())
    }
}
