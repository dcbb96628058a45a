//! The unsafe corner: a child's set-up between `fork` and `exec`, signals as a file descriptor, and descriptors for the runtime.
//!
//! Between `fork` and `exec` only async-signal-safe calls are allowed (signal-safety(7)): no allocation, no locks. [`ChildSetup`]
//! therefore holds everything ready; rustix's functions used here are bare system calls.

use std::ffi::CString;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use rustix::process::{Pid, Resource, Rlimit, Signal};
use rustix::thread;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::launch::User;
use crate::wire::Step;

/// The highest signal number of Linux; the array of dispositions ends there.
const SIGNAL_MAX: i32 = 64;
/// An error number fits in 12 bits (the kernel's MAX_ERRNO is 4095); the step of the set-up is put above it.
const STEP_SHIFT: u32 = 16;

/// What the main process does to itself before it becomes the program.
pub(crate) struct ChildSetup {
    /// The shim; if the parent is another by then, the shim is dead.
    pub(crate) shim: Pid,
    /// Where it runs.
    pub(crate) cwd: CString,
    /// Whom it becomes.
    pub(crate) user: Option<User>,
    /// Its limit on open files.
    pub(crate) open_files: Option<u64>,
    /// Open `cgroup.procs` files that it joins.
    pub(crate) cgroups: Vec<OwnedFd>,
}

/// Starts the program; returns once it has been executed. An error is put together by [`step_of`].
pub(crate) fn spawn_child(command: &mut Command, setup: ChildSetup) -> io::Result<Child> {
    // SAFETY: `ChildSetup::run` makes only system calls and allocates nothing.
    unsafe { command.pre_exec(move || setup.run()) };
    command.spawn()
}

/// Takes apart what [`spawn_child`] failed with: the step, and the system's error number.
pub(crate) fn step_of(error: &io::Error) -> (Step, i32) {
    let number = error.raw_os_error().unwrap_or(libc::EIO);
    (
        Step::from_number(number >> STEP_SHIFT),
        number & ((1 << STEP_SHIFT) - 1),
    )
}

impl ChildSetup {
    fn run(&self) -> io::Result<()> {
        at(Step::Session, rustix::process::setsid().map(drop))?;
        for signal in 1..=SIGNAL_MAX {
            // SAFETY: setting a default disposition runs no code; numbers that cannot be set are refused. What the engine's parent
            // ignores (nohup) must not be ignored by the program.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        // SAFETY: the set is initialised before it is read. What the shim reads from its descriptor, the program must get.
        unsafe {
            let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut());
        }
        // SAFETY: only sets a flag on descriptors. Kernels before 5.11 refuse it; then std's own CLOEXEC has to do.
        unsafe {
            libc::syscall(
                libc::SYS_close_range,
                3_u32,
                u32::MAX,
                libc::CLOSE_RANGE_CLOEXEC,
            )
        };
        for procs in &self.cgroups {
            // A refusal is seen by the shim, which looks who is in the cgroup.
            rustix::io::write(procs, b"0").ok();
        }
        if let Some(count) = self.open_files {
            let limit = Rlimit {
                current: Some(count),
                maximum: Some(count),
            };
            at(
                Step::OpenFiles,
                rustix::process::setrlimit(Resource::Nofile, limit),
            )?;
        }
        if let Some(user) = self.user {
            let (uid, gid) = (
                rustix::process::Uid::from_raw(user.uid),
                rustix::process::Gid::from_raw(user.gid),
            );
            at(Step::User, thread::set_thread_groups(&[]))?;
            at(Step::User, thread::set_thread_res_gid(gid, gid, gid))?;
            at(Step::User, thread::set_thread_res_uid(uid, uid, uid))?;
            at(Step::User, thread::set_no_new_privs(true))?;
        }
        at(Step::Cwd, rustix::process::chdir(self.cwd.as_c_str()))?;
        // Last: a change of user clears it. The shim may have died before.
        at(
            Step::DeathSignal,
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL)),
        )?;
        if rustix::process::getppid() != Some(self.shim) {
            return at(Step::DeathSignal, Err(rustix::io::Errno::SRCH));
        }
        Ok(())
    }
}

fn at(step: Step, result: rustix::io::Result<()>) -> io::Result<()> {
    result.map_err(|errno| {
        io::Error::from_raw_os_error(((step as i32) << STEP_SHIFT) | errno.raw_os_error())
    })
}

/// Closes every descriptor but the standard three: what the engine was given by whoever started it would else be held open for as long
/// as the process runs. Only for the very beginning of `main`, when nothing owns any of them.
pub(crate) fn close_inherited() {
    // SAFETY: the caller has opened nothing yet. Kernels before 5.9 refuse it; then they stay open.
    unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) };
}

/// Has the runtime watch a descriptor for reading.
pub(crate) fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open and stays the same descriptor until it is dropped, which `AsyncFd` does after it has let go of it.
    Ok(unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?)
}

/// Blocks the signals and returns a descriptor that reads them as `signalfd_siginfo` records (signalfd(2)).
pub(crate) fn signal_descriptor(signals: &[i32]) -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised by sigemptyset before anything reads it; the descriptor is checked before it is owned.
    unsafe {
        let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        if libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        let fd = libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(fd))
    }
}
