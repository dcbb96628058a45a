//! The parameters of a request: those of its URL and, of a form, those of its body; and the values in them.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};

/// The largest form. A query of a dashboard is a few KiB.
const FORM_MAX_BYTES: usize = 4 << 20;

/// Names and values in the order in which they came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// The first value of `name`; an empty one counts as none.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(n, _)| n == name)?;
        (!found.1.is_empty()).then_some(found.1.as_str())
    }

    /// Every value of `name`.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let of_name = self.0.iter().filter(move |(n, _)| n == name);
        of_name.map(|(_, value)| value.as_str())
    }

    /// The value of `name`, which has to be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str, String> {
        self.get(name)
            .ok_or_else(|| format!("invalid parameter {name:?}: it is missing"))
    }

    /// A time, in milliseconds; none if there is no such parameter.
    pub(crate) fn time(&self, name: &str) -> Result<Option<i64>, String> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let time = parse_time(text).ok_or_else(|| {
            format!("invalid parameter {name:?}: cannot parse {text:?} to a valid timestamp")
        })?;
        Ok(Some(time))
    }

    /// A duration: seconds, or as PromQL writes it; none if there is no such parameter.
    pub(crate) fn duration(&self, name: &str) -> Result<Option<Duration>, String> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let duration = parse_duration(text).ok_or_else(|| {
            format!("invalid parameter {name:?}: cannot parse {text:?} to a valid duration")
        })?;
        Ok(Some(duration))
    }

    /// A number of things; none if there is no such parameter.
    pub(crate) fn count(&self, name: &str) -> Result<Option<usize>, String> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let count = text
            .parse()
            .map_err(|_| format!("invalid parameter {name:?}: {text:?} is not a whole number"))?;
        Ok(Some(count))
    }
}

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = (StatusCode, String);

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let is_form = request.method() == Method::POST
            && request
                .headers()
                .get(CONTENT_TYPE)
                .and_then(|kind| kind.to_str().ok())
                .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let mut pairs = vec![];
        if is_form {
            let body = axum::body::to_bytes(request.into_body(), FORM_MAX_BYTES).await;
            let body: Bytes = body.map_err(|error| {
                (
                    StatusCode::BAD_REQUEST,
                    format!("the form cannot be read: {error}"),
                )
            })?;
            // What the body says counts before what the URL says, as in Go.
            pairs.extend(form_urlencoded::parse(&body).into_owned());
        }
        pairs.extend(form_urlencoded::parse(query.as_bytes()).into_owned());
        Ok(Self(pairs))
    }
}

/// The times that stand for the least and the greatest in Prometheus's API.
const MIN_TIME: &str = "-292273086-05-16T16:47:06Z";
const MAX_TIME: &str = "+292277025-08-18T07:12:54.999999999Z";

/// Seconds with a fraction, or RFC 3339; in milliseconds.
pub(crate) fn parse_time(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return millis(seconds);
    }
    match text {
        MIN_TIME => Some(i64::MIN / 1_000_000),
        MAX_TIME => Some(i64::MAX / 1_000_000),
        _ => text
            .parse::<jiff::Timestamp>()
            .ok()
            .map(jiff::Timestamp::as_millisecond),
    }
}

/// Seconds with a fraction, or as PromQL writes a duration.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let millis = wharf_promql::parse_duration(text).ok()?;
    u64::try_from(millis).ok().map(Duration::from_millis)
}

fn millis(seconds: f64) -> Option<i64> {
    let millis = (seconds * 1000.0).round();
    // Beyond this a float does not tell milliseconds apart, and no clock gets there.
    (millis.abs() < 9.0e15).then(|| {
        #[expect(clippy::cast_possible_truncation, reason = "checked above")]
        let millis = millis as i64;
        millis
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_time(text: &str, expected: Option<i64>) {
        assert_eq!(parse_time(text), expected, "{text:?}");
    }

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        check_time("1435781451.781", Some(1_435_781_451_781));
        check_time("0", Some(0));
        check_time("-1.5", Some(-1_500));
        check_time("2015-07-01T20:10:51.781Z", Some(1_435_781_451_781));
        check_time("2015-07-01T22:10:51.781+02:00", Some(1_435_781_451_781));
        check_time("1e30", None);
        check_time("NaN", None);
        check_time("yesterday", None);
    }

    #[track_caller]
    fn check_duration(text: &str, expected: Option<u64>) {
        assert_eq!(
            parse_duration(text),
            expected.map(Duration::from_millis),
            "{text:?}"
        );
    }

    #[test]
    fn durations_are_seconds_or_of_promql() {
        check_duration("15", Some(15_000));
        check_duration("0.5", Some(500));
        check_duration("1h30m", Some(5_400_000));
        check_duration("5ms", Some(5));
        check_duration("1m1h", None);
        check_duration("m", None);
        check_duration("-1", None);
        check_duration("99999999999999999999y", None);
        check_duration("1e300", None);
    }
}
