//! Lines without the colours of terminals.

use std::borrow::Cow;

use memchr::memchr;

const ESCAPE: u8 = 0x1b;

/// A line without escape sequences, as ECMA-48 defines them: `ESC [ ... m` and its like, `ESC ] ... BEL`, and those of two
/// characters.
pub(crate) fn decolorize(line: &str) -> Cow<'_, str> {
    let Some(first) = memchr(ESCAPE, line.as_bytes()) else {
        return Cow::Borrowed(line);
    };
    let mut out = line[..first].to_owned();
    let mut rest = &line[first..];
    while !rest.is_empty() {
        // It stands at an escape.
        rest = &rest[sequence(rest.as_bytes())..];
        let next = memchr(ESCAPE, rest.as_bytes()).unwrap_or(rest.len());
        out.push_str(&rest[..next]);
        rest = &rest[next..];
    }
    Cow::Owned(out)
}

/// How long the sequence is; an escape that begins none goes alone. All of it is ASCII but the text of `ESC ]`, whose end is.
fn sequence(text: &[u8]) -> usize {
    let count = |from: usize, of: std::ops::RangeInclusive<u8>| {
        let rest = text.get(from..).unwrap_or_default();
        rest.iter().take_while(|b| of.contains(b)).count()
    };
    match text.get(1) {
        Some(b'[') => {
            let mut end = 2 + count(2, 0x30..=0x3f);
            end += count(end, 0x20..=0x2f);
            end + count(end, 0x40..=0x7e).min(1)
        }
        Some(b']') => {
            let end = text.iter().position(|b| *b == 7);
            end.map_or(2, |end| end + 1)
        }
        Some(0x20..=0x7e) => {
            let end = 1 + count(1, 0x20..=0x2f);
            end + count(end, 0x30..=0x7e).min(1)
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_and_text_stays() {
        for (line, expected) in [
            ("plain", "plain"),
            ("\u{1b}[31mred\u{1b}[0m ä", "red ä"),
            ("\u{1b}[1;38;5;9mx\u{1b}[m", "x"),
            ("a\u{1b}]0;title ä\u{7}b", "ab"),
            ("a\u{1b}(Bb", "ab"),
            ("a\u{1b}", "a"),
            ("a\u{1b}ä", "aä"),
            ("\u{1b}[", ""),
        ] {
            assert_eq!(decolorize(line), expected, "{line:?}");
        }
    }
}
