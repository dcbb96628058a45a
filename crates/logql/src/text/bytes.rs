//! Sizes: `5KB` is decimal, `5KiB` binary; case does not matter.

const UNITS: [(&str, u64); 26] = [
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("k", 1_000),
    ("ki", 1 << 10),
    ("kib", 1 << 10),
    ("mb", 1_000_000),
    ("m", 1_000_000),
    ("mi", 1 << 20),
    ("mib", 1 << 20),
    ("gb", 1_000_000_000),
    ("g", 1_000_000_000),
    ("gi", 1 << 30),
    ("gib", 1 << 30),
    ("tb", 1_000_000_000_000),
    ("t", 1_000_000_000_000),
    ("ti", 1 << 40),
    ("tib", 1 << 40),
    ("pb", 1_000_000_000_000_000),
    ("p", 1_000_000_000_000_000),
    ("pi", 1 << 50),
    ("pib", 1 << 50),
    ("eb", 1_000_000_000_000_000_000),
    ("e", 1_000_000_000_000_000_000),
    ("ei", 1 << 60),
    ("eib", 1 << 60),
];

/// A number with a unit, which may stand behind a blank.
///
/// # Errors
/// It is none, in one sentence.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ','))
        .unwrap_or(text.len());
    let digits = text[..end].replace(',', "");
    let number: f64 = digits.parse().map_err(|_| {
        format!(
            "strconv.ParseFloat: parsing {}: invalid syntax",
            super::quote(&digits)
        )
    })?;
    let unit = text[end..].trim().to_ascii_lowercase();
    let size = UNITS.iter().find(|(name, _)| *name == unit);
    let Some((_, size)) = size else {
        return Err(format!("unhandled size name: {unit}"));
    };
    let bytes = number * (*size as f64);
    // 2^64, which `u64::MAX as f64` is.
    if bytes >= u64::MAX as f64 {
        return Err(format!("too large: {text}"));
    }
    Ok(bytes as u64)
}

/// A size that is read as the same number again: with the largest decimal unit that leaves it whole.
pub(crate) fn format_bytes(bytes: u64) -> String {
    let units = [
        ("PB", 1_000_000_000_000_000_u64),
        ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("KB", 1_000),
        ("PiB", 1 << 50),
        ("TiB", 1 << 40),
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
    ];
    let unit = units
        .iter()
        .find(|(_, size)| bytes >= *size && bytes.is_multiple_of(*size));
    match unit {
        Some((name, size)) => format!("{}{name}", bytes / size),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_every_unit() {
        for (text, expected) in [
            ("42", 42),
            ("42B", 42),
            ("5KB", 5_000),
            ("5 kb", 5_000),
            ("1.5MiB", 1_572_864),
            ("2GiB", 2 << 30),
            ("1,000", 1_000),
        ] {
            assert_eq!(parse_bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "KB", "5XB", "1e5", "99999999999EB", "."] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for bytes in [
            0,
            1,
            999,
            1_000,
            1_024,
            1_536,
            5 << 20,
            123_456_789,
            3 << 50,
        ] {
            assert_eq!(parse_bytes(&format_bytes(bytes)), Ok(bytes));
        }
    }
}
