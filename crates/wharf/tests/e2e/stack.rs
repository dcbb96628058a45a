//! One project in a folder of its own, driven by the binary's contract for scripts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::http::{self, Answer};

/// No command takes longer, cold builds on two busy cores included.
const DEADLINE: Duration = Duration::from_secs(1200);
/// Nothing that is waited for takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A project; everything of it is stopped and removed at the end of the test.
pub(crate) struct Stack {
    temporary: tempfile::TempDir,
    /// The project's folder.
    folder: PathBuf,
    /// What its commands find in their environment beside the test's own.
    environment: Vec<(&'static str, PathBuf)>,
    pub(crate) url: String,
}

/// What is made from an example's sources, and not one of them.
const MADE: [&str; 7] = [
    "node_modules",
    "target",
    "dist",
    ".wharf",
    ".venv",
    "__pycache__",
    ".pytest_cache",
];

/// What a command did.
pub(crate) struct Done {
    what: String,
    pub(crate) status: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Done {
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(
            self.status,
            Some(0),
            "{}\n{}\n{}",
            self.what,
            self.output,
            self.errors
        );
        self
    }

    /// Fails unless the command failed (1) and said all of `parts`.
    #[track_caller]
    pub(crate) fn failed_saying(&self, parts: &[&str]) {
        let said = format!("{}\n{}", self.output, self.errors);
        assert_eq!(self.status, Some(1), "{}\n{said}", self.what);
        for part in parts {
            assert!(
                said.contains(part),
                "{}: expected {part:?} in\n{said}",
                self.what
            );
        }
    }
}

impl Stack {
    /// A project with this file. `$ACTOR` stands for the program in `examples/actor.rs`.
    pub(crate) fn new(file: &str) -> Self {
        let stack = Self::empty();
        stack.write(file);
        stack
    }

    fn empty() -> Self {
        let temporary = tempfile::Builder::new()
            .prefix("wharf-e2e-")
            .tempdir()
            .unwrap();
        // A replica runs as another user where the test runs as root; it has to get through.
        fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self {
            folder: temporary.path().to_owned(),
            temporary,
            environment: vec![],
            url: String::new(),
        }
    }

    /// A copy of an example as a clean clone has it, with the folders `beside` it that its file points at. What cargo
    /// builds for it is kept for the next time.
    pub(crate) fn of_copy(example: &str, beside: &[&str]) -> Self {
        let mut stack = Self::empty();
        for name in [example].iter().chain(beside) {
            let from = repository().join("examples").join(name);
            copy(&from, &stack.temporary.path().join(name));
        }
        stack.folder = stack.temporary.path().join(example);
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples");
        stack.environment.push(("CARGO_TARGET_DIR", kept));
        stack
    }

    /// A project with the file of an example, which is built where it is.
    pub(crate) fn of_example(example: &str, version: &str) -> Self {
        Self::new(&example_file(example, version))
    }

    /// A variable that its commands find in their environment from now on.
    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.environment.retain(|(other, _)| *other != name);
        self.environment.push((name, value.into()));
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Replaces text in a file of the project, which has to be there.
    #[track_caller]
    pub(crate) fn change(&self, file: &str, from: &str, to: &str) {
        let path = self.folder.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "no {from:?} in {file}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Another content for the file.
    pub(crate) fn write(&self, file: &str) {
        let actor = Path::new(env!("CARGO_BIN_EXE_wharf"))
            .with_file_name("examples")
            .join("actor");
        assert!(
            actor.is_file(),
            "the test service is missing: run `cargo build -p wharf --examples`"
        );
        let text = file.replace("$ACTOR", actor.to_str().unwrap());
        fs::write(self.folder.join("wharf.yaml"), text).unwrap();
    }

    /// Runs `wharf ARGUMENTS` in the project's folder to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        run(self.command(arguments), arguments)
    }

    /// Starts `wharf ARGUMENTS` and leaves it running, without its output.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Starts `wharf ARGUMENTS` and leaves it running; what it prints is in the file.
    pub(crate) fn spawn_heard(&self, arguments: &[&str]) -> (Child, PathBuf) {
        let path = self.temporary.path().join("said");
        let child = self
            .command(arguments)
            .stdout(fs::File::create(&path).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        (child, path)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = wharf(&self.folder, arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts everything; ready when this returns.
    #[track_caller]
    pub(crate) fn up(&mut self) {
        let done = self.run(&["up", "-d"]).succeeded();
        self.url = done.output.lines().last().unwrap_or_default().to_owned();
        assert!(
            self.url.starts_with("http://127.0.0.1:"),
            "the last line is no URL: {:?}",
            done.output
        );
    }

    /// What `ps --json` prints, also where it ends with 4 because something is not ready at the moment.
    #[track_caller]
    pub(crate) fn ps(&self) -> Value {
        let done = self.run(&["ps", "--json"]);
        assert!(
            matches!(done.status, Some(0 | 4)),
            "{}\n{}",
            done.output,
            done.errors
        );
        serde_json::from_str(&done.output).unwrap()
    }

    /// The pids of the ready replicas of a service, of its own release, sorted; fails unless all are ready.
    #[track_caller]
    pub(crate) fn pids(&self, service: &str) -> Vec<u64> {
        let ps = self.ps();
        let service = find(&ps["services"], "name", service);
        let own = service["replicas"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|replica| {
                replica["release"] == service["release"] && replica["state"] == "ready"
            });
        let mut pids: Vec<u64> = own
            .map(|replica| replica["pid"].as_u64().unwrap())
            .collect();
        assert_eq!(
            Some(pids.len() as u64),
            service["desired"].as_u64(),
            "{ps:#}"
        );
        pids.sort_unstable();
        pids
    }

    /// The pids of Wharf's own processes of a role.
    #[track_caller]
    pub(crate) fn own_processes(&self, role: &str) -> Vec<u64> {
        let ps = self.ps();
        let all = ps["processes"].as_array().unwrap().iter();
        all.filter(|process| process["role"] == role)
            .map(|process| process["pid"].as_u64().unwrap())
            .collect()
    }

    /// Kills the engine as a crash would.
    #[track_caller]
    pub(crate) fn kill_engine(&self) {
        let engines = self.own_processes("engine");
        assert_eq!(engines.len(), 1);
        kill(engines[0], Signal::KILL);
        wait_for("the engine to be gone", || !alive(engines[0]));
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        http::send(&self.url, "GET", path, None).unwrap()
    }

    /// Asks `path` all the time until [`Load::end`].
    pub(crate) fn load(&self, path: &'static str) -> Load {
        let (url, ended, seen) = (
            self.url.clone(),
            Arc::new(AtomicBool::new(false)),
            Arc::new(Mutex::new(vec![])),
        );
        let (end, found) = (Arc::clone(&ended), Arc::clone(&seen));
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let answer = match http::send(&url, "GET", path, None) {
                    Ok(answer) if answer.status == 200 => Ok(answer.body),
                    Ok(answer) => Err(format!("{} {}", answer.status, answer.body)),
                    Err(error) => Err(error.to_string()),
                };
                found.lock().unwrap().push(answer);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Load {
            ended,
            seen,
            thread,
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let done = self.run(&["down", "-v", "--yes"]);
        let said = format!(
            "{}: {:?}\n{}{}",
            done.what, done.status, done.output, done.errors
        );
        if std::thread::panicking() {
            eprintln!("{said}");
        } else {
            assert_eq!(done.status, Some(0), "{said}");
        }
    }
}

/// A client in the background.
pub(crate) struct Load {
    ended: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<Result<String, String>>>>,
    thread: JoinHandle<()>,
}

impl Load {
    /// The bodies of all answers; fails if a request has failed.
    #[track_caller]
    pub(crate) fn end(self) -> Vec<String> {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        let seen = std::mem::take(&mut *self.seen.lock().unwrap());
        assert!(!seen.is_empty());
        let failed: Vec<_> = seen
            .iter()
            .filter_map(|answer| answer.as_ref().err())
            .collect();
        assert!(
            failed.is_empty(),
            "{} of {} requests failed: {:?}",
            failed.len(),
            seen.len(),
            failed.first()
        );
        seen.into_iter().flatten().collect()
    }
}

/// The binary with what a test's environment may hand on to it.
fn wharf(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null());
    plain_environment(&mut command);
    command
}

/// Takes away what must not be handed on: the caller's settings, which change what is tested, and cargo's own, which change
/// a build that wharf starts.
pub(crate) fn plain_environment(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let cargos =
            name.starts_with("CARGO_") && name != "CARGO_HOME" && name != "CARGO_TARGET_DIR";
        if cargos || (name.starts_with("WHARF_") && name != "WHARF_TEST_REQUIRE") {
            command.env_remove(name);
        }
    }
}

fn run(mut command: Command, arguments: &[&str]) -> Done {
    // Files, not pipes: what stays behind in the background may hold on to them.
    let (output, errors) = (
        tempfile::NamedTempFile::new().unwrap(),
        tempfile::NamedTempFile::new().unwrap(),
    );
    command
        .stdout(output.reopen().unwrap())
        .stderr(errors.reopen().unwrap());
    let what = format!("wharf {}", arguments.join(" "));
    let mut child = command.spawn().unwrap();
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if begin.elapsed() > DEADLINE {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let read = |file: &tempfile::NamedTempFile| {
        String::from_utf8_lossy(&fs::read(file.path()).unwrap()).into_owned()
    };
    Done {
        what,
        status,
        output: read(&output),
        errors: read(&errors),
    }
}

/// The file of an example with another `VERSION` and with its folder spelled out.
pub(crate) fn example_file(example: &str, version: &str) -> String {
    let folder = repository().join("examples").join(example);
    let file = fs::read_to_string(folder.join("wharf.yaml")).unwrap();
    // Relative, as contexts are: from a temporary folder up to the root and down again.
    let up = std::env::temp_dir()
        .canonicalize()
        .unwrap()
        .components()
        .count();
    let context = format!(
        "{}{}",
        "../".repeat(up),
        folder.strip_prefix("/").unwrap().display()
    );
    let changed = file.replace("build: .\n", &format!("build: {context}\n"));
    let changed = changed.replace("VERSION: \"1.0.0\"", &format!("VERSION: \"{version}\""));
    assert!(
        changed.contains(&context) && changed.contains(version),
        "{file}"
    );
    changed
}

/// A folder without what is made from it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_dir() && !MADE.iter().any(|made| name == *made) {
            copy(&path, &to.join(name));
        } else if path.is_file() {
            let made = to.join(name);
            fs::copy(&path, &made).unwrap();
            // As old as the original, or cargo would build it anew every time.
            let modified = path.metadata().unwrap().modified().unwrap();
            let made = fs::OpenOptions::new().write(true).open(made).unwrap();
            made.set_modified(modified).unwrap();
        }
    }
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// The entry of a JSON list whose `key` is `value`.
#[track_caller]
pub(crate) fn find<'a>(list: &'a Value, key: &str, value: &str) -> &'a Value {
    let found = list
        .as_array()
        .and_then(|list| list.iter().find(|entry| entry[key] == value));
    found.unwrap_or_else(|| panic!("no {key} {value:?} in {list:#}"))
}

/// Waits for something, for a bounded time.
#[track_caller]
pub(crate) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a process runs; a zombie does not.
pub(crate) fn alive(pid: u64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// The running processes whose environment has `NAME=value`.
pub(crate) fn with_environment(variable: &str) -> Vec<u64> {
    let numbers = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let carries = |pid: &u64| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|entry| entry == variable.as_bytes())
    };
    numbers.filter(carries).filter(|pid| alive(*pid)).collect()
}

pub(crate) fn kill(pid: u64, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).unwrap();
    kill_process(pid, signal).unwrap();
}
