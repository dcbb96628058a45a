//! The run directory of a process: what is known of it without asking anybody, and without any secret.
//!
//! | file | written by | says |
//! | --- | --- | --- |
//! | `launch.json` | the engine before the shim starts, the shim once the process runs | [`Facts`] |
//! | `shim.sock` | the shim | where it can be asked; gone when it has ended properly |
//! | `exit.json` | the shim at the end (or whoever found the shim killed) | [`Exit`]; its presence means that nothing of it runs any more |
//!
//! The directory has mode 0700. Both JSON files are replaced by renaming, so a reader sees all or nothing. Each has a `version`; a
//! reader refuses one that it does not know. `exit.json` is written into space reserved at the start: a full disk does not lose it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use wharf_base::clock::Timestamp;

use crate::cgroup;
use crate::exit::Exit;
use crate::launch::Launch;

/// The version of both files.
const VERSION: u32 = 1;
/// Room for an [`Exit`] with some hundred survivors; beyond, the file simply grows.
const EXIT_RESERVED_BYTES: usize = 4096;

/// What is known of a process from its start on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The process's name.
    pub id: String,
    /// The project's marker.
    pub project: String,
    /// The program, without its arguments.
    pub program: String,
    /// How long it may take to end when asked.
    #[serde(with = "wharf_base::duration")]
    pub stop_timeout: Duration,
    /// What runs; none before it does.
    pub running: Option<Running>,
    /// Its cgroup directories, in every hierarchy that holds it.
    #[serde(default)]
    pub cgroups: Vec<PathBuf>,
    /// The limits that this machine does not let the shim enforce, each with the reason, as a person should read it.
    #[serde(default)]
    pub unenforced: Vec<String>,
}

/// The processes of a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The main process; also its process group and session.
    pub pid: i32,
    /// Its shim.
    pub shim_pid: i32,
    /// The shim's start time in clock ticks since boot: with the pid, it names a process for ever.
    pub shim_ticks: u64,
    /// When the main process was executed.
    pub started_at: Timestamp,
}

/// A file of the run directory with its version.
#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    version: u32,
    #[serde(flatten)]
    content: T,
}

impl Facts {
    /// What is known before anything runs.
    pub(crate) fn of(launch: &Launch) -> Self {
        Self {
            id: launch.id.clone(),
            project: launch.project.clone(),
            program: launch.argv.first().cloned().unwrap_or_default(),
            stop_timeout: launch.stop_timeout,
            running: None,
            cgroups: Vec::new(),
            unenforced: Vec::new(),
        }
    }

    /// How often the kernel has killed something of it for want of memory, as far as a memory cgroup counts it.
    #[must_use]
    pub fn killed_for_memory(&self) -> u64 {
        let counts = self.cgroups.iter().map(|dir| cgroup::oom_kills(dir));
        counts.max().unwrap_or(0)
    }
}

pub(crate) fn launch_path(dir: &Path) -> PathBuf {
    dir.join("launch.json")
}

pub(crate) fn exit_path(dir: &Path) -> PathBuf {
    dir.join("exit.json")
}

pub(crate) fn socket_path(dir: &Path) -> PathBuf {
    dir.join("shim.sock")
}

/// Makes the directory, private, and removes what an earlier launch has left in it.
pub(crate) fn prepare(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)?;
    for path in [exit_path(dir), socket_path(dir), launch_path(dir)] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// What `launch.json` says; none if there is none.
///
/// # Errors
/// It cannot be read, or is none of this version.
pub fn read(dir: &Path) -> io::Result<Option<Facts>> {
    read_json(&launch_path(dir))
}

/// What `exit.json` says; none while the process runs, or if there has been none.
///
/// # Errors
/// It cannot be read, or is none of this version.
pub fn read_exit(dir: &Path) -> io::Result<Option<Exit>> {
    read_json(&exit_path(dir))
}

pub(crate) fn write(dir: &Path, facts: &Facts) -> io::Result<()> {
    let mut slot = Slot::open(&launch_path(dir))?;
    slot.fill(facts)
}

/// A file that will be written: its space is there already, its name is not.
pub(crate) struct Slot {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
}

impl Slot {
    fn open(path: &Path) -> io::Result<Self> {
        let temporary = path.with_extension("json.new");
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&temporary)?;
        Ok(Self {
            file,
            temporary,
            path: path.to_owned(),
        })
    }

    /// Reserves the space of `exit.json`.
    pub(crate) fn reserve_exit(dir: &Path) -> io::Result<Self> {
        let mut slot = Self::open(&exit_path(dir))?;
        slot.file.write_all(&[b' '; EXIT_RESERVED_BYTES])?;
        Ok(slot)
    }

    /// Writes the content and gives the file its name. May be repeated after a failure.
    pub(crate) fn fill<T: Serialize>(&mut self, content: &T) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(&Versioned {
            version: VERSION,
            content,
        })?;
        bytes.push(b'\n');
        self.file.write_all_at(&bytes, 0)?;
        self.file.set_len(bytes.len() as u64)?;
        fs::rename(&self.temporary, &self.path)
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let Version { version } = serde_json::from_slice(&bytes)?;
    if version != VERSION {
        let message = format!(
            "version {version} was written by another release of this program; this one reads version {VERSION}"
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(Some(
        serde_json::from_slice::<Versioned<T>>(&bytes)?.content,
    ))
}
