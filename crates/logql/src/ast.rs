//! What a query means, before it is evaluated.

use wharf_signal::Matcher;

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// Lines are asked for.
    Log(LogExpr),
    /// Numbers are asked for.
    Metric(MetricExpr),
}

/// Streams, and what happens to their lines.
#[derive(Debug, Clone, PartialEq)]
pub struct LogExpr {
    /// Which streams.
    pub matchers: Vec<Matcher>,
    /// One after another.
    pub stages: Vec<Stage>,
}

/// A step of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// `|= "a" or "b"`
    Line(LineFilter),
    /// `| json`, `| json a="b.c[0]"`
    Json(Vec<Extraction>),
    /// `| logfmt`, `| logfmt --strict a="b"`
    Logfmt(Logfmt),
    /// `| regexp "(?P<a>.*)"`
    Regexp(String),
    /// `| pattern "<a> <_>"`
    Pattern(String),
    /// `| unpack`
    Unpack,
    /// `| decolorize`
    Decolorize,
    /// `| a="b" or c > 5`
    Label(LabelFilter),
    /// `| line_format "{{.a}}"`
    LineFormat(String),
    /// `| label_format a=b, c="{{.d}}"`
    LabelFormat(Vec<LabelFormat>),
    /// `| drop a, b="c"`
    Drop(Vec<LabelPick>),
    /// `| keep a, b="c"`
    Keep(Vec<LabelPick>),
}

/// How a line is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineOp {
    /// `|=`
    Contains,
    /// `!=`
    NotContains,
    /// `|~`
    Regex,
    /// `!~`
    NotRegex,
    /// `|>`
    Pattern,
    /// `!>`
    NotPattern,
}

impl LineOp {
    /// Whether it keeps what matches.
    #[must_use]
    pub fn is_positive(self) -> bool {
        matches!(self, Self::Contains | Self::Regex | Self::Pattern)
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contains => "|=",
            Self::NotContains => "!=",
            Self::Regex => "|~",
            Self::NotRegex => "!~",
            Self::Pattern => "|>",
            Self::NotPattern => "!>",
        }
    }
}

/// A condition on the line.
#[derive(Debug, Clone, PartialEq)]
pub struct LineFilter {
    /// How.
    pub op: LineOp,
    /// Any of these; one where `op` is negative.
    pub any: Vec<LineMatch>,
}

/// With what a line is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineMatch {
    /// A text, an expression or a pattern, as the operator says.
    Text(String),
    /// An address, a range of them or a network.
    Ip(String),
}

/// `a="b.c"`: which label gets which field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extraction {
    /// The label.
    pub label: String,
    /// Where the value is.
    pub path: String,
}

/// How a line of `key=value` pairs is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Logfmt {
    /// An error ends it.
    pub strict: bool,
    /// Keys without a value become empty labels.
    pub keep_empty: bool,
    /// Only these; all if there is none.
    pub fields: Vec<Extraction>,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// `==`, `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
}

impl CompareOp {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Less => "<",
            Self::LessEqual => "<=",
        }
    }

    /// Whether it holds.
    pub(crate) fn holds<T: PartialOrd>(self, a: &T, b: &T) -> bool {
        match self {
            Self::Equal => a == b,
            Self::NotEqual => a != b,
            Self::Greater => a > b,
            Self::GreaterEqual => a >= b,
            Self::Less => a < b,
            Self::LessEqual => a <= b,
        }
    }
}

/// A condition on labels.
#[derive(Debug, Clone, PartialEq)]
pub enum LabelFilter {
    /// Both.
    And(Box<LabelFilter>, Box<LabelFilter>),
    /// Either.
    Or(Box<LabelFilter>, Box<LabelFilter>),
    /// As texts.
    Text(Matcher),
    /// As numbers.
    Number(String, CompareOp, f64),
    /// As durations, in nanoseconds.
    Duration(String, CompareOp, i64),
    /// As sizes.
    Bytes(String, CompareOp, u64),
    /// As addresses: the label, whether it is inside, and the address, range or network.
    Ip(String, bool, String),
}

/// What a label becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelFormat {
    /// `to=from`
    Rename {
        /// The new name.
        to: String,
        /// The old one.
        from: String,
    },
    /// `to="{{...}}"`
    Template {
        /// The label.
        to: String,
        /// Its value.
        template: String,
    },
}

/// A label by its name, or by its value as well.
#[derive(Debug, Clone, PartialEq)]
pub enum LabelPick {
    /// Whatever its value.
    Name(String),
    /// If it matches.
    Matcher(Matcher),
}

/// A query for numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricExpr {
    /// `rate({a="b"}[5m])`
    Range(RangeAggregation),
    /// `sum by (a) (...)`
    Vector(VectorAggregation),
    /// `a + b`
    Binary(Box<BinaryExpr>),
    /// `5`
    Literal(f64),
    /// `vector(5)`
    VectorLiteral(f64),
    /// `label_replace(...)`
    LabelReplace(Box<LabelReplace>),
}

/// Lines of a span of time.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRange {
    /// Which.
    pub log: LogExpr,
    /// The label whose value counts.
    pub unwrap: Option<Unwrap>,
    /// How long, in nanoseconds.
    pub range: i64,
    /// How long ago, in nanoseconds.
    pub offset: i64,
}

/// `| unwrap duration(label) | filter`
#[derive(Debug, Clone, PartialEq)]
pub struct Unwrap {
    /// The label.
    pub label: String,
    /// How its text becomes a number.
    pub conversion: Conversion,
    /// Asked after the conversion.
    pub filters: Vec<LabelFilter>,
}

/// How a text becomes a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    /// It is one.
    Float,
    /// `bytes(...)`
    Bytes,
    /// `duration(...)`, in seconds
    Duration,
    /// `duration_seconds(...)`, the same
    DurationSeconds,
}

/// What lines of a span of time become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RangeOp {
    /// `rate`
    Rate,
    /// `rate_counter`
    RateCounter,
    /// `count_over_time`
    Count,
    /// `bytes_rate`
    BytesRate,
    /// `bytes_over_time`
    Bytes,
    /// `avg_over_time`
    Avg,
    /// `sum_over_time`
    Sum,
    /// `min_over_time`
    Min,
    /// `max_over_time`
    Max,
    /// `stdvar_over_time`
    Stdvar,
    /// `stddev_over_time`
    Stddev,
    /// `quantile_over_time`
    Quantile,
    /// `first_over_time`
    First,
    /// `last_over_time`
    Last,
    /// `absent_over_time`
    Absent,
}

impl RangeOp {
    /// All, with the words for them.
    pub const ALL: [(&'static str, Self); 15] = [
        ("rate", Self::Rate),
        ("rate_counter", Self::RateCounter),
        ("count_over_time", Self::Count),
        ("bytes_rate", Self::BytesRate),
        ("bytes_over_time", Self::Bytes),
        ("avg_over_time", Self::Avg),
        ("sum_over_time", Self::Sum),
        ("min_over_time", Self::Min),
        ("max_over_time", Self::Max),
        ("stdvar_over_time", Self::Stdvar),
        ("stddev_over_time", Self::Stddev),
        ("quantile_over_time", Self::Quantile),
        ("first_over_time", Self::First),
        ("last_over_time", Self::Last),
        ("absent_over_time", Self::Absent),
    ];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        word(&Self::ALL, self)
    }
}

/// `rate({...}[5m])`
#[derive(Debug, Clone, PartialEq)]
pub struct RangeAggregation {
    /// What is done.
    pub op: RangeOp,
    /// The quantile.
    pub parameter: Option<f64>,
    /// With which lines.
    pub range: LogRange,
    /// Which labels the result has.
    pub grouping: Option<Grouping>,
}

/// What a vector becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VectorOp {
    /// `sum`
    Sum,
    /// `avg`
    Avg,
    /// `max`
    Max,
    /// `min`
    Min,
    /// `count`
    Count,
    /// `stddev`
    Stddev,
    /// `stdvar`
    Stdvar,
    /// `bottomk`
    BottomK,
    /// `topk`
    TopK,
    /// `approx_topk`: exact here
    ApproxTopK,
    /// `sort`
    Sort,
    /// `sort_desc`
    SortDesc,
}

impl VectorOp {
    /// All, with the words for them.
    pub const ALL: [(&'static str, Self); 12] = [
        ("sum", Self::Sum),
        ("avg", Self::Avg),
        ("max", Self::Max),
        ("min", Self::Min),
        ("count", Self::Count),
        ("stddev", Self::Stddev),
        ("stdvar", Self::Stdvar),
        ("bottomk", Self::BottomK),
        ("topk", Self::TopK),
        ("approx_topk", Self::ApproxTopK),
        ("sort", Self::Sort),
        ("sort_desc", Self::SortDesc),
    ];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        word(&Self::ALL, self)
    }

    /// Whether it wants a number.
    #[must_use]
    pub fn has_parameter(self) -> bool {
        matches!(self, Self::BottomK | Self::TopK | Self::ApproxTopK)
    }
}

fn word<T: Copy + PartialEq>(all: &[(&'static str, T)], op: T) -> &'static str {
    let found = all.iter().find(|(_, candidate)| *candidate == op);
    found.map_or("", |(word, _)| word)
}

/// `sum by (a) (...)`
#[derive(Debug, Clone, PartialEq)]
pub struct VectorAggregation {
    /// What is done.
    pub op: VectorOp,
    /// How many, of `topk` and its like.
    pub parameter: usize,
    /// Which labels make a group.
    pub grouping: Grouping,
    /// With what.
    pub of: Box<MetricExpr>,
}

/// `by (a, b)`, `without (a)`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grouping {
    /// These are left out, all others kept.
    pub without: bool,
    /// The labels.
    pub labels: Vec<String>,
}

impl Grouping {
    /// Whether nothing is left of the labels.
    #[must_use]
    pub fn is_single(&self) -> bool {
        !self.without && self.labels.is_empty()
    }
}

/// An operator between two vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `or`
    Or,
    /// `and`
    And,
    /// `unless`
    Unless,
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Mod,
    /// `^`
    Pow,
    /// `==`, `!=`, `>`, `>=`, `<`, `<=`
    Compare(CompareOp),
}

impl BinaryOp {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Unless => "unless",
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::Compare(op) => op.as_str(),
        }
    }

    /// Whether it is about which series there are, not about their values.
    #[must_use]
    pub fn is_set(self) -> bool {
        matches!(self, Self::Or | Self::And | Self::Unless)
    }
}

/// `a + on (x) group_left (y) b`
#[derive(Debug, Clone, PartialEq)]
pub struct BinaryExpr {
    /// The operator.
    pub op: BinaryOp,
    /// A comparison gives 0 or 1 instead of leaving out.
    pub bool: bool,
    /// Which belong together.
    pub matching: Matching,
    /// The left side.
    pub left: MetricExpr,
    /// The right side.
    pub right: MetricExpr,
}

/// Which series of two sides belong together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matching {
    /// By these labels only; else by all but these.
    pub on: bool,
    /// The labels.
    pub labels: Vec<String>,
    /// How many on each side.
    pub card: Cardinality,
    /// Labels that come from the side with one.
    pub include: Vec<String>,
}

/// How many series of each side belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cardinality {
    /// One of each.
    #[default]
    OneToOne,
    /// `group_left`
    ManyToOne,
    /// `group_right`
    OneToMany,
}

/// `label_replace(of, "to", "replacement", "from", "regex")`
#[derive(Debug, Clone, PartialEq)]
pub struct LabelReplace {
    /// Whose labels.
    pub of: MetricExpr,
    /// The label that is set.
    pub to: String,
    /// To what: `$1` are groups of the expression.
    pub replacement: String,
    /// The label that is looked at.
    pub from: String,
    /// What its whole value has to match.
    pub regex: String,
}

/// Whether a set of conditions would select everything.
pub(crate) fn selects_all(matchers: &[Matcher]) -> bool {
    matchers.iter().all(Matcher::matches_empty)
}
