//! The files of one process, in order, and reading them from a position on.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use wharf_base::clock::Timestamp;

use super::format::{self, HEADER, RECORD_MAX_BYTES, RawRecord, Record};

/// One read of a file. Larger than the longest record, so that each read yields at least one.
const CHUNK_BYTES: usize = 128 * 1024;
const _: () = assert!(CHUNK_BYTES > RECORD_MAX_BYTES);

/// The log of one process.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Series {
    /// The folder.
    pub dir: PathBuf,
    /// The process's log name ([`crate::LogTarget::name`]).
    pub name: String,
}

/// The series in a folder, by name. None if there is no such folder.
///
/// # Errors
/// The folder cannot be read.
pub fn series_in(dir: &Path) -> io::Result<Vec<Series>> {
    let mut names = BTreeSet::new();
    for name in names_in(dir)? {
        if let Some((series, _)) = parse_name(&name) {
            names.insert(series.to_owned());
        }
    }
    Ok(names
        .into_iter()
        .map(|name| Series {
            dir: dir.to_owned(),
            name,
        })
        .collect())
}

/// The name of a file of a series.
pub(crate) fn file_name(name: &str, number: u64) -> String {
    format!("{name}.{number:08}.log")
}

/// The files of a series, the oldest first.
pub(crate) fn files(dir: &Path, name: &str) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found: Vec<(u64, PathBuf)> = names_in(dir)?
        .iter()
        .filter_map(|file| {
            parse_name(file)
                .filter(|(series, _)| *series == name)
                .map(|(_, number)| (number, dir.join(file)))
        })
        .collect();
    found.sort();
    Ok(found)
}

fn names_in(dir: &Path) -> io::Result<Vec<String>> {
    match fs::read_dir(dir) {
        Ok(entries) => entries
            .filter_map(|entry| {
                entry
                    .map(|entry| entry.file_name().into_string().ok())
                    .transpose()
            })
            .collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn parse_name(file: &str) -> Option<(&str, u64)> {
    let (name, number) = file.strip_suffix(".log")?.rsplit_once('.')?;
    let digits = number.len() >= 8 && number.bytes().all(|b| b.is_ascii_digit());
    (digits && !name.is_empty()).then_some(())?;
    Some((name, number.parse().ok()?))
}

/// Where a reader stands: a file's number and the byte of it at which the next record begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// The file.
    pub number: u64,
    /// The byte.
    pub offset: u64,
}

/// Reads one series forwards, over rotations, up to what is written by now; asked again later, it goes on. Memory: one chunk of
/// 128 KiB.
#[derive(Debug)]
pub struct Reader {
    series: Arc<Series>,
    open: Option<Open>,
    /// The least number that may be opened next.
    next_number: u64,
    chunk: Vec<u8>,
    /// Where in the chunk the next line begins.
    position: usize,
}

#[derive(Debug)]
struct Open {
    file: File,
    number: u64,
    /// How far the file has been read into the chunk.
    offset: u64,
}

impl Open {
    /// Adds what follows to a chunk. False: nothing yet.
    fn read(&mut self, chunk: &mut Vec<u8>) -> bool {
        let kept = chunk.len();
        chunk.resize(kept + CHUNK_BYTES, 0);
        let read = self.file.read_at(&mut chunk[kept..], self.offset);
        let read = read.unwrap_or(0);
        chunk.truncate(kept + read);
        self.offset += read as u64;
        read > 0
    }
}

impl Reader {
    /// A reader that begins with the oldest record.
    #[must_use]
    pub fn new(series: Series) -> Self {
        Self {
            series: Arc::new(series),
            open: None,
            next_number: 0,
            chunk: Vec::new(),
            position: 0,
        }
    }

    /// A reader that goes on where another stood. If that file is gone, it begins with the oldest that is there.
    #[must_use]
    pub fn resume(series: Series, position: Position) -> Self {
        Self::at(series, position.number, position.offset)
    }

    /// Where the next record begins that [`Self::next_record`] gives.
    #[must_use]
    pub fn position(&self) -> Position {
        match &self.open {
            Some(open) => Position {
                number: open.number,
                offset: open
                    .offset
                    .saturating_sub((self.chunk.len() - self.position) as u64),
            },
            None => Position {
                number: self.next_number,
                offset: 0,
            },
        }
    }

    /// A reader that begins at this byte of this file, which must be the beginning of a line.
    pub(crate) fn at(series: Series, number: u64, offset: u64) -> Self {
        let mut reader = Self::new(series);
        reader.next_number = number;
        reader.open_next();
        if let Some(open) = reader.open.as_mut().filter(|open| open.number == number) {
            open.offset = open.offset.max(offset);
        }
        reader
    }

    /// A reader that passes over the files that were finished before this time.
    pub(crate) fn since(series: Series, since: Timestamp) -> Self {
        let mut reader = Self::new(series);
        let older = |path: &Path| {
            let modified = fs::metadata(path)
                .and_then(|metadata| metadata.modified())
                .ok()?;
            let millis = modified.duration_since(UNIX_EPOCH).ok()?.as_millis();
            Some(millis < u128::from(since.0))
        };
        for (number, path) in files(&reader.series.dir, &reader.series.name).unwrap_or_default() {
            if !older(&path).unwrap_or(false) {
                break;
            }
            reader.next_number = number + 1;
        }
        reader
    }

    /// What it reads.
    #[must_use]
    pub fn series(&self) -> &Series {
        &self.series
    }

    /// The next record that is written completely; none if there is none yet. What cannot be read is passed over.
    pub fn next_record(&mut self) -> Option<Record> {
        let series = Arc::clone(&self.series);
        self.next_raw(|raw| Record {
            nanos: raw.nanos,
            kind: raw.kind,
            continued: raw.continued,
            text: String::from_utf8_lossy(raw.text).into_owned(),
            series,
        })
    }

    fn next_raw<T>(&mut self, convert: impl FnOnce(RawRecord<'_>) -> T) -> Option<T> {
        loop {
            while let Some(length) = self.chunk[self.position..].iter().position(|b| *b == b'\n') {
                let start = self.position;
                self.position += length + 1;
                if format::parse(&self.chunk[start..start + length]).is_some() {
                    // Parsed a second time: the borrow checker does not let a conditional borrow leave the loop.
                    return format::parse(&self.chunk[start..start + length]).map(convert);
                }
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// Reads on: the rest of this file, or the next file. False: nothing new.
    fn fill(&mut self) -> bool {
        self.chunk.drain(..self.position);
        self.position = 0;
        if self.chunk.len() > RECORD_MAX_BYTES {
            // No record is that long: the rest of a broken file. What follows its next line feed is read again.
            self.chunk.clear();
        }
        loop {
            if self.open.is_none() && !self.open_next() {
                return false;
            }
            let Some(open) = self.open.as_mut() else {
                return false;
            };
            if open.read(&mut self.chunk) {
                return true;
            }
            // Once there is a newer file, nothing is added to this one: what came between the two looks is still read.
            if !newer_exists(&self.series, open.number) {
                if self.chunk.is_empty() {
                    // Many series are followed at once, and most are silent.
                    self.chunk = Vec::new();
                }
                return false;
            }
            if open.read(&mut self.chunk) {
                return true;
            }
            self.next_number = open.number + 1;
            self.open = None;
            self.chunk.clear();
        }
    }

    /// Opens the oldest file from `next_number` on that has a known version.
    fn open_next(&mut self) -> bool {
        for (number, path) in files(&self.series.dir, &self.series.name).unwrap_or_default() {
            if number < self.next_number {
                continue;
            }
            // Deleted by a rotation since it was listed, or not ours: the next.
            let Ok(file) = File::open(path) else { continue };
            let mut head = [0; HEADER.len()];
            match file.read_exact_at(&mut head, 0) {
                Ok(()) if head == *HEADER => {
                    self.open = Some(Open {
                        file,
                        number,
                        offset: HEADER.len() as u64,
                    });
                    return true;
                }
                Ok(()) => {}
                // Just being begun.
                Err(_) => return false,
            }
        }
        false
    }
}

fn newer_exists(series: &Series, number: u64) -> bool {
    files(&series.dir, &series.name)
        .unwrap_or_default()
        .last()
        .is_some_and(|(newest, _)| *newest > number)
}

/// Where the last `count` records of a series begin: a file's number and a byte of it. Reads backwards, a chunk at a time.
pub(crate) fn last_records(series: &Series, count: usize) -> io::Result<Option<(u64, u64)>> {
    let mut found = None;
    let mut left = count;
    for (number, path) in files(&series.dir, &series.name)?.into_iter().rev() {
        let Ok(file) = File::open(path) else { continue };
        let mut end = file.metadata()?.len();
        // The bytes of the line that the chunk before ended in.
        let mut carried = Vec::new();
        while left > 0 && end > 0 {
            let length = end.min(CHUNK_BYTES as u64);
            let start = end - length;
            let mut chunk = vec![0; usize::try_from(length).unwrap_or(CHUNK_BYTES)];
            file.read_exact_at(&mut chunk, start)?;
            chunk.extend_from_slice(&carried);
            let mut line_end = chunk.len();
            while left > 0 {
                let feed = chunk[..line_end].iter().rposition(|b| *b == b'\n');
                let line_start = feed.map_or(0, |feed| feed + 1);
                if feed.is_none() && start > 0 {
                    break;
                }
                if format::parse(&chunk[line_start..line_end]).is_some() {
                    left -= 1;
                    found = Some((number, start + line_start as u64));
                }
                match feed {
                    Some(feed) => line_end = feed,
                    None => break,
                }
            }
            chunk.truncate(line_end);
            if chunk.len() > RECORD_MAX_BYTES {
                chunk.clear();
            }
            carried = chunk;
            end = start;
        }
        if left == 0 {
            break;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
