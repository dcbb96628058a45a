//! Any text as LogQL: `cargo +nightly fuzz run logql`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    // A panic, or a stack that ends, is what is looked for.
    let _either = wharf_logql::parse(text);
});
