//! From a due alert to a person: rule files, annotations, grouping, silences, receivers.
//!
//! The decisions are `wharf_control::alert`'s; here are the foreign formats and the way out of the process. Whoever has timers and
//! PromQL evaluates [`rules::RuleGroup`]s with a [`rules::GroupState`] each, and tells a [`manager::Handle`] after each
//! evaluation all that fires. The [`manager`] owns who knows what, and sends.

pub mod dispatch;
pub mod from_plan;
pub mod manager;
pub mod rules;
pub mod store;
pub mod template;
