//! From text to tree: operator precedence, then types.
//!
//! Binary operators bind in the order `or`; `and`, `unless`; comparisons; `+`, `-`; `*`, `/`, `%`, `atan2` and signs; `^` (the only
//! one that groups to the right). Ranges, `offset` and `@` bind tighter than all of them. Neither the recursion nor the depth
//! of the tree exceeds [`MAX_NESTING`] and [`MAX_DEPTH`], so that whatever walks a tree may recurse.

mod check;
mod operand;
mod shift;

pub(crate) use operand::as_duration;

use crate::ast::{Binary, BinaryOp, Cardinality, Expr, Matching, Unary};
use crate::error::ParseError;
use crate::lex::{Keyword, Kind, Lexer, Token};

/// How deep a tree may be, which chains such as `a or b or c` make deep: what evaluation holds on a stack of 2 MiB, in a build
/// without optimisation too.
pub const MAX_DEPTH: u32 = 256;

/// How many parentheses may be open at once: each takes the parser several calls, on the same stack.
pub const MAX_NESTING: u32 = 96;

/// What the language has beyond its stable parts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ParseOptions {
    /// Whether experimental functions and aggregations are allowed.
    pub experimental_functions: bool,
}

/// Reads an expression.
///
/// # Errors
/// It is none, or its types do not fit: the first reason, with its place.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    parse_with(text, ParseOptions::default())
}

/// Reads an expression with these parts of the language.
///
/// # Errors
/// It is none, or its types do not fit: the first reason, with its place.
pub fn parse_with(text: &str, options: ParseOptions) -> Result<Expr, ParseError> {
    let mut parser = Parser::new(text, options)?;
    if parser.peek.kind == Kind::End {
        let message = "no expression found in input".to_owned();
        let at = parser.peek.at;
        return Err(ParseError { at, message });
    }
    let (mut expr, _) = parser.expr(0)?;
    if parser.peek.kind != Kind::End {
        return Err(parser.unexpected("", ""));
    }
    check::check(&mut expr)?;
    Ok(expr)
}

/// Reads a selector such as the API's `match[]` has: the conditions that a series has to fulfil.
///
/// # Errors
/// It is none: the first reason, with its place.
pub fn parse_selector(text: &str) -> Result<Vec<wharf_signal::Matcher>, ParseError> {
    let mut parser = Parser::new(text, ParseOptions::default())?;
    let selector = if parser.peek.is_metric_name() {
        let name = parser.advance()?;
        parser.selector(Some(name))?
    } else if parser.peek.kind == Kind::LeftBrace {
        parser.selector(None)?
    } else {
        return Err(parser.unexpected("", ""));
    };
    if parser.peek.kind != Kind::End {
        return Err(parser.unexpected("", ""));
    }
    let mut expr = Expr::Selector(selector);
    check::check(&mut expr)?;
    match expr {
        Expr::Selector(selector) => Ok(selector.matchers),
        _ => Ok(Vec::new()),
    }
}

/// An expression and the depth of its tree.
type Deep = (Expr, u32);

struct Parser<'a> {
    lexer: Lexer<'a>,
    peek: Token<'a>,
    nesting: u32,
    options: ParseOptions,
}

/// Binding power, and whether it groups to the right.
fn power(op: BinaryOp) -> (u8, bool) {
    use BinaryOp as Op;
    match op {
        Op::Or => (1, false),
        Op::And | Op::Unless => (2, false),
        Op::Add | Op::Sub => (4, false),
        Op::Mul | Op::Div | Op::Mod | Op::Atan2 => (5, false),
        Op::Pow => (6, true),
        _ => (3, false),
    }
}

/// Of what a sign is before: tighter than `*`, looser than `^`.
const SIGN_POWER: u8 = 6;

impl<'a> Parser<'a> {
    fn new(text: &'a str, options: ParseOptions) -> Result<Self, ParseError> {
        let mut lexer = Lexer::new(text);
        let peek = lexer.token()?;
        Ok(Self {
            lexer,
            peek,
            nesting: 0,
            options,
        })
    }

    fn advance(&mut self) -> Result<Token<'a>, ParseError> {
        let next = self.lexer.token()?;
        Ok(std::mem::replace(&mut self.peek, next))
    }

    fn accept(&mut self, kind: Kind) -> Result<bool, ParseError> {
        let found = self.peek.kind == kind;
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn unexpected(&self, context: &str, expected: &str) -> ParseError {
        let mut message = format!("unexpected {}", self.peek.describe());
        if !context.is_empty() {
            message = format!("{message} in {context}");
        }
        if !expected.is_empty() {
            message = format!("{message}, expected {expected}");
        }
        ParseError {
            at: self.peek.at,
            message,
        }
    }

    fn fail<T>(
        &self,
        at: crate::ast::Position,
        message: impl Into<String>,
    ) -> Result<T, ParseError> {
        let message = message.into();
        Err(ParseError { at, message })
    }

    fn deeper(&self, depth: u32) -> Result<u32, ParseError> {
        if depth >= MAX_DEPTH {
            return self.fail(
                self.peek.at,
                format!("expression is more than {MAX_DEPTH} operations deep: try recording rules for its parts"),
            );
        }
        Ok(depth + 1)
    }

    /// An expression of operators that bind at least as tight as `least`.
    fn expr(&mut self, least: u8) -> Result<Deep, ParseError> {
        if self.nesting >= MAX_NESTING {
            return self.fail(
                self.peek.at,
                format!("more than {MAX_NESTING} expressions are nested: try recording rules for the inner ones"),
            );
        }
        self.nesting += 1;
        let mut lhs = self.signed()?;
        while let Kind::Operator(op) = self.peek.kind {
            let (power, to_the_right) = power(op);
            if power < least {
                break;
            }
            let op_at = self.advance()?.at;
            let (return_bool, matching) = self.modifiers(lhs.0.position())?;
            let rhs = self.expr(if to_the_right { power } else { power + 1 })?;
            let depth = self.deeper(lhs.1.max(rhs.1))?;
            let binary = Binary {
                op,
                lhs: Box::new(lhs.0),
                rhs: Box::new(rhs.0),
                return_bool,
                matching: Some(matching),
                op_at,
            };
            lhs = (Expr::Binary(binary), depth);
        }
        self.nesting -= 1;
        Ok(lhs)
    }

    /// An operand, with signs before it.
    fn signed(&mut self) -> Result<Deep, ParseError> {
        let Kind::Operator(op @ (BinaryOp::Add | BinaryOp::Sub)) = self.peek.kind else {
            return self.postfixed();
        };
        let at = self.advance()?.at;
        let negate = op == BinaryOp::Sub;
        let (expr, depth) = self.expr(SIGN_POWER)?;
        if let Expr::Number(mut number) = expr {
            if negate {
                number.value = -number.value;
            }
            number.at = at;
            return Ok((Expr::Number(number), depth));
        }
        let unary = Unary {
            negate,
            expr: Box::new(expr),
            at,
        };
        Ok((Expr::Unary(unary), self.deeper(depth)?))
    }

    /// `bool`, `on`, `ignoring`, `group_left`, `group_right` behind an operator.
    fn modifiers(&mut self, lhs: crate::ast::Position) -> Result<(bool, Matching), ParseError> {
        let return_bool = self.accept(Kind::Keyword(Keyword::Bool))?;
        let mut matching = Matching {
            cardinality: Cardinality::OneToOne,
            labels: Vec::new(),
            on: false,
            include: Vec::new(),
        };
        if let Kind::Keyword(keyword @ (Keyword::On | Keyword::Ignoring)) = self.peek.kind {
            self.advance()?;
            matching.on = keyword == Keyword::On;
            matching.labels = self.grouping()?;
            if let Kind::Keyword(keyword @ (Keyword::GroupLeft | Keyword::GroupRight)) =
                self.peek.kind
            {
                self.advance()?;
                matching.cardinality = if keyword == Keyword::GroupLeft {
                    Cardinality::ManyToOne
                } else {
                    Cardinality::OneToMany
                };
                if self.peek.kind == Kind::LeftParen {
                    matching.include = self.grouping()?;
                }
            }
        }
        if let Kind::Keyword(Keyword::Fill | Keyword::FillLeft | Keyword::FillRight) =
            self.peek.kind
        {
            return self.fail(lhs, "binop fill modifiers are experimental and not enabled");
        }
        Ok((return_bool, matching))
    }
}
