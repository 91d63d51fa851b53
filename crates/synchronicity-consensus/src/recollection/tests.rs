use commonware_codec::Encode;
use commonware_consensus::simplex::types::{Finalize, Notarize, Nullify, Proposal};
use commonware_consensus::types::{Round, View};
use commonware_cryptography::ed25519::PrivateKey;
use commonware_cryptography::{Hasher, Sha256, Signer, sha256};
use commonware_runtime::{Runner, deterministic};
use commonware_utils::non_empty;
use commonware_utils::ordered::Set;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::equivocation::namespace;

use super::*;
use crate::start::identity;

const GROUP: Digest = Digest([7; 32]);
const NOTHING: Own = Own { signed: 0, finalized: 0 };

/// Secret keys in the engine's order.
fn identities() -> Vec<PrivateKey> {
    let mut identities: Vec<_> = (1..=4).map(|seed| identity(&[seed; 32])).collect();
    identities.sort_by_key(Signer::public_key);
    identities
}

/// Signing schemes of a group of four in the engine's order, and their keys.
fn schemes() -> (Vec<Scheme>, Vec<Key>) {
    let identities = identities();
    let keys: Vec<_> = identities.iter().map(Signer::public_key).collect();
    let scheme = |own| Scheme::signer(&namespace(&GROUP), Set::from_iter_dedup(keys.clone()), own).unwrap();
    (identities.into_iter().map(scheme).collect(), keys.iter().map(key_of).collect())
}

fn proposal(view: u64) -> Proposal<sha256::Digest> {
    Proposal::new(Round::new(EPOCH, View::new(view)), View::new(view - 1), Sha256::hash(&[&view.to_be_bytes()]))
}

fn notarize(scheme: &Scheme, view: u64) -> Vote {
    Vote::Notarize(Notarize::sign(scheme, proposal(view)).unwrap())
}

fn finalization(signers: &[Scheme], view: u64) -> Finalization {
    let votes: Vec<_> = signers.iter().map(|scheme| Finalize::sign(scheme, proposal(view)).unwrap()).collect();
    Finalization::from_finalizes(&signers[0], non_empty![@votes.iter()], &Sequential).unwrap()
}

fn answer(vote: Option<Vote>, tip: Option<Finalization>) -> Answer {
    Answer { vote, certificate: None, finalized: tip }
}

/// What the first member, with this journal, has learned from an answer.
fn learned(own: Own, answer: Answer) -> (Learned, Result<(), u64>) {
    let (schemes, keys) = schemes();
    deterministic::Runner::seeded(0).start(|mut context| async move {
        let asker = Asker {
            scheme: schemes[0].clone(),
            key: keys[0],
            memory: Arc::new(Memory::new(keys.clone())),
            own,
            answers: mpsc::channel(1).1,
            standing: Arc::new(watch::Sender::new(Standing::Asking)),
        };
        let mut learned = Learned::default();
        learned.take(&mut context, &asker, keys[1], answer);
        let may_vote = learned.may_vote(&own);
        (learned, may_vote)
    })
}

#[test]
fn a_vote_that_the_journal_does_not_hold_keeps_a_member_silent_until_the_group_is_far_behind_it() {
    let (schemes, _) = schemes();
    let forgotten = || Some(notarize(&schemes[0], 50));
    let tip = |view| Some(finalization(&schemes[1..], view));
    assert_eq!(learned(NOTHING, answer(forgotten(), None)).1, Err(50));
    assert_eq!(learned(NOTHING, answer(forgotten(), tip(49))).1, Err(50));
    assert_eq!(learned(NOTHING, answer(forgotten(), tip(50 + MARGIN - 1))).1, Err(50));
    assert_eq!(learned(NOTHING, answer(forgotten(), tip(50 + MARGIN))).1, Ok(()));
    assert_eq!(learned(Own { signed: 50, finalized: 0 }, answer(forgotten(), None)).1, Ok(()));
    assert_eq!(learned(Own { signed: 49, finalized: 0 }, answer(forgotten(), None)).1, Err(50));
    assert_eq!(learned(Own { signed: 0, finalized: 60 }, answer(forgotten(), None)).1, Ok(()));
}

#[test]
fn a_certificate_with_the_own_signature_counts_like_a_vote_and_one_without_it_does_not() {
    let (schemes, _) = schemes();
    let with = |signers: &[Scheme]| Answer {
        vote: None,
        certificate: Some(Certificate::Finalization(finalization(signers, 50))),
        finalized: None,
    };
    assert_eq!(learned(NOTHING, with(&schemes[..3])).1, Err(50));
    assert_eq!(learned(NOTHING, with(&schemes[1..])).1, Ok(()));
}

#[test]
fn nobody_is_made_to_believe_in_a_vote_that_it_did_not_give_or_in_a_tip_that_is_none() {
    let (schemes, _) = schemes();
    let identities = identities();
    let keys = Set::from_iter_dedup(identities.iter().map(Signer::public_key));
    let stranger = Scheme::signer(&namespace(&Digest([8; 32])), keys, identities[0].clone());
    assert_eq!(learned(NOTHING, answer(Some(notarize(&schemes[1], 50)), None)).1, Ok(()), "of another member");
    assert_eq!(
        learned(NOTHING, answer(stranger.map(|other| notarize(&other, 50)), None)).1,
        Ok(()),
        "in another group"
    );
    let mut forged = finalization(&schemes[1..], 60);
    forged.proposal = proposal(61);
    let (learned, verdict) = learned(NOTHING, answer(Some(notarize(&schemes[0], 50)), Some(forged)));
    assert!(learned.tip.is_none());
    assert_eq!(verdict, Err(50));
}

#[test]
fn as_many_are_waited_for_as_a_quorum_needs() {
    assert_eq!([1, 2, 3, 4, 5, 7, 31].map(needed), [0, 1, 2, 2, 3, 4, 20]);
}

#[test]
fn the_latest_signature_of_each_member_is_remembered_and_answers_read_back() {
    let (schemes, keys) = schemes();
    let memory = Memory::new(keys.clone());
    for view in [3, 7, 5] {
        memory.voted(keys[0], notarize(&schemes[0], view));
        memory.certified(Certificate::Finalization(finalization(&schemes[..3], view)));
    }
    // Nobody speaks for another.
    memory.voted(keys[1], notarize(&schemes[0], 9));
    memory.voted(keys[2], Vote::Nullify(Nullify::sign::<sha256::Digest>(&schemes[2], proposal(8).round).unwrap()));
    let first = memory.answer_to(&keys[0]);
    assert_eq!(first.vote.encode(), Some(notarize(&schemes[0], 7)).encode());
    assert_eq!(first.finalized.encode(), Some(finalization(&schemes[..3], 7)).encode());
    assert_eq!(first.certificate.clone().map(|certificate| certificate.view().get()), Some(7));
    assert_eq!(memory.answer_to(&keys[2]).vote.map(|vote| vote.view().get()), Some(8));
    let nothing = Answer { vote: None, certificate: None, ..first.clone() };
    assert_eq!(memory.answer_to(&keys[3]).encode(), nothing.encode());
    let bytes = first.encode();
    assert_eq!(Answer::decode_cfg(bytes.clone(), &4).unwrap().encode(), bytes);
    for at in 0..bytes.len() {
        assert!(Answer::decode_cfg(commonware_codec::Copying(&bytes[..at]), &4).is_err());
    }
}
