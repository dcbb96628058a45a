//! A disk that is full: nothing is taken, it is said, and all goes on when there is space again.

use std::fs;
use std::path::Path;
use std::process::Command;

use wharf_signal::{AppendError, SampleSink};

use crate::store::{everything, labels, open, options};

/// A small disk; unmounted in the end.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    /// Nothing, with the reason printed, where that is not allowed.
    fn mount(dir: &'a Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
            .arg(dir);
        if mount.output().is_ok_and(|out| out.status.success()) {
            return Some(Self(dir));
        }
        let required = std::env::var("WHARF_TEST_REQUIRE").is_ok_and(|value| value == "all");
        assert!(!required, "a small disk is required");
        eprintln!("skipped: no file system can be mounted here; run it as root");
        None
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        Command::new("umount").arg(self.0).output().unwrap();
    }
}

#[test]
fn a_full_disk_is_said_and_survived() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = Disk::mount(dir.path()) else {
        return;
    };
    let sets: Vec<_> = (0..100)
        .map(|i| labels("m", &[("i", &i.to_string())]))
        .collect();
    let mut t = 0;
    let (db, _) = open(dir.path(), options());
    let batch = |t: i64| {
        let mut batch = db.appender();
        for (i, labels) in sets.iter().enumerate() {
            batch
                .append(None, labels, t, t as f64 * 1.1 + i as f64)
                .unwrap();
        }
        batch.commit()
    };
    fs::write(dir.path().join("ballast"), vec![0; 1 << 20]).unwrap();
    let failed = loop {
        match batch(t) {
            Ok(()) => t += 15_000,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(&failed, AppendError::Storage(what) if what.contains("free space")),
        "{failed}"
    );
    assert!(
        db.health()
            .storage
            .is_some_and(|what| what.contains("cannot be written"))
    );
    for _ in 0..10 {
        assert!(batch(t).is_err());
    }
    let before = everything(&db);
    assert!(before.iter().all(|s| s.samples.len() as i64 == t / 15_000));
    fs::remove_file(dir.path().join("ballast")).unwrap();
    batch(t).unwrap();
    assert_eq!(db.health().storage, None);
    assert_eq!(db.health().failed_commits, 11);
    let after = everything(&db);
    assert!(
        after
            .iter()
            .all(|s| s.samples.len() as i64 == t / 15_000 + 1)
    );
    drop(db);
    let (db, recovery) = open(dir.path(), options());
    assert_eq!(recovery.damage, []);
    assert_eq!(everything(&db), after);
}
