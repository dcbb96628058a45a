//! Reads the ingress's access log over its rotations.
//!
//! The ingress renames a full file to `access.log.1`, that to `access.log.2`, and so on. A file is known by its inode, so
//! that a rename loses nothing of it.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use memchr::memchr;
use wharf_logs::Cursor;

/// How the access log is called among the sources.
pub(super) const SOURCE: &str = "ingress/access.log";

/// One read; a line is shorter.
const CHUNK_BYTES: usize = 256 * 1024;

/// Rotated files that are looked for; the ingress keeps four.
const ROTATED_MAX: u32 = 9;

pub(super) struct AccessLog {
    path: PathBuf,
    open: Option<Open>,
    /// Where to begin once the file is there.
    resume: Option<Cursor>,
}

struct Open {
    file: File,
    inode: u64,
    /// How far the file has been read into the chunk.
    offset: u64,
    chunk: Vec<u8>,
    /// Where in the chunk the next line begins.
    position: usize,
}

impl AccessLog {
    pub(super) fn new(path: PathBuf, resume: Option<&Cursor>) -> Self {
        Self {
            path,
            open: None,
            resume: resume.copied(),
        }
    }

    /// Where the next line begins.
    pub(super) fn cursor(&self) -> Cursor {
        match &self.open {
            Some(open) => Cursor {
                file: open.inode,
                offset: open.offset - (open.chunk.len() - open.position) as u64,
            },
            None => self.resume.unwrap_or_default(),
        }
    }

    /// The next whole line; none if there is none yet. A line that is no UTF-8 is mended.
    pub(super) fn next_line(&mut self) -> Option<String> {
        loop {
            if self.open.is_none() {
                self.open = Some(self.begin()?);
            }
            let open = self.open.as_mut()?;
            let rest = &open.chunk[open.position..];
            if let Some(end) = memchr(b'\n', rest) {
                let line = String::from_utf8_lossy(&rest[..end]).into_owned();
                open.position += end + 1;
                return Some(line);
            }
            if open.read() {
                continue;
            }
            // All of it is read. Renamed, and so finished: on to the file after it.
            let (inode, offset) = (open.inode, open.offset);
            let next = self.newer(inode)?;
            let open = self.open.as_mut()?;
            if open.read() {
                // Something was written between the last read and the rename.
                continue;
            }
            debug_assert_eq!(open.offset, offset, "nothing was read");
            self.open = Some(next);
        }
    }

    /// Opens the file in which the cursor lies, else the oldest there is.
    fn begin(&self) -> Option<Open> {
        let files = self.files();
        let resumed = self.resume.and_then(|cursor| {
            let found = files.iter().position(|open| open.inode == cursor.file)?;
            Some((found, cursor.offset))
        });
        let mut files = files.into_iter();
        match resumed {
            Some((index, offset)) => {
                let mut open = files.nth(index)?;
                open.offset = offset;
                Some(open)
            }
            None => files.next(),
        }
    }

    /// The file after the one with this inode; none while that is the current one.
    fn newer(&self, inode: u64) -> Option<Open> {
        if inode_of(&self.path).ok()? == inode {
            return None;
        }
        let mut files = self.files();
        match files.iter().position(|open| open.inode == inode) {
            Some(index) => files.into_iter().nth(index + 1),
            // Rotated away altogether: on with the oldest that is there.
            None => (!files.is_empty()).then(|| files.remove(0)),
        }
    }

    /// The files, the oldest first.
    fn files(&self) -> Vec<Open> {
        let rotated = (1..=ROTATED_MAX).rev().map(|index| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{index}"));
            PathBuf::from(name)
        });
        let paths = rotated.chain([self.path.clone()]);
        paths.filter_map(|path| Open::new(&path).ok()).collect()
    }
}

fn inode_of(path: &Path) -> io::Result<u64> {
    Ok(std::fs::metadata(path)?.ino())
}

impl Open {
    fn new(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let inode = file.metadata()?.ino();
        Ok(Self {
            file,
            inode,
            offset: 0,
            chunk: Vec::new(),
            position: 0,
        })
    }

    /// Reads on. False: nothing new.
    fn read(&mut self) -> bool {
        self.chunk.drain(..self.position);
        self.position = 0;
        if self.chunk.len() > CHUNK_BYTES {
            // No line is that long: the file is broken.
            self.chunk.clear();
        }
        let kept = self.chunk.len();
        self.chunk.resize(kept + CHUNK_BYTES, 0);
        let read = self
            .file
            .read_at(&mut self.chunk[kept..], self.offset)
            .unwrap_or(0);
        self.chunk.truncate(kept + read);
        self.offset += read as u64;
        if read == 0 && self.chunk.is_empty() {
            self.chunk = Vec::new();
        }
        read > 0
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn append(path: &Path, text: &str) {
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path);
        file.expect("a file")
            .write_all(text.as_bytes())
            .expect("it is written");
    }

    fn lines(log: &mut AccessLog) -> Vec<String> {
        std::iter::from_fn(|| log.next_line()).collect()
    }

    #[test]
    fn no_line_is_lost_or_doubled_over_rotations() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("access.log");
        let mut log = AccessLog::new(path.clone(), None);
        assert!(lines(&mut log).is_empty());
        append(&path, "1\n2\nhal");
        assert_eq!(lines(&mut log), ["1", "2"]);
        let cursor = log.cursor();
        append(&path, "f\n");
        std::fs::rename(&path, folder.path().join("access.log.1")).expect("it is renamed");
        append(&path, "3\n");
        assert_eq!(lines(&mut log), ["half", "3"]);
        std::fs::rename(
            folder.path().join("access.log.1"),
            folder.path().join("access.log.2"),
        )
        .expect("it is renamed");
        std::fs::rename(&path, folder.path().join("access.log.1")).expect("it is renamed");
        append(&path, "4\n");
        assert_eq!(lines(&mut log), ["4"]);
        // A successor goes on where the first stood.
        let mut successor = AccessLog::new(path.clone(), Some(&cursor));
        assert_eq!(lines(&mut successor), ["half", "3", "4"]);
        let mut at_end = AccessLog::new(path.clone(), Some(&log.cursor()));
        assert!(lines(&mut at_end).is_empty());
        append(&path, "5\n");
        assert_eq!(lines(&mut at_end), ["5"]);
    }
}
