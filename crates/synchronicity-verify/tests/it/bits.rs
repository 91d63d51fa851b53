use proptest::prelude::*;
use synchronicity_verify::verify::{VerifyError, verify};

use crate::sample;
use crate::strategy;

#[test]
fn the_good_proof_verifies_and_names_its_cosigners() {
    let verified = verify(sample::good_proof().to_string().as_bytes(), &sample::policy(3), None).unwrap();
    assert!(verified.is_evidence());
    assert_eq!((verified.index, verified.size), (sample::INDEX, sample::SIZE));
    assert_eq!(verified.entry, sample::reproduced());
    assert_eq!(verified.file, None);
    let names: Vec<_> = verified.cosigners.iter().map(|cosigner| cosigner.name.as_str()).collect();
    assert_eq!(names, [0, 1, 2, 3].map(|member| format!("{}/builder-{member}", sample::ORIGIN)));
    assert!(verified.cosigners.iter().all(|cosigner| cosigner.time_s == sample::TIME_S));
}

/// The quorum is one below the number of lines: a bit that makes one line unknown must be noticed all the same.
#[test]
fn every_flipped_bit_of_a_proof_is_refused_though_the_quorum_would_hold_without_any_one_line() {
    let policy = sample::policy(3);
    let mut proof = sample::good_proof().to_string().into_bytes();
    for position in 0..proof.len() {
        for bit in 0..8 {
            proof[position] ^= 1 << bit;
            let decision = verify(&proof, &policy, None);
            assert!(matches!(decision, Err(VerifyError::Invalid(_))), "byte {position}, bit {bit}: {decision:?}");
            proof[position] ^= 1 << bit;
        }
    }
    verify(&proof, &policy, None).unwrap();
}

#[test]
fn every_cut_of_a_proof_is_refused() {
    let policy = sample::policy(1);
    let proof = sample::good_proof().to_string().into_bytes();
    for end in 0..proof.len() {
        let decision = verify(&proof[..end], &policy, None);
        // Without its last lines, but with the log's own, a proof is a smaller proof, and a good one.
        let fewer_lines = proof[..end].ends_with(b"\n") && proof[end..].starts_with("— ".as_bytes());
        match decision {
            Ok(_) | Err(VerifyError::BelowThreshold { .. }) => assert!(fewer_lines, "cut at {end}"),
            Err(error) => assert!(matches!(error, VerifyError::Invalid(_)), "cut at {end}: {error}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_changed_byte_of_any_proof_is_refused(
        entry in strategy::entry(),
        position in any::<prop::sample::Index>(),
        change in 1..=255_u8,
    ) {
        let mut proof = sample::proof(entry.to_bytes(), &[0, 1, 3]).to_string().into_bytes();
        let policy = sample::policy(2);
        prop_assert_eq!(verify(&proof, &policy, None).unwrap().entry, entry);
        let position = position.index(proof.len());
        proof[position] ^= change;
        prop_assert!(matches!(verify(&proof, &policy, None), Err(VerifyError::Invalid(_))));
    }

    #[test]
    fn no_bytes_make_verify_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(verify(&bytes, &sample::policy(3), None).is_err());
    }

    #[test]
    fn no_lines_make_verify_panic(lines in prop::collection::vec(strategy::proof_line(), 0..12)) {
        prop_assert!(verify(lines.join("\n").as_bytes(), &sample::policy(3), None).is_err());
    }
}
