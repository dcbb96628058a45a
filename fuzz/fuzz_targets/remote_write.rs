//! Any bytes as a remote write: `cargo +nightly fuzz run remote_write`.
#![no_main]

#[path = "../../crates/protocols/tests/check/invariants.rs"]
#[expect(dead_code, reason = "each target asks for one of them")]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariants::remote_write(bytes));
