//! Every way in which devnet ends without a verdict, and the exit code of each.

use std::io;

use synchronicity_rebuild::bench::BenchError;

use super::args::CastError;
use super::children::ChildError;
use super::errand::ErrandError;
use super::folder::FolderError;
use super::group::FoundError;
use super::interrupt::Interrupted;
use super::outcome::OutcomeError;
use super::wanted::WantedError;
use crate::exit::{self, Stop};

/// What a shell reports for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Why devnet ended early. By then the group is stopped.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(super) enum DevnetError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Cast(#[from] CastError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Folder(#[from] FolderError),
    #[error("no sandbox can be had on this machine")]
    #[diagnostic(help("`doctor` tells what this machine can give; `--sandbox embedded` needs no Docker"))]
    Sandbox(#[from] BenchError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Wanted(#[from] WantedError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Found(#[from] FoundError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Child(#[from] ChildError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Errand(#[from] ErrandError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Outcome(#[from] OutcomeError),
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    #[error("cannot find this program's own file: {0}")]
    Program(io::Error),
    #[error("cannot take over Ctrl-C: {0}")]
    Signals(io::Error),
    #[error("the nodes were not all connected after {seconds} s")]
    #[diagnostic(help("the machine may be overloaded; each node's trace.txt in its folder says what it waits for"))]
    NotConnected { seconds: u64 },
    #[error("`submit` answered something else than a request: {answer}")]
    Submit { answer: String },
    #[error("{name_version} cannot be built on this machine:\n{reasons}")]
    #[diagnostic(help(
        "this says nothing about the crate; `doctor` tells what this machine can give, and --sandbox chooses another way"
    ))]
    CannotBuild { name_version: String, reasons: String },
}

impl DevnetError {
    fn code(&self) -> u8 {
        match self {
            Self::Cast(_) | Self::Folder(FolderError::Foreign { .. }) => exit::USAGE,
            Self::Wanted(error) if !error.is_passing() => exit::USAGE,
            Self::Folder(_) | Self::Wanted(_) | Self::Sandbox(_) => exit::TRY_LATER,
            Self::Child(_) | Self::Found(FoundError::Port(_)) => exit::TRY_LATER,
            Self::NotConnected { .. } | Self::CannotBuild { .. } => exit::TRY_LATER,
            Self::Interrupted(_)
            | Self::Errand(ErrandError::Interrupted(_))
            | Self::Found(FoundError::Errand(ErrandError::Interrupted(_))) => INTERRUPTED,
            // What an errand says of itself is what devnet says.
            Self::Errand(ErrandError::Failed { exit: Some(code), .. })
            | Self::Found(FoundError::Errand(ErrandError::Failed { exit: Some(code), .. })) => {
                u8::try_from(*code).unwrap_or(exit::INTERNAL)
            }
            Self::Outcome(OutcomeError::Proof { .. }) => exit::INVALID,
            _ => exit::INTERNAL,
        }
    }
}

impl From<DevnetError> for Stop {
    fn from(error: DevnetError) -> Self {
        Self::new(error.code(), error)
    }
}
