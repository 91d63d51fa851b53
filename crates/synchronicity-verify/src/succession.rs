//! From the policy that somebody trusts to the one of the group's present members, step by step, offline.
//!
//! ```text
//! synchronicity/succession@v1
//! proof <base64 of a proof file>              of the entry that ended an epoch; the oldest first
//! ...
//! ```
//!
//! Each proof is one under the policy of the epoch that its entry ends: the members in force cosigned the log in which
//! they gave way to the next, at the moment at which it ended with that entry. So whoever trusts a policy of any epoch can
//! follow to the last one, and needs nobody's word; and a change of long ago, which later members' checkpoints contain too,
//! leads nobody back to members who have left.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64ct::{Base64, Encoding};

use crate::leaf::{Leaf, LeafError};
use crate::membership::MembershipEntry;
use crate::merkle::{ProofMismatch, leaf_hash, verify_inclusion};
use crate::policy::{Policy, PolicyError, Witness};
use crate::proof::{Proof, ProofError};
use crate::verify::{Invalid, VerifyError, verify_signed_file};

/// The largest succession file, in bytes.
pub const SUCCESSION_BYTES_MAX: usize = 16 << 20;

/// The most steps of a succession.
pub const STEPS_MAX: usize = 4096;

const FIRST_LINE: &str = "synchronicity/succession@v1";

/// A parsed succession file. Nothing in it is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Succession {
    /// One proof for each epoch that ended, by rising index.
    pub steps: Vec<Proof>,
}

/// Where a succession leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Succeeded {
    /// The policy of the last epoch: any [`quorum`](crate::membership::quorum) of its members.
    pub policy: Policy,
    /// The policy under which the last step holds: that of the last epoch which has ended.
    pub before: Policy,
    /// The changes that lead there from the policy that was trusted, in order; at least one.
    pub changes: Vec<MembershipEntry>,
}

/// Bytes that are no succession file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuccessionTextError {
    /// More than [`SUCCESSION_BYTES_MAX`].
    #[error("succession file of {0} bytes; at most {SUCCESSION_BYTES_MAX} are read")]
    TooLong(usize),
    /// Not UTF-8, or another first line.
    #[error("not a succession file: its first line must be {FIRST_LINE}")]
    Kind,
    /// A line that is no proof in base64, or more than [`STEPS_MAX`], or none, or not the end of a line.
    #[error("succession file: each line after the first must be \"proof\" and a proof file in base64")]
    Line,
    /// A proof that cannot be read.
    #[error("succession file, step {step}: {error}")]
    Proof {
        /// Which one, from 1.
        step: usize,
        /// What is wrong with it.
        error: ProofError,
    },
    /// The proofs are not in the order of their entries.
    #[error("succession file: its proofs are not in the order of their entries")]
    Order,
}

/// Why a succession does not lead on from a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuccessionError {
    /// No succession file.
    #[error(transparent)]
    Text(#[from] SuccessionTextError),
    /// No step of it holds under the policy.
    #[error(
        "no step of the succession begins at this policy (the last one: {0}): is the policy the newest already, or of another log?"
    )]
    NoBeginning(VerifyError),
    /// A step does not hold under the policy that the step before leads to.
    #[error("step {step} of the succession: {error}")]
    Step {
        /// Which one, from 1.
        step: usize,
        /// Why.
        error: VerifyError,
    },
    /// A proof of something else than a change of membership.
    #[error("step {step} of the succession is no change of membership{}", reason.as_ref().map(|error| alloc::format!(": {error}")).unwrap_or_default())]
    NotAChange {
        /// Which one, from 1.
        step: usize,
        /// Why, where it is no leaf at all.
        reason: Option<LeafError>,
    },
    /// An epoch is left out.
    #[error("step {step} of the succession ends epoch {found}, and the step before began epoch {begun}")]
    Gap {
        /// Which one, from 1.
        step: usize,
        /// The epoch that it ends.
        found: u64,
        /// The epoch that the step before began.
        begun: u64,
    },
    /// The policy asks for somebody whom no succession can speak for.
    #[error("the policy names {0}, who is no member of the group: make the next policy by hand from the new members")]
    Outsider(String),
    /// The new members make no policy.
    #[error("step {step} of the succession makes no policy: {error}")]
    Policy {
        /// Which one, from 1.
        step: usize,
        /// Why.
        error: PolicyError,
    },
}

impl Succession {
    /// Reads a succession file; refuses everything that `Display` would not write back byte by byte.
    ///
    /// # Errors
    /// [`SuccessionTextError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, SuccessionTextError> {
        if bytes.len() > SUCCESSION_BYTES_MAX {
            return Err(SuccessionTextError::TooLong(bytes.len()));
        }
        let text = core::str::from_utf8(bytes).map_err(|_| SuccessionTextError::Kind)?;
        let rest = text.strip_prefix(FIRST_LINE).and_then(|rest| rest.strip_prefix('\n'));
        let rest = rest.ok_or(SuccessionTextError::Kind)?;
        let body = rest.strip_suffix('\n').ok_or(SuccessionTextError::Line)?;
        let mut steps: Vec<Proof> = Vec::new();
        for line in body.split('\n') {
            let step = steps.len() + 1;
            let proof = line.strip_prefix("proof ").and_then(|proof| Base64::decode_vec(proof).ok());
            let proof = proof.filter(|_| step <= STEPS_MAX).ok_or(SuccessionTextError::Line)?;
            steps.push(Proof::parse(&proof).map_err(|error| SuccessionTextError::Proof { step, error })?);
        }
        match steps.is_sorted_by(|a, b| a.index < b.index) {
            true => Ok(Self { steps }),
            false => Err(SuccessionTextError::Order),
        }
    }
}

impl fmt::Display for Succession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        self.steps.iter().try_for_each(|proof| {
            let proof = alloc::string::ToString::to_string(proof);
            writeln!(f, "proof {}", Base64::encode_string(proof.as_bytes()))
        })
    }
}

/// Follows a succession file from a policy that is trusted to the one of the last epoch. Steps from before the policy's
/// own epoch are passed over; from the first one that holds, each must hold under the policy that the one before led to.
///
/// # Errors
/// [`SuccessionError`]; then the policy has no successor that could be believed.
pub fn succeed(policy: &Policy, succession: &[u8]) -> Result<Succeeded, SuccessionError> {
    let succession = Succession::parse(succession)?;
    let (mut policy, mut before, mut changes) = (policy.clone(), policy.clone(), Vec::<MembershipEntry>::new());
    let mut passed_over = None;
    let mut outsider = None;
    for (number, proof) in succession.steps.iter().enumerate() {
        let step = number + 1;
        match included(proof, &policy) {
            Ok(()) => {}
            Err(error) if changes.is_empty() => {
                passed_over = Some(error);
                continue;
            }
            Err(error) => return Err(SuccessionError::Step { step, error }),
        }
        let entry = match Leaf::from_bytes(&proof.entry) {
            Ok(Leaf::Membership(entry)) => entry,
            Ok(Leaf::Build(_)) => return Err(SuccessionError::NotAChange { step, reason: None }),
            Err(error) => return Err(SuccessionError::NotAChange { step, reason: Some(error) }),
        };
        if let Some(begun) = changes.last().map(|change| change.next.epoch).filter(|begun| *begun != entry.epoch) {
            return Err(SuccessionError::Gap { step, found: entry.epoch, begun });
        }
        let next = match next_policy(&policy, &entry, step) {
            // The end of an epoch before the policy's own holds under it as well, where enough of those who stayed have signed it.
            Err(error @ SuccessionError::Outsider(_)) if changes.is_empty() => {
                outsider = Some(error);
                continue;
            }
            next => next?,
        };
        before = core::mem::replace(&mut policy, next);
        changes.push(entry);
    }
    match (changes.is_empty(), outsider, passed_over) {
        (true, Some(error), _) => Err(error),
        (true, None, Some(error)) => Err(SuccessionError::NoBeginning(error)),
        _ => Ok(Succeeded { policy, before, changes }),
    }
}

/// Whether the proof holds under the policy, whatever its leaf says, and its entry is the last one of the log that was signed:
/// members sign no checkpoint of a log before the one that they have begun with.
fn included(proof: &Proof, policy: &Policy) -> Result<(), VerifyError> {
    let checkpoint = verify_signed_file(&proof.checkpoint, policy)?.checkpoint;
    // The path alone binds no index: that of a last entry leads to the root under other numbers, too.
    if proof.index.checked_add(1) != Some(checkpoint.size) {
        return Err(Invalid::from(ProofMismatch).into());
    }
    let leaf = leaf_hash(&proof.entry);
    let included = verify_inclusion(&leaf, proof.index, checkpoint.size, &proof.path, &checkpoint.root);
    included.map_err(|error| Invalid::from(error).into())
}

/// The policy of the members that the entry names.
fn next_policy(policy: &Policy, entry: &MembershipEntry, step: usize) -> Result<Policy, SuccessionError> {
    // Whom the client asked for beside the members stays asked for, or the client would be given a weaker policy unasked.
    let outsider = policy.witnesses().iter().find(|witness| {
        let name = witness.key.name();
        !entry.members.iter().any(|voter| voter.name == name)
    });
    if let Some(outsider) = outsider {
        return Err(SuccessionError::Outsider(outsider.name.clone()));
    }
    let members = entry.next.members.iter();
    let witnesses =
        members.map(|member| Witness { name: member.name.clone(), key: member.cosigner.clone(), url: None }).collect();
    let url = policy.log_url().map(String::from);
    Policy::any_of(policy.log().clone(), url, witnesses, entry.next.quorum())
        .map_err(|error| SuccessionError::Policy { step, error })
}
