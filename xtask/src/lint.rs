//! Formatting and clippy, warnings refused.

use std::path::Path;
use std::process::ExitCode;

use crate::cargo::cargo;

/// Runs both, the second also when the first complains, so that one call shows everything.
pub(crate) fn run(root: &Path) -> ExitCode {
    let fmt = passes(root, &["fmt", "--all", "--check"]);
    let clippy = passes(root, &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]);
    if fmt && clippy { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn passes(root: &Path, arguments: &[&str]) -> bool {
    eprintln!("cargo {}", arguments.join(" "));
    cargo(root).args(arguments).status().is_ok_and(|status| status.success())
}
