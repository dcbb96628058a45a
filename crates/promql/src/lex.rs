//! The words of an expression, one at a time.
//!
//! Inside of braces every word is a label's name; inside of brackets only durations are expected. Comments end with the line.

use crate::ast::{AggregateOp, BinaryOp, Position};
use crate::error::ParseError;
use crate::text::quote;

/// A kind of word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    End,
    Identifier,
    /// With a colon in it.
    MetricIdentifier,
    Number,
    Duration,
    String,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    /// `=`
    Assign,
    /// `=~`
    RegexEqual,
    /// `!~`
    RegexNotEqual,
    At,
    Operator(BinaryOp),
    Aggregate(AggregateOp),
    Keyword(Keyword),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyword {
    Offset,
    Smoothed,
    Anchored,
    By,
    Without,
    On,
    Ignoring,
    GroupLeft,
    GroupRight,
    Fill,
    FillLeft,
    FillRight,
    Bool,
    Start,
    End,
    Step,
    Range,
    MaxOf,
    MinOf,
}

/// A word with its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    pub(crate) at: Position,
}

impl Token<'_> {
    /// What an error calls it.
    pub(crate) fn describe(&self) -> String {
        let text = self.text;
        match self.kind {
            Kind::End => "end of input".to_owned(),
            Kind::Identifier => format!("identifier {}", quote(text)),
            Kind::MetricIdentifier => format!("metric identifier {}", quote(text)),
            Kind::Number => format!("number {}", abridged(text)),
            Kind::Duration => format!("duration {}", abridged(text)),
            Kind::String => format!("string {}", abridged(text)),
            Kind::Operator(_) | Kind::At | Kind::RegexEqual | Kind::RegexNotEqual => {
                format!("<op:{text}>")
            }
            Kind::Aggregate(_) => format!("<aggr:{text}>"),
            Kind::Keyword(_) => format!("<{text}>"),
            _ => quote(text),
        }
    }

    /// Whether it may name a metric.
    pub(crate) fn is_metric_name(&self) -> bool {
        match self.kind {
            Kind::Identifier | Kind::MetricIdentifier | Kind::Aggregate(_) => true,
            Kind::Operator(op) => op.is_set(),
            Kind::Keyword(keyword) => !matches!(
                keyword,
                Keyword::Bool
                    | Keyword::On
                    | Keyword::Ignoring
                    | Keyword::GroupLeft
                    | Keyword::GroupRight
            ),
            _ => false,
        }
    }

    /// Whether it may name a label of a grouping.
    pub(crate) fn is_label_name(&self) -> bool {
        match self.kind {
            Kind::Identifier | Kind::MetricIdentifier | Kind::Aggregate(_) => true,
            Kind::Operator(op) => op.is_set() || op == BinaryOp::Atan2,
            Kind::Keyword(keyword) => keyword != Keyword::Without,
            _ => false,
        }
    }
}

fn abridged(text: &str) -> String {
    if text.len() <= 10 {
        return quote(text);
    }
    let short: String = text.chars().take(10).collect();
    format!("{}...", quote(&short))
}

/// Reads words.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    next: usize,
    line: u32,
    line_start: usize,
    parens: u32,
    in_braces: bool,
    in_brackets: bool,
    got_colon: bool,
    /// Whether a bracket was just opened.
    after_bracket: bool,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text,
            next: 0,
            line: 1,
            line_start: 0,
            parens: 0,
            in_braces: false,
            in_brackets: false,
            got_colon: false,
            after_bracket: false,
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.next..).unwrap_or_default()
    }

    fn position(&self) -> Position {
        let column = self.next.saturating_sub(self.line_start).saturating_add(1);
        Position {
            line: self.line,
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            match rest.bytes().next() {
                Some(b'\n') => {
                    self.next += 1;
                    self.line = self.line.saturating_add(1);
                    self.line_start = self.next;
                }
                Some(b' ' | b'\t' | b'\r') => self.next += 1,
                Some(b'#') => {
                    let length = rest.find(['\n', '\r']).unwrap_or(rest.len());
                    self.next += length;
                }
                _ => return,
            }
        }
    }

    /// The next word.
    pub(crate) fn token(&mut self) -> Result<Token<'a>, ParseError> {
        self.skip_blank();
        let at = self.position();
        let rest = self.rest();
        let fail = |message: String| ParseError { at, message };
        let Some(first) = rest.chars().next() else {
            let open = match (self.in_braces, self.parens, self.in_brackets) {
                (true, ..) => "unexpected end of input inside braces",
                (_, 1.., _) => "unclosed left parenthesis",
                (_, _, true) => "unclosed left bracket",
                _ => {
                    let (kind, text) = (Kind::End, "");
                    return Ok(Token { kind, text, at });
                }
            };
            return Err(fail(open.to_owned()));
        };
        let (kind, length) = if self.in_braces {
            in_braces(first, rest)
        } else if first.is_ascii_digit()
            || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit()))
        {
            number_or_duration(rest)
        } else if is_alpha(first) || (first == ':' && !self.in_brackets) {
            self.word(first, rest)
        } else {
            symbol(first, rest)
        }
        .map_err(fail)?;
        self.follow(kind).map_err(|message| {
            // A parenthesis too many has been read by then.
            let past = u32::from(kind == Kind::RightParen);
            let column = at.column.saturating_add(past);
            let at = Position { column, ..at };
            ParseError { at, message }
        })?;
        let text = &rest[..length];
        // Line feeds are in raw strings only.
        for (index, _) in text.match_indices('\n') {
            self.line = self.line.saturating_add(1);
            self.line_start = self.next + index + 1;
        }
        self.next += length;
        Ok(Token { kind, text, at })
    }

    fn word(&self, first: char, rest: &str) -> Result<(Kind, usize), String> {
        let (kind, length) = word(rest);
        let of_durations = matches!(
            kind,
            Kind::Keyword(Keyword::Step | Keyword::Range | Keyword::MaxOf | Keyword::MinOf)
        );
        if !self.in_brackets || of_durations {
            Ok((kind, length))
        } else if self.after_bracket {
            Err(format!(
                "unexpected character in duration expression: {first:?}"
            ))
        } else {
            Err(format!("unexpected character: {first:?}, expected ':'"))
        }
    }

    /// Keeps track of what is open.
    fn follow(&mut self, kind: Kind) -> Result<(), String> {
        self.after_bracket = kind == Kind::LeftBracket;
        match kind {
            Kind::LeftBrace => self.in_braces = true,
            Kind::RightBrace => self.in_braces = false,
            Kind::LeftParen => self.parens += 1,
            Kind::RightParen => {
                self.parens = self
                    .parens
                    .checked_sub(1)
                    .ok_or("unexpected right parenthesis ')'")?;
            }
            Kind::LeftBracket if self.in_brackets => {
                return Err("unexpected left bracket '['".to_owned());
            }
            Kind::LeftBracket => {
                self.in_brackets = true;
                self.got_colon = false;
            }
            Kind::RightBracket if !self.in_brackets => {
                return Err("unexpected right bracket ']'".to_owned());
            }
            Kind::RightBracket => self.in_brackets = false,
            Kind::Colon if self.got_colon => return Err("unexpected colon ':'".to_owned()),
            Kind::Colon => self.got_colon = true,
            _ => {}
        }
        Ok(())
    }
}

fn is_alpha(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn is_alphanumeric(c: char) -> bool {
    is_alpha(c) || c.is_ascii_digit()
}

fn in_braces(first: char, rest: &str) -> Result<(Kind, usize), String> {
    let second = rest[first.len_utf8()..].chars().next();
    Ok(match (first, second) {
        (c, _) if is_alpha(c) => {
            let end = rest.find(|c| !is_alphanumeric(c)).unwrap_or(rest.len());
            (Kind::Identifier, end)
        }
        (',', _) => (Kind::Comma, 1),
        ('}', _) => (Kind::RightBrace, 1),
        ('=', Some('~')) => (Kind::RegexEqual, 2),
        ('=', _) => (Kind::Assign, 1),
        ('!', Some('~')) => (Kind::RegexNotEqual, 2),
        ('!', Some('=')) => (Kind::Operator(BinaryOp::NotEqual), 2),
        ('!', next) => return Err(after("'!' inside braces", next)),
        ('"' | '\'' | '`', _) => (Kind::String, string(first, rest)?),
        ('{', _) => return Err("unexpected left brace '{'".to_owned()),
        (c, _) => return Err(format!("unexpected character inside braces: {c:?}")),
    })
}

fn after(what: &str, next: Option<char>) -> String {
    match next {
        Some(c) => format!("unexpected character after {what}: {c:?}"),
        None => format!("unexpected end of input after {what}"),
    }
}

fn symbol(first: char, rest: &str) -> Result<(Kind, usize), String> {
    use BinaryOp as Op;
    let second = rest[first.len_utf8()..].chars().next();
    let op = |op, length| Ok((Kind::Operator(op), length));
    match (first, second) {
        (',', _) => Ok((Kind::Comma, 1)),
        (':', _) => Ok((Kind::Colon, 1)),
        ('(', _) => Ok((Kind::LeftParen, 1)),
        (')', _) => Ok((Kind::RightParen, 1)),
        ('{', _) => Ok((Kind::LeftBrace, 1)),
        ('[', _) => Ok((Kind::LeftBracket, 1)),
        (']', _) => Ok((Kind::RightBracket, 1)),
        ('@', _) => Ok((Kind::At, 1)),
        ('+', _) => op(Op::Add, 1),
        ('-', _) => op(Op::Sub, 1),
        ('*', _) => op(Op::Mul, 1),
        ('/', _) => op(Op::Div, 1),
        ('%', _) => op(Op::Mod, 1),
        ('^', _) => op(Op::Pow, 1),
        ('=', Some('=')) => op(Op::Equal, 2),
        ('=', Some('~')) => Err("unexpected character after '=': '~'".to_owned()),
        ('=', _) => Ok((Kind::Assign, 1)),
        ('!', Some('=')) => op(Op::NotEqual, 2),
        ('!', next) => Err(after("'!'", next)),
        ('<', Some('=')) => op(Op::LessEqual, 2),
        ('<', Some('/')) => op(Op::TrimUpper, 2),
        ('<', _) => op(Op::Less, 1),
        ('>', Some('=')) => op(Op::GreaterEqual, 2),
        ('>', Some('/')) => op(Op::TrimLower, 2),
        ('>', _) => op(Op::Greater, 1),
        ('"' | '\'' | '`', _) => Ok((Kind::String, string(first, rest)?)),
        (c, _) => Err(format!("unexpected character: {c:?}")),
    }
}

/// The length of a text with its quotes. What its escapes mean is looked at later.
fn string(quote: char, rest: &str) -> Result<usize, String> {
    let raw = quote == '`';
    let mut escaped = false;
    for (index, c) in rest.char_indices().skip(1) {
        match c {
            '\n' if !raw => return Err("unterminated quoted string".to_owned()),
            _ if escaped => escaped = false,
            '\\' if !raw => escaped = true,
            c if c == quote => return Ok(index + 1),
            _ => {}
        }
    }
    let kind = if raw { "raw" } else { "quoted" };
    Err(format!("unterminated {kind} string"))
}

fn number_or_duration(rest: &str) -> Result<(Kind, usize), String> {
    let bytes = rest.as_bytes();
    let is_hex = bytes.len() > 1 && bytes[0] == b'0' && bytes[1].eq_ignore_ascii_case(&b'x');
    let mut end = 0;
    while let Some(b) = bytes.get(end) {
        let signed_exponent = matches!(b, b'+' | b'-')
            && !is_hex
            && end > 0
            && bytes[end - 1].eq_ignore_ascii_case(&b'e');
        if b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_') || signed_exponent {
            end += 1;
        } else {
            break;
        }
    }
    let text = &rest[..end];
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && !text.contains("__")
        && !text.ends_with('_')
        && !text.contains("._")
        && !text.contains("_.")
        && crate::text::parse_number(text).is_some_and(f64::is_finite);
    if is_number {
        return Ok((Kind::Number, end));
    }
    let units = ["ms", "y", "w", "d", "h", "m", "s"];
    let mut tail = text;
    while !tail.is_empty() {
        let digits = tail.trim_start_matches(|c: char| c.is_ascii_digit());
        let unit = units.iter().find_map(|unit| digits.strip_prefix(unit));
        match unit {
            Some(next) if digits.len() < tail.len() => tail = next,
            _ => return Err(format!("bad number or duration syntax: {}", quote(text))),
        }
    }
    Ok((Kind::Duration, end))
}

fn word(rest: &str) -> (Kind, usize) {
    let end = rest
        .find(|c| !is_alphanumeric(c) && c != ':')
        .unwrap_or(rest.len());
    let word = &rest[..end];
    let kind = keyword(&word.to_ascii_lowercase(), &rest[end..]).unwrap_or(if word.contains(':') {
        Kind::MetricIdentifier
    } else {
        Kind::Identifier
    });
    (kind, end)
}

fn keyword(lower: &str, after: &str) -> Option<Kind> {
    use BinaryOp as Op;
    if let Some(op) = AggregateOp::ALL.into_iter().find(|op| op.as_str() == lower) {
        return Some(Kind::Aggregate(op));
    }
    Some(match lower {
        "and" => Kind::Operator(Op::And),
        "or" => Kind::Operator(Op::Or),
        "unless" => Kind::Operator(Op::Unless),
        "atan2" => Kind::Operator(Op::Atan2),
        "inf" | "nan" => Kind::Number,
        _ => Kind::Keyword(match lower {
            "offset" => Keyword::Offset,
            "smoothed" => Keyword::Smoothed,
            "anchored" => Keyword::Anchored,
            "by" => Keyword::By,
            "without" => Keyword::Without,
            "on" => Keyword::On,
            "ignoring" => Keyword::Ignoring,
            "group_left" => Keyword::GroupLeft,
            "group_right" => Keyword::GroupRight,
            // Words of these names are metrics unless a value follows.
            "fill" | "fill_left" | "fill_right" if !after.trim_start().starts_with('(') => {
                return None;
            }
            "fill" => Keyword::Fill,
            "fill_left" => Keyword::FillLeft,
            "fill_right" => Keyword::FillRight,
            "bool" => Keyword::Bool,
            "start" => Keyword::Start,
            "end" => Keyword::End,
            "step" => Keyword::Step,
            "range" => Keyword::Range,
            "max_of" => Keyword::MaxOf,
            "min_of" => Keyword::MinOf,
            _ => return None,
        }),
    })
}
