//! Listening sockets inherited from the engine, by systemd's protocol (sd_listen_fds(3)): `LISTEN_FDS` of them from
//! file descriptor 3 on, their names in `LISTEN_FDNAMES`, separated by colons.

use std::io;
use std::net::TcpListener;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::sockopt::socket_acceptconn;

use crate::handover::LISTENERS_MAX;

/// Why there are no listeners.
#[derive(Debug, thiserror::Error)]
pub enum InheritError {
    /// The variables are missing or contradict each other.
    #[error("{0}")]
    Environment(&'static str),
    /// A file descriptor is not a listening socket.
    #[error("file descriptor {fd} is not a listening socket")]
    Descriptor {
        /// Which.
        fd: RawFd,
        /// Why.
        source: io::Error,
    },
}

/// The first inherited file descriptor.
const FIRST_FD: RawFd = 3;

/// Takes the listeners that this process was started with. To be called once, before anything else opens files.
///
/// # Errors
/// There are none, or something else is in their place.
pub fn inherited_listeners() -> Result<Vec<(String, TcpListener)>, InheritError> {
    let variable = |name| std::env::var(name).ok();
    if variable("LISTEN_PID").is_some_and(|pid| pid != std::process::id().to_string()) {
        return Err(InheritError::Environment(
            "LISTEN_PID names another process",
        ));
    }
    let count = variable("LISTEN_FDS").and_then(|count| count.parse::<usize>().ok());
    let count = count.filter(|count| (1..=LISTENERS_MAX).contains(count));
    let count = count.ok_or(InheritError::Environment(
        "LISTEN_FDS is not the number of listening sockets (1 to 250)",
    ))?;
    let names = variable("LISTEN_FDNAMES").unwrap_or_default();
    let names: Vec<&str> = names.split(':').collect();
    if names.len() != count {
        return Err(InheritError::Environment(
            "LISTEN_FDNAMES has not as many names as LISTEN_FDS says",
        ));
    }
    (FIRST_FD..)
        .zip(names)
        .map(|(fd, name)| Ok((name.to_owned(), take(fd)?)))
        .collect()
}

fn take(fd: RawFd) -> Result<TcpListener, InheritError> {
    // Asked by number first: taking a descriptor that is not open would be undefined.
    let open = std::fs::read_link(format!("/proc/self/fd/{fd}"));
    open.map_err(|source| InheritError::Descriptor { fd, source })?;
    #[expect(
        unsafe_code,
        reason = "an inherited descriptor has no owner yet, and only its number says that it is ours"
    )]
    // SAFETY: the descriptor is open, and by the protocol nobody but the caller of `inherited_listeners` owns it.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    let checked = fcntl_setfd(&owned, FdFlags::CLOEXEC).and_then(|()| socket_acceptconn(&owned));
    match checked {
        Ok(true) => Ok(TcpListener::from(owned)),
        Ok(false) => Err(InheritError::Descriptor {
            fd,
            source: io::ErrorKind::InvalidInput.into(),
        }),
        Err(error) => Err(InheritError::Descriptor {
            fd,
            source: error.into(),
        }),
    }
}
