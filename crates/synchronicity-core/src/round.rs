//! One attempt of the group at one request: who sealed what, who opened it, and how far it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{Opening, Verdict};
use synchronicity_verify::identity::{BuilderId, RequestId};
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::BuildResult;

/// Where a round stands. Deadlines are block times in milliseconds: a block whose time is equal or later has passed
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Builders build and seal.
    Committing {
        /// Commitments in this block and later ones are too late.
        deadline_ms: u64,
    },
    /// No more seals; those who sealed open.
    Revealing {
        /// Reveals in this block and later ones are too late.
        deadline_ms: u64,
    },
    /// The verdict is in the log.
    Concluded {
        /// Index of its entry.
        index: u64,
        /// What the entry says.
        verdict: Verdict,
    },
}

/// What one member has done in a round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Participation {
    pub(crate) commitment: Option<Digest>,
    pub(crate) contradicted: Option<Digest>,
    pub(crate) opening: Option<Opening>,
    pub(crate) attestation: Option<Digest>,
}

/// A request being rebuilt, or rebuilt: always the latest round of that request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    pub(crate) request: BuildRequest,
    pub(crate) lock: Arc<[u8]>,
    pub(crate) number: u32,
    /// `None` where only the log is known.
    pub(crate) author: Option<BuilderId>,
    pub(crate) phase: Phase,
    /// Boxed: a map has room for eleven where most groups have four, and every request that was ever made has a round.
    pub(crate) members: BTreeMap<BuilderId, Box<Participation>>,
    pub(crate) results: BTreeMap<Digest, Arc<BuildResult>>,
}

impl Round {
    /// What is rebuilt.
    pub fn request(&self) -> &BuildRequest {
        &self.request
    }

    /// Its identity.
    pub fn request_id(&self) -> RequestId {
        self.request.id()
    }

    /// 0 for the first attempt, one more for each attempt after one without agreement.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Who submitted it; `None` for a round that had its verdict when this machine was resumed.
    pub fn author(&self) -> Option<BuilderId> {
        self.author
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether it has no verdict yet.
    pub fn is_open(&self) -> bool {
        !matches!(self.phase, Phase::Concluded { .. })
    }

    /// Block time, in milliseconds, at which the present phase ends; `None` after the verdict.
    pub fn deadline_ms(&self) -> Option<u64> {
        match self.phase {
            Phase::Committing { deadline_ms } | Phase::Revealing { deadline_ms } => Some(deadline_ms),
            Phase::Concluded { .. } => None,
        }
    }

    /// What this member has done; `None` for a stranger.
    pub fn member(&self, builder: &BuilderId) -> Option<&Participation> {
        self.members.get(builder).map(Box::as_ref)
    }

    /// What each member has done, in order of [`BuilderId`].
    pub fn members(&self) -> impl Iterator<Item = (&BuilderId, &Participation)> {
        self.members.iter().map(|(builder, member)| (builder, member.as_ref()))
    }

    /// The result that this member revealed, if it did.
    pub fn result(&self, builder: &BuilderId) -> Option<&BuildResult> {
        let opening = self.members.get(builder)?.opening.as_ref()?;
        self.results.get(&opening.result).map(Arc::as_ref)
    }

    /// What builders revealed, each result once, in order of their digests.
    pub fn results(&self) -> impl Iterator<Item = &BuildResult> {
        self.results.values().map(Arc::as_ref)
    }

    pub(crate) fn everybody_committed(&self) -> bool {
        let mut members = self.members.values();
        members.all(|member| member.commitment.is_some())
    }

    pub(crate) fn nobody_committed(&self) -> bool {
        let mut members = self.members.values();
        members.all(|member| member.commitment.is_none())
    }

    pub(crate) fn every_seal_is_open(&self) -> bool {
        let mut members = self.members.values();
        members.all(|member| member.commitment.is_none() || member.opening.is_some())
    }
}

impl Participation {
    /// The first commitment of this member, which is the one that counts.
    pub fn commitment(&self) -> Option<&Digest> {
        self.commitment.as_ref()
    }

    /// A second, different commitment: proof that this member equivocated. It counts for nothing.
    pub fn contradicted(&self) -> Option<&Digest> {
        self.contradicted.as_ref()
    }

    /// What opened the commitment.
    pub fn opening(&self) -> Option<&Opening> {
        self.opening.as_ref()
    }

    /// Id of the signed command that revealed.
    pub fn attestation(&self) -> Option<&Digest> {
        self.attestation.as_ref()
    }
}
