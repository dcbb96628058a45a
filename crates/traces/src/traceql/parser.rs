//! TraceQL's grammar.

use wharf_signal::{MatchOp, Matcher, SpanKind, SpanStatus};

use super::lexer::{Token, tokens};
use super::{
    Aggregate, Expr, Field, FieldKind, Op, ParseError, QUERY_MAX_BYTES, Query, Spanset, SpansetOp,
    Stage, Static,
};
use crate::tags::Scope;

/// How deep parentheses and `!` may go: more than anybody writes, less than a stack.
const DEPTH_MAX: u32 = 64;
/// How many conditions a query may have.
const CONDITIONS_MAX: u32 = 500;

type Result<T> = std::result::Result<T, ParseError>;

pub(super) fn parse(text: &str) -> Result<Query> {
    if text.len() > QUERY_MAX_BYTES {
        let message = format!("the query is longer than {QUERY_MAX_BYTES} bytes");
        return Err(ParseError { column: 1, message });
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        depth: 0,
        conditions: 0,
    };
    // A form that was left empty asks for everything.
    if parser.peek() == &Token::End {
        return Ok(Query::all());
    }
    let spans = parser.spansets()?;
    let mut stages = vec![];
    while parser.take("|") {
        stages.push(parser.stage()?);
    }
    parser.hints()?;
    match parser.peek() {
        Token::End => Ok(Query { spans, stages }),
        other => {
            let message = format!("unexpected {} behind the query", shown(other));
            parser.error(message)
        }
    }
}

pub(super) fn field(text: &str) -> Result<Field> {
    let refused = |message| ParseError { column: 1, message };
    match tokens(text)?.as_slice() {
        [(_, Token::Name(name)), (_, Token::End)] => named(name).map_err(refused),
        _ => Err(refused(format!("{text:?} is no name of an attribute"))),
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    depth: u32,
    conditions: u32,
}

enum Operand {
    Field(Field),
    Value(Static),
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(_, t)| t)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn take(&mut self, sign: &str) -> bool {
        let there = matches!(self.peek(), Token::Sign(s) if *s == sign);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, sign: &str) -> Result<()> {
        if self.take(sign) {
            return Ok(());
        }
        self.error(format!("expected `{sign}`, found {}", shown(self.peek())))
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T> {
        let known = self.tokens.get(self.at).or(self.tokens.last());
        Err(ParseError {
            column: known.map_or(1, |(column, _)| *column),
            message: message.into(),
        })
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return self.error(format!("the query is nested more than {DEPTH_MAX} deep"));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// Spansets with what stands between them. `&&` and the structure bind tighter than `||`.
    fn spansets(&mut self) -> Result<Spanset> {
        let mut left = self.spansets_and()?;
        while self.take("||") {
            let right = self.spansets_and()?;
            left = Spanset::Combine(SpansetOp::Or, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn spansets_and(&mut self) -> Result<Spanset> {
        let mut left = self.spanset()?;
        loop {
            let op = match self.peek() {
                Token::Sign("&&") => SpansetOp::And,
                Token::Sign(">") => SpansetOp::Child,
                Token::Sign(">>") => SpansetOp::Descendant,
                Token::Sign("<") => SpansetOp::Parent,
                Token::Sign("<<") => SpansetOp::Ancestor,
                Token::Sign("~") => SpansetOp::Sibling,
                Token::Sign(
                    sign @ ("!>" | "!>>" | "!<" | "!<<" | "!~" | "&>" | "&>>" | "&<" | "&<<"),
                ) => {
                    let message = format!(
                        "`{sign}` between spansets is not supported; use >, >>, <, <<, ~, && or ||"
                    );
                    return self.error(message);
                }
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.spanset()?;
            left = Spanset::Combine(op, Box::new(left), Box::new(right));
        }
    }

    fn spanset(&mut self) -> Result<Spanset> {
        if self.take("(") {
            let inner = self.deeper(Self::spansets)?;
            if self.peek() == &Token::Sign("|") {
                return self
                    .error("a stage within parentheses is not supported; put it at the end");
            }
            self.expect(")")?;
            return Ok(inner);
        }
        if self.peek() != &Token::Sign("{") {
            let found = shown(self.peek());
            return self.error(format!(
                "expected a spanset like {{ status = error }}, found {found}"
            ));
        }
        Ok(Spanset::Filter(self.filter()?))
    }

    fn filter(&mut self) -> Result<Option<Expr>> {
        self.expect("{")?;
        if self.take("}") {
            return Ok(None);
        }
        let expr = self.deeper(Self::or)?;
        self.expect("}")?;
        Ok(Some(expr))
    }

    fn or(&mut self) -> Result<Expr> {
        let mut left = self.and()?;
        while self.take("||") {
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr> {
        let mut left = self.condition()?;
        while self.take("&&") {
            left = Expr::And(Box::new(left), Box::new(self.condition()?));
        }
        Ok(left)
    }

    fn condition(&mut self) -> Result<Expr> {
        // Long chains become deep trees.
        self.conditions += 1;
        if self.conditions > CONDITIONS_MAX {
            return self.error(format!(
                "the query has more than {CONDITIONS_MAX} conditions"
            ));
        }
        if self.take("!") {
            let inner = self.deeper(Self::condition)?;
            return Ok(Expr::Not(Box::new(inner)));
        }
        if self.take("(") {
            let inner = self.deeper(Self::or)?;
            self.expect(")")?;
            return Ok(inner);
        }
        let left = self.operand()?;
        let Some(op) = self.comparison() else {
            return match left {
                Operand::Value(Static::Bool(value)) => Ok(Expr::Is(value)),
                Operand::Field(field @ Field(FieldKind::Attribute(..))) => Ok(Expr::Holds(field)),
                _ => self.error(format!(
                    "expected a comparison like `= \"x\"`, found {}",
                    shown(self.peek())
                )),
            };
        };
        match op {
            Comparison::Order(op) => {
                let right = self.operand()?;
                match (left, right) {
                    (Operand::Field(a), Operand::Value(b)) => Ok(Expr::Compare(a, op, b)),
                    (Operand::Value(a), Operand::Field(b)) => Ok(Expr::Compare(b, op.turned(), a)),
                    (Operand::Field(a), Operand::Field(b)) => Ok(Expr::Fields(a, op, b)),
                    (Operand::Value(_), Operand::Value(_)) => {
                        self.error("a comparison needs an attribute or a fact on one of its sides")
                    }
                }
            }
            Comparison::Match(op) => {
                let (Operand::Field(field), Token::Text(pattern)) = (left, self.peek().clone())
                else {
                    return self
                        .error("a regular expression is compared like this: name =~ \"GET .*\"");
                };
                let matcher = Matcher::new("", op, pattern.as_str()).or_else(|error| {
                    let why = error.source.to_string();
                    let why = why.lines().last().unwrap_or_default().to_owned();
                    self.error(format!("{pattern:?} is no regular expression: {why}"))
                })?;
                self.at += 1;
                Ok(Expr::Match(field, matcher))
            }
        }
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let comparison = match self.peek() {
            Token::Sign("=") => Comparison::Order(Op::Equal),
            Token::Sign("!=") => Comparison::Order(Op::NotEqual),
            Token::Sign("<") => Comparison::Order(Op::Less),
            Token::Sign("<=") => Comparison::Order(Op::LessEqual),
            Token::Sign(">") => Comparison::Order(Op::Greater),
            Token::Sign(">=") => Comparison::Order(Op::GreaterEqual),
            Token::Sign("=~") => Comparison::Match(MatchOp::Regex),
            Token::Sign("!~") => Comparison::Match(MatchOp::NotRegex),
            _ => return None,
        };
        self.at += 1;
        Some(comparison)
    }

    fn operand(&mut self) -> Result<Operand> {
        let value = match self.next() {
            Token::Text(text) => Static::Text(text),
            Token::Int(number) => Static::Int(number),
            Token::Float(number) => Static::Float(number),
            Token::Duration(nanos) => Static::Duration(nanos),
            Token::Name(name) => match constant(&name) {
                Some(value) => value,
                None => {
                    self.at -= 1;
                    let field = named(&name).or_else(|message| self.error(message))?;
                    self.at += 1;
                    return Ok(Operand::Field(field));
                }
            },
            other => {
                self.at -= 1;
                let found = shown(&other);
                return self.error(format!(
                    "expected an attribute, a fact or a value, found {found}"
                ));
            }
        };
        Ok(Operand::Value(value))
    }

    fn stage(&mut self) -> Result<Stage> {
        if self.peek() == &Token::Sign("{") {
            return Ok(Stage::Filter(self.filter()?));
        }
        let Token::Name(name) = self.peek().clone() else {
            let found = shown(self.peek());
            return self.error(format!("expected a stage like count() > 2, found {found}"));
        };
        let aggregate = match name.as_str() {
            "count" => Aggregate::Count,
            "avg" => Aggregate::Avg,
            "min" => Aggregate::Min,
            "max" => Aggregate::Max,
            "sum" => Aggregate::Sum,
            "select" => {
                self.at += 1;
                return Ok(Stage::Select(self.fields()?));
            }
            "by" | "coalesce" => {
                return self.error(format!("`{name}` is not supported"));
            }
            "rate"
            | "count_over_time"
            | "min_over_time"
            | "max_over_time"
            | "avg_over_time"
            | "sum_over_time"
            | "quantile_over_time"
            | "histogram_over_time"
            | "compare" => {
                return self.error(format!(
                    "metrics from traces (`{name}`) are not supported; ask the metrics of the ingress with PromQL"
                ));
            }
            _ => {
                return self.error(format!(
                    "there is no stage `{name}`; there are count, avg, min, max, sum and select"
                ));
            }
        };
        self.at += 1;
        let mut fields = self.fields()?;
        let wanted = usize::from(aggregate != Aggregate::Count);
        if fields.len() != wanted {
            return self.error(format!("`{name}` takes {wanted} fields"));
        }
        let Some(Comparison::Order(op)) = self.comparison() else {
            return self.error(format!("expected a comparison behind `{name}(…)`"));
        };
        let limit = match self.next() {
            // A limit of any size is compared as a number.
            Token::Int(number) | Token::Duration(number) => number as f64,
            Token::Float(number) => number,
            other => {
                self.at -= 1;
                let found = shown(&other);
                return self.error(format!("expected a number or a duration, found {found}"));
            }
        };
        Ok(Stage::Aggregate(aggregate, fields.pop(), op, limit))
    }

    fn fields(&mut self) -> Result<Vec<Field>> {
        self.expect("(")?;
        let mut fields = vec![];
        while let Token::Name(name) = self.peek().clone() {
            fields.push(named(&name).or_else(|message| self.error(message))?);
            self.at += 1;
            if !self.take(",") {
                break;
            }
        }
        self.expect(")")?;
        Ok(fields)
    }

    /// `with (most_recent=true)`: what is found is always the most recent.
    fn hints(&mut self) -> Result<()> {
        if self.peek() != &Token::Name("with".to_owned()) {
            return Ok(());
        }
        self.at += 1;
        self.expect("(")?;
        while !matches!(self.peek(), Token::Sign(")") | Token::End) {
            self.at += 1;
        }
        self.expect(")")
    }
}

enum Comparison {
    Order(Op),
    Match(MatchOp),
}

fn shown(token: &Token) -> String {
    match token {
        Token::Sign(sign) => format!("`{sign}`"),
        Token::Name(name) => format!("`{name}`"),
        Token::Text(text) => format!("{text:?}"),
        Token::Int(number) => format!("`{number}`"),
        Token::Float(number) => format!("`{number}`"),
        Token::Duration(nanos) => format!("`{nanos}ns`"),
        Token::End => "the end".to_owned(),
    }
}

fn constant(name: &str) -> Option<Static> {
    Some(match name {
        "true" => Static::Bool(true),
        "false" => Static::Bool(false),
        "nil" => Static::Nil,
        "error" => Static::Status(SpanStatus::Error),
        "ok" => Static::Status(SpanStatus::Ok),
        "unset" => Static::Status(SpanStatus::Unset),
        "unspecified" => Static::Kind(SpanKind::Unspecified),
        "internal" => Static::Kind(SpanKind::Internal),
        "server" => Static::Kind(SpanKind::Server),
        "client" => Static::Kind(SpanKind::Client),
        "producer" => Static::Kind(SpanKind::Producer),
        "consumer" => Static::Kind(SpanKind::Consumer),
        _ => return None,
    })
}

fn named(name: &str) -> std::result::Result<Field, String> {
    let attribute = |scope, name: &str| match (scope, name) {
        (None | Some(Scope::Resource), "service.name") => FieldKind::Service,
        _ => FieldKind::Attribute(scope, name.to_owned()),
    };
    let kind = match name {
        "name" | "span:name" => FieldKind::Name,
        "duration" | "span:duration" => FieldKind::Duration,
        "status" | "span:status" => FieldKind::Status,
        "statusMessage" | "span:statusMessage" => FieldKind::StatusMessage,
        "kind" | "span:kind" => FieldKind::Kind,
        "span:id" => FieldKind::SpanId,
        "span:parentID" => FieldKind::ParentId,
        "trace:id" => FieldKind::TraceId,
        "event:name" => FieldKind::EventName,
        "instrumentation:name" => FieldKind::Library,
        "rootName" | "trace:rootName" => FieldKind::RootName,
        "rootServiceName" | "trace:rootService" => FieldKind::RootService,
        "traceDuration" | "trace:duration" => FieldKind::TraceDuration,
        _ => {
            let scoped = |prefix: &str| name.strip_prefix(prefix).filter(|rest| !rest.is_empty());
            if let Some(name) = scoped("span.") {
                attribute(Some(Scope::Span), name)
            } else if let Some(name) = scoped("resource.") {
                attribute(Some(Scope::Resource), name)
            } else if let Some(name) = scoped("event.") {
                FieldKind::EventAttribute(name.to_owned())
            } else if let Some(name) = scoped(".") {
                attribute(None, name)
            } else {
                return Err(format!(
                    "there is no fact `{name}`; an attribute is written .{name}, span.{name} or resource.{name}"
                ));
            }
        }
    };
    Ok(Field(kind))
}
