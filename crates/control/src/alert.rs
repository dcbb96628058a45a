//! Alerts: from the result of a rule's query to what a person is told, and when.
//!
//! [`rule`] is the state of one alerting rule, as Prometheus keeps it: pending, firing, resolved. [`notify`] is what
//! Alertmanager keeps: groups, what their receivers know, repetition, retries; [`silence`] and [`inhibit`] decide what is kept
//! from them.
//!
//! Nothing is handed on as an event that could be lost. A rule tells the notifier, after each evaluation, all that fires; the
//! notifier compares that with what each receiver knows. So a crash between any two steps costs a step that is done again.

mod fingerprint;
pub mod inhibit;
pub mod notify;
pub mod route;
pub mod rule;
mod saved;
pub mod silence;
#[cfg(test)]
mod sim;

pub use fingerprint::Fingerprint;
pub use inhibit::Inhibition;
pub use notify::{Alert, Decision, Group, Message, MessageId, Notifier, Outcome, Policy};
pub use route::{Route, Timing};
pub use rule::{Due, Instance, Phase, RuleError, RulePolicy, RuleState, Transition};
pub use silence::{Silence, SilenceError, SilencePhase, Silences};
