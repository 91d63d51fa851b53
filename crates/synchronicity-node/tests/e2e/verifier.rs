//! The client's program, which knows nothing of devnet but the files that it wrote.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::devnet::PROGRAM;

/// Builds the client beside the node's program, so that it is never an old one.
pub(crate) fn client() -> &'static Path {
    static CLIENT: OnceLock<PathBuf> = OnceLock::new();
    CLIENT.get_or_init(|| {
        let beside = Path::new(PROGRAM).with_file_name("synchronicity");
        let mut cargo = Command::new(env!("CARGO"));
        // Of the whole workspace, with tests, and without what cargo told this process: else what the tests were built with
        // is compiled again, with fewer features or because a build script (ring's) looks at that.
        for (name, _) in std::env::vars_os() {
            if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|of| name.to_string_lossy().starts_with(of)) {
                cargo.env_remove(name);
            }
        }
        cargo
            .args(["build", "--quiet", "--workspace", "--bin", "synchronicity", "--test", "it"])
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        if beside.components().any(|part| part.as_os_str() == "release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success(), "the client does not build");
        beside
    })
}

/// Runs the client with these words in `folder`, where it also keeps what it remembers.
pub(crate) fn run(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(client());
    command.current_dir(folder).env("SYNCHRONICITY_STATE", folder.join("state")).args(words);
    command.stdin(Stdio::null()).output().unwrap()
}

/// The exit code of `synchronicity verify PROOF [FILE] --policy POLICY`.
pub(crate) fn verify(proof: &Path, file: Option<&Path>, policy: &Path) -> i32 {
    let mut command = Command::new(client());
    command.arg("verify").arg(proof).args(file).arg("--policy").arg(policy);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().code().unwrap()
}
