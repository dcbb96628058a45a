//! Conditions on a line.

use memchr::memmem::Finder;
use regex::Regex;
use wharf_signal::compile_regexp;

use super::ip::IpRange;
use super::pattern::Pattern;
use crate::ast::{LineFilter, LineMatch, LineOp};

/// A condition, ready to be asked.
#[derive(Debug, Clone)]
pub(crate) struct LineTest {
    any: Vec<Test>,
    positive: bool,
}

#[derive(Debug, Clone)]
enum Test {
    /// Every line has it.
    Always,
    Contains(Box<Finder<'static>>),
    Regex(Regex),
    Pattern(Pattern),
    Ip(IpRange),
}

impl LineTest {
    /// A condition.
    ///
    /// # Errors
    /// An expression, a pattern or an address in it is none.
    pub(crate) fn new(filter: &LineFilter) -> Result<Self, String> {
        let any: Result<_, String> = filter.any.iter().map(|one| test(filter.op, one)).collect();
        Ok(Self {
            any: any?,
            positive: filter.op.is_positive(),
        })
    }

    pub(crate) fn passes(&self, line: &str) -> bool {
        self.any.iter().any(|test| test.is_in(line)) == self.positive
    }
}

impl Test {
    fn is_in(&self, line: &str) -> bool {
        match self {
            Self::Always => true,
            Self::Contains(finder) => finder.find(line.as_bytes()).is_some(),
            Self::Regex(regex) => regex.is_match(line),
            Self::Pattern(pattern) => pattern.is_match(line),
            Self::Ip(range) => range.is_in(line),
        }
    }
}

fn test(op: LineOp, one: &LineMatch) -> Result<Test, String> {
    let text = match one {
        LineMatch::Ip(_) if !matches!(op, LineOp::Contains | LineOp::NotContains) => {
            return Err("ip: only |= and != are supported".to_owned());
        }
        LineMatch::Ip(range) => return Ok(Test::Ip(IpRange::parse(range)?)),
        LineMatch::Text(text) => text,
    };
    Ok(match op {
        LineOp::Contains | LineOp::NotContains | LineOp::Regex | LineOp::NotRegex
            if text.is_empty() =>
        {
            Test::Always
        }
        LineOp::Contains | LineOp::NotContains => {
            Test::Contains(Box::new(Finder::new(text).into_owned()))
        }
        LineOp::Regex | LineOp::NotRegex => match literal(text) {
            Some(literal) => Test::Contains(Box::new(Finder::new(literal).into_owned())),
            None => Test::Regex(compile_regexp(text).map_err(|error| {
                let cause = error.to_string();
                let cause = cause.lines().last().unwrap_or_default().to_owned();
                format!("error parsing regexp: {cause}")
            })?),
        },
        LineOp::Pattern | LineOp::NotPattern => Test::Pattern(Pattern::filter(text)?),
    })
}

/// The text of an expression that is nothing else.
fn literal(pattern: &str) -> Option<&str> {
    let special = |c: char| "\\.+*?()[]{}^$|".contains(c);
    (!pattern.contains(special)).then_some(pattern)
}

/// Texts that every line has that passes: of these one is enough to leave out a block that has none of them.
pub(crate) fn contained(filter: &LineFilter) -> Vec<String> {
    let [LineMatch::Text(text)] = filter.any.as_slice() else {
        return Vec::new();
    };
    match filter.op {
        LineOp::Contains => vec![text.clone()],
        LineOp::Regex => literal(text).map(str::to_owned).into_iter().collect(),
        LineOp::Pattern => match Pattern::filter(text) {
            Ok(pattern) => pattern.texts().map(str::to_owned).collect(),
            Err(_) => Vec::new(),
        },
        _ => Vec::new(),
    }
}
