//! The engine's own votes against the rules that `synchronicity-verify` repeats.

use commonware_consensus::simplex::types::{ConflictingFinalize, ConflictingNotarize, NullifyFinalize, Proposal};
use commonware_consensus::types::{Epoch, Round, View};
use commonware_cryptography::{Hasher, Sha256, Signer};
use commonware_utils::ordered::Set;
use synchronicity_verify::equivocation::{namespace, verify};

use super::*;
use crate::start::identity;

type Seen = Activity<Scheme, sha256::Digest>;

const GROUP: Digest = Digest([7; 32]);

/// The engine's keys of a member of a group of two.
fn scheme(member: u8) -> (Scheme, Key) {
    let keys = [1, 2].map(|seed| identity(&[seed; 32]).public_key());
    let own = identity(&[member; 32]);
    let key = crate::sightings::key_of(&own.public_key());
    (Scheme::signer(&namespace(&GROUP), Set::from_iter_dedup(keys), own).unwrap(), key)
}

fn propose(round: (u64, u64), parent: u64, block: &[u8]) -> Proposal<sha256::Digest> {
    Proposal::new(Round::new(Epoch::new(round.0), View::new(round.1)), View::new(parent), Sha256::hash(&[block]))
}

/// All that the engine reports of contradictory votes, signed by `scheme`.
fn reports(scheme: &Scheme, round: (u64, u64), parent: u64) -> [Seen; 3] {
    let notarize = |block: &[u8]| Notarize::sign(scheme, propose(round, parent, block)).unwrap();
    let finalize = |block: &[u8]| Finalize::sign(scheme, propose(round, parent, block)).unwrap();
    let nullify = Nullify::sign::<sha256::Digest>(scheme, propose(round, parent, b"a").round).unwrap();
    [
        Activity::ConflictingNotarize(ConflictingNotarize::new(notarize(b"a"), notarize(b"b"))),
        Activity::ConflictingFinalize(ConflictingFinalize::new(finalize(b"a"), finalize(b"b"))),
        Activity::NullifyFinalize(NullifyFinalize::new(nullify, finalize(b"a"))),
    ]
}

/// Numbers on both sides of every length that their encoding has.
#[test]
fn the_engines_contradictory_votes_are_proofs_that_the_verifier_accepts() {
    let (scheme, key) = scheme(1);
    let numbers = (0..=9).flat_map(|bytes| [1_u64 << (7 * bytes), (1_u64 << (7 * bytes)) - 1]).chain([u64::MAX]);
    for number in numbers {
        let rounds = [((0, number), number / 2), ((number, 3), 2)];
        for (round, parent) in rounds {
            for (seen, kind) in reports(&scheme, round, parent).iter().zip([
                "notarize-notarize",
                "finalize-finalize",
                "nullify-finalize",
            ]) {
                let Some(Conduct::Equivocation(proof)) = of(seen, key, GROUP) else { panic!("{round:?}: no proof") };
                let read = verify(proof.to_string().as_bytes()).unwrap();
                assert_eq!((read.member(), read.kind().as_str()), (&key, kind));
                assert_eq!(read.occasion(), &Occasion { group: GROUP, epoch: round.0, view: round.1 });
            }
        }
    }
}

#[test]
fn votes_that_the_member_did_not_sign_are_an_offence_without_a_proof() {
    let (other, _) = scheme(2);
    for seen in reports(&other, (0, 5), 4) {
        assert_eq!(of(&seen, scheme(1).1, GROUP), Some(Conduct::ForgedVote));
        assert_eq!(of(&seen, scheme(2).1, Digest([8; 32])), Some(Conduct::ForgedVote), "signed in another group");
    }
}

/// An honest member notarizes in nearly every view: could that be taken for another vote, it would be accused by it.
#[test]
fn the_signature_of_one_kind_of_vote_is_not_valid_as_another_kind() {
    let (scheme, key) = scheme(1);
    let disguised = |block: &[u8]| {
        let Notarize { proposal, attestation } = Notarize::sign(&scheme, propose((0, 5), 4, block)).unwrap();
        Finalize { proposal, attestation }
    };
    let nullify = Nullify::sign::<sha256::Digest>(&scheme, propose((0, 5), 4, b"a").round).unwrap();
    for seen in [
        Activity::ConflictingFinalize(ConflictingFinalize::new(disguised(b"a"), disguised(b"b"))),
        Activity::NullifyFinalize(NullifyFinalize::new(nullify, disguised(b"a"))),
    ] {
        assert_eq!(of(&seen, key, GROUP), Some(Conduct::ForgedVote));
    }
}

#[test]
fn a_vote_by_itself_is_no_offence() {
    let (scheme, key) = scheme(1);
    let vote = Notarize::sign(&scheme, propose((0, 5), 4, b"a")).unwrap();
    assert_eq!(of(&Activity::Notarize(vote), key, GROUP), None);
}
