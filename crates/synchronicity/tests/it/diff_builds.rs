//! `diff` on what Cargo of this machine builds: causes that lie outside of the crate, or in one that it depends on.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::Path;

use libtest_mimic::{Failed, Trial};

use crate::program::run;
use crate::repository;

type Answer = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, test: fn() -> Answer| Trial::test(format!("diff_builds::{name}"), test);
    vec![
        trial("two_commits_of_one_source_differ_for_the_state_of_the_repository", commits),
        trial("the_dependency_that_embeds_the_time_is_named_and_not_the_crate_that_uses_it", dependency),
    ]
}

fn commits() -> Answer {
    let dir = tempfile::tempdir()?;
    let (source, target) = (dir.path().join("source"), dir.path().join("target"));
    fs::create_dir(&source)?;
    repository::with_fixture(&source, "embeds-git-state");
    for name in ["first", "second"] {
        repository::commit(&source, name);
        // As in two checkouts: Cargo does not look whether a commit was made since.
        let target = target.join(name);
        repository::build(&source, &target);
        fs::copy(target.join("release/embeds-git-state"), dir.path().join(name))?;
    }
    let told = run(dir.path(), ["diff", "first", "second", "--json"]).expect(44).json();
    let causes = told["causes"].as_array().unwrap();
    assert_eq!(causes.len(), 1, "{told}");
    assert_eq!((&causes[0]["cause"], &causes[0]["certainty"]), (&"git-state".into(), &"likely".into()), "{told}");
    assert_eq!(told["artifacts"][0]["differences"][0]["symbol"], "embeds_git_state::main", "{told}");
    Ok(())
}

const CLOCK: &str = r#"
/// Whoever runs the program sees when this crate was built.
pub fn tell(who: &str) {
    println!("{who}, on a clock built {}", env!("CLOCK_BUILT"));
}
"#;

const CLOCK_BUILD: &str = r#"
use std::time::SystemTime;

fn main() {
    println!("cargo::rerun-if-changed=a-file-that-is-never-there");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    println!("cargo::rustc-env=CLOCK_BUILT={} ns after 1970", now.as_nanos());
}
"#;

/// A program, a crate between, and a crate below with a build script: three crates, of which the lowest is guilty.
fn dependency() -> Answer {
    let dir = tempfile::tempdir()?;
    let source = dir.path().join("source");
    let manifest = |name: &str, version: &str, depends: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2024\"\n[dependencies]\n{depends}")
    };
    let write = |path: &str, text: &str| {
        let path = source.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let top = manifest("innocent-program", "1.0.0", "go-between = { path = \"between\" }\n");
    write("Cargo.toml", &format!("{top}[workspace]\nmembers = [\"between\", \"clock\"]\n"));
    write("src/main.rs", "fn main() { println!(\"a program\"); go_between::tell(); }\n");
    write("between/Cargo.toml", &manifest("go-between", "0.2.0", "guilty-clock = { path = \"../clock\" }\n"));
    write("between/src/lib.rs", "/// Passes it on.\npub fn tell() { guilty_clock::tell(\"between\"); }\n");
    write("clock/Cargo.toml", &manifest("guilty-clock", "0.3.1", ""));
    write("clock/src/lib.rs", CLOCK);
    write("clock/build.rs", CLOCK_BUILD);
    let target = dir.path().join("target");
    for name in ["first", "second"] {
        repository::build(&source, &target);
        fs::copy(target.join("release/innocent-program"), dir.path().join(name))?;
    }
    let packages = r#"{"packages": ["go-between 0.2.0", "guilty-clock 0.3.1"], "own": "innocent-program 1.0.0"}"#;
    fs::write(dir.path().join("facts"), packages)?;
    assert_guilty(dir.path(), &["--facts", "facts"], "guilty-clock 0.3.1");
    // Nobody says what the tree is: the name remains.
    assert_guilty(dir.path(), &[], "guilty_clock");
    Ok(())
}

fn assert_guilty(dir: &Path, more: &[&str], guilty: &str) {
    let told = run(dir, [&["diff", "first", "second", "--json"], more].concat()).expect(44).json();
    let causes = told["causes"].as_array().unwrap();
    assert_eq!(causes.len(), 1, "{told}");
    assert_eq!((&causes[0]["cause"], &causes[0]["crate"]), (&"build-time".into(), &guilty.into()), "{told}");
}
