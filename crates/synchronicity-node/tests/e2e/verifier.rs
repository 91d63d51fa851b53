//! The client's program, which knows nothing of devnet but the files that it wrote.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::devnet::PROGRAM;

/// Builds the client beside the node's program, so that it is never an old one.
fn client() -> &'static Path {
    static CLIENT: OnceLock<PathBuf> = OnceLock::new();
    CLIENT.get_or_init(|| {
        let beside = Path::new(PROGRAM).with_file_name("synchronicity");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "synchronicity"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        if beside.components().any(|part| part.as_os_str() == "release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success(), "the client does not build");
        beside
    })
}

/// The exit code of `synchronicity verify PROOF [FILE] --policy POLICY`.
pub(crate) fn verify(proof: &Path, file: Option<&Path>, policy: &Path) -> i32 {
    let mut command = Command::new(client());
    command.arg("verify").arg(proof).args(file).arg("--policy").arg(policy);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().code().unwrap()
}
