//! Locks of folders, held by an open file: the system frees them when their holder ends in any way.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::error::BuildError;
use crate::process::{Progress, ProgressSink};

/// Between two attempts. Asking again costs a microsecond, and a blocking wait could not be cancelled.
const RETRY: Duration = Duration::from_millis(50);

/// A held lock; freed when dropped.
pub(crate) struct Lock {
    _file: File,
}

/// The lock of `path`, unless somebody holds it.
pub(crate) fn try_lock(path: &Path) -> Result<Option<Lock>, BuildError> {
    let file = open(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(Lock { _file: file })),
        Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => Ok(None),
        Err(e) => Err(BuildError::io("cannot lock", path, e.into())),
    }
}

fn open(path: &Path) -> Result<File, BuildError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|e| BuildError::io("cannot make", parent, e))?;
    }
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|e| BuildError::io("cannot open", path, e))
}

/// Waits for the lock of `path`, a file that is made where it is not there and never removed.
pub(crate) async fn lock(
    path: &Path,
    what: &str,
    progress: &ProgressSink,
) -> Result<Lock, BuildError> {
    let mut told = false;
    loop {
        if let Some(lock) = try_lock(path)? {
            return Ok(lock);
        }
        if !told {
            progress(Progress::Step(format!(
                "waiting for another build of {what}"
            )));
            told = true;
        }
        tokio::time::sleep(RETRY).await;
    }
}
