//! Matchers of labels: `=`, `!=`, `=~`, `!~`.

use std::fmt;

use crate::Labels;

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, the whole value
    Regex,
    /// `!~`
    NotRegex,
}

impl MatchOp {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// A regular expression that is none.
#[derive(Debug, Clone, thiserror::Error)]
#[error("error parsing regexp {pattern:?}")]
pub struct MatcherError {
    /// What was given.
    pub pattern: String,
    /// Why not.
    pub source: regex::Error,
}

/// One condition on a label. A label that is not there has the empty value.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// The label.
    pub name: String,
    /// How it is compared.
    pub op: MatchOp,
    /// With what: a text, or a regular expression.
    pub value: String,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    Text,
    /// `a|b|c`: no expression is needed.
    OneOf(Vec<String>),
    Regex(regex::Regex),
}

impl Matcher {
    /// A condition.
    ///
    /// # Errors
    /// `value` is no regular expression, and `op` wants one.
    pub fn new(
        name: impl Into<String>,
        op: MatchOp,
        value: impl Into<String>,
    ) -> Result<Self, MatcherError> {
        let value = value.into();
        let test = match op {
            MatchOp::Equal | MatchOp::NotEqual => Test::Text,
            MatchOp::Regex | MatchOp::NotRegex => match alternatives(&value) {
                Some(values) => Test::OneOf(values),
                None => Test::Regex(whole(&value)?),
            },
        };
        Ok(Self {
            name: name.into(),
            op,
            value,
            test,
        })
    }

    /// `name="value"`.
    #[must_use]
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            op: MatchOp::Equal,
            value: value.into(),
            test: Test::Text,
        }
    }

    /// Whether a value fulfils it.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        let found = match &self.test {
            Test::Text => self.value == value,
            Test::OneOf(values) => values.iter().any(|v| v == value),
            Test::Regex(regex) => regex.is_match(value),
        };
        found != matches!(self.op, MatchOp::NotEqual | MatchOp::NotRegex)
    }

    /// Whether a label set fulfils it.
    #[must_use]
    pub fn matches_labels(&self, labels: &Labels) -> bool {
        self.matches(labels.value(&self.name))
    }

    /// Whether a series without the label fulfils it.
    #[must_use]
    pub fn matches_empty(&self) -> bool {
        self.matches("")
    }

    /// The values that it allows, where they can be listed: of `=` and of `=~"a|b"`.
    #[must_use]
    pub fn values(&self) -> Option<Vec<&str>> {
        match (self.op, &self.test) {
            (MatchOp::Equal, _) => Some(vec![&self.value]),
            (MatchOp::Regex, Test::OneOf(values)) => {
                Some(values.iter().map(String::as_str).collect())
            }
            _ => None,
        }
    }
}

/// A regular expression of the whole text in which `.` is every character, as in Prometheus 3.
fn whole(pattern: &str) -> Result<regex::Regex, MatcherError> {
    regex::RegexBuilder::new(&format!("^(?s:{})$", crate::translate_regexp(pattern)))
        // What a hostile pattern may cost; Go's has no such limit but a nesting depth.
        .size_limit(4 << 20)
        .build()
        .map_err(|source| MatcherError {
            pattern: pattern.to_owned(),
            source,
        })
}

/// The texts of `a|b|c`, if there is nothing else in it.
fn alternatives(pattern: &str) -> Option<Vec<String>> {
    let special = |c: char| "\\.+*?()[]{}^$".contains(c);
    (!pattern.contains(special)).then(|| pattern.split('|').map(str::to_owned).collect())
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Eq for Matcher {}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{:?}", self.name, self.op.as_str(), self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(op: MatchOp, pattern: &str, value: &str, expected: bool) {
        let matcher = Matcher::new("a", op, pattern).expect("a matcher");
        assert_eq!(matcher.matches(value), expected, "{matcher} on {value:?}");
    }

    #[test]
    fn values_are_compared_as_a_whole() {
        check(MatchOp::Equal, "x", "x", true);
        check(MatchOp::NotEqual, "x", "", true);
        check(MatchOp::Regex, "x|y", "y", true);
        check(MatchOp::Regex, "x|y", "xy", false);
        check(MatchOp::Regex, "x.*", "x\ny", true);
        check(MatchOp::Regex, "x", "axb", false);
        check(MatchOp::Regex, "", "", true);
        check(MatchOp::Regex, "5..", "503", true);
        check(MatchOp::NotRegex, "5..", "200", true);
        check(MatchOp::NotRegex, "a|", "", false);
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        assert!(Matcher::new("a", MatchOp::Regex, "(").is_err());
    }
}
