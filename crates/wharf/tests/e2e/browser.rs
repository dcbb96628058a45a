//! A script in `tests/browser` that drives a real Chromium, step by step with a test.
//!
//! The script says lines, the test waits for them, changes something and says how to go on. What the script is made of is
//! installed once into the folder of cargo for such things, where the pictures are kept too, to be looked at.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use crate::installed::{installed, program};

/// No step of a script takes longer; it has deadlines of its own that are shorter.
const PATIENCE: Duration = Duration::from_secs(300);
/// Lines that wait for the test; the script waits when there are more.
const LINES: usize = 64;
/// What this browser is called elsewhere than in Debian.
const CHROMIUM: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
];

/// A script that runs; stopped at the end of the test, with its browsers.
pub(crate) struct Browser {
    script: String,
    child: Child,
    /// Gone as soon as the script is to end.
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: PathBuf,
}

impl Browser {
    /// Starts `tests/browser/SCRIPT.mjs` against a project. `None`, with the reason printed, where something that it
    /// needs is not installed.
    #[track_caller]
    pub(crate) fn start(script: &str, url: &str) -> Option<Self> {
        let chromium = chromium()?;
        let folder = scripts();
        let pictures = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("screenshots")
            .join(script);
        drop(fs::remove_dir_all(&pictures));
        fs::create_dir_all(&pictures).unwrap();
        eprintln!("the pictures are in {}", pictures.display());
        let errors = pictures.join("errors.log");
        let mut child = Command::new("node")
            .arg(format!("{script}.mjs"))
            .arg(url)
            .current_dir(folder)
            .env("CHROMIUM", chromium)
            .env("SCREENSHOTS", pictures)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&errors).unwrap())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take(), child.stdout.take().unwrap());
        let (sender, lines) = mpsc::sync_channel(LINES);
        // It ends with the script's output, or with the test.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Some(Self {
            script: script.to_owned(),
            child,
            input,
            lines,
            errors,
        })
    }

    /// The next line that the script says; fails if it says none.
    #[track_caller]
    pub(crate) fn hear(&mut self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(_) => panic!("{}.mjs says nothing more:\n{}", self.script, self.log()),
        }
    }

    /// Waits for exactly this line, which has to be the next.
    #[track_caller]
    pub(crate) fn expect(&mut self, line: &str) {
        let heard = self.hear();
        assert_eq!(heard, line, "{}", self.log());
    }

    #[track_caller]
    pub(crate) fn say(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        let said = writeln!(input, "{line}").and_then(|()| input.flush());
        assert!(
            said.is_ok(),
            "{}.mjs has ended:\n{}",
            self.script,
            self.log()
        );
    }

    /// Waits for the script to end well.
    #[track_caller]
    pub(crate) fn end(mut self) {
        let ended = self.ended(PATIENCE);
        assert_eq!(ended, Some(0), "{}.mjs:\n{}", self.script, self.log());
        if let Ok(line) = self.lines.try_recv() {
            panic!("{}.mjs said {line:?}, which nobody waited for", self.script);
        }
    }

    fn ended(&mut self, patience: Duration) -> Option<i32> {
        let begin = Instant::now();
        while begin.elapsed() < patience {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.errors).unwrap_or_default()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The script takes its browsers with it when nobody listens any more.
        self.input = None;
        if self.ended(Duration::from_secs(10)).is_none() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// Whether scripts can run here; the reason is printed if they cannot.
pub(crate) fn available() -> bool {
    chromium().is_some()
}

fn chromium() -> Option<PathBuf> {
    for name in ["node", "npm"] {
        if !installed(name, program(name).is_some()) {
            return None;
        }
    }
    let found = CHROMIUM.iter().find_map(|name| program(name));
    installed("chromium", found.is_some());
    found
}

/// The folder with the scripts and what they import, installed if it is not there.
#[track_caller]
fn scripts() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
    fs::create_dir_all(&folder).unwrap();
    // Tests run at once, in threads and in processes.
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    for entry in fs::read_dir(&source).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_file() {
            continue;
        }
        let copy = folder.join(path.file_name().unwrap());
        // A script that another test runs at the moment is not written again.
        if fs::read(&path).ok() != fs::read(&copy).ok() {
            fs::copy(&path, copy).unwrap();
        }
    }
    let (wanted, there) = (
        folder.join("package-lock.json"),
        folder.join("installed.json"),
    );
    if fs::read(&wanted).ok() != fs::read(&there).ok() {
        let done = Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "npm ci: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        fs::copy(wanted, there).unwrap();
    }
    folder
}
