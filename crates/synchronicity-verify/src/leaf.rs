//! A leaf of the log: the outcome of a build, or a change of membership.
//!
//! Both are CBOR maps that begin with their schema, `A? 00 schema`, by which a reader tells them apart.

use alloc::vec::Vec;

use crate::digest::Digest;
use crate::entry::{Entry, EntryError};
use crate::map::MapKey;
use crate::membership::{MEMBERSHIP_SCHEMA, MembershipEntry, MembershipEntryError};

/// What stands at an index of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly every leaf is the larger one")]
pub enum Leaf {
    /// A concluded request.
    Build(Entry),
    /// The end of an epoch, and who may follow.
    Membership(MembershipEntry),
}

/// Bytes that are no leaf.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeafError {
    /// No entry of a build, or one that contradicts itself.
    #[error(transparent)]
    Build(#[from] EntryError),
    /// No change of membership, or one that contradicts itself.
    #[error(transparent)]
    Membership(#[from] MembershipEntryError),
}

impl Leaf {
    /// Reads canonical bytes, as strictly as the two kinds do.
    ///
    /// # Errors
    /// [`LeafError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LeafError> {
        match is_membership(bytes) {
            true => Ok(Self::Membership(MembershipEntry::from_bytes(bytes)?)),
            false => Ok(Self::Build(Entry::from_bytes(bytes)?)),
        }
    }

    /// Canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Build(entry) => entry.to_bytes(),
            Self::Membership(entry) => entry.to_bytes(),
        }
    }

    /// The entry, if a build has it.
    pub fn into_build(self) -> Option<Entry> {
        match self {
            Self::Build(entry) => Some(entry),
            Self::Membership(_) => None,
        }
    }

    /// Root of the map that it states.
    pub fn map_root(&self) -> Digest {
        match self {
            Self::Build(entry) => entry.map_root,
            Self::Membership(entry) => entry.map_root,
        }
    }

    /// States the root of the map.
    pub fn state_map_root(&mut self, root: Digest) {
        match self {
            Self::Build(entry) => entry.map_root = root,
            Self::Membership(entry) => entry.map_root = root,
        }
    }

    /// Every key of the map under which it stands.
    pub fn keys(&self) -> Vec<MapKey> {
        match self {
            Self::Build(entry) => MapKey::of_entry(entry),
            Self::Membership(_) => Vec::new(),
        }
    }
}

/// Whether the bytes say that they are a change of membership.
pub(crate) fn is_membership(bytes: &[u8]) -> bool {
    // A map of fewer than 24 fields, its key 0, and the schema.
    matches!(bytes, [0xa0..=0xb7, 0, MEMBERSHIP_SCHEMA, ..])
}
