//! Starts the main process, with everything in place to own it from its first moment.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fs, io};

use rustix::fs::OFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Gid, Pid, Uid};
use wharf_base::clock;

use super::failed;
use crate::cgroup::{self, Hierarchy};
use crate::facts::{self, Facts, Running, Slot};
use crate::launch::{Launch, PROJECT_VARIABLE, REPLICA_VARIABLE, StopScope, User};
use crate::log::{Kind, Lines, Writer};
use crate::signal::Signal;
use crate::syscalls::{self, ChildSetup};
use crate::wire::{Failure, Step};
use crate::{procfs, unix_socket};

/// What the shim reacts to; those of a terminal are blocked too, and read without effect.
const SIGNALS: [i32; 7] = [
    libc::SIGCHLD,
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGPIPE,
    libc::SIGTSTP,
];

/// A main process that runs, and all that the shim holds for it.
pub(super) struct Started {
    pub(super) facts: Facts,
    pub(super) pid: Pid,
    pub(super) dir: PathBuf,
    pub(super) exit: Slot,
    pub(super) signals: OwnedFd,
    pub(super) listener: UnixListener,
    pub(super) outputs: [Option<(OwnedFd, Lines)>; 2],
    pub(super) writer: Writer,
    pub(super) stop_signal: Signal,
    pub(super) stop_scope: StopScope,
    pub(super) stop_timeout: Duration,
    /// The cgroups' counters before anything ran.
    pub(super) oom_kills_before: u64,
}

/// Starts the program. After a failure nothing runs and nothing is left but the run directory.
pub(super) fn start(launch: &Launch) -> Result<Started, Failure> {
    let this = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(this))
        .map_err(io::Error::from)
        .map_err(failed(Step::Subreaper))?;
    let signals = syscalls::signal_descriptor(&SIGNALS).map_err(failed(Step::Subreaper))?;
    let exit = Slot::reserve_exit(&launch.dir).map_err(failed(Step::RunDirectory))?;
    let writer = Writer::open(launch.log.clone()).map_err(failed(Step::Log))?;
    let socket = facts::socket_path(&launch.dir);
    let listener = unix_socket::bind(&socket).map_err(failed(Step::Socket))?;
    listener
        .set_nonblocking(true)
        .map_err(failed(Step::Socket))?;
    let (output, child_output) = output_pipe(launch.user).map_err(failed(Step::Pipes))?;
    let (error, child_error) = output_pipe(launch.user).map_err(failed(Step::Pipes))?;

    let mut placement = cgroup::place(
        &Hierarchy::all(),
        &launch.project,
        &launch.id,
        &launch.limits,
    );
    let oom_kills_before = placement
        .dirs
        .iter()
        .map(|dir| cgroup::oom_kills(dir))
        .max()
        .unwrap_or(0);
    let mut facts = Facts {
        cgroups: placement.dirs.clone(),
        ..Facts::of(launch)
    };
    let spawned = write_facts(&launch.dir, &facts)
        .and_then(|()| spawn(launch, this, &placement.dirs, child_output, child_error));
    let pid = match spawned {
        Ok(pid) => pid,
        Err(failure) => {
            for dir in &placement.dirs {
                cgroup::remove(dir);
            }
            drop(fs::remove_file(&socket));
            return Err(failure);
        }
    };
    leave_refused(&mut placement, pid);
    facts.cgroups = placement.dirs;
    facts.unenforced = placement.unenforced;
    facts.running = Some(Running {
        pid: pid.as_raw_pid(),
        shim_pid: this.as_raw_pid(),
        shim_ticks: procfs::stat(this.as_raw_pid()).map_or(0, |stat| stat.ticks),
        started_at: clock::now(),
    });
    // The process runs. Without this file (a disk that has become full) the socket still tells the same.
    drop(facts::write(&launch.dir, &facts));
    Ok(Started {
        facts,
        pid,
        dir: launch.dir.clone(),
        exit,
        signals,
        listener,
        outputs: [
            Some((output, Lines::new(Kind::Stdout))),
            Some((error, Lines::new(Kind::Stderr))),
        ],
        writer,
        stop_signal: launch.stop_signal,
        stop_scope: launch.stop_scope,
        stop_timeout: launch.stop_timeout,
        oom_kills_before,
    })
}

/// The cgroups must be known before anything can be in them: whoever finds the shim killed looks here.
fn write_facts(dir: &Path, facts: &Facts) -> Result<(), Failure> {
    facts::write(dir, facts).map_err(failed(Step::RunDirectory))
}

fn spawn(
    launch: &Launch,
    shim: Pid,
    cgroups: &[PathBuf],
    output: OwnedFd,
    error: OwnedFd,
) -> Result<Pid, Failure> {
    let (program, arguments) = launch.argv.split_first().ok_or(Failure {
        step: Step::Exec,
        errno: libc::EINVAL,
    })?;
    let cwd = CString::new(launch.cwd.as_os_str().as_bytes()).map_err(|_| Failure {
        step: Step::Cwd,
        errno: libc::EINVAL,
    })?;
    let join = |dir: &PathBuf| {
        File::options()
            .write(true)
            .open(dir.join("cgroup.procs"))
            .ok()
            .map(OwnedFd::from)
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(&launch.env)
        .env(PROJECT_VARIABLE, &launch.project)
        .env(REPLICA_VARIABLE, &launch.id)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(error);
    let setup = ChildSetup {
        shim,
        cwd,
        // Whoever is this user already need not, and unless root could not, change.
        user: launch
            .user
            .filter(|user| user.uid != rustix::process::geteuid().as_raw()),
        open_files: launch.limits.open_files,
        cgroups: cgroups.iter().filter_map(join).collect(),
    };
    let child = syscalls::spawn_child(&mut command, setup).map_err(|error| {
        let (step, errno) = syscalls::step_of(&error);
        Failure { step, errno }
    })?;
    Ok(Pid::from_child(&child))
}

/// Names the cgroups that did not take the process, and forgets them.
fn leave_refused(placement: &mut cgroup::Placement, pid: Pid) {
    let raw = pid.as_raw_pid();
    placement.dirs.retain(|dir| {
        // A short program may have ended already; then nobody is refused.
        let joined = cgroup::members(dir).contains(&raw)
            || procfs::stat(raw).is_none_or(|stat| stat.state == b'Z');
        if !joined {
            placement.unenforced.push(format!(
                "the limits in {}: the process may not be moved there",
                dir.display()
            ));
            cgroup::remove(dir);
        }
        joined
    });
}

/// A pipe whose reading end does not block, and whose other end the user may open again by name (`/dev/stdout`).
fn output_pipe(user: Option<User>) -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    let flags = rustix::fs::fcntl_getfl(&reader)?;
    rustix::fs::fcntl_setfl(&reader, flags | OFlags::NONBLOCK)?;
    if let Some(user) = user {
        // Refused in a user namespace that does not map the user; then only opening it by name fails.
        rustix::fs::fchown(
            writer.as_fd(),
            Some(Uid::from_raw(user.uid)),
            Some(Gid::from_raw(user.gid)),
        )
        .ok();
    }
    Ok((reader, writer))
}
