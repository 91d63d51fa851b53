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
fn no_source_names_a_clock_a_file_a_socket_or_a_thread() {
    let mut files = 0;
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            look_at(&path);
            files += 1;
        }
    }
    assert!(files > 15, "only {files} files were looked at");
}

fn look_at(path: &Path) {
    let banned = ["std::fs", "std::net", "std::io", "std::time", "std::thread", "std::process", "std::env", "async "];
    let text = fs::read_to_string(path).unwrap();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for word in banned {
            assert!(!line.contains(word), "{}: {line}", path.display());
        }
    }
}
