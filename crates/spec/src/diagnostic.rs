//! What is wrong with the file, where, and what would have been right.

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

/// The word of `words` that `word` was most likely meant to be, if one is near enough.
#[must_use]
pub fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A third of the letters, at least one, may differ: `replica` -> `replicas`, `prot` -> `port`.
    let allowed = (word.chars().count() / 3).max(1);
    words
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
