//! What follows an operand: ranges, subqueries, `offset` and `@`.

use super::{Deep, Parser};
use crate::ast::{AtTime, BinaryOp, Expr, RangeSelector, Shift, Subquery};
use crate::error::ParseError;
use crate::lex::{Keyword, Kind};
use crate::text::MAX_DURATION_MILLIS;

const EXPERIMENTAL_DURATION: &str = "experimental duration expression is not enabled";

impl Parser<'_> {
    /// An operand with all that follows it.
    pub(super) fn postfixed(&mut self) -> Result<Deep, ParseError> {
        let (mut expr, mut depth) = self.operand()?;
        loop {
            match self.peek.kind {
                Kind::LeftBracket => {
                    expr = self.bracket(expr)?;
                    depth = self.deeper(depth)?;
                }
                Kind::Keyword(Keyword::Offset) => self.offset(&mut expr)?,
                Kind::At => self.moment(&mut expr)?,
                Kind::Keyword(keyword @ (Keyword::Anchored | Keyword::Smoothed)) => {
                    let name = if keyword == Keyword::Anchored {
                        "anchored"
                    } else {
                        "smoothed"
                    };
                    let message = format!("{name} modifier is experimental and not enabled");
                    return self.fail(expr.position(), message);
                }
                _ => return Ok((expr, depth)),
            }
        }
    }

    /// A duration, or a number of seconds, with any sign: milliseconds.
    fn duration(&mut self, context: &str, expected: &str) -> Result<i64, ParseError> {
        let at = self.peek.at;
        let sign = match self.peek.kind {
            Kind::Operator(BinaryOp::Sub) => -1.0,
            _ => 1.0,
        };
        if let Kind::Operator(BinaryOp::Add | BinaryOp::Sub) = self.peek.kind {
            self.advance()?;
        }
        match self.peek.kind {
            Kind::Number | Kind::Duration => {}
            Kind::LeftParen
            | Kind::Keyword(Keyword::Step | Keyword::Range | Keyword::MaxOf | Keyword::MinOf) => {
                return self.fail(at, EXPERIMENTAL_DURATION);
            }
            _ => return Err(self.unexpected(context, expected)),
        }
        // Nanoseconds first, as Prometheus does, so that the same part of a millisecond is cut off.
        let nanos = (self.number()?.value * sign * 1e9).round();
        #[expect(clippy::cast_possible_truncation, reason = "checked right below")]
        let millis = (nanos / 1e6).trunc() as i64;
        if nanos.is_nan() || !(-MAX_DURATION_MILLIS..=MAX_DURATION_MILLIS).contains(&millis) {
            return self.fail(at, "duration out of range");
        }
        Ok(millis)
    }

    /// A duration within brackets: positive, and no expression.
    fn positive_duration(&mut self, context: &str, expected: &str) -> Result<i64, ParseError> {
        let at = self.peek.at;
        let negative = self.peek.kind == Kind::Operator(BinaryOp::Sub);
        let is_zero = crate::text::parse_number(self.peek.text) == Some(0.0);
        let millis = self.duration(context, expected)?;
        if let Kind::Operator(_) = self.peek.kind {
            return self.fail(at, EXPERIMENTAL_DURATION);
        }
        if negative || is_zero || millis < 0 {
            return self.fail(at, "duration must be greater than 0");
        }
        Ok(millis)
    }

    /// `[5m]` or `[5m:1m]`.
    fn bracket(&mut self, expr: Expr) -> Result<Expr, ParseError> {
        let bracket = self.advance()?.at;
        let any = "number, duration, step(), or range()";
        let at = self.peek.at;
        let range = self.positive_duration("subquery or range selector", any)?;
        if range == 0 && self.peek.kind != Kind::RightBracket {
            return self.fail(at, "duration must be greater than 0");
        }
        if self.accept(Kind::RightBracket)? {
            let Expr::Selector(selector) = expr else {
                return self.fail(bracket, "ranges only allowed for vector selectors");
            };
            if selector.shift.offset != 0 {
                return self.fail(bracket, "no offset modifiers allowed before range");
            }
            if selector.shift.moment.is_some() {
                return self.fail(bracket, "no @ modifiers allowed before range");
            }
            return Ok(Expr::Range(RangeSelector { selector, range }));
        }
        if !self.accept(Kind::Colon)? {
            return Err(self.unexpected("subquery or range", "\":\" or \"]\""));
        }
        let mut step = None;
        if self.peek.kind != Kind::RightBracket {
            let at = self.peek.at;
            let expected = "number, duration, step(), range(), or \"]\"";
            let millis = self.positive_duration("subquery selector", expected)?;
            if millis == 0 {
                return self.fail(at, "duration must be at least 1ms");
            }
            step = Some(millis);
            if self.peek.kind != Kind::RightBracket {
                return Err(self.unexpected("subquery selector", "\"]\""));
            }
        }
        self.advance()?;
        Ok(Expr::Subquery(Subquery {
            expr: Box::new(expr),
            range,
            step,
            shift: Shift::default(),
        }))
    }

    fn shift<'e>(&self, expr: &'e mut Expr, name: &str) -> Result<&'e mut Shift, ParseError> {
        let at = expr.position();
        match expr {
            Expr::Selector(selector) => Ok(&mut selector.shift),
            Expr::Range(range) => Ok(&mut range.selector.shift),
            Expr::Subquery(subquery) => Ok(&mut subquery.shift),
            _ => {
                let what = "an instant vector selector or range vector selector or a subquery";
                self.fail(at, format!("{name} modifier must be preceded by {what}"))
            }
        }
    }

    fn offset(&mut self, expr: &mut Expr) -> Result<(), ParseError> {
        self.advance()?;
        let millis = self.duration("offset", "number, duration, step(), or range()")?;
        let at = expr.position();
        let shift = self.shift(expr, "offset")?;
        if shift.offset != 0 {
            return self.fail(at, "offset may not be set multiple times");
        }
        shift.offset = millis;
        Ok(())
    }

    fn moment(&mut self, expr: &mut Expr) -> Result<(), ParseError> {
        self.advance()?;
        let at = expr.position();
        let moment = match self.peek.kind {
            Kind::Keyword(keyword @ (Keyword::Start | Keyword::End)) => {
                self.advance()?;
                if !self.accept(Kind::LeftParen)? || !self.accept(Kind::RightParen)? {
                    return Err(self.unexpected("@", "timestamp"));
                }
                if keyword == Keyword::Start {
                    AtTime::Start
                } else {
                    AtTime::End
                }
            }
            _ => AtTime::Millis(self.timestamp(at)?),
        };
        let shift = self.shift(expr, "@")?;
        if shift.moment.is_some() {
            return self.fail(at, "@ <timestamp> may not be set multiple times");
        }
        shift.moment = Some(moment);
        Ok(())
    }

    /// A number of seconds with a sign: milliseconds.
    fn timestamp(&mut self, at: crate::ast::Position) -> Result<i64, ParseError> {
        let sign = match self.peek.kind {
            Kind::Operator(BinaryOp::Sub) => -1.0,
            _ => 1.0,
        };
        if let Kind::Operator(BinaryOp::Add | BinaryOp::Sub) = self.peek.kind {
            self.advance()?;
        }
        if !matches!(self.peek.kind, Kind::Number | Kind::Duration) {
            return Err(self.unexpected("@", "timestamp"));
        }
        let seconds = self.number()?.value * sign;
        // A quarter of what milliseconds can hold, so that no sum of times overflows.
        if seconds.is_nan() || seconds.abs() > 2e15 {
            let seconds = if seconds.is_finite() {
                format!("{seconds:.6}")
            } else {
                crate::text::format_plain(seconds)
            };
            let message = format!("timestamp out of bounds for @ modifier: {seconds}");
            return self.fail(at, message);
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked right above")]
        let millis = (seconds * 1000.0).round() as i64;
        Ok(millis)
    }
}
