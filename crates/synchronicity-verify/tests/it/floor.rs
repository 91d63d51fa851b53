//! What this crate must not know: others embed it.

use std::fs;
use std::path::Path;

#[test]
fn the_crate_depends_on_five_small_crates_and_no_more() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let (_, dependencies) = manifest.split_once("[dependencies]\n").unwrap();
    let dependencies = dependencies.split("\n[").next().unwrap();
    let names = dependencies.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut names: Vec<_> = names.map(|line| line.split(['.', ' ', '=']).next().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["base64ct", "ed25519-dalek", "minicbor", "sha2", "thiserror"]);
}

#[test]
fn the_crate_forbids_unsafe_code_and_does_without_the_standard_library() {
    let front = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    for attribute in ["#![no_std]", "#![forbid(unsafe_code)]"] {
        assert!(front.lines().any(|line| line == attribute), "{attribute} is gone");
    }
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    assert!(!manifest.contains("\"std\""), "a dependency brings the standard library");
    for line in code() {
        assert!(!line.contains("std::") && !line.contains("extern crate std"), "{line}");
        assert!(!line.contains("cfg(feature"), "one build, without features: {line}");
    }
}

#[test]
fn no_source_names_a_clock_a_file_a_socket_or_a_thread() {
    // With no_std nothing of the kind is within reach, except through a dependency that brings it.
    for line in code() {
        for word in ["Instant", "SystemTime", "File", "TcpStream", "getrandom", "OsRng", "thread", "async "] {
            assert!(!line.contains(word), "{line}");
        }
    }
}

/// All lines of the sources that are no comments, each with its file's name.
fn code() -> Vec<String> {
    let mut lines = vec![];
    let mut files = 0;
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            lines.extend(code.map(|line| format!("{}: {line}", path.display())));
            files += 1;
        }
    }
    assert!(files > 15, "only {files} files were looked at");
    lines
}
