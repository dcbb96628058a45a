//! Lines of `key=value` pairs.

use std::borrow::Cow;

use super::json::unescape;
use crate::fields::{EXTRACTED, Fields, Wanted, push_sanitized};

pub(crate) const ERROR: &str = "LogfmtParserErr";

/// Goes over the pairs of a line.
pub(crate) struct Pairs<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Pairs<'a> {
    pub(crate) fn new(line: &'a str) -> Self {
        Self { line, at: 0 }
    }

    fn bytes(&self) -> &'a [u8] {
        self.line.as_bytes()
    }

    fn peek(&self) -> Option<u8> {
        self.bytes().get(self.at).copied()
    }

    fn take_while(&mut self, condition: impl Fn(u8) -> bool) -> &'a str {
        let start = self.at;
        let rest = &self.bytes()[start..];
        self.at += rest
            .iter()
            .position(|b| !condition(*b))
            .unwrap_or(rest.len());
        // All that it stops at is ASCII.
        self.line.get(start..self.at).unwrap_or_default()
    }

    fn error(&mut self, what: &str) -> String {
        let message = format!("logfmt syntax error at pos {} : {what}", self.at + 1);
        self.take_while(|b| b > b' ');
        message
    }

    fn unexpected(&mut self, c: char) -> String {
        self.error(&format!("unexpected {c:?}"))
    }

    /// A text in quotes.
    fn quoted(&mut self) -> Result<Cow<'a, str>, String> {
        let start = self.at + 1;
        let mut escaped = false;
        let mut escapes = false;
        for (index, b) in self.bytes()[start..].iter().enumerate() {
            match b {
                _ if escaped => escaped = false,
                b'\\' => (escaped, escapes) = (true, true),
                b'"' => {
                    let text = self.line.get(start..start + index).unwrap_or_default();
                    self.at = start + index + 1;
                    if !escapes {
                        return Ok(Cow::Borrowed(text));
                    }
                    let mut plain = String::new();
                    unescape(text, &mut plain);
                    if plain.is_empty() {
                        return Err(self.error("invalid quoted value"));
                    }
                    return Ok(Cow::Owned(plain));
                }
                _ => {}
            }
        }
        self.at = self.line.len();
        Err(self.error("unterminated quoted value"))
    }
}

impl<'a> Iterator for Pairs<'a> {
    /// A key and its value, or what is wrong here; one may go on behind it.
    type Item = Result<(&'a str, Cow<'a, str>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        self.take_while(|b| b <= b' ');
        self.peek()?;
        let key = self.take_while(|b| b > b' ' && b != b'=' && b != b'"');
        match self.peek() {
            Some(b'"') => return Some(Err(self.unexpected('"'))),
            Some(b'=') if key.is_empty() => return Some(Err(self.unexpected('='))),
            Some(b'=') => self.at += 1,
            _ => return Some(Ok((key, Cow::Borrowed("")))),
        }
        match self.peek() {
            Some(b'"') => Some(self.quoted().map(|value| (key, value))),
            _ => {
                let value = self.take_while(|b| b > b' ' && b != b'=' && b != b'"');
                match self.peek() {
                    Some(b @ (b'=' | b'"')) => Some(Err(self.unexpected(char::from(b)))),
                    _ => Some(Ok((key, Cow::Borrowed(value)))),
                }
            }
        }
    }
}

/// Sets the pairs of a line as labels.
pub(crate) fn extract(
    line: &str,
    strict: bool,
    keep_empty: bool,
    fields: &mut Fields,
    wanted: &mut Wanted,
    scratch: &mut String,
) {
    if wanted.is_complete() {
        return;
    }
    let mark = fields.mark();
    for pair in Pairs::new(line) {
        let (key, value) = match pair {
            Ok(pair) => pair,
            Err(error) if strict => {
                fields.set_parser_error(ERROR, &error);
                return;
            }
            Err(_) => continue,
        };
        scratch.clear();
        push_sanitized(scratch, key);
        if scratch.is_empty() || (value.is_empty() && !keep_empty) {
            continue;
        }
        if fields.base_has(scratch) {
            scratch.push_str(EXTRACTED);
        }
        if !wanted.wants(scratch) {
            continue;
        }
        if let Some(buffer) = fields.set_first(scratch, mark) {
            push_valid(buffer, &value);
        }
        wanted.mark(scratch);
        if wanted.is_complete() {
            return;
        }
    }
}

/// Whether a value is what stands in the line, where that has no escape: what was no character may have become a blank.
pub(crate) fn is_unchanged(value: &str) -> bool {
    !value.contains(' ')
}

/// What was no character becomes a blank.
fn push_valid(buffer: &mut String, value: &str) {
    for (index, part) in value.split(char::REPLACEMENT_CHARACTER).enumerate() {
        if index > 0 {
            buffer.push(' ');
        }
        buffer.push_str(part);
    }
}

/// Sets those labels that are asked for; one whose key is not there is set to nothing.
pub(crate) fn extract_some(
    line: &str,
    strict: bool,
    some: &[(String, String)],
    fields: &mut Fields,
) {
    for (label, _) in some {
        if !fields.base_has(label) {
            fields.set_parsed(label, "");
        }
    }
    let mut name = String::new();
    for pair in Pairs::new(line) {
        let (key, value) = match pair {
            Ok(pair) => pair,
            Err(error) if strict => {
                fields.set_parser_error(ERROR, &error);
                return;
            }
            Err(_) => continue,
        };
        name.clear();
        push_sanitized(&mut name, key);
        let Some((label, _)) = some.iter().find(|(_, key)| *key == name) else {
            continue;
        };
        if fields.base_has(label) {
            fields.set_parsed(&format!("{label}{EXTRACTED}"), &value);
        } else {
            fields.set_parsed(label, &value);
        }
    }
}

#[cfg(test)]
mod tests {
    use wharf_signal::Labels;

    use super::*;

    #[track_caller]
    fn check(line: &str, strict: bool, expected: &str) {
        let mut fields = Fields::default();
        fields.begin(&Labels::from_pairs([("app", "x")]), &Labels::empty());
        extract(
            line,
            strict,
            false,
            &mut fields,
            &mut Wanted::All,
            &mut String::new(),
        );
        fields.clear_details();
        assert_eq!(fields.parsed().to_string(), expected, "{line}");
    }

    #[test]
    fn pairs_become_labels() {
        check(r#"a=1 b="x y" c= d e="""#, false, r#"{a="1", b="x y"}"#);
        check(
            r#"a.b=1 9c=2 app=z"#,
            false,
            r#"{_9c="2", a_b="1", app_extracted="z"}"#,
        );
        check(r#"a="x\"y\n" b=ä"#, false, "{a=\"x\\\"y\\n\", b=\"ä\"}");
        check("  \t ", false, "{}");
    }

    #[test]
    fn what_is_broken_is_skipped_unless_it_is_strict() {
        let line = r#"a=1 b=x"y c=2 ="x d=3 e="unfinished"#;
        check(line, false, r#"{a="1", c="2", d="3"}"#);
        check(line, true, r#"{__error__="LogfmtParserErr", a="1"}"#);
    }
}
