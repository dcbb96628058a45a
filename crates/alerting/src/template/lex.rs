//! Text -> tokens: texts between actions, and what is within `{{ }}`.

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// Outside of `{{ }}`.
    Text(String),
    /// `{{`
    Open,
    /// `}}`
    Close,
    /// A word: a function or a keyword.
    Word(String),
    /// `.name`; alone `.` is empty.
    Field(String),
    /// `$name`; alone `$` is empty.
    Variable(String),
    /// `"…"` or `` `…` ``
    Quoted(String),
    /// A whole number; a character too.
    Int(i64),
    /// Another number.
    Float(f64),
    /// `|`, `(`, `)`, `,`
    Sign(char),
    /// `:=`
    Declare,
    /// `=`
    Assign,
    /// White space within `{{ }}`: it ends an operand.
    Space,
}

pub(super) fn tokens(source: &str) -> Result<Vec<Token>, String> {
    let mut tokens = vec![];
    let mut rest = source;
    let mut trim = false;
    loop {
        let (text, action) = match rest.split_once("{{") {
            Some((text, action)) => (text, Some(action)),
            None => (rest, None),
        };
        let mut text = if trim { text.trim_start() } else { text };
        let Some(mut action) = action else {
            push_text(&mut tokens, text);
            return Ok(tokens);
        };
        if let Some(after) = marker(action) {
            text = text.trim_end();
            action = after;
        }
        push_text(&mut tokens, text);
        if let Some(comment) = action.strip_prefix("/*") {
            let (_, after) = comment.split_once("*/").ok_or("unclosed comment")?;
            let spaced = after.trim_start();
            if let Some(after) = spaced.strip_prefix("-}}").filter(|_| spaced != after) {
                (rest, trim) = (after, true);
            } else {
                let after = after.strip_prefix("}}");
                (rest, trim) = (after.ok_or("comment ends before closing delimiter")?, false);
            }
            continue;
        }
        tokens.push(Token::Open);
        (rest, trim) = inside(action, &mut tokens)?;
        tokens.push(Token::Close);
    }
}

/// `{{- `: the rest behind it.
fn marker(action: &str) -> Option<&str> {
    let after = action.strip_prefix('-')?;
    after
        .starts_with([' ', '\t', '\r', '\n'])
        .then(|| after.trim_start())
}

fn push_text(tokens: &mut Vec<Token>, text: &str) {
    if !text.is_empty() {
        tokens.push(Token::Text(text.to_owned()));
    }
}

/// Reads up to `}}`. Gives what is behind it, and whether its leading white space goes.
fn inside<'a>(action: &'a str, tokens: &mut Vec<Token>) -> Result<(&'a str, bool), String> {
    let mut rest = action;
    loop {
        if let Some(after) = rest.strip_prefix("}}") {
            return Ok((after, false));
        }
        let spaced = rest.trim_start();
        if spaced.len() < rest.len() {
            if let Some(after) = spaced.strip_prefix("-}}") {
                return Ok((after, true));
            }
            tokens.push(Token::Space);
            rest = spaced;
            continue;
        }
        let first = rest.chars().next().ok_or("unclosed action")?;
        let (token, after) = match first {
            '"' => quoted(&rest[1..])?,
            '`' => {
                let (text, after) = rest[1..]
                    .split_once('`')
                    .ok_or("unterminated raw quoted string")?;
                (Token::Quoted(text.to_owned()), after)
            }
            '\'' => character(&rest[1..])?,
            '|' | '(' | ')' | ',' => (Token::Sign(first), &rest[1..]),
            ':' => {
                let after = rest.strip_prefix(":=").ok_or("expected :=")?;
                (Token::Declare, after)
            }
            '=' => (Token::Assign, &rest[1..]),
            '$' => {
                let (name, after) = word(&rest[1..]);
                (Token::Variable(name.to_owned()), after)
            }
            '.' if !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                let (name, after) = word(&rest[1..]);
                (Token::Field(name.to_owned()), after)
            }
            c if c == '.' || c == '+' || c == '-' || c.is_ascii_digit() => number(rest)?,
            c if c.is_alphabetic() || c == '_' => {
                let (name, after) = word(rest);
                (Token::Word(name.to_owned()), after)
            }
            c => return Err(format!("unexpected {c:?} in action")),
        };
        tokens.push(token);
        rest = after;
    }
}

fn word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    text.split_at(end.unwrap_or(text.len()))
}

fn number(text: &str) -> Result<(Token, &str), String> {
    let exponent = |at: usize| matches!(text.as_bytes().get(at.wrapping_sub(1)), Some(b'e' | b'E'));
    let end = text
        .char_indices()
        .find(|(at, c)| match c {
            '+' | '-' => *at > 0 && !exponent(*at),
            c => !c.is_ascii_alphanumeric() && *c != '.' && *c != '_',
        })
        .map_or(text.len(), |(at, _)| at);
    let (digits, after) = text.split_at(end);
    let bad = || format!("bad number syntax: {digits:?}");
    let plain = digits.replace('_', "");
    let (sign, unsigned) = match plain.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let radix = |digits: &str, radix| i64::from_str_radix(digits, radix).ok();
    let whole = match unsigned.get(..2) {
        Some("0x" | "0X") => radix(&unsigned[2..], 16),
        Some("0b" | "0B") => radix(&unsigned[2..], 2),
        Some("0o" | "0O") => radix(&unsigned[2..], 8),
        _ => unsigned.parse().ok(),
    };
    if let Some(whole) = whole {
        return Ok((Token::Int(whole * sign), after));
    }
    let numeric = |c: char| c.is_ascii_digit() || ".eE+-".contains(c);
    if !unsigned.chars().all(numeric) {
        return Err(bad());
    }
    let number: f64 = plain.parse().map_err(|_| bad())?;
    Ok((Token::Float(number), after))
}

fn character(text: &str) -> Result<(Token, &str), String> {
    let mut chars = text.chars();
    let (c, after) = match chars.next() {
        Some('\\') => escape(&mut chars)?,
        Some(c) if c != '\'' => (c, chars.as_str()),
        _ => return Err("unterminated character constant".to_owned()),
    };
    let after = after
        .strip_prefix('\'')
        .ok_or("unterminated character constant")?;
    Ok((Token::Int(i64::from(u32::from(c))), after))
}

fn quoted(text: &str) -> Result<(Token, &str), String> {
    let mut out = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next() {
            Some('"') => return Ok((Token::Quoted(out), chars.as_str())),
            Some('\\') => {
                let (c, after) = escape(&mut chars)?;
                out.push(c);
                chars = after.chars();
            }
            Some('\n') | None => return Err("unterminated quoted string".to_owned()),
            Some(c) => out.push(c),
        }
    }
}

/// What stands behind a backslash, and the rest.
fn escape<'a>(chars: &mut std::str::Chars<'a>) -> Result<(char, &'a str), String> {
    let bad = || "invalid escape in a string".to_owned();
    let code = |chars: &mut std::str::Chars<'a>, digits: usize| {
        let text = chars.as_str().get(..digits).ok_or_else(bad)?;
        *chars = chars.as_str()[digits..].chars();
        let code = u32::from_str_radix(text, 16).map_err(|_| bad())?;
        char::from_u32(code).ok_or_else(bad)
    };
    let c = match chars.next() {
        Some('n') => '\n',
        Some('t') => '\t',
        Some('r') => '\r',
        Some('a') => '\x07',
        Some('b') => '\x08',
        Some('f') => '\x0c',
        Some('v') => '\x0b',
        Some(c @ ('\\' | '"' | '\'')) => c,
        Some('x') => code(chars, 2)?,
        Some('u') => code(chars, 4)?,
        Some('U') => code(chars, 8)?,
        _ => return Err(bad()),
    };
    Ok((c, chars.as_str()))
}
