//! The log of spans that are in no block yet.
//!
//! # Format
//! `wal/<number>.wal`, the number in 8 or more digits, counting up. A file begins with `WHSL`, a version byte (1) and three zeros. Records
//! follow:
//!
//! ```text
//! marker A5 72 65 63, length u32, CRC-32C of the body u32, body
//! ```
//!
//! Numbers are little-endian. The body is a section (see [`crate::codec`]) of cursors (pairs of texts: the source and where it stands) and
//! then spans, each behind its length. The first record of a file has no spans and every cursor that was known, so that an older file
//! can go.
//!
//! A reader leaves out a record whose checksum is wrong and goes on at the next marker; what stands behind the last whole record
//! is a write that was cut short. A file of an unknown version is refused: it is not deleted, and the store does not open.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::codec::{Bytes, put_section, put_text};

const HEAD: [u8; 8] = *b"WHSL\x01\0\0\0";
const MARKER: [u8; 4] = [0xa5, b'r', b'e', b'c'];
const RECORD_HEAD_BYTES: usize = 12;
/// The largest body: what is pushed at once. A length above it is damage.
pub(crate) const BODY_MAX_BYTES: usize = 64 << 20;

/// Where a source stands, by its name.
pub(crate) type Cursors = BTreeMap<String, String>;

/// The file that is written.
#[derive(Debug)]
pub(crate) struct Wal {
    file: File,
    /// Where the last whole record ends.
    length: u64,
    unsynced: bool,
}

impl Wal {
    /// Begins a file.
    pub(crate) fn create(dir: &Path, number: u64, cursors: &Cursors) -> io::Result<Self> {
        let path = dir.join(name(number));
        let file = File::create_new(&path)?;
        let mut wal = Self {
            file,
            length: HEAD.len() as u64,
            unsynced: true,
        };
        let begun = wal.file.write_all_at(&HEAD, 0).and_then(|()| {
            let known = cursors.iter().map(|(s, c)| (s.as_str(), c.as_str()));
            wal.append(&body(known, |_| {}))
        });
        if let Err(error) = begun {
            // Half a file would be in the way of the next try.
            drop(fs::remove_file(&path));
            return Err(error);
        }
        Ok(wal)
    }

    /// Adds a record; in the kernel's hands when this returns.
    pub(crate) fn append(&mut self, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len())
            .ok()
            .filter(|_| body.len() <= BODY_MAX_BYTES)
            .ok_or_else(|| io::Error::other("a record is larger than 64 MiB"))?;
        let mut record = Vec::with_capacity(RECORD_HEAD_BYTES + body.len());
        record.extend_from_slice(&MARKER);
        record.extend_from_slice(&length.to_le_bytes());
        record.extend_from_slice(&crc32c::crc32c(body).to_le_bytes());
        record.extend_from_slice(body);
        if let Err(error) = self.file.write_all_at(&record, self.length) {
            // What was written of it is no record; if it stays, the next one is written over it.
            drop(self.file.set_len(self.length));
            return Err(error);
        }
        self.length += record.len() as u64;
        self.unsynced = true;
        Ok(())
    }

    /// What has to be synced for everything to be on the disk; None: nothing. Without the store's lock, for it may take long.
    pub(crate) fn take_unsynced(&mut self) -> io::Result<Option<File>> {
        if !self.unsynced {
            return Ok(None);
        }
        let file = self.file.try_clone()?;
        self.unsynced = false;
        Ok(Some(file))
    }

    /// How large it is.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }
}

/// The body of a record.
pub(crate) fn body<'a>(
    cursors: impl IntoIterator<Item = (&'a str, &'a str)>,
    spans: impl FnOnce(&mut Vec<u8>),
) -> Vec<u8> {
    let mut body = vec![];
    put_section(&mut body, |out| {
        for (source, cursor) in cursors {
            put_text(out, source);
            put_text(out, cursor);
        }
    });
    spans(&mut body);
    body
}

/// Applies the cursors of a record: an empty one forgets its source.
pub(crate) fn move_cursors<'a>(
    known: &mut Cursors,
    moved: impl IntoIterator<Item = (&'a str, &'a str)>,
) {
    for (source, cursor) in moved {
        if cursor.is_empty() {
            known.remove(source);
        } else {
            known.insert(source.to_owned(), cursor.to_owned());
        }
    }
}

/// The files of a folder, the oldest first.
pub(crate) fn files(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = vec![];
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let number = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(".wal")?.parse().ok());
        if let Some(number) = number {
            files.push((number, path));
        }
    }
    files.sort();
    Ok(files)
}

/// What a file held.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    /// The spans of each record.
    pub(crate) batches: Vec<Arc<[u8]>>,
    /// Places that are no records, before ones that are.
    pub(crate) damaged: usize,
    /// Bytes behind the last record.
    pub(crate) torn_bytes: usize,
}

/// Reads a file; its cursors are applied to `cursors`. None: its version is unknown.
pub(crate) fn replay(path: &Path, cursors: &mut Cursors) -> io::Result<Option<Replayed>> {
    let bytes = fs::read(path)?;
    let mut found = Replayed::default();
    if bytes.len() < HEAD.len() {
        found.torn_bytes = bytes.len();
        return Ok(Some(found));
    }
    if bytes[..4] == HEAD[..4] && bytes[4] != HEAD[4] {
        return Ok(None);
    }
    let mut at = HEAD.len();
    if bytes[..at] != HEAD {
        found.damaged += 1;
    }
    // The end of the last whole record; what follows it is torn.
    let mut whole = at;
    let mut in_damage = false;
    while at < bytes.len() {
        if let Some((moved, spans, length)) = record(&bytes[at..]) {
            move_cursors(cursors, moved);
            if !spans.is_empty() {
                found.batches.push(spans.into());
            }
            found.damaged += usize::from(in_damage);
            in_damage = false;
            at += length;
            whole = at;
        } else {
            in_damage = true;
            let next = memchr::memmem::find(&bytes[at + 1..], &MARKER);
            at = next.map_or(bytes.len(), |next| at + 1 + next);
        }
    }
    found.torn_bytes = bytes.len() - whole;
    Ok(Some(found))
}

/// The record that begins here: its cursors, its spans, its length.
#[expect(
    clippy::type_complexity,
    reason = "three things that are taken apart at once"
)]
fn record(bytes: &[u8]) -> Option<(Vec<(&str, &str)>, &[u8], usize)> {
    let mut rest = Bytes(bytes.strip_prefix(&MARKER)?);
    let length = usize::try_from(rest.u32()?).ok()?;
    let sum = rest.u32()?;
    let body = rest.0.get(..length)?;
    if crc32c::crc32c(body) != sum {
        return None;
    }
    let mut rest = Bytes(body);
    let mut cursors = Bytes(rest.section()?);
    let mut moved = vec![];
    while !cursors.0.is_empty() {
        moved.push((cursors.text()?, cursors.text()?));
    }
    Some((moved, rest.0, RECORD_HEAD_BYTES + length))
}

fn name(number: u64) -> String {
    format!("{number:08}.wal")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(dir: &Path) -> Vec<u8> {
        let mut wal = Wal::create(dir, 1, &Cursors::new()).expect("a file");
        for i in 0..3_u8 {
            let source = [("a", if i == 0 { "1" } else { "2" })];
            let body = body(source, |out| out.extend_from_slice(&[i; 10]));
            wal.append(&body).expect("room");
        }
        fs::read(dir.join(name(1))).expect("a file")
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let dir = tempfile::tempdir().expect("a folder");
        let bytes = written(dir.path());
        let path = dir.path().join("x.wal");
        let batch = |i: u8| -> Arc<[u8]> { vec![i; 10].into() };
        let all = [batch(0), batch(1), batch(2)];
        for (at, bit) in (0..bytes.len()).flat_map(|at| [(at, 1), (at, 0x80)]) {
            let mut flipped = bytes.clone();
            flipped[at] ^= bit;
            fs::write(&path, &flipped).expect("written");
            let Some(found) = replay(&path, &mut Cursors::new()).expect("read") else {
                assert_eq!(at, 4, "only the version is refused");
                continue;
            };
            assert!(
                found.damaged > 0 || found.torn_bytes > 0,
                "byte {at} of {}",
                bytes.len()
            );
            assert!(found.batches.iter().all(|batch| all.contains(batch)));
            assert!(found.batches.len() >= 2, "byte {at}");
        }
        for length in 0..bytes.len() {
            fs::write(&path, &bytes[..length]).expect("written");
            let found = replay(&path, &mut Cursors::new())
                .expect("read")
                .expect("known");
            assert_eq!(found.batches, all[..found.batches.len()], "cut at {length}");
        }
    }

    #[test]
    fn cursors_come_with_their_records() {
        let dir = tempfile::tempdir().expect("a folder");
        written(dir.path());
        let mut cursors = Cursors::from([("b".to_owned(), "7".to_owned())]);
        replay(&dir.path().join(name(1)), &mut cursors).expect("read");
        assert_eq!(cursors["a"], "2");
        assert_eq!(cursors["b"], "7");
        move_cursors(&mut cursors, [("b", "")]);
        assert_eq!(cursors.len(), 1);
    }
}
