//! Numbers as Prometheus's JSON writes them.

use std::fmt::Write as _;

/// A sample's value: the shortest text that reads back, with an exponent only for what is very small or large.
pub(crate) fn write_value(out: &mut String, value: f64) {
    let magnitude = value.abs();
    // Writing to a String does not fail.
    let written = if value.is_nan() {
        out.write_str("NaN")
    } else if value.is_infinite() {
        out.write_str(if value > 0.0 { "+Inf" } else { "-Inf" })
    } else if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        exponent(out, value)
    } else {
        write!(out, "{value}")
    };
    written.unwrap_or_default();
}

/// As [`write_value`].
pub(crate) fn value(value: f64) -> String {
    let mut out = String::new();
    write_value(&mut out, value);
    out
}

/// Go writes exponents with a sign and at least two digits.
fn exponent(out: &mut String, value: f64) -> std::fmt::Result {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    write!(out, "{mantissa}e{sign}{digits:0>2}")
}

/// Milliseconds as seconds: `1435781451.781`, `1435781451`.
pub(crate) fn write_seconds(out: &mut String, millis: i64) {
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    let (whole, part) = (millis / 1000, millis % 1000);
    let written = if part == 0 {
        write!(out, "{sign}{whole}")
    } else {
        let fraction = format!("{part:03}");
        write!(out, "{sign}{whole}.{}", fraction.trim_end_matches('0'))
    };
    written.unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(number: f64, expected: &str) {
        assert_eq!(value(number), expected);
    }

    #[test]
    fn values_are_written_as_go_writes_them() {
        check(0.0, "0");
        check(-0.0, "-0");
        check(1.0, "1");
        check(0.1, "0.1");
        check(1e20, "100000000000000000000");
        check(1e21, "1e+21");
        check(1.5e-7, "1.5e-07");
        check(1e100, "1e+100");
        check(f64::NAN, "NaN");
        check(f64::INFINITY, "+Inf");
        check(f64::NEG_INFINITY, "-Inf");
    }

    #[track_caller]
    fn check_seconds(millis: i64, expected: &str) {
        let mut out = String::new();
        write_seconds(&mut out, millis);
        assert_eq!(out, expected);
    }

    #[test]
    fn times_are_seconds() {
        check_seconds(0, "0");
        check_seconds(1_435_781_451_781, "1435781451.781");
        check_seconds(1_500, "1.5");
        check_seconds(-1, "-0.001");
        check_seconds(10, "0.01");
    }
}
