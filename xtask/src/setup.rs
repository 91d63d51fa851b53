//! Set-up before tests: Docker's daemon and the sandbox image, where this machine may have them.
//!
//! Nothing here is needed for the embedded sandbox. A failure is reported and not fatal: the tests that need
//! Docker then skip, and are counted as skipped.

use std::path::Path;
use std::process::{Command, ExitCode, Output, Stdio};

/// What the set-up reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// A Docker daemon answers and the sandbox image is there.
    Docker,
    /// Only the embedded sandbox can be used.
    EmbeddedOnly,
}

impl Readiness {
    pub(crate) fn into_exit_code(self) -> ExitCode {
        match self {
            Readiness::Docker => ExitCode::SUCCESS,
            Readiness::EmbeddedOnly => ExitCode::from(75),
        }
    }
}

/// What only tests need, each for itself. All but the first say with `--list` what is there.
const TOOLS: [&str; 6] = [
    "scripts/test-tools.sh",
    "scripts/interop-tools.sh",
    "scripts/s3-tools.sh",
    "scripts/attest-tools.sh",
    "scripts/api-tools.sh",
    "scripts/browser-tools.sh",
];

/// Runs the set-up scripts. Docker needs both of its own; what only tests need is installed as far as it can be.
pub(crate) fn run(root: &Path) -> Readiness {
    tools(root);
    for name in ["scripts/docker-up.sh", "scripts/sandbox-image.sh"] {
        if let Err(why) = script(root, name) {
            return embedded_only(&why);
        }
    }
    Readiness::Docker
}

/// Installs what only tests need, as far as it can be.
pub(crate) fn tools(root: &Path) {
    for name in TOOLS {
        if let Err(why) = script(root, name) {
            eprintln!("set-up: {why}; the tests that need more tools will be SKIPPED and counted as skipped");
        }
    }
}

/// Which tools of others are here, by the names that tests know them by.
pub(crate) fn tools_of_others(root: &Path) -> Vec<String> {
    let list = |name: &&str| Command::new("sh").arg(root.join(name)).arg("--list").current_dir(root).output().ok();
    let lists = TOOLS[1..].iter().filter_map(list);
    let named = |list: Output| String::from_utf8_lossy(&list.stdout).lines().map(str::to_owned).collect::<Vec<_>>();
    lists.flat_map(named).collect()
}

fn script(root: &Path, name: &str) -> Result<(), String> {
    eprintln!("set-up: {name}");
    let status = Command::new("sh").arg(root.join(name)).current_dir(root).stdin(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name} ended with {status}")),
        Err(error) => Err(format!("{name} could not be started: {error}")),
    }
}

fn embedded_only(why: &str) -> Readiness {
    eprintln!("set-up: no Docker here ({why}); tests that need it will be SKIPPED and counted as skipped");
    Readiness::EmbeddedOnly
}
