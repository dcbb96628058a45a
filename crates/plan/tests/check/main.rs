//! The crate's tests over its public interface.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test ends at the first surprise, and says what it has measured"
)]

mod compose;
mod examples;
mod fixtures;
mod hostile;
mod invariants;
mod mutations;
mod schema;
