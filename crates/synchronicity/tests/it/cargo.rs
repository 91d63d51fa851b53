//! `cargo synchronicity`: the client as a command of cargo, as `cargo install synchronicity` lays it out.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::feel;
use crate::program::{command, run, sample};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("cargo::cargo_finds_the_client_and_says_what_it_says", found),
        Trial::test("cargo::every_command_of_the_client_is_one_of_cargo_too", commands),
        Trial::test("cargo::what_is_installed_is_the_client_and_the_command_of_cargo", targets),
    ]
}

fn real_cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
}

/// The executables that `cargo install` would install, by what cargo says of the package: every binary target.
fn binaries() -> BTreeSet<String> {
    let output = real_cargo()
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let package = metadata["packages"].as_array().unwrap().iter().find(|it| it["name"] == "synchronicity").unwrap();
    let targets = package["targets"].as_array().unwrap().iter();
    // One that needs a feature would be left out.
    let binaries = targets.filter(|it| it["kind"][0] == "bin" && it["required-features"].is_null());
    binaries.map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

/// A `CARGO_HOME` of its own in `dir`, with exactly these executables in it.
fn installed(dir: &Path) -> PathBuf {
    let home = dir.join("cargo home");
    fs::create_dir_all(home.join("bin")).unwrap();
    for name in binaries() {
        let built = match name.as_str() {
            "synchronicity" => env!("CARGO_BIN_EXE_synchronicity"),
            "cargo-synchronicity" => env!("CARGO_BIN_EXE_cargo-synchronicity"),
            other => panic!("{other} is installed, too"),
        };
        fs::copy(built, home.join("bin").join(name)).unwrap();
    }
    home
}

/// `cargo synchronicity ...` by real cargo, with what is installed in `home` at the head of the path, as `~/.cargo/bin`
/// is. Nothing of whoever runs the tests.
fn cargo(dir: &Path, home: &Path, arguments: &[&str]) -> Output {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([home.join("bin")].into_iter().chain(std::env::split_paths(&path)));
    let mut cargo = real_cargo();
    for (name, value) in command(dir).get_envs() {
        match value {
            Some(value) => cargo.env(name, value),
            None => cargo.env_remove(name),
        };
    }
    cargo.arg("synchronicity").args(arguments).current_dir(dir).env("PATH", path.unwrap()).env("CARGO_HOME", home);
    cargo.output().unwrap()
}

fn found() -> Outcome {
    let dir = tempfile::tempdir()?;
    let home = installed(dir.path());
    let (proof, policy) = sample();
    fs::write(dir.path().join("proof"), proof)?;
    fs::write(dir.path().join("binary"), "the binary")?;
    let policy = policy.to_string_lossy().into_owned();
    let arguments = ["verify", "proof", "binary", "--policy", &policy];
    let (as_cargo, alone) = (cargo(dir.path(), &home, &arguments), run(dir.path(), arguments).expect(0));
    assert_eq!(String::from_utf8_lossy(&as_cargo.stdout), alone.out);
    assert!(alone.out.ends_with("binary is the artifact hexyl, byte for byte\n"), "{}", alone.out);
    assert_eq!(as_cargo.status.code(), Some(0));
    let wrong = cargo(dir.path(), &home, &["verify", "proof", "--policy", "absent"]);
    assert_eq!(wrong.status.code(), Some(2), "cargo hands the exit code on");
    let other = cargo(dir.path(), &home, &["verify", "proof", &policy, "--policy", &policy]);
    assert_eq!(other.status.code(), Some(42), "cargo hands the exit code on");
    Ok(())
}

fn commands() -> Outcome {
    let dir = tempfile::tempdir()?;
    let home = installed(dir.path());
    let help = |path: &[&str]| {
        let output = cargo(dir.path(), &home, &[path, &["--help"]].concat());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{path:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said
    };
    let above = help(&[]);
    assert!(above.contains("Usage: cargo synchronicity [OPTIONS] <COMMAND>"), "{above}");
    let all = feel::commands(dir.path(), &[]);
    assert!(all.len() > 30, "{all:?}");
    for path in &all {
        let path: Vec<_> = path.iter().map(String::as_str).collect();
        let said = help(&path);
        assert!(said.contains(&format!("Usage: cargo synchronicity {} ", path.join(" "))), "{said}");
        assert!(path.len() > 1 || above.contains(&format!("\n  {} ", path[0])), "{path:?} is not in {above}");
    }
    // Started by hand, without cargo's word in front.
    let direct = Command::new(home.join("bin/cargo-synchronicity")).arg("--version").output()?;
    assert!(String::from_utf8_lossy(&direct.stdout).starts_with("synchronicity "), "{direct:?}");
    Ok(())
}

fn targets() -> Outcome {
    assert_eq!(binaries(), ["synchronicity", "cargo-synchronicity"].map(str::to_owned).into());
    Ok(())
}
