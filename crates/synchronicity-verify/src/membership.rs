//! The members of a group's next epoch: as they are proposed, and as the log records that the group agreed.
//!
//! A group is a list of members for one *epoch*. Another list is a decision of the members in force, each of whom signs
//! its digest; the block in which enough of them have is the last of the epoch, and the entry below its last leaf. Whoever
//! trusted the old members finds the new ones in it: see [`succession`](crate::succession).
//!
//! The canonical bytes of both are deterministic CBOR, as those of an [`Entry`](crate::entry::Entry). What an
//! approval signs is the builder's command that approves, byte by byte:
//!
//! ```text
//! digest   = tagged("synchronicity/membership/v1", canonical bytes of the membership)
//! payload  = [1, builder, [4, digest]]                                       CBOR
//! approval = Ed25519("synchronicity/command-signature/v1" 00 ‖ tagged("synchronicity/command/v1", group id, payload))
//! ```

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::canonical::{self, CborError};
use crate::digest::Digest;
use crate::identity::BuilderId;
use crate::note::{KeyKind, VerifierKey};

mod entry;

pub use entry::{Approval, MEMBERSHIP_SCHEMA, MembershipEntry, MembershipEntryError, Voter};

/// The largest encoded membership, in bytes: with all of it an entry still fits.
pub const MEMBERSHIP_BYTES_MAX: usize = 32 * 1024;

/// The most members of a group. A checkpoint then carries at most 31 cosignatures.
pub const MEMBERS_MAX: usize = 31;

/// The longest name of a cosigning key, of a member, and the longest address, in bytes.
pub const KEY_NAME_BYTES_MAX: usize = 128;
/// See [`KEY_NAME_BYTES_MAX`].
pub const MEMBER_NAME_BYTES_MAX: usize = 64;
/// See [`KEY_NAME_BYTES_MAX`]: a host name of 253 bytes, a colon and a port.
pub const ADDRESS_BYTES_MAX: usize = 259;

/// `f` of `n` members: how many of them may fail in any way while the others go on and agree.
pub fn faults(members: usize) -> usize {
    members.saturating_sub(1) / 3
}

/// How many cosignatures a checkpoint of a group needs: `floor((n + f) / 2) + 1`, so that two quorums share an honest
/// member as long as at most `f` are not; and no fewer than the threshold, so that fewer members than must agree on a
/// result cannot sign that they did.
pub fn quorum(members: usize, threshold: u16) -> usize {
    ((members + faults(members)) / 2 + 1).max(usize::from(threshold))
}

/// How many members must approve of the next members: as many as must be up for the group to order anything
/// (`n - f`), and no fewer than the threshold. It is never less than [`quorum`].
pub fn approvals_needed(members: usize, threshold: u16) -> usize {
    (members - faults(members)).max(usize::from(threshold))
}

/// The members that a group is to have, and how many of them must agree. Everything else of the group stays.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Membership {
    /// The epoch that it begins: one more than the one in force.
    #[n(0)]
    pub epoch: u64,
    /// How many builders must report the same result.
    #[n(1)]
    pub threshold: u16,
    /// 1 to [`MEMBERS_MAX`], sorted by name, each name once.
    #[n(2)]
    pub members: Vec<Member>,
}

/// One member of the next epoch: a key for each kind of statement.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Member {
    /// Short name for people.
    #[n(0)]
    pub name: String,
    /// Ed25519 public key that votes in consensus and authenticates connections.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub consensus: [u8; 32],
    /// Ed25519 public key that signs commands: the builder's identity in every entry.
    #[n(2)]
    pub builder: BuilderId,
    /// Key that cosigns checkpoints (type `04`), as text.
    #[cbor(n(3), with = "key_text")]
    pub cosigner: VerifierKey,
    /// Ed25519 public key that signs attestations.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub attestation: [u8; 32],
    /// Where its node listens, `host:port`.
    #[n(5)]
    pub address: String,
    /// Whether it builds nothing in this epoch. It votes and cosigns as ever.
    #[n(6)]
    pub absent: bool,
}

/// Why a list of members can be no group's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MembershipError {
    /// Not canonical bytes, or too many of them.
    #[error("membership: {0}")]
    Cbor(#[from] CborError),
    /// Too many or no members, or not in order, or a name twice.
    #[error("membership: members must be 1 to {MEMBERS_MAX}, sorted by name, each name once")]
    Members,
    /// The threshold is not more than half of the members, or more than those that build.
    #[error("membership: threshold {threshold} of {members} members, {building} of whom build")]
    Threshold {
        /// What it says.
        threshold: u16,
        /// Number of members.
        members: usize,
        /// Those that are not absent.
        building: usize,
    },
    /// A name or an address that is empty or too long.
    #[error("membership: the name, key name or address of member {0:?} is empty or too long")]
    Length(String),
    /// The cosigning key is of another type.
    #[error("membership: the cosigning key of {0} is not of type 04")]
    Kind(String),
    /// One public key in two places.
    #[error("membership: a key of {0} stands twice: every key signs one kind of statement")]
    SharedKey(String),
}

impl Membership {
    /// Canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::encode(self)
    }

    /// Reads canonical bytes back; refuses every other spelling, and what fails [`Membership::check`].
    ///
    /// # Errors
    /// [`MembershipError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MembershipError> {
        let membership: Self = canonical::decode(bytes, MEMBERSHIP_BYTES_MAX)?;
        membership.check()?;
        Ok(membership)
    }

    /// What members approve of.
    pub fn digest(&self) -> Digest {
        Digest::tagged("synchronicity/membership/v1", &[&self.to_bytes()])
    }

    /// How many of the members build.
    pub fn building(&self) -> usize {
        self.members.iter().filter(|member| !member.absent).count()
    }

    /// How many of the members must cosign a checkpoint.
    pub fn quorum(&self) -> usize {
        quorum(self.members.len(), self.threshold)
    }

    /// Whether the list is consistent in itself. A group asks for more: see `docs/formats.md`.
    ///
    /// # Errors
    /// [`MembershipError`] for the first rule that it breaks.
    pub fn check(&self) -> Result<(), MembershipError> {
        let (members, building) = (self.members.len(), self.building());
        if members == 0 || members > MEMBERS_MAX || !self.members.is_sorted_by(|a, b| a.name < b.name) {
            return Err(MembershipError::Members);
        }
        let threshold = usize::from(self.threshold);
        if threshold > building || threshold * 2 <= members {
            return Err(MembershipError::Threshold { threshold: self.threshold, members, building });
        }
        let mut keys = BTreeSet::new();
        for member in &self.members {
            member.check()?;
            let own = [member.consensus, member.builder.0, *member.cosigner.public_bytes(), member.attestation];
            if !own.into_iter().all(|key| keys.insert(key)) {
                return Err(MembershipError::SharedKey(member.name.clone()));
            }
        }
        Ok(())
    }
}

impl Member {
    fn check(&self) -> Result<(), MembershipError> {
        let fits = |text: &str, most: usize| (1..=most).contains(&text.len());
        let all_fit = fits(&self.name, MEMBER_NAME_BYTES_MAX)
            && fits(self.cosigner.name(), KEY_NAME_BYTES_MAX)
            && fits(&self.address, ADDRESS_BYTES_MAX);
        match (all_fit, self.cosigner.kind()) {
            (false, _) => Err(MembershipError::Length(self.name.clone())),
            (true, KeyKind::Log) => Err(MembershipError::Kind(self.name.clone())),
            (true, KeyKind::Cosigner) => Ok(()),
        }
    }
}

/// What a builder of the group signs when it approves of the membership with this digest.
pub fn approval_message(group: &Digest, builder: &BuilderId, membership: &Digest) -> Vec<u8> {
    let payload = canonical::encode(&Payload { builder: *builder, membership: *membership });
    let command = Digest::tagged("synchronicity/command/v1", &[&group.0, &payload]);
    [b"synchronicity/command-signature/v1\0".as_slice(), &command.0].concat()
}

/// The payload of the command that approves.
struct Payload {
    builder: BuilderId,
    membership: Digest,
}

impl<C> Encode<C> for Payload {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(3)?.u8(1)?.bytes(&self.builder.0)?;
        e.array(2)?.u8(4)?.bytes(&self.membership.0)?;
        Ok(())
    }
}

/// For `#[cbor(with = "...")]`: a verifier key as its text.
mod key_text {
    use alloc::string::ToString;

    use minicbor::decode::Error as DecodeError;
    use minicbor::encode::{Error, Write};
    use minicbor::{Decoder, Encoder};

    use crate::note::VerifierKey;

    pub(super) fn encode<C, W: Write>(key: &VerifierKey, e: &mut Encoder<W>, _: &mut C) -> Result<(), Error<W::Error>> {
        e.str(&key.to_string())?.ok()
    }

    pub(super) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<VerifierKey, DecodeError> {
        d.str()?.parse().map_err(DecodeError::message)
    }
}
