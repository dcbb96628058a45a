//! Text to [`Expr`], by recursive descent over the grammar of Loki 3.

mod log;
mod metric;
mod validate;

use crate::ast::Expr;
use crate::lexer::{Spanned, Token, lex};

/// The longest query, in bytes; Loki's limit.
const MAX_QUERY: usize = 128 << 10;
/// How deeply expressions may be nested; far beyond what anybody writes, and far from the end of a thread's stack.
pub(crate) const MAX_DEPTH: usize = 128;

/// A query that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ParseError {
    /// What is wrong.
    pub message: String,
    /// Where, from 1; 0: it is about the query as a whole.
    pub line: usize,
    /// Likewise, in characters.
    pub column: usize,
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.line == 0 {
            return write!(f, "parse error : {}", self.message);
        }
        let Self {
            message,
            line,
            column,
        } = self;
        write!(f, "parse error at line {line}, col {column}: {message}")
    }
}

impl ParseError {
    pub(crate) fn at(message: impl Into<String>, line: usize, column: usize) -> Self {
        Self {
            message: message.into(),
            line,
            column,
        }
    }

    /// About the query as a whole.
    pub(crate) fn whole(message: impl Into<String>) -> Self {
        Self::at(message, 0, 0)
    }
}

/// Reads a query.
///
/// # Errors
/// It is none, or one that Loki refuses: it selects every stream, an expression in it is none, a function has no parameter.
pub fn parse(query: &str) -> Result<Expr, ParseError> {
    let expr = parse_unchecked(query)?;
    validate::check(&expr)?;
    Ok(expr)
}

/// A stream selector on its own, as `series` and its like take it: `{}` and what selects everything are allowed.
///
/// # Errors
/// It is none, or has a pipeline.
pub fn parse_selector(text: &str) -> Result<Vec<wharf_signal::Matcher>, ParseError> {
    match parse_unchecked(text)? {
        Expr::Log(log) if log.stages.is_empty() => Ok(log.matchers),
        _ => Err(ParseError::whole("only label matchers are supported")),
    }
}

fn parse_unchecked(query: &str) -> Result<Expr, ParseError> {
    if query.len() >= MAX_QUERY {
        return Err(ParseError::whole(format!(
            "input size too long ({} > {MAX_QUERY})",
            query.len()
        )));
    }
    let mut parser = Parser {
        tokens: lex(query)?,
        at: 0,
        depth: 0,
    };
    let expr = parser.expr(0)?;
    match parser.peek() {
        Token::End => Ok(expr),
        _ => Err(parser.unexpected("end of query")),
    }
}

struct Parser {
    /// Never empty: the last is `End`.
    tokens: Vec<Spanned>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].token
    }

    fn peek_at(&self, ahead: usize) -> &Token {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.at + ahead).min(last)].token
    }

    fn skip(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek(), Token::Symbol(s) if *s == symbol)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(w) if *w == word)
    }

    /// Takes a symbol if it is there.
    fn eat(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.skip();
        }
        found
    }

    /// Takes a reserved word if it is there.
    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.skip();
        }
        found
    }

    fn expect(&mut self, symbol: &'static str) -> Result<(), ParseError> {
        if self.eat(symbol) {
            return Ok(());
        }
        Err(self.unexpected(symbol))
    }

    fn name(&mut self) -> Result<String, ParseError> {
        match self.peek() {
            Token::Name(name) => {
                let name = name.clone();
                self.skip();
                Ok(name)
            }
            _ => Err(self.unexpected("IDENTIFIER")),
        }
    }

    fn text(&mut self) -> Result<String, ParseError> {
        match self.peek() {
            Token::Text(text) => {
                let text = text.clone();
                self.skip();
                Ok(text)
            }
            _ => Err(self.unexpected("STRING")),
        }
    }

    /// `(a, b)`; it may be empty.
    fn names(&mut self) -> Result<Vec<String>, ParseError> {
        self.expect("(")?;
        let mut names = Vec::new();
        if self.eat(")") {
            return Ok(names);
        }
        loop {
            names.push(self.name()?);
            if !self.eat(",") {
                break;
            }
        }
        self.expect(")")?;
        Ok(names)
    }

    /// The word here is not what has to be here.
    fn unexpected(&self, expected: &str) -> ParseError {
        self.error(format!(
            "syntax error: unexpected {}, expecting {expected}",
            self.peek().describe()
        ))
    }

    fn error(&self, message: impl Into<String>) -> ParseError {
        let Spanned { line, column, .. } = &self.tokens[self.at];
        ParseError::at(message, *line, *column)
    }

    /// One step deeper; every step has to be taken back with `leave`.
    fn enter(&mut self) -> Result<(), ParseError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(format!("nested more than {MAX_DEPTH} levels deep")));
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }
}
