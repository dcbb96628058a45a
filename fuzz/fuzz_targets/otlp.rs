//! Any bytes as OTLP, as Protocol Buffers and as JSON, of every signal: `cargo +nightly fuzz run otlp`.
#![no_main]

#[path = "../../crates/protocols/tests/check/invariants.rs"]
#[expect(dead_code, reason = "each target asks for one of them")]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariants::otlp(bytes));
