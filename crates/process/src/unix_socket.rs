//! Unix sockets at paths of any length.
//!
//! The kernel takes at most 107 bytes for a socket's path (`sun_path`, unix(7)); a state directory deep in somebody's home is longer.
//! So the folder is opened and the socket is named through it: `/proc/self/fd/N/name`.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// What the short name costs beside the file's name: `/proc/self/fd/` and a number.
const SHORT_PREFIX_BYTES: usize = 24;
/// The longest path of the kernel, without the final NUL.
const PATH_MAX_BYTES: usize = 107;

/// Listens at `path` with mode 0600. A file left there by a listener that is gone is replaced.
///
/// # Errors
/// Somebody listens there already ([`io::ErrorKind::AddrInUse`]), the folder is missing or not writable, or the last part of the path
/// is longer than 83 bytes.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    let (folder, short) = short_name(path)?;
    let listener = match UnixListener::bind(&short) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if UnixStream::connect(&short).is_ok() {
                return Err(error);
            }
            fs::remove_file(&short)?;
            UnixListener::bind(&short)?
        }
        other => other?,
    };
    // Between the two calls the folder's mode protects the socket; wharf's folders are 0700.
    fs::set_permissions(&short, fs::Permissions::from_mode(0o600))?;
    drop(folder);
    Ok(listener)
}

/// Connects to the socket at `path`.
///
/// # Errors
/// Nobody listens there, or it may not be reached.
pub fn connect(path: &Path) -> io::Result<UnixStream> {
    let (folder, short) = short_name(path)?;
    let stream = UnixStream::connect(&short);
    drop(folder);
    stream
}

/// As [`bind`], for tokio.
///
/// # Errors
/// As [`bind`].
///
/// # Panics
/// Outside a tokio runtime with I/O.
pub fn bind_async(path: &Path) -> io::Result<tokio::net::UnixListener> {
    let listener = bind(path)?;
    listener.set_nonblocking(true)?;
    tokio::net::UnixListener::from_std(listener)
}

/// As [`connect`], for tokio. Connecting to a local socket does not wait unless its backlog is full.
///
/// # Errors
/// As [`connect`].
///
/// # Panics
/// Outside a tokio runtime with I/O.
pub fn connect_async(path: &Path) -> io::Result<tokio::net::UnixStream> {
    let stream = connect(path)?;
    stream.set_nonblocking(true)?;
    tokio::net::UnixStream::from_std(stream)
}

/// The open folder, which must live as long as the name is used, and the name.
fn short_name(path: &Path) -> io::Result<(Option<File>, PathBuf)> {
    if path.as_os_str().len() <= PATH_MAX_BYTES {
        return Ok((None, path.to_owned()));
    }
    let invalid = |message: &str| io::Error::new(io::ErrorKind::InvalidInput, message.to_owned());
    let name = path
        .file_name()
        .ok_or_else(|| invalid("a socket's path needs a file name"))?;
    if name.len() > PATH_MAX_BYTES - SHORT_PREFIX_BYTES {
        return Err(invalid("the file name of a socket has at most 83 bytes"));
    }
    let parent = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY;
    let flags = i32::try_from(flags.bits()).map_err(|_| invalid("the flags of open do not fit"))?;
    let folder = File::options()
        .read(true)
        .custom_flags(flags)
        .open(parent)?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
    Ok((Some(folder), short))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[track_caller]
    fn check(path: &Path) {
        let listener = bind(path).unwrap();
        let mut client = connect(path).unwrap();
        client.write_all(b"x").unwrap();
        drop(client);
        let mut text = String::new();
        listener
            .accept()
            .unwrap()
            .0
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "x");
        assert_eq!(
            fs::metadata(path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            bind(path).unwrap_err().kind(),
            io::ErrorKind::AddrInUse,
            "a living listener is not replaced"
        );
        drop(listener);
        drop(bind(path).unwrap());
    }

    #[test]
    fn paths_of_any_length() {
        let dir = tempfile::tempdir().unwrap();
        check(&dir.path().join("a.sock"));
        let deep = dir.path().join("d".repeat(100)).join("e".repeat(100));
        fs::create_dir_all(&deep).unwrap();
        check(&deep.join("a.sock"));
        assert!(bind(&deep.join("n".repeat(100))).is_err());
    }
}
