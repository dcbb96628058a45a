//! With the real tools of this machine; without one its tests are skipped with a printed reason, or fail under
//! `WHARF_TEST_REQUIRE=all`. Nothing here needs a registry.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod commands;
mod languages;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wharf_build::{Artifact, BuildError, Progress, Request, build};
use wharf_plan::model::{Build, Command};

/// Far above what any step takes, so that only what never happens runs into it.
const DEADLINE: Duration = Duration::from_secs(120);

/// A project and a state folder; both vanish at the end.
struct Project {
    dir: TempDir,
    state: TempDir,
    lines: Arc<Mutex<Vec<Progress>>>,
    request: Request,
}

fn project(files: &[(&str, &str)]) -> Project {
    let (dir, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let request = Request {
        service: "web".parse().unwrap(),
        context: dir.path().to_owned(),
        build: Build {
            program: None,
            context: ".".to_owned(),
            command: None,
            dockerfile: None,
            target: None,
            toolchain: None,
            args: BTreeMap::new(),
        },
        command: None,
        static_files: false,
        settings: BTreeMap::new(),
        links: BTreeMap::new(),
        artifacts: state.path().join("artifacts/web"),
        cache: state.path().join("cache"),
        timeout: Some(DEADLINE),
        progress: Arc::new(move |progress| sink.lock().unwrap().push(progress)),
    };
    let project = Project {
        dir,
        state,
        lines,
        request,
    };
    for (path, text) in files {
        project.write(path, text);
    }
    project
}

impl Project {
    fn write(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    async fn build(&self) -> Artifact {
        match build(self.request.clone()).await {
            Ok(artifact) => artifact,
            Err(error) => panic!("{error}: {:?}", std::error::Error::source(&error)),
        }
    }

    async fn fail(&self) -> BuildError {
        build(self.request.clone()).await.unwrap_err()
    }

    /// The steps since the last call.
    fn steps(&self) -> Vec<String> {
        let lines = std::mem::take(&mut *self.lines.lock().unwrap());
        let step = |progress| {
            if let Progress::Step(step) = progress {
                Some(step)
            } else {
                None
            }
        };
        lines.into_iter().filter_map(step).collect()
    }

    /// The folders of finished and unfinished artifacts.
    fn artifacts(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.request.artifacts).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != ".lock")
            .collect()
    }
}

/// What an artifact's own command prints, started as a replica would be.
fn output(artifact: &Artifact, command: &Command) -> String {
    let argv = command.argv();
    let mut path: Vec<PathBuf> = artifact.path_prepend.clone();
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let output = Process::new(&argv[0])
        .args(&argv[1..])
        .current_dir(&artifact.dir)
        .env("PATH", std::env::join_paths(path).unwrap())
        .envs(&artifact.env)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn default_output(artifact: &Artifact) -> String {
    output(artifact, artifact.default_command.as_ref().unwrap())
}

fn has(tool: &str) -> bool {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .any(|dir| dir.join(tool).is_file());
    assert!(
        found || std::env::var("WHARF_TEST_REQUIRE").as_deref() != Ok("all"),
        "`{tool}` is not installed"
    );
    if !found {
        eprintln!("skipped: `{tool}` is not installed");
    }
    found
}

fn runs(line: &str) -> bool {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(Result::ok)
        .any(|entry| {
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&command).replace('\0', " ").trim() == line
        })
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < DEADLINE, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn folder_is(path: &Path, expected: &[&str]) {
    let mut names: Vec<_> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, expected);
}
