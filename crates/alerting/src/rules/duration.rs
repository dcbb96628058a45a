//! Durations as Prometheus writes them: `1w`, `1h30m`, `0`.

use std::time::Duration;

/// Units from the largest to the smallest, with their milliseconds; a year has 365 days.
const UNITS: [(&str, u64); 7] = [
    ("y", 31_536_000_000),
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The longest: what fits into Prometheus' nanoseconds.
const MAX_MILLIS: u64 = 9_223_372_036_854;

/// Reads a duration.
///
/// # Errors
/// It is none; what is expected, in one sentence.
pub fn parse(text: &str) -> Result<Duration, String> {
    let bad = || {
        format!(
            "expected a duration such as 30s, 5m or 1h30m, found `{}`",
            wharf_spec::diagnostic::excerpt(text)
        )
    };
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut millis: u64 = 0;
    let mut allowed = &UNITS[..];
    if rest.is_empty() {
        return Err(bad());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count: u64 = rest[..digits].parse().map_err(|_| bad())?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_lowercase).count();
        let unit = allowed
            .iter()
            .position(|(unit, _)| *unit == &rest[..letters]);
        let unit = unit.ok_or_else(bad)?;
        let part = count.checked_mul(allowed[unit].1).ok_or_else(bad)?;
        millis = millis
            .checked_add(part)
            .filter(|sum| *sum <= MAX_MILLIS)
            .ok_or_else(bad)?;
        allowed = &allowed[unit + 1..];
        rest = &rest[letters..];
    }
    Ok(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_prometheus() {
        for (text, seconds) in [
            ("0", 0),
            ("0s", 0),
            ("1h30m", 5400),
            ("1w", 604_800),
            ("1y", 31_536_000),
            ("15d", 1_296_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in [
            "",
            "1",
            "m",
            "30m1h",
            "1.5h",
            "-1m",
            "1M",
            "999999999999y",
            "1h ",
            "5m5m",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
