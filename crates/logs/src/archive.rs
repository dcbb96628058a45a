//! Where chunk files go when they are no longer hot.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A place for files that are written once: a folder, a bucket. One store has it for itself: names are those that the store gives
/// its chunks, and what is there and unknown to the store is deleted.
///
/// Calls block, for a bounded time, and come from several threads at once. What cannot be reached now fails; the store tries
/// again with its next [`maintain`](crate::LogStore::maintain), and keeps what it has until then.
pub trait Archive: Send + Sync {
    /// Puts the `length` bytes of a file there, whole or not at all; one of that name is replaced. When this returns, they are
    /// there for good, and are what was given.
    ///
    /// # Errors
    /// It cannot be written. It may be there nevertheless.
    fn put(&self, name: &str, content: &File, length: u64) -> io::Result<()>;

    /// `length` bytes of a file from `offset`.
    ///
    /// # Errors
    /// It cannot be read, or has fewer.
    fn get(&self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>>;

    /// The names and lengths of all files.
    ///
    /// # Errors
    /// They cannot be listed.
    fn list(&self) -> io::Result<Vec<(String, u64)>>;

    /// Deletes a file, at once or soon; it is no error if there is none. Called where a query ends, too: it does not wait for others.
    ///
    /// # Errors
    /// It cannot be deleted. The store asks again within a day.
    fn delete(&self, name: &str) -> io::Result<()>;
}

/// What is copied at once.
const PIECE: usize = 256 << 10;

/// An archive that is a folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder `path`, which is made where it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        fs::create_dir_all(&path)?;
        Ok(Self { path })
    }
}

impl Archive for Folder {
    fn put(&self, name: &str, content: &File, length: u64) -> io::Result<()> {
        let half = self.path.join(format!("{name}.part"));
        let written = File::create(&half).and_then(|mut file| {
            let mut at = 0;
            while at < length {
                let next = usize::try_from(length - at).map_or(PIECE, |left| left.min(PIECE));
                file.write_all(&read_at(content, at, next)?)?;
                at += next as u64;
            }
            file.sync_all()
        });
        if let Err(e) = written {
            // What is half there would take space that is missing.
            fs::remove_file(&half).ok();
            return Err(e);
        }
        fs::rename(&half, self.path.join(name))?;
        sync_folder(&self.path)
    }

    fn get(&self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let file = File::open(self.path.join(name))?;
        read_at(&file, offset, length)
    }

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                found.push((name, entry.metadata()?.len()));
            }
        }
        found.sort();
        Ok(found)
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path.join(name)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }
}

/// Bytes of a file. A length that it cannot have is refused before room is made for it.
pub(crate) fn read_at(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let end = offset.checked_add(length as u64);
    if end.is_none_or(|end| length > 1 << 16 && file.metadata().is_ok_and(|m| end > m.len())) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

/// Makes what was renamed or removed in a folder survive a loss of power.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
