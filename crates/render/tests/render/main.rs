//! What the targets make of the examples and of any other plan.

mod examples;
mod golden;
mod requirements;
