//! PromQL against Prometheus: its own test scripts.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod conformance;
mod require;
