//! The log of what is in memory: each batch is one record, written before it is acknowledged.
//!
//! # Format
//! Files `wal/<number>.wal`, the number in 8 or more digits, counting up. Each begins with `WHARFWAL`, a version (4 bytes,
//! little-endian, 1) and 4 zero bytes. Records follow: the length of the payload (4 bytes), its CRC-32C (4 bytes), the payload. It
//! is, as [`codec`](crate::codec) says:
//!
//! ```text
//! number of streams, and for each:
//!     its number within this file; 1 and its label set where the file names it for the first time, else 0
//!     number of entries, and for each: the time less that of the entry before, wrapping (signed; the first: the time), the line,
//!     the bytes of a label set with its metadata (empty: none)
//! number of cursors, and for each: the source, file, offset
//! number of sources that are gone, and their names
//! ```
//!
//! A file begins with a record of all cursors, so that the files before it can be deleted once their lines are in chunk files.
//! A writer never goes on with a file of the one before it. A record that is not whole ends its file, unless the one behind it is
//! sound: then that one alone is lost. Readers refuse a version that they do not know.

mod read;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::batch::Cursor;
use crate::codec::{put_bytes, put_number};

pub(crate) use read::{Replay, replay};

const MAGIC: &[u8; 8] = b"WHARFWAL";
const VERSION: u32 = 1;
const HEAD_BYTES: usize = 16;

/// A file is left for the next one past this: what damage can cost is bounded, and the list of cursors is not written too often.
const SEGMENT_BYTES: u64 = 8 << 20;

/// The longest payload: more than any client sends at once.
pub(crate) const MOST_RECORD: usize = 32 << 20;

/// Where a stream was named: file and number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) segment: u64,
    pub(crate) number: u32,
}

pub(crate) struct Wal {
    folder: PathBuf,
    file: Option<File>,
    segment: u64,
    length: u64,
    /// The streams that this file names.
    pub(crate) named: u32,
    /// Bytes of files that are not covered by chunk files, the current one included.
    total: u64,
}

impl Wal {
    /// A log that will begin with the file `segment`. `total` is what others take.
    pub(crate) fn new(folder: PathBuf, segment: u64, total: u64) -> Self {
        Self {
            folder,
            file: None,
            segment,
            length: 0,
            named: 0,
            total,
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.total
    }

    pub(crate) fn path(&self) -> PathBuf {
        path(&self.folder, self.segment)
    }

    /// Sees to it that there is a file with room. Its number is returned.
    pub(crate) fn ready(&mut self, cursors: &BTreeMap<String, Cursor>) -> io::Result<u64> {
        if self.file.is_some() && self.length >= SEGMENT_BYTES {
            self.leave();
        }
        if self.file.is_none() {
            self.begin(cursors)?;
        }
        Ok(self.segment)
    }

    /// Ends the current file, if there is one, and returns the number of the last file that was begun.
    pub(crate) fn leave(&mut self) -> u64 {
        if self.file.take().is_some() {
            self.segment += 1;
        }
        self.segment.saturating_sub(1)
    }

    fn begin(&mut self, cursors: &BTreeMap<String, Cursor>) -> io::Result<()> {
        let path = self.path();
        let mut head = Vec::with_capacity(64);
        head.extend_from_slice(MAGIC);
        head.extend_from_slice(&VERSION.to_le_bytes());
        head.extend_from_slice(&[0; 4]);
        let mut record = Vec::new();
        begin_record(&mut record);
        put_number(&mut record, 0);
        put_cursors(
            &mut record,
            cursors.iter().map(|(s, c)| (s.as_str(), *c)),
            &[],
        );
        end_record(&mut record)?;
        head.extend_from_slice(&record);
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(&head)?;
            Ok(file)
        });
        match written {
            Ok(file) => {
                self.file = Some(file);
                self.length = head.len() as u64;
                self.total += self.length;
                self.named = 0;
                Ok(())
            }
            Err(e) => {
                fs::remove_file(&path).ok();
                Err(e)
            }
        }
    }

    /// Appends a record to the file that is ready. If that fails, nothing of it is there.
    pub(crate) fn append(&mut self, record: &mut [u8]) -> io::Result<()> {
        end_record(record)?;
        let file = self.file.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        if let Err(e) = file.write_all(record) {
            use std::io::Seek;
            let back = file
                .set_len(self.length)
                .and_then(|()| file.seek(io::SeekFrom::Start(self.length)));
            if back.is_err() {
                // What is half written ends this file; the next record begins another.
                self.leave();
            }
            return Err(e);
        }
        self.length += record.len() as u64;
        self.total += record.len() as u64;
        Ok(())
    }

    /// A second handle of the current file, for whoever wants it on the disk.
    pub(crate) fn handle(&self) -> Option<File> {
        self.file.as_ref()?.try_clone().ok()
    }

    /// Deletes the files up to `covered`, and counts what is left.
    pub(crate) fn forget(&mut self, covered: u64) -> io::Result<()> {
        let mut total = 0;
        for (segment, length) in segments(&self.folder)? {
            if segment <= covered {
                fs::remove_file(path(&self.folder, segment))?;
            } else {
                total += length;
            }
        }
        self.total = total;
        Ok(())
    }
}

/// Before length and check of a payload.
const FRAME_BYTES: usize = 8;

/// Empties a buffer for a record; its payload is put behind.
pub(crate) fn begin_record(out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&[0; FRAME_BYTES]);
}

/// Writes length and check of the payload before it.
fn end_record(record: &mut [u8]) -> io::Result<()> {
    let Some((frame, payload)) = record.split_first_chunk_mut::<FRAME_BYTES>() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame[4..].copy_from_slice(&crc32c::crc32c(payload).to_le_bytes());
    Ok(())
}

/// The end of a payload.
pub(crate) fn put_cursors<'a>(
    out: &mut Vec<u8>,
    cursors: impl ExactSizeIterator<Item = (&'a str, Cursor)>,
    gone: &[String],
) {
    put_number(out, cursors.len() as u64);
    for (source, cursor) in cursors {
        put_bytes(out, source.as_bytes());
        put_number(out, cursor.file);
        put_number(out, cursor.offset);
    }
    put_number(out, gone.len() as u64);
    for source in gone {
        put_bytes(out, source.as_bytes());
    }
}

fn path(folder: &Path, segment: u64) -> PathBuf {
    folder.join(format!("{segment:08}.wal"))
}

/// The files of a folder with their lengths, by number.
fn segments(folder: &Path) -> io::Result<Vec<(u64, u64)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|n| n.strip_suffix(".wal"));
        if let Some(number) = number.and_then(|n| n.parse().ok()) {
            found.push((number, entry.metadata()?.len()));
        }
    }
    found.sort_unstable();
    Ok(found)
}
