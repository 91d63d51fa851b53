//! What keeps a monitor from going on. None of it says anything about the log.

use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;

use crate::exit::{self, Stop};

#[derive(Debug, thiserror::Error, Diagnostic)]
pub(super) enum MonitorError {
    #[error("{}: {error}", path.display())]
    #[diagnostic(help("the state folder must be this user's, with room on its disk"))]
    Disk { path: PathBuf, error: io::Error },
    #[error("{}: {reason}", path.display())]
    #[diagnostic(help(
        "the copy of the log in the state folder is not what this monitor wrote, or is of another policy: keep it if you \
         need to know why, and name a new folder"
    ))]
    Damaged { path: PathBuf, reason: String },
    #[error("another monitor works with {}", .0.display())]
    #[diagnostic(help("each monitor needs a state folder of its own"))]
    Locked(PathBuf),
    #[error("{0}")]
    #[diagnostic(help("see `synchronicity monitor --help`"))]
    Usage(String),
    #[error("cannot listen at {address}: {error}")]
    #[diagnostic(help("name another port with --metrics"))]
    Listen { address: String, error: io::Error },
    #[error("cannot tell what was found: {0}")]
    #[diagnostic(help("standard output is closed or full; what was found is in the state folder"))]
    Output(io::Error),
    #[error("cannot take signals: {0}")]
    Signals(io::Error),
}

impl MonitorError {
    pub(super) fn disk(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |error| Self::Disk { path, error }
    }
}

impl From<MonitorError> for Stop {
    fn from(error: MonitorError) -> Self {
        let code = match error {
            MonitorError::Usage(_) | MonitorError::Locked(_) => exit::USAGE,
            _ => exit::INTERNAL,
        };
        Self::new(code, error)
    }
}
