//! Writes the log of one process, in files of bounded size.
//!
//! Never blocks the process for want of disk: what cannot be written is dropped and counted, and a note says so as soon as the disk
//! takes it. A failed write leaves no half record.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::PathBuf;

use super::format::{self, HEADER, Kind, RawRecord};
use super::series::{self, file_name};
use crate::launch::LogTarget;

/// Records wait for one write up to this size; also bounds the memory.
const BATCH_BYTES: usize = 64 * 1024;

/// The writer of one series. Call [`Writer::flush`] after each batch; dropping it without loses the batch.
#[derive(Debug)]
pub struct Writer {
    target: LogTarget,
    file: File,
    number: u64,
    /// The bytes of the file, all of them whole records.
    size: u64,
    batch: Vec<u8>,
    batch_lines: u64,
    /// Dropped since the last note.
    untold: u64,
    dropped: u64,
    cause: String,
}

impl Writer {
    /// Goes on in the newest file of the series, or begins one. Makes the folder (mode 0700) if it is missing.
    ///
    /// # Errors
    /// The folder or the file cannot be made.
    pub fn open(target: LogTarget) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&target.dir)?;
        let newest = series::files(&target.dir, &target.name)?
            .last()
            .map(|(number, _)| *number);
        let number = newest.unwrap_or(1);
        let (file, size) = open_file(&target, number)?;
        Ok(Self {
            target,
            file,
            number,
            size,
            batch: Vec::new(),
            batch_lines: 0,
            untold: 0,
            dropped: 0,
            cause: String::new(),
        })
    }

    /// Adds a record; `text` holds no line feed and at most 64 KiB.
    pub fn push(&mut self, kind: Kind, continued: bool, text: &[u8], nanos: u64) {
        format::write(
            &mut self.batch,
            RawRecord {
                nanos,
                kind,
                continued,
                text,
            },
        );
        self.batch_lines += 1;
        if self.batch.len() >= BATCH_BYTES {
            self.flush();
        }
    }

    /// Writes what waits, or drops and counts it.
    pub fn flush(&mut self) {
        if self.batch.is_empty() && self.untold == 0 {
            return;
        }
        let mut batch = std::mem::take(&mut self.batch);
        let lines = std::mem::take(&mut self.batch_lines);
        let result = self.write_note().and_then(|()| self.write_whole(&batch));
        if let Err(error) = result {
            self.untold += lines;
            self.dropped += lines;
            self.cause = error.to_string();
        }
        batch.clear();
        // One long line must not keep its memory for ever.
        batch.shrink_to(BATCH_BYTES);
        self.batch = batch;
    }

    /// Whether lines have been dropped of which the log does not tell yet; [`Writer::flush`] tries again.
    #[must_use]
    pub fn owes_note(&self) -> bool {
        self.untold > 0
    }

    /// The lines that could not be written, ever.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn write_note(&mut self) -> io::Result<()> {
        if self.untold == 0 {
            return Ok(());
        }
        let text = format!(
            "{} lines could not be written and are lost: {}",
            self.untold, self.cause
        );
        let mut bytes = Vec::new();
        let record = RawRecord {
            nanos: format::now_nanos(),
            kind: Kind::Note,
            continued: false,
            text: text.as_bytes(),
        };
        format::write(&mut bytes, record);
        self.write_whole(&bytes)?;
        self.untold = 0;
        Ok(())
    }

    fn write_whole(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let header = HEADER.len() as u64;
        if self.size > header && self.size + bytes.len() as u64 > self.target.max_bytes {
            // Where no new file can be made, the old one grows: better long than lost.
            drop(self.rotate());
        }
        let result = self.file.write_all_at(bytes, self.size);
        match result {
            Ok(()) => self.size += bytes.len() as u64,
            // Takes the half record back; the next write begins at `size` in any case.
            Err(_) => drop(self.file.set_len(self.size)),
        }
        result
    }

    fn rotate(&mut self) -> io::Result<()> {
        let (file, size) = open_file(&self.target, self.number + 1)?;
        self.number += 1;
        self.file = file;
        self.size = size;
        let files = series::files(&self.target.dir, &self.target.name)?;
        let keep = usize::try_from(self.target.max_files).unwrap_or(usize::MAX);
        for (_, path) in files.iter().take(files.len().saturating_sub(keep)) {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

/// Opens or makes a file of the series; what a killed writer has left half is closed with a line feed.
fn open_file(target: &LogTarget, number: u64) -> io::Result<(File, u64)> {
    let path: PathBuf = target.dir.join(file_name(&target.name, number));
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    let mut size = file.seek(SeekFrom::End(0))?;
    if size == 0 {
        file.write_all(HEADER)
            .inspect_err(|_| drop(file.set_len(0)))?;
        size = HEADER.len() as u64;
    } else {
        let mut last = [0];
        file.read_exact_at(&mut last, size - 1)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
            size += 1;
        }
    }
    Ok((file, size))
}
