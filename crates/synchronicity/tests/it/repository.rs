//! A crate in a git repository, and what Cargo of this machine makes of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::fixture;

/// A copy of the fixture in the empty folder `dir`, slightly changed, so that it is a person's own crate.
pub(crate) fn with_fixture(dir: &Path, name: &str) {
    let from = PathBuf::from(fixture(name));
    fs::create_dir(dir.join("src")).expect("an empty folder");
    for file in ["Cargo.toml", "Cargo.lock", "build.rs", "src/main.rs"] {
        fs::copy(from.join(file), dir.join(file)).expect("a fixture's file");
    }
    fs::write(dir.join("README.md"), "A copy.\n").expect("a folder of ours");
    git(dir, &["init", "--quiet", "--initial-branch=main"]);
}

/// Commits all there is, and a message of its own.
pub(crate) fn commit(dir: &Path, message: &str) {
    git(dir, &["add", "Cargo.toml", "Cargo.lock", "build.rs", "src", "README.md"]);
    git(dir, &["commit", "--quiet", "--allow-empty", "--message", message]);
}

/// Builds the crate in `dir` with Cargo of this machine, offline and for release, into the folder `target`.
pub(crate) fn build(dir: &Path, target: &Path) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--offline", "--quiet", "--target-dir"]).arg(target).current_dir(dir);
    // What is set for the tests' own build is none of this crate's.
    let own = std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_") && name != "CARGO_HOME" || name == "RUSTFLAGS"
    });
    for (name, _) in own {
        command.env_remove(name);
    }
    let output = command.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn git(dir: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .args(["-c", "user.name=nobody", "-c", "user.email=nobody@example.com", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .current_dir(dir)
        .env_remove("GIT_DIR")
        .env_remove("GIT_INDEX_FILE")
        .status();
    assert!(status.expect("git runs").success(), "git {arguments:?}");
}
