//! Opens a file below a folder, and only there.
//!
//! The kernel resolves the name beneath the folder (`openat2`, Linux 5.6); where it cannot, the file is opened and then asked
//! where it lies. Either way what is checked is the open file: nothing can be put in its place in between.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// How often a name is resolved anew when something was renamed meanwhile.
const ATTEMPTS: usize = 4;

/// Without waiting: a pipe without a writer would never open.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

/// An open file.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) metadata: Metadata,
}

/// Opens the regular file `name` of `folder`; none: there is none, or a link leads out of the folder.
pub(super) fn beneath(folder: &Path, name: &Path) -> io::Result<Option<Opened>> {
    let opened = match resolve_beneath(folder, name) {
        // A kernel without it, or a sandbox that forbids it.
        Err(Errno::NOSYS | Errno::PERM) => open_and_ask(folder, name),
        other => other,
    };
    let file = match opened {
        Ok(file) => File::from(file),
        Err(
            Errno::NOENT
            | Errno::NOTDIR
            | Errno::ISDIR
            | Errno::XDEV
            | Errno::LOOP
            | Errno::NAMETOOLONG
            | Errno::NXIO
            | Errno::NODEV,
        ) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let metadata = file.metadata()?;
    Ok(metadata.is_file().then_some(Opened { file, metadata }))
}

fn resolve_beneath(folder: &Path, name: &Path) -> Result<OwnedFd, Errno> {
    let place = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, place, Mode::empty())?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 1..ATTEMPTS {
        match rustix::fs::openat2(folder.as_fd(), name, READ, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => {}
            other => return other,
        }
    }
    rustix::fs::openat2(folder.as_fd(), name, READ, Mode::empty(), resolve)
}

fn open_and_ask(folder: &Path, name: &Path) -> Result<OwnedFd, Errno> {
    let errno = |error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    let folder = folder.canonicalize().map_err(errno)?;
    let file = rustix::fs::open(folder.join(name), READ, Mode::empty())?;
    let link = format!("/proc/self/fd/{}", file.as_raw_fd());
    let lies = std::fs::read_link(link).map_err(errno)?;
    if lies.starts_with(&folder) {
        Ok(file)
    } else {
        Err(Errno::XDEV)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_regular_files_below_the_folder() {
        let directory = tempfile::tempdir().expect("a directory");
        let folder = directory.path().join("folder");
        std::fs::create_dir_all(folder.join("inner")).expect("folders");
        std::fs::write(folder.join("inner/a"), "a").expect("a file");
        std::fs::write(directory.path().join("secret"), "secret").expect("a file");
        symlink("inner/a", folder.join("down")).expect("a link");
        symlink("inner", folder.join("across")).expect("a link");
        symlink("../secret", folder.join("out")).expect("a link");
        symlink("..", folder.join("up")).expect("a link");
        symlink("/etc/passwd", folder.join("absolute")).expect("a link");
        symlink("/proc/self/root/etc/passwd", folder.join("magic")).expect("a link");
        symlink("loop", folder.join("loop")).expect("a link");
        symlink("/dev/zero", folder.join("device")).expect("a link");
        let pipe = folder.join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            Mode::RWXU,
            0,
        )
        .expect("a pipe");
        let socket =
            std::os::unix::net::UnixListener::bind(folder.join("socket")).expect("a socket");
        let cases = [
            ("inner/a", true),
            ("down", true),
            ("across/a", true),
            ("inner", false),
            ("missing", false),
            ("inner/a/b", false),
            ("out", false),
            ("up/secret", false),
            ("absolute", false),
            ("magic", false),
            ("loop", false),
            ("device", false),
            ("pipe", false),
            ("socket", false),
        ];
        for (name, expected) in cases {
            let name = Path::new(name);
            let opened = beneath(&folder, name).unwrap_or_else(|error| panic!("{name:?}: {error}"));
            assert_eq!(opened.is_some(), expected, "{name:?}");
            let regular = |file: OwnedFd| {
                File::from(file)
                    .metadata()
                    .is_ok_and(|metadata| metadata.is_file())
            };
            let asked = open_and_ask(&folder, name).is_ok_and(regular);
            assert_eq!(asked, expected, "{name:?}");
        }
        assert!(
            beneath(&folder.join("missing"), Path::new("a")).is_ok_and(|opened| opened.is_none())
        );
        drop(socket);
    }
}
