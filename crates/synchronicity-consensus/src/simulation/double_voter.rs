//! A member that tries to split the group: whatever anybody votes for, it votes for too, and for something else as well.

use commonware_codec::{DecodeExt, Encode};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Finalize, Notarize, Nullify, Proposal, Vote};
use commonware_consensus::types::Round;
use commonware_consensus::{Epochable, Viewable};
use commonware_cryptography::{Hasher, Sha256, ed25519, sha256};
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::Clock;

pub(super) async fn run(
    _clock: impl Clock,
    scheme: Scheme,
    (mut sender, mut receiver): (
        impl Sender<PublicKey = ed25519::PublicKey>,
        impl Receiver<PublicKey = ed25519::PublicKey>,
    ),
) {
    while let Ok((_, bytes)) = receiver.recv().await {
        let Ok(vote) = Vote::<Scheme, sha256::Digest>::decode(bytes) else {
            continue;
        };
        for vote in contradict(&scheme, &vote) {
            sender.send(Recipients::All, vote.encode(), true);
        }
    }
}

fn contradict(scheme: &Scheme, heard: &Vote<Scheme, sha256::Digest>) -> Vec<Vote<Scheme, sha256::Digest>> {
    let other = |proposal: &Proposal<sha256::Digest>| {
        Proposal::new(proposal.round, proposal.parent, Sha256::hash(&[b"another block", &proposal.payload.0]))
    };
    let votes = match heard {
        Vote::Notarize(vote) => [
            Notarize::sign(scheme, vote.proposal.clone()).map(Vote::Notarize),
            Notarize::sign(scheme, other(&vote.proposal)).map(Vote::Notarize),
        ],
        Vote::Finalize(vote) => [
            Finalize::sign(scheme, other(&vote.proposal)).map(Vote::Finalize),
            Finalize::sign(scheme, vote.proposal.clone()).map(Vote::Finalize),
        ],
        Vote::Nullify(vote) => {
            [Nullify::sign::<sha256::Digest>(scheme, Round::new(vote.epoch(), vote.view())).map(Vote::Nullify), None]
        }
    };
    votes.into_iter().flatten().collect()
}
