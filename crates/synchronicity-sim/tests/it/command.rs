//! The program itself: what it prints and leaves behind when a seed fails.

use std::path::Path;
use std::process::{Command, Output};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_synchronicity-sim");
    Command::new(program).args(arguments).current_dir(folder).output().expect("the program can be started")
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

/// Seeds with this bug until one fails, after some that do not.
fn failing(folder: &Path, plant: &str, more: &[&str]) -> Output {
    let arguments = ["run", "--seeds", "0..80", "--steps", "150", "--plant", plant];
    let output = run(folder, &[&arguments, more].concat());
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    output
}

#[test]
fn the_trace_of_a_failing_seed_is_always_written_alone_and_named() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let told = words(&failing(folder.path(), "CountsCopies", &[]));
    let (_, named) = told.split_once("its trace: ").expect("the file is named");
    let (file, _) = named.split_once(';').expect("and how to run it again");
    let trace = std::fs::read_to_string(folder.path().join(file)).expect("it is there");
    let seed =
        file.strip_prefix("run-seed-").and_then(|rest| rest.strip_suffix(".trace")).expect("the seed is in its name");
    assert!(seed != "0", "some seeds must pass before one fails for this test to show anything");
    assert!(trace.starts_with(&format!("seed {seed}: ")), "{trace}");
    assert_eq!(trace.lines().filter(|line| line.starts_with("seed ")).count(), 1);
    // Without the bug the same events break nothing.
    let again = run(folder.path(), &["replay", file]);
    assert!(again.status.success(), "{}", words(&again));
}

#[test]
fn the_trace_of_a_failing_seed_goes_where_it_is_wanted() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    failing(folder.path(), "CosignsTwice", &["--trace", "here", "--shrink"]);
    assert!(std::fs::read_to_string(folder.path().join("here")).is_ok_and(|trace| trace.starts_with("seed ")));
    assert_eq!(folder.path().read_dir().expect("it is a folder").count(), 1);
}

#[test]
fn a_panic_in_a_seed_fails_with_the_seed_and_its_trace() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let told = words(&failing(folder.path(), "Panics", &[]));
    assert!(told.contains("run of seed 0: after event"), "{told}");
    assert!(told.contains("invariant_nothing_panics: a planted panic"), "{told}");
    assert!(folder.path().join("run-seed-0.trace").is_file());
}
