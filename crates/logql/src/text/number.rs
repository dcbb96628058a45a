//! Floating point numbers.

/// A number as Go's `strconv.ParseFloat` takes it.
///
/// # Errors
/// It is none, in Go's words.
pub(crate) fn parse_float(text: &str) -> Result<f64, String> {
    let error = |what: &str| format!("strconv.ParseFloat: parsing {}: {what}", super::quote(text));
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(hex) = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
    {
        // Go wants a `p` exponent here; whole numbers are read as well, since the lexer of queries takes them.
        let value = u64::from_str_radix(hex, 16).map_err(|_| error("invalid syntax"))?;
        let value = value as f64;
        return Ok(if text.starts_with('-') { -value } else { value });
    }
    let value: f64 = text.parse().map_err(|_| error("invalid syntax"))?;
    let named = digits.starts_with(['i', 'I', 'n', 'N']);
    if value.is_infinite() && !named {
        return Err(error("value out of range"));
    }
    Ok(value)
}

/// The shortest text that is read as the same number, never with an exponent; `+Inf`, `-Inf`, `NaN`.
pub(crate) fn format_plain(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        format!("{value}")
    }
}

/// As Go's `%v` writes it: with an exponent below 1e-4 and from 1e21 on.
pub(crate) fn format_number(value: f64) -> String {
    let abs = value.abs();
    if !value.is_finite() || abs == 0.0 || (1e-4..1e21).contains(&abs) {
        return format_plain(value);
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_go_does() {
        for (value, expected) in [
            (0.0, "0"),
            (2.0, "2"),
            (0.1, "0.1"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e-7, "1.5e-07"),
            (-0.0001, "-0.0001"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(format_number(value), expected);
        }
        assert_eq!(format_plain(1e21), "1000000000000000000000");
    }

    #[test]
    fn numbers_are_read_as_go_does() {
        assert_eq!(parse_float("1e3"), Ok(1000.0));
        assert_eq!(parse_float("+Inf"), Ok(f64::INFINITY));
        assert_eq!(parse_float("0x10"), Ok(16.0));
        for text in ["", "1e999", "abc", " 1", "0x"] {
            assert!(parse_float(text).is_err(), "{text}");
        }
    }
}
