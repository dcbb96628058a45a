//! LogQL: its grammar, its printer and its evaluator over any [`wharf_signal::LogSource`].
//!
//! Pure: no I/O, no clock. The language is that of Loki 3. [`parse`] makes an [`Expr`], which prints as the canonical form of the
//! query; [`log_query`] and [`metric_query`] answer it, [`Tail`] takes lines as they come, [`discover`] finds out what Loki adds to
//! lines when they are pushed.
//!
//! Known differences: of a JSON or logfmt key that comes twice the first value counts; labels without a value are not shown;
//! `approx_topk` is exact; `rate_counter` does not extrapolate; templates know no time zone but UTC.

pub mod ast;
mod discover;
mod eval;
mod fields;
mod lexer;
mod parser;
mod pipeline;
mod print;
mod stage;
mod template;
mod text;

pub use ast::Expr;
pub use discover::{FieldKind, detect_level, discover, fields_of, pattern_of};
pub use eval::{
    EvalError, Limits, LogLine, LogParams, LogResult, MetricParams, MetricResult, Stats, Stream,
    log_query, metric_query,
};
pub use parser::{ParseError, parse, parse_selector};
pub use pipeline::Tail;
pub use text::parse_duration;
