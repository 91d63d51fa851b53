//! Proofs of equivocation: what is accepted, whoever made the signatures and however.

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;
use sha2::{Digest as _, Sha512};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::equivocation::{
    Ballot, EQUIVOCATION_BYTES_MAX, Equivocation, EquivocationError, Occasion, Proposal, Vote, verify,
};

/// The member that equivocates in the vectors.
pub(crate) fn key() -> SigningKey {
    SigningKey::from_bytes(&Digest::of(b"consensus 2").0)
}

pub(crate) fn occasion() -> Occasion {
    Occasion { group: Digest::of(b"the group"), epoch: 0, view: 300 }
}

pub(crate) fn proposal(block: &str) -> Proposal {
    Proposal { parent: 299, block: Digest::of(block.as_bytes()) }
}

pub(crate) fn vote(ballot: Ballot) -> Vote {
    Vote { ballot, signature: key().sign(&ballot.signed_bytes(&occasion())).to_bytes() }
}

/// A proof that the votes need not make one.
pub(crate) fn proof(one: Ballot, other: Ballot) -> Result<Equivocation, EquivocationError> {
    Equivocation::new(occasion(), key().verifying_key().to_bytes(), [vote(one), vote(other)])
}

pub(crate) fn good() -> Equivocation {
    proof(Ballot::Notarize(proposal("a")), Ballot::Notarize(proposal("b"))).unwrap()
}

#[test]
fn a_proof_names_the_key_the_view_and_what_was_done() {
    let proof = good();
    let read = verify(proof.to_string().as_bytes()).unwrap();
    assert_eq!(read, proof);
    assert_eq!(read.member(), key().verifying_key().as_bytes());
    assert_eq!(read.occasion(), &occasion());
    assert_eq!(read.kind(), "notarize-notarize");
    assert_eq!(read.id(), Digest::of(proof.to_string().as_bytes()));
}

#[test]
fn every_flipped_bit_of_a_proof_of_equivocation_is_refused() {
    let mut bytes = good().to_string().into_bytes();
    for position in 0..bytes.len() {
        for bit in 0..8 {
            bytes[position] ^= 1 << bit;
            assert!(verify(&bytes).is_err(), "byte {position}, bit {bit}");
            bytes[position] ^= 1 << bit;
        }
    }
    verify(&bytes).unwrap();
    for end in 0..bytes.len() {
        assert!(verify(&bytes[..end]).is_err(), "cut at {end}");
    }
    let long = vec![b'x'; EQUIVOCATION_BYTES_MAX + 1];
    assert_eq!(verify(&long), Err(EquivocationError::TooLong(EQUIVOCATION_BYTES_MAX + 1)));
}

#[test]
fn the_longest_proof_fits_its_limit() {
    let most = Occasion { epoch: u64::MAX, view: u64::MAX, ..occasion() };
    let vote = |block: &str| {
        let ballot = Ballot::Notarize(Proposal { parent: u64::MAX, ..proposal(block) });
        Vote { ballot, signature: key().sign(&ballot.signed_bytes(&most)).to_bytes() }
    };
    let proof = Equivocation::new(most, key().verifying_key().to_bytes(), [vote("a"), vote("b")]).unwrap();
    assert_eq!(verify(proof.to_string().as_bytes()), Ok(proof));
}

/// Each pair of votes that a member could sign, and whether it may.
#[test]
fn only_votes_that_no_honest_member_signs_both_are_a_proof() {
    let (a, b) = (proposal("a"), proposal("b"));
    let later = Proposal { parent: 298, ..a };
    let (nullify, notarize, finalize) = (Ballot::Nullify, Ballot::Notarize(a), Ballot::Finalize(a));
    let guilty = [
        (notarize, Ballot::Notarize(b)),
        (notarize, Ballot::Notarize(later)),
        (finalize, Ballot::Finalize(b)),
        (finalize, Ballot::Finalize(later)),
        (nullify, finalize),
    ];
    for (one, other) in guilty {
        let either = [proof(one, other).unwrap(), proof(other, one).unwrap()];
        assert_eq!(either[0], either[1]);
        verify(either[0].to_string().as_bytes()).unwrap();
    }
    for (one, other) in [
        (nullify, nullify),
        (notarize, notarize),
        (finalize, finalize),
        (nullify, notarize),
        (notarize, finalize),
        (Ballot::Notarize(b), finalize),
    ] {
        assert_eq!(proof(one, other), Err(EquivocationError::NoConflict));
    }
}

/// The engine accepts signatures to which a point of small order was added. Others need not, so they are no proof.
#[test]
fn a_vote_whose_signature_only_the_engines_rule_accepts_is_no_proof() {
    let secret = Scalar::from_bytes_mod_order(Digest::of(b"secret").0);
    let nonce = Scalar::from_bytes_mod_order(Digest::of(b"nonce").0);
    let member = (secret * ED25519_BASEPOINT_POINT).compress().to_bytes();
    for (place, torsion) in EIGHT_TORSION.into_iter().enumerate() {
        let r = (nonce * ED25519_BASEPOINT_POINT + torsion).compress().to_bytes();
        let vote = |ballot: Ballot| {
            let hash = Sha512::new().chain_update(r).chain_update(member);
            let hash = hash.chain_update(ballot.signed_bytes(&occasion()));
            let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
            let mut signature = [0; 64];
            signature[..32].copy_from_slice(&r);
            signature[32..].copy_from_slice((nonce + k * secret).as_bytes());
            Vote { ballot, signature }
        };
        let votes = [vote(Ballot::Nullify), vote(Ballot::Finalize(proposal("a")))];
        let proof = Equivocation::new(occasion(), member, votes);
        let untouched = place == 0;
        assert_eq!(proof.err(), (!untouched).then_some(EquivocationError::Signature("first")), "torsion {place}");
    }
}

/// Otherwise anybody could accuse such a key: all its signatures are the same for everybody.
#[test]
fn a_key_of_small_order_is_accused_of_nothing() {
    for torsion in EIGHT_TORSION {
        let signature = [[0; 32], [0; 32]].as_flattened().try_into().unwrap();
        let votes = [Ballot::Nullify, Ballot::Finalize(proposal("a"))].map(|ballot| Vote { ballot, signature });
        let refused = Equivocation::new(occasion(), torsion.compress().to_bytes(), votes);
        assert_eq!(refused, Err(EquivocationError::Signature("first")));
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again_and_holds_for_no_other_view_group_or_epoch(
        (epoch, view, parent) in any::<(u64, u64, u64)>(),
        group in any::<[u8; 32]>().prop_map(Digest),
    ) {
        let on = Occasion { group, epoch, view };
        let sign = |block: &str| {
            let ballot = Ballot::Finalize(Proposal { parent, ..proposal(block) });
            Vote { ballot, signature: key().sign(&ballot.signed_bytes(&on)).to_bytes() }
        };
        let (member, votes) = (key().verifying_key().to_bytes(), [sign("a"), sign("b")]);
        let proof = Equivocation::new(on, member, votes).unwrap();
        prop_assert_eq!(verify(proof.to_string().as_bytes()), Ok(proof));
        let others = [
            Occasion { view: view ^ 1, ..on },
            Occasion { epoch: epoch ^ 1, ..on },
            Occasion { group: Digest::of(&group.0), ..on },
        ];
        for other in others {
            prop_assert!(Equivocation::new(other, member, votes).is_err());
        }
    }
}
