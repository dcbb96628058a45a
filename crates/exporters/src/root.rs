//! The trees of the kernel, `/proc` and `/sys`, or captured copies of them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest file that is read: `/proc/stat` of the largest machines stays below it.
const FILE_MAX_BYTES: u64 = 8 << 20;

/// Where the trees are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// `/proc`.
    pub proc: PathBuf,
    /// `/sys`.
    pub sys: PathBuf,
    /// `/`: for `/etc/os-release`, and what mount points are relative to.
    pub files: PathBuf,
}

impl Default for Root {
    /// Those of this machine.
    fn default() -> Self {
        Self::below(Path::new("/"))
    }
}

impl Root {
    /// The trees of a copy: `<folder>/proc`, `<folder>/sys`, `<folder>`.
    #[must_use]
    pub fn below(folder: &Path) -> Self {
        Self {
            proc: folder.join("proc"),
            sys: folder.join("sys"),
            files: folder.to_owned(),
        }
    }

    /// A file below `/proc`; none if it is not there or cannot be read.
    pub(crate) fn proc(&self, path: &str) -> Option<String> {
        read(&self.proc.join(path))
    }

    /// A file below `/sys`, without the white space around it.
    pub(crate) fn sys(&self, path: &str) -> Option<String> {
        read(&self.sys.join(path)).map(|text| text.trim().to_owned())
    }

    /// The names in a folder below `/sys`, ordered.
    pub(crate) fn sys_names(&self, path: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.sys.join(path)) else {
            return vec![];
        };
        let names = entries.flatten();
        let mut names: Vec<String> = names
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort_unstable();
        names
    }
}

/// A file as text; none if it is not there, cannot be read, or is larger than any that belongs there.
pub(crate) fn read(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(FILE_MAX_BYTES).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 == FILE_MAX_BYTES {
        return None;
    }
    Some(
        String::from_utf8(bytes)
            .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()),
    )
}

/// A number at the beginning of a text, and nothing behind it but white space.
pub(crate) fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|n| n.is_finite())
}

/// Numbers separated by white space; what is no number is zero, so that columns keep their places.
pub(crate) fn columns(text: &str) -> Vec<f64> {
    text.split_ascii_whitespace()
        .map(|word| number(word).unwrap_or(0.0))
        .collect()
}
