//! The entry: one concluded request as it stands in the log, with everything needed to recount its verdict.
//!
//! Its canonical bytes are deterministic CBOR (maps with integer keys) of at most [`ENTRY_BYTES_MAX`]; they are the
//! leaf of the Merkle tree.

use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::canonical::{self, CborError};
use crate::commitment::commitment;
use crate::digest::Digest;
use crate::identity::{BuilderId, RequestId};
use crate::leaf::is_membership;
use crate::note::{self, KeyError};
use crate::request::{BuildRequest, RequestError};
use crate::result::BuildResult;
pub use crate::tally::{Tally, Verdict, tally};

/// The largest encoded entry, in bytes: entry bundles state the length in 16 bits.
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// The only schema of a build's entry. Schema 1, which had no map, was never released; 3 is a change of membership.
pub const ENTRY_SCHEMA: u8 = 2;

/// The most members that an entry can list.
pub const MEMBERS_MAX: usize = 64;

/// The outcome of one round of building, agreed or not.
///
/// Fields are open so that an entry can be composed; [`Entry::check`] says whether it is consistent, and
/// [`Entry::from_bytes`] never returns one that is not.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Entry {
    /// Always [`ENTRY_SCHEMA`].
    #[n(0)]
    pub schema: u8,
    /// Identity of the group: members, keys and threshold.
    #[n(1)]
    pub group: Digest,
    /// The group's epoch.
    #[n(2)]
    pub epoch: u64,
    /// Height of the block that concluded the round.
    #[n(3)]
    pub height: u64,
    /// Time of that block: milliseconds since 1970-01-01 UTC, as the group ordered it.
    #[n(4)]
    pub time_ms: u64,
    /// What was built.
    #[n(5)]
    pub request: BuildRequest,
    /// Which attempt at the request this was.
    #[n(6)]
    pub round: u32,
    /// How many identical results make a verdict; more than half of the members.
    #[n(7)]
    pub threshold: u16,
    /// The verdict that follows from the openings below.
    #[n(8)]
    pub verdict: Verdict,
    /// The result behind the verdict, for `reproduced` and `unbuildable`.
    #[n(9)]
    pub agreed: Option<BuildResult>,
    /// Every member of the group that is not marked absent, sorted by builder, each once; 1 to [`MEMBERS_MAX`].
    #[n(10)]
    pub members: Vec<MemberRecord>,
    /// Root of the [map](crate::map) of the log, with this entry recorded.
    #[n(11)]
    pub map_root: Digest,
}

/// What one member did in the round. A member without a commitment, or without an opening, was silent.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct MemberRecord {
    /// The member.
    #[n(0)]
    pub builder: BuilderId,
    /// Key name under which the member cosigns checkpoints.
    #[n(1)]
    pub name: String,
    /// The sealed result, if the member committed in time.
    #[n(2)]
    pub commitment: Option<Digest>,
    /// What opened the commitment, if the member revealed in time.
    #[n(3)]
    pub opening: Option<Opening>,
    /// Identity of the member's signed reveal; present exactly when `opening` is.
    #[n(4)]
    pub attestation: Option<Digest>,
}

/// Opens a commitment: [`commitment`] of the request, the builder and these two is the commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Opening {
    /// 32 random bytes.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub nonce: [u8; 32],
    /// Digest of the member's result ([`BuildResult::digest`]).
    #[n(1)]
    pub result: Digest,
}

/// An entry that contradicts itself, or bytes that are no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Not canonical bytes, or too many of them.
    #[error("log entry: {0}")]
    Cbor(#[from] CborError),
    /// A schema of another version of this program.
    #[error(
        "log entry of schema {0}; this program knows schema {ENTRY_SCHEMA}: use the version that belongs to the log"
    )]
    Schema(u8),
    /// The leaf of another kind.
    #[error("log entry: it is a change of the group's membership, and no build")]
    Membership,
    /// The request is not well-formed.
    #[error("log entry: {0}")]
    Request(#[from] RequestError),
    /// Too many or no members, or not in order, or one twice.
    #[error("log entry: members must be 1 to {MEMBERS_MAX}, sorted, each once")]
    Members,
    /// A member's key name that no key can have.
    #[error("log entry: member {builder}: {source}")]
    MemberName {
        /// The member.
        builder: BuilderId,
        /// What is wrong with the name.
        source: KeyError,
    },
    /// The threshold is not more than half, and at most all, of the members.
    #[error("log entry: threshold {threshold} of {members} members; it must be more than half and at most all")]
    Threshold {
        /// The entry's threshold.
        threshold: u16,
        /// Number of members.
        members: usize,
    },
    /// An opening that does not open the member's commitment, or stands without one.
    #[error("log entry: the opening of member {0} does not open its commitment")]
    Opening(BuilderId),
    /// An opening without its signed reveal, or the other way round.
    #[error("log entry: member {0} must have an opening and an attestation, or neither")]
    Attestation(BuilderId),
    /// The agreed result is not the one that the openings agree on.
    #[error("log entry: its agreed result is not what the openings agree on")]
    Agreed,
    /// The verdict is not the one that follows from the openings.
    #[error("log entry: it says {stated}, but its openings say {counted}")]
    Verdict {
        /// The verdict in the entry.
        stated: Verdict,
        /// The verdict recounted.
        counted: Verdict,
    },
}

impl Entry {
    /// Canonical bytes: the leaf of the log.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::encode(self)
    }

    /// Reads canonical bytes back; refuses every other spelling, unknown fields, and entries that fail
    /// [`Entry::check`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EntryError> {
        if is_membership(bytes) {
            return Err(EntryError::Membership);
        }
        let entry: Self = canonical::decode(bytes, ENTRY_BYTES_MAX)?;
        entry.check()?;
        Ok(entry)
    }

    /// Whether the entry is consistent: every opening opens its commitment, and recounting the openings against
    /// the threshold gives the agreed result and the verdict.
    pub fn check(&self) -> Result<(), EntryError> {
        if self.schema != ENTRY_SCHEMA {
            return Err(EntryError::Schema(self.schema));
        }
        let request = self.request.checked_id()?;
        self.check_members(&request)?;
        let tally = tally(self.threshold, &self.reveals());
        match tally.verdict(self.agreed.as_ref()) {
            None => Err(EntryError::Agreed),
            Some(counted) if counted != self.verdict => Err(EntryError::Verdict { stated: self.verdict, counted }),
            Some(_) => Ok(()),
        }
    }

    /// Members that revealed the agreed result.
    pub fn agreeing(&self) -> impl Iterator<Item = &MemberRecord> {
        let agreed = self.agreed.as_ref().map(BuildResult::digest);
        self.members.iter().filter(move |member| member.result().is_some() && member.result() == agreed)
    }

    /// Members that revealed something else than the agreed result; with no agreed result, all that revealed.
    pub fn dissenting(&self) -> impl Iterator<Item = &MemberRecord> {
        let agreed = self.agreed.as_ref().map(BuildResult::digest);
        self.members.iter().filter(move |member| member.result().is_some() && member.result() != agreed)
    }

    /// Members that revealed nothing.
    pub fn silent(&self) -> impl Iterator<Item = &MemberRecord> {
        self.members.iter().filter(|member| member.opening.is_none())
    }

    fn reveals(&self) -> Vec<(BuilderId, Digest)> {
        self.members.iter().filter_map(|member| Some((member.builder, member.result()?))).collect()
    }

    fn check_members(&self, request: &RequestId) -> Result<(), EntryError> {
        let members = self.members.len();
        if members == 0 || members > MEMBERS_MAX || !self.members.is_sorted_by(|a, b| a.builder < b.builder) {
            return Err(EntryError::Members);
        }
        if usize::from(self.threshold) > members || usize::from(self.threshold) * 2 <= members {
            return Err(EntryError::Threshold { threshold: self.threshold, members });
        }
        for member in &self.members {
            let builder = member.builder;
            note::check_key_name(&member.name).map_err(|source| EntryError::MemberName { builder, source })?;
            if member.opening.is_some() != member.attestation.is_some() {
                return Err(EntryError::Attestation(builder));
            }
            if let Some(opening) = member.opening
                && member.commitment != Some(commitment(request, &builder, &opening.result, &opening.nonce))
            {
                return Err(EntryError::Opening(builder));
            }
        }
        Ok(())
    }
}

impl MemberRecord {
    /// Digest of the result that the member revealed.
    pub fn result(&self) -> Option<Digest> {
        self.opening.map(|opening| opening.result)
    }
}
