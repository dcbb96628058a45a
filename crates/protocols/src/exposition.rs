//! What `/metrics` says: Prometheus's text format 0.0.4 and OpenMetrics 1.0.
//!
//! [`parse`] is for scraping: one pass, no allocation for a sample's line, and names and labels are decoded only when
//! [`SampleLine::labels`] is asked, which is once for each new series. [`validate`] judges an OpenMetrics exposition as the
//! specification does, and is for tests and for people.
//!
//! Both formats are read as Prometheus 3 reads them: quoted UTF-8 names, bounds of buckets and quantiles in OpenMetrics'
//! spelling. What is not UTF-8 is refused, comments of the text format aside.

mod number;
mod parse;
mod series;
mod validate;
mod write;

use std::borrow::Cow;

use wharf_signal::{Exemplar, Labels, MetricKind};

pub use number::{float_text, openmetrics_float_text};
pub use parse::parse;
pub use validate::validate;
pub use write::{Family, FamilySample, write_openmetrics, write_text};

pub(crate) use number::parse_float;
pub(crate) use series::Rules;

/// What a scrape asks for, the best first.
pub const ACCEPT: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
    application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
    text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

/// In which format an exposition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Prometheus's text, 0.0.4 and 1.0.0.
    Text,
    /// OpenMetrics 1.0.0 and 0.0.1.
    OpenMetrics,
}

impl Format {
    /// The format that a `Content-Type` names; none if it names another, or nothing.
    #[must_use]
    pub fn of(content_type: &str) -> Option<Self> {
        let mut parts = content_type.split(';').map(str::trim);
        let media = parts.next()?;
        if media.eq_ignore_ascii_case("text/plain") {
            return Some(Self::Text);
        }
        // Version 2 is another language.
        let known = parts.all(|part| match part.split_once('=') {
            Some((name, version)) if name.trim().eq_ignore_ascii_case("version") => {
                ["1.0.0", "0.0.1"].contains(&version.trim().trim_matches('"'))
            }
            _ => true,
        });
        (media.eq_ignore_ascii_case("application/openmetrics-text") && known)
            .then_some(Self::OpenMetrics)
    }

    /// The `Content-Type` of what [`write_text`] and [`write_openmetrics`] write.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// One thing that an exposition says.
#[derive(Debug, Clone, PartialEq)]
pub enum Item<'a> {
    /// `# HELP family text`
    Help {
        /// Of which family.
        family: &'a str,
        /// Unescaped.
        text: Cow<'a, str>,
    },
    /// `# TYPE family kind`
    Type {
        /// Of which family.
        family: &'a str,
        /// Its kind.
        kind: MetricKind,
    },
    /// `# UNIT family unit`
    Unit {
        /// Of which family.
        family: &'a str,
        /// Its unit; may be empty.
        unit: &'a str,
    },
    /// `name{label="value"} 1 1700000000`
    Sample(SampleLine<'a>),
    /// `# EOF`, which ends OpenMetrics.
    Eof,
}

/// A sample.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleLine<'a> {
    /// Name and labels as they were written: the key under which what [`Self::labels`] gave is kept.
    pub series: &'a str,
    /// The value; every NaN is the same, and none is the mark of staleness.
    pub value: f64,
    /// Milliseconds since the Unix epoch, if the target said a time.
    pub t: Option<i64>,
    /// An example, if there is one.
    pub exemplar: Option<Exemplar>,
    /// The kind that was said last: that of the series' family, in an exposition that is in order.
    pub kind: MetricKind,
    format: Format,
    /// What comes before the line, to count lines if need be.
    before: &'a [u8],
}

impl SampleLine<'_> {
    /// Name and labels.
    ///
    /// # Errors
    /// `series` is not written as the format wants it, or names a label twice.
    pub fn labels(&self) -> Result<Labels, ParseError> {
        let rules = match self.format {
            Format::Text => Rules::Text,
            Format::OpenMetrics => Rules::OpenMetrics,
        };
        self.labels_by(rules)
    }

    fn labels_by(&self, rules: Rules) -> Result<Labels, ParseError> {
        series::labels(self.series, rules, self.kind)
            .map_err(|wrong| wrong.at(self.line(), self.series))
    }

    /// In which line it begins; the first is 1.
    #[must_use]
    pub fn line(&self) -> usize {
        line_after(self.before)
    }
}

fn line_after(before: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', before).count() + 1
}

/// Why an exposition is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: expected {expected} at {found:?}")]
pub struct ParseError {
    /// The first is 1.
    pub line: usize,
    /// What should be there, or hold.
    pub expected: Cow<'static, str>,
    /// What is there: the beginning of it.
    pub found: String,
}

impl ParseError {
    fn new(line: usize, expected: impl Into<Cow<'static, str>>, found: &[u8]) -> Self {
        // Enough to find the place.
        const SHOWN: usize = 60;
        let end = found
            .iter()
            .take(SHOWN)
            .position(|b| *b == b'\n')
            .unwrap_or(found.len().min(SHOWN));
        Self {
            line,
            expected: expected.into(),
            found: String::from_utf8_lossy(&found[..end]).into_owned(),
        }
    }
}

/// What is wrong with a piece of a line, and where in it.
#[derive(Debug)]
pub(crate) struct Wrong {
    expected: Cow<'static, str>,
    at: usize,
}

impl Wrong {
    fn new(at: usize, expected: impl Into<Cow<'static, str>>) -> Self {
        Self {
            expected: expected.into(),
            at,
        }
    }

    fn at(self, line: usize, piece: &str) -> ParseError {
        let found = piece.as_bytes().get(self.at..).unwrap_or_default();
        ParseError::new(line, self.expected, found)
    }

    /// What should be there.
    pub(crate) fn expected(self) -> Cow<'static, str> {
        self.expected
    }
}

#[cfg(test)]
mod tests;
