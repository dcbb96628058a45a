//! The unprivileged account that a server runs as when the engine is root, and the folders it owns.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD};
use rustix::process::{Gid, Uid};

use crate::error::StoreError;

/// A user and group of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// The user's id.
    pub uid: u32,
    /// The group's id.
    pub gid: u32,
}

impl Account {
    /// Whether this process may change to other accounts.
    pub(crate) fn may_change() -> bool {
        rustix::process::geteuid().is_root()
    }
}

/// Gives `path` to `account`; nothing where none is given.
pub(crate) fn give(path: &Path, account: Option<Account>) -> Result<(), StoreError> {
    let Some(account) = account else {
        return Ok(());
    };
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    rustix::fs::chownat(CWD, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|e| StoreError::io("cannot change the owner of", path, e.into()))
}

/// Gives a data folder and all that is in it to `account`, where it belongs to another: the engine ran as somebody
/// else before. Symbolic links are not followed.
pub(crate) fn give_all(path: &Path, account: Option<Account>) -> Result<(), StoreError> {
    let Some(wanted) = account else { return Ok(()) };
    let metadata =
        fs::symlink_metadata(path).map_err(|e| StoreError::io("cannot read", path, e))?;
    if metadata.uid() == wanted.uid && metadata.gid() == wanted.gid {
        return Ok(());
    }
    let mut folders = vec![path.to_owned()];
    let mut seen: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|e| StoreError::io("cannot read", &folder, e))? {
            let entry = entry.map_err(|e| StoreError::io("cannot read", &folder, e))?;
            let kind = entry
                .file_type()
                .map_err(|e| StoreError::io("cannot read", &folder, e))?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else {
                give(&entry.path(), account)?;
            }
        }
        seen.push(folder);
    }
    // The top comes last: while it has its old owner, an interrupted pass is taken up again.
    for folder in seen.iter().rev() {
        give(folder, account)?;
    }
    Ok(())
}

/// Makes a folder that only its owner, `account`, can enter; keeps one that is there.
pub(crate) fn private_folder(path: &Path, account: Option<Account>) -> Result<(), StoreError> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(StoreError::io("cannot make", path, e)),
    }
    give(path, account)
}

/// Writes a file that only its owner, `account`, can read, and puts it in place whole.
pub(crate) fn private_file(
    path: &Path,
    text: &str,
    account: Option<Account>,
) -> Result<(), StoreError> {
    let new = path.with_extension("new");
    let write = || -> io::Result<()> {
        match fs::remove_file(&new) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|e| StoreError::io("cannot write", &new, e))?;
    give(&new, account)?;
    fs::rename(&new, path).map_err(|e| StoreError::io("cannot write", path, e))
}

/// The first folder on the way to `path` that `account` cannot enter; none where all can be.
///
/// Only the mode bits are looked at, which is what decides everywhere but under access control lists.
pub(crate) fn barred(path: &Path, account: Option<Account>) -> Option<PathBuf> {
    let account = account?;
    let above: Vec<_> = path
        .ancestors()
        .skip(1)
        .filter(|p| !p.as_os_str().is_empty())
        .collect();
    above.into_iter().rev().find_map(|folder| {
        let metadata = fs::metadata(folder).ok()?;
        let bit = if account.uid == 0 {
            return None;
        } else if metadata.uid() == account.uid {
            0o100
        } else if metadata.gid() == account.gid {
            0o010
        } else {
            0o001
        };
        (metadata.mode() & bit == 0).then(|| folder.to_owned())
    })
}
