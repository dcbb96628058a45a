//! A command of the plan as an `ExecStart=` line.
//!
//! systemd starts programs without a shell, wants their path, and has `%` and `$` of its own (`systemd.service(5)`).

use wharf_plan::model::{Command, Service, Source};

use crate::machine::Machine;

/// The line, its program with the whole path.
pub(super) fn line(machine: &Machine<'_>, service: &Service, command: &Command) -> String {
    let words = match command {
        Command::Exec(words) => words.clone(),
        Command::Shell(text) => match simple(text) {
            Some(words) => words,
            None => {
                // The program takes the shell's place, so that it hears of SIGTERM, where it is a single one.
                let single = !text.contains(['|', '&', ';', '(', '{', '\n', '=']);
                let exec = if single { "exec " } else { "" };
                return format!("/bin/sh -c {}", quoted(&format!("{exec}{text}"), true));
            }
        },
    };
    let mut words = words.into_iter();
    let program = words.next().unwrap_or_else(|| "/bin/true".to_owned());
    let mut line = quoted(&path(machine, service, &program), true);
    for word in words {
        line.push(' ');
        // Variables as words of their own are filled in by systemd itself.
        line.push_str(&quoted(&word, !is_variable(&word)));
    }
    line
}

/// The first word of a command: what it starts.
pub(super) fn program(command: &Command) -> String {
    match command {
        Command::Exec(words) => words.first().cloned().unwrap_or_default(),
        Command::Shell(text) => text
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned(),
    }
}

/// The words of a command that needs no shell.
fn simple(text: &str) -> Option<Vec<String>> {
    const SHELL: &str = "\"'\\$`|&;<>()*?[]{}~#!\n";
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let needs_shell = |word: &String| word.contains(|c| SHELL.contains(c)) && !is_variable(word);
    // `NAME=value program` sets a variable.
    let assigns = words.first().is_some_and(|word| word.contains('='));
    (!assigns && !words.is_empty() && !words.iter().any(needs_shell)).then_some(words)
}

/// `$PORT` or `${PORT}`.
fn is_variable(word: &str) -> bool {
    let name = word
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .or_else(|| word.strip_prefix('$'));
    name.is_some_and(|name| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// Where a program lies.
fn path(machine: &Machine<'_>, service: &Service, program: &str) -> String {
    if program.starts_with('/') {
        return program.to_owned();
    }
    if program.contains('/') {
        let relative = program.trim_start_matches("./");
        return format!("{}/{relative}", machine.working_folder(service));
    }
    let folder = match &service.source {
        Source::Build(build) => machine.programs(build),
        Source::Image(_) | Source::Command => None,
    };
    // What belongs to the interpreter or the system is not among the build's programs.
    match folder {
        Some(folder) if !matches!(program, "node" | "npm" | "sh" | "bash") => {
            format!("{folder}/{program}")
        }
        _ => format!("/usr/bin/{program}"),
    }
}

/// A word; `%` is doubled, and `$` too where it is to stay.
pub(super) fn quoted(word: &str, escape_dollar: bool) -> String {
    let mut text = word.replace('%', "%%");
    if escape_dollar {
        text = text.replace('$', "$$");
    }
    if !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || "\"'\\;".contains(c)) {
        return text;
    }
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace('\n', "\\n").replace('\t', "\\t"))
}
