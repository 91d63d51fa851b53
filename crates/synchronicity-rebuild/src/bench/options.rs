//! What is asked of a bench, and of one build on it, and why a build cannot be started.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::choice::SandboxChoice;
use crate::containment::Walls;

/// How to open a bench.
#[derive(Debug, Clone, Default)]
pub struct BenchOptions {
    /// Which sandbox.
    pub choice: SandboxChoice,
    /// A folder for toolchain, dependencies and downloads that several benches of one owner share.
    pub shared: Option<PathBuf>,
    /// The program that becomes workers: it must call [`worker::main`] first. Without it, this program.
    pub program: Option<PathBuf>,
    /// Walls that every build here must have around it.
    pub required: Walls,
    /// Packages that a sandbox image has beside its own, if it is made now.
    pub packages: Vec<String>,
}

/// What is asked of one build beyond its request.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// How long its result is of use; without it, for ever. A failure that may be chance is tried once more only if the
    /// second try can take its whole time limit within that.
    pub patience: Option<Duration>,
    /// Packages of the system without which it is not begun.
    pub packages: Vec<String>,
}

/// A build cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A request for another machine.
    #[error("the request pins {pinned}, and this builder has {here}: {advice}")]
    Pin {
        /// What the request says.
        pinned: String,
        /// What there is.
        here: String,
        /// What a person can do.
        advice: &'static str,
    },
    /// Too little room even to begin.
    #[error("the disk with {} is full: make room, or choose another folder for builds", .0.display())]
    DiskFull(PathBuf),
    /// A file of the bench.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}
