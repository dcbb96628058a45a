//! Supervised processes: one small shim per process owns its output and its exit status, and outlives the engine.
//!
//! ```text
//! engine --spawn--> shim --fork, exec--> main process --> whatever it starts
//!    |               | owns both pipes, the exit status, the cgroup, and every orphan below it
//!    +---shim.sock---+
//! ```
//!
//! Invariants:
//! - **No orphan.** When the main process ends or is stopped, everything below it is killed, also what has forked twice and called
//!   `setsid`: the shim is their subreaper. When the shim itself is killed, the main process dies with it (`PR_SET_PDEATHSIG`) and the
//!   rest is killed by whoever holds the [`Handle`], or by the next [`adopt`] or [`sweep`].
//! - **No secret outside memory.** The environment reaches the shim through a pipe; it is never in a file, an argument or a message.
//! - **No line lost** when an engine dies: the shim writes the log files itself ([`log`] specifies them).
//! - The run directory of a process says at any moment what became of it ([`facts`] specifies its files).
//!
//! Linux only: it stands on subreapers, pidfds, `/proc` and, where permitted, cgroups. The engine's half is asynchronous (tokio, any
//! flavour of runtime); the shim's half is single-threaded and knows no runtime.

mod adopt;
pub mod capabilities;
mod cgroup;
mod connection;
mod exit;
pub mod facts;
mod handle;
mod launch;
pub mod log;
mod procfs;
mod shim;
mod signal;
mod spawn;
mod sweep;
#[expect(
    unsafe_code,
    reason = "std's pre_exec, signalfd and tokio's AsyncFd have no safe form; everything unsafe of this crate is in this file"
)]
mod syscalls;
pub mod unix_socket;
pub mod unprivileged;
mod wire;

pub use adopt::{AdoptError, Adopted, adopt};
pub use exit::{Cause, Exit};
pub use handle::Handle;
pub use launch::{Launch, LaunchError, Limits, LogTarget, ShimProgram, StopScope, User};
pub use shim::shim_main;
pub use signal::{ParseSignalError, Signal};
pub use spawn::{SpawnError, spawn};
pub use sweep::{Marker, SweepError, sweep};
