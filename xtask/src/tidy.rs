//! House rules as tests: what a reviewer would otherwise have to look for by eye.

mod documents;
mod manifests;
mod sources;

use std::path::{Path, PathBuf};

/// A file under version control, or about to be.
struct Tracked {
    /// Path from the root, with `/`.
    path: String,
    text: String,
}

/// Every text file that git tracks or would track, in the order of their paths.
fn tracked() -> Vec<Tracked> {
    let root = crate::root();
    let output = std::process::Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(&root)
        .output()
        .expect("git lists the files of this checkout");
    assert!(output.status.success(), "git ls-files failed: tidy needs a git checkout");
    let mut files: Vec<Tracked> = output
        .stdout
        .split(|byte| *byte == 0)
        .filter(|path| !path.is_empty())
        .filter_map(|path| read(&root, String::from_utf8_lossy(path).into_owned()))
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(files.len() > 20, "only {} files were found: tidy looks in the wrong place", files.len());
    files
}

fn read(root: &Path, path: String) -> Option<Tracked> {
    let full: PathBuf = root.join(&path);
    // Vectors may be binary, and a file may be deleted but not yet staged: neither is text to check.
    let text = std::fs::read_to_string(full).ok()?;
    Some(Tracked { path, text })
}

/// Fails with every complaint at once, so that one run shows all there is to mend.
fn report(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
