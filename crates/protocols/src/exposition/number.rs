//! Numbers as Go writes and Prometheus reads them.

/// The NaN that Prometheus stores for every NaN that is not its mark of staleness.
pub(crate) const NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0001);

/// A number: decimal, with or without an exponent, or an infinity or NaN in any case. No digits are grouped, and what is too
/// large is no infinity.
pub(crate) fn parse_float(text: &[u8]) -> Option<f64> {
    // Fifteen digits are exact in a double, and most samples are whole.
    if text.len() <= 15 && text.iter().all(u8::is_ascii_digit) {
        let digits = text.iter().map(|b| i64::from(b - b'0'));
        #[expect(clippy::cast_precision_loss, reason = "fifteen digits are exact")]
        return (!text.is_empty()).then(|| digits.fold(0, |n, digit| n * 10 + digit) as f64);
    }
    let (first, rest) = text.split_first()?;
    let unsigned = if matches!(first, b'+' | b'-') {
        rest
    } else {
        text
    };
    if unsigned.first()?.is_ascii_alphabetic() {
        let infinite = [b"inf".as_slice(), b"infinity"]
            .iter()
            .any(|word| unsigned.eq_ignore_ascii_case(word));
        return match first {
            b'-' if infinite => Some(f64::NEG_INFINITY),
            _ if infinite => Some(f64::INFINITY),
            _ if text.eq_ignore_ascii_case(b"nan") => Some(NAN),
            _ => None,
        };
    }
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}

/// Seconds to milliseconds, cut to a whole one; plain decimals exactly. What is out of range becomes the nearest that is in.
pub(crate) fn parse_seconds(text: &[u8]) -> Option<i64> {
    match plain_seconds(text) {
        Some(millis) => Some(millis),
        None => {
            let seconds = parse_float(text)?;
            #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
            seconds.is_finite().then_some((seconds * 1000.0) as i64)
        }
    }
}

/// `-?[0-9]+(\.[0-9]+)?` of a size that fits.
fn plain_seconds(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, text),
    };
    let (whole, fraction) = match digits.iter().position(|b| *b == b'.') {
        Some(point) => (&digits[..point], &digits[point + 1..]),
        None => (digits, b"0".as_slice()),
    };
    let numeric = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    if whole.len() > 14 || !numeric(whole) || !numeric(fraction) {
        return None;
    }
    let thousandths = fraction.iter().chain(b"000").take(3);
    let millis = whole
        .iter()
        .chain(thousandths)
        .fold(0, |n: i64, b| n * 10 + i64::from(b - b'0'));
    Some(if negative { -millis } else { millis })
}

/// The shortest text that gives the same number, as Go's `%g` writes it: `1`, `0.25`, `1e+06`, `+Inf`.
#[must_use]
pub fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    // `d.ddde-x`, shortest.
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    // Go's bounds for a shortest text.
    if (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// [`float_text`], but whole numbers have a `.0`, as OpenMetrics wants `le` and `quantile`.
#[must_use]
pub fn openmetrics_float_text(value: f64) -> String {
    let mut text = float_text(value);
    if value.is_finite() && !text.contains(['.', 'e']) {
        text.push_str(".0");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("0", Some(0.0)),
            ("-1", Some(-1.0)),
            ("+1.5e3", Some(1500.0)),
            (".5", Some(0.5)),
            ("1.", Some(1.0)),
            ("00000000000000000000001.2e-1", Some(0.12)),
            ("9223372036854775808", Some(9_223_372_036_854_775_808.0)),
            ("+Inf", Some(f64::INFINITY)),
            ("-infinity", Some(f64::NEG_INFINITY)),
            ("", None),
            ("-", None),
            (".", None),
            ("e5", None),
            ("1_2", None),
            ("0x1p-3", None),
            ("1e400", None),
            ("-nan", None),
            ("infinit", None),
            ("1 ", None),
        ] {
            assert_eq!(parse_float(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(parse_float(b"nan").map(f64::to_bits), Some(NAN.to_bits()));
    }

    #[test]
    fn seconds_become_milliseconds() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1.001", Some(1001)),
            ("-1.1", Some(-1100)),
            ("1.5e3", Some(1_500_000)),
            ("1520430000.1239", Some(1_520_430_000_123)),
            ("12345678901234567890.1234567890", Some(i64::MAX)),
            ("NaN", None),
            ("Inf", None),
            ("1.1.1", None),
            ("1.", Some(1000)),
            ("", None),
        ] {
            assert_eq!(parse_seconds(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn numbers_are_written_as_go_writes_them() {
        for (value, expected) in [
            (0.0, "0.0"),
            (1.0, "1.0"),
            (0.005, "0.005"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (100_000.0, "100000.0"),
            (1_000_000.0, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (1e100, "1e+100"),
            (-2.5, "-2.5"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(openmetrics_float_text(value), expected);
        }
    }
}
