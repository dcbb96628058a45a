//! Rules about single files.

use std::fmt;

use crate::tree::File;

/// From here on a second thing probably lives in the file.
const LONG_LINES: usize = 600;
/// No file is so good that it needs more.
const MAX_LINES: usize = 1000;
/// Names that say nothing about what is inside, of files and of folders.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "helpers", "helper", "common", "misc"];

/// What is wrong, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    pub(crate) path: String,
    /// From 1; 0 for the file as a whole.
    pub(crate) line: usize,
    pub(crate) message: String,
}

/// Whether a finding fails the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Warning,
    Error,
}

impl Finding {
    pub(crate) fn error(file: &File, line: usize, message: impl Into<String>) -> Self {
        Self {
            level: Level::Error,
            path: file.path.clone(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Warning => "warning",
            Level::Error => "error",
        };
        write!(
            f,
            "{}:{}: {level}: {}",
            self.path,
            self.line.max(1),
            self.message
        )
    }
}

/// Everything that the rules find.
pub(crate) fn check(files: &[File]) -> Vec<Finding> {
    files.iter().flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    names(file, &mut findings);
    white_space(file, &mut findings);
    if file.path.ends_with(".rs") {
        header(file, &mut findings);
        length(file, &mut findings);
        lints(file, &mut findings);
        modules(file, &mut findings);
    }
    findings
}

fn names(file: &File, findings: &mut Vec<Finding>) {
    for part in file.path.split('/') {
        let stem = part.split('.').next().unwrap_or(part);
        if EMPTY_NAMES.contains(&stem) {
            findings.push(Finding::error(
                file,
                0,
                format!("`{part}` says nothing: name it after what it holds"),
            ));
        }
    }
}

fn white_space(file: &File, findings: &mut Vec<Finding>) {
    for (line, text) in (1..).zip(file.text.lines()) {
        if text.ends_with([' ', '\t', '\r']) {
            findings.push(Finding::error(
                file,
                line,
                "white space at the end of the line",
            ));
        }
    }
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        findings.push(Finding::error(
            file,
            file.text.lines().count(),
            "the last line has no end",
        ));
    }
}

fn header(file: &File, findings: &mut Vec<Finding>) {
    // The tests of a module, moved to a file of their own, are what the module's header says.
    let moved = file.path.ends_with("/tests.rs");
    // A license or a lint may not come first either: the reader's first question is what the file is for.
    if !moved && !file.text.starts_with("//! ") {
        findings.push(Finding::error(
            file,
            1,
            "the file begins with no `//!` header that says what it is for",
        ));
    }
}

/// Lines in front of the inline tests.
fn length(file: &File, findings: &mut Vec<Finding>) {
    let lines = file
        .text
        .lines()
        .take_while(|line| *line != "#[cfg(test)]")
        .count();
    if lines > MAX_LINES {
        findings.push(Finding::error(
            file,
            0,
            format!("{lines} lines; {MAX_LINES} is the limit: split it"),
        ));
    } else if lines > LONG_LINES {
        let message = format!("{lines} lines: look for the second thing that lives here");
        findings.push(Finding {
            level: Level::Warning,
            ..Finding::error(file, 0, message)
        });
    }
}

fn lints(file: &File, findings: &mut Vec<Finding>) {
    for (line, text) in (1..).zip(file.text.lines()) {
        let text = text.trim_start();
        if text.starts_with(concat!("#[", "allow(")) || text.starts_with(concat!("#![", "allow(")) {
            let message =
                "use `#[expect(…, reason = \"…\")]`, which tells when it is no longer needed";
            findings.push(Finding::error(file, line, message));
        }
    }
}

fn modules(file: &File, findings: &mut Vec<Finding>) {
    if !file.path.ends_with("/mod.rs") {
        return;
    }
    for (line, text) in (1..).zip(file.text.lines()) {
        if text.contains("fn ") && !text.trim_start().starts_with("//") {
            findings.push(Finding::error(
                file,
                line,
                "`mod.rs` lists modules; code has a file with a name",
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, text: &str, expected: &[&str]) {
        let file = File {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let found: Vec<String> = check_file(&file).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, part) in found.iter().zip(expected) {
            assert!(found.contains(part), "expected {part:?} in {found:?}");
        }
    }

    #[test]
    fn good_files_pass() {
        check("crates/a/src/lib.rs", "//! A.\n\nfn main() {}\n", &[]);
        check("docs/a.md", "# A\n", &[]);
        check("a.toml", "", &[]);
    }

    #[test]
    fn each_rule_finds() {
        check(
            "crates/a/src/utils.rs",
            "//! A.\n",
            &["utils.rs:1: error: `utils.rs` says nothing"],
        );
        check(
            "crates/common/src/lib.rs",
            "//! A.\n",
            &["`common` says nothing"],
        );
        check("a.rs", "fn main() {}\n", &["no `//!` header"]);
        check("a.rs", "//! A. \n", &["a.rs:1: error: white space"]);
        check("a.rs", "//! A.", &["no end"]);
        check(
            "a.rs",
            concat!("//! A.\n#[", "allow(dead_code)]\n"),
            &["a.rs:2: error: use `#[expect"],
        );
        check("a/mod.rs", "//! A.\npub mod b;\nfn c() {}\n", &["mod.rs:3"]);
    }

    #[test]
    fn lengths_are_counted_without_tests() {
        let lines = |count: usize| format!("//! A.\n{}", "\n".repeat(count - 1));
        check("a.rs", &lines(600), &[]);
        check("a.rs", &lines(601), &["warning: 601 lines"]);
        check(
            "a.rs",
            &lines(1001),
            &["error: 1001 lines; 1000 is the limit"],
        );
        check(
            "a.rs",
            &format!("{}#[cfg(test)]\n{}", lines(600), "\n".repeat(900)),
            &[],
        );
    }
}
