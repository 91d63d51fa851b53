//! Why a checkpoint that is signed as the policy wants is refused all the same.

use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::fork::{Fork, ForkError, verify};
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::policy::Policy;

use crate::exit::{self, Stop};
use crate::source::{Source, SourceError};
use crate::{durable, fork};

/// Why nothing was accepted; what is remembered stays as it is.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum TrustError {
    #[error("no folder to remember the log in: neither XDG_STATE_HOME nor HOME is set")]
    #[diagnostic(help("name one with --state"))]
    NoFolder,
    #[error("what is remembered of the log cannot be used: {}: {error}", path.display())]
    #[diagnostic(help("name another folder with --state, or mend this one"))]
    File { path: PathBuf, error: io::Error },
    #[error("what is remembered of the log is damaged: {}: {error}", path.display())]
    #[diagnostic(help(
        "restore it from a backup; `synchronicity trust forget` begins anew, and then nobody notices if the log has forked since"
    ))]
    Damaged { path: PathBuf, error: String },
    #[error("other processes keep changing {}", .0.display())]
    #[diagnostic(help("try again"))]
    Busy(PathBuf),
    #[error("this is a log of {found} entries, and this client has seen one of {known}")]
    #[diagnostic(help(
        "the node lags behind, or shows you an old state on purpose: try another node, or this one later; a copy on this machine is brought up to date by a run without --offline; nothing was accepted"
    ))]
    Older { known: u64, found: u64 },
    #[error("it was not shown that the log only grew since this client saw it: {0}")]
    #[diagnostic(help("try another node, or this one later; nothing was accepted"))]
    NotShown(SourceError),
    #[error("the newest checkpoint at {place} does not hold: {error}")]
    #[diagnostic(help("whoever serves it serves something damaged or false; ask another node"))]
    Newest { place: String, error: String },
    #[error("the tiles that were served do not lead to the checkpoint of size {0}")]
    #[diagnostic(help("whoever serves them serves something damaged or false; ask another node"))]
    OtherTiles(u64),
    #[error("this log has forked: {told}")]
    #[diagnostic(help(
        "the proof is kept as {}; show it to everybody who relies on this log, and rely on it no more: `synchronicity verify` checks it with the policy alone", path.display()
    ))]
    Forked { path: PathBuf, told: String },
    #[error("two checkpoints contradict each other, and make no proof of a fork: {0}")]
    #[diagnostic(help(
        "the policy may be of another epoch of the group than what is remembered; nothing was accepted"
    ))]
    Unprovable(ForkError),
}

impl TrustError {
    pub(super) fn older(known: &Checkpoint, found: &Checkpoint) -> Self {
        Self::Older { known: known.size, found: found.size }
    }

    pub(super) fn newest(source: &Source, error: impl ToString) -> Self {
        Self::Newest { place: source.place("checkpoint"), error: error.to_string() }
    }

    /// Whether a command stopped because a log has forked. That is told wherever it is met, whatever else answers.
    pub(crate) fn is_fork(stop: &Stop) -> bool {
        matches!(stop.report.downcast_ref(), Some(Self::Forked { .. }))
    }

    fn code(&self) -> u8 {
        match self {
            Self::NoFolder => exit::USAGE,
            Self::File { .. } | Self::Damaged { .. } => exit::INTERNAL,
            Self::Busy(_) | Self::Older { .. } => exit::TRY_LATER,
            // A node without the tiles that it must have may get them; nothing is known to be false.
            Self::NotShown(error) if error.is_absent() => exit::TRY_LATER,
            Self::NotShown(error) => error.code(),
            Self::Newest { .. } | Self::OtherTiles(_) | Self::Forked { .. } | Self::Unprovable(_) => exit::INVALID,
        }
    }
}

impl From<TrustError> for Stop {
    fn from(error: TrustError) -> Self {
        Self::new(error.code(), error)
    }
}

/// Keeps the proof that the two contradict each other, in `folder`, and tells who signed them.
pub(super) fn forked(folder: &Path, notes: [SignedNote; 2], path: Vec<Digest>, policy: &Policy) -> Stop {
    let [one, other] = notes;
    let proven = Fork::new(one, other, path, policy).map(|fork| fork.to_string());
    let proven = proven.and_then(|bytes| verify(bytes.as_bytes(), policy).map(|verified| (bytes, verified)));
    let (bytes, verified) = match proven {
        Ok(proven) => proven,
        Err(error) => return TrustError::Unprovable(error).into(),
    };
    let name = policy.log().name().replace('/', "-");
    let file = folder.join(format!("{name}-{}.fork", &Digest::of(bytes.as_bytes()).to_string()[..16]));
    // Kept before it is told, for it may never be seen again.
    let kept = std::fs::create_dir_all(folder).and_then(|()| durable::replace(&file, bytes.as_bytes(), 0o644));
    if let Err(error) = kept {
        return TrustError::File { path: file, error }.into();
    }
    let mut details = fork::as_json(&verified);
    details["proof"] = file.display().to_string().into();
    Stop::from(TrustError::Forked { path: file, told: fork::in_words(&verified, policy) }).with(details)
}
