//! The standard recipe: what every build is told beyond its request's own choices, the same for every crate.
//!
//! Whoever may choose a build's variables or flags for rustc chooses its result: a wrapper around the compiler, another
//! linker. So nobody may. A request spells the recipe out, and with it its identity pins it; a group admits no other
//! (`may_submit` in synchronicity-core), and no builder builds another.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::request::{BuildRequest, Products};

/// The only profile that is built.
pub const PROFILE: &str = "release";

/// Where crates and registry index are in every sandbox.
pub const INNER_CARGO_HOME: &str = "/opt/rustwide/cargo-home";

/// Where products are in every sandbox.
pub const INNER_TARGET: &str = "/opt/rustwide/target";

/// The date that builds are told, in seconds since 1970: 9 September 2001. One constant for every crate, so that whoever
/// repeats a build by hand has nothing to look up; after 1980, before which zip files have no dates.
pub const SOURCE_DATE_EPOCH: u64 = 1_000_000_000;

/// The variables that builds see beyond what a sandbox always sets, sorted by name.
pub const ENV: [(&str, &str); 6] = [
    ("CARGO_INCREMENTAL", "0"),
    // The crate const-random, and with it ahash, asks for this instead of dice.
    ("CONST_RANDOM_SEED", "synchronicity"),
    ("LANG", "C.UTF-8"),
    ("LC_ALL", "C.UTF-8"),
    ("SOURCE_DATE_EPOCH", "1000000000"),
    ("TZ", "UTC"),
];

/// Flags for rustc: remaps that change nothing for builders, whose paths are these already. Cargo hashes the presence of
/// remaps, though not their values: with them in the recipe, a person can remap folders of their own to these and get
/// the same bytes.
const REMAPS: [&str; 2] = [
    "--remap-path-prefix=/opt/rustwide/cargo-home=/opt/rustwide/cargo-home",
    "--remap-path-prefix=/opt/rustwide/target=/opt/rustwide/target",
];

/// [`ENV`], as a request carries it.
pub fn env() -> BTreeMap<String, String> {
    ENV.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A crate that forbids warnings would not outlive the compiler that it was written for. Its users never see that, since
/// Cargo caps the lints of what it takes from a registry, and so do we where Cargo takes it from a folder. As in Crater.
const CAP_LINTS: &str = "--cap-lints=warn";

/// The flags for rustc of builds of these products, as a request carries them.
pub fn rustflags(products: Products) -> Vec<String> {
    flags(products).map(ToOwned::to_owned).collect()
}

fn flags(products: Products) -> impl Iterator<Item = &'static str> {
    let cap = match products {
        Products::Binaries | Products::Library => Some(CAP_LINTS),
        Products::Installed => None,
    };
    REMAPS.into_iter().chain(cap)
}

/// Whether a request has exactly the variables and flags of the standard recipe.
pub fn is_standard(request: &BuildRequest) -> bool {
    let env = request.env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    env.eq(ENV) && request.rustflags.iter().map(String::as_str).eq(flags(request.products))
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn the_recipe_is_spelled_in_the_order_of_a_request_and_from_its_own_constants() {
        let env: Vec<_> = env().into_iter().collect();
        assert!(env.iter().map(|(name, value)| (name.as_str(), value.as_str())).eq(ENV));
        assert!(ENV.contains(&("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH.to_string().as_str())));
        let remaps = [INNER_CARGO_HOME, INNER_TARGET].map(|path| format!("--remap-path-prefix={path}={path}"));
        assert_eq!(rustflags(Products::Installed), remaps);
        for from_a_folder in [Products::Binaries, Products::Library] {
            let flags = rustflags(from_a_folder);
            assert_eq!((&flags[..2], &flags[2..]), (&remaps[..], &["--cap-lints=warn".to_owned()][..]));
        }
    }
}
