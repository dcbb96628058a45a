//! What a test needs and a machine may not have.

/// Prints why a test does nothing here; under `WHARF_TEST_REQUIRE=all` that is a failure.
#[track_caller]
pub(crate) fn skip(reason: &str) {
    let required = std::env::var("WHARF_TEST_REQUIRE").is_ok_and(|value| value == "all");
    assert!(
        !required,
        "{reason}, and WHARF_TEST_REQUIRE=all asks for it"
    );
    eprintln!("skipped: {reason}");
}
