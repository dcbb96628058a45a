//! `{job="web", level="info"}` as senders write a stream's labels: Go's quotation in double quotes or backticks.

use std::fmt::Write;

use wharf_signal::Labels;

use super::PushError;
use crate::label_pairs::set_of;

/// Reads the labels of a stream.
pub(super) fn parse(text: &str) -> Result<Labels, PushError> {
    let mut reader = Reader { text, at: 0 };
    reader.labels().map_err(|expected| PushError::Labels {
        // Enough to know the stream by.
        labels: text.chars().take(120).collect(),
        expected,
        at: reader.at,
    })
}

/// Writes them so that [`parse`] and Loki read the same.
pub(super) fn write(labels: &Labels) -> String {
    let mut text = String::from("{");
    for (index, (name, value)) in labels.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        if is_name(name) {
            text.push_str(name);
        } else {
            quote(&mut text, name);
        }
        text.push('=');
        quote(&mut text, value);
    }
    text.push('}');
    text
}

fn is_name(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    name.chars().all(word) && !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty()
}

fn quote(text: &mut String, value: &str) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            c if c.is_control() => {
                write!(text, "\\u{:04x}", u32::from(c)).expect("a string takes every text")
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn take(&mut self, c: char) -> bool {
        self.blanks();
        let found = self.rest().starts_with(c);
        self.at += if found { c.len_utf8() } else { 0 };
        found
    }

    fn labels(&mut self) -> Result<Labels, &'static str> {
        let mut pairs = Vec::new();
        if !self.take('{') {
            return Err("`{`");
        }
        while !self.take('}') {
            if !pairs.is_empty() && !self.take(',') {
                return Err("`,` or `}`");
            }
            if self.take('}') {
                break;
            }
            self.blanks();
            let name = self.name()?;
            if !self.take('=') {
                return Err("`=`");
            }
            self.blanks();
            pairs.push((name, self.quoted()?));
        }
        self.blanks();
        if !self.rest().is_empty() {
            return Err("nothing after `}`");
        }
        Ok(set_of(pairs))
    }

    fn name(&mut self) -> Result<String, &'static str> {
        if self.rest().starts_with('"') {
            return self.quoted();
        }
        let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':');
        let rest = self.rest();
        let name = &rest[..rest.find(word).unwrap_or(rest.len())];
        if !is_name(name) {
            return Err("a label's name");
        }
        self.at += name.len();
        Ok(name.to_owned())
    }

    fn quoted(&mut self) -> Result<String, &'static str> {
        let rest = self.rest();
        if let Some(raw) = rest.strip_prefix('`') {
            let length = raw.find('`').ok_or("a closing backtick")?;
            self.at += length + 2;
            return Ok(raw[..length].to_owned());
        }
        let Some(inner) = rest.strip_prefix('"') else {
            return Err("a value in quotation marks");
        };
        let mut bytes = Vec::new();
        let mut left = inner;
        loop {
            let plain = left.find(['"', '\\']).ok_or("a closing quotation mark")?;
            bytes.extend_from_slice(&left.as_bytes()[..plain]);
            if left.as_bytes()[plain] == b'"' {
                self.at += rest.len() - (left.len() - plain - 1);
                return String::from_utf8(bytes).map_err(|_| "UTF-8 behind the escapes");
            }
            left = unescape(&left[plain + 1..], &mut bytes).ok_or("one of Go's escapes")?;
        }
    }
}

/// Takes one escape, behind its backslash, and gives what follows it.
fn unescape<'a>(text: &'a str, bytes: &mut Vec<u8>) -> Option<&'a str> {
    let letter = text.chars().next()?;
    let rest = &text[letter.len_utf8()..];
    let plain = match letter {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '\\' | '"' | '\'' => u8::try_from(letter).ok()?,
        'x' => {
            bytes.push(u8::from_str_radix(digits(rest, 2)?, 16).ok()?);
            return Some(&rest[2..]);
        }
        '0'..='7' => {
            let digits = text
                .get(..3)
                .filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
            bytes.push(u8::from_str_radix(digits, 8).ok()?);
            return Some(&text[3..]);
        }
        'u' | 'U' => {
            let length = if letter == 'u' { 4 } else { 8 };
            let code = u32::from_str_radix(digits(rest, length)?, 16).ok()?;
            let mut encoded = [0; 4];
            bytes.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut encoded).as_bytes());
            return Some(&rest[length..]);
        }
        _ => return None,
    };
    bytes.push(plain);
    Some(rest)
}

fn digits(text: &str, length: usize) -> Option<&str> {
    text.get(..length)
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
}
