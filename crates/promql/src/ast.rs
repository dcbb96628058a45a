//! The tree of an expression, as it was written.
//!
//! Two trees are equal if they mean the same: positions are not compared, nor is the order of a selector's matchers.

use wharf_signal::{Labels, Matcher, NAME};

use crate::functions::Function;

/// Where something begins in the text: line and column, both counted from 1; the column in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The byte within the line.
    pub column: u32,
}

impl PartialEq for Position {
    /// Always: what is written elsewhere means the same.
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Position {}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// What an expression evaluates to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// One number a step.
    Scalar,
    /// A text.
    String,
    /// One sample a series and step.
    Vector,
    /// Many samples a series.
    Matrix,
}

impl ValueType {
    /// As Prometheus's documentation calls it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::String => "string",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
        }
    }

    /// The word of the HTTP API.
    #[must_use]
    pub fn api_name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::String => "string",
            Self::Vector => "vector",
            Self::Matrix => "matrix",
        }
    }
}

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// `1.5`, `5m`
    Number(Number),
    /// `"text"`
    String(Text),
    /// `name{label="value"}`
    Selector(Selector),
    /// `name[5m]`
    Range(RangeSelector),
    /// `expr[5m:1m]`
    Subquery(Subquery),
    /// `sum by (a) (expr)`
    Aggregate(Aggregate),
    /// `rate(expr)`
    Call(Call),
    /// `expr + expr`
    Binary(Binary),
    /// `-expr`
    Unary(Unary),
    /// `(expr)`
    Paren(Paren),
}

impl Expr {
    /// The left side of the comparison at the top, or of the first alternative that has one: the number that an alert
    /// compares. None: nothing is compared.
    #[must_use]
    pub fn compared(&self) -> Option<&Self> {
        match self {
            Self::Paren(paren) => paren.expr.compared(),
            Self::Binary(binary) if binary.op.is_comparison() => Some(&binary.lhs),
            Self::Binary(binary) => binary.lhs.compared(),
            _ => None,
        }
    }
}

/// A number; also a duration in seconds.
#[derive(Debug, Clone)]
pub struct Number {
    /// Its value.
    pub value: f64,
    /// Whether it was written as a duration.
    pub is_duration: bool,
    /// Where it begins.
    pub at: Position,
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        let same = self.value.to_bits() == other.value.to_bits()
            || (self.value.is_nan() && other.value.is_nan());
        same && self.is_duration == other.is_duration
    }
}

/// A text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// What it says, unquoted.
    pub value: String,
    /// Its bytes, if they are no UTF-8: then it is no label, and `value` has U+FFFD in their place.
    pub invalid: Option<Vec<u8>>,
    /// Where it begins.
    pub at: Position,
}

impl Text {
    /// As it is written in double quotes.
    pub(crate) fn quoted(&self) -> String {
        match &self.invalid {
            Some(bytes) => crate::text::quote_bytes(bytes),
            None => crate::text::quote(&self.value),
        }
    }
}

/// The moment that `@` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtTime {
    /// Milliseconds since the Unix epoch.
    Millis(i64),
    /// `start()`: of the whole query.
    Start,
    /// `end()`: of the whole query.
    End,
}

/// `@` and `offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shift {
    /// The moment instead of the evaluation's.
    pub moment: Option<AtTime>,
    /// Milliseconds to go back from there; negative: forward.
    pub offset: i64,
}

/// Selects series.
#[derive(Debug, Clone)]
pub struct Selector {
    /// The metric's name, if it was written before the braces. It is among the matchers too, as the last.
    pub name: Option<String>,
    /// All have to match.
    pub matchers: Vec<Matcher>,
    /// When.
    pub shift: Shift,
    /// Where it begins.
    pub at: Position,
}

impl PartialEq for Selector {
    fn eq(&self, other: &Self) -> bool {
        let sorted = |selector: &Self| {
            let mut all: Vec<_> = selector.matchers.iter().collect();
            all.sort_by(|a, b| (&a.name, a.op, &a.value).cmp(&(&b.name, b.op, &b.value)));
            all.into_iter().cloned().collect::<Vec<_>>()
        };
        self.name == other.name && self.shift == other.shift && sorted(self) == sorted(other)
    }
}

impl Selector {
    /// The name that its series have, if it says exactly one.
    #[must_use]
    pub fn metric_name(&self) -> Option<&str> {
        let mut names = self.matchers.iter().filter(|m| m.name == NAME);
        match (names.next()?, names.next()) {
            (matcher, None) if matcher.op == wharf_signal::MatchOp::Equal => Some(&matcher.value),
            _ => None,
        }
    }

    /// The labels that `absent` gives: those that `=` says, unless something else is said of them after. What excludes comes
    /// last, wherever it is written: so it is in Prometheus, whose store puts it there.
    pub(crate) fn absent_labels(&self) -> Labels {
        use wharf_signal::MatchOp::{Equal, NotEqual, NotRegex};
        let excludes = |m: &&Matcher| matches!(m.op, NotEqual | NotRegex) && m.matches_empty();
        let matchers = || self.matchers.iter().filter(|m| m.name != NAME);
        let first = matchers().filter(|m| !excludes(m));
        let mut labels = Labels::empty().edit();
        let mut seen: Vec<&str> = Vec::new();
        for matcher in first.chain(matchers().filter(excludes)) {
            let name = matcher.name.as_str();
            if matcher.op == Equal && !seen.contains(&name) {
                labels.set(name, matcher.value.as_str());
                seen.push(name);
            } else {
                labels.remove(name);
            }
        }
        labels.build()
    }
}

/// Selects series with the samples of a stretch of time.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeSelector {
    /// Which.
    pub selector: Selector,
    /// How long, in milliseconds.
    pub range: i64,
}

/// Evaluates an instant vector again and again.
#[derive(Debug, Clone, PartialEq)]
pub struct Subquery {
    /// What.
    pub expr: Box<Expr>,
    /// How long, in milliseconds.
    pub range: i64,
    /// How often, in milliseconds; none: as the options say.
    pub step: Option<i64>,
    /// When.
    pub shift: Shift,
}

/// An aggregation's operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the operator of its name")]
pub enum AggregateOp {
    Avg,
    Bottomk,
    Count,
    CountValues,
    Group,
    Limitk,
    LimitRatio,
    Max,
    Min,
    Quantile,
    Stddev,
    Stdvar,
    Sum,
    Topk,
}

impl AggregateOp {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Avg,
        Self::Bottomk,
        Self::Count,
        Self::CountValues,
        Self::Group,
        Self::Limitk,
        Self::LimitRatio,
        Self::Max,
        Self::Min,
        Self::Quantile,
        Self::Stddev,
        Self::Stdvar,
        Self::Sum,
        Self::Topk,
    ];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Avg => "avg",
            Self::Bottomk => "bottomk",
            Self::Count => "count",
            Self::CountValues => "count_values",
            Self::Group => "group",
            Self::Limitk => "limitk",
            Self::LimitRatio => "limit_ratio",
            Self::Max => "max",
            Self::Min => "min",
            Self::Quantile => "quantile",
            Self::Stddev => "stddev",
            Self::Stdvar => "stdvar",
            Self::Sum => "sum",
            Self::Topk => "topk",
        }
    }

    /// What kind of parameter it has before its vector.
    #[must_use]
    pub fn parameter(self) -> Option<ValueType> {
        match self {
            Self::CountValues => Some(ValueType::String),
            Self::Topk | Self::Bottomk | Self::Limitk | Self::LimitRatio | Self::Quantile => {
                Some(ValueType::Scalar)
            }
            _ => None,
        }
    }

    /// Whether Prometheus has it only behind a flag.
    #[must_use]
    pub fn is_experimental(self) -> bool {
        matches!(self, Self::Limitk | Self::LimitRatio)
    }
}

/// Makes few series of many.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// How.
    pub op: AggregateOp,
    /// Of what.
    pub expr: Box<Expr>,
    /// `k`, the quantile, or the label.
    pub parameter: Option<Box<Expr>>,
    /// The labels by which, or without which, groups are made.
    pub grouping: Vec<String>,
    /// Whether `grouping` are the labels that do not count.
    pub without: bool,
    /// Where it begins.
    pub at: Position,
}

/// A function's call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Which.
    pub function: &'static Function,
    /// With what.
    pub args: Vec<Expr>,
    /// Where it begins.
    pub at: Position,
}

/// An operator between two expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the operator of its name")]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    /// `</`, of native histograms
    TrimUpper,
    /// `>/`, of native histograms
    TrimLower,
    And,
    Or,
    Unless,
}

impl BinaryOp {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::Atan2 => "atan2",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::Less => "<",
            Self::GreaterEqual => ">=",
            Self::LessEqual => "<=",
            Self::TrimUpper => "</",
            Self::TrimLower => ">/",
            Self::And => "and",
            Self::Or => "or",
            Self::Unless => "unless",
        }
    }

    /// Whether it compares.
    #[must_use]
    pub fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Equal
                | Self::NotEqual
                | Self::Greater
                | Self::Less
                | Self::GreaterEqual
                | Self::LessEqual
        )
    }

    /// Whether it is one of `and`, `or`, `unless`.
    #[must_use]
    pub fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }

    /// Whether what comes out is another metric than what went in.
    pub(crate) fn changes_metric(self) -> bool {
        matches!(
            self,
            Self::Add | Self::Sub | Self::Mul | Self::Div | Self::Mod | Self::Pow | Self::Atan2
        )
    }
}

/// How many series of one side belong to one of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cardinality {
    /// One and one.
    OneToOne,
    /// `group_left`
    ManyToOne,
    /// `group_right`
    OneToMany,
    /// Of set operators.
    ManyToMany,
}

/// Which series of two vectors belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matching {
    /// How many.
    pub cardinality: Cardinality,
    /// The labels that count (`on`), or that do not (`ignoring`).
    pub labels: Vec<String>,
    /// Whether `labels` are those that count.
    pub on: bool,
    /// The labels that are taken over from the side with one.
    pub include: Vec<String>,
}

/// Two expressions and an operator.
#[derive(Debug, Clone, PartialEq)]
pub struct Binary {
    /// Which.
    pub op: BinaryOp,
    /// Its left side.
    pub lhs: Box<Expr>,
    /// Its right side.
    pub rhs: Box<Expr>,
    /// Whether a comparison gives 0 and 1 instead of leaving out.
    pub return_bool: bool,
    /// Of two vectors: how they are matched.
    pub matching: Option<Matching>,
    /// Where the operator is.
    pub op_at: Position,
}

/// A sign.
#[derive(Debug, Clone, PartialEq)]
pub struct Unary {
    /// Whether it is `-`.
    pub negate: bool,
    /// Of what.
    pub expr: Box<Expr>,
    /// Where it is.
    pub at: Position,
}

/// Parentheses.
#[derive(Debug, Clone, PartialEq)]
pub struct Paren {
    /// What they hold.
    pub expr: Box<Expr>,
    /// Where they open.
    pub at: Position,
}

impl Expr {
    /// What it evaluates to.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Number(_) => ValueType::Scalar,
            Self::String(_) => ValueType::String,
            Self::Selector(_) | Self::Aggregate(_) => ValueType::Vector,
            Self::Range(_) | Self::Subquery(_) => ValueType::Matrix,
            Self::Call(call) => call.function.returns,
            Self::Binary(binary) => {
                let scalar = |e: &Self| e.value_type() == ValueType::Scalar;
                if scalar(&binary.lhs) && scalar(&binary.rhs) {
                    ValueType::Scalar
                } else {
                    ValueType::Vector
                }
            }
            Self::Unary(unary) => unary.expr.value_type(),
            Self::Paren(paren) => paren.expr.value_type(),
        }
    }

    /// Where it begins.
    #[must_use]
    pub fn position(&self) -> Position {
        match self {
            Self::Number(number) => number.at,
            Self::String(text) => text.at,
            Self::Selector(selector) => selector.at,
            Self::Range(range) => range.selector.at,
            Self::Subquery(subquery) => subquery.expr.position(),
            Self::Aggregate(aggregate) => aggregate.at,
            Self::Call(call) => call.at,
            Self::Binary(binary) => binary.lhs.position(),
            Self::Unary(unary) => unary.at,
            Self::Paren(paren) => paren.at,
        }
    }

    /// The expressions right below it.
    #[must_use]
    pub fn children(&self) -> Vec<&Self> {
        match self {
            Self::Number(_) | Self::String(_) | Self::Selector(_) | Self::Range(_) => Vec::new(),
            Self::Subquery(subquery) => vec![&subquery.expr],
            Self::Aggregate(aggregate) => {
                let parameter = aggregate.parameter.iter().map(|e| &**e);
                parameter.chain([&*aggregate.expr]).collect()
            }
            Self::Call(call) => call.args.iter().collect(),
            Self::Binary(binary) => vec![&binary.lhs, &binary.rhs],
            Self::Unary(unary) => vec![&unary.expr],
            Self::Paren(paren) => vec![&paren.expr],
        }
    }

    /// Every selector in it, in the order in which they are written.
    #[must_use]
    pub fn selectors(&self) -> Vec<&Selector> {
        let mut found = Vec::new();
        self.collect_selectors(&mut found);
        found
    }

    fn collect_selectors<'a>(&'a self, found: &mut Vec<&'a Selector>) {
        match self {
            Self::Selector(selector) => found.push(selector),
            Self::Range(range) => found.push(&range.selector),
            _ => {
                for child in self.children() {
                    child.collect_selectors(found);
                }
            }
        }
    }

    /// What is inside of any parentheses around it.
    pub(crate) fn unwrapped(&self) -> &Self {
        let mut expr = self;
        while let Self::Paren(paren) = expr {
            expr = &paren.expr;
        }
        expr
    }
}
