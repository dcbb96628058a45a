//! What the targets make of the examples and of any other plan.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod examples;
mod golden;
mod patches;
mod podman;
mod property;
mod requirements;
