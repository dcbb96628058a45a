//! Everything that is printed: results on standard output, progress and errors on standard error.

use std::io::{IsTerminal, Write};

use serde::Serialize;
use wharf_spec::diagnostic::{Diagnostic, render};

use crate::args::{Color, Global};

/// Where and how to print.
#[derive(Clone)]
pub(crate) struct Output {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    pub(crate) yes: bool,
    /// Progress in lines, also on a terminal: something else is being printed beside it.
    pub(crate) plain: bool,
    /// Colours on standard output.
    pub(crate) color_out: bool,
    /// Colours on standard error.
    pub(crate) color_err: bool,
}

/// Colours by what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Good,
    Bad,
    Busy,
    Faint,
    Strong,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Bad => "31",
            Self::Busy => "33",
            Self::Faint => "2",
            Self::Strong => "1",
        }
    }
}

/// The text in the style, if colours are wanted.
pub(crate) fn paint(text: &str, style: Style, color: bool) -> String {
    if color {
        format!("\x1b[{}m{text}\x1b[0m", style.code())
    } else {
        text.to_owned()
    }
}

/// The text in the colour with this number, if colours are wanted.
pub(crate) fn paint_code(text: &str, code: u8, color: bool) -> String {
    if color {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let wants = |terminal: bool| match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !plain,
        };
        Self {
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose,
            yes: global.yes,
            plain: false,
            color_out: wants(std::io::stdout().is_terminal()),
            color_err: wants(std::io::stderr().is_terminal()),
        }
    }

    /// A line of the result.
    pub(crate) fn line(&self, text: &str) {
        // A reader that has gone (`wharf ps | head -1`) is no failure of the command.
        drop(writeln!(std::io::stdout(), "{text}"));
    }

    /// The result as JSON.
    pub(crate) fn value<T: Serialize>(&self, value: &T) -> anyhow::Result<()> {
        self.line(&serde_json::to_string_pretty(value)?);
        Ok(())
    }

    /// The result as JSON, on one line.
    pub(crate) fn compact<T: Serialize>(&self, value: &T) -> anyhow::Result<()> {
        self.line(&serde_json::to_string(value)?);
        Ok(())
    }

    /// A line of progress.
    pub(crate) fn progress(&self, text: &str) {
        if !self.quiet {
            self.note(text);
        }
    }

    /// A line beside the result, also when quiet.
    pub(crate) fn note(&self, text: &str) {
        drop(writeln!(std::io::stderr(), "{text}"));
    }

    pub(crate) fn error(&self, text: &str) {
        self.note(&format!(
            "{} {text}",
            paint("error:", Style::Bad, self.color_err)
        ));
    }

    pub(crate) fn hint(&self, text: &str) {
        self.note(&format!(
            "{} {text}",
            paint("try:", Style::Strong, self.color_err)
        ));
    }

    /// Everything that is wrong with a file.
    pub(crate) fn diagnostics(&self, diagnostics: &[Diagnostic], file: &str, source: &[u8]) {
        if diagnostics.is_empty() {
            return;
        }
        let source = String::from_utf8_lossy(source);
        let text = render(diagnostics, file, &source, self.color_err);
        self.note(text.trim_end());
    }

    /// A table with aligned columns; a cell may be painted.
    pub(crate) fn table(&self, header: &[&str], rows: &[Vec<(String, Option<Style>)>]) {
        let width = |column: usize| {
            let cells = rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|(text, _)| text.chars().count());
            cells
                .chain([header[column].len()])
                .max()
                .unwrap_or_default()
        };
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        let pad = |text: &str, column: usize| {
            let missing = widths[column].saturating_sub(text.chars().count());
            if column + 1 == widths.len() {
                String::new()
            } else {
                " ".repeat(missing)
            }
        };
        let titles: Vec<String> = header
            .iter()
            .enumerate()
            .map(|(i, title)| format!("{}{}", title.to_uppercase(), pad(title, i)))
            .collect();
        self.line(paint(titles.join("  ").trim_end(), Style::Faint, self.color_out).as_str());
        for row in rows {
            let cells: Vec<String> = row
                .iter()
                .enumerate()
                .map(|(i, (text, style))| {
                    let shown = style
                        .map_or_else(|| text.clone(), |style| paint(text, style, self.color_out));
                    format!("{shown}{}", pad(text, i))
                })
                .collect();
            self.line(cells.join("  ").trim_end());
        }
    }

    /// Asks on the terminal; false without one, true with `--yes`.
    pub(crate) fn confirm(&self, question: &str) -> bool {
        if self.yes {
            return true;
        }
        if !std::io::stdin().is_terminal() {
            return false;
        }
        drop(write!(std::io::stderr(), "{question} [y/N] "));
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).is_ok()
            && matches!(answer.trim(), "y" | "Y" | "yes")
    }
}
