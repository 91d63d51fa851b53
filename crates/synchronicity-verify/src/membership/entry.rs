//! The last leaf of an epoch: who may follow, and who of the members in force signed that.

use alloc::string::String;
use alloc::vec::Vec;

use ed25519_dalek::VerifyingKey;
use minicbor::{Decode, Encode};

use super::{Membership, MembershipError, approval_message, approvals_needed};
use crate::canonical::{self, CborError};
use crate::digest::Digest;
use crate::entry::{ENTRY_BYTES_MAX, MEMBERS_MAX as LISTED_MAX};
use crate::identity::BuilderId;
use crate::note::{self, KeyError};

/// The schema of the entry. Builds have another: see [`Leaf`](crate::leaf::Leaf).
pub const MEMBERSHIP_SCHEMA: u8 = 3;

/// A change of membership, agreed on. Fields that a build's entry has too have the same keys.
///
/// Fields are open so that an entry can be composed; [`MembershipEntry::check`] says whether it is consistent, and
/// [`MembershipEntry::from_bytes`] never returns one that is not.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct MembershipEntry {
    /// Always [`MEMBERSHIP_SCHEMA`].
    #[n(0)]
    pub schema: u8,
    /// Identity of the group whose epoch ends.
    #[n(1)]
    pub group: Digest,
    /// The epoch that ends.
    #[n(2)]
    pub epoch: u64,
    /// Height of the last block of the epoch.
    #[n(3)]
    pub height: u64,
    /// Time of that block: milliseconds since 1970-01-01 UTC, as the group ordered it.
    #[n(4)]
    pub time_ms: u64,
    /// The members of the next epoch.
    #[n(5)]
    pub next: Membership,
    /// Identity of the group that they are.
    #[n(6)]
    pub next_group: Digest,
    /// The threshold of the group whose epoch ends.
    #[n(7)]
    pub threshold: u16,
    /// Every member of the group whose epoch ends, sorted by builder, each once.
    #[n(10)]
    pub members: Vec<Voter>,
    /// Root of the [map](crate::map) of the log. This entry stands under no key of it.
    #[n(11)]
    pub map_root: Digest,
}

/// A member of the epoch that ends.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Voter {
    /// The member.
    #[n(0)]
    pub builder: BuilderId,
    /// Name of its cosigning key.
    #[n(1)]
    pub name: String,
    /// Whether it built nothing in this epoch.
    #[n(2)]
    pub absent: bool,
    /// Its signature over [`approval_message`], if it approved.
    #[n(3)]
    pub approval: Option<Approval>,
}

/// 64 bytes of an Ed25519 signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Approval(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 64]);

/// An entry that contradicts itself, or bytes that are no change of membership.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MembershipEntryError {
    /// Not canonical bytes, or too many of them.
    #[error("membership entry: {0}")]
    Cbor(#[from] CborError),
    /// A schema of another kind of entry.
    #[error("membership entry of schema {0}: it must be {MEMBERSHIP_SCHEMA}")]
    Schema(u8),
    /// What is to follow is no group's membership.
    #[error("membership entry: {0}")]
    Next(#[from] MembershipError),
    /// The epochs do not follow one another.
    #[error("membership entry: epoch {next} after epoch {epoch}")]
    Epoch {
        /// The epoch that ends.
        epoch: u64,
        /// The one that is to begin.
        next: u64,
    },
    /// Too many or no members, or not in order, or one twice, or a threshold that cannot be theirs.
    #[error("membership entry: members must be 1 to {LISTED_MAX}, sorted, each once, and the threshold more than half")]
    Members,
    /// A member's key name that no key can have.
    #[error("membership entry: member {builder}: {source}")]
    MemberName {
        /// The member.
        builder: BuilderId,
        /// What is wrong with the name.
        source: KeyError,
    },
    /// A signature that is not the member's over this membership.
    #[error("membership entry: the approval of member {0} does not verify")]
    Approval(BuilderId),
    /// Too few members approved.
    #[error("membership entry: {have} members approved of it, and {needed} must")]
    TooFew {
        /// How many did.
        have: usize,
        /// How many must.
        needed: usize,
    },
}

impl MembershipEntry {
    /// Canonical bytes: the leaf of the log.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::encode(self)
    }

    /// Reads canonical bytes back; refuses every other spelling, unknown fields, and entries that fail
    /// [`MembershipEntry::check`].
    ///
    /// # Errors
    /// [`MembershipEntryError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MembershipEntryError> {
        let entry: Self = canonical::decode(bytes, ENTRY_BYTES_MAX)?;
        entry.check()?;
        Ok(entry)
    }

    /// Whether the entry is consistent: what follows can be a group, and enough of those in force signed for it.
    ///
    /// # Errors
    /// [`MembershipEntryError`] for the first rule that it breaks.
    pub fn check(&self) -> Result<(), MembershipEntryError> {
        if self.schema != MEMBERSHIP_SCHEMA {
            return Err(MembershipEntryError::Schema(self.schema));
        }
        self.next.check()?;
        if self.epoch.checked_add(1) != Some(self.next.epoch) {
            return Err(MembershipEntryError::Epoch { epoch: self.epoch, next: self.next.epoch });
        }
        let members = self.members.len();
        let sorted = self.members.is_sorted_by(|a, b| a.builder < b.builder);
        let threshold = usize::from(self.threshold);
        if members == 0 || members > LISTED_MAX || !sorted || threshold > members || threshold * 2 <= members {
            return Err(MembershipEntryError::Members);
        }
        self.check_approvals()
    }

    fn check_approvals(&self) -> Result<(), MembershipEntryError> {
        let digest = self.next.digest();
        for Voter { builder, name, approval, .. } in &self.members {
            let builder = *builder;
            note::check_key_name(name).map_err(|source| MembershipEntryError::MemberName { builder, source })?;
            let Some(Approval(signature)) = approval else { continue };
            let message = approval_message(&self.group, &builder, &digest);
            let signature = ed25519_dalek::Signature::from_bytes(signature);
            let key = VerifyingKey::from_bytes(&builder.0);
            if !key.is_ok_and(|key| key.verify_strict(&message, &signature).is_ok()) {
                return Err(MembershipEntryError::Approval(builder));
            }
        }
        let have = self.members.iter().filter(|voter| voter.approval.is_some()).count();
        let needed = approvals_needed(self.members.len(), self.threshold);
        if have < needed { Err(MembershipEntryError::TooFew { have, needed }) } else { Ok(()) }
    }

    /// The members of the epoch that ends who built in it, as an entry of a build lists them.
    pub(crate) fn building(&self) -> Vec<(BuilderId, String)> {
        self.members.iter().filter(|voter| !voter.absent).map(|voter| (voter.builder, voter.name.clone())).collect()
    }
}
