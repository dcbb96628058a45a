//! Prometheus's own test scripts (`promqltest`), run against anything that answers PromQL.
//!
//! A [`Target`] takes samples and answers queries: [`Memory`] does so with this crate alone, a running engine over HTTP. Every eval of a
//! script ends as an [`Outcome`]: passed, failed with a reason, or excluded by class.

mod check;
mod list;
mod memory;
mod run;
mod script;
mod series;
mod variants;

pub use list::{Results, list};
pub use memory::Memory;
pub use run::{Class, Features, Outcome, Ran, Target, run};
pub use script::{Command, Eval, Expectations, Expected, Load, Message, Script, ScriptError, When};
pub use series::{Point, parse_series};
