//! A disk that is full: nothing is taken, which is said; and taken again when there is room.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use wharf_logs::{LogStore, Options, PushError};

use crate::{batch, entry, lines};

/// A small file system for as long as it lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None: not permitted.
    fn mount(at: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir(&at).expect("a folder");
        let options = format!("size={size}");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "wharf-test"])
            .arg(&at)
            .output();
        mount
            .is_ok_and(|output| output.status.success())
            .then_some(Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        unmounted.expect("umount");
    }
}

fn options() -> Options {
    Options {
        block_bytes: 8 << 10,
        head_bytes: 100 << 10,
        ..Options::default()
    }
}

#[test]
fn a_full_disk_stops_it_until_there_is_room() {
    let dir = tempfile::tempdir().expect("a folder");
    let Some(disk) = SmallDisk::mount(dir.path().join("disk"), "1m") else {
        let required = std::env::var("WHARF_TEST_REQUIRE").is_ok_and(|value| value == "all");
        assert!(!required, "only root can mount a small file system");
        eprintln!("skipped: only root can mount a small file system");
        return;
    };
    let ballast = disk.0.join("ballast");
    fs::write(&ballast, vec![1; 400 << 10]).expect("room");
    let folder = disk.0.join("logs");
    let (store, _) = LogStore::open(&folder, options()).expect("a store");
    let mut rng = fastrand::Rng::with_seed(3);
    let mut taken = Vec::new();
    let mut push = |store: &LogStore, taken: &mut Vec<String>| {
        let made: Vec<_> = (0..20)
            .map(|_| format!("{:032x}{:032x}", rng.u128(..), rng.u128(..)))
            .collect();
        let from = i64::try_from(taken.len()).expect("small");
        let entries = (from..)
            .zip(&made)
            .map(|(nanos, line)| entry(nanos, line.clone()));
        let pushed = store.push(&batch("a", entries.collect()));
        if pushed.is_ok() {
            taken.extend(made);
        }
        pushed
    };
    let mut error = None;
    for _ in 0..2000 {
        if let Err(e) = push(&store, &mut taken) {
            error = Some(e);
            break;
        }
    }
    let error = error.expect("600 KiB are not enough");
    assert!(
        matches!(error, PushError::Storage { .. } | PushError::Full(_)),
        "{error}"
    );
    assert!(error.to_string().contains("No space left"), "{error}");
    assert!(store.health().trouble.is_some());
    assert_eq!(lines(&store), taken);
    for _ in 0..5 {
        push(&store, &mut taken).expect_err("still full");
        store.maintain(0).ok();
    }
    assert_eq!(lines(&store), taken);

    // As if it was killed meanwhile.
    drop(store);
    let (store, recovery) = LogStore::open(&folder, options()).expect("a store");
    assert_eq!(recovery.damaged, [] as [&str; 0]);
    assert_eq!(lines(&store), taken);

    fs::remove_file(&ballast).expect("gone");
    let before = taken.len();
    push(&store, &mut taken).expect("room again");
    assert!(taken.len() > before);
    store.flush().expect("room");
    assert_eq!(store.health().trouble, None);
    assert_eq!(lines(&store), taken);
}
