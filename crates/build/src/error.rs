//! Why a folder could not be read or built.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a folder could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// It is no folder.
    #[error("there is no folder {}", .0.display())]
    NoFolder(PathBuf),
    /// A file of it could not be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A project file is not in its own format.
    #[error("{} cannot be understood: {message}", path.display())]
    Malformed {
        /// Which one.
        path: PathBuf,
        /// What its reader said, on one line.
        message: String,
    },
}

/// Why a build gave no artifact.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The folder could not be looked at.
    #[error("cannot tell how to build it")]
    Detect(#[from] DetectError),
    /// Nothing in the folder says how to build it.
    #[error(
        "nothing in {} says how it is built (no Cargo.toml, package.json, requirements.txt, pyproject.toml or go.mod): \
         give it a `build.command`",
        .0.display()
    )]
    Nothing(PathBuf),
    /// There is only a Dockerfile.
    #[error(
        "{} has only a Dockerfile, which needs a container engine: give it a `build.command` and a `command` to run it \
         as a process",
        .0.display()
    )]
    DockerfileOnly(PathBuf),
    /// The build ended well and made no program.
    #[error("{what} in {} makes no program that could be started", dir.display())]
    NoProgram {
        /// What was built: `the Cargo package`.
        what: &'static str,
        /// Where.
        dir: PathBuf,
    },
    /// The build made programs, and not the one that is asked for.
    #[error("{what} in {} makes no program `{program}`, only {there}", dir.display())]
    OtherProgram {
        /// What was built: `the Cargo package`.
        what: &'static str,
        /// Where.
        dir: PathBuf,
        /// The one that is asked for.
        program: String,
        /// The others, for people.
        there: String,
    },
    /// One program of several is asked for, where there are not several.
    #[error(
        "`program: {program}` says nothing about {}, which neither Cargo nor Go builds: say with `command` what starts it",
        dir.display()
    )]
    NotCompiled {
        /// What would be built.
        dir: PathBuf,
        /// The one that is asked for.
        program: String,
    },
    /// A tool is not installed.
    #[error("`{tool}` is needed to build {} and is not installed: {install}", dir.display())]
    ToolMissing {
        /// The tool.
        tool: String,
        /// What needs it.
        dir: PathBuf,
        /// What installs it.
        install: String,
    },
    /// A command of the build failed.
    #[error("`{command}` in {} ended with {status}{tail}{}", dir.display(), Hint(hint.as_deref()))]
    Failed {
        /// The command.
        command: String,
        /// Where it ran.
        dir: PathBuf,
        /// How it ended: `exit status 101`.
        status: String,
        /// Its last lines.
        tail: Tail,
        /// What to try.
        hint: Option<String>,
    },
    /// The build took too long and was stopped.
    #[error("the build of {} did not end within {}", dir.display(), wharf_base::duration::format(*limit))]
    Timeout {
        /// What was built.
        dir: PathBuf,
        /// The limit.
        limit: Duration,
    },
    /// The folder is larger than what a service's source should be.
    #[error("{} has more than {limit}: leave out what the service does not need with a .wharfignore file", dir.display())]
    TooLarge {
        /// The folder.
        dir: PathBuf,
        /// `200000 files`, `8 GiB`.
        limit: String,
    },
    /// A file could not be used.
    #[error("{what} {}", path.display())]
    Io {
        /// What was tried: `cannot write`.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// This process is shutting down.
    #[error("the build was stopped")]
    Stopped,
}

impl BuildError {
    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            what,
            path: path.to_owned(),
            source,
        }
    }
}

/// The last lines of a command that failed, in order. Shown indented, below what precedes them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tail(pub Vec<String>);

impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(" and printed nothing");
        }
        f.write_str("; its last lines:")?;
        for line in &self.0 {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

struct Hint<'a>(Option<&'a str>);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(hint) => write!(f, "\n  {hint}"),
            None => Ok(()),
        }
    }
}
