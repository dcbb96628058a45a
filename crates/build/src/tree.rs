//! Whole folder trees: modes, and repetition by hard links.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::error::BuildError;

/// Makes a tree that a build has written readable for everyone and its files read-only. Links are left alone.
pub(crate) fn seal(root: &Path) -> Result<(), BuildError> {
    visit(root, &mut |path, metadata| {
        let now = metadata.permissions().mode();
        let mode = if metadata.is_dir() {
            0o755
        } else if now & 0o111 == 0 {
            0o444
        } else {
            0o555
        };
        if now & 0o7777 == mode {
            return Ok(());
        }
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .map_err(|e| BuildError::io("cannot write", path, e))
    })
}

/// Lets every user read a tree that was made under a strict umask; changes nothing where that is so already. Not [`seal`]:
/// files may be shared with the cache of the tool that put them there.
pub(crate) fn open_to_readers(root: &Path) -> Result<(), BuildError> {
    visit(root, &mut |path, metadata| {
        let now = metadata.permissions().mode() & 0o7777;
        let passable = metadata.is_dir() || now & 0o100 != 0;
        let mode = now | if passable { 0o555 } else { 0o444 };
        if now == mode {
            return Ok(());
        }
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .map_err(|e| BuildError::io("cannot write", path, e))
    })
}

/// Repeats the tree `from` at `to`, which must not exist, with hard links to its files: only for trees whose files never change.
/// Where the file system has none, files are copied.
pub(crate) fn link_tree(from: &Path, to: &Path) -> Result<(), BuildError> {
    visit(from, &mut |path, metadata| {
        let Ok(inner) = path.strip_prefix(from) else {
            return Ok(());
        };
        let new = to.join(inner);
        let made = if metadata.is_dir() {
            fs::create_dir(&new)
        } else {
            fs::hard_link(path, &new).or_else(|_| fs::copy(path, &new).map(drop))
        };
        made.map_err(|e| BuildError::io("cannot make", &new, e))
    })?;
    links(from, &mut |path| {
        let Ok(inner) = path.strip_prefix(from) else {
            return Ok(());
        };
        let new = to.join(inner);
        fs::read_link(path)
            .and_then(|target| std::os::unix::fs::symlink(target, &new))
            .map_err(|e| BuildError::io("cannot make", &new, e))
    })
}

/// Calls `each` for every folder and file, folders before what is in them.
fn visit(
    root: &Path,
    each: &mut dyn FnMut(&Path, &fs::Metadata) -> Result<(), BuildError>,
) -> Result<(), BuildError> {
    walk(root, &mut |path, metadata| {
        if metadata.is_symlink() {
            Ok(())
        } else {
            each(path, metadata)
        }
    })
}

fn links(
    root: &Path,
    each: &mut dyn FnMut(&Path) -> Result<(), BuildError>,
) -> Result<(), BuildError> {
    walk(root, &mut |path, metadata| {
        if metadata.is_symlink() {
            each(path)
        } else {
            Ok(())
        }
    })
}

fn walk(
    root: &Path,
    each: &mut dyn FnMut(&Path, &fs::Metadata) -> Result<(), BuildError>,
) -> Result<(), BuildError> {
    let mut waiting = vec![root.to_owned()];
    while let Some(path) = waiting.pop() {
        let metadata =
            fs::symlink_metadata(&path).map_err(|e| BuildError::io("cannot read", &path, e))?;
        each(&path, &metadata)?;
        if metadata.is_dir() {
            for entry in fs::read_dir(&path).map_err(|e| BuildError::io("cannot read", &path, e))? {
                waiting.push(
                    entry
                        .map_err(|e| BuildError::io("cannot read", &path, e))?
                        .path(),
                );
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(change: fn(&Path) -> Result<(), BuildError>, before: [u32; 3], after: [u32; 3]) {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["folder", "folder/text", "folder/program"].map(|path| dir.path().join(path));
        fs::create_dir(&paths[0]).unwrap();
        fs::write(&paths[1], "").unwrap();
        fs::write(&paths[2], "").unwrap();
        std::os::unix::fs::symlink("/no/such/file", dir.path().join("folder/link")).unwrap();
        for (path, mode) in paths.iter().zip(before) {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        change(dir.path()).unwrap();
        let now = paths.map(|path| fs::metadata(path).unwrap().permissions().mode() & 0o777);
        assert_eq!(now, after);
    }

    #[test]
    fn modes() {
        check(seal, [0o700, 0o600, 0o700], [0o755, 0o444, 0o555]);
        check(
            open_to_readers,
            [0o700, 0o600, 0o700],
            [0o755, 0o644, 0o755],
        );
        check(
            open_to_readers,
            [0o755, 0o444, 0o555],
            [0o755, 0o444, 0o555],
        );
    }
}
