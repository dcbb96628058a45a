//! PromQL: its grammar, its printer and its evaluator over any [`wharf_signal::SampleSource`].
//!
//! Pure: no I/O, no clock. An expression is read once ([`parse`]) and evaluated at one time ([`instant`]) or at many
//! ([`range`]); what it means is what Prometheus 3 means, down to the texts of errors, warnings and infos. There are no native
//! histograms: their functions have no result.
//!
//! ```
//! let expr = wharf_promql::parse("sum by (job) (rate(requests_total[5m])) > 10")?;
//! assert_eq!(expr.selectors()[0].metric_name(), Some("requests_total"));
//! # Ok::<(), wharf_promql::ParseError>(())
//! ```
//!
//! The feature `testing` has Prometheus's test scripts for whatever answers PromQL.

mod ast;
mod error;
mod eval;
mod functions;
mod lex;
mod parse;
mod print;
mod text;
mod value;

pub use ast::*;
pub use error::{EvalError, ParseError};
pub use eval::{instant, range};
pub use functions::{Function, Variadic};
pub use parse::{MAX_DEPTH, MAX_NESTING, ParseOptions, parse, parse_selector, parse_with};
pub use print::pretty;
pub use text::{format_duration, parse_duration};
pub use value::{Element, Evaluated, Options, Value};

#[cfg(feature = "testing")]
pub mod testing;
