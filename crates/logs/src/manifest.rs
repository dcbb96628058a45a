//! Which files belong to the store: replaced as a whole, so that several files come and go in one step.
//!
//! # Format
//! The file `manifest`: `WHARFMAN`, a version (4 bytes, 1), CRC-32C of what follows (4 bytes), and then, as [`codec`](crate::codec)
//! says: the last segment of the log of which all lines are in chunk files, the number of the next chunk file, the time that retention goes by (signed), the number of chunk files, and for each: its number, where it is (one byte, 0 hot,
//! 1 archive), whether it is of one day (0 or 1), that day (signed), the least and the greatest time (signed), entries, bytes of lines, size,
//! blocks, greatest order. A reader refuses a version that it does not know.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::archive::sync_folder;
use crate::chunk::Summary;
use crate::codec::{Damaged, Reader, put_number, put_signed};

const MAGIC: &[u8; 8] = b"WHARFMAN";
const VERSION: u32 = 1;
const NAME: &str = "manifest";

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) covered: u64,
    pub(crate) next_file: u64,
    pub(crate) clock: Option<i64>,
    /// Each with whether it is in the archive.
    pub(crate) files: Vec<(Summary, bool)>,
}

/// What the folder says.
pub(crate) enum Found {
    Nothing,
    Manifest(Manifest),
    Damaged,
    Version(u32),
}

impl Manifest {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_number(&mut out, self.covered);
        put_number(&mut out, self.next_file);
        // No clock was ever there.
        put_signed(&mut out, self.clock.unwrap_or(i64::MIN));
        put_number(&mut out, self.files.len() as u64);
        for (file, archived) in &self.files {
            put_number(&mut out, file.id);
            out.push(u8::from(*archived));
            put_number(&mut out, u64::from(file.day.is_some()));
            put_signed(&mut out, file.day.unwrap_or_default());
            put_signed(&mut out, file.min);
            put_signed(&mut out, file.max);
            for number in [file.entries, file.text, file.size, file.blocks, file.order] {
                put_number(&mut out, number);
            }
        }
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut reader = Reader(bytes);
        let mut manifest = Self {
            covered: reader.number()?,
            next_file: reader.number()?,
            clock: Some(reader.signed()?).filter(|t| *t != i64::MIN),
            files: Vec::new(),
        };
        for _ in 0..reader.count(11)? {
            let id = reader.number()?;
            let archived = reader.byte()? != 0;
            let has_day = reader.number()? != 0;
            let day = Some(reader.signed()?).filter(|_| has_day);
            let (min, max) = (reader.signed()?, reader.signed()?);
            let summary = Summary {
                id,
                day,
                min,
                max,
                entries: reader.number()?,
                text: reader.number()?,
                size: reader.number()?,
                blocks: reader.number()?,
                order: reader.number()?,
            };
            manifest.files.push((summary, archived));
        }
        Ok(manifest)
    }

    pub(crate) fn read(folder: &Path) -> io::Result<Found> {
        let bytes = match fs::read(folder.join(NAME)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            other => other?,
        };
        Ok(Self::parse(&bytes).unwrap_or(Found::Damaged))
    }

    fn parse(bytes: &[u8]) -> Result<Found, Damaged> {
        let mut reader = Reader(bytes);
        let magic: [u8; 8] = reader.fixed()?;
        let version = u32::from_le_bytes(reader.fixed()?);
        let crc = u32::from_le_bytes(reader.fixed()?);
        if magic != *MAGIC {
            return Err(Damaged);
        }
        if version != VERSION {
            return Ok(Found::Version(version));
        }
        if crc32c::crc32c(reader.0) != crc {
            return Err(Damaged);
        }
        Self::decode(reader.0).map(Found::Manifest)
    }

    /// Replaces the one of the folder, durably.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        let payload = self.encode();
        let half = folder.join("manifest.part");
        let written = File::create(&half).and_then(|mut file| {
            file.write_all(MAGIC)?;
            file.write_all(&VERSION.to_le_bytes())?;
            file.write_all(&crc32c::crc32c(&payload).to_le_bytes())?;
            file.write_all(&payload)?;
            file.sync_all()
        });
        if let Err(e) = written {
            fs::remove_file(&half).ok();
            return Err(e);
        }
        fs::rename(&half, folder.join(NAME))?;
        sync_folder(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_a_manifest_or_refused(bytes: Vec<u8>) {
            Manifest::decode(&bytes).ok();
            Manifest::parse(&bytes).ok();
        }
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let summary = Summary {
            id: 3,
            day: Some(-4),
            min: i64::MIN,
            max: i64::MAX,
            entries: 5,
            text: 6,
            size: 7,
            blocks: 8,
            order: u64::MAX,
        };
        let manifest = Manifest {
            covered: 1,
            next_file: 2,
            clock: Some(-9),
            files: vec![
                (summary, true),
                (
                    Summary {
                        day: None,
                        ..summary
                    },
                    false,
                ),
            ],
        };
        let dir = tempfile::tempdir().expect("a folder");
        assert!(matches!(Manifest::read(dir.path()), Ok(Found::Nothing)));
        manifest.write(dir.path()).expect("room");
        let Ok(Found::Manifest(read)) = Manifest::read(dir.path()) else {
            panic!("it is not there");
        };
        assert_eq!(read, manifest);
    }
}
