//! Set-up before tests: Docker's daemon and the sandbox image, where this machine may have them.
//!
//! Nothing here is needed for the embedded sandbox. A failure is reported and not fatal: the tests that need
//! Docker then skip, and are counted as skipped.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

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

/// Runs the set-up scripts in order and stops at the first that cannot do its part.
pub(crate) fn run(root: &Path) -> Readiness {
    for script in ["scripts/docker-up.sh", "scripts/sandbox-image.sh"] {
        eprintln!("set-up: {script}");
        let status = Command::new("sh").arg(root.join(script)).current_dir(root).stdin(Stdio::null()).status();
        match status {
            Ok(status) if status.success() => {}
            Ok(status) => return embedded_only(&format!("{script} ended with {status}")),
            Err(error) => return embedded_only(&format!("{script} could not be started: {error}")),
        }
    }
    Readiness::Docker
}

fn embedded_only(why: &str) -> Readiness {
    eprintln!("set-up: no Docker here ({why}); tests that need it will be SKIPPED and counted as skipped");
    Readiness::EmbeddedOnly
}
