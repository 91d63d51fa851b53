//! Every vote that arrives anywhere is written down here, so that a member that votes twice cannot hide it.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use commonware_codec::DecodeExt;
use commonware_consensus::Viewable;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Attributable, Vote};
use commonware_cryptography::{ed25519, sha256};
use commonware_p2p::{Message, Receiver};

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

#[derive(Debug, Default)]
pub(super) struct Ballots {
    cast: BTreeMap<(u32, u64), Ballot>,
    votes: usize,
    contradictions: Vec<Contradiction>,
}

#[derive(Debug, Default)]
struct Ballot {
    notarized: Option<sha256::Digest>,
    finalized: Option<sha256::Digest>,
    nullified: bool,
}

impl Ballots {
    fn record(&mut self, vote: &Vote<Scheme, sha256::Digest>) {
        self.votes += 1;
        let (signer, view) = match vote {
            Vote::Notarize(v) => (v.signer(), v.view()),
            Vote::Finalize(v) => (v.signer(), v.view()),
            Vote::Nullify(v) => (v.signer(), v.view()),
        };
        let (signer, view) = (signer.get(), view.get());
        let ballot = self.cast.entry((signer, view)).or_default();
        let what = match vote {
            Vote::Notarize(v) => {
                let earlier = *ballot.notarized.get_or_insert(v.proposal.payload);
                (earlier != v.proposal.payload).then_some("two blocks notarized")
            }
            Vote::Finalize(v) => {
                let earlier = *ballot.finalized.get_or_insert(v.proposal.payload);
                (earlier != v.proposal.payload || ballot.nullified)
                    .then_some("finalized, and another block or none too")
            }
            Vote::Nullify(_) => {
                ballot.nullified = true;
                ballot.finalized.is_some().then_some("finalized and nullified")
            }
        };
        self.contradictions.extend(what.map(|what| Contradiction { signer, view, what }));
    }

    pub(super) fn contradictions(&self) -> Vec<Contradiction> {
        self.contradictions.clone()
    }

    pub(super) fn votes(&self) -> usize {
        self.votes
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
        if let Some(ballots) = &self.ballots
            && let Ok(vote) = Vote::decode(bytes.clone())
        {
            ballots.lock().unwrap_or_else(PoisonError::into_inner).record(&vote);
        }
        Ok((sender, bytes))
    }

    fn capacity(&self) -> NonZeroUsize {
        self.inner.capacity()
    }
}
