//! Writes a block, page by page.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use wharf_signal::{SpanId, SpanKind, TraceId};

use super::index::{Index, OTHERS, PageInfo, Stats};
use super::{HEAD, NAMES_MAX, Numbers, PAGE_BYTES, TAIL_MAGIC, VERSION};
use crate::bloom;
use crate::codec::SpanRef;

/// What log and blocks of spans shrink well with: level 1 leaves a tenth more, level 6 takes three times as long for a twentieth.
const ZSTD_LEVEL: i32 = 3;

/// Spans of one trace among which the same are found: bounds what a trace without end costs.
const IDENTITIES_MAX: usize = 100_000;

/// What a block is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) numbers: Numbers,
    pub(crate) level: u8,
    /// Milliseconds since the Unix epoch.
    pub(crate) created: u64,
    /// The last file of the log that is in it.
    pub(crate) wal_through: u64,
}

/// A block on its way. Dropped before it is finished, it leaves nothing behind.
pub(crate) struct Writer {
    dir: PathBuf,
    numbers: Numbers,
    part: PathBuf,
    file: BufWriter<File>,
    compressor: zstd::bulk::Compressor<'static>,
    offset: u64,
    page: Vec<u8>,
    page_first: TraceId,
    page_stats: Stats,
    page_services: BTreeSet<u32>,
    /// Services in the order in which they came.
    services: Vec<String>,
    trace: Option<TraceId>,
    /// What the trace has already, so that nothing is in it twice.
    identities: BTreeSet<(SpanId, SpanKind, u32)>,
    hashes: Vec<u64>,
    index: Index,
    finished: bool,
}

impl Writer {
    pub(crate) fn create(dir: &Path, cut: Cut) -> io::Result<Self> {
        let part = cut.numbers.path(dir).with_extension("part");
        let mut file = BufWriter::new(File::create(&part)?);
        file.write_all(&HEAD)?;
        Ok(Self {
            dir: dir.to_owned(),
            numbers: cut.numbers,
            part,
            file,
            compressor: zstd::bulk::Compressor::new(ZSTD_LEVEL)?,
            offset: HEAD.len() as u64,
            page: vec![],
            page_first: TraceId::default(),
            page_stats: Stats::NONE,
            page_services: BTreeSet::new(),
            services: vec![],
            trace: None,
            identities: BTreeSet::new(),
            hashes: vec![],
            index: Index {
                level: cut.level,
                created: cut.created,
                wal_through: cut.wal_through,
                ..Index::default()
            },
            finished: false,
        })
    }

    /// Adds a span; they come ordered by trace, and of those that are the same the first is kept.
    pub(crate) fn add(&mut self, span: &SpanRef<'_>) -> io::Result<()> {
        if self.trace != Some(span.trace) {
            if self.page.len() >= PAGE_BYTES {
                self.end_page()?;
            }
            self.trace = Some(span.trace);
            self.identities.clear();
            self.hashes.push(bloom::hash(span.trace));
            self.index.traces += 1;
        } else if self.page.len() >= PAGE_BYTES {
            self.end_page()?;
        }
        if self.identities.len() >= IDENTITIES_MAX {
            self.identities.clear();
        }
        if !self.identities.insert(span.identity()) {
            return Ok(());
        }
        if self.page.is_empty() {
            self.page_first = span.trace;
        }
        let length = u32::try_from(span.bytes.len()).map_err(io::Error::other)?;
        self.page.extend_from_slice(&length.to_le_bytes());
        self.page.extend_from_slice(span.bytes);
        self.page_stats.add(span);
        let place = self.place(span.service);
        self.page_services.insert(place);
        self.index.note(span);
        self.index.spans += 1;
        Ok(())
    }

    fn place(&mut self, service: &str) -> u32 {
        let known = self.services.iter().position(|name| name == service);
        let place = known.or_else(|| {
            (self.services.len() < NAMES_MAX).then(|| {
                self.services.push(service.to_owned());
                self.services.len() - 1
            })
        });
        place
            .and_then(|place| u32::try_from(place).ok())
            .unwrap_or(OTHERS)
    }

    fn end_page(&mut self) -> io::Result<()> {
        let (Some(last), false) = (self.trace, self.page.is_empty()) else {
            return Ok(());
        };
        let packed = self.compressor.compress(&self.page)?;
        self.file.write_all(&packed)?;
        let length = u32::try_from(packed.len()).map_err(io::Error::other)?;
        self.index.pages.push(PageInfo {
            offset: self.offset,
            length,
            raw_length: u32::try_from(self.page.len()).map_err(io::Error::other)?,
            sum: crc32c::crc32c(&packed),
            first: self.page_first,
            last,
            stats: std::mem::replace(&mut self.page_stats, Stats::NONE),
            services: std::mem::take(&mut self.page_services),
        });
        self.offset += u64::from(length);
        self.index.raw_bytes += self.page.len() as u64;
        self.page.clear();
        Ok(())
    }

    /// Writes the rest, and gives the file its name once it is on the disk. Returns where it is.
    pub(crate) fn finish(mut self) -> io::Result<PathBuf> {
        self.end_page()?;
        // From the order in which services came to that of the index.
        let order: Vec<u32> = self
            .services
            .iter()
            .map(|name| {
                let place = self.index.services.keys().position(|known| known == name);
                place
                    .and_then(|place| u32::try_from(place).ok())
                    .unwrap_or(OTHERS)
            })
            .collect();
        for page in &mut self.index.pages {
            let places = page.services.iter().map(|came| {
                let came = usize::try_from(*came).unwrap_or(usize::MAX);
                order.get(came).copied().unwrap_or(OTHERS)
            });
            page.services = places.collect();
        }
        let filter = bloom::build(&self.hashes);
        self.file.write_all(&filter)?;
        let index_at = self.offset + filter.len() as u64;
        let index = self.index.encode();
        self.file.write_all(&index)?;
        let mut tail = vec![];
        tail.extend_from_slice(&self.offset.to_le_bytes());
        tail.extend_from_slice(&index_at.to_le_bytes());
        let length = u32::try_from(index.len()).map_err(io::Error::other)?;
        tail.extend_from_slice(&length.to_le_bytes());
        tail.extend_from_slice(&crc32c::crc32c(&index).to_le_bytes());
        tail.extend_from_slice(&[VERSION, 0, 0, 0]);
        tail.extend_from_slice(&TAIL_MAGIC);
        self.file.write_all(&tail)?;
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        let path = self.numbers.path(&self.dir);
        fs::rename(&self.part, &path)?;
        self.finished = true;
        File::open(&self.dir)?.sync_all()?;
        Ok(path)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.finished {
            // What is left behind is removed when the store is opened.
            drop(fs::remove_file(&self.part));
        }
    }
}
