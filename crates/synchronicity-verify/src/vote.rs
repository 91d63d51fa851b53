//! Votes of consensus: which bytes a member signs.
//!
//! The engine is no dependency of this crate, so they are repeated here; a test of `synchronicity-consensus` holds them
//! against the engine's own votes.
//!
//! ```text
//! signed    = varint(length of domain) ‖ domain ‖ subject
//! domain    = "synchronicity/consensus/v1" ‖ 00 ‖ group id (32 bytes) ‖ "_NOTARIZE", "_NULLIFY" or "_FINALIZE"
//! subject   = varint(epoch) ‖ varint(view)                                               of a nullify vote
//!           = varint(epoch) ‖ varint(view) ‖ varint(parent view) ‖ block (32 bytes)      of the others
//! varint(n) = LEB128, least significant seven bits first
//! ```

use alloc::vec::Vec;

use ed25519_dalek::{Signature, VerifyingKey};

use crate::digest::Digest;

/// What a member says of one view. Ordered as the votes of a proof are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ballot {
    /// The view is to be given up.
    Nullify,
    /// The proposal may be built upon.
    Notarize(Proposal),
    /// The proposal is final.
    Finalize(Proposal),
}

/// What a leader proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Proposal {
    /// View of the block that this one follows.
    pub parent: u64,
    /// Digest of the block.
    pub block: Digest,
}

/// When something is voted on, and in which group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occasion {
    /// Id of the group.
    pub group: Digest,
    /// The engine's epoch.
    pub epoch: u64,
    /// The view.
    pub view: u64,
}

impl Ballot {
    /// The word for it: `nullify`, `notarize` or `finalize`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Nullify => "nullify",
            Self::Notarize(_) => "notarize",
            Self::Finalize(_) => "finalize",
        }
    }

    /// Whether no member that keeps to the protocol signs both on one occasion.
    ///
    /// Not all that contradict each other are here: only what the engine itself reports.
    pub fn contradicts(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Notarize(one), Self::Notarize(other)) | (Self::Finalize(one), Self::Finalize(other)) => one != other,
            (Self::Nullify, Self::Finalize(_)) | (Self::Finalize(_), Self::Nullify) => true,
            _ => false,
        }
    }

    /// The bytes that a member signs with its consensus key.
    pub fn signed_bytes(&self, on: &Occasion) -> Vec<u8> {
        let (suffix, proposal): (&[u8], _) = match self {
            Self::Nullify => (b"_NULLIFY", None),
            Self::Notarize(proposal) => (b"_NOTARIZE", Some(proposal)),
            Self::Finalize(proposal) => (b"_FINALIZE", Some(proposal)),
        };
        let domain = [namespace(&on.group).as_slice(), suffix].concat();
        let mut bytes = Vec::new();
        varint(domain.len() as u64, &mut bytes);
        bytes.extend(domain);
        varint(on.epoch, &mut bytes);
        varint(on.view, &mut bytes);
        if let Some(Proposal { parent, block }) = proposal {
            varint(*parent, &mut bytes);
            bytes.extend_from_slice(&block.0);
        }
        bytes
    }
}

/// What everything that a consensus key signs in this group begins with.
pub fn namespace(group: &Digest) -> Vec<u8> {
    [b"synchronicity/consensus/v1\0".as_slice(), &group.0].concat()
}

fn varint(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Whether the holder of `key` made `signature` over `message`, by the strict rule of every other signature here.
///
/// The engine's rule (ZIP 215) accepts more: a member could sign votes that the engine counts and that prove nothing. They
/// are seen and punished all the same, but cannot be shown to others.
pub(crate) fn made(key: &[u8; 32], signature: &[u8; 64], message: &[u8]) -> bool {
    let key = VerifyingKey::from_bytes(key);
    key.is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}
