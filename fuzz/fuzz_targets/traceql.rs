//! Any text as a TraceQL query: `cargo +nightly fuzz run traceql`.
#![no_main]

#[path = "../../crates/traces/tests/traces/fuzzed.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzed::traceql(bytes));
