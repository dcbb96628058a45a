//! Takes over what an earlier engine has left running.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use crate::connection::Connection;
use crate::exit::Exit;
use crate::facts::{self, Facts, Running};
use crate::handle::{Handle, bury, open_exactly};
use crate::procfs;
use crate::wire::Event;

/// How long a shim that lives may take to answer. It answers in a millisecond unless the machine is drowned; killing what it holds
/// because of that would make things worse.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between attempts to reach a shim that is starting or ending.
const PERIOD: Duration = Duration::from_millis(20);

/// What became of a process.
#[derive(Debug)]
pub enum Adopted {
    /// It runs.
    Running(Handle),
    /// It has ended; nothing of it runs any more. If its shim was killed ([`crate::Cause::ShimLost`]), what it had left has just been
    /// killed, if nobody had done so before.
    Exited(Exit),
}

/// Why it is not known what became of a process.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// Nothing was ever launched there.
    #[error("no process was launched in {}", dir.display())]
    NotLaunched {
        /// The run directory.
        dir: PathBuf,
    },
    /// Its files cannot be read.
    #[error("cannot read the run directory {}", dir.display())]
    Unreadable {
        /// The run directory.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Finds out what became of the process of a run directory, and takes hold of it if it runs. Only one engine may do so at a time: of
/// a process that has lost its shim, everything is killed.
///
/// # Errors
/// See [`AdoptError`].
///
/// # Panics
/// Outside a tokio runtime with I/O and time.
pub async fn adopt(dir: &Path) -> Result<Adopted, AdoptError> {
    let unreadable = |source| AdoptError::Unreadable {
        dir: dir.to_owned(),
        source,
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(exit) = facts::read_exit(dir).map_err(unreadable)? {
            return Ok(Adopted::Exited(exit));
        }
        let facts =
            facts::read(dir)
                .map_err(unreadable)?
                .ok_or_else(|| AdoptError::NotLaunched {
                    dir: dir.to_owned(),
                })?;
        let alive = lives(&facts);
        if let Ok(Ok(handle)) = tokio::time::timeout_at(deadline, reach(dir)).await {
            return Ok(Adopted::Running(handle));
        }
        // Dead before the attempt, and still no exit: whatever it had to write is written by now.
        if (!alive || Instant::now() >= deadline)
            && facts::read_exit(dir).map_err(unreadable)?.is_none()
        {
            return Ok(Adopted::Exited(bury(dir.to_owned(), facts).await));
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// Whether the shim lives, or may be about to.
fn lives(facts: &Facts) -> bool {
    match &facts.running {
        Some(running) => open_exactly(running)
            .is_some_and(|_| procfs::stat(running.shim_pid).is_some_and(|stat| stat.state != b'Z')),
        None => procfs::pids()
            .into_iter()
            .any(|pid| procfs::is_marked(pid, &facts.project, Some(&facts.id))),
    }
}

async fn reach(dir: &Path) -> io::Result<Handle> {
    let mut connection = Connection::open(dir)?;
    let Some(Event::Running(facts)) = connection.next().await? else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let (running, shim) = shim_of(&facts).ok_or(io::ErrorKind::NotFound)?;
    Handle::keep(dir.to_owned(), facts, running, shim, Some(connection))
}

fn shim_of(facts: &Facts) -> Option<(Running, OwnedFd)> {
    let running = facts.running?;
    Some((running, open_exactly(&running)?))
}
