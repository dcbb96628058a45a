//! Whether a file is sent, and what of it: `ETag`, `If-…` and `Range` (RFC 9110, sections 13 and 14).

use std::fs::Metadata;
use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{
    HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use http::{HeaderMap, HeaderValue};

use super::encoding::Encoding;

/// What a file is known by.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) length: u64,
    /// A strong entity tag, quoted.
    pub(super) tag: String,
    /// In whole seconds, as headers have it.
    modified: SystemTime,
}

impl Facts {
    pub(super) fn new(metadata: &Metadata, encoding: Option<Encoding>) -> Self {
        let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
        let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        let packed = encoding.map_or("", Encoding::extension);
        Self {
            length: metadata.len(),
            tag: format!("\"{:x}-{:x}{packed}\"", since.as_nanos(), metadata.len()),
            modified: UNIX_EPOCH + Duration::from_secs(since.as_secs()),
        }
    }

    /// For `Last-Modified`.
    pub(super) fn modified_text(&self) -> String {
        httpdate::fmt_http_date(self.modified)
    }
}

/// What is done with a request for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// All of it is sent.
    Whole,
    /// These bytes are; there is at least one.
    Part(Range<u64>),
    /// The client has it (304).
    NotModified,
    /// It is not the one that the client means (412).
    Failed,
    /// It has no such bytes (416).
    Unsatisfiable,
}

/// The conditions of a request.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    matches: Vec<HeaderValue>,
    none_match: Vec<HeaderValue>,
    modified_since: Option<HeaderValue>,
    unmodified_since: Option<HeaderValue>,
    range: Option<HeaderValue>,
    if_range: Option<HeaderValue>,
}

impl Conditions {
    /// Those of `headers`; a range counts only where the whole file could be sent instead.
    pub(super) fn new(headers: &HeaderMap, whole: bool) -> Self {
        let all = |name: HeaderName| headers.get_all(name).iter().cloned().collect();
        Self {
            matches: all(IF_MATCH),
            none_match: all(IF_NONE_MATCH),
            modified_since: headers.get(IF_MODIFIED_SINCE).cloned(),
            unmodified_since: headers.get(IF_UNMODIFIED_SINCE).cloned(),
            range: headers.get(RANGE).filter(|_| whole).cloned(),
            if_range: headers.get(IF_RANGE).cloned(),
        }
    }

    /// In the order of RFC 9110, section 13.2.2.
    pub(super) fn decide(&self, facts: &Facts) -> Decision {
        let date = |value: &Option<HeaderValue>| {
            httpdate::parse_http_date(value.as_ref()?.to_str().ok()?).ok()
        };
        let failed = if self.matches.is_empty() {
            date(&self.unmodified_since).is_some_and(|since| facts.modified > since)
        } else {
            !names(&self.matches, &facts.tag, false)
        };
        if failed {
            return Decision::Failed;
        }
        let known = if self.none_match.is_empty() {
            date(&self.modified_since).is_some_and(|since| facts.modified <= since)
        } else {
            names(&self.none_match, &facts.tag, true)
        };
        if known {
            return Decision::NotModified;
        }
        let same = match &self.if_range {
            None => true,
            Some(value) if value.as_bytes() == facts.tag.as_bytes() => true,
            Some(_) => date(&self.if_range).is_some_and(|date| date == facts.modified),
        };
        match &self.range {
            Some(range) if same => part(range, facts.length),
            _ => Decision::Whole,
        }
    }
}

/// Whether one of the tags in `values` is `tag`, or any will do; `weak`: also where it is said to be a weak one.
fn names(values: &[HeaderValue], tag: &str, weak: bool) -> bool {
    let mut tags = values
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii);
    tags.any(|one| {
        let one = one.strip_prefix(b"W/").filter(|_| weak).unwrap_or(one);
        one == b"*" || one == tag.as_bytes()
    })
}

/// A single range; what is none, or several, is as if it had not been asked for.
fn part(range: &HeaderValue, length: u64) -> Decision {
    let parsed = || {
        let (unit, range) = range.to_str().ok()?.split_once('=')?;
        let (first, last) = range.trim().split_once('-')?;
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            // One that no number holds lies behind the end of every file.
            digits.then(|| text.parse().unwrap_or(u64::MAX))
        };
        let bytes = unit.trim().eq_ignore_ascii_case("bytes");
        match (first, last) {
            _ if !bytes => None,
            ("", last) => {
                let count = number(last)?;
                Some((length.saturating_sub(count), length, count > 0))
            }
            (first, "") => Some((number(first)?, length, true)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                let end = last.saturating_add(1).min(length);
                (first <= last).then_some((first, end, true))
            }
        }
    };
    match parsed() {
        None => Decision::Whole,
        Some((start, end, true)) if start < end => Decision::Part(start..end),
        Some(_) => Decision::Unsatisfiable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn facts() -> Facts {
        Facts {
            length: 10,
            tag: "\"t\"".to_owned(),
            modified: httpdate::parse_http_date(DATE).expect("a date"),
        }
    }

    #[track_caller]
    fn check(fields: &[(HeaderName, &'static str)], expected: &Decision) {
        let field = |(name, value): &(HeaderName, &'static str)| {
            (name.clone(), HeaderValue::from_static(value))
        };
        let headers: HeaderMap = fields.iter().map(field).collect();
        assert_eq!(
            Conditions::new(&headers, true).decide(&facts()),
            *expected,
            "{fields:?}"
        );
    }

    #[test]
    fn a_client_that_has_it_is_told_so() {
        check(&[], &Decision::Whole);
        check(&[(IF_NONE_MATCH, "\"t\"")], &Decision::NotModified);
        check(&[(IF_NONE_MATCH, "\"a\", W/\"t\"")], &Decision::NotModified);
        check(&[(IF_NONE_MATCH, "*")], &Decision::NotModified);
        check(&[(IF_NONE_MATCH, "\"a\"")], &Decision::Whole);
        check(&[(IF_MODIFIED_SINCE, DATE)], &Decision::NotModified);
        check(
            &[(IF_MODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:36 GMT")],
            &Decision::Whole,
        );
        check(&[(IF_MODIFIED_SINCE, "yesterday")], &Decision::Whole);
        check(
            &[(IF_NONE_MATCH, "\"a\""), (IF_MODIFIED_SINCE, DATE)],
            &Decision::Whole,
        );
    }

    #[test]
    fn a_client_that_means_another_is_told_so() {
        check(&[(IF_MATCH, "\"t\"")], &Decision::Whole);
        check(&[(IF_MATCH, "W/\"t\"")], &Decision::Failed);
        check(&[(IF_MATCH, "\"a\"")], &Decision::Failed);
        check(&[(IF_UNMODIFIED_SINCE, DATE)], &Decision::Whole);
        check(
            &[(IF_UNMODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:36 GMT")],
            &Decision::Failed,
        );
    }

    #[test]
    fn one_range_is_served() {
        let range = |value| [(RANGE, value)];
        check(&range("bytes=0-0"), &Decision::Part(0..1));
        check(&range("bytes=2-4"), &Decision::Part(2..5));
        check(
            &range("bytes=8-99999999999999999999"),
            &Decision::Part(8..10),
        );
        check(&range("bytes=9-"), &Decision::Part(9..10));
        check(&range("bytes=-3"), &Decision::Part(7..10));
        check(&range("bytes=-30"), &Decision::Part(0..10));
        for none in [
            "bytes=10-",
            "bytes=10-12",
            "bytes=-0",
            "bytes=99999999999999999999-",
        ] {
            check(&range(none), &Decision::Unsatisfiable);
        }
        for ignored in [
            "bytes=4-2",
            "bytes=0-1,3-4",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=+1-2",
            "lines=0-1",
            "bytes=a-b",
        ] {
            check(&range(ignored), &Decision::Whole);
        }
    }

    #[test]
    fn a_range_of_another_file_is_none() {
        let check = |value, expected| check(&[(RANGE, "bytes=0-0"), (IF_RANGE, value)], expected);
        check("\"t\"", &Decision::Part(0..1));
        check(DATE, &Decision::Part(0..1));
        check("\"a\"", &Decision::Whole);
        check("W/\"t\"", &Decision::Whole);
        check("Sun, 06 Nov 1994 08:49:38 GMT", &Decision::Whole);
    }
}
