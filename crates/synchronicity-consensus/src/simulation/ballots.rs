//! Every vote that arrives anywhere is written down here, so that a member that votes twice cannot hide it. A vote is its
//! signer's only if the signature says so: whoever is hostile alters the votes of others too.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use commonware_codec::{DecodeExt, Input};
use commonware_consensus::Viewable;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Attributable, Vote};
use commonware_cryptography::{ed25519, sha256};
use commonware_p2p::{Message, Receiver};
use commonware_parallel::Sequential;
use commonware_utils::ordered::Set;
use getrandom::SysRng;
use rand_core::UnwrapErr;
use synchronicity_core::group::Group;
use synchronicity_verify::equivocation::namespace;

/// Two votes of one member for one view that no honest member signs both.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contradiction {
    /// The engine's index of the member: its place among the consensus keys in order.
    pub signer: u32,
    /// The view.
    pub view: u64,
    /// What contradicts what.
    pub what: &'static str,
}

/// What is known of everybody's votes. It outlives a power cut: what a member said before it, the others have heard.
#[derive(Debug)]
pub(super) struct Ballots {
    scheme: Scheme,
    cast: BTreeMap<(u32, u64), Ballot>,
    votes: usize,
    contradictions: Vec<Contradiction>,
}

/// What a member said of one view.
#[derive(Debug, Default)]
struct Ballot {
    notarized: BTreeSet<sha256::Digest>,
    finalized: BTreeSet<sha256::Digest>,
    nullified: bool,
}

impl Ballots {
    /// Nothing was heard yet of these members of this group.
    pub(super) fn new(group: &Group, members: impl IntoIterator<Item = ed25519::PublicKey>) -> Self {
        let scheme = Scheme::verifier(&namespace(&group.id()), Set::from_iter_dedup(members));
        Self { scheme, cast: BTreeMap::new(), votes: 0, contradictions: Vec::new() }
    }

    /// Takes note of what arrived at some member on the channel of votes.
    fn hear(&mut self, bytes: impl Input) {
        if let Ok(vote) = Vote::decode(bytes) {
            self.record(&vote);
        }
    }

    fn record(&mut self, vote: &Vote<Scheme, sha256::Digest>) {
        let (signer, view) = match vote {
            Vote::Notarize(v) => (v.signer(), v.view()),
            Vote::Finalize(v) => (v.signer(), v.view()),
            Vote::Nullify(v) => (v.signer(), v.view()),
        };
        let (signer, view) = (signer.get(), view.get());
        // Every vote arrives at every member, and is checked once.
        if self.cast.get(&(signer, view)).is_some_and(|ballot| ballot.says(vote)) {
            self.votes += 1;
            return;
        }
        if !self.is_signed(vote) {
            return;
        }
        self.votes += 1;
        let what = self.cast.entry((signer, view)).or_default().add(vote);
        self.contradictions.extend(what.map(|what| Contradiction { signer, view, what }));
    }

    fn is_signed(&self, vote: &Vote<Scheme, sha256::Digest>) -> bool {
        // The check of one signature takes no chances, so that the run stays the seed's.
        let dice = &mut UnwrapErr(SysRng);
        match vote {
            Vote::Notarize(v) => v.verify(dice, &self.scheme, &Sequential),
            Vote::Finalize(v) => v.verify(dice, &self.scheme, &Sequential),
            Vote::Nullify(v) => v.verify::<_, sha256::Digest>(dice, &self.scheme, &Sequential),
        }
    }

    /// All of them but the first so many.
    pub(super) fn contradictions(&self, known: usize) -> Vec<Contradiction> {
        self.contradictions.get(known..).unwrap_or_default().to_vec()
    }

    pub(super) fn votes(&self) -> usize {
        self.votes
    }
}

impl Ballot {
    fn says(&self, vote: &Vote<Scheme, sha256::Digest>) -> bool {
        match vote {
            Vote::Notarize(v) => self.notarized.contains(&v.proposal.payload),
            Vote::Finalize(v) => self.finalized.contains(&v.proposal.payload),
            Vote::Nullify(_) => self.nullified,
        }
    }

    /// Adds a vote that it does not have, and tells what it contradicts, if anything.
    fn add(&mut self, vote: &Vote<Scheme, sha256::Digest>) -> Option<&'static str> {
        match vote {
            Vote::Notarize(v) => {
                self.notarized.insert(v.proposal.payload);
                (self.notarized.len() > 1).then_some("two blocks notarized")
            }
            Vote::Finalize(v) => {
                self.finalized.insert(v.proposal.payload);
                let contradicts = self.finalized.len() > 1 || self.nullified;
                contradicts.then_some("finalized, and another block or none too")
            }
            Vote::Nullify(_) => {
                self.nullified = true;
                (!self.finalized.is_empty()).then_some("finalized and nullified")
            }
        }
    }
}

/// A receiver whose messages are looked at on their way, where there is somebody to write them down.
#[derive(Debug)]
pub(super) struct Tapped<R> {
    inner: R,
    ballots: Option<Arc<Mutex<Ballots>>>,
}

impl<R> Tapped<R> {
    pub(super) fn new(inner: R, ballots: Option<Arc<Mutex<Ballots>>>) -> Self {
        Self { inner, ballots }
    }
}

impl<R: Receiver<PublicKey = ed25519::PublicKey>> Receiver for Tapped<R> {
    type Error = R::Error;
    type PublicKey = ed25519::PublicKey;

    async fn recv(&mut self) -> Result<Message<Self::PublicKey>, Self::Error> {
        let (sender, bytes) = self.inner.recv().await?;
        if let Some(ballots) = &self.ballots {
            ballots.lock().unwrap_or_else(PoisonError::into_inner).hear(bytes.clone());
        }
        Ok((sender, bytes))
    }

    fn capacity(&self) -> NonZeroUsize {
        self.inner.capacity()
    }
}

#[cfg(test)]
mod tests;
