//! Whether a witness cosigns: a pure function of the request and of what was cosigned before.
//!
//! The order of the rules is that of the specification (C2SP `tlog-witness`): whose log, its signature, the numbers,
//! and only then the proof.

use std::collections::BTreeMap;

use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::{self, EMPTY_ROOT};
use synchronicity_verify::note::{self, VerifierKey};
use thiserror::Error;

use super::request::{AddCheckpoint, RequestError};

/// The logs that are witnessed, by origin.
pub type Witnessed = BTreeMap<String, Log>;

/// A log that is witnessed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Its key, whose name is its origin.
    pub key: VerifierKey,
    /// What was cosigned of it last.
    pub seen: Option<Seen>,
}

/// What a witness remembers of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Entries under the last checkpoint that was cosigned.
    pub size: u64,
    /// Its root.
    pub root: Digest,
    /// That checkpoint with the log's line and the witness's, as a signed note.
    pub note: String,
}

/// Why a checkpoint is not cosigned.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Not a request at all.
    #[error("malformed: {0}")]
    Malformed(#[from] RequestError),
    /// A log that this witness was not told of.
    #[error("this witness was not told of a log with this origin")]
    UnknownLog,
    /// No line of the log's key, or one that does not hold.
    #[error("the checkpoint has no valid signature of the log's key")]
    Signature,
    /// The old size is beyond the checkpoint.
    #[error("the old size {old} is larger than the checkpoint's, {size}")]
    Backwards {
        /// Old size in the request.
        old: u64,
        /// Size of the checkpoint.
        size: u64,
    },
    /// The old size is not the one that was cosigned last.
    #[error("the last checkpoint that was cosigned has size {size}")]
    Conflict {
        /// The size that was; 0 for none.
        size: u64,
    },
    /// The checkpoint does not continue what was cosigned last.
    #[error("the checkpoint is not shown to continue the one of size {old} that was cosigned last")]
    Inconsistent {
        /// Size of the one that was; 0 for none.
        old: u64,
    },
}

/// Decides. On success the checkpoint may be cosigned, once it is persisted as the log's latest.
///
/// # Errors
/// [`Refusal`]: then nothing may be signed, and nothing is to be remembered.
pub fn decide(request: &AddCheckpoint, logs: &Witnessed) -> Result<(), Refusal> {
    let log = logs.get(&request.origin).ok_or(Refusal::UnknownLog)?;
    let line = request.note.signature_of(&log.key).ok_or(Refusal::Signature)?;
    note::verify(&log.key, &request.note.text, line).map_err(|_| Refusal::Signature)?;
    let (old, size) = (request.old, request.size);
    if old > size {
        return Err(Refusal::Backwards { old, size });
    }
    let (seen, seen_root) = log.seen.as_ref().map_or((0, EMPTY_ROOT), |seen| (seen.size, seen.root));
    if old != seen {
        return Err(Refusal::Conflict { size: seen });
    }
    if size == 0 && request.root != EMPTY_ROOT {
        return Err(Refusal::Inconsistent { old });
    }
    merkle::verify_consistency(old, size, &request.path, &seen_root, &request.root)
        .map_err(|_| Refusal::Inconsistent { old })
}
