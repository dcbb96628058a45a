//! Parameters of requests: of the URL and, of a form, of its body.

use axum::extract::{Form, FromRequest, Query, Request};
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use wharf_base::clock;
use wharf_signal::Direction;

use super::{Failure, MAX_LINES};

pub(super) const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3_600 * SECOND;
/// How far back labels are looked for; Loki's.
pub(super) const LABELS_SINCE: i64 = 6 * HOUR;
/// How far back lines are looked for; Loki's.
pub(super) const LINES_SINCE: i64 = HOUR;

/// Names and values.
#[derive(Debug, Clone, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        type Pairs = Vec<(String, String)>;
        let of_url = Query::<Pairs>::try_from_uri(request.uri());
        let Query(of_url) = of_url.map_err(|error| Failure::bad(error.to_string()))?;
        let kind = request.headers().get(CONTENT_TYPE);
        let is_form = kind
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if request.method() != Method::POST || !is_form {
            return Ok(Self(of_url));
        }
        let form = Form::<Pairs>::from_request(request, state).await;
        let Form(mut pairs) = form.map_err(|error| Failure::bad(error.to_string()))?;
        // What the body says counts before what the URL says, as in Go.
        pairs.extend(of_url);
        Ok(Self(pairs))
    }
}

/// A span of time, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) start: i64,
    pub(super) end: i64,
}

impl Params {
    /// The first value; an empty one counts as none.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(n, _)| n == name)?;
        (!value.is_empty()).then_some(value)
    }

    /// Every value.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(n, _)| n == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The query; none is an error of Loki's words.
    pub(super) fn query(&self) -> Result<&str, Failure> {
        let message = "parse error : syntax error: unexpected $end";
        self.get("query").ok_or_else(|| Failure::bad(message))
    }

    fn time(&self, name: &str, otherwise: i64) -> Result<i64, Failure> {
        let Some(text) = self.get(name) else {
            return Ok(otherwise);
        };
        parse_time(text).ok_or_else(|| {
            Failure::bad(format!(
                "could not parse '{name}' parameter: {text:?} is neither a time in seconds or nanoseconds nor RFC 3339"
            ))
        })
    }

    /// The instant of a query: `time`.
    pub(super) fn instant(&self) -> Result<i64, Failure> {
        self.time("time", now())
    }

    /// `start` and `end`, or `since`.
    pub(super) fn span(&self, since: i64) -> Result<Span, Failure> {
        let now = now();
        let end = self.time("end", now)?;
        let since = self.duration("since")?.unwrap_or(since);
        let start = self.time("start", end.min(now).saturating_sub(since))?;
        if end < start {
            let message = "end timestamp must not be before or equal to start time";
            return Err(Failure::bad(message));
        }
        Ok(Span { start, end })
    }

    /// A duration in nanoseconds: seconds, or with a unit.
    pub(super) fn duration(&self, name: &str) -> Result<Option<i64>, Failure> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let nanos = match text.parse::<f64>() {
            Ok(seconds) => from_seconds(seconds),
            Err(_) => wharf_logql::parse_duration(text),
        };
        let nanos = nanos.filter(|nanos| *nanos >= 0).ok_or_else(|| {
            Failure::bad(format!(
                "could not parse '{name}' parameter: {text:?} is not a valid duration"
            ))
        })?;
        Ok(Some(nanos))
    }

    /// `step`; without it, about 250 of them.
    pub(super) fn step(&self, span: Span) -> Result<i64, Failure> {
        match self.duration("step")? {
            Some(0) => {
                let message = "zero or negative query resolution step widths are not accepted. Try a positive integer";
                Err(Failure::bad(message))
            }
            Some(step) => Ok(step),
            None => {
                let seconds = span.end.saturating_sub(span.start) / SECOND;
                Ok((seconds / 250).max(1) * SECOND)
            }
        }
    }

    /// A number of things, from 1 on.
    pub(super) fn count(&self, name: &str, otherwise: usize) -> Result<usize, Failure> {
        let Some(text) = self.get(name) else {
            return Ok(otherwise);
        };
        match text.parse() {
            Ok(0) => Err(Failure::bad(format!("{name} must be a positive value"))),
            Ok(count) => Ok(count),
            Err(_) => Err(Failure::bad(format!(
                "could not parse '{name}' parameter: {text:?} is not a whole number"
            ))),
        }
    }

    /// `limit`, of lines.
    pub(super) fn limit(&self) -> Result<usize, Failure> {
        let limit = self.count("limit", 100)?;
        if limit > MAX_LINES {
            return Err(Failure::bad(format!(
                "max entries limit per query exceeded, limit > max_entries_limit_per_query ({limit} > {MAX_LINES})"
            )));
        }
        Ok(limit)
    }

    pub(super) fn direction(&self) -> Result<Direction, Failure> {
        let text = self.get("direction").unwrap_or("backward");
        if text.eq_ignore_ascii_case("forward") {
            return Ok(Direction::Forward);
        }
        if text.eq_ignore_ascii_case("backward") {
            return Ok(Direction::Backward);
        }
        Err(Failure::bad(format!("invalid direction '{text}'")))
    }
}

/// The time now, in nanoseconds.
pub(super) fn now() -> i64 {
    i64::try_from(clock::now().0)
        .unwrap_or(i64::MAX)
        .saturating_mul(1_000_000)
}

fn from_seconds(seconds: f64) -> Option<i64> {
    let nanos = seconds * 1e9;
    #[expect(clippy::cast_possible_truncation, reason = "it is checked")]
    let whole = nanos as i64;
    // 2^63, beyond which there is no nanosecond in 64 bits.
    (nanos.abs() < 9.223e18).then_some(whole)
}

/// Nanoseconds, seconds (with a fraction, or of up to ten digits), or RFC 3339.
pub(super) fn parse_time(text: &str) -> Option<i64> {
    if text.contains('.')
        && let Ok(seconds) = text.parse::<f64>()
    {
        return from_seconds(seconds);
    }
    if let Ok(number) = text.parse::<i64>() {
        return if text.len() <= 10 {
            number.checked_mul(SECOND)
        } else {
            Some(number)
        };
    }
    let time: jiff::Timestamp = text.parse().ok()?;
    i64::try_from(time.as_nanosecond()).ok()
}
