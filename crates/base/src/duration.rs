//! Durations as people write them: `500ms`, `30s`, `1m30s`, `2h`, `7d`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration such as 500ms, 30s, 1m30s, 2h or 7d, found `{0}`")]
pub struct ParseDurationError(pub String);

/// Units from the largest to the smallest, with their milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads a duration: whole numbers, each with a unit (`d`, `h`, `m`, `s`, `ms`), the larger unit first.
///
/// # Errors
/// The text is empty, a number has no unit, a unit is unknown or out of order, or the sum overflows.
pub fn parse(text: &str) -> Result<Duration, ParseDurationError> {
    let fail = || ParseDurationError(text.to_owned());
    let mut rest = text;
    let mut millis: u64 = 0;
    let mut allowed = &UNITS[..];
    if rest.is_empty() {
        return Err(fail());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count: u64 = rest[..digits].parse().map_err(|_| fail())?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_lowercase).count();
        let position = allowed
            .iter()
            .position(|(unit, _)| *unit == &rest[..letters])
            .ok_or_else(fail)?;
        let part = count.checked_mul(allowed[position].1).ok_or_else(fail)?;
        millis = millis.checked_add(part).ok_or_else(fail)?;
        allowed = &allowed[position + 1..];
        rest = &rest[letters..];
    }
    Ok(Duration::from_millis(millis))
}

/// Writes a duration so that [`parse`] reads it back; parts below a millisecond are cut.
#[must_use]
pub fn format(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, size) in UNITS {
        if millis >= size {
            text.push_str(&format!("{}{unit}", millis / size));
            millis %= size;
        }
    }
    text
}

/// For `#[serde(with = "wharf_base::duration")]`.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*duration))
}

/// For `#[serde(with = "wharf_base::duration")]`.
///
/// # Errors
/// Not a string, or not a duration.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, millis: Option<u64>) {
        assert_eq!(
            parse(text).ok(),
            millis.map(Duration::from_millis),
            "{text}"
        );
        if let Some(millis) = millis {
            let duration = Duration::from_millis(millis);
            assert_eq!(
                parse(&format(duration)),
                Ok(duration),
                "round trip of {text}"
            );
        }
    }

    #[test]
    fn reads_what_people_write() {
        check("500ms", Some(500));
        check("30s", Some(30_000));
        check("1m30s", Some(90_000));
        check("2h", Some(7_200_000));
        check("7d", Some(604_800_000));
        check("0s", Some(0));
    }

    #[test]
    fn refuses_what_has_no_clear_meaning() {
        for text in [
            "",
            "30",
            "s",
            "1.5s",
            "30 s",
            "1s1m",
            "1s1s",
            "30S",
            "-1s",
            "99999999999999999999s",
            "1é",
        ] {
            check(text, None);
        }
    }
}
