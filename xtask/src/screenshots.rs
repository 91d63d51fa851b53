//! Pictures of every page, for whoever wants to see how they look before starting a node.

use std::path::Path;
use std::process::ExitCode;

use crate::cargo::cargo;
use crate::setup;

/// The test that takes them, where this variable names a folder.
const TEST: &str = "a_page_follows_a_round_to_its_proof_in_a_real_browser";
const FOLDER: &str = "SYNCHRONICITY_SCREENSHOTS";

pub(crate) fn run(root: &Path) -> ExitCode {
    setup::tools(root);
    let folder = root.join("docs/screenshots");
    let mut command = cargo(root);
    command.args(["test", "--workspace", "--locked", "--test", "e2e", "--", TEST]);
    // Without a browser the test fails, and is not skipped.
    command.env(FOLDER, &folder).env("SYNCHRONICITY_REQUIRE", "browser,embedded,axe,registry");
    match command.status() {
        Ok(status) if status.success() => {
            println!("written to {}", folder.display());
            ExitCode::SUCCESS
        }
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo could not be started: {error}; install Rust first");
            ExitCode::FAILURE
        }
    }
}
