//! What to run, as whom and within which limits; and what makes that invalid.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wharf_base::units::{Bytes, Millicores};

use crate::signal::Signal;

/// The variable that names the project in the environment of everything that belongs to it; [`crate::sweep`] finds it by that.
pub(crate) const PROJECT_VARIABLE: &str = "WHARF_PROJECT";
/// The variable that names the process (a replica, a store, the ingress) in its environment and in all that it starts.
pub(crate) const REPLICA_VARIABLE: &str = "WHARF_REPLICA";

/// Markers are file names and cgroup names too; 128 leaves room for suffixes under NAME_MAX (255).
const MARKER_MAX_BYTES: usize = 128;

/// One process to run. Sent to the shim through a pipe, never written anywhere: [`Launch::env`] holds secrets.
#[derive(Clone, Serialize, Deserialize)]
pub struct Launch {
    /// The process's name, unique in the project: letters, digits, `.`, `_`, `-`. In its environment as `WHARF_REPLICA`.
    pub id: String,
    /// The project's marker, unique on the machine, of the same letters. In its environment as `WHARF_PROJECT`.
    pub project: String,
    /// The program and its arguments. A program without a slash is looked for in `PATH` of [`Launch::env`]; one with a slash is
    /// relative to [`Launch::cwd`].
    pub argv: Vec<String>,
    /// Where it runs.
    pub cwd: PathBuf,
    /// Its whole environment; nothing is inherited. The two markers are added.
    pub env: BTreeMap<String, String>,
    /// Whom it runs as; none: whoever runs the engine. Only root can name another. It then also has no supplementary groups and can
    /// gain no privileges (`no_new_privs`).
    pub user: Option<User>,
    /// What it may use.
    pub limits: Limits,
    /// What asks it to end.
    pub stop_signal: Signal,
    /// Who gets the stop signal.
    pub stop_scope: StopScope,
    /// How long it may take to end before it is killed.
    #[serde(with = "wharf_base::duration")]
    pub stop_timeout: Duration,
    /// Its run directory, created if missing, of this process alone: see [`crate::facts`].
    pub dir: PathBuf,
    /// Where its output goes.
    pub log: LogTarget,
}

/// A user and a primary group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

/// What a process and all that it starts may use together. What the kernel does not let the shim enforce is named in
/// [`crate::facts::Facts::unenforced`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory, swap included; above, the kernel kills it (cgroup).
    pub memory: Option<Bytes>,
    /// CPU time per time (cgroup).
    pub cpu: Option<Millicores>,
    /// Open files of each process (`RLIMIT_NOFILE`).
    pub open_files: Option<u64>,
    /// Processes and threads (cgroup).
    pub processes: Option<u64>,
}

/// Who gets the stop signal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopScope {
    /// The main process and everything else of its process group, as Ctrl-C in a terminal; all of them have the timeout to end. Right
    /// for shell commands.
    #[default]
    Group,
    /// The main process alone; what it leaves behind when it ends is killed. Right for servers that end their own workers (Celery,
    /// PostgreSQL).
    Main,
}

/// Log files: `<dir>/<name>.<number>.log`, see [`crate::log`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTarget {
    /// The folder, created if missing.
    pub dir: PathBuf,
    /// What the files' names begin with; of the letters of [`Launch::id`].
    pub name: String,
    /// A file that has reached this size is followed by the next. At least 64 KiB.
    pub max_bytes: u64,
    /// How many files are kept, the one that is written included. At least 2, so that a rotation never loses the last lines.
    pub max_files: u32,
}

/// How to start a shim: a program that calls [`crate::shim_main`], and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShimProgram {
    /// The program; `/proc/self/exe` stays right when the file is replaced or deleted.
    pub program: PathBuf,
    /// What makes it a shim, `["shim"]`. The process's id is added, for whoever looks at `ps`.
    pub arguments: Vec<OsString>,
}

/// Why a [`Launch`] cannot be run on any machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LaunchError {
    /// No program.
    #[error("the command is empty: it needs a program to run")]
    EmptyCommand,
    /// An id or marker with other letters.
    #[error("expected 1 to 128 letters, digits, `.`, `_` and `-` for the {what}, found `{found}`")]
    Marker {
        /// Which.
        what: &'static str,
        /// What was there.
        found: String,
    },
    /// A NUL byte, which no argument or variable can hold.
    #[error("{0} contains a NUL byte, which the operating system cannot pass on")]
    Nul(String),
    /// A variable's name that no environment can hold.
    #[error("`{0}` is not a name for an environment variable: it is empty or contains `=`")]
    VariableName(String),
    /// A log that cannot be rotated.
    #[error("a log keeps at least 2 files of at least 65536 bytes each, not {files} of {bytes}")]
    Log {
        /// The files that were asked for.
        files: u32,
        /// The size that was asked for.
        bytes: u64,
    },
}

impl Launch {
    /// Checks what holds on every machine. Messages name variables, never their values.
    ///
    /// # Errors
    /// See [`LaunchError`].
    pub fn check(&self) -> Result<(), LaunchError> {
        if self.argv.first().is_none_or(String::is_empty) {
            return Err(LaunchError::EmptyCommand);
        }
        check_marker("id", &self.id)?;
        check_marker("project", &self.project)?;
        check_marker("log name", &self.log.name)?;
        if let Some(position) = self.argv.iter().position(|a| a.contains('\0')) {
            return Err(LaunchError::Nul(format!(
                "argument {position} of the command"
            )));
        }
        for (name, value) in &self.env {
            if name.is_empty() || name.contains('=') || name.contains('\0') {
                return Err(LaunchError::VariableName(name.replace('\0', "\u{fffd}")));
            }
            if value.contains('\0') {
                return Err(LaunchError::Nul(format!(
                    "the environment variable `{name}`"
                )));
            }
        }
        if self.log.max_files < 2 || self.log.max_bytes < 65_536 {
            return Err(LaunchError::Log {
                files: self.log.max_files,
                bytes: self.log.max_bytes,
            });
        }
        Ok(())
    }
}

/// Checks a name that becomes part of file names, cgroup names and environments.
pub(crate) fn check_marker(what: &'static str, text: &str) -> Result<(), LaunchError> {
    let letters = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if letters && !text.is_empty() && text.len() <= MARKER_MAX_BYTES && !text.starts_with('.') {
        Ok(())
    } else {
        Err(LaunchError::Marker {
            what,
            found: text.to_owned(),
        })
    }
}

/// Shows what is no secret: arguments and the environment are left out.
impl std::fmt::Debug for Launch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Launch")
            .field("id", &self.id)
            .field("project", &self.project)
            .field("program", &self.argv.first())
            .field("cwd", &self.cwd)
            .field("user", &self.user)
            .field("limits", &self.limits)
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}
