//! A project of one test: its folders, its launches, and the proof that nothing of it is left.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use wharf_process::log::{Merge, Record, Start, series_in};
use wharf_process::{
    Handle, Launch, Limits, LogTarget, Marker, ShimProgram, Signal, SpawnError, StopScope, spawn,
    sweep,
};

/// Longer than anything takes on a loaded machine; a test that needs it has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

static COUNT: AtomicU32 = AtomicU32::new(0);

/// One test's project. Sweeps itself.
pub(crate) struct Project {
    pub(crate) marker: String,
    folder: tempfile::TempDir,
}

impl Project {
    pub(crate) fn new() -> Self {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = tempfile::tempdir().unwrap();
        // Those who are not root must be able to enter.
        std::fs::set_permissions(
            folder.path(),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .unwrap();
        Self {
            marker: format!("test-{}-{count}", std::process::id()),
            folder,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn run_dir(&self, id: &str) -> PathBuf {
        self.path().join("run").join(id)
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.path().join("logs")
    }

    pub(crate) fn launch(&self, id: &str, argv: &[&str]) -> Launch {
        Launch {
            id: id.to_owned(),
            project: self.marker.clone(),
            argv: argv.iter().map(|a| (*a).to_owned()).collect(),
            cwd: self.path().to_owned(),
            env: BTreeMap::from([("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())]),
            user: None,
            limits: Limits::default(),
            stop_signal: Signal::TERM,
            stop_scope: StopScope::Group,
            stop_timeout: Duration::from_secs(30),
            dir: self.run_dir(id),
            log: LogTarget {
                dir: self.logs(),
                name: id.to_owned(),
                max_bytes: 10 << 20,
                max_files: 5,
            },
        }
    }

    pub(crate) fn shell(&self, id: &str, script: &str) -> Launch {
        self.launch(id, &["/bin/sh", "-c", script])
    }

    pub(crate) async fn start(&self, launch: Launch) -> Handle {
        self.try_start(launch).await.unwrap()
    }

    pub(crate) async fn try_start(&self, launch: Launch) -> Result<Handle, SpawnError> {
        spawn(&shim(), launch).await
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        Merge::new(series_in(&self.logs()).unwrap(), Start::default()).collect()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.records()
            .into_iter()
            .map(|record| record.text)
            .collect()
    }

    /// Waits until the log has a line that begins so, and returns the rest of it.
    pub(crate) async fn line(&self, prefix: &str) -> String {
        until(&format!("a log line that begins with {prefix}"), || {
            self.lines()
                .iter()
                .find_map(|line| line.strip_prefix(prefix).map(str::to_owned))
        })
        .await
    }

    /// Nothing carries the project's marker any more.
    #[track_caller]
    pub(crate) fn assert_nothing_left(&self) {
        assert_eq!(
            marked(&self.marker),
            Vec::<i32>::new(),
            "processes are left"
        );
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        sweep(&Marker::Project(self.marker.clone())).unwrap();
    }
}

/// Found independently of the crate: by `/proc` alone.
pub(crate) fn marked(marker: &str) -> Vec<i32> {
    let needle = format!("WHARF_PROJECT={marker}\0").into_bytes();
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| {
            let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environ.windows(needle.len()).any(|window| window == needle)
        })
        .collect()
}

/// Whether a process of this id runs, zombies not counted.
pub(crate) fn runs(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit(") ")
            .next()
            .is_some_and(|rest| !rest.starts_with('Z') && !rest.starts_with('X'))
    })
}

pub(crate) fn shim() -> ShimProgram {
    ShimProgram {
        program: program(),
        arguments: vec!["shim".into()],
    }
}

pub(crate) fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_wharf-process-test").into()
}

pub(crate) fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0
}

/// Prints why a test does nothing here; under `WHARF_TEST_REQUIRE=all` that is a failure.
#[track_caller]
pub(crate) fn skip(reason: &str) {
    assert_ne!(
        std::env::var("WHARF_TEST_REQUIRE").as_deref(),
        Ok("all"),
        "cannot be tested here: {reason}"
    );
    eprintln!("skipped: {reason}");
}

/// Waits for a condition.
pub(crate) async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Runs a test as the engine runs: on one thread.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(DEADLINE * 2, test)
            .await
            .expect("the test took too long")
    });
}
