//! `cargo synchronicity`: the client as a command of cargo, as `cargo install synchronicity` lays it out.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::path::Path;
use std::process::{Command, Output};

use libtest_mimic::{Failed, Trial};

use crate::program::{run, sample};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("cargo::cargo_finds_the_client_and_says_what_it_says", found),
        Trial::test("cargo::every_command_of_the_client_is_one_of_cargo_too", commands),
    ]
}

/// Real cargo, with the folder of the program at the head of the path, as `~/.cargo/bin` is.
fn cargo(dir: &Path, arguments: &[&str]) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_cargo-synchronicity"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path =
        std::env::join_paths([program.parent().unwrap().to_owned()].into_iter().chain(std::env::split_paths(&path)));
    Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .arg("synchronicity")
        .args(arguments)
        .current_dir(dir)
        .env("PATH", path.unwrap())
        .env("SYNCHRONICITY_STATE", dir.join(".state"))
        .output()
        .unwrap()
}

fn found() -> Outcome {
    let dir = tempfile::tempdir()?;
    let (proof, policy) = sample();
    std::fs::write(dir.path().join("proof"), proof)?;
    let policy = policy.to_string_lossy().into_owned();
    let arguments = ["verify", "proof", "--policy", &policy];
    let (as_cargo, alone) = (cargo(dir.path(), &arguments), run(dir.path(), arguments));
    assert_eq!(String::from_utf8_lossy(&as_cargo.stdout), alone.out);
    assert_eq!(as_cargo.status.code(), Some(0));
    let wrong = cargo(dir.path(), &["verify", "proof", "--policy", "absent"]);
    assert_eq!(wrong.status.code(), Some(2), "cargo hands the exit code on");
    Ok(())
}

fn commands() -> Outcome {
    let dir = tempfile::tempdir()?;
    let help = cargo(dir.path(), &["--help"]);
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    assert!(help.contains("Usage: cargo synchronicity [OPTIONS] <COMMAND>"), "{help}");
    let alone = run(dir.path(), ["--help"]).expect(0).out;
    let commands = |text: &str| -> Vec<String> {
        let lines = text.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        lines.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
    };
    assert_eq!(commands(&help), commands(&alone));
    assert!(commands(&help).len() > 10, "{help}");
    // Started by hand, without cargo's word in front.
    let direct = Command::new(env!("CARGO_BIN_EXE_cargo-synchronicity")).arg("--version").output()?;
    assert!(String::from_utf8_lossy(&direct.stdout).starts_with("synchronicity "), "{direct:?}");
    Ok(())
}
