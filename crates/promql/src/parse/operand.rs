//! What operators stand between: literals, selectors, calls, aggregations, parentheses.

use wharf_signal::{MatchOp, Matcher, NAME};

use super::{Deep, Parser};
use crate::ast::{
    Aggregate, AggregateOp, BinaryOp, Call, Expr, Number, Paren, Position, Selector, Shift, Text,
};
use crate::error::ParseError;
use crate::functions::Function;
use crate::lex::{Keyword, Kind, Token};
use crate::text::{format_duration, parse_duration, parse_number, quote, unquote, unquote_bytes};

impl<'a> Parser<'a> {
    /// One operand, without what follows it.
    pub(super) fn operand(&mut self) -> Result<Deep, ParseError> {
        let token = self.peek;
        match token.kind {
            Kind::Number | Kind::Duration => Ok((Expr::Number(self.number()?), 1)),
            Kind::String => {
                self.advance()?;
                let bytes = unquote_bytes(token.text);
                let bytes = bytes.or_else(|why| self.fail(token.at, why))?;
                let (value, invalid) = match String::from_utf8(bytes) {
                    Ok(value) => (value, None),
                    Err(error) => {
                        let bytes = error.into_bytes();
                        (String::from_utf8_lossy(&bytes).into_owned(), Some(bytes))
                    }
                };
                let at = token.at;
                Ok((Expr::String(Text { value, invalid, at }), 1))
            }
            Kind::LeftParen => {
                self.advance()?;
                let (expr, depth) = self.expr(0)?;
                if !self.accept(Kind::RightParen)? {
                    return Err(self.unexpected("", ""));
                }
                let paren = Paren {
                    expr: Box::new(expr),
                    at: token.at,
                };
                Ok((Expr::Paren(paren), self.deeper(depth)?))
            }
            Kind::LeftBrace => Ok((Expr::Selector(self.selector(None)?), 1)),
            Kind::Aggregate(op) => {
                self.advance()?;
                match self.peek.kind {
                    Kind::LeftParen | Kind::Keyword(Keyword::By | Keyword::Without) => {
                        self.aggregate(op, token.at)
                    }
                    _ => Ok((Expr::Selector(self.selector(Some(token))?), 1)),
                }
            }
            _ if token.is_metric_name() => {
                self.advance()?;
                let may_call = match token.kind {
                    Kind::Identifier => true,
                    Kind::Keyword(keyword) => matches!(
                        keyword,
                        Keyword::Start
                            | Keyword::End
                            | Keyword::Step
                            | Keyword::Range
                            | Keyword::MaxOf
                            | Keyword::MinOf
                    ),
                    _ => false,
                };
                if may_call && self.peek.kind == Kind::LeftParen {
                    return self.call(&token);
                }
                Ok((Expr::Selector(self.selector(Some(token))?), 1))
            }
            _ => Err(self.unexpected("", "")),
        }
    }

    pub(super) fn number(&mut self) -> Result<Number, ParseError> {
        let token = self.advance()?;
        let at = token.at;
        if token.kind == Kind::Duration {
            let millis = parse_duration(token.text);
            let millis = millis.map_err(|message| ParseError { at, message })?;
            return Ok(Number {
                value: seconds(millis),
                is_duration: true,
                at,
            });
        }
        match parse_number(token.text) {
            Some(value) => Ok(Number {
                value,
                is_duration: false,
                at,
            }),
            None => {
                let text = quote(token.text);
                self.fail(at, format!("error parsing number: {text} is out of range"))
            }
        }
    }

    pub(super) fn unquoted(&self, token: &Token<'_>) -> Result<String, ParseError> {
        unquote(token.text).or_else(|why| self.fail(token.at, why))
    }

    /// A selector, whose name, if it has one before the braces, is read.
    pub(super) fn selector(&mut self, name: Option<Token<'a>>) -> Result<Selector, ParseError> {
        let at = name.map_or(self.peek.at, |name| name.at);
        let mut matchers = Vec::new();
        if self.accept(Kind::LeftBrace)? {
            while !self.accept(Kind::RightBrace)? {
                matchers.push(self.matcher()?);
                if self.peek.kind != Kind::RightBrace && !self.accept(Kind::Comma)? {
                    return Err(self.unexpected("label matching", "\",\" or \"}\""));
                }
            }
        }
        let name = name.map(|name| name.text.to_owned());
        if let Some(name) = &name {
            matchers.push(Matcher::equal(NAME, name.as_str()));
        }
        Ok(Selector {
            name,
            matchers,
            shift: Shift::default(),
            at,
        })
    }

    fn matcher(&mut self) -> Result<Matcher, ParseError> {
        let label = self.peek;
        let name = match label.kind {
            Kind::Identifier => label.text.to_owned(),
            Kind::String => self.unquoted(&label)?,
            _ => return Err(self.unexpected("label matching", "identifier or \"}\"")),
        };
        self.advance()?;
        let op = match self.peek.kind {
            Kind::Assign => MatchOp::Equal,
            Kind::Operator(BinaryOp::NotEqual) => MatchOp::NotEqual,
            Kind::RegexEqual => MatchOp::Regex,
            Kind::RegexNotEqual => MatchOp::NotRegex,
            Kind::Comma | Kind::RightBrace if label.kind == Kind::String => {
                return Ok(Matcher::equal(NAME, name));
            }
            _ => return Err(self.unexpected("label matching", "label matching operator")),
        };
        self.advance()?;
        if self.peek.kind != Kind::String {
            return Err(self.unexpected("label matching", "string"));
        }
        let value = self.advance()?;
        let value = self.unquoted(&value)?;
        Matcher::new(name, op, value).or_else(|error| {
            // It draws the pattern; the reason is its last line.
            let drawn = error.source.to_string();
            let reason = drawn.lines().last().unwrap_or_default();
            let reason = reason.trim_start_matches("error: ");
            self.fail(label.at, format!("{error}: {reason}"))
        })
    }

    /// `(a, b)`
    pub(super) fn grouping(&mut self) -> Result<Vec<String>, ParseError> {
        let mut labels = Vec::new();
        if !self.accept(Kind::LeftParen)? {
            return Err(self.unexpected("grouping opts", "\"(\""));
        }
        while !self.accept(Kind::RightParen)? {
            let label = self.peek;
            let name = match label.kind {
                Kind::String => self.unquoted(&label)?,
                _ if label.is_label_name() => label.text.to_owned(),
                _ => return Err(self.unexpected("grouping opts", "label")),
            };
            if name.is_empty() {
                return self.fail(label.at, "invalid label name for grouping: \"\"");
            }
            self.advance()?;
            labels.push(name);
            if self.peek.kind != Kind::RightParen && !self.accept(Kind::Comma)? {
                return Err(self.unexpected("grouping opts", "\",\" or \")\""));
            }
        }
        Ok(labels)
    }

    /// `(expr, expr)`, and the depth of the deepest.
    fn arguments(&mut self, context: &str) -> Result<(Vec<Expr>, u32), ParseError> {
        let mut args = Vec::new();
        let mut deepest = 0;
        if !self.accept(Kind::LeftParen)? {
            return Err(self.unexpected(context, ""));
        }
        if self.accept(Kind::RightParen)? {
            return Ok((args, deepest));
        }
        loop {
            let (arg, depth) = self.expr(0)?;
            args.push(arg);
            deepest = deepest.max(depth);
            let comma = self.peek.at;
            if self.accept(Kind::RightParen)? {
                return Ok((args, deepest));
            }
            if !self.accept(Kind::Comma)? {
                return Err(self.unexpected("", ""));
            }
            if self.peek.kind == Kind::RightParen {
                return self.fail(comma, "trailing commas not allowed in function call args");
            }
        }
    }

    fn call(&mut self, name: &Token<'a>) -> Result<Deep, ParseError> {
        let text = name.text;
        let function = match Function::find(text) {
            Some(f) if f.experimental && !self.options.experimental_functions => {
                return self.fail(name.at, format!("function {} is not enabled", quote(text)));
            }
            Some(function) => function,
            None if Function::is_absent_experiment(text) => {
                return self.fail(name.at, format!("function {} is not enabled", quote(text)));
            }
            None => {
                let message = format!("unknown function with name {}", quote(text));
                return self.fail(name.at, message);
            }
        };
        let (args, depth) = self.arguments("")?;
        let at = name.at;
        let call = Call { function, args, at };
        Ok((Expr::Call(call), self.deeper(depth)?))
    }

    fn aggregate(&mut self, op: AggregateOp, at: Position) -> Result<Deep, ParseError> {
        let mut modifier = self.aggregate_modifier()?;
        let (mut args, depth) = self.arguments("aggregation")?;
        if modifier.is_none() {
            modifier = self.aggregate_modifier()?;
        }
        let (without, grouping) = modifier.unwrap_or_default();
        if args.is_empty() {
            return self.fail(at, "no arguments for aggregate expression provided");
        }
        let refused = op.is_experimental() && !self.options.experimental_functions;
        if refused || op == AggregateOp::LimitRatio {
            let name = op.as_str();
            let flag = "--enable-feature=promql-experimental-functions";
            let message = format!("{name}() is experimental and must be enabled with {flag}");
            return self.fail(at, message);
        }
        let wanted = if op.parameter().is_some() { 2 } else { 1 };
        let given = args.len();
        let (Some(expr), true) = (args.pop(), given == wanted) else {
            let what = "wrong number of arguments for aggregate expression provided";
            return self.fail(at, format!("{what}, expected {wanted}, got {given}"));
        };
        let aggregate = Aggregate {
            op,
            expr: Box::new(expr),
            parameter: args.pop().map(Box::new),
            grouping,
            without,
            at,
        };
        Ok((Expr::Aggregate(aggregate), self.deeper(depth)?))
    }

    fn aggregate_modifier(&mut self) -> Result<Option<(bool, Vec<String>)>, ParseError> {
        let Kind::Keyword(keyword @ (Keyword::By | Keyword::Without)) = self.peek.kind else {
            return Ok(None);
        };
        self.advance()?;
        Ok(Some((keyword == Keyword::Without, self.grouping()?)))
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "durations are far below 2^53 milliseconds"
)]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

/// What a number of seconds is as a duration of Prometheus's printer.
pub(crate) fn as_duration(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "saturates")]
    let millis = (seconds * 1000.0).round() as i64;
    format_duration(millis)
}
