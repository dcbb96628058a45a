//! Any bytes as OpenMetrics: `cargo +nightly fuzz run openmetrics`.
#![no_main]

#[path = "../../crates/protocols/tests/check/invariants.rs"]
#[expect(dead_code, reason = "each target asks for one of them")]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariants::openmetrics(bytes));
