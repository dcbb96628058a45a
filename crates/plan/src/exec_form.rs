//! Commands as argument vectors, without a shell where none is needed.
//!
//! A program that a shell has started gets no SIGTERM: the shell does. So a simple line becomes the vector that the shell
//! would have made of it, and any other is run by a shell that the program then replaces.

use crate::model::Command;

/// What a shell would do something with, in an unquoted word.
const SHELL: &str = "$`\\\"'|&;<>()*?[]{}#~!\n";

/// What a shell does itself: there is no program of that name, or it would do nothing here.
const BUILT_IN: [&str; 33] = [
    ".", ":", "!", "[[", "alias", "break", "case", "cd", "command", "continue", "eval", "exec",
    "exit", "export", "for", "getopts", "hash", "if", "local", "read", "readonly", "return", "set",
    "shift", "source", "trap", "type", "ulimit", "umask", "unset", "until", "wait", "while",
];

/// The command as program and arguments.
#[must_use]
pub fn exec_form(command: &Command) -> Vec<String> {
    match command {
        Command::Exec(argv) => argv.clone(),
        Command::Shell(line) => words(line).unwrap_or_else(|| {
            // `exec` in front of a list would replace the shell by its first command only, and takes no variables.
            let list = line.contains(['|', '&', ';', '\n', '(', '{', '<', '>']);
            let own = line
                .split_whitespace()
                .next()
                .is_none_or(|word| word.contains('=') || BUILT_IN.contains(&word));
            let line = if list || own {
                line.clone()
            } else {
                format!("exec {line}")
            };
            vec!["/bin/sh".to_owned(), "-c".to_owned(), line]
        }),
    }
}

/// Whether the command runs without a shell.
#[must_use]
pub fn needs_shell(command: &Command) -> bool {
    matches!(command, Command::Shell(line) if words(line).is_none())
}

/// The words of a line that a shell would only split and unquote; none: it would do more.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = vec![];
    let mut word: Option<String> = None;
    let mut chars = line.trim().chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        end if end == c => break,
                        '$' | '`' | '\\' if c == '"' => return None,
                        other => word.push(other),
                    }
                }
            }
            c if SHELL.contains(c) => return None,
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    // `A=b program` sets a variable.
    let own = |first: &String| first.contains('=') || BUILT_IN.contains(&first.as_str());
    words
        .first()
        .is_some_and(|first| !own(first))
        .then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        assert_eq!(exec_form(&Command::Shell(line.to_owned())), expected);
    }

    #[test]
    fn a_simple_line_needs_no_shell() {
        check(
            "gunicorn app:app --bind 0.0.0.0:80",
            &["gunicorn", "app:app", "--bind", "0.0.0.0:80"],
        );
        check(r#"say "a b" '' c'd'"#, &["say", "a b", "", "cd"]);
    }

    #[test]
    fn any_other_line_has_one_that_is_replaced() {
        check("ping $HOST", &["/bin/sh", "-c", "exec ping $HOST"]);
        check("a && b", &["/bin/sh", "-c", "a && b"]);
        check("A=b c", &["/bin/sh", "-c", "A=b c"]);
        check("exec ./app", &["/bin/sh", "-c", "exec ./app"]);
        check("exit 3", &["/bin/sh", "-c", "exit 3"]);
        check("exec $HOME/app", &["/bin/sh", "-c", "exec $HOME/app"]);
        check("say \"it's", &["/bin/sh", "-c", "exec say \"it's"]);
        check("", &["/bin/sh", "-c", ""]);
    }
}
