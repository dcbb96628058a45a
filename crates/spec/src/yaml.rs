//! YAML text -> a tree in which every part knows its bytes.
//!
//! Everything is bounded ([`FILE_MAX_BYTES`], [`DEPTH_MAX`], [`NODES_MAX`], [`TEXT_MAX_BYTES`]), aliases included, so
//! that a hostile file ends in a diagnostic. Scalars stay the text that was typed: `version: 1.10` is never the number
//! 1.1, and `no` is never false. Of YAML there are no tags, no keys other than texts and one document only; `<<` merges.

mod build;

use std::ops::Range;

use saphyr_parser::{Parser, ScanError};

use crate::diagnostic::{Code, Diagnostic, Findings};
use build::Builder;

/// A file that a person writes has a few kilobytes; this leaves room for generated ones.
pub const FILE_MAX_BYTES: usize = 1 << 20;
/// The deepest key of the model lies at about 10; `x-…` and patches may hold foreign documents.
pub const DEPTH_MAX: usize = 64;
/// Two hundred services with fifty keys each, five times over. Parts that an alias repeats count each time.
pub const NODES_MAX: usize = 50_000;
/// The text of all scalars, what aliases repeat included.
pub const TEXT_MAX_BYTES: usize = 4 << 20;

/// One part of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its bytes. For a block of several lines: its first key or item.
    pub span: Range<usize>,
    /// What it is.
    pub kind: Kind,
}

/// What a [`Node`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    /// A text, as it was typed.
    Scalar(Scalar),
    /// `- a` or `[a]`
    List(Vec<Node>),
    /// `a: b` or `{a: b}`; no key occurs twice.
    Map(Vec<Entry>),
}

/// A text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// Its characters, escapes resolved.
    pub text: String,
    /// Whether it stands without quotes, so that `true` may mean a truth value.
    pub plain: bool,
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The value.
    pub value: Node,
}

/// A key of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its text.
    pub text: String,
    /// Its bytes.
    pub span: Range<usize>,
}

impl Node {
    /// The entries of a map; none for everything else.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The entry of a map with the key `key`.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key.text == key)
    }

    /// What it is, for "found …".
    #[must_use]
    pub fn described(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".to_owned(),
            Kind::Scalar(scalar) => format!("`{}`", crate::diagnostic::excerpt(&scalar.text)),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a map".to_owned(),
        }
    }
}

/// Reads a file. None if there is no tree at all; a tree may come with findings.
#[must_use]
pub fn parse(bytes: &[u8], findings: &mut Findings) -> Option<Node> {
    if bytes.len() > FILE_MAX_BYTES {
        let message = format!(
            "the file has {} bytes; at most {FILE_MAX_BYTES} are read",
            bytes.len()
        );
        findings.report(Diagnostic::error(Code::TOO_LARGE, 0..0, message).help(
            "is this the right file? `wharf.yaml` describes the stack, data belongs elsewhere",
        ));
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.valid_up_to();
            let message =
                format!("the file is not UTF-8: the byte at offset {at} starts no character");
            findings.report(
                Diagnostic::error(Code::NOT_UTF8, at..at, message).help("save the file as UTF-8"),
            );
            return None;
        }
    };
    // The mark is no part of the first key; the parser's indices are counted behind it.
    let (mark, text) = match text.strip_prefix('\u{feff}') {
        Some(rest) => (text.len() - rest.len(), rest),
        None => (0, text),
    };
    let offsets = Offsets::new(text, mark);
    let mut builder = Builder::new(&offsets);
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => {
                if let Err(diagnostic) = builder.event(event, span, findings) {
                    findings.report(*diagnostic);
                    return None;
                }
            }
            Err(error) => {
                findings.report(syntax(&error, text, &offsets));
                return None;
            }
        }
    }
    let root = builder.finish();
    if root.is_none() {
        findings.report(
            Diagnostic::error(Code::DOCUMENTS, mark..mark, "the file is empty")
                .help("a first one: `name: app`, `services: { web: { build: ., port: 3000 } }`"),
        );
    }
    root
}

/// Characters (what the parser counts) -> bytes.
struct Offsets {
    /// The byte of each character; empty where every character is one byte.
    bytes: Vec<u32>,
    /// The bytes in front of the text.
    mark: usize,
    len: usize,
}

impl Offsets {
    fn new(text: &str, mark: usize) -> Self {
        let bytes = if text.is_ascii() {
            vec![]
        } else {
            text.char_indices()
                .map(|(at, _)| u32::try_from(at).unwrap_or(u32::MAX))
                .collect()
        };
        Self {
            bytes,
            mark,
            len: text.len(),
        }
    }

    fn byte(&self, index: usize) -> usize {
        let within = if self.bytes.is_empty() {
            index.min(self.len)
        } else {
            self.bytes.get(index).map_or(self.len, |at| *at as usize)
        };
        self.mark + within
    }

    fn span(&self, span: saphyr_parser::Span) -> Range<usize> {
        let start = self.byte(span.start.index());
        start..self.byte(span.end.index()).max(start)
    }
}

/// A syntax error, with what is known of its usual causes.
fn syntax(error: &ScanError, text: &str, offsets: &Offsets) -> Diagnostic {
    let at = offsets.byte(error.marker().index());
    let within = (at - offsets.mark).min(text.len());
    let line_start = text[..within].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[within..]
        .find('\n')
        .map_or(text.len(), |end| within + end);
    let line = &text[line_start..line_end];
    let help = if line.trim_start_matches(' ').starts_with('\t') {
        Some("YAML indents with spaces, never with tabs")
    } else if line.contains("${") && line.contains('{') {
        Some("inside of `{ }` and `[ ]` a text with `${…}` needs quotes: `\"${db.url}\"`")
    } else if error.info().contains("quoted scalar") {
        Some(
            "the quote that begins here is not closed, or a later line of the text is not indented",
        )
    } else if line.matches(": ").count() > 1 && !line.contains('{') {
        Some("a text that holds `: ` needs quotes")
    } else {
        None
    };
    let end = text[within..]
        .chars()
        .next()
        .map_or(at, |c| at + c.len_utf8());
    let diagnostic = Diagnostic::error(
        Code::SYNTAX,
        at..end,
        format!(
            "this is not YAML: {}",
            crate::diagnostic::clipped(error.info(), 160)
        ),
    );
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}
