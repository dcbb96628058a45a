//! From a due alert to a person: rule files, annotations, grouping, silences, receivers.
//!
//! The decisions are `wharf_control::alert`'s; here are the foreign formats and the way out of the process.

pub mod rules;
pub mod template;
