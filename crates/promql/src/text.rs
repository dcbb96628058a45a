//! Texts, numbers and durations as Prometheus reads and writes them.

use std::fmt::Write as _;

/// A text in double quotes, with the escapes of Go's `strconv.Quote`.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if c.is_ascii_control() => push(&mut out, format_args!("\\x{:02x}", u32::from(c))),
            c if !is_printable(c) && u32::from(c) < 0x1_0000 => {
                push(&mut out, format_args!("\\u{:04x}", u32::from(c)));
            }
            c if !is_printable(c) => push(&mut out, format_args!("\\U{:08x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes any text");
}

/// What Rust's own escaping leaves as it is.
fn is_printable(c: char) -> bool {
    c.is_ascii_graphic() || c == ' ' || c.escape_debug().len() == 1
}

/// What a quoted text says: in `"` or `'` with the escapes of Go, in backquotes as it stands.
pub(crate) fn unquote(quoted: &str) -> Result<String, String> {
    // Bytes that are no UTF-8 cannot be in a label: they would match nothing.
    String::from_utf8(unquote_bytes(quoted)?).map_err(|_| "invalid UTF-8 in a string".to_owned())
}

/// The same, where the escapes may make what is no UTF-8.
pub(crate) fn unquote_bytes(quoted: &str) -> Result<Vec<u8>, String> {
    const INVALID: &str = "escape sequence is an invalid Unicode code point";
    let quote = quoted.chars().next().ok_or(INVALID)?;
    let inner = quoted
        .strip_prefix(quote)
        .and_then(|rest| rest.strip_suffix(quote))
        .ok_or(INVALID)?;
    if quote == '`' {
        return Ok(inner.as_bytes().to_vec());
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let simple = match chars.next().ok_or(INVALID)? {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            '\\' => b'\\',
            c if c == quote => u8::try_from(c).map_err(|_| INVALID)?,
            'x' => u8::try_from(digits(&mut chars, 2, 16)?).map_err(|_| INVALID)?,
            c @ '0'..='7' => {
                let first = c.to_digit(8).ok_or(INVALID)?;
                let rest = digits(&mut chars, 2, 8)?;
                u8::try_from(first * 64 + rest).map_err(|_| INVALID)?
            }
            c @ ('u' | 'U') => {
                let code = digits(&mut chars, if c == 'u' { 4 } else { 8 }, 16)?;
                let c = char::from_u32(code).ok_or(INVALID)?;
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            other => return Err(format!("unknown escape sequence {}", code_point(other))),
        };
        bytes.push(simple);
    }
    Ok(bytes)
}

/// Bytes in double quotes; what is no UTF-8 as `\x` with two digits.
pub(crate) fn quote_bytes(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        let quoted = quote(chunk.valid());
        out.push_str(&quoted[1..quoted.len() - 1]);
        for byte in chunk.invalid() {
            push(&mut out, format_args!("\\x{byte:02x}"));
        }
    }
    out.push('"');
    out
}

fn digits(chars: &mut std::str::Chars<'_>, count: u32, radix: u32) -> Result<u32, String> {
    let mut value = 0u32;
    for _ in 0..count {
        let c = chars.next().ok_or("escape sequence not terminated")?;
        value = c
            .to_digit(radix)
            .and_then(|digit| value.checked_mul(radix)?.checked_add(digit))
            .ok_or_else(|| format!("illegal character {} in escape sequence", code_point(c)))?;
    }
    Ok(value)
}

fn code_point(c: char) -> String {
    format!("U+{:04X} {c:?}", u32::from(c))
}

/// A number as it is written in an expression: decimal, hexadecimal, octal with a leading zero, `Inf`, `NaN`, with underscores.
pub(crate) fn parse_number(text: &str) -> Option<f64> {
    let plain = text.replace('_', "");
    let lower = plain.to_ascii_lowercase();
    if let Some(hex) = lower.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok().map(as_f64);
    }
    let is_octal = lower.len() > 1 && lower.starts_with('0');
    if is_octal && let Ok(value) = i64::from_str_radix(&lower, 8) {
        return Some(as_f64(value));
    }
    if lower.parse::<f64>().is_ok_and(f64::is_infinite) && !lower.contains("inf") {
        return None;
    }
    lower.parse().ok()
}

#[expect(clippy::cast_precision_loss, reason = "a number of PromQL is a float")]
fn as_f64(value: i64) -> f64 {
    value as f64
}

/// The shortest decimal form without an exponent, as Prometheus writes a number of an expression.
pub(crate) fn format_plain(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        format!("{value}")
    }
}

/// The shortest form, with an exponent where it is very large or small: Go's `%g`.
pub(crate) fn format_short(value: f64) -> String {
    let scientific = format!("{value:e}");
    let exponent = scientific
        .split_once('e')
        .and_then(|(mantissa, exponent)| Some((mantissa, exponent.parse::<i32>().ok()?)));
    match exponent {
        Some((mantissa, exponent)) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.abs())
        }
        _ => format_plain(value),
    }
}

/// Names and milliseconds, from the longest.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 24 * 60 * 60 * 1000),
    ("w", 7 * 24 * 60 * 60 * 1000),
    ("d", 24 * 60 * 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// The longest duration there is: what Go holds in nanoseconds.
pub(crate) const MAX_DURATION_MILLIS: i64 = i64::MAX / 1_000_000;

/// Milliseconds of a duration such as `1h30m`.
///
/// # Errors
/// It is none: the reason in Prometheus's words.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    if text == "0" {
        return Ok(0);
    }
    if text.is_empty() {
        return Err("empty duration string".to_owned());
    }
    let invalid = || format!("not a valid duration string: {}", quote(text));
    let mut total = 0i64;
    let mut rest = text;
    let mut allowed = &UNITS[..];
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .filter(|end| *end > 0)
            .ok_or_else(invalid)?;
        let (count, after) = rest.split_at(end);
        let end = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        if !UNITS.iter().any(|(name, _)| *name == unit) {
            let (unit, text) = (quote(unit), quote(text));
            return Err(format!("unknown unit {unit} in duration {text}"));
        }
        let index = allowed.iter().position(|(name, _)| *name == unit);
        let index = index.ok_or_else(invalid)?;
        let millis = allowed[index].1;
        allowed = &allowed[index + 1..];
        rest = after;
        total = count
            .parse::<i64>()
            .ok()
            .and_then(|count| count.checked_mul(millis)?.checked_add(total))
            .filter(|total| *total <= MAX_DURATION_MILLIS)
            .ok_or("duration out of range")?;
    }
    Ok(total)
}

/// A duration as Prometheus writes it: `1h30m`; years and weeks only if nothing remains.
#[must_use]
pub fn format_duration(millis: i64) -> String {
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    if millis < 0 {
        out.push('-');
    }
    let mut rest = millis.unsigned_abs();
    for (index, (name, size)) in UNITS.iter().enumerate() {
        let size = size.unsigned_abs();
        let only_exact = index < 2;
        if (only_exact && !rest.is_multiple_of(size)) || rest < size {
            continue;
        }
        push(&mut out, format_args!("{}{name}", rest / size));
        rest %= size;
    }
    out
}

/// Whether a label can be written without quotes.
pub(crate) fn is_plain_label(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, millis) in [
            ("1ms", 1),
            ("1h30m", 5_400_000),
            ("1w", 604_800_000),
            ("1y", 31_536_000_000),
            ("90d", 7_776_000_000),
            ("5m30s10ms", 330_010),
        ] {
            assert_eq!(parse_duration(text), Ok(millis), "{text}");
            assert_eq!(format_duration(millis), text);
            assert_eq!(format_duration(-millis), format!("-{text}"));
        }
        assert_eq!(format_duration(694_800_000), "8d1h");
        for wrong in [
            "",
            "1",
            "m",
            "1m1h",
            "1m1m",
            "1x",
            "300y",
            "99999999999999999999y",
        ] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn texts_are_quoted_and_unquoted() {
        for text in [
            "",
            "a",
            "\"",
            "\\",
            "\n\t\u{7}\u{1}",
            "é",
            "\u{200b}",
            "日本",
            "'`",
        ] {
            assert_eq!(unquote(&quote(text)).as_deref(), Ok(text));
        }
        assert_eq!(unquote(r"'a\'b\x41\101\u00e9'").as_deref(), Ok("a'bAAé"));
        assert_eq!(unquote(r"`a\n`").as_deref(), Ok("a\\n"));
        assert!(unquote(r#""\q""#).is_err());
    }

    #[test]
    fn numbers_are_read() {
        for (text, value) in [
            ("1", 1.0),
            ("0x1F", 31.0),
            ("0755", 493.0),
            ("08", 8.0),
            ("1_000", 1000.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("Inf", f64::INFINITY),
        ] {
            assert_eq!(parse_number(text), Some(value), "{text}");
        }
        assert!(parse_number("nan").is_some_and(f64::is_nan));
        assert_eq!(parse_number("1e999"), None);
    }

    #[test]
    fn numbers_are_written() {
        assert_eq!(format_plain(1e21), "1000000000000000000000");
        assert_eq!(format_short(1e21), "1e+21");
        assert_eq!(format_short(0.00001), "1e-05");
        assert_eq!(format_short(-0.5), "-0.5");
        assert_eq!(format_short(f64::NEG_INFINITY), "-Inf");
    }
}
