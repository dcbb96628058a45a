//! Making few large files of many small ones, day by day.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use wharf_signal::Labels;

use crate::block::{Meta, Opener, Sealer};
use crate::chunk::{BlockRef, ChunkFile, Handle, Index, ReadError, Writer, day};
use crate::cut::Change;
use crate::damage::lock;
use crate::keep::Kept;
use crate::rows::Rows;
use crate::store::Inner;

/// As many neighbours of about one size are merged: each line is written again once for each power of four of the sizes.
const AT_ONCE: usize = 4;

/// More are not held open at once.
const MOST_AT_ONCE: usize = 16;

/// A file of the first size class; each further class is four times as large.
const SMALLEST: u64 = 64 << 10;

/// Merges the files that are due.
pub(crate) fn merge(inner: &Inner, kept: &mut Kept) -> Result<(), ReadError> {
    let files = lock(&inner.state).files.clone();
    for files in due(&files, inner.options.chunk_bytes) {
        kept.merged += files.len();
        of(inner, files)?;
    }
    Ok(())
}

fn class(size: u64) -> u32 {
    (size / SMALLEST)
        .checked_ilog(4)
        .map_or(0, |class| class + 1)
}

/// Runs of neighbours that are to become one. Neighbours only: the order of blocks says in which order entries of one time came.
fn due(files: &[Arc<ChunkFile>], chunk_bytes: u64) -> Vec<Vec<Arc<ChunkFile>>> {
    let mut days: BTreeMap<i64, Vec<&Arc<ChunkFile>>> = BTreeMap::new();
    for file in files {
        if file.is_hot() && !file.damaged.load(Ordering::Relaxed) {
            days.entry(day(file.summary.max)).or_default().push(file);
        }
    }
    let last = days.keys().next_back().copied().unwrap_or_default();
    let mut due = Vec::new();
    for (of, mut files) in days {
        files.sort_by_key(|f| f.summary.order);
        // A day that is over gets nothing more.
        let past = of < last.saturating_sub(1);
        let found = run(&files, chunk_bytes, past);
        // A file with entries of far-off days would be kept for the sake of the last of them.
        let mixed = || {
            let far = |f: &&&Arc<ChunkFile>| {
                f.summary.day.is_none() && day(f.summary.min) < of.saturating_sub(1)
            };
            files.iter().find(far).map(|f| vec![(*f).clone()])
        };
        due.extend(found.or_else(mixed));
    }
    due
}

/// The first run of neighbours of the smallest class that has one.
fn run(files: &[&Arc<ChunkFile>], chunk_bytes: u64, past: bool) -> Option<Vec<Arc<ChunkFile>>> {
    let enough = if past { 2 } else { AT_ONCE };
    let classes: BTreeSet<u32> = files.iter().map(|f| class(f.summary.size)).collect();
    for most in classes {
        let mut run: Vec<Arc<ChunkFile>> = Vec::new();
        let mut size = 0;
        for file in files {
            let fits = class(file.summary.size) <= most
                && size + file.summary.size <= chunk_bytes
                && run.len() < MOST_AT_ONCE;
            if fits {
                size += file.summary.size;
                run.push((*file).clone());
            } else if run.len() >= enough {
                break;
            } else {
                run.clear();
                size = 0;
            }
        }
        if run.len() >= enough {
            return Some(run);
        }
    }
    None
}

/// One of the files that become one.
struct Source {
    file: Arc<ChunkFile>,
    handle: Handle,
    index: Index,
}

fn of(inner: &Inner, files: Vec<Arc<ChunkFile>>) -> Result<(), ReadError> {
    let mut sources = Vec::with_capacity(files.len());
    for file in &files {
        let handle = file.open()?;
        let index = handle.index(file.summary.size)?;
        sources.push(Source {
            file: file.clone(),
            handle,
            index,
        });
    }
    let mut days = BTreeSet::new();
    let mut labels = BTreeSet::new();
    for stream in sources.iter().flat_map(|s| &s.index.streams) {
        days.extend(stream.blocks.iter().map(|b| day(b.meta.max)));
        labels.insert(&stream.labels);
    }
    let mut added = Vec::new();
    for day in days {
        let written = write(inner, &sources, &labels, day);
        let Some(file) = written.inspect_err(|_| discard(&added))? else {
            continue;
        };
        added.push(file);
    }
    let change = Change {
        added: added.clone(),
        removed: files,
        ..Change::default()
    };
    inner.install(change).inspect_err(|_| discard(&added))?;
    Ok(())
}

/// Files that will not be installed.
fn discard(files: &[Arc<ChunkFile>]) {
    for file in files {
        file.doom();
    }
}

/// Writes the blocks of one day to one file.
fn write(
    inner: &Inner,
    sources: &[Source],
    labels: &BTreeSet<&Labels>,
    of: i64,
) -> Result<Option<Arc<ChunkFile>>, ReadError> {
    let mut merger = Merger {
        writer: Writer::create(&inner.hot(), inner.next_file())?,
        sealer: Sealer::new(inner.options.level),
        opener: Opener::new()?,
        block_bytes: inner.options.block_bytes,
        rows: Rows::default(),
        order: 0,
    };
    for labels in labels {
        let mut blocks = Vec::new();
        for source in sources {
            let streams = &source.index.streams;
            let place = streams.binary_search_by(|s| s.labels.cmp(labels));
            let found = place.ok().and_then(|place| streams.get(place));
            let found = found.into_iter().flat_map(|s| &s.blocks);
            let of_day = found.filter(|b| day(b.meta.max) == of);
            blocks.extend(of_day.map(|b| (source, b)));
        }
        blocks.sort_by_key(|(_, b)| b.meta.order);
        for (source, block) in blocks {
            if let Err(e) = merger.add(labels, source, block) {
                if matches!(e, ReadError::Damaged(_)) {
                    source.file.damaged.store(true, Ordering::Relaxed);
                }
                return Err(e);
            }
        }
        merger.seal(labels)?;
    }
    if merger.writer.is_empty() {
        return Ok(None);
    }
    Ok(Some(inner.hot_file(merger.writer.finish()?)))
}

struct Merger {
    writer: Writer,
    sealer: Sealer,
    opener: Opener,
    block_bytes: usize,
    /// Entries of small blocks, in the order of time.
    rows: Rows,
    /// The order of the first of these.
    order: u64,
}

impl Merger {
    fn add(&mut self, labels: &Labels, source: &Source, block: &BlockRef) -> Result<(), ReadError> {
        if block.meta.text as usize >= self.block_bytes / 4 * 3 {
            self.seal(labels)?;
            return self.copy(labels, source, block);
        }
        let small = source.handle.rows(block, &mut self.opener)?;
        for row in &small.rows {
            if self.rows.is_empty() {
                self.order = block.meta.order;
            }
            self.rows
                .push(row.nanos, small.line(*row), small.set(*row))?;
            if self.rows.text.len() + self.rows.sets.len() >= self.block_bytes {
                self.seal(labels)?;
            }
        }
        self.opener.reuse(small);
        Ok(())
    }

    /// Takes a block over as it is, unless it is damaged.
    fn copy(
        &mut self,
        labels: &Labels,
        source: &Source,
        block: &BlockRef,
    ) -> Result<(), ReadError> {
        let filter = source.handle.filter(block)?;
        let frame = source.handle.frame(block)?;
        let meta: &Meta = &block.meta;
        if crc32c::crc32c(&frame) != meta.crc {
            return Err(crate::codec::Damaged.into());
        }
        Ok(self.writer.add_parts(labels, meta, &filter, &frame)?)
    }

    fn seal(&mut self, labels: &Labels) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.rows);
        let sealed = self.sealer.seal(&rows, self.order)?;
        self.writer.add(labels, &sealed)
    }
}
