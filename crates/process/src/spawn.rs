//! Starts a shim and, through it, a process.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;

use crate::connection::Connection;
use crate::facts::{self, Facts};
use crate::handle::{Handle, reap};
use crate::launch::{Launch, LaunchError, PROJECT_VARIABLE, REPLICA_VARIABLE, ShimProgram, User};
use crate::unix_socket;
use crate::wire::{self, EVENT_MAX_BYTES, Failure, Report, Step};

/// What is read of a shim's last words.
const STDERR_MAX_BYTES: u64 = 4096;

/// Why a process does not run. Nothing of it is left but its run directory.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// It cannot be run on any machine.
    #[error("the process cannot be launched")]
    Launch(#[from] LaunchError),
    /// The run directory belongs to a process that runs.
    #[error("{} belongs to a process that still runs; stop it first", dir.display())]
    AlreadyRuns {
        /// The run directory.
        dir: PathBuf,
    },
    /// No such program in the search path.
    #[error("there is no program `{program}` in PATH ({path})")]
    NotInPath {
        /// The program.
        program: String,
        /// The folders that were searched.
        path: String,
    },
    /// No such file.
    #[error("there is no file `{program}` (looked for from {})", cwd.display())]
    NoFile {
        /// The program.
        program: String,
        /// Where it was looked for.
        cwd: PathBuf,
    },
    /// The file is there, but what its first line or its format names is not.
    #[error("`{program}` is there, but its interpreter{} is not", interpreter.as_ref().map(|i| format!(" `{i}`")).unwrap_or_default())]
    NoInterpreter {
        /// The program.
        program: String,
        /// What its first line names.
        interpreter: Option<String>,
    },
    /// It may not be executed.
    #[error("`{program}` may not be executed by {}", whom(*user))]
    Permission {
        /// The program.
        program: String,
        /// Who was to run it.
        user: Option<User>,
    },
    /// Its folder cannot be entered.
    #[error("cannot run in the folder {} as {}", cwd.display(), whom(*user))]
    Cwd {
        /// The folder.
        cwd: PathBuf,
        /// Who was to run there.
        user: Option<User>,
        /// Why.
        source: io::Error,
    },
    /// The user cannot be changed.
    #[error("cannot run as {}: only root can run a process as somebody else", whom(Some(*user)))]
    User {
        /// Who was to run it.
        user: User,
        /// Why.
        source: io::Error,
    },
    /// The limit on open files is above what this user may set.
    #[error(
        "cannot set the limit of {count} open files: it is above the hard limit (`ulimit -Hn`)"
    )]
    OpenFiles {
        /// The limit.
        count: u64,
        /// Why.
        source: io::Error,
    },
    /// The log cannot be written.
    #[error("cannot write the log in {}", dir.display())]
    Log {
        /// The log's folder.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The run directory cannot be written.
    #[error("cannot write the run directory {}", dir.display())]
    RunDirectory {
        /// The run directory.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system refused something else.
    #[error("cannot execute `{program}` ({step})")]
    System {
        /// The program.
        program: String,
        /// What was being done.
        step: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The shim's program cannot be executed.
    #[error("cannot start the supervisor `{}`", program.display())]
    ShimProgram {
        /// Its program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The shim ended before it said anything.
    #[error("the supervisor ended before the process ran{}", if message.is_empty() { String::new() } else { format!(": {message}") })]
    ShimEnded {
        /// Its last words.
        message: String,
    },
    /// The shim said something else than it should, or cannot be reached.
    #[error("lost contact with the supervisor while the process started")]
    Contact(#[source] io::Error),
}

fn whom(user: Option<User>) -> String {
    user.map_or_else(
        || "the current user".to_owned(),
        |user| format!("user {} (group {})", user.uid, user.gid),
    )
}

/// Starts a process under a shim; resolves when it has been executed. When it is cancelled, the start goes on: [`crate::adopt`] finds
/// what became of it.
///
/// # Errors
/// See [`SpawnError`]; nothing runs then.
///
/// # Panics
/// Outside a tokio runtime with I/O and time.
pub async fn spawn(shim: &ShimProgram, mut launch: Launch) -> Result<Handle, SpawnError> {
    launch.check()?;
    for path in [&mut launch.dir, &mut launch.log.dir, &mut launch.cwd] {
        // The shim has a working directory of its own.
        if let Ok(absolute) = std::path::absolute(&*path) {
            *path = absolute;
        }
    }
    let shim = shim.clone();
    let starting = tokio::spawn(async move { start(&shim, &launch).await });
    starting
        .await
        .unwrap_or_else(|error| Err(SpawnError::Contact(io::Error::other(error))))
}

async fn start(shim: &ShimProgram, launch: &Launch) -> Result<Handle, SpawnError> {
    let run_directory = |source| SpawnError::RunDirectory {
        dir: launch.dir.clone(),
        source,
    };
    if unix_socket::connect(&facts::socket_path(&launch.dir)).is_ok() {
        return Err(SpawnError::AlreadyRuns {
            dir: launch.dir.clone(),
        });
    }
    facts::prepare(&launch.dir).map_err(run_directory)?;
    facts::write(&launch.dir, &Facts::of(launch)).map_err(run_directory)?;

    let mut child = Command::new(&shim.program)
        .args(&shim.arguments)
        .arg(&launch.id)
        .env_clear()
        .env(PROJECT_VARIABLE, &launch.project)
        .env(REPLICA_VARIABLE, &launch.id)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| SpawnError::ShimProgram {
            program: shim.program.clone(),
            source,
        })?;
    let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())
        .map_err(|errno| SpawnError::Contact(errno.into()))?;
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(SpawnError::Contact(io::ErrorKind::BrokenPipe.into()));
    };
    let talk = async {
        let mut input = pipe::Sender::from_owned_fd(OwnedFd::from(stdin))?;
        // A shim that ends early says why on standard error; the broken pipe does not matter then.
        input.write_all(&wire::line(launch)).await.ok();
        drop(input);
        let mut report = Vec::new();
        let output = pipe::Receiver::from_owned_fd(OwnedFd::from(stdout))?;
        BufReader::new(output)
            .take(EVENT_MAX_BYTES as u64)
            .read_until(b'\n', &mut report)
            .await?;
        io::Result::Ok(report)
    };
    let report = talk.await.map_err(SpawnError::Contact)?;
    if report.is_empty() {
        let mut message = Vec::new();
        if let Ok(errors) = pipe::Receiver::from_owned_fd(OwnedFd::from(stderr)) {
            errors
                .take(STDERR_MAX_BYTES)
                .read_to_end(&mut message)
                .await
                .ok();
        }
        ended(pidfd).await;
        return Err(SpawnError::ShimEnded {
            message: String::from_utf8_lossy(&message).trim().to_owned(),
        });
    }
    match serde_json::from_slice(&report).map_err(|error| SpawnError::Contact(error.into()))? {
        Report::Failed(failure) => {
            ended(pidfd).await;
            Err(explain(&failure, launch))
        }
        Report::Running(facts) => {
            let running = facts
                .running
                .ok_or_else(|| SpawnError::Contact(io::ErrorKind::InvalidData.into()))?;
            // A process that has ended already has taken its socket with it; the keeper then reads `exit.json`.
            let connection = Connection::open(&launch.dir).ok();
            Handle::keep(launch.dir.clone(), facts, running, pidfd, connection)
                .map_err(SpawnError::Contact)
        }
    }
}

/// Waits for a shim that has nothing left to do, and reaps it.
async fn ended(pidfd: OwnedFd) {
    if let Ok(pidfd) = crate::syscalls::watch(pidfd)
        && pidfd.readable().await.is_ok()
    {
        reap(pidfd.get_ref());
    }
}

/// Puts a failed step into a sentence.
fn explain(failure: &Failure, launch: &Launch) -> SpawnError {
    let source = if failure.errno == 0 {
        io::Error::other("no reason given")
    } else {
        io::Error::from_raw_os_error(failure.errno)
    };
    let program = launch.argv.first().cloned().unwrap_or_default();
    let step = match (failure.step, launch.user, launch.limits.open_files) {
        (Step::Cwd, user, _) => {
            return SpawnError::Cwd {
                cwd: launch.cwd.clone(),
                user,
                source,
            };
        }
        (Step::User, Some(user), _) => return SpawnError::User { user, source },
        (Step::OpenFiles, _, Some(count)) => return SpawnError::OpenFiles { count, source },
        (Step::Log, ..) => {
            return SpawnError::Log {
                dir: launch.log.dir.clone(),
                source,
            };
        }
        (Step::RunDirectory, ..) => {
            return SpawnError::RunDirectory {
                dir: launch.dir.clone(),
                source,
            };
        }
        (Step::Exec, ..) => return explain_exec(program, launch, source),
        (Step::Session, ..) => "making its session",
        (Step::Socket, ..) => "making its socket",
        (Step::Pipes, ..) => "making its pipes",
        (Step::Subreaper, ..) => "becoming its supervisor",
        (Step::DeathSignal | Step::User | Step::OpenFiles, ..) => "tying it to its supervisor",
    };
    SpawnError::System {
        program,
        step,
        source,
    }
}

fn explain_exec(program: String, launch: &Launch, source: io::Error) -> SpawnError {
    let user = launch.user;
    match source.kind() {
        io::ErrorKind::NotFound if program.contains('/') => {
            let file = launch.cwd.join(&program);
            if file.is_file() {
                SpawnError::NoInterpreter {
                    interpreter: interpreter(&file),
                    program,
                }
            } else {
                SpawnError::NoFile {
                    program,
                    cwd: launch.cwd.clone(),
                }
            }
        }
        io::ErrorKind::NotFound => {
            let path = launch
                .env
                .get("PATH")
                .cloned()
                .unwrap_or_else(|| "not set".to_owned());
            let found = path
                .split(':')
                .map(|dir| launch.cwd.join(dir).join(&program))
                .find(|file| file.is_file());
            match found {
                Some(file) => SpawnError::NoInterpreter {
                    interpreter: interpreter(&file),
                    program,
                },
                None => SpawnError::NotInPath { program, path },
            }
        }
        io::ErrorKind::PermissionDenied => SpawnError::Permission { program, user },
        _ => SpawnError::System {
            program,
            step: "executing it",
            source,
        },
    }
}

/// What a script's first line names.
fn interpreter(file: &Path) -> Option<String> {
    let mut head = [0; 256];
    let read = io::Read::read(&mut std::fs::File::open(file).ok()?, &mut head).ok()?;
    let line = head[..read]
        .split(|b| *b == b'\n')
        .next()?
        .strip_prefix(b"#!")?;
    let text = String::from_utf8_lossy(line);
    text.split_whitespace().next().map(str::to_owned)
}
