//! Any bytes as Prometheus's text format: `cargo +nightly fuzz run exposition_text`.
#![no_main]

#[path = "../../crates/protocols/tests/check/invariants.rs"]
#[expect(dead_code, reason = "each target asks for one of them")]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariants::exposition_text(bytes));
