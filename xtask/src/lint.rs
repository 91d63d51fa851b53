//! Formatting and clippy, warnings refused.

use std::path::Path;
use std::process::{Command, ExitCode};

/// Runs both, the second also when the first complains, so that one call shows everything.
pub(crate) fn run(root: &Path) -> ExitCode {
    let fmt = cargo(root, &["fmt", "--all", "--check"]);
    let clippy = cargo(root, &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]);
    if fmt && clippy { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn cargo(root: &Path, arguments: &[&str]) -> bool {
    eprintln!("cargo {}", arguments.join(" "));
    Command::new("cargo").args(arguments).current_dir(root).status().is_ok_and(|status| status.success())
}
