//! The write-ahead log: what is acknowledged is here first.
//!
//! Prometheus's format. A folder of segments, `00000000` and so on, each a row of pages of 32 KiB. A record is one fragment, or several
//! where it does not fit into its page; it never leaves its segment. What is left of a page where no head of a fragment fits is zero.
//!
//! ```text
//! kind <1b>: 0 the rest of the page is empty, 1 whole, 2 first, 3 middle, 4 last; +8: compressed with snappy
//! length <2b>   CRC-32C of the data <4b>   data
//! ```
//! `checkpoint.N` is a folder of the same kind that replaces the segments up to N.
//!
//! A commit is in the kernel before it is acknowledged, so that it survives the end of the process. It is synchronised to the disk when
//! its segment ends, when the log is closed, and whenever the owner maintains the store: a power cut may take what came since.

mod read;
mod record;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

pub(crate) use read::Reader;
pub(crate) use record::{
    Record, put_sample, put_series, samples_record, series_record, tombstones,
};

use crate::files::sync_dir;

const PAGE: usize = 32 << 10;
const HEAD: usize = 7;

const WHOLE: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;
const SNAPPY: u8 = 8;

/// The path of a segment.
pub(crate) fn segment_path(dir: &Path, index: u32) -> PathBuf {
    dir.join(format!("{index:08}"))
}

/// The segments of a folder, in order.
pub(crate) fn segments(dir: &Path) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if name.len() >= 6 && name.bytes().all(|b| b.is_ascii_digit()) {
            found.extend(name.parse::<u32>().ok());
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The newest checkpoint: the last segment that it replaces, and its folder. Older ones are given too, to be removed.
pub(crate) fn checkpoints(dir: &Path) -> io::Result<Vec<(u32, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|n| n.strip_prefix("checkpoint."));
        if let Some(Ok(number)) = number.map(str::parse::<u32>) {
            found.push((number, entry.path()));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Where the log is written to.
#[derive(Debug)]
pub(crate) struct Wal {
    dir: PathBuf,
    segment_bytes: u64,
    index: u32,
    file: File,
    /// How much of the segment is good.
    length: u64,
    /// Something is behind `length` that could not be taken back: the next record begins a new segment.
    torn: bool,
    /// Something was written since the last synchronisation.
    dirty: bool,
    /// The fragments of one commit.
    out: Vec<u8>,
    /// Segments that ended and are not on the disk for certain.
    ended: Vec<File>,
}

/// As many segments may wait for the owner to put them on the disk, before a commit has to.
const ENDED: usize = 8;

impl Wal {
    /// Begins a segment behind all that are there.
    pub(crate) fn open(dir: &Path, segment_bytes: u64) -> io::Result<Self> {
        let last = segments(dir)?.pop();
        let covered = checkpoints(dir)?.pop().map(|(index, _)| index);
        let index = last.max(covered).map_or(0, |last| last + 1);
        Self::create(dir, index, segment_bytes)
    }

    /// Begins this very segment.
    pub(crate) fn create(dir: &Path, index: u32, segment_bytes: u64) -> io::Result<Self> {
        let file = new_segment(dir, index)?;
        sync_dir(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            segment_bytes: segment_bytes.next_multiple_of(PAGE as u64).max(PAGE as u64),
            index,
            file,
            length: 0,
            torn: false,
            dirty: false,
            out: Vec::new(),
            ended: Vec::new(),
        })
    }

    /// The segment that is written to.
    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    /// Writes records, all or none of them as far as this process lives.
    pub(crate) fn write(&mut self, records: &[&[u8]]) -> io::Result<()> {
        let total: usize = records.iter().map(|r| framed_bound(r.len())).sum();
        if self.torn || (self.length > 0 && self.length + total as u64 > self.segment_bytes) {
            self.cut()?;
        }
        self.out.clear();
        for record in records {
            frame(&mut self.out, self.length as usize % PAGE, record);
        }
        if let Err(error) = self.file.write_all_at(&self.out, self.length) {
            // A torn tail would hide what comes behind it from other readers.
            if self.file.set_len(self.length).is_err() {
                self.torn = true;
            }
            return Err(error);
        }
        self.length += self.out.len() as u64;
        self.dirty = true;
        if self.out.capacity() > 4 << 20 {
            self.out = Vec::new();
        }
        Ok(())
    }

    /// Ends the segment; gives the index of the next one.
    pub(crate) fn cut(&mut self) -> io::Result<u32> {
        let file = new_segment(&self.dir, self.index + 1)?;
        if self.ended.len() >= ENDED {
            self.sync()?;
        }
        self.index += 1;
        let ended = std::mem::replace(&mut self.file, file);
        if std::mem::take(&mut self.dirty) {
            self.ended.push(ended);
        }
        self.length = 0;
        self.torn = false;
        Ok(self.index)
    }

    /// Puts on the disk what is written.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        for file in self.unsynced()? {
            file.sync_data()?;
        }
        Ok(())
    }

    /// What has to be put on the disk, for the caller to do it while others write.
    pub(crate) fn unsynced(&mut self) -> io::Result<Vec<File>> {
        if self.dirty {
            self.ended.push(self.file.try_clone()?);
            self.dirty = false;
        }
        Ok(std::mem::take(&mut self.ended))
    }
}

impl Drop for Wal {
    fn drop(&mut self) {
        if self.sync().is_err() {
            // Nobody is left to tell; what was written is in the kernel.
        }
    }
}

fn new_segment(dir: &Path, index: u32) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(segment_path(dir, index))
}

/// No less than what a record takes, wherever in a page it begins.
fn framed_bound(length: usize) -> usize {
    length + (length / (PAGE - HEAD) + 2) * 2 * HEAD
}

/// Appends a record's fragments to what will be written at `start` within a page.
fn frame(out: &mut Vec<u8>, start: usize, record: &[u8]) {
    let mut rest = record;
    let mut first = true;
    loop {
        let mut left = PAGE - (start + out.len()) % PAGE;
        if left < HEAD {
            out.resize(out.len() + left, 0);
            left = PAGE;
        }
        let (data, behind) = rest.split_at(rest.len().min(left - HEAD));
        let kind = match (first, behind.is_empty()) {
            (true, true) => WHOLE,
            (true, false) => FIRST,
            (false, false) => MIDDLE,
            (false, true) => LAST,
        };
        out.push(kind);
        out.extend_from_slice(&(data.len() as u16).to_be_bytes());
        out.extend_from_slice(&crc32c::crc32c(data).to_be_bytes());
        out.extend_from_slice(data);
        rest = behind;
        first = false;
        if rest.is_empty() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
