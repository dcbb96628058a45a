//! State as a file: one JSON value behind its version, replaced in one step.
//!
//! ```text
//! {"version":1,"state":…}
//! ```
//!
//! `state` is what `serde` makes of the type: of `wharf_control::alert::Notifier`, or of a map of group names to
//! [`crate::rules::GroupState`]. A file of another version is refused, and stays as it is. Writing makes `NAME.tmp` beside the file,
//! flushes it, and renames it: a crash leaves the old or the new one. The file holds label values, no secrets; it is readable by
//! its owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::marker::PhantomData;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

/// Ten thousand alerts with long texts have some ten megabytes.
const FILE_MAX_BYTES: u64 = 64 << 20;

/// Why state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system says no.
    #[error("{path}: cannot be {what}")]
    Io {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// It is not what was written.
    #[error("{path}: is damaged; remove it to begin without the alerts that were under way")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// It comes from another version of Wharf.
    #[error(
        "{path}: has version {found}, and {VERSION} is known; use the version of Wharf that wrote it, or remove it"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

/// The file of one state.
#[derive(Debug)]
pub struct Store<T> {
    path: PathBuf,
    of: PhantomData<fn() -> T>,
}

#[derive(Serialize)]
struct Written<'a, T> {
    version: u32,
    state: &'a T,
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Deserialize)]
struct Read<T> {
    state: T,
}

impl<T: Serialize + DeserializeOwned> Store<T> {
    /// The state at `path`; its folder has to be there.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            of: PhantomData,
        }
    }

    /// What was written last; none if nothing was.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or comes from another version.
    pub fn load(&self) -> Result<Option<T>, StoreError> {
        let io = |source| StoreError::Io {
            path: self.path.clone(),
            what: "read",
            source,
        };
        let damaged = |source| StoreError::Damaged {
            path: self.path.clone(),
            source,
        };
        let bytes = match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(error)),
            Ok(file) if file.len() > FILE_MAX_BYTES => {
                return Err(io(io::Error::from(io::ErrorKind::FileTooLarge)));
            }
            Ok(_) => fs::read(&self.path).map_err(io)?,
        };
        let Versioned { version } = serde_json::from_slice(&bytes).map_err(damaged)?;
        if version != VERSION {
            return Err(StoreError::Version {
                path: self.path.clone(),
                found: version,
            });
        }
        let read: Read<T> = serde_json::from_slice(&bytes).map_err(damaged)?;
        Ok(Some(read.state))
    }

    /// Replaces what was written. When it returns, it is on the disk.
    ///
    /// # Errors
    /// The file cannot be written; the old one is still there.
    pub fn save(&self, state: &T) -> Result<(), StoreError> {
        let io = |source| StoreError::Io {
            path: self.path.clone(),
            what: "written",
            source,
        };
        let written = Written {
            version: VERSION,
            state,
        };
        let bytes = serde_json::to_vec(&written).map_err(|error| io(error.into()))?;
        self.replace(&bytes).map_err(io)
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".tmp");
        let temporary = Path::new(&name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(temporary, &self.path)?;
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_replaced_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.json");
        let store: Store<Vec<u32>> = Store::at(&path);
        assert_eq!(store.load().unwrap(), None);
        store.save(&vec![1]).unwrap();
        store.save(&vec![2, 3]).unwrap();
        assert_eq!(store.load().unwrap(), Some(vec![2, 3]));
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            r#"{"version":1,"state":[2,3]}"#
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_foreign_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.json");
        let store: Store<Vec<u32>> = Store::at(&path);
        for (text, expected) in [
            (r#"{"version":2,"state":{}}"#, "has version 2"),
            (r#"{"version":1,"state":"x"}"#, "is damaged"),
            (r#"{"vers"#, "is damaged"),
        ] {
            fs::write(&path, text).unwrap();
            let error = store.load().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}
