//! Chores of the project, run as `cargo xtask CHORE`.
//!
//! - `test [CARGO TEST ARGUMENTS]`: what `./test` runs: set-up, every test of the workspace, one count at the end.
//! - `setup`: only the set-up: Docker's daemon and the sandbox image, where this machine may have them.
//! - `screenshots`: makes `docs/screenshots/` again, with a group of its own and a real browser.
//! - `lint`: formatting and clippy over every target, warnings refused.
//!
//! The tidy checks (lengths, words, links) are tests of this crate, so that they run with the others.

mod cargo;
mod lint;
mod screenshots;
mod setup;
mod test_run;
#[cfg(test)]
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let chore = arguments.next();
    let rest: Vec<String> = arguments.collect();
    match chore.as_deref() {
        Some("test") => test_run::run(&root(), &rest),
        Some("setup") => setup::run(&root()).into_exit_code(),
        Some("screenshots") => screenshots::run(&root()),
        Some("lint") => lint::run(&root()),
        _ => {
            eprintln!("usage: cargo xtask test [CARGO TEST ARGUMENTS] | setup | screenshots | lint");
            ExitCode::from(2)
        }
    }
}

/// The root of the checkout, where the workspace's manifest is.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.to_path_buf(), Path::to_path_buf)
}
