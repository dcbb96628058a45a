//! Any bytes as a `wharf.yaml`: `cargo +nightly fuzz run wharf_yaml`.
#![no_main]

#[path = "../../crates/plan/tests/check/invariants.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariants::hold_for(bytes));
