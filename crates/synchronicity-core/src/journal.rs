//! What one builder must not lose in a crash and cannot recompute: its open seals, and what it has cosigned.
//!
//! The journal is data and rules; the node persists it, and syncs, before anything that depends on it leaves the
//! process. A seal that changes after its commitment left could never be opened, and a second signature at one log
//! size would be a fork of the log: the methods refuse both.

use std::collections::BTreeMap;

use synchronicity_verify::commitment::commitment;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::{BuilderId, RequestId};
use synchronicity_verify::result::BuildResult;
use thiserror::Error;

use crate::machine::Machine;

/// The memory of one builder. Ordered by request and round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    sealed: BTreeMap<(RequestId, u32), Sealed>,
    cosigned: Option<(u64, Digest)>,
}

/// A finished build, and the random bytes that hide it until the reveal.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// What the build gave.
    pub result: BuildResult,
    /// 32 random bytes, never used for another seal.
    pub nonce: [u8; 32],
}

/// What a journal refuses to record.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JournalError {
    /// Another seal for the same round.
    #[error("round {round} of {request} is sealed with another result or nonce: keep the first seal")]
    AlreadySealed {
        /// Which request.
        request: RequestId,
        /// Which round of it.
        round: u32,
    },
    /// A smaller log than one that was cosigned.
    #[error("a log of {cosigned} entries was cosigned, one of {offered} must not be: restore the newer state")]
    SizeDecreases {
        /// Size of the last cosigned log.
        cosigned: u64,
        /// Size of the offered one.
        offered: u64,
    },
    /// Another root for a size that was cosigned: the state of this node, or its chain, is not the one it was.
    #[error("a log of {size} entries was cosigned with another root: stop, and compare the chain with other members")]
    OtherRoot {
        /// The size in question.
        size: u64,
    },
}

impl Journal {
    /// An empty journal, as of a builder that has never run.
    pub fn new() -> Journal {
        Journal::default()
    }

    /// Records a finished build. Recording the same seal again changes nothing.
    ///
    /// # Errors
    /// [`JournalError::AlreadySealed`] where the round has another seal; the first one stays.
    pub fn seal(&mut self, request: RequestId, round: u32, sealed: Sealed) -> Result<(), JournalError> {
        let kept = self.sealed.entry((request, round)).or_insert_with(|| sealed.clone());
        if *kept != sealed {
            return Err(JournalError::AlreadySealed { request, round });
        }
        Ok(())
    }

    /// The seal of a round.
    pub fn sealed(&self, request: &RequestId, round: u32) -> Option<&Sealed> {
        self.sealed.get(&(*request, round))
    }

    /// Every seal, in order of request and round: what a node writes to disk.
    pub fn seals(&self) -> impl Iterator<Item = (&(RequestId, u32), &Sealed)> {
        self.sealed.iter()
    }

    /// Records that a log of this size and root is about to be cosigned. The same again changes nothing.
    ///
    /// # Errors
    /// [`JournalError::SizeDecreases`] and [`JournalError::OtherRoot`]: then nothing may be signed.
    pub fn cosign(&mut self, size: u64, root: Digest) -> Result<(), JournalError> {
        match self.cosigned {
            Some((cosigned, _)) if size < cosigned => Err(JournalError::SizeDecreases { cosigned, offered: size }),
            Some((cosigned, kept)) if size == cosigned && root != kept => Err(JournalError::OtherRoot { size }),
            _ => {
                self.cosigned = Some((size, root));
                Ok(())
            }
        }
    }

    /// Size and root of the largest log that this builder has cosigned.
    pub fn cosigned(&self) -> Option<(u64, Digest)> {
        self.cosigned
    }

    /// Drops the seals of rounds that are over, and says which. Their commitments can count no more.
    pub fn prune(&mut self, machine: &Machine) -> Vec<(RequestId, u32)> {
        let over = |(request, number): &(RequestId, u32)| {
            machine
                .round(request)
                .is_some_and(|round| *number < round.number() || (*number == round.number() && !round.is_open()))
        };
        let dropped: Vec<(RequestId, u32)> = self.sealed.keys().copied().filter(over).collect();
        for key in &dropped {
            self.sealed.remove(key);
        }
        dropped
    }
}

impl Sealed {
    /// What goes on the chain: the seal of this builder over this result.
    pub fn commitment(&self, request: &RequestId, builder: &BuilderId) -> Digest {
        commitment(request, builder, &self.result.digest(), &self.nonce)
    }
}

impl core::fmt::Debug for Sealed {
    /// Without the nonce: a trace must not open a seal before the builder does.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Sealed({})", self.result.digest())
    }
}
