//! Words of a query.
//!
//! Words are reserved as in Loki: `json`, `by` or `drop` are never names; `sum` or `bytes` are names unless a parenthesis
//! follows.

use crate::ParseError;
use crate::text::{parse_bytes, parse_duration, parse_prometheus_duration, unquote};

/// A word.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// A name.
    Name(String),
    /// A reserved word, in lower case.
    Word(&'static str),
    /// A function's name, in lower case.
    Function(&'static str),
    Text(String),
    /// As it was written.
    Number(String),
    /// Nanoseconds.
    Duration(i64),
    Bytes(u64),
    /// `[5m]`, in nanoseconds.
    Range(i64),
    /// `--strict`
    Flag(&'static str),
    Symbol(&'static str),
    End,
}

impl Token {
    /// As an error names it.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Name(_) => "IDENTIFIER".to_owned(),
            Self::Word(word) | Self::Function(word) | Self::Symbol(word) => (*word).to_owned(),
            Self::Text(_) => "STRING".to_owned(),
            Self::Number(_) => "NUMBER".to_owned(),
            Self::Duration(_) => "DURATION".to_owned(),
            Self::Bytes(_) => "BYTES".to_owned(),
            Self::Range(_) => "RANGE".to_owned(),
            Self::Flag(flag) => (*flag).to_owned(),
            Self::End => "$end".to_owned(),
        }
    }
}

/// A word and where it begins, both counted from 1.
#[derive(Debug, Clone)]
pub(crate) struct Spanned {
    pub(crate) token: Token,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

const WORDS: [&str; 24] = [
    "by",
    "without",
    "bool",
    "offset",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "or",
    "and",
    "unless",
    "json",
    "regexp",
    "logfmt",
    "unpack",
    "pattern",
    "label_format",
    "line_format",
    "decolorize",
    "drop",
    "keep",
    "unwrap",
    "variants",
    "of",
];

const FUNCTIONS: [&str; 33] = [
    "rate",
    "rate_counter",
    "count_over_time",
    "bytes_rate",
    "bytes_over_time",
    "avg_over_time",
    "sum_over_time",
    "min_over_time",
    "max_over_time",
    "stdvar_over_time",
    "stddev_over_time",
    "quantile_over_time",
    "first_over_time",
    "last_over_time",
    "absent_over_time",
    "vector",
    "sum",
    "avg",
    "max",
    "min",
    "count",
    "stddev",
    "stdvar",
    "bottomk",
    "topk",
    "sort",
    "sort_desc",
    "label_replace",
    "approx_topk",
    "bytes",
    "duration",
    "duration_seconds",
    "ip",
];

/// Longer ones first.
const SYMBOLS: [&str; 28] = [
    "!=", "!~", "!>", "|=", "|~", "|>", "=~", "==", ">=", "<=", "|", "=", "{", "}", "(", ")", "[",
    "]", ",", ".", "+", "-", "*", "/", "%", "^", ">", "<",
];

const FLAGS: [&str; 2] = ["--strict", "--keep-empty"];

/// All words, the last of them `End`.
pub(crate) fn lex(query: &str) -> Result<Vec<Spanned>, ParseError> {
    let mut lexer = Lexer {
        rest: query,
        line: 1,
        column: 1,
    };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks()?;
        let (line, column) = (lexer.line, lexer.column);
        let token = lexer
            .token()
            .map_err(|message| ParseError::at(message, line, column))?;
        let done = token == Token::End;
        tokens.push(Spanned {
            token,
            line,
            column,
        });
        if done {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    column: usize,
}

impl<'a> Lexer<'a> {
    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        for c in taken.chars() {
            if c == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        taken
    }

    /// Takes what fulfils a condition from the beginning.
    fn take_while(&mut self, condition: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !condition(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    /// Blanks and comments: `# ...`, `// ...`, `/* ... */`.
    fn skip_blanks(&mut self) -> Result<(), ParseError> {
        loop {
            self.take_while(char::is_whitespace);
            if self.rest.starts_with('#') || self.rest.starts_with("//") {
                self.take_while(|c| c != '\n');
            } else if let Some(comment) = self.rest.strip_prefix("/*") {
                let Some(end) = comment.find("*/") else {
                    return Err(ParseError::at(
                        "comment not terminated",
                        self.line,
                        self.column,
                    ));
                };
                self.take(end + 4);
            } else {
                return Ok(());
            }
        }
    }

    fn token(&mut self) -> Result<Token, String> {
        let Some(first) = self.rest.chars().next() else {
            return Ok(Token::End);
        };
        match first {
            '"' | '`' => return self.text(first),
            '[' => return self.range(),
            '-' => {
                if let Some(flag) = FLAGS.iter().find(|flag| self.has_flag(flag)) {
                    self.take(flag.len());
                    return Ok(Token::Flag(flag));
                }
                if let Some((duration, length)) = duration_at(self.rest, 1) {
                    self.take(length);
                    return Ok(Token::Duration(duration));
                }
            }
            _ => {}
        }
        let digits = number_length(self.rest);
        if digits > 0 {
            return Ok(self.number(digits));
        }
        if first == '_' || first.is_alphabetic() {
            return Ok(self.word());
        }
        let symbol = SYMBOLS.iter().find(|s| self.rest.starts_with(**s));
        match symbol {
            Some(symbol) => {
                self.take(symbol.len());
                Ok(Token::Symbol(symbol))
            }
            None => Err(format!("syntax error: unexpected {first:?}")),
        }
    }

    fn has_flag(&self, flag: &str) -> bool {
        let after = self.rest.strip_prefix(flag);
        after.is_some_and(|after| !after.starts_with(|c: char| c.is_alphabetic() || c == '-'))
    }

    fn text(&mut self, mark: char) -> Result<Token, String> {
        let mut escaped = false;
        let end = self.rest[1..].find(|c| {
            if escaped {
                escaped = false;
                return false;
            }
            escaped = c == '\\' && mark == '"';
            c == mark || (c == '\n' && mark == '"')
        });
        let end = end.filter(|end| self.rest[end + 1..].starts_with(mark));
        let Some(end) = end else {
            return Err("literal not terminated".to_owned());
        };
        let quoted = self.take(end + 2);
        Ok(Token::Text(unquote(quoted)?))
    }

    fn range(&mut self) -> Result<Token, String> {
        let Some(end) = self.rest.find(']') else {
            return Err("missing closing ']' in duration".to_owned());
        };
        let inner = &self.rest[1..end];
        let Some(range) = parse_prometheus_duration(inner) else {
            return Err(format!(
                "not a valid duration string: {}",
                crate::text::quote(inner)
            ));
        };
        self.take(end + 1);
        Ok(Token::Range(range))
    }

    fn number(&mut self, digits: usize) -> Token {
        if let Some((duration, length)) = duration_at(self.rest, digits) {
            self.take(length);
            return Token::Duration(duration);
        }
        let size = |c: char| c.is_numeric() || "BikKMGTP.".contains(c);
        let after = &self.rest[digits..];
        let length = digits + after.find(|c| !size(c)).unwrap_or(after.len());
        if length > digits
            && let Ok(bytes) = parse_bytes(&self.rest[..length])
        {
            self.take(length);
            return Token::Bytes(bytes);
        }
        Token::Number(self.take(digits).to_owned())
    }

    fn word(&mut self) -> Token {
        let name = self.take_while(|c| c == '_' || c.is_alphanumeric());
        let lower = name.to_ascii_lowercase();
        if let Some(function) = FUNCTIONS.iter().find(|f| **f == lower) {
            if is_called(self.rest) {
                return Token::Function(function);
            }
            return Token::Name(name.to_owned());
        }
        match WORDS.iter().find(|w| **w == lower) {
            Some(word) => Token::Word(word),
            None => Token::Name(name.to_owned()),
        }
    }
}

/// How much of the beginning is a number: `1`, `1.5e3`, `.5`, `0x1f`.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let count = |from: usize, test: fn(&u8) -> bool| {
        bytes
            .get(from..)
            .map_or(0, |rest| rest.iter().take_while(|b| test(b)).count())
    };
    if text.starts_with("0x") || text.starts_with("0X") {
        let digits = count(2, u8::is_ascii_hexdigit);
        return if digits > 0 { digits + 2 } else { 1 };
    }
    let mut length = count(0, u8::is_ascii_digit);
    if bytes.get(length) == Some(&b'.') {
        let fraction = count(length + 1, u8::is_ascii_digit);
        if length + fraction == 0 {
            return 0;
        }
        length += 1 + fraction;
    }
    if length > 0 && matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = count(length + 1 + sign, u8::is_ascii_digit);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    length
}

/// The duration that begins here, of which `known` bytes are known to belong to it; and its length.
fn duration_at(text: &str, known: usize) -> Option<(i64, usize)> {
    let part = |c: char| c.is_numeric() || "nuµmshdwy.".contains(c);
    let after = &text[known..];
    let length = known + after.find(|c| !part(c)).unwrap_or(after.len());
    let duration = parse_duration(&text[..length]).filter(|_| length > known)?;
    Some((duration, length))
}

/// Whether what follows makes a name a function: `(`, `by (`, `without (`.
fn is_called(rest: &str) -> bool {
    let rest = rest.trim_start();
    if rest.starts_with('(') {
        return true;
    }
    let word = rest
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(rest.len());
    let (word, rest) = rest.split_at(word);
    (word.eq_ignore_ascii_case("by") || word.eq_ignore_ascii_case("without"))
        && rest.trim_start().starts_with('(')
}
