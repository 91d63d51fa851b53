//! A log whose artifacts can be had, and a folder to install them to.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use synchronicity_verify::digest::Digest;
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::BuildResult;

use crate::logs::Log;
use crate::program::{Ran, run};
use crate::sample;

/// A program that says its name and version; `size` bytes long with what follows.
pub(crate) fn program(says: &str, size: usize) -> Vec<u8> {
    let mut script = format!("#!/bin/sh\necho {says}\nexit 0\n").into_bytes();
    // What a shell does not reach, and of which no two pieces are alike.
    let mut seed = Digest::of(says.as_bytes());
    while script.len() < size {
        script.extend_from_slice(&seed.0);
        seed = Digest::of(&seed.0);
    }
    script.truncate(size.max(40));
    script
}

/// One round: `NAME@VERSION` and its executables.
pub(crate) type Round<'a> = (&'a str, &'a [(&'a str, Vec<u8>)]);

/// A log in which these were reproduced, in a folder that serves it, with its artifacts.
pub(crate) fn store(rounds: &[Round<'_>]) -> Log {
    let log = Log::of(entries(rounds), &[0, 1, 2, 3]);
    keep(&log, rounds);
    log
}

/// The entries of such a log.
pub(crate) fn entries(rounds: &[Round<'_>]) -> Vec<synchronicity_verify::entry::Entry> {
    sample::history_of(rounds.iter().map(|(spec, executables)| (sample::request_of(spec), all(executables))))
}

/// The artifacts, below the log.
pub(crate) fn keep(log: &Log, rounds: &[Round<'_>]) {
    let folder = log.file("artifacts");
    fs::create_dir_all(&folder).unwrap();
    for (_, content) in rounds.iter().flat_map(|(_, executables)| executables.iter()) {
        fs::write(folder.join(Digest::of(content).to_string()), content).unwrap();
    }
}

/// What the four builders got.
pub(crate) fn all(executables: &[(&str, Vec<u8>)]) -> [Option<BuildResult>; 4] {
    let artifacts: Vec<_> = executables.iter().map(|(name, content)| (*name, content.as_slice())).collect();
    [0, 1, 2, 3].map(|_| Some(sample::built_as(&artifacts)))
}

/// A request that differs from that of `spec`.
pub(crate) fn request(spec: &str, change: impl FnOnce(&mut BuildRequest)) -> BuildRequest {
    let mut request = sample::request_of(spec);
    change(&mut request);
    request
}

/// `synchronicity COMMAND ... --root root`, beside the log.
pub(crate) fn on_root(log: &Log, arguments: &[&str]) -> Ran {
    run(log.dir.path(), [arguments, &["--root", "root"]].concat())
}

/// `synchronicity install`, from the log's folder.
pub(crate) fn install(log: &Log, arguments: &[&str]) -> Ran {
    on_root(log, &[&["install", "--policy", "policy", "--node", "log"], arguments].concat())
}

pub(crate) fn bin(log: &Log) -> PathBuf {
    log.dir.path().join("root/bin")
}

/// The names in the folder of executables, sorted.
pub(crate) fn installed(log: &Log) -> Vec<String> {
    let files = fs::read_dir(bin(log)).map_or(Vec::new(), |files| files.map(|file| file.unwrap().path()).collect());
    let mut names: Vec<_> = files.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// What an installed program says.
pub(crate) fn says(log: &Log, name: &str) -> String {
    let path = bin(log).join(name);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
    let output = std::process::Command::new(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
