//! What no member does that keeps to the protocol. The engine punishes some of it by itself, and forgets it; the node is
//! told, so that it can be kept.

use commonware_codec::{Encode, ReadExt};
use commonware_consensus::Epochable;
use commonware_consensus::Viewable;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Activity, Finalize, Notarize, Nullify, Vote as Cast};
use commonware_cryptography::certificate::Attestation;
use commonware_cryptography::sha256;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::equivocation::{Ballot, Equivocation, Occasion, Proposal, Vote};
use tokio::sync::mpsc;

use crate::sightings::Key;

/// What a member did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// It signed two votes that contradict each other. Whoever knows whose the key is can check the proof. Its sender is
    /// cut off for an hour.
    Equivocation(Box<Equivocation>),
    /// It sent two votes that contradict each other, at least one of which it did not sign as it should have, by the
    /// verifier's strict rule. There is no proof, but only this member can send them: links are authenticated. Its sender is cut off for an hour.
    ForgedVote,
    /// It proposed a block that can never be right, for this reason. No vote was given, and there is no proof; where the
    /// reason is about executed state, this member's own may be the wrong one.
    FalseProposal(&'static str),
    /// The engine has cut its links, for an hour: for one of the above, or for a message that no program like this one sends, such
    /// as one that cannot be read, or is signed or certified wrongly. Which it was is in the trace only, and there is no proof.
    CutOff,
    /// It sent so much that is no command of its own that it is not listened to for a minute.
    Garbage,
}

/// What a member did, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offence {
    /// Consensus key of the member.
    pub member: [u8; 32],
    /// What it did.
    pub conduct: Conduct,
}

/// Offences as they are seen.
pub type Offences = mpsc::Receiver<Offence>;

impl Conduct {
    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Equivocation(_) => "equivocation",
            Self::ForgedVote => "forged-vote",
            Self::FalseProposal(_) => "false-proposal",
            Self::CutOff => "cut-off",
            Self::Garbage => "garbage",
        }
    }
}

/// What two votes that the engine found to contradict each other make. The engine has not looked at their signatures.
///
/// `None` for all other activities.
pub(crate) fn of(activity: &Activity<Scheme, sha256::Digest>, member: Key, group: Digest) -> Option<Conduct> {
    let [one, other] = contradictory(activity)?;
    let occasion = Occasion { group, epoch: one.epoch().get(), view: one.view().get() };
    let votes = signed(&one).zip(signed(&other));
    let proof = votes.and_then(|(one, other)| Equivocation::new(occasion, member, [one, other]).ok());
    Some(proof.map_or(Conduct::ForgedVote, |proof| Conduct::Equivocation(Box::new(proof))))
}

/// The two votes. The engine keeps them to itself, but writes them one behind the other.
fn contradictory(activity: &Activity<Scheme, sha256::Digest>) -> Option<[Cast<Scheme, sha256::Digest>; 2]> {
    match activity {
        Activity::ConflictingNotarize(evidence) => {
            let mut bytes = evidence.encode();
            Some([Cast::Notarize(Notarize::read(&mut bytes).ok()?), Cast::Notarize(Notarize::read(&mut bytes).ok()?)])
        }
        Activity::ConflictingFinalize(evidence) => {
            let mut bytes = evidence.encode();
            Some([Cast::Finalize(Finalize::read(&mut bytes).ok()?), Cast::Finalize(Finalize::read(&mut bytes).ok()?)])
        }
        Activity::NullifyFinalize(evidence) => {
            let mut bytes = evidence.encode();
            Some([Cast::Nullify(Nullify::read(&mut bytes).ok()?), Cast::Finalize(Finalize::read(&mut bytes).ok()?)])
        }
        _ => None,
    }
}

/// The engine's vote in the words of the proof.
fn signed(vote: &Cast<Scheme, sha256::Digest>) -> Option<Vote> {
    let (ballot, attestation): (_, &Attestation<Scheme>) = match vote {
        Cast::Nullify(vote) => (Ballot::Nullify, &vote.attestation),
        Cast::Notarize(vote) => (Ballot::Notarize(proposal(&vote.proposal)), &vote.attestation),
        Cast::Finalize(vote) => (Ballot::Finalize(proposal(&vote.proposal)), &vote.attestation),
    };
    let signature: &[u8] = attestation.signature.get()?.as_ref();
    Some(Vote { ballot, signature: signature.try_into().ok()? })
}

fn proposal(of: &commonware_consensus::simplex::types::Proposal<sha256::Digest>) -> Proposal {
    Proposal { parent: of.parent.get(), block: Digest(of.payload.0) }
}

#[cfg(test)]
mod tests;
