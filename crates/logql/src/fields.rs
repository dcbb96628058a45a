//! The labels of one line on its way through a pipeline.
//!
//! A line has the labels of its stream, its structured metadata and what parsers and formats add. The later hides the earlier; a
//! parser that finds a name of the stream gives it the suffix `_extracted`. Buffers are kept from line to line.

use std::borrow::Cow;

use wharf_signal::Labels;

/// Why something could not be done with a line.
pub(crate) const ERROR: &str = "__error__";
/// More about it.
pub(crate) const ERROR_DETAILS: &str = "__error_details__";
/// Says that errors were asked for, so that a metric may have them.
pub(crate) const PRESERVE_ERROR: &str = "__preserve_error__";
/// What a parsed name gets that the stream has already.
pub(crate) const EXTRACTED: &str = "_extracted";

/// Where a label comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Metadata,
    Parsed,
}

#[derive(Debug)]
struct Added {
    name: String,
    value: String,
    origin: Origin,
}

/// The labels of one line.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    base: Labels,
    /// Names of metadata that lines of this stream had, at these places, and that the stream has not.
    plain: Vec<String>,
    /// Only the first `live` count; the others are buffers for later.
    added: Vec<Added>,
    live: usize,
    removed: Vec<String>,
    error: Cow<'static, str>,
    details: String,
    /// Errors were asked for.
    pub(crate) preserve_error: bool,
}

impl Fields {
    /// Begins a line.
    pub(crate) fn begin(&mut self, stream: &Labels, metadata: &Labels) {
        // Lines of one stream often follow each other.
        if !std::ptr::eq(self.base.as_bytes(), stream.as_bytes()) {
            self.base = stream.clone();
            self.plain.clear();
        }
        self.live = 0;
        self.removed.clear();
        self.error = Cow::Borrowed("");
        self.details.clear();
        for (place, (name, value)) in metadata.iter().enumerate() {
            if self.plain.get(place).is_some_and(|plain| plain == name) {
                self.set(name, value, Origin::Metadata);
                continue;
            }
            match name {
                ERROR => self.error = Cow::Owned(value.to_owned()),
                ERROR_DETAILS => value.clone_into(&mut self.details),
                name if self.base_has(name) => {
                    self.set(&format!("{name}{EXTRACTED}"), value, Origin::Metadata);
                }
                name => {
                    self.set(name, value, Origin::Metadata);
                    self.note_plain(place, name);
                }
            }
        }
    }

    fn note_plain(&mut self, place: usize, name: &str) {
        if place == self.plain.len() {
            self.plain.push(name.to_owned());
        } else if let Some(plain) = self.plain.get_mut(place) {
            name.clone_into(plain);
        }
    }

    /// The stream's labels.
    pub(crate) fn base(&self) -> &Labels {
        &self.base
    }

    /// Whether the stream has it.
    pub(crate) fn base_has(&self, name: &str) -> bool {
        self.base.get(name).is_some()
    }

    fn live(&self) -> &[Added] {
        &self.added[..self.live]
    }

    /// The value by now.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        if let Some(added) = self.live().iter().find(|added| added.name == name) {
            return Some(&added.value);
        }
        if self.removed.iter().any(|removed| removed == name) {
            return None;
        }
        self.base.get(name)
    }

    /// Sets a label.
    pub(crate) fn set(&mut self, name: &str, value: &str, origin: Origin) {
        let buffer = self.slot(name, origin);
        buffer.clear();
        buffer.push_str(value);
    }

    /// Sets what a parser found.
    pub(crate) fn set_parsed(&mut self, name: &str, value: &str) {
        self.set(name, value, Origin::Parsed);
    }

    /// How many labels were added by now; for [`Self::set_first`] and [`Self::rewind`].
    pub(crate) fn mark(&self) -> usize {
        self.live
    }

    /// The buffer for a label's value, unless the label was added since `mark`: of a key that comes twice the first value counts.
    pub(crate) fn set_first(&mut self, name: &str, mark: usize) -> Option<&mut String> {
        let since = self.added.get(mark..self.live).unwrap_or_default();
        if since.iter().any(|added| added.name == name) {
            return None;
        }
        let buffer = self.slot(name, Origin::Parsed);
        buffer.clear();
        Some(buffer)
    }

    /// Forgets what was added since `mark`, and errors since then.
    pub(crate) fn rewind(&mut self, mark: usize) {
        self.live = mark;
        self.clear_error();
        self.clear_details();
    }

    fn slot(&mut self, name: &str, origin: Origin) -> &mut String {
        let found = self.live().iter().position(|added| added.name == name);
        let index = match found {
            Some(index) => index,
            None => {
                let index = self.live;
                if index == self.added.len() {
                    self.added.push(Added {
                        name: String::new(),
                        value: String::new(),
                        origin,
                    });
                }
                self.live += 1;
                let added = &mut self.added[index];
                added.name.clear();
                added.name.push_str(name);
                index
            }
        };
        let added = &mut self.added[index];
        added.origin = origin;
        &mut added.value
    }

    /// Removes a label.
    pub(crate) fn remove(&mut self, name: &str) {
        if let Some(index) = self.live().iter().position(|added| added.name == name) {
            self.live -= 1;
            self.added[index..=self.live].rotate_left(1);
        }
        if self.base_has(name) {
            self.removed.push(name.to_owned());
        }
    }

    pub(crate) fn error(&self) -> &str {
        &self.error
    }

    pub(crate) fn details(&self) -> &str {
        &self.details
    }

    /// Something failed.
    pub(crate) fn set_error(&mut self, error: &'static str, details: &str) {
        self.error = Cow::Borrowed(error);
        details.clone_into(&mut self.details);
    }

    /// A parser failed.
    pub(crate) fn set_parser_error(&mut self, error: &'static str, details: &str) {
        self.set_error(error, details);
        if self.preserve_error {
            self.set_parsed(PRESERVE_ERROR, "true");
        }
    }

    pub(crate) fn clear_error(&mut self) {
        self.error = Cow::Borrowed("");
    }

    pub(crate) fn clear_details(&mut self) {
        self.details.clear();
    }

    /// Whether the labels are the stream's.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.live == 0 && self.removed.is_empty() && self.error.is_empty()
    }

    fn base_left(&self) -> impl Iterator<Item = (&str, &str)> {
        self.base.iter().filter(|(name, _)| {
            !self.removed.iter().any(|removed| removed == name)
                && !self.live().iter().any(|added| added.name == *name)
        })
    }

    /// Every label, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let errors = [
            (ERROR, &*self.error),
            (ERROR_DETAILS, self.details.as_str()),
        ];
        let added = self
            .live()
            .iter()
            .map(|a| (a.name.as_str(), a.value.as_str()));
        let errors = errors.into_iter().filter(|(_, value)| !value.is_empty());
        self.base_left().chain(added).chain(errors)
    }

    /// Every label, as a set.
    pub(crate) fn all(&self) -> Labels {
        if self.is_unchanged() {
            return self.base.clone();
        }
        collect(self.iter().collect())
    }

    /// What is left of the stream's labels.
    pub(crate) fn stream(&self) -> Labels {
        if self.is_unchanged() {
            return self.base.clone();
        }
        Labels::from_sorted(self.base_left())
    }

    /// What is left of the structured metadata.
    pub(crate) fn metadata(&self) -> Labels {
        self.added_of(Origin::Metadata, false)
    }

    /// What was added by stages.
    pub(crate) fn parsed(&self) -> Labels {
        self.added_of(Origin::Parsed, true)
    }

    fn added_of(&self, origin: Origin, errors: bool) -> Labels {
        let added = self.live().iter().filter(|added| added.origin == origin);
        let mut pairs: Vec<_> = added
            .map(|added| (added.name.as_str(), added.value.as_str()))
            .collect();
        if errors {
            pairs.push((ERROR, &self.error));
            pairs.push((ERROR_DETAILS, &self.details));
        }
        collect(pairs)
    }
}

fn collect(mut pairs: Vec<(&str, &str)>) -> Labels {
    pairs.retain(|(_, value)| !value.is_empty());
    pairs.sort_unstable();
    Labels::from_sorted(pairs)
}

/// Which labels a parser has to find.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    All,
    /// None at all: parsers need not run.
    Nothing,
    Only {
        names: Vec<String>,
        found: Vec<bool>,
    },
}

impl Wanted {
    pub(crate) fn only(names: Vec<String>) -> Self {
        let found = vec![false; names.len()];
        Self::Only { names, found }
    }

    /// Begins a line, some of whose labels are known already.
    pub(crate) fn begin(&mut self, fields: &Fields) {
        if let Self::Only { names, found } = self {
            for (name, found) in names.iter().zip(found) {
                *found = fields.live().iter().any(|added| added.name == *name);
            }
        }
    }

    /// Begins a line of which nothing is known.
    pub(crate) fn reset(&mut self) {
        if let Self::Only { found, .. } = self {
            found.fill(false);
        }
    }

    /// Whether a label is wanted.
    pub(crate) fn wants(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Nothing => false,
            Self::Only { names, found } => {
                let mut all = names.iter().zip(found);
                all.any(|(wanted, found)| wanted == name && !found)
            }
        }
    }

    /// Whether a label that begins like this may be wanted.
    pub(crate) fn wants_prefix(&self, prefix: &str) -> bool {
        match self {
            Self::All => true,
            Self::Nothing => false,
            Self::Only { names, .. } => names.iter().any(|name| name.starts_with(prefix)),
        }
    }

    /// Whether a label that begins with this byte may be wanted.
    pub(crate) fn wants_first(&self, first: Option<&u8>) -> bool {
        match self {
            Self::All => true,
            Self::Nothing => false,
            Self::Only { names, .. } => names.iter().any(|name| name.as_bytes().first() == first),
        }
    }

    /// A label was found.
    pub(crate) fn mark(&mut self, name: &str) {
        if let Self::Only { names, found } = self {
            for (wanted, found) in names.iter().zip(found) {
                *found |= wanted == name;
            }
        }
    }

    /// Whether nothing more is wanted.
    pub(crate) fn is_complete(&self) -> bool {
        match self {
            Self::All => false,
            Self::Nothing => true,
            Self::Only { found, .. } => found.iter().all(|found| *found),
        }
    }
}

/// Appends a key as a label's name: letters, digits and `_`, everything else becomes `_`. Blanks around it do not count; a digit
/// at the very beginning gets a `_` before it.
pub(crate) fn push_sanitized(name: &mut String, key: &str) {
    let key = key.trim();
    if name.is_empty() && key.starts_with(|c: char| c.is_ascii_digit()) {
        name.push('_');
    }
    if key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        name.push_str(key);
        return;
    }
    let clean = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    name.extend(key.chars().map(clean));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Fields {
        let mut fields = Fields::default();
        let stream = Labels::from_pairs([("app", "a"), ("level", "info")]);
        let metadata = Labels::from_pairs([("trace_id", "1"), ("level", "warn")]);
        fields.begin(&stream, &metadata);
        fields
    }

    #[test]
    fn metadata_gives_way_to_the_stream_and_to_what_is_parsed() {
        let mut fields = fields();
        assert_eq!(fields.get("level"), Some("info"));
        assert_eq!(fields.get("level_extracted"), Some("warn"));
        fields.set_parsed("trace_id", "2");
        assert_eq!(fields.metadata().to_string(), r#"{level_extracted="warn"}"#);
        assert_eq!(fields.parsed().to_string(), r#"{trace_id="2"}"#);
        assert_eq!(fields.stream().to_string(), r#"{app="a", level="info"}"#);
    }

    #[test]
    fn streams_that_follow_each_other_are_told_apart() {
        let mut fields = Fields::default();
        let metadata = |names: [&str; 2]| Labels::from_pairs(names.map(|name| (name, "m")));
        let streams = ["a", "b", "c"].map(|name| Labels::from_pairs([(name, "s")]));
        for stream in [0, 0, 1, 2, 0] {
            for names in [["a", "b"], ["a", "c"], ["__error__", "b"], ["b", "c"]] {
                let stream = &streams[stream];
                fields.begin(stream, &metadata(names));
                let expected = names.map(|name| match stream.get(name) {
                    Some(_) => format!("{name}_extracted"),
                    None => name.to_owned(),
                });
                for name in expected.iter().filter(|name| *name != ERROR) {
                    assert_eq!(fields.get(name), Some("m"), "{stream} {names:?}");
                }
                for (name, value) in stream {
                    assert_eq!(fields.get(name), Some(value), "{stream} {names:?}");
                }
                let error = if names[0] == ERROR { "m" } else { "" };
                assert_eq!(fields.error(), error);
            }
        }
    }

    #[test]
    fn what_is_removed_is_gone_until_it_is_set_again() {
        let mut fields = fields();
        for name in ["app", "trace_id", "missing"] {
            fields.remove(name);
            assert_eq!(fields.get(name), None);
        }
        fields.set_parsed("app", "b");
        assert_eq!(
            fields.all().to_string(),
            r#"{app="b", level="info", level_extracted="warn"}"#
        );
    }

    #[test]
    fn keys_become_names() {
        for (key, expected) in [("a.b-c", "a_b_c"), (" 9a ", "_9a"), ("ä", "_"), ("", "")] {
            let mut name = String::new();
            push_sanitized(&mut name, key);
            assert_eq!(name, expected, "{key}");
        }
    }
}
