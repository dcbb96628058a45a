//! Lines of JSON.
//!
//! A scanner that looks only at what is asked for: keys that nobody wants are skipped, and it ends as soon as everything wanted was found.
//! It is as lenient as Loki's: what is skipped is not checked beyond its quotes and braces.

use memchr::memchr2;

use crate::fields::{EXTRACTED, Fields, Wanted, push_sanitized};

pub(crate) const ERROR: &str = "JSONParserErr";
/// How deeply objects may be nested whose keys become labels.
const MAX_DEPTH: usize = 64;

const MALFORMED: &str = "Malformed JSON error";
const UNCLOSED: &str = "Value is not closed";
const TOO_DEEP: &str = "Objects are nested too deep";

/// A value where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    /// Between the quotes, with its escapes.
    Text(&'a str),
    /// A number, `true` or `false`, as it is written.
    Plain(&'a str),
    Null,
    /// With its braces.
    Object(&'a str),
    Array(&'a str),
}

impl Value<'_> {
    /// Appends it as a label has it.
    pub(crate) fn push(self, out: &mut String) {
        match self {
            Self::Text(text) => unescape(text, out),
            Self::Plain(text) | Self::Object(text) | Self::Array(text) => out.push_str(text),
            Self::Null => {}
        }
    }
}

/// Sets the fields of an object as labels; those of objects in it with the outer key before theirs.
pub(crate) fn extract(line: &str, fields: &mut Fields, wanted: &mut Wanted, scratch: &mut String) {
    if wanted.is_complete() {
        return;
    }
    scratch.clear();
    let mut walk = Walk {
        mark: fields.mark(),
        fields,
        wanted,
        name: scratch,
    };
    if let Err(error) = walk.object(&mut Scanner::new(line), 0) {
        fields.set_parser_error(ERROR, error);
    }
}

/// Whether a value is what stands in the line, where that has no escape.
pub(crate) fn is_unchanged(_: &str) -> bool {
    true
}

struct Walk<'w> {
    fields: &'w mut Fields,
    wanted: &'w mut Wanted,
    name: &'w mut String,
    mark: usize,
}

impl Walk<'_> {
    /// Whether all was found.
    fn object(&mut self, scanner: &mut Scanner<'_>, depth: usize) -> Result<bool, &'static str> {
        if depth > MAX_DEPTH {
            return Err(TOO_DEEP);
        }
        let prefix = self.name.len();
        let mut members = scanner.members()?;
        while let Some(key) = members.next(scanner)? {
            if prefix == 0
                && key.starts_with(|c: char| c.is_ascii_alphabetic())
                && !self.wanted.wants_first(key.as_bytes().first())
            {
                scanner.skip()?;
                continue;
            }
            if prefix > 0 && !key.trim().is_empty() {
                self.name.push('_');
            }
            if key.contains('\\') {
                let mut plain = String::new();
                unescape(key, &mut plain);
                push_sanitized(self.name, &plain);
            } else {
                push_sanitized(self.name, key);
            }
            let done = self.member(scanner, depth)?;
            self.name.truncate(prefix);
            if done {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn member(&mut self, scanner: &mut Scanner<'_>, depth: usize) -> Result<bool, &'static str> {
        scanner.blank();
        if scanner.peek() == Some(b'{') {
            if self.wanted.wants_prefix(self.name) {
                return self.object(scanner, depth + 1);
            }
            scanner.skip()?;
            return Ok(false);
        }
        // Who wants a name that ends in `_extracted` wants the one without, too.
        if self.name.is_empty() || !self.wanted.wants(self.name) {
            scanner.skip()?;
            return Ok(false);
        }
        if self.fields.base_has(self.name) {
            self.name.push_str(EXTRACTED);
            if !self.wanted.wants(self.name) {
                scanner.skip()?;
                return Ok(false);
            }
        }
        let value = scanner.value()?;
        if matches!(value, Value::Text(_) | Value::Plain(_)) {
            if let Some(buffer) = self.fields.set_first(self.name, self.mark) {
                value.push(buffer);
            }
            self.wanted.mark(self.name);
            return Ok(self.wanted.is_complete());
        }
        Ok(false)
    }
}

/// Goes over the members of an object.
pub(crate) struct Members {
    first: bool,
}

impl Members {
    /// The next key, without its quotes; the scanner stands before its value, which has to be taken or skipped.
    pub(crate) fn next<'a>(
        &mut self,
        scanner: &mut Scanner<'a>,
    ) -> Result<Option<&'a str>, &'static str> {
        scanner.blank();
        match scanner.peek() {
            Some(b'}') => {
                scanner.at += 1;
                return Ok(None);
            }
            Some(b',') if !self.first => {
                scanner.at += 1;
                scanner.blank();
            }
            Some(b'"') if self.first => {}
            _ => return Err(MALFORMED),
        }
        self.first = false;
        let key = scanner.text()?;
        scanner.blank();
        if scanner.peek() != Some(b':') {
            return Err(MALFORMED);
        }
        scanner.at += 1;
        Ok(Some(key))
    }
}

/// A place in a line.
#[derive(Clone)]
pub(crate) struct Scanner<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(line: &'a str) -> Self {
        Self { line, at: 0 }
    }

    fn bytes(&self) -> &'a [u8] {
        self.line.as_bytes()
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes().get(self.at).copied()
    }

    pub(crate) fn blank(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Begins an object.
    pub(crate) fn members(&mut self) -> Result<Members, &'static str> {
        self.blank();
        if self.peek() != Some(b'{') {
            return Err(MALFORMED);
        }
        self.at += 1;
        Ok(Members { first: true })
    }

    /// The text of a string, with its escapes.
    fn text(&mut self) -> Result<&'a str, &'static str> {
        if self.peek() != Some(b'"') {
            return Err(MALFORMED);
        }
        let start = self.at + 1;
        let mut at = start;
        loop {
            let rest = self.bytes().get(at..).ok_or(UNCLOSED)?;
            let found = memchr2(b'"', b'\\', rest).ok_or(UNCLOSED)?;
            at += found;
            if rest[found] == b'"' {
                break;
            }
            at += 2;
        }
        self.at = at + 1;
        self.line.get(start..at).ok_or(MALFORMED)
    }

    /// Takes a value.
    pub(crate) fn value(&mut self) -> Result<Value<'a>, &'static str> {
        self.blank();
        let start = self.at;
        match self.peek() {
            Some(b'"') => Ok(Value::Text(self.text()?)),
            Some(b'{') => {
                self.nested()?;
                Ok(Value::Object(&self.line[start..self.at]))
            }
            Some(b'[') => {
                self.nested()?;
                Ok(Value::Array(&self.line[start..self.at]))
            }
            _ => {
                self.plain();
                match &self.line[start..self.at] {
                    "null" => Ok(Value::Null),
                    plain @ ("true" | "false") => Ok(Value::Plain(plain)),
                    number if number.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                        Ok(Value::Plain(number))
                    }
                    _ => Err("Unknown value type"),
                }
            }
        }
    }

    /// Passes over a value.
    pub(crate) fn skip(&mut self) -> Result<(), &'static str> {
        self.blank();
        match self.peek() {
            Some(b'"') => self.text().map(drop),
            Some(b'{' | b'[') => self.nested(),
            _ => {
                let start = self.at;
                self.plain();
                if self.at == start {
                    Err(MALFORMED)
                } else {
                    Ok(())
                }
            }
        }
    }

    /// Passes over what is neither string nor nested.
    fn plain(&mut self) {
        while let Some(b) = self.peek() {
            if matches!(b, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r') {
                break;
            }
            self.at += 1;
        }
    }

    /// Passes over an object or a list, without recursion.
    fn nested(&mut self) -> Result<(), &'static str> {
        let mut depth = 0_usize;
        while let Some(b) = self.peek() {
            match b {
                b'"' => {
                    self.text()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        self.at += 1;
                        return Ok(());
                    }
                }
                _ => {}
            }
            self.at += 1;
        }
        Err(UNCLOSED)
    }

    /// Goes over a list: true while there is a value to take or skip.
    pub(crate) fn element(&mut self, first: &mut bool) -> Result<bool, &'static str> {
        self.blank();
        match self.peek() {
            Some(b']') => {
                self.at += 1;
                return Ok(false);
            }
            Some(b'[') if *first => {
                self.at += 1;
                self.blank();
                *first = false;
                if self.peek() == Some(b']') {
                    return Ok(false);
                }
            }
            Some(b',') if !*first => self.at += 1,
            _ => return Err(MALFORMED),
        }
        Ok(true)
    }
}

/// Appends a string's text; one with an escape that is none is empty.
pub(crate) fn unescape(text: &str, out: &mut String) {
    let start = out.len();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let mut chars = rest[at + 1..].chars();
        let c = match chars.next() {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('b') => '\x08',
            Some('f') => '\x0c',
            Some(c @ ('"' | '\\' | '/')) => c,
            Some('u') => {
                rest = chars.as_str();
                let Some(c) = code_point(&mut rest) else {
                    out.truncate(start);
                    return;
                };
                // What is no character cannot be in a label.
                out.push(if c == char::REPLACEMENT_CHARACTER {
                    ' '
                } else {
                    c
                });
                continue;
            }
            _ => {
                out.truncate(start);
                return;
            }
        };
        out.push(c);
        rest = chars.as_str();
    }
    out.push_str(rest);
}

/// Takes `00e4`, or `d83d\ude00`.
fn code_point(rest: &mut &str) -> Option<char> {
    let high = four(rest)?;
    if !(0xd800..0xe000).contains(&high) {
        return char::from_u32(high);
    }
    *rest = rest.strip_prefix("\\u")?;
    let low = four(rest)?;
    if high >= 0xdc00 || !(0xdc00..0xe000).contains(&low) {
        return None;
    }
    char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))
}

fn four(rest: &mut &str) -> Option<u32> {
    let digits = rest.get(..4)?;
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    *rest = &rest[4..];
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use wharf_signal::Labels;

    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let mut fields = Fields::default();
        fields.begin(&Labels::from_pairs([("app", "x")]), &Labels::empty());
        extract(line, &mut fields, &mut Wanted::All, &mut String::new());
        fields.clear_details();
        assert_eq!(fields.parsed().to_string(), expected, "{line}");
    }

    #[test]
    fn fields_become_labels() {
        check(
            r#"{"a":1,"b":"x","c":true,"d":null,"e":[1]}"#,
            r#"{a="1", b="x", c="true"}"#,
        );
        check(
            r#" {"a": {"b": {"c.d": "x"}, "e": 2 } } "#,
            r#"{a_b_c_d="x", a_e="2"}"#,
        );
        check(r#"{"app":"y"}"#, r#"{app_extracted="y"}"#);
        check(r#"{"a":"\u00e4\n\"\ud83d\ude00"}"#, "{a=\"ä\\n\\\"😀\"}");
        check(r#"{"a":1,"a":2}"#, r#"{a="1"}"#);
        check(r#"{"9":1," ":2,"":3}"#, r#"{_9="1"}"#);
        check("{}", "{}");
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        for line in [
            "",
            "x",
            "[1]",
            r#""a""#,
            "{",
            r#"{"a"}"#,
            r#"{"a":x}"#,
            r#"{"a":"#,
        ] {
            check(line, r#"{__error__="JSONParserErr"}"#);
        }
        check(r#"{"a":1,"b"}"#, r#"{__error__="JSONParserErr", a="1"}"#);
        check(r#"{"a":1"#, r#"{__error__="JSONParserErr", a="1"}"#);
        check(
            &format!("{}1", r#"{"a":"#.repeat(100)),
            r#"{__error__="JSONParserErr"}"#,
        );
    }

    #[test]
    fn it_ends_when_all_is_found() {
        let mut fields = Fields::default();
        let mut wanted = Wanted::only(vec!["a_b".to_owned()]);
        extract(
            r#"{"x":{"b":1},"a":{"c":1,"b":2},"broken"#,
            &mut fields,
            &mut wanted,
            &mut String::new(),
        );
        assert_eq!(fields.parsed().to_string(), r#"{a_b="2"}"#);
    }
}
