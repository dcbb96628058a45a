//! Whom services run as when the engine runs as root.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::launch::User;

/// The number of `nobody` on every Linux (the kernel's overflow id), should the table of users not name it.
const NOBODY: u32 = 65_534;

/// Whom to run a project's services as: none if this process is not root, and need not change. Else the owner of the project's folder,
/// with that user's own group; if that is root too, `nobody`.
///
/// # Errors
/// The folder cannot be read.
pub fn user_for(project: &Path) -> io::Result<Option<User>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let folder = fs::metadata(project)?;
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    Ok(Some(choose(folder.uid(), folder.gid(), &users)))
}

fn choose(uid: u32, gid: u32, users: &str) -> User {
    let entry = |wanted: &dyn Fn(&str, u32) -> bool| {
        users.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let (name, uid, gid) = (
                fields.first()?,
                fields.get(2)?.parse().ok()?,
                fields.get(3)?.parse().ok()?,
            );
            wanted(name, uid).then_some(User { uid, gid })
        })
    };
    if uid == 0 {
        return entry(&|name, uid| name == "nobody" && uid != 0).unwrap_or(User {
            uid: NOBODY,
            gid: NOBODY,
        });
    }
    entry(&|_, known| known == uid).unwrap_or(User {
        uid,
        gid: if gid == 0 { uid } else { gid },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533::/:/bin/false\nann:x:1000:100:Ann:/home/ann:/bin/sh\nbroken\n";

    #[track_caller]
    fn check(uid: u32, gid: u32, users: &str, expected: (u32, u32)) {
        assert_eq!(
            choose(uid, gid, users),
            User {
                uid: expected.0,
                gid: expected.1
            }
        );
    }

    #[test]
    fn never_root() {
        check(1000, 0, USERS, (1000, 100));
        check(1001, 7, USERS, (1001, 7));
        check(1001, 0, USERS, (1001, 1001));
        check(0, 0, USERS, (65_534, 65_533));
        check(0, 0, "", (65_534, 65_534));
        check(0, 0, "nobody:x:0:0:::", (65_534, 65_534));
    }
}
