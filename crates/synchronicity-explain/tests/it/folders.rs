//! Two folders: which files belong together.

use std::fs;
use std::os::unix::fs::symlink;

use synchronicity_explain::facts::Facts;
use synchronicity_explain::{ExplainError, Limits, explain};

#[test]
fn files_of_folders_belong_together_by_their_paths() {
    let folder = tempfile::tempdir().expect("a folder");
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    for (root, name, content) in [
        (&a, "bin/tool", "one"),
        (&b, "bin/tool", "two"),
        (&a, "same", "same"),
        (&b, "same", "same"),
        (&a, "left", "x"),
        (&b, "right\u{202e}", "x"),
    ] {
        let path = root.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, content).expect("a file");
    }
    symlink("/etc/passwd", a.join("link")).expect("a link");
    let explanation = explain(&a, &b, &Facts::default(), &Limits::default()).expect("two folders");
    crate::are_printable(&explanation);
    let names: Vec<_> = explanation.artifacts.iter().map(|artifact| artifact.name.as_str()).collect();
    assert_eq!(names, ["bin/tool"]);
    assert_eq!(explanation.same, 1);
    assert_eq!(explanation.only_first, ["left"]);
    assert_eq!(explanation.only_second, ["right\\u{202e}"]);
    assert_eq!(explanation.skipped, ["link: neither a file nor a folder, or too deep"]);
    assert!(!explanation.is_same());
    let itself = explain(&a.join("same"), &b.join("same"), &Facts::default(), &Limits::default()).expect("two files");
    assert!(itself.is_same());
}

#[test]
fn a_file_against_a_folder_and_a_file_beyond_the_limit_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, [0; 100]).expect("a file");
    let facts = Facts::default();
    let unlike = explain(folder.path(), &file, &facts, &Limits::default());
    assert!(matches!(unlike, Err(ExplainError::Unlike { .. })));
    let small = Limits { file_bytes: 99, ..Limits::default() };
    let explanation = explain(&file, &file, &facts, &small).expect("two files");
    assert_eq!(explanation.skipped, ["file: larger than 99 bytes"]);
    assert!(!explanation.is_same(), "what was not looked at is not the same");
}
