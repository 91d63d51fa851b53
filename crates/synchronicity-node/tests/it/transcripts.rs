//! The command line as a person meets it: each file in `transcripts/` is a session in an empty folder, line by line.
//!
//! ```text
//! # what the session shows
//! $ a command, for sh
//! what it prints, stderr included
//! ? its exit code, unless 0
//! ```
//!
//! Keys and hashes differ from run to run and are shown as `HEX` and `KEY`. With `UPDATE_TRANSCRIPTS` set, the files
//! are written anew: read the difference before believing it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn every_session_goes_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/transcripts");
    let mut sessions: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|item| item.unwrap().path()).collect();
    sessions.sort();
    assert!(sessions.len() >= 5, "sessions are missing");
    for session in sessions {
        let written = fs::read_to_string(&session).unwrap();
        let replayed = replay(&written);
        if env::var_os("UPDATE_TRANSCRIPTS").is_some() {
            fs::write(&session, &replayed).unwrap();
            continue;
        }
        assert_eq!(replayed, written, "{} goes differently", session.display());
    }
}

/// Runs the commands of a session and writes the session down as it went.
fn replay(written: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut session = String::new();
    for line in written.lines() {
        if line.starts_with('#') {
            session.push_str(&format!("{line}\n"));
        }
        let Some(command) = line.strip_prefix("$ ") else { continue };
        let (output, code) = run(dir.path(), command);
        session.push_str(&format!("$ {command}\n{}", faceless(&output)));
        if code != 0 {
            session.push_str(&format!("? {code}\n"));
        }
    }
    session
}

fn run(dir: &Path, command: &str) -> (String, i32) {
    let program = Path::new(env!("CARGO_BIN_EXE_synchronicity-node"));
    let path = format!("{}:{}", program.parent().unwrap().display(), env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-c", &format!("{{ {command}\n}} 2>&1")])
        .current_dir(dir)
        .env("PATH", path)
        .env("NO_COLOR", "1")
        .env("RUST_BACKTRACE", "0")
        .env("LC_ALL", "C.UTF-8")
        .env("SYNCHRONICITY_TRACE", "off")
        .env_remove("SYNCHRONICITY_NODE_DIR")
        .output()
        .unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
}

/// The output without what chance decided.
fn faceless(output: &str) -> String {
    let mut text = String::new();
    for line in output.lines() {
        let words: Vec<String> = line.split(' ').map(faceless_word).collect();
        text.push_str(words.join(" ").trim_end());
        text.push('\n');
    }
    text
}

fn faceless_word(word: &str) -> String {
    let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '=' && c != '/' && c != '+');
    let hex = bare.len() == 64 && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
    match bare.split('+').collect::<Vec<_>>()[..] {
        _ if hex => word.replace(bare, "HEX"),
        [name, id, ..] if id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            word.replace(bare, &format!("{name}+KEY"))
        }
        _ => word.to_owned(),
    }
}
