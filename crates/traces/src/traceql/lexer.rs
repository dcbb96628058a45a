//! TraceQL's words.

use super::ParseError;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// `{`, `&&`, `>=` and the like.
    Sign(&'static str),
    /// A name with its dots, colons and quotes.
    Name(String),
    Text(String),
    Int(i64),
    Float(f64),
    /// Nanoseconds.
    Duration(i64),
    End,
}

/// Longer ones first.
const SIGNS: [&str; 27] = [
    "&>>", "&<<", "!>>", "!<<", "&&", "||", "=~", "!~", "!=", ">=", "<=", ">>", "<<", "&>", "&<",
    "!>", "!<", "{", "}", "(", ")", "=", ">", "<", "!", "~", "|",
];

/// The words with the places where they begin, counted in bytes from one.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, ParseError> {
    let mut tokens = vec![];
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let column = text.len() - rest.len() + 1;
        let Some(first) = rest.chars().next() else {
            tokens.push((column, Token::End));
            return Ok(tokens);
        };
        let (token, length) = match first {
            '"' | '`' => quoted(rest, column)?,
            '0'..='9' | '-' => number(rest, column)?,
            ',' => (Token::Sign(","), 1),
            _ => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (Token::Sign(sign), sign.len()),
                None => name(rest, column)?,
            },
        };
        tokens.push((column, token));
        rest = &rest[length..];
    }
}

fn error<T>(column: usize, message: impl Into<String>) -> Result<T, ParseError> {
    let message = message.into();
    Err(ParseError { column, message })
}

/// A text in quotes, and how long it is with them.
fn quoted(rest: &str, column: usize) -> Result<(Token, usize), ParseError> {
    let raw = rest.starts_with('`');
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '`' if raw => return Ok((Token::Text(text), at + 1)),
            '"' if !raw => return Ok((Token::Text(text), at + 1)),
            '\\' if !raw => match chars.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, 't')) => text.push('\t'),
                Some((_, 'r')) => text.push('\r'),
                Some((_, c @ ('"' | '\\' | '\''))) => text.push(c),
                // As a regular expression would write it: `\.`, `\d`.
                Some((_, c)) => text.extend(['\\', c]),
                None => break,
            },
            c => text.push(c),
        }
    }
    error(column, "a text has no closing quote")
}

fn number(rest: &str, column: usize) -> Result<(Token, usize), ParseError> {
    let sign = usize::from(rest.starts_with('-'));
    let numeric = |c: char| c.is_ascii_digit() || c == '.' || c.is_ascii_alphabetic() || c == 'µ';
    let length = sign
        + rest[sign..]
            .find(|c| !numeric(c))
            .unwrap_or(rest.len() - sign);
    let word = &rest[..length];
    let token = if word.contains(|c: char| c.is_alphabetic()) {
        match duration(&word[sign..]) {
            Some(nanos) => Token::Duration(if sign == 1 { -nanos } else { nanos }),
            None => {
                return error(
                    column,
                    format!("{word} is neither a number nor a duration like 1.5s, 100ms or 2h"),
                );
            }
        }
    } else if let Ok(number) = word.parse() {
        Token::Int(number)
    } else if let Some(number) = word.parse().ok().filter(|number: &f64| number.is_finite()) {
        Token::Float(number)
    } else {
        return error(column, format!("{word} is no number"));
    };
    Ok((token, length))
}

/// Reads a duration as Go writes it: `1h30m`, `1.5s`, `100ms`; in nanoseconds.
pub(super) fn duration(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut nanos = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        nanos += number
            * match &rest[..end] {
                "ns" => 1.0,
                "us" | "µs" => 1e3,
                "ms" => 1e6,
                "s" => 1e9,
                "m" => 60e9,
                "h" => 3_600e9,
                "d" => 86_400e9,
                _ => return None,
            };
        rest = &rest[end..];
    }
    // The cast saturates.
    (!text.is_empty()).then_some(nanos.round() as i64)
}

/// A name: everything up to a space or a sign; within quotes everything.
fn name(rest: &str, column: usize) -> Result<(Token, usize), ParseError> {
    let mut name = String::new();
    let mut chars = rest.char_indices().peekable();
    while let Some(&(at, c)) = chars.peek() {
        if c == '"' {
            let (text, length) = quoted(&rest[at..], column + at)?;
            if let Token::Text(text) = text {
                name.push_str(&text);
            }
            while chars.peek().is_some_and(|(next, _)| *next < at + length) {
                chars.next();
            }
        } else if c.is_whitespace() || "{}()=~!<>&|^,".contains(c) {
            break;
        } else {
            name.push(c);
            chars.next();
        }
    }
    let length = chars.peek().map_or(rest.len(), |(at, _)| *at);
    if length == 0 {
        let c = rest.chars().next().unwrap_or_default();
        return error(column, format!("unexpected {c:?}"));
    }
    Ok((Token::Name(name), length))
}
