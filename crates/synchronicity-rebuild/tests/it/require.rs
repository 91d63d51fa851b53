//! Which capabilities of the machine tests may not do without.
//!
//! Whether a capability is there is decided by the code under test, which may be wrong. So whoever knows better says so:
//! `SYNCHRONICITY_REQUIRE` lists capabilities (`docker`, `embedded`, `gvisor`, `registry`), separated by commas, and a test that
//! would be ignored for want of one of them runs, and fails.

/// Whether a test that needs `capability` is to be ignored, where the code under test finds it `missing`.
pub(crate) fn may_skip(capability: &str, missing: bool) -> bool {
    let required = std::env::var("SYNCHRONICITY_REQUIRE").unwrap_or_default();
    missing && !required.split(',').any(|name| name.trim() == capability)
}
