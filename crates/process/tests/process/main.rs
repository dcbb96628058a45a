//! Supervision with real processes. Each test has a project of its own and leaves nothing running.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends at the first thing that is not as it should be"
)]

mod adoption;
mod launching;
mod logs;
mod orphans;
mod project;
