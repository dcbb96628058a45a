//! Any bytes as a push to Loki's API: `cargo +nightly fuzz run loki_push`.
#![no_main]

#[path = "../../crates/protocols/tests/check/invariants.rs"]
#[expect(dead_code, reason = "each target asks for one of them")]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariants::loki_push(bytes));
