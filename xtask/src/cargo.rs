//! Cargo, as a person would start it.

use std::path::Path;
use std::process::Command;

/// In the root, without what the cargo that runs this program has told it. A build script (ring's) looks at that: whoever builds
/// in the same folder otherwise compiles again, and puts other programs in the place of those that tests are running.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new("cargo");
    for (name, _) in std::env::vars_os() {
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|of| name.to_string_lossy().starts_with(of)) {
            command.env_remove(name);
        }
    }
    command.current_dir(root);
    command
}
