//! TraceQL: the language that Grafana's search speaks, without its metrics.
//!
//! Of the language there are: spansets `{ … }` with every comparison, `&&`, `||`, `!` and parentheses; attributes with and without scope
//! (`span.`, `resource.`, `event.`, `.`), quoted names; the facts `name`, `duration`, `status`, `statusMessage`, `kind`, `rootName`,
//! `rootServiceName`, `traceDuration` and their scoped spellings (`span:name`, `trace:duration`, …); between spansets `&&`, `||`, `>`, `>>`, `<`,
//! `<<`, `~`; the stages `count()`, `avg`, `min`, `max`, `sum` with a comparison, `select(…)`, and further spansets. Arithmetic, `by`, negated
//! structure and metrics (`rate()` and others) are refused, each with its own sentence.
//!
//! Where it has to be said: a comparison with an attribute that a span does not have, or with a value of another kind, is false, also `!=`;
//! a regular expression is of the whole value.

mod eval;
mod lexer;
mod needs;
mod parser;
#[cfg(test)]
mod tests;

use wharf_signal::{Matcher, SpanKind, SpanStatus};

use crate::tags::Scope;

pub(crate) use eval::Facts;
pub(crate) use needs::Needs;

/// The longest query.
pub const QUERY_MAX_BYTES: usize = 16 << 10;

/// Why a query is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("parse error at line 1, col {column}: {message}")]
pub struct ParseError {
    /// Where, in bytes, beginning with 1.
    pub column: usize,
    /// Why, and what to try.
    pub message: String,
}

/// A query.
#[derive(Debug, Clone)]
pub struct Query {
    pub(crate) spans: Spanset,
    pub(crate) stages: Vec<Stage>,
}

#[derive(Debug, Clone)]
pub(crate) enum Spanset {
    /// None: every span.
    Filter(Option<Expr>),
    Combine(SpansetOp, Box<Spanset>, Box<Spanset>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpansetOp {
    And,
    Or,
    /// The right one's parent is in the left.
    Child,
    Descendant,
    Parent,
    Ancestor,
    Sibling,
}

#[derive(Debug, Clone)]
pub(crate) enum Stage {
    Filter(Option<Expr>),
    Aggregate(Aggregate, Option<Field>, Op, f64),
    Select(Vec<Field>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aggregate {
    Count,
    Avg,
    Min,
    Max,
    Sum,
}

#[derive(Debug, Clone)]
pub(crate) enum Expr {
    Is(bool),
    /// An attribute that is true.
    Holds(Field),
    Compare(Field, Op, Static),
    /// `=~`, or `!~` if negated: both know it.
    Match(Field, Matcher),
    Fields(Field, Op, Field),
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Op {
    /// With the sides exchanged.
    fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessEqual => Self::GreaterEqual,
            Self::Greater => Self::Less,
            Self::GreaterEqual => Self::LessEqual,
            same => same,
        }
    }

    fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterEqual => order.is_ge(),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Static {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// Nanoseconds.
    Duration(i64),
    Status(SpanStatus),
    Kind(SpanKind),
    Nil,
}

/// Something that a span says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field(pub(crate) FieldKind);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FieldKind {
    Name,
    Duration,
    Status,
    StatusMessage,
    Kind,
    SpanId,
    ParentId,
    TraceId,
    /// Which library made it.
    Library,
    Service,
    /// None: of the span, else of the resource.
    Attribute(Option<Scope>, String),
    EventName,
    EventAttribute(String),
    // Of the whole trace.
    RootName,
    RootService,
    TraceDuration,
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// It is none, or uses what is not supported.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parser::parse(text)
    }

    /// Every trace.
    #[must_use]
    pub fn all() -> Self {
        Self {
            spans: Spanset::Filter(None),
            stages: vec![],
        }
    }

    /// Those spans for which all of these hold.
    pub(crate) fn of(conditions: impl IntoIterator<Item = Expr>) -> Self {
        let and = |a, b| Expr::And(Box::new(a), Box::new(b));
        Self {
            spans: Spanset::Filter(conditions.into_iter().reduce(and)),
            stages: vec![],
        }
    }
}

impl Field {
    /// Reads the name of a fact or an attribute, as TraceQL writes it.
    ///
    /// # Errors
    /// There is no such fact.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parser::field(text)
    }

    /// An attribute, wherever it is said.
    #[must_use]
    pub fn anywhere(name: &str) -> Self {
        Self(if name == "service.name" {
            FieldKind::Service
        } else {
            FieldKind::Attribute(None, name.to_owned())
        })
    }

    /// The name under which Grafana shows it.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.0 {
            FieldKind::Name => "name",
            FieldKind::Duration => "duration",
            FieldKind::Status => "status",
            FieldKind::StatusMessage => "statusMessage",
            FieldKind::Kind => "kind",
            FieldKind::SpanId => "span:id",
            FieldKind::ParentId => "span:parentID",
            FieldKind::TraceId => "trace:id",
            FieldKind::Library => "instrumentation:name",
            FieldKind::Service => "service.name",
            FieldKind::Attribute(_, name) | FieldKind::EventAttribute(name) => name,
            FieldKind::EventName => "event:name",
            FieldKind::RootName => "rootName",
            FieldKind::RootService => "rootServiceName",
            FieldKind::TraceDuration => "traceDuration",
        }
        .to_owned()
    }
}
