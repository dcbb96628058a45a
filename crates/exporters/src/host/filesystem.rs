//! `node_filesystem_*`: space and files, of `/proc/self/mounts` and statvfs(3).
//!
//! A file system whose server is dead does not answer, and whoever asks hangs with it. So only those of this machine's own
//! disks and memory are asked directly; others by a thread that is waited for up to [`LIMIT`]. One that did not answer is told
//! of as `node_filesystem_device_error 1`, and is not asked again before it has answered: at most one thread hangs for each.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{StatVfs, StatVfsMountFlags, statvfs};

use super::{Absent, Host};
use crate::families::Families;

/// How long all foreign file systems together may take.
const LIMIT: Duration = Duration::from_millis(500);
/// More mount points than this are a machine of another kind; the first ones are told of.
const MOUNTS_MAX: usize = 512;

/// Kernel-made, of one program, or read-only images: they fill up by themselves or never.
const IGNORED_TYPES: [&str; 29] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "erofs",
    "fusectl",
    "fuse.lxcfs",
    "hugetlbfs",
    "iso9660",
    "mqueue",
    "nsfs",
    "overlay",
    "proc",
    "procfs",
    "pstore",
    "ramfs",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "squashfs",
    "sysfs",
    "tracefs",
    "nfsd",
];
/// File systems that this machine's kernel answers for by itself.
const OWN_TYPES: [&str; 15] = [
    "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "jfs", "ntfs3", "reiserfs",
    "tmpfs", "udf", "vfat", "xfs", "zfs",
];
/// Mount points below these are the system's own, or come and go with a stick.
const IGNORED_FOLDERS: [&str; 7] = [
    "/dev",
    "/proc",
    "/run",
    "/sys",
    "/media",
    "/var/lib/docker",
    "/var/lib/containers/storage",
];

/// The mount points that have been asked and have not answered.
#[derive(Debug, Default)]
pub(super) struct Mounts(Arc<Mutex<BTreeSet<String>>>);

struct Mount {
    device: String,
    point: String,
    kind: String,
    read_only: bool,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (device, point) = (unescaped(words.next()?), unescaped(words.next()?));
        let kind = words.next()?.to_owned();
        let read_only = words.next()?.split(',').any(|option| option == "ro");
        Some(Self {
            device,
            point,
            kind,
            read_only,
        })
    }

    fn is_ignored(&self) -> bool {
        let below = |folder: &str| {
            let rest = self.point.strip_prefix(folder);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        IGNORED_TYPES.contains(&self.kind.as_str())
            || IGNORED_FOLDERS.iter().any(|folder| below(folder))
    }
}

pub(super) fn collect(host: &Host, out: &mut Families) -> Result<(), Absent> {
    let text = host.root.proc("self/mounts").ok_or(Absent)?;
    let mut seen = BTreeSet::new();
    let mut mounts: Vec<Mount> = text.lines().filter_map(Mount::parse).collect();
    mounts.retain(|mount| {
        !mount.is_ignored()
            && seen.insert((
                mount.device.clone(),
                mount.point.clone(),
                mount.kind.clone(),
            ))
    });
    mounts.truncate(MOUNTS_MAX);
    let deadline = Instant::now() + LIMIT;
    for mount in &mounts {
        let path = host.root.files.join(mount.point.trim_start_matches('/'));
        let found = if OWN_TYPES.contains(&mount.kind.as_str()) {
            statvfs(&path).ok()
        } else {
            host.mounts.ask(&mount.point, path, deadline)
        };
        tell(mount, found, out);
    }
    Ok(())
}

fn tell(mount: &Mount, found: Option<StatVfs>, out: &mut Families) {
    let labels = [
        ("device", &*mount.device),
        ("fstype", &mount.kind),
        ("mountpoint", &mount.point),
    ];
    out.gauge(
        "node_filesystem_device_error",
        "Whether a file system could not be asked.",
    )
    .add(&labels, f64::from(u8::from(found.is_none())));
    let read_only = match &found {
        Some(found) => mount.read_only || found.f_flag.contains(StatVfsMountFlags::RDONLY),
        None => return,
    };
    out.gauge(
        "node_filesystem_readonly",
        "Whether nothing can be written.",
    )
    .add(&labels, f64::from(u8::from(read_only)));
    let Some(found) = found else { return };
    let block = found.f_frsize as f64;
    let bytes = |blocks: u64| blocks as f64 * block;
    let figures = [
        (
            "node_filesystem_size_bytes",
            "Its size.",
            bytes(found.f_blocks),
        ),
        (
            "node_filesystem_free_bytes",
            "What is free.",
            bytes(found.f_bfree),
        ),
        (
            "node_filesystem_avail_bytes",
            "What is free for those who are not root.",
            bytes(found.f_bavail),
        ),
        (
            "node_filesystem_files",
            "Files that there may be.",
            found.f_files as f64,
        ),
        (
            "node_filesystem_files_free",
            "Files that may still be made.",
            found.f_ffree as f64,
        ),
    ];
    for (name, help, value) in figures {
        out.gauge(name, help).add(&labels, value);
    }
}

impl Mounts {
    /// Asks in a thread of its own, until `deadline`.
    fn ask(&self, point: &str, path: PathBuf, deadline: Instant) -> Option<StatVfs> {
        let lock = |mounts: &Mutex<BTreeSet<String>>, point: &str, hangs: bool| {
            let mut all = mounts.lock().unwrap_or_else(PoisonError::into_inner);
            if hangs {
                all.insert(point.to_owned())
            } else {
                all.remove(point)
            }
        };
        if !lock(&self.0, point, true) {
            return None;
        }
        let (send, receive) = mpsc::sync_channel(1);
        let (hanging, name) = (Arc::clone(&self.0), point.to_owned());
        let asked = std::thread::Builder::new()
            .name("statvfs".to_owned())
            .spawn(move || {
                let found = statvfs(&path).ok();
                lock(&hanging, &name, false);
                // Who asked may have gone on.
                send.send(found).unwrap_or_default();
            });
        if asked.is_err() {
            lock(&self.0, point, false);
            return None;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        receive.recv_timeout(left).ok().flatten()
    }
}

/// Spaces, tabs, line feeds and backslashes are octal in mounts (fstab(5)).
fn unescaped(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    text.replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_of_the_system_are_left_out() {
        #[track_caller]
        fn check(line: &str, told: bool) {
            let mount = Mount::parse(line).expect("a mount");
            assert_eq!(!mount.is_ignored(), told, "{line}");
        }
        check("/dev/vda / ext4 rw,relatime 0 0", true);
        check("proc /proc proc rw 0 0", false);
        check("tmpfs /run/user/0 tmpfs rw 0 0", false);
        check("tmpfs /runner tmpfs rw 0 0", true);
        check("server:/x /mnt/data nfs4 ro 0 0", true);
        check("overlay /var/lib/x overlay rw 0 0", false);
        assert!(Mount::parse("nothing").is_none());
        let odd = Mount::parse("a\\040b /c\\134d ext4 ro,x 0 0").expect("a mount");
        assert_eq!(
            (&*odd.device, &*odd.point, odd.read_only),
            ("a b", "/c\\d", true)
        );
    }

    #[test]
    fn what_hangs_is_not_asked_again() {
        let mounts = Mounts::default();
        let soon = || Instant::now() + LIMIT;
        assert!(mounts.ask("/", "/".into(), soon()).is_some());
        assert!(mounts.ask("/", "/".into(), soon()).is_some());
        mounts.0.lock().expect("no panic").insert("/".to_owned());
        assert!(mounts.ask("/", "/".into(), soon()).is_none());
        assert!(mounts.ask("/nowhere", "/nowhere".into(), soon()).is_none());
    }
}
