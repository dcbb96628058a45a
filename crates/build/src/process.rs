//! Runs the commands of a build, each in a process group of its own that cannot outlive its purpose.
//!
//! The command is started by a small shell script, [`GUARD`], which leaves a guard in the group. The guard reads a pipe
//! whose other end only this process holds: when it closes (the command has ended, the future is dropped, this process
//! is killed) the guard kills the whole group. While the guard lives the group's number is not given to anything else.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::Command;

use crate::error::{BuildError, Tail};

/// Runs `"$@"` without input and ends with its status. Called `joined`, both outputs go one way, in their order.
const GUARD: &str = r#"
exec 3<&0 </dev/null
[ "$0" = joined ] && exec 2>&1
"$@" 3<&- &
command=$!
{ read -r _ <&3; kill -KILL 0; } >/dev/null 2>&1 &
exec 3<&-
wait "$command"
"#;

/// How many of a failed command's lines are shown.
const TAIL_LINES: usize = 20;

/// How many lines are kept of where the errors begin.
const FIRST_LINES: usize = 5;

/// Longer lines (minified code, progress bars without line ends) are cut.
const LINE_MAX_BYTES: usize = 2000;

/// What one command may print where its output is read as a whole; `cargo`'s messages of the largest workspaces are a few megabytes.
const CAPTURE_MAX_BYTES: u64 = 64 << 20;

/// What is left in the group dies within milliseconds once the guard is told; this only bounds the wait.
const GROUP_END_TIMEOUT: Duration = Duration::from_secs(5);

/// How a build gets on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A new step begins: `cargo build --release`.
    Step(String),
    /// A line that the step's command printed.
    Line(String),
    /// Something the user should know: one sentence without its full stop.
    Warning(String),
}

/// Where the progress of a build goes. Called from any thread; must not block.
pub type ProgressSink = Arc<dyn Fn(Progress) + Send + Sync>;

/// What is done with a command's standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// It is progress, as standard error always is.
    Progress,
    /// It is given to the caller.
    Captured,
}

/// One command of a build.
pub(crate) struct Step {
    /// How the command is named to the user.
    pub(crate) shown: String,
    pub(crate) argv: Vec<OsString>,
    pub(crate) dir: PathBuf,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) output: Output,
}

impl Step {
    /// A command whose output is progress.
    pub(crate) fn new(argv: impl IntoIterator<Item = impl Into<OsString>>, dir: &Path) -> Self {
        let argv: Vec<OsString> = argv.into_iter().map(Into::into).collect();
        let shown = argv
            .iter()
            .map(|word| word.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ");
        Self {
            shown,
            argv,
            dir: dir.to_owned(),
            env: Vec::new(),
            output: Output::Progress,
        }
    }

    pub(crate) fn shown(mut self, shown: impl Into<String>) -> Self {
        self.shown = shown.into();
        self
    }

    pub(crate) fn env(
        mut self,
        variables: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
    ) -> Self {
        self.env.extend(
            variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into())),
        );
        self
    }

    pub(crate) fn captured(mut self) -> Self {
        self.output = Output::Captured;
        self
    }
}

/// Runs a command to its end; gives what was captured.
///
/// Dropping the future kills the command and everything it has started, except what has left its process group.
pub(crate) async fn run(step: Step, progress: &ProgressSink) -> Result<Vec<u8>, BuildError> {
    progress(Progress::Step(step.shown.clone()));
    let mut command = Command::new("/bin/sh");
    command
        .args([
            "-c",
            GUARD,
            if step.output == Output::Progress {
                "joined"
            } else {
                "apart"
            },
        ])
        .args(&step.argv)
        .current_dir(&step.dir)
        .envs(step.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    for name in leaked_by_cargo() {
        command.env_remove(name);
    }
    let start = |e| BuildError::io("cannot start a command in", &step.dir, e);
    let mut child = command.spawn().map_err(start)?;
    // Declared after `child`, so that on cancellation the guard hears of it while the group still exists.
    let guard = child.stdin.take();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let kept = Mutex::new(Kept::default());
    let captured = Mutex::new(Vec::new());
    let read_stdout = async {
        match (stdout, step.output) {
            (Some(stdout), Output::Progress) => forward(stdout, progress, &kept).await,
            (Some(stdout), Output::Captured) => {
                let mut bytes = Vec::new();
                drop(stdout.take(CAPTURE_MAX_BYTES).read_to_end(&mut bytes).await);
                *captured.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
            }
            (None, _) => {}
        }
    };
    let read_stderr = async {
        if let Some(stderr) = stderr {
            forward(stderr, progress, &kept).await;
        }
    };
    let ended = async {
        let status = child.wait().await;
        drop(guard);
        status
    };
    let mut reading = std::pin::pin!(async { tokio::join!(read_stdout, read_stderr) });
    let mut ended = std::pin::pin!(ended);
    let status = tokio::select! {
        status = &mut ended => {
            // The pipes close when the last process of the group is gone, unless one has left the group with them.
            drop(tokio::time::timeout(GROUP_END_TIMEOUT, &mut reading).await);
            status
        }
        _ = &mut reading => ended.await,
    };
    let status =
        status.map_err(|e| BuildError::io("cannot wait for a command in", &step.dir, e))?;
    if status.success() {
        return Ok(std::mem::take(
            &mut *captured.lock().unwrap_or_else(PoisonError::into_inner),
        ));
    }
    let lines = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
    Err(BuildError::Failed {
        command: step.shown,
        dir: step.dir,
        status: describe(status.code()),
        tail: Tail(lines.into_lines()),
        hint: None,
    })
}

/// The shell reports a signal as 128 and its number.
fn describe(code: Option<i32>) -> String {
    match code {
        Some(137) => "signal 9 (killed, perhaps for lack of memory)".to_owned(),
        Some(code @ 129..=159) => format!("signal {}", code - 128),
        Some(code) => format!("exit status {code}"),
        None => "a signal".to_owned(),
    }
}

/// Variables that `cargo run` sets for the program it runs: they would make another `cargo` choose a toolchain that the
/// user did not, and rebuild what reads them.
fn leaked_by_cargo() -> Vec<OsString> {
    if std::env::var_os("CARGO").is_none() {
        return Vec::new();
    }
    let of_a_package = |name: &str| {
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_EXE_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
            || [
                "CARGO",
                "CARGO_BIN_NAME",
                "CARGO_CRATE_NAME",
                "CARGO_PRIMARY_PACKAGE",
                "RUSTUP_TOOLCHAIN",
            ]
            .contains(&name)
    };
    std::env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| name.to_str().is_some_and(of_a_package))
        .collect()
}

/// What is kept of a command's output, for the case that it fails: the end, and the first lines that speak of an error
/// where the end does not reach back to them (npm prints a page of usage behind its reason).
#[derive(Default)]
struct Kept {
    first: Vec<String>,
    last: VecDeque<String>,
}

impl Kept {
    fn push(&mut self, line: String) {
        self.last.push_back(line);
        if self.last.len() <= TAIL_LINES {
            return;
        }
        let Some(line) = self.last.pop_front() else {
            return;
        };
        let begins = || line.to_ascii_lowercase().contains("error");
        if self.first.len() < FIRST_LINES && (!self.first.is_empty() || begins()) {
            self.first.push(line);
        }
    }

    fn into_lines(self) -> Vec<String> {
        let gap = (self.first.len() == FIRST_LINES).then(|| "…".to_owned());
        self.first.into_iter().chain(gap).chain(self.last).collect()
    }
}

async fn forward(stream: impl AsyncRead + Unpin, progress: &ProgressSink, kept: &Mutex<Kept>) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while let Ok(more) = read_line(&mut stream, &mut line).await
        && more
    {
        let text = printable(&line);
        line.clear();
        if text.is_empty() {
            continue;
        }
        kept.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text.clone());
        progress(Progress::Line(text));
    }
}

/// Reads to the next line end into `line`, keeping at most [`LINE_MAX_BYTES`]; false at the stream's end.
async fn read_line(
    stream: &mut (impl AsyncBufReadExt + Unpin),
    line: &mut Vec<u8>,
) -> std::io::Result<bool> {
    let mut any = false;
    loop {
        let available = stream.fill_buf().await?;
        if available.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = available
            .iter()
            .position(|byte| matches!(byte, b'\n' | b'\r'));
        let part = &available[..end.unwrap_or(available.len())];
        let room = LINE_MAX_BYTES.saturating_sub(line.len());
        line.extend_from_slice(&part[..part.len().min(room)]);
        let used = end.map_or(available.len(), |end| end + 1);
        stream.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}

/// The line without terminal sequences (ECMA-48) and other control characters.
fn printable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => {
                if rest.next() == Some('[') {
                    rest.by_ref().find(|c| ('@'..='~').contains(c));
                }
            }
            '\t' => shown.push(' '),
            c if c.is_control() => {}
            c => shown.push(c),
        }
    }
    shown.truncate(shown.trim_end().len());
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    const DEADLINE: Duration = Duration::from_secs(20);

    fn quiet() -> ProgressSink {
        Arc::new(|_| {})
    }

    fn shell(line: &str) -> Step {
        Step::new(["/bin/sh", "-c", line], Path::new("/"))
    }

    /// A command line that no other test uses, so that its processes can be told from theirs.
    fn sleeper(seconds: u32) -> String {
        format!("sleep {}", seconds + std::process::id())
    }

    fn runs(line: &str) -> bool {
        std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(Result::ok)
            .any(|entry| {
                let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
                String::from_utf8_lossy(&command).replace('\0', " ").trim() == line
            })
    }

    async fn wait_until(what: &str, condition: impl Fn() -> bool) {
        let begin = Instant::now();
        while !condition() {
            assert!(begin.elapsed() < DEADLINE, "{what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn output_and_status_arrive() {
        let output = run(shell("echo out; echo err >&2").captured(), &quiet())
            .await
            .unwrap();
        assert_eq!(output, b"out\n");
        let error = run(
            shell("seq 1 30; printf 'a\\033[1mb\\n' >&2; exit 3"),
            &quiet(),
        )
        .await
        .unwrap_err();
        let BuildError::Failed { status, tail, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(
            (status.as_str(), tail.0.len()),
            ("exit status 3", TAIL_LINES)
        );
        assert!(
            tail.0.contains(&"ab".to_owned()) && !tail.0.contains(&"1".to_owned()),
            "{tail:?}"
        );
        let line = "echo one; echo 'Error: the reason'; seq 1 40; exit 1";
        let error = run(shell(line), &quiet()).await.unwrap_err();
        let BuildError::Failed { tail, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(tail.0[0], "Error: the reason");
        assert_eq!(
            (tail.0[FIRST_LINES].as_str(), tail.0.len()),
            ("…", FIRST_LINES + 1 + TAIL_LINES)
        );
        let error = run(shell("kill -SEGV $$"), &quiet()).await.unwrap_err();
        assert!(
            error.to_string().contains("ended with signal 11"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn what_a_command_leaves_behind_is_killed() {
        let line = sleeper(1_000_000);
        run(shell(&format!("{line} & echo started")), &quiet())
            .await
            .unwrap();
        wait_until("the left process is killed", || !runs(&line)).await;
    }

    #[tokio::test]
    async fn dropping_the_future_kills_the_tree() {
        let line = sleeper(2_000_000);
        let deep = shell(&format!("( ( {line} & ) & ) & {line}"));
        let task = tokio::spawn(async move { run(deep, &quiet()).await });
        wait_until("the tree has started", || runs(&line)).await;
        task.abort();
        wait_until("the tree is killed", || !runs(&line)).await;
    }

    #[tokio::test]
    async fn input_is_at_its_end() {
        let output = run(shell("cat; echo done").captured(), &quiet())
            .await
            .unwrap();
        assert_eq!(output, b"done\n");
    }

    #[tokio::test]
    async fn long_lines_are_cut() {
        let mut input = vec![b'x'; 100_000];
        input.extend(b"\nnext\r\nlast");
        let mut stream = BufReader::new(&input[..]);
        let mut lengths = Vec::new();
        let mut line = Vec::new();
        while read_line(&mut stream, &mut line).await.unwrap() {
            lengths.push(line.len());
            line.clear();
        }
        assert_eq!(lengths, [LINE_MAX_BYTES, 4, 0, 4]);
    }
}
