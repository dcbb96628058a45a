//! Any text as PromQL: `cargo +nightly fuzz run promql`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    // A panic, or a stack that ends, is what is looked for.
    let _either = wharf_promql::parse(text);
});
