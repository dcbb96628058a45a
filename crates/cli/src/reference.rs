//! The command line's reference, generated from its definition.

use std::fmt::Write as _;

use clap::{Command, CommandFactory};

use crate::args::Cli;

/// The whole command line as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut text = String::from("# Command line\n\nGenerated from the program; do not edit.\n\n");
    let mut root = Cli::command().term_width(100);
    root.build();
    section(&mut text, &root, 1);
    text
}

fn section(text: &mut String, command: &Command, depth: usize) {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    let mut shown = command.clone().term_width(100);
    let help = shown.render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    writeln!(text, "{} `{name}`\n\n```text\n{}\n```\n", "#".repeat(depth + 1), help.join("\n").trim_end())
        .expect("writing to a String never fails");
    for child in command.get_subcommands().filter(|child| !child.is_hide_set()) {
        section(text, child, depth + 1);
    }
}
