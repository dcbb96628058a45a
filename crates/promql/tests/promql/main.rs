//! PromQL against Prometheus: its own test scripts, and its answers to random questions.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod conformance;
mod data;
mod differential;
mod generate;
mod prometheus;
mod properties;
mod require;
