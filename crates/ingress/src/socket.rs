//! Unix sockets at paths of any length: a socket's address has room for 108 bytes, a state directory may be deeper.
//!
//! The directory is opened and named through `/proc/self/fd`.

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// An open directory and a short path of a name in it.
fn short(path: &Path) -> io::Result<(File, PathBuf)> {
    let invalid = || {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "the socket's path has no file name",
        )
    };
    let name = path.file_name().ok_or_else(invalid)?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder = File::open(folder)?;
    let short = Path::new("/proc/self/fd")
        .join(folder.as_raw_fd().to_string())
        .join(name);
    Ok((folder, short))
}

/// Listens at `path`, for this user only. What is there is replaced at once, so that there is no moment without one.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    let mut staged = path.as_os_str().to_owned();
    staged.push(format!(".{}", std::process::id()));
    let staged = PathBuf::from(staged);
    let (_folder, address) = short(&staged)?;
    match std::fs::remove_file(&staged) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&address)?;
    std::fs::set_permissions(&staged, Permissions::from_mode(0o600))?;
    std::fs::rename(&staged, path)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Connects to `path`.
pub(crate) fn connect(path: &Path) -> io::Result<UnixStream> {
    let (_folder, address) = short(path)?;
    UnixStream::connect(address)
}

/// The path of the socket that hands out the listeners.
pub(crate) fn fds_path(control_socket: &Path) -> PathBuf {
    let mut path = control_socket.as_os_str().to_owned();
    path.push(".fds");
    path.into()
}
