//! PromQL: its grammar, its printer and its evaluator over any [`wharf_signal::SampleSource`].
//!
//! Pure: no I/O, no clock.

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
