//! What is held against whom.

use commonware_codec::Encode;
use commonware_consensus::simplex::types::{Finalize, Notarize, Nullify, Proposal};
use commonware_consensus::types::{Epoch, Round, View};
use commonware_cryptography::{Hasher, Sha256, Signer};

use super::*;
use crate::start::identity;

const VIEW: u64 = 7;

/// The ballots of a group of two, and what its first member signs with.
fn ballots() -> (Ballots, Scheme) {
    let keys = || Set::from_iter_dedup([1, 2].map(|seed| identity(&[seed; 32]).public_key()));
    let namespace = namespace(&synchronicity_verify::digest::Digest([7; 32]));
    let scheme = Scheme::verifier(&namespace, keys());
    let ballots = Ballots { scheme, cast: BTreeMap::new(), votes: 0, contradictions: Vec::new() };
    (ballots, Scheme::signer(&namespace, keys(), identity(&[1; 32])).unwrap())
}

fn proposal(block: &[u8]) -> Proposal<sha256::Digest> {
    Proposal::new(Round::new(Epoch::new(0), View::new(VIEW)), View::new(VIEW - 1), Sha256::hash(&[block]))
}

fn notarize(scheme: &Scheme, block: &[u8]) -> Vec<u8> {
    Vote::Notarize(Notarize::sign(scheme, proposal(block)).unwrap()).encode().to_vec()
}

fn finalize(scheme: &Scheme, block: &[u8]) -> Vec<u8> {
    Vote::Finalize(Finalize::sign(scheme, proposal(block)).unwrap()).encode().to_vec()
}

fn nullify(scheme: &Scheme) -> Vec<u8> {
    let vote = Nullify::sign::<sha256::Digest>(scheme, proposal(b"").round).unwrap();
    Vote::<Scheme, sha256::Digest>::Nullify(vote).encode().to_vec()
}

fn heard(votes: &[Vec<u8>]) -> Vec<&'static str> {
    let (mut ballots, _) = ballots();
    for vote in votes {
        ballots.hear(vote.clone());
    }
    ballots.contradictions(0).into_iter().map(|contradiction| contradiction.what).collect()
}

#[test]
fn two_votes_that_a_member_signed_and_that_contradict_each_other_are_seen_once() {
    let (_, me) = ballots();
    let twice = [notarize(&me, b"a"), notarize(&me, b"b"), notarize(&me, b"b"), notarize(&me, b"a")];
    assert_eq!(heard(&twice), ["two blocks notarized"]);
    assert_eq!(heard(&[nullify(&me), finalize(&me, b"a")]), ["finalized, and another block or none too"]);
    assert_eq!(heard(&[finalize(&me, b"a"), nullify(&me)]), ["finalized and nullified"]);
    assert_eq!(heard(&[notarize(&me, b"a"), nullify(&me)]).len() + heard(&[notarize(&me, b"a")]).len(), 0);
}

#[test]
fn a_vote_with_a_flipped_bit_is_not_held_against_the_member_that_it_names() {
    let (_, me) = ballots();
    let vote = finalize(&me, b"a");
    let mut forged = 0;
    for bit in 0..8 * vote.len() {
        let mut altered = vote.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        // Whoever does not look at the signature sees a contradiction in many of them.
        if let Ok(read) = Vote::decode(altered.clone()) {
            let mut ballot = Ballot::default();
            ballot.add(&Vote::decode(vote.clone()).unwrap());
            forged += usize::from(ballot.add(&read).is_some());
        }
        assert!(heard(&[vote.clone(), altered]).is_empty(), "bit {bit}");
    }
    assert!(forged > 100, "what was altered would contradict nothing: {forged}");
}
