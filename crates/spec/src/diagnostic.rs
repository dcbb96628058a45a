//! What is wrong with the file, where, and what would have been right.

mod codes;
mod render;

pub use codes::{CODES, Code};
pub use render::{line_and_column, render};

use std::ops::Range;

/// How much a [`Diagnostic`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file works; something in it will surprise.
    Warning,
    /// The file cannot be used.
    Error,
}

/// One finding about the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable code such as `W012`; documented in the reference.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong, one sentence without its full stop.
    pub message: String,
    /// The bytes of the file at fault.
    pub span: Range<usize>,
    /// What stands under the caret: what was expected there.
    pub label: Option<String>,
    /// What to try: "did you mean `replicas`?".
    pub help: Option<String>,
    /// Another place that belongs to it, with what it is.
    pub related: Vec<(Range<usize>, String)>,
}

impl Diagnostic {
    /// An error of the kind `code` at `span`.
    #[must_use]
    pub fn error(code: Code, span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            code: code.id,
            severity: Severity::Error,
            message: message.into(),
            span,
            label: None,
            help: None,
            related: vec![],
        }
    }

    /// A warning of the kind `code` at `span`.
    #[must_use]
    pub fn warning(code: Code, span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, span, message)
        }
    }

    /// With what stands under the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// With what to try.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With "did you mean", if any of `words` comes near `word`.
    #[must_use]
    pub fn did_you_mean<'a>(self, word: &str, words: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(word, words) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    /// With another place that belongs to it.
    #[must_use]
    pub fn related(mut self, span: Range<usize>, what: impl Into<String>) -> Self {
        self.related.push((span, what.into()));
        self
    }
}

/// Longer words are nobody's typing error, and the distance takes the product of both lengths.
const NEAREST_MAX_BYTES: usize = 64;

/// The word of `words` that `word` was most likely meant to be, if one is near enough.
#[must_use]
pub fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > NEAREST_MAX_BYTES {
        return None;
    }
    // A third of the letters, at least one, may differ: `replica` -> `replicas`, `prot` -> `port`.
    let allowed = (word.chars().count() / 3).max(1);
    words
        .into_iter()
        .filter(|candidate| candidate.len() <= NEAREST_MAX_BYTES)
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| {
            // Of a word of one letter everything would be near.
            *distance <= allowed && *distance < candidate.chars().count()
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `text` for a message: cut to a length that a person reads, control characters escaped.
#[must_use]
pub fn excerpt(text: &str) -> String {
    // More does not help to recognise what was typed.
    clipped(text, 60)
}

/// The first `max_chars` characters of `text`, control characters escaped.
#[must_use]
pub fn clipped(text: &str, max_chars: usize) -> String {
    let mut short: String = text.chars().take(max_chars).collect();
    if text.chars().nth(max_chars).is_some() {
        short.push('…');
    }
    printable(&short).into_owned()
}

/// `text` with what a terminal would obey instead of show escaped: control characters, and those that turn the
/// direction of the text (Unicode, UAX #9).
#[must_use]
pub fn printable(text: &str) -> std::borrow::Cow<'_, str> {
    let obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(obeyed) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if obeyed(c) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped.into()
}

/// `a`, `b` and `c`, each in backticks, for a message.
#[must_use]
pub fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// More findings than this are dropped: nobody reads them, and a hostile file could make millions.
pub const FINDINGS_MAX: usize = 100;

/// Where the parser, the decoder and the checks put what they find.
#[derive(Debug, Default)]
pub struct Findings {
    found: Vec<Diagnostic>,
    incomplete: bool,
    errors: bool,
}

impl Findings {
    /// Adds `diagnostic`, unless the same one is there.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.errors |= diagnostic.severity == Severity::Error;
        if self.found.contains(&diagnostic) {
            return;
        }
        if self.found.len() < FINDINGS_MAX {
            self.found.push(diagnostic);
        } else {
            self.incomplete = true;
        }
    }

    /// What has been kept so far, in the order of finding.
    #[must_use]
    pub fn as_slice(&self) -> &[Diagnostic] {
        &self.found
    }

    /// Whether one of them is an error, the dropped ones included.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors
    }

    /// Whether further findings are dropped. Who asks stops looking for them, as no search is worth its time then.
    pub fn is_full(&mut self) -> bool {
        self.incomplete |= self.found.len() >= FINDINGS_MAX;
        self.incomplete
    }

    /// All of them in the order of the file, the last one saying so if there may be more.
    #[must_use]
    pub fn into_sorted(self) -> Vec<Diagnostic> {
        let Self {
            mut found,
            incomplete,
            ..
        } = self;
        found.sort_by(|a, b| {
            let key = |d: &Diagnostic| (d.span.start, d.span.end, d.code);
            key(a).cmp(&key(b))
        });
        if incomplete {
            let end = found.last().map_or(0..0, |d| d.span.clone());
            let message = format!("only the first {FINDINGS_MAX} findings are shown");
            found.push(
                Diagnostic::error(Code::MORE, end, message)
                    .help("correct these first, then check again"),
            );
        }
        found
    }
}
