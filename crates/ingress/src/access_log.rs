//! The access log: one JSON object a line and request, written by a thread of its own.
//!
//! Workers gather lines and hand them over in batches through a bounded queue. A disk that is too slow costs lines,
//! which are counted, and never a request's time. The files are rotated by size and their number is bounded.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

/// The size at which a file is rotated: some 150,000 lines, quickly searched.
const FILE_MAX_BYTES: u64 = 64 << 20;

/// Rotated files that are kept besides the current one: at most 320 MiB in all.
const FILES_KEPT: u32 = 4;

/// Batches that wait for the disk; a batch is about [`BATCH_BYTES`], so at most 8 MiB wait.
const QUEUE_BATCHES: usize = 64;

/// The size at which a worker hands its lines over before the next sweep does: 300 requests for each wake-up of the
/// writer. Smaller ones make the two threads take turns.
const BATCH_BYTES: usize = 128 * 1024;

/// Lines of one worker on their way to the writer.
#[derive(Debug)]
pub(crate) struct LogBuffer {
    lines: Vec<u8>,
    count: u64,
    sender: SyncSender<Vec<u8>>,
    dropped: Arc<AtomicU64>,
}

impl LogBuffer {
    /// Adds the line that `write` writes; it has to end with a line feed.
    pub(crate) fn line(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.lines);
        self.count += 1;
        if self.lines.len() >= BATCH_BYTES {
            self.flush();
        }
    }

    /// Hands the lines over.
    pub(crate) fn flush(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        let room = if self.lines.len() >= BATCH_BYTES {
            BATCH_BYTES + 2048
        } else {
            0
        };
        let lines = std::mem::replace(&mut self.lines, Vec::with_capacity(room));
        let count = std::mem::take(&mut self.count);
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.sender.try_send(lines)
        {
            self.dropped.fetch_add(count, Ordering::Relaxed);
        }
    }
}

/// The writer: its thread ends when all [`LogBuffer`]s and this are gone.
#[derive(Debug)]
pub(crate) struct AccessLog {
    sender: SyncSender<Vec<u8>>,
    pub(crate) dropped: Arc<AtomicU64>,
}

impl AccessLog {
    /// Opens the file and starts the writer.
    ///
    /// # Errors
    /// The file cannot be opened, or no thread be started.
    pub(crate) fn start(path: &Path) -> io::Result<(Self, JoinHandle<()>)> {
        let dropped = Arc::new(AtomicU64::new(0));
        let mut writer = Writer::open(path)?;
        let (sender, receiver) = sync_channel(QUEUE_BATCHES);
        let lost = Arc::clone(&dropped);
        let thread = std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || writer.run(&receiver, &lost))?;
        Ok((Self { sender, dropped }, thread))
    }

    /// A buffer for one worker.
    pub(crate) fn buffer(&self) -> LogBuffer {
        LogBuffer {
            lines: Vec::new(),
            count: 0,
            sender: self.sender.clone(),
            dropped: Arc::clone(&self.dropped),
        }
    }
}

struct Writer {
    path: PathBuf,
    file: File,
    size: u64,
}

impl Writer {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o640)
            .open(path)?;
        let size = file.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            file,
            size,
        })
    }

    fn run(&mut self, receiver: &Receiver<Vec<u8>>, lost: &AtomicU64) {
        while let Ok(lines) = receiver.recv() {
            let written = self
                .rotate_if_full()
                .and_then(|()| self.file.write_all(&lines));
            match written {
                Ok(()) => self.size += lines.len() as u64,
                Err(_) => {
                    let count = lines.iter().filter(|byte| **byte == b'\n').count() as u64;
                    lost.fetch_add(count, Ordering::Relaxed);
                }
            }
        }
    }

    fn rotate_if_full(&mut self) -> io::Result<()> {
        if self.size < FILE_MAX_BYTES {
            return Ok(());
        }
        // While one ingress takes over from another both write here: who finds the file renamed only opens it anew.
        let current = std::fs::metadata(&self.path).map(|metadata| metadata.ino());
        if current.is_ok_and(|inode| self.file.metadata().is_ok_and(|own| own.ino() == inode)) {
            for index in (1..FILES_KEPT).rev() {
                rename_if_there(&self.rotated(index), &self.rotated(index + 1))?;
            }
            rename_if_there(&self.path, &self.rotated(1))?;
        }
        *self = Self::open(&self.path)?;
        Ok(())
    }

    fn rotated(&self, index: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{index}"));
        name.into()
    }
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes `bytes` as a JSON string, quotes included. What is not UTF-8 becomes U+FFFD.
pub(crate) fn json_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    if bytes
        .iter()
        .all(|byte| (0x20..0x7f).contains(byte) && !matches!(byte, b'"' | b'\\'))
    {
        out.extend_from_slice(bytes);
    } else {
        for character in String::from_utf8_lossy(bytes).chars() {
            match character {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                control if control.is_control() => {
                    out.extend_from_slice(format!("\\u{:04x}", u32::from(control)).as_bytes());
                }
                other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        let mut out = Vec::new();
        json_string(&mut out, bytes);
        let text = String::from_utf8(out).expect("UTF-8");
        assert_eq!(
            serde_json::from_str::<String>(&text).expect("JSON"),
            expected,
            "{text}"
        );
    }

    #[test]
    fn strings_are_json() {
        check(b"/a/b", "/a/b");
        check(b"a\"\\\n\x01\x7f", "a\"\\\n\x01\x7f");
        check("ä".as_bytes(), "ä");
        check(b"a\xff", "a\u{fffd}");
    }

    #[test]
    fn files_are_rotated_and_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("access.log");
        let mut writer = Writer::open(&path).expect("a file");
        for round in 0..8 {
            writer.size = FILE_MAX_BYTES;
            writer.rotate_if_full().expect("it rotates");
            writeln!(writer.file, "{round}").expect("it writes");
        }
        let mut names: Vec<_> = std::fs::read_dir(folder.path())
            .expect("the folder")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("a name")
            })
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "access.log",
                "access.log.1",
                "access.log.2",
                "access.log.3",
                "access.log.4"
            ]
        );
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), "7\n");
    }
}
