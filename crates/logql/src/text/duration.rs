//! Durations, in nanoseconds.

const UNITS: [(&str, i64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Prometheus's units in the order in which they have to come, in milliseconds.
const PROMETHEUS: [(&str, i64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A duration in nanoseconds: as Prometheus writes it (`1d12h`), else as Go does (`1.5h`).
#[must_use]
pub fn parse_duration(text: &str) -> Option<i64> {
    parse_prometheus_duration(text).or_else(|| parse_go_duration(text).ok())
}

/// `1w2d3h4m5s6ms`, every part once and in this order; `0` needs no unit.
pub(crate) fn parse_prometheus_duration(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    let mut total = 0_i64;
    let mut units = PROMETHEUS.iter();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let count: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (_, millis) = units.by_ref().find(|(unit, _)| *unit == &rest[..letters])?;
        total = total.checked_add(count.checked_mul(*millis)?)?;
        rest = &rest[letters..];
    }
    (!text.is_empty()).then_some(total)?.checked_mul(1_000_000)
}

/// `-1h30m`, `1.5s`, `100µs`: what Go's `time.ParseDuration` takes.
///
/// # Errors
/// It is none, in Go's words.
pub(crate) fn parse_go_duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", super::quote(text));
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0_i128;
    while !rest.is_empty() {
        let number = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                .len();
        let (digits, after) = rest.split_at(number);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return Err(invalid());
        }
        let letters = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        if unit.is_empty() {
            return Err(format!(
                "time: missing unit in duration {}",
                super::quote(text)
            ));
        }
        let nanos = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, n)| *n);
        let Some(nanos) = nanos.map(i128::from) else {
            return Err(format!(
                "time: unknown unit {} in duration {}",
                super::quote(unit),
                super::quote(text)
            ));
        };
        let whole: i128 = match whole.trim_start_matches('0') {
            "" => 0,
            // More than 19 digits are more than any duration.
            digits if digits.len() > 19 => return Err(invalid()),
            digits => digits.parse().map_err(|_| invalid())?,
        };
        total += whole * nanos;
        // A nanosecond is the least there is: more than 18 digits say nothing more.
        let fraction = &fraction[..fraction.len().min(18)];
        if !fraction.is_empty() {
            let value: i128 = fraction.parse().map_err(|_| invalid())?;
            let scale = 10_i128.pow(u32::try_from(fraction.len()).map_err(|_| invalid())?);
            total += value * nanos / scale;
        }
        if total > i128::from(i64::MAX) {
            return Err(invalid());
        }
        rest = after;
    }
    let total = i64::try_from(total).map_err(|_| invalid())?;
    Ok(if negative { -total } else { total })
}

/// As Go writes it: `1h30m0s`, `1.5s`, `100ms`.
pub(crate) fn format_go_duration(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let abs = nanos.unsigned_abs();
    if abs < 1_000_000_000 {
        let (unit, size, width) = match abs {
            0 => return "0s".to_owned(),
            1..1_000 => ("ns", 1, 0),
            1_000..1_000_000 => ("µs", 1_000, 3),
            _ => ("ms", 1_000_000, 6),
        };
        return format!("{sign}{}{}{unit}", abs / size, fraction(abs % size, width));
    }
    let seconds = abs / 1_000_000_000;
    let part = fraction(abs % 1_000_000_000, 9);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{sign}{hours}h{minutes}m{seconds}{part}s")
    } else if minutes > 0 {
        format!("{sign}{minutes}m{seconds}{part}s")
    } else {
        format!("{sign}{seconds}{part}s")
    }
}

fn fraction(value: u64, width: usize) -> String {
    if value == 0 {
        return String::new();
    }
    let digits = format!("{value:0width$}");
    format!(".{}", digits.trim_end_matches('0'))
}

/// As Prometheus writes it: `1h30m`, `7d`, to the millisecond.
pub(crate) fn format_prometheus_duration(nanos: i64) -> String {
    let mut millis = nanos / 1_000_000;
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    if millis < 0 {
        out.push('-');
        millis = millis.saturating_neg();
    }
    for (unit, size) in PROMETHEUS {
        // Years, weeks and days only where nothing remains: 8d is no `1w1d`.
        let exact = matches!(unit, "y" | "w" | "d");
        if millis / size > 0 && (!exact || millis % size == 0) {
            out.push_str(&(millis / size).to_string());
            out.push_str(unit);
            millis %= size;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, nanos: i64, go: &str, prometheus: &str) {
        assert_eq!(parse_duration(text), Some(nanos), "{text}");
        assert_eq!(format_go_duration(nanos), go, "{text}");
        assert_eq!(format_prometheus_duration(nanos), prometheus, "{text}");
        assert_eq!(parse_go_duration(go), Ok(nanos), "{go}");
    }

    #[test]
    fn durations_are_read_and_written_as_go_and_prometheus_do() {
        const SECOND: i64 = 1_000_000_000;
        check("5m", 300 * SECOND, "5m0s", "5m");
        check("1h30m", 5400 * SECOND, "1h30m0s", "1h30m");
        check("1d", 86_400 * SECOND, "24h0m0s", "1d");
        check("8d", 8 * 86_400 * SECOND, "192h0m0s", "8d");
        check("36h", 36 * 3600 * SECOND, "36h0m0s", "36h");
        check("1.5h", 5400 * SECOND, "1h30m0s", "1h30m");
        check("250ms", SECOND / 4, "250ms", "250ms");
        check("1.25ms", 1_250_000, "1.25ms", "1ms");
        check("100us", 100_000, "100µs", "0s");
        check("-5m", -300 * SECOND, "-5m0s", "-5m");
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "5",
            "m",
            "5x",
            "1m1h1d",
            "1..5s",
            ".s",
            "99999999999999999999h",
            "1h-5m",
            "9999999999999y",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
