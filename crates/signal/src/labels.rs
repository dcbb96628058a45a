//! Label sets.
//!
//! A set is one allocation: names and values in the order of the names, each behind its length. Comparing and hashing need
//! no second look-up, and a clone is a reference count. The lengths are ASCII, so that the whole is text and no part of it has to
//! be checked again.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

/// The label that carries a metric's name.
pub const NAME: &str = "__name__";

/// Names and values, ordered by name, each name once, no value empty: an empty value means that the label is not there.
#[derive(Clone)]
pub struct Labels(Arc<str>);

static EMPTY: LazyLock<Labels> = LazyLock::new(|| Labels(Arc::from("")));

impl Labels {
    /// No labels.
    #[must_use]
    pub fn empty() -> Self {
        EMPTY.clone()
    }

    /// A set of these pairs in any order. Of a name that comes twice the last value counts.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut builder = Builder::default();
        for (name, value) in pairs {
            builder.set(name, value);
        }
        builder.build()
    }

    /// A set of pairs that are ordered by name already, each name once, no value empty.
    pub fn from_sorted<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut all = String::with_capacity(128);
        for (name, value) in pairs {
            push(&mut all, name);
            push(&mut all, value);
        }
        if all.is_empty() {
            return Self::empty();
        }
        Self(all.into())
    }

    /// The pairs, ordered by name.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter(&self.0)
    }

    /// The value of a label; empty if it is not there.
    #[must_use]
    pub fn value(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// The value of a label.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        for (n, value) in self {
            match n.cmp(name) {
                Ordering::Less => {}
                Ordering::Equal => return Some(value),
                Ordering::Greater => return None,
            }
        }
        None
    }

    /// The metric's name; empty if there is none.
    #[must_use]
    pub fn name(&self) -> &str {
        self.value(NAME)
    }

    /// How many labels there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These labels without those that `drop` names.
    #[must_use]
    pub fn without(&self, drop: impl Fn(&str) -> bool) -> Self {
        if !self.iter().any(|(name, _)| drop(name)) {
            return self.clone();
        }
        Self::from_sorted(self.iter().filter(|(name, _)| !drop(name)))
    }

    /// Those of these labels that `keep` names.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&str) -> bool) -> Self {
        self.without(|name| !keep(name))
    }

    /// A builder that begins with these labels.
    #[must_use]
    pub fn edit(&self) -> Builder {
        Builder {
            pairs: self
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    /// The bytes that it is held in: the same for equal sets, and for no others.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Says that a length takes five more bytes.
const LONG: u8 = 0x7f;

/// Lengths below 127 take one byte, others six: seven bits in each that follows, the lowest first.
fn push(all: &mut String, text: &str) {
    match u8::try_from(text.len()) {
        Ok(short) if short < LONG => all.push(char::from(short)),
        _ => {
            let length = u32::try_from(text.len()).expect("a label is shorter than 4 GiB");
            all.push(char::from(LONG));
            all.extend((0..5).map(|n| char::from((length >> (7 * n)) as u8 & 0x7f)));
        }
    }
    all.push_str(text);
}

/// The pairs of a set.
#[derive(Debug, Clone)]
pub struct Iter<'a>(&'a str);

impl<'a> Iter<'a> {
    fn text(&mut self) -> Option<&'a str> {
        let first = *self.0.as_bytes().first()?;
        let (length, begin) = if first < LONG {
            (usize::from(first), 1)
        } else {
            let digits = self.0.as_bytes().get(1..6)?;
            let length = digits.iter().rev().fold(0, |n, d| n << 7 | usize::from(*d));
            (length, 6)
        };
        let (text, rest) = self.0.get(begin..)?.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.text()?, self.text()?))
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = (&'a str, &'a str);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self::empty()
    }
}

impl PartialEq for Labels {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Labels {}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Ord for Labels {
    /// By the first pair that differs, as Prometheus orders series; a set that begins another comes before it.
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// As Prometheus writes a set, `{a="1", b="2"}`, with the escapes of its text format: `\\`, `\"` and `\n`, and no others.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, (name, value)) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name}=\"")?;
            let mut plain = value;
            while let Some(at) = plain.find(['\\', '"', '\n']) {
                let (before, rest) = plain.split_at(at);
                f.write_str(before)?;
                f.write_str(match rest.as_bytes().first() {
                    Some(b'\n') => "\\n",
                    Some(b'"') => "\\\"",
                    _ => "\\\\",
                })?;
                plain = rest.get(1..).unwrap_or_default();
            }
            write!(f, "{plain}\"")?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Makes a set.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    pairs: Vec<(String, String)>,
}

impl Builder {
    /// Sets a label; an empty value removes it.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) -> &mut Self {
        let (name, value) = (name.into(), value.into());
        match self.pairs.iter_mut().find(|(n, _)| *n == name) {
            Some(pair) => pair.1 = value,
            None => self.pairs.push((name, value)),
        }
        self
    }

    /// Removes a label.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.pairs.retain(|(n, _)| n != name);
        self
    }

    /// The value that a label has by now.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let pair = self.pairs.iter().find(|(n, _)| n == name)?;
        Some(&pair.1)
    }

    /// The set.
    #[must_use]
    pub fn build(mut self) -> Labels {
        self.pairs.retain(|(_, value)| !value.is_empty());
        self.pairs.sort_unstable();
        Labels::from_sorted(self.pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_ordered_and_have_no_empty_values() {
        let labels = Labels::from_pairs([("b", "2"), ("a", "1"), ("c", ""), ("b", "3")]);
        assert_eq!(labels.to_string(), r#"{a="1", b="3"}"#);
        assert_eq!(labels.get("b"), Some("3"));
        assert_eq!(labels.value("c"), "");
        assert_eq!(labels.without(|name| name == "a").to_string(), r#"{b="3"}"#);
        assert!(Labels::from_pairs([("a", "")]).is_empty());
    }

    #[test]
    fn values_are_written_as_prometheus_escapes_them() {
        let labels = Labels::from_pairs([("a", "\\ \" \n \t \r \0 ' \u{ad} é \u{1f600}")]);
        let expected = "{a=\"\\\\ \\\" \\n \t \r \0 ' \u{ad} é \u{1f600}\"}";
        assert_eq!(labels.to_string(), expected);
        assert_eq!(format!("{labels:?}"), expected);
        assert_eq!(Labels::from_pairs([("a", "\\")]).to_string(), r#"{a="\\"}"#);
    }

    #[test]
    fn long_values_are_kept() {
        for length in [
            0, 1, 126, 127, 128, 254, 255, 256, 16_384, 2_097_151, 2_097_152,
        ] {
            let value = "x".repeat(length);
            let labels = Labels::from_pairs([("a", value.clone()), ("b", "y".to_owned())]);
            assert_eq!(labels.value("a"), value);
            assert_eq!(labels.value("b"), "y");
        }
    }

    #[test]
    fn the_order_is_that_of_the_pairs() {
        let a = Labels::from_pairs([("a", "10")]);
        let b = Labels::from_pairs([("a", "9")]);
        let c = Labels::from_pairs([("a", "10"), ("b", "1")]);
        let mut all = vec![b.clone(), c.clone(), Labels::empty(), a.clone()];
        all.sort();
        assert_eq!(all, [Labels::empty(), a, c, b]);
    }
}
