//! The pages of `docs/tutorials`, done as a reader does them: each from top to bottom in one shell, in an empty home.
//!
//! Of a page count its fenced blocks. `console`: lines with `$ ` are commands, those below what is seen, where `...` stands
//! for anything. A command has to succeed unless the next one is `echo $?`. `yaml`, `rust`, `toml`, `python` and the like
//! with a file's name as a comment in the first line are files that the reader writes.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use crate::installed;
use crate::stack::{copy, plain_environment, repository};

/// No command takes longer, cold builds on two busy cores included.
const DEADLINE: Duration = Duration::from_secs(600);
/// Lines that wait to be compared; the shell waits when there are more.
const LINES: usize = 1024;
/// Behind the output of each command, with its status.
const END: &str = "the command has ended with";

/// Whether something is installed.
type Installed = fn() -> bool;

/// The pages, with what they need beside Wharf and Cargo.
const PAGES: [(&str, &[Installed]); 5] = [
    ("items", &[]),
    ("items-redis", &[installed::redis]),
    (
        "chat",
        &[installed::redis, installed::postgres, installed::node],
    ),
    (
        "django-eks",
        &[installed::redis, installed::postgres, installed::pgbouncer],
    ),
    ("django-ec2", &[installed::postgres]),
];

#[test]
fn items() {
    read("items");
}

#[test]
fn items_redis() {
    read("items-redis");
}

#[test]
fn chat() {
    read("chat");
}

#[test]
fn django_eks() {
    read("django-eks");
}

#[test]
fn django_ec2() {
    read("django-ec2");
}

#[test]
fn every_page_is_tried_and_listed() {
    let folder = repository().join("docs/tutorials");
    let list = fs::read_to_string(folder.join("README.md")).unwrap();
    let mut found: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    found.sort_unstable();
    let mut known = PAGES.map(|(name, _)| format!("{name}.md"));
    known.sort_unstable();
    assert_eq!(found, known);
    for name in known {
        assert!(list.contains(&format!("({name})")), "{name} is not listed");
    }
}

/// Does what a page says, where everything that it needs is installed.
#[track_caller]
fn read(name: &str) {
    let (_, needs) = PAGES.iter().find(|(page, _)| *page == name).unwrap();
    if !needs.iter().all(|is_there| is_there()) {
        return;
    }
    let path = repository().join(format!("docs/tutorials/{name}.md"));
    let steps = steps(&fs::read_to_string(path).unwrap());
    assert!(steps.len() > 5, "{name} has hardly a step");
    let mut reader = Reader::new();
    for (line, step) in steps {
        match step {
            Step::Write { file, text } => {
                let script = format!(
                    "mkdir -p \"$(dirname {file})\" && cat > {file} <<'END OF {file}'\n{text}END OF {file}"
                );
                let (status, output) = reader.run(&script);
                assert_eq!(status, 0, "{name}.md:{line}: {file}: {output}");
            }
            Step::Run {
                command,
                expected,
                may_fail,
            } => {
                let (status, output) = reader.run(&command);
                let told = format!("{name}.md:{line}: $ {command}\n{output}");
                assert!(status == 0 || may_fail, "{told}\nended with {status}");
                assert!(matches(&expected, &output), "{told}\nexpected:\n{expected}");
            }
        }
    }
}

enum Step {
    /// A file that the reader writes.
    Write { file: String, text: String },
    /// A command, and what is seen.
    Run {
        command: String,
        expected: String,
        may_fail: bool,
    },
}

/// The steps of a page, each with the number of its line.
fn steps(page: &str) -> Vec<(usize, Step)> {
    let mut steps: Vec<(usize, Step)> = vec![];
    let mut lines = page.lines().enumerate();
    while let Some((_, line)) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            continue;
        };
        let block = lines.by_ref().take_while(|(_, line)| *line != "```");
        let block: Vec<(usize, &str)> = block.map(|(at, line)| (at + 1, line)).collect();
        if language == "console" {
            for (at, line) in block {
                match (line.strip_prefix("$ "), steps.last_mut()) {
                    (Some(command), last) => {
                        if let Some((_, Step::Run { may_fail, .. })) = last {
                            *may_fail = command == "echo $?";
                        }
                        let command = command.to_owned();
                        let (expected, may_fail) = (String::new(), false);
                        let step = Step::Run {
                            command,
                            expected,
                            may_fail,
                        };
                        steps.push((at, step));
                    }
                    (None, Some((_, Step::Run { expected, .. }))) => {
                        expected.push_str(line);
                        expected.push('\n');
                    }
                    (None, _) => panic!("line {at}: output without a command: {line}"),
                }
            }
        } else if let Some((at, first)) = block.first()
            && let Some(file) = first
                .strip_prefix("# ")
                .or_else(|| first.strip_prefix("// "))
            && !file.contains(' ')
        {
            let text = block[1..].iter().map(|(_, line)| format!("{line}\n"));
            let file = file.to_owned();
            let text = text.collect();
            steps.push((*at, Step::Write { file, text }));
        }
    }
    steps
}

/// Whether the output is what is expected, in which `...` stands for anything; a line of it alone for any lines.
fn matches(expected: &str, output: &str) -> bool {
    let trimmed = |text: &str| {
        let lines: Vec<&str> = text.trim().lines().map(str::trim_end).collect();
        lines.join("\n")
    };
    let (expected, output) = (trimmed(expected), trimmed(output));
    if expected.is_empty() {
        return true;
    }
    let parts: Vec<&str> = expected
        .split("...")
        .map(|part| part.trim_matches('\n'))
        .collect();
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    if parts.len() == 1 {
        return expected == output;
    }
    let Some(mut rest) = output.strip_prefix(first) else {
        return false;
    };
    for part in &parts[1..parts.len() - 1] {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// A shell in an empty home, in which the repository lies as `~/wharf`.
struct Reader {
    home: tempfile::TempDir,
    shell: Child,
    input: ChildStdin,
    output: Receiver<String>,
}

impl Reader {
    fn new() -> Self {
        let home = tempfile::Builder::new()
            .prefix("wharf-tutorial-")
            .tempdir()
            .unwrap();
        // A replica runs as another user where the test runs as root; it has to get through.
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        copy(
            &repository().join("examples"),
            &home.path().join("wharf/examples"),
        );
        let mut command = Command::new("bash");
        command
            .args(["--noprofile", "--norc"])
            .current_dir(home.path());
        plain_environment(&mut command);
        let binaries = Path::new(env!("CARGO_BIN_EXE_wharf")).parent().unwrap();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(binaries.to_owned()).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(folders).unwrap());
        // What was downloaded and built once is kept, as on a reader's own machine.
        let old_home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
        for (variable, folder) in [
            ("CARGO_HOME", ".cargo"),
            ("RUSTUP_HOME", ".rustup"),
            ("NPM_CONFIG_CACHE", ".npm"),
            ("NPM_CONFIG_USERCONFIG", ".npmrc"),
            ("XDG_CACHE_HOME", ".cache"),
            ("XDG_CONFIG_HOME", ".config"),
        ] {
            if std::env::var_os(variable).is_none() {
                command.env(variable, old_home.join(folder));
            }
        }
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples");
        let mut shell = command
            .env("HOME", home.path())
            .env("CARGO_TARGET_DIR", kept)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = shell.stdin.take().unwrap();
        input.write_all(b"exec 2>&1\n").unwrap();
        let (sender, output) = mpsc::sync_channel(LINES);
        let lines = BufReader::new(shell.stdout.take().unwrap()).split(b'\n');
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender
                    .send(String::from_utf8_lossy(&line).into_owned())
                    .is_err()
                {
                    return;
                }
            }
        });
        Self {
            home,
            shell,
            input,
            output,
        }
    }

    /// What a command ended with, and what was seen of it.
    #[track_caller]
    fn run(&mut self, command: &str) -> (i32, String) {
        let script = format!(
            "{{ {command}\n}} </dev/null\nstatus=$?; printf '\\n{END} %s\\n' $status; (exit $status)\n"
        );
        self.input.write_all(script.as_bytes()).unwrap();
        let mut seen = String::new();
        loop {
            match self.output.recv_timeout(DEADLINE) {
                Ok(line) => match line.strip_prefix(END) {
                    Some(status) => return (status.trim().parse().unwrap(), seen),
                    None => seen.extend([line.as_str(), "\n"]),
                },
                Err(error) => panic!("$ {command}\n{seen}\n{error}"),
            }
        }
    }
}

impl Drop for Reader {
    /// Stops the shell, and what a page that failed half-way has left running.
    fn drop(&mut self) {
        drop(self.shell.kill());
        drop(self.shell.wait());
        let folders = fs::read_dir(self.home.path())
            .into_iter()
            .flatten()
            .flatten();
        for folder in folders.filter(|folder| folder.path().join("wharf.yaml").is_file()) {
            let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
            plain_environment(&mut command);
            let done = command
                .args(["down", "-v", "--yes"])
                .current_dir(folder.path())
                .output();
            if !std::thread::panicking() {
                assert!(done.unwrap().status.success());
            }
        }
    }
}

#[test]
fn expected_output_is_compared_loosely() {
    #[track_caller]
    fn check(expected: &str, output: &str, matching: bool) {
        assert_eq!(
            matches(expected, output),
            matching,
            "{expected:?} {output:?}"
        );
    }
    check("", "anything\n", true);
    check("one\n", "one  \n\n", true);
    check("one\n", "one\ntwo\n", false);
    check("...\ntwo\n", "one\ntwo\n", true);
    check("one ... three\n", "one two three\n", true);
    check("one\n...\nthree\n...\n", "one\ntwo\nthree\nfour\n", true);
    check("one\n...\nthree\n", "one\ntwo\n", false);
    check("...two...\n", "one\nx two y\n", true);
}
