//! Reading the log after a restart.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use wharf_signal::Labels;

use super::{HEAD_BYTES, MAGIC, MOST_RECORD, VERSION, path, segments};
use crate::batch::Cursor;
use crate::codec::{Damaged, Reader};

/// Takes what the log says, in the order in which it was written.
pub(crate) trait Replay {
    fn entry(&mut self, labels: &Labels, nanos: i64, line: &str, set: &[u8]) -> io::Result<()>;
    fn cursor(&mut self, source: &str, cursor: Cursor);
    fn gone(&mut self, source: &str);
    /// Something was left out.
    fn damaged(&mut self, what: String);
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// The last file there is; zero: none.
    pub(crate) last: u64,
    pub(crate) bytes: u64,
    /// Records that were not whole when their writer was ended: nobody was told that they are there.
    pub(crate) torn: u64,
}

/// Reads the files after `covered`. Those before are deleted.
pub(crate) fn replay(folder: &Path, covered: u64, to: &mut dyn Replay) -> io::Result<Read> {
    let mut read = Read {
        last: covered,
        ..Read::default()
    };
    for (segment, length) in segments(folder)? {
        read.last = read.last.max(segment);
        let path = path(folder, segment);
        if segment <= covered {
            fs::remove_file(path)?;
            continue;
        }
        read.bytes += length;
        let bytes = fs::read(&path)?;
        let place = path.display().to_string();
        read.torn += u64::from(file(&bytes, &place, to)?);
    }
    Ok(read)
}

/// Reads one file. Whether its end is torn.
fn file(bytes: &[u8], place: &str, to: &mut dyn Replay) -> io::Result<bool> {
    let Some((head, mut rest)) = bytes.split_at_checked(HEAD_BYTES) else {
        // Its writer was ended while it began the file.
        return Ok(true);
    };
    if !head.starts_with(MAGIC) {
        to.damaged(format!("{place} is no log of lines: left out"));
        return Ok(false);
    }
    let version = head[8..].first_chunk::<4>().map(|v| u32::from_le_bytes(*v));
    if version != Some(VERSION) {
        return Err(io::Error::other(format!(
            "{place} has version {}, which this program does not know; use the one that wrote it",
            version.unwrap_or_default()
        )));
    }
    let mut streams = HashMap::new();
    while !rest.is_empty() {
        let offset = bytes.len() - rest.len();
        match record(rest) {
            Record::Sound(payload, behind) => {
                if apply(payload, &mut streams, to)?.is_err() {
                    to.damaged(format!(
                        "{place} at {offset}: a record, or a stream that it refers to, is damaged: its lines are left out"
                    ));
                }
                rest = behind;
            }
            Record::Broken(Some(behind)) if matches!(record(behind), Record::Sound(..)) => {
                to.damaged(format!(
                    "{place} at {offset}: a record is damaged: left out"
                ));
                rest = behind;
            }
            Record::Broken(Some(behind)) if !behind.is_empty() => {
                to.damaged(format!(
                    "{place} at {offset}: the {} bytes from here to its end are damaged: left out",
                    rest.len()
                ));
                return Ok(false);
            }
            Record::Broken(_) => return Ok(true),
        }
    }
    Ok(false)
}

enum Record<'a> {
    Sound(&'a [u8], &'a [u8]),
    /// Not what was written; what is behind it, if it is as long as it says.
    Broken(Option<&'a [u8]>),
}

fn record(bytes: &[u8]) -> Record<'_> {
    let mut reader = Reader(bytes);
    let (Ok(length), Ok(crc)) = (reader.fixed(), reader.fixed()) else {
        return Record::Broken(None);
    };
    let length = u32::from_le_bytes(length) as usize;
    match reader.0.split_at_checked(length) {
        Some((payload, behind)) if length <= MOST_RECORD => {
            // A record has three counts at least; a file that was extended by a crash of the system is full of zeros.
            if length >= 3 && crc32c::crc32c(payload) == u32::from_le_bytes(crc) {
                Record::Sound(payload, behind)
            } else {
                Record::Broken(Some(behind))
            }
        }
        _ => Record::Broken(None),
    }
}

fn apply(
    payload: &[u8],
    streams: &mut HashMap<u32, Labels>,
    to: &mut dyn Replay,
) -> io::Result<Result<(), Damaged>> {
    let mut reader = Reader(payload);
    let mut whole = Ok(());
    let mut step = || -> Result<io::Result<()>, Damaged> {
        for _ in 0..reader.count(3)? {
            let number = reader.small()?;
            if reader.byte()? == 1 {
                let labels = reader.labels()?;
                streams.insert(number, labels);
            }
            let labels = streams.get(&number);
            if labels.is_none() {
                whole = Err(Damaged);
            }
            let mut nanos = 0i64;
            for _ in 0..reader.count(3)? {
                nanos = nanos.wrapping_add(reader.signed()?);
                let (line, set) = (reader.text()?, reader.bytes()?);
                let taken = labels.map_or(Ok(()), |labels| to.entry(labels, nanos, line, set));
                if taken.is_err() {
                    return Ok(taken);
                }
            }
        }
        for _ in 0..reader.count(3)? {
            let source = reader.text()?;
            let (file, offset) = (reader.number()?, reader.number()?);
            to.cursor(source, Cursor { file, offset });
        }
        for _ in 0..reader.count(1)? {
            to.gone(reader.text()?);
        }
        Ok(Ok(()))
    };
    match step() {
        Err(damaged) => Ok(Err(damaged)),
        Ok(taken) => taken.map(|()| whole),
    }
}
