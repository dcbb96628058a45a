//! Diagnostics as rustc prints them.
//!
//! `annotate-snippets` draws: it is rustc's own renderer and brings two small crates, against the dozens of miette's
//! `fancy` feature, so the same drawing serves the command line and the tests.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::{Diagnostic, Severity, printable};

/// Excerpts above this are not drawn: a line of a megabyte helps nobody. Line and column are still given.
const EXCERPT_MAX_BYTES: usize = 16 * 1024;

/// Draws `diagnostics` of the file `file_name` that holds `source`: code, message, place, the line with its caret, help.
///
/// Each ends with a line break; between two there is an empty line. Without `color` the text holds no escape codes.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], file_name: &str, source: &str, color: bool) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut text = String::new();
    let file_name = &printable(file_name);
    for diagnostic in diagnostics {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&renderer.render(&report(diagnostic, file_name, source)));
        text.push('\n');
    }
    text
}

fn report<'a>(diagnostic: &'a Diagnostic, file_name: &'a str, source: &'a str) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(printable(&diagnostic.message))
        .id(diagnostic.code);
    let main = visible(source, &diagnostic.span);
    let mut window = lines_around(source, &main);
    for (span, _) in &diagnostic.related {
        let span = visible(source, span);
        let lines = lines_around(source, &span);
        window = window.start.min(lines.start)..window.end.max(lines.end);
    }
    let group = if window.len() > EXCERPT_MAX_BYTES {
        let (line, column) = line_and_column(source, main.start);
        title.element(Origin::path(file_name).line(line).char_column(column))
    } else {
        let (first_line, _) = line_and_column(source, window.start);
        let shift = |span: &Range<usize>| span.start - window.start..span.end - window.start;
        let mut primary = AnnotationKind::Primary.span(shift(&main));
        if let Some(label) = &diagnostic.label {
            primary = primary.label(printable(label));
        }
        let related = diagnostic.related.iter().map(|(span, what)| {
            AnnotationKind::Context
                .span(shift(&visible(source, span)))
                .label(printable(what))
        });
        title.element(
            Snippet::source(without_c1(&source[window.clone()]))
                .line_start(first_line)
                .path(file_name)
                .annotation(primary)
                .annotations(related),
        )
    };
    let group = match &diagnostic.help {
        Some(help) => group.element(Level::HELP.message(printable(help))),
        None => group,
    };
    vec![group]
}

/// `text` without C1 controls (U+0080 to U+009F), which the renderer lets through and some terminals obey. What stands
/// for them has as many bytes, so that spans stay right.
fn without_c1(text: &str) -> Cow<'_, str> {
    let c1 = |c: char| ('\u{80}'..='\u{9f}').contains(&c);
    if text.contains(c1) {
        text.replace(c1, "\u{bf}").into()
    } else {
        text.into()
    }
}

/// `span` inside of `source` and on character borders; only its first line, so that a caret and no bracket is drawn.
fn visible(source: &str, span: &Range<usize>) -> Range<usize> {
    let floor = |mut at: usize| {
        at = at.min(source.len());
        while !source.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = floor(span.start);
    let end = floor(span.end.max(span.start));
    let line = source[start..end].find(['\n', '\r']).unwrap_or(end - start);
    start..start + line
}

/// The whole lines that `span` touches, without the last line break.
fn lines_around(source: &str, span: &Range<usize>) -> Range<usize> {
    let start = source[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let end = source[span.end..]
        .find('\n')
        .map_or(source.len(), |at| span.end + at);
    start..end
}

/// Line and column of the byte `at`, both counted from 1, the column in characters.
#[must_use]
pub fn line_and_column(source: &str, at: usize) -> (usize, usize) {
    let at = visible(source, &(at..at)).start;
    let before = &source[..at];
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before[line_start..].chars().count() + 1)
}
