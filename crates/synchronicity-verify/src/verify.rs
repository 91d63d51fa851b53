//! The decision: a proof and a policy, and perhaps a file, against each other.
//!
//! # Why a proof file may carry only signatures that the policy knows
//!
//! The rule for notes is to ignore lines of unknown keys, and [`verify_checkpoint`] follows it. But one flipped bit
//! in a line's name or key id turns a known line into an unknown one, and where the quorum is reached without it the
//! damage would pass in silence. So [`verify`] is stricter with a proof *file*: each signature line in it must be of
//! the policy's log key or of one of its witnesses, and must hold. Then every bit of the file is accounted for: the
//! signatures cover the checkpoint, the checkpoint covers the path, the index and the entry, and no part of the file
//! has a second spelling.
//!
//! A checkpoint that outside witnesses cosigned stays acceptable as it is: name them in the policy with an ordinary
//! `witness` line. A witness that the quorum does not include must verify, and counts for nothing. For the same
//! reason a client that trusts only some builders of a group lists all of them as witnesses, and puts into the
//! quorum's group only those that it trusts.
//!
//! # Freshness
//!
//! `vouched_s` is the latest time `t`, in seconds since 1970-01-01 UTC, for which the cosignatures of time `t` and later
//! still reach the policy's quorum. Unless a whole quorum lies, an honest member of it says that at `t` or later this
//! was the newest checkpoint it knew. It is not the newest cosignature's time, which a single liar chooses. It is `None`
//! for `quorum none`: nobody but the log's key has said anything, and that key states no time.
//!
//! Nothing here knows what time it is. Who needs fresh evidence compares `vouched_s` with a clock of their own, as in
//! `vouched_s.is_some_and(|t| t >= now_s - max_age_s)`; a proof that is old proves what it proved.

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::cosignature;
use crate::digest::Digest;
use crate::entry::{Entry, EntryError, Verdict};
use crate::leaf::LeafError;
use crate::merkle::{ProofMismatch, leaf_hash, verify_inclusion};
use crate::note::{self, BadSignature, NoteSignature, SignedNote};
use crate::policy::Policy;
use crate::proof::{Proof, ProofError};
use crate::result::ArtifactName;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// What a proof has shown.
///
/// The quorum vouches that the entry stands in the log and that the log's rules were executed. Whether it is
/// evidence of a rebuild is the entry's verdict: see [`Verified::is_evidence`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The entry, recounted.
    pub entry: Entry,
    /// Index of the entry in the log, from 0.
    pub index: u64,
    /// Size of the log that was cosigned.
    pub size: u64,
    /// The policy's witnesses that cosigned and that the quorum includes, in the order of the policy.
    pub cosigners: Vec<Cosigner>,
    /// The time up to which the quorum vouches that this was the log's newest checkpoint: see [freshness](self#freshness).
    pub vouched_s: Option<u64>,
    /// The artifact that the given file is, if a file was given and the entry is evidence.
    pub file: Option<ArtifactName>,
}

/// A witness whose cosignature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigner {
    /// Name of its key.
    pub name: String,
    /// When it cosigned by its own clock: seconds since 1970-01-01 UTC.
    pub time_s: u64,
}

/// A checkpoint that the policy accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The policy's witnesses that cosigned and that the quorum includes, in the order of the policy.
    pub cosigners: Vec<Cosigner>,
    /// The time up to which the quorum vouches that this was the log's newest checkpoint: see [freshness](self#freshness).
    pub vouched_s: Option<u64>,
}

/// Why a proof is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The proof is damaged, forged, or of another log.
    #[error("the evidence is invalid: {0}")]
    Invalid(#[from] Invalid),
    /// All signatures hold, but too few of them are of witnesses that the quorum includes.
    #[error("below the policy's threshold: cosigned by {}; needed: {needed}", names(have))]
    BelowThreshold {
        /// Who cosigned.
        have: Vec<Cosigner>,
        /// The policy's quorum in words.
        needed: String,
    },
    /// The proof is good evidence, but of other bytes than the file has.
    #[error("the file with SHA-256 {file} is none of the artifacts that were reproduced")]
    Mismatch {
        /// SHA-256 of the file.
        file: Digest,
        /// What the proof shows.
        verified: Box<Verified>,
    },
}

/// In which way evidence is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// No proof file.
    #[error("{0}")]
    Proof(#[from] ProofError),
    /// The signed text is no checkpoint.
    #[error("{0}")]
    Checkpoint(#[from] CheckpointError),
    /// Another log.
    #[error("it is of the log {found}, but the policy is for {wanted}: use the policy of that log")]
    Origin {
        /// The checkpoint's origin.
        found: String,
        /// The policy's log.
        wanted: String,
    },
    /// The checkpoint carries no signature of the log's key.
    #[error("the log {0} has not signed the checkpoint with the policy's key")]
    NotSignedByLog(String),
    /// A known key's signature does not hold.
    #[error("{0}")]
    Signature(#[from] BadSignature),
    /// A signature line in a proof file of a key that the policy does not know.
    #[error("signature line of the unknown key {name}+{key_id:08x}: if it is a witness, name it in the policy")]
    UnknownKey {
        /// Name in the line.
        name: String,
        /// Key id in the line.
        key_id: u32,
    },
    /// The entry does not stand at this index of the log.
    #[error("the entry is not in the log at its index: {0}")]
    NotIncluded(#[from] ProofMismatch),
    /// The logged bytes are no entry, or one that contradicts itself.
    #[error("{0}")]
    Entry(#[from] EntryError),
    /// The same, where either kind of entry would do.
    #[error("{0}")]
    Leaf(#[from] LeafError),
}

/// Decides whether `proof` (the bytes of a proof file) holds under `policy`, and, if `file` is given, whether the
/// file with this SHA-256 is one of the reproduced artifacts.
///
/// An entry with another verdict than `reproduced` is returned as verified, for it says truly that there is no
/// evidence; no file is compared then. Callers must ask [`Verified::is_evidence`].
pub fn verify(proof: &[u8], policy: &Policy, file: Option<&Digest>) -> Result<Verified, VerifyError> {
    let proof = Proof::parse(proof).map_err(Invalid::from)?;
    let (checkpoint, log_line) = read_checkpoint(&proof.checkpoint, policy)?;
    only_known_keys(&proof.checkpoint, policy)?;
    // Hashing before signatures: damaged evidence costs little to refuse.
    verify_inclusion(&leaf_hash(&proof.entry), proof.index, checkpoint.size, &proof.path, &checkpoint.root)
        .map_err(Invalid::from)?;
    let cosigned = check_signatures(&proof.checkpoint, log_line, policy)?;
    let entry = Entry::from_bytes(&proof.entry).map_err(Invalid::from)?;
    let (cosigners, vouched_s) = count(policy, &cosigned)?;
    let verified = Verified { entry, index: proof.index, size: checkpoint.size, cosigners, vouched_s, file: None };
    match file {
        Some(file) if verified.is_evidence() => verified.compare(file),
        _ => Ok(verified),
    }
}

/// Decides whether `note` is a checkpoint of the policy's log that its quorum cosigned. Lines of unknown keys are
/// ignored; a line of a known key that fails is an error.
pub fn verify_checkpoint(note: &SignedNote, policy: &Policy) -> Result<VerifiedCheckpoint, VerifyError> {
    let (checkpoint, log_line) = read_checkpoint(note, policy)?;
    let cosigned = check_signatures(note, log_line, policy)?;
    let (cosigners, vouched_s) = count(policy, &cosigned)?;
    Ok(VerifiedCheckpoint { checkpoint, cosigners, vouched_s })
}

/// As [`verify_checkpoint`], for a note inside a file of ours: there each line must be of a key that the policy knows,
/// for the reason at the head of this module.
pub(crate) fn verify_signed_file(note: &SignedNote, policy: &Policy) -> Result<VerifiedCheckpoint, VerifyError> {
    read_checkpoint(note, policy)?;
    only_known_keys(note, policy)?;
    verify_checkpoint(note, policy)
}

impl Verified {
    /// Whether the entry is evidence of a rebuild: its verdict is `reproduced`.
    pub fn is_evidence(&self) -> bool {
        self.entry.verdict == Verdict::Reproduced
    }

    fn compare(mut self, file: &Digest) -> Result<Self, VerifyError> {
        let artifacts = self.entry.agreed.as_ref().and_then(|result| result.artifacts());
        match artifacts.and_then(|artifacts| artifacts.with_content(file)) {
            Some(artifact) => {
                self.file = Some(artifact.name.clone());
                Ok(self)
            }
            None => Err(VerifyError::Mismatch { file: *file, verified: Box::new(self) }),
        }
    }
}

/// Each line of the note is of a key that the policy names.
pub(crate) fn only_known_keys(note: &SignedNote, policy: &Policy) -> Result<(), Invalid> {
    match note.signatures.iter().find(|line| !policy.knows(line)) {
        Some(line) => Err(Invalid::UnknownKey { name: line.name.clone(), key_id: line.key_id }),
        None => Ok(()),
    }
}

/// The checkpoint, and the line that the policy's log must have signed.
pub(crate) fn read_checkpoint<'a>(
    note: &'a SignedNote,
    policy: &Policy,
) -> Result<(Checkpoint, &'a NoteSignature), Invalid> {
    let checkpoint: Checkpoint = note.text.parse()?;
    let log = policy.log();
    if checkpoint.origin != log.name() {
        return Err(Invalid::Origin { found: checkpoint.origin, wanted: log.name().to_owned() });
    }
    let line = note.signature_of(log).ok_or_else(|| Invalid::NotSignedByLog(log.name().to_owned()))?;
    Ok((checkpoint, line))
}

/// For each witness of the policy the time of its cosignature, if it has one. Each signature of a key that the policy
/// knows must hold.
pub(crate) fn check_signatures(
    note: &SignedNote,
    log_line: &NoteSignature,
    policy: &Policy,
) -> Result<Vec<Option<u64>>, Invalid> {
    note::verify(policy.log(), &note.text, log_line)?;
    let mut cosigned = Vec::new();
    for witness in policy.witnesses() {
        let line = note.signature_of(&witness.key);
        cosigned.push(line.map(|line| cosignature::verify(&witness.key, &note.text, line)).transpose()?);
    }
    Ok(cosigned)
}

/// Those that cosigned and that the quorum includes, and since when they vouch; an error if they do not reach it.
fn count(policy: &Policy, cosigned: &[Option<u64>]) -> Result<(Vec<Cosigner>, Option<u64>), VerifyError> {
    let reached = policy.is_reached(&cosigned.iter().map(Option::is_some).collect::<Vec<_>>());
    let witnesses = policy.witnesses().iter().zip(cosigned).enumerate();
    let have = witnesses
        .filter(|(index, _)| policy.counts(*index))
        .filter_map(|(_, (witness, time))| Some(Cosigner { name: witness.key.name().to_owned(), time_s: (*time)? }))
        .collect();
    if !reached {
        return Err(VerifyError::BelowThreshold { have, needed: policy.quorum_in_words() });
    }
    Ok((have, policy.reached_since(cosigned)))
}

fn names(cosigners: &[Cosigner]) -> String {
    let names: Vec<_> = cosigners.iter().map(|cosigner| cosigner.name.as_str()).collect();
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}
