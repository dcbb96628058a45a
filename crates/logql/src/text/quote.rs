//! Quoted strings.

use std::fmt::Write;

/// A text in double quotes, as Go's `strconv.Quote` writes it.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => hex(&mut out, "\\x", c, 2),
            c if is_printable(c) => out.push(c),
            c if (c as u32) < 0x1_0000 => hex(&mut out, "\\u", c, 4),
            c => hex(&mut out, "\\U", c, 8),
        }
    }
    out.push('"');
    out
}

fn hex(out: &mut String, prefix: &str, c: char, width: usize) {
    write!(out, "{prefix}{:0width$x}", c as u32).expect("a string takes everything");
}

/// Nearly Go's `unicode.IsPrint`: what is no control, format or separator character.
fn is_printable(c: char) -> bool {
    let invisible = matches!(c,
        '\u{80}'..='\u{a0}' | '\u{ad}' | '\u{600}'..='\u{605}' | '\u{1680}' | '\u{2000}'..='\u{200f}'
        | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{3000}' | '\u{e000}'..='\u{f8ff}'
        | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{10ffff}');
    !invisible
}

/// The text between quotes, whose escapes are Go's; a raw string (backticks) has none.
///
/// # Errors
/// It is not quoted, or an escape is none.
pub(crate) fn unquote(quoted: &str) -> Result<String, &'static str> {
    const INVALID: &str = "invalid syntax";
    let mark = quoted.chars().next().ok_or(INVALID)?;
    let inner = quoted[1..].strip_suffix(mark).ok_or(INVALID)?;
    match mark {
        '`' => return Ok(inner.replace('\r', "")),
        '"' => {}
        _ => return Err(INVALID),
    }
    if inner.contains('\n') {
        return Err(INVALID);
    }
    if !inner.contains('\\') {
        return Ok(inner.to_owned());
    }
    // Bytes: `\x` and octal escapes may make parts of a character.
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        let c = rest.chars().next().ok_or(INVALID)?;
        rest = &rest[c.len_utf8()..];
        match c {
            'a' => out.push(7),
            'b' => out.push(8),
            'f' => out.push(12),
            'n' => out.push(b'\n'),
            'r' => out.push(b'\r'),
            't' => out.push(b'\t'),
            'v' => out.push(11),
            '\\' | '"' | '\'' => out.push(c as u8),
            'x' => out.push(u8::try_from(digits(&mut rest, 2, 16)?).map_err(|_| INVALID)?),
            'u' | 'U' => {
                let width = if c == 'u' { 4 } else { 8 };
                let code = char::from_u32(digits(&mut rest, width, 16)?).ok_or(INVALID)?;
                out.extend_from_slice(code.encode_utf8(&mut [0; 4]).as_bytes());
            }
            '0'..='7' => {
                let mut three = format!("{c}{rest}");
                three.truncate(3);
                let mut three = three.as_str();
                out.push(u8::try_from(digits(&mut three, 3, 8)?).map_err(|_| INVALID)?);
                rest = rest.get(2..).ok_or(INVALID)?;
            }
            _ => return Err(INVALID),
        }
    }
    out.extend_from_slice(rest.as_bytes());
    String::from_utf8(out).map_err(|_| "invalid UTF-8 rune")
}

fn digits(rest: &mut &str, width: usize, radix: u32) -> Result<u32, &'static str> {
    let text = rest.get(..width).ok_or("invalid syntax")?;
    if !text.chars().all(|c| c.is_digit(radix)) {
        return Err("invalid syntax");
    }
    *rest = &rest[width..];
    u32::from_str_radix(text, radix).map_err(|_| "invalid syntax")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_read_again() {
        for text in [
            "",
            "a\"b\\c",
            "\n\t\u{1}\u{7f}",
            "ä\u{202e}\u{10ffff}",
            "\u{a0}`",
        ] {
            assert_eq!(
                unquote(&quote(text)).as_deref(),
                Ok(text),
                "{}",
                quote(text)
            );
        }
        assert_eq!(quote("\u{1}ä\u{202e}"), r#""\x01ä\u202e""#);
    }

    #[test]
    fn escapes_are_those_of_go() {
        assert_eq!(
            unquote(r#""\x41\101\u00e4\U0001F600""#).as_deref(),
            Ok("AAä😀")
        );
        assert_eq!(unquote(r"`\d`").as_deref(), Ok(r"\d"));
        for bad in [
            r#""\d""#,
            r#""\x4""#,
            r#""\xff""#,
            r#""\400""#,
            r#""\1ä""#,
            "\"a\nb\"",
        ] {
            assert!(unquote(bad).is_err(), "{bad}");
        }
    }
}
