use proptest::prelude::*;
use synchronicity_verify::cosignature::cosign;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::{KeyKind, SignedNote};
use synchronicity_verify::policy::{LineProblem, PARTS_MAX, Policy, PolicyError};
use synchronicity_verify::result::{BuildResult, Failure};
use synchronicity_verify::verify::{Invalid, VerifyError, verify, verify_checkpoint};

use crate::{sample, strategy};

/// Two organisations, of which one must give two cosignatures and the other one; and a witness that counts nowhere.
fn nested() -> String {
    let mut text = format!("# who is trusted\n\n \t# and why\nlog\t{}  https://log.example/\n", log_key());
    for member in 0..5 {
        text += &format!("witness w{member} {} https://w{member}.example\n", key(member));
    }
    text + "group x 2 w0 w1 w2\ngroup y any w3\ngroup xy all x y\nquorum xy\n"
}

fn log_key() -> String {
    sample::log_signer().verifier_key().to_string()
}

fn key(member: usize) -> String {
    sample::cosigner(member).verifier_key().to_string()
}

fn parse(text: &str) -> Result<Policy, PolicyError> {
    Policy::parse(text.as_bytes())
}

#[test]
fn nested_groups_count_as_the_specification_counts() {
    let policy = parse(&nested()).unwrap();
    let reached = |members: &[usize]| policy.is_reached(&[0, 1, 2, 3, 4].map(|member| members.contains(&member)));
    assert!(reached(&[0, 1, 3]) && reached(&[1, 2, 3]) && reached(&[0, 1, 2, 3, 4]));
    assert!(!reached(&[0, 1, 2]) && !reached(&[0, 3]) && !reached(&[0, 3, 4]) && !reached(&[]));
    assert_eq!([0, 1, 2, 3, 4].map(|member| policy.counts(member)), [true, true, true, true, false]);
    assert!(!policy.counts(5));
    assert!(!policy.is_reached(&[]));
    assert_eq!(policy.quorum_in_words(), "2 of x, y");
    assert_eq!((policy.log_url(), policy.witnesses().len()), (Some("https://log.example/"), 5));
}

#[test]
fn a_policy_is_written_as_it_is_read() {
    for text in [nested(), format!("log {}\nquorum none\n", log_key())] {
        let policy = parse(&text).unwrap();
        assert_eq!(parse(&policy.to_string()).unwrap(), policy);
    }
    assert!(
        sample::policy(3)
            .to_string()
            .ends_with("\ngroup builders 3 builder-0 builder-1 builder-2 builder-3\nquorum builders\n")
    );
}

#[test]
fn the_fewest_signers_are_those_of_the_smallest_set_that_reaches_the_quorum() {
    let any_of = |threshold: usize| nested().replace("quorum xy", &format!("group z {threshold} xy w4\nquorum z"));
    let texts = [
        nested(),
        any_of(1),
        any_of(2),
        nested().replace("quorum xy", "quorum y"),
        nested().replace("xy all", "xy any"),
    ];
    for text in texts {
        let policy = parse(&text).unwrap();
        let sets = (0..32_u32).filter(|set| policy.is_reached(&[0, 1, 2, 3, 4].map(|member| set >> member & 1 == 1)));
        assert_eq!(Some(policy.signers_min()), sets.map(|set| set.count_ones() as usize).min(), "{text}");
    }
    assert_eq!(parse(&nested().replace("quorum xy", "quorum none")).unwrap().signers_min(), 0);
    assert_eq!(sample::policy(3).signers_min(), 3);
}

#[test]
fn a_policy_has_one_hash_wherever_it_is_served_and_another_whenever_it_decides_otherwise() {
    let policy = parse(&nested()).unwrap();
    let bare: String =
        policy.to_string().lines().map(|line| format!("{}\n", line.split(" https:").next().unwrap())).collect();
    assert_eq!(policy.sha256(), Digest::of(bare.as_bytes()), "as `sha256sum` prints it of a policy without addresses");
    let same = nested().replace("log.example", "mirror.example").replace("# and why", "# or not");
    assert_eq!(parse(&same).unwrap().sha256(), policy.sha256());
    for (from, to) in [("x 2 w0", "x 1 w0"), ("quorum xy", "quorum x"), ("any w3", "any w3 w4"), (" w2\n", "\n")] {
        let other = nested().replacen(from, to, 1);
        assert_ne!(parse(&other).unwrap().sha256(), policy.sha256(), "{from} {to}");
    }
}

#[test]
fn policies_that_would_count_wrongly_are_refused() {
    let refused = |text: String, expected: fn(&LineProblem) -> bool| match parse(&text) {
        Err(PolicyError::Line { problem, .. }) => assert!(expected(&problem), "{problem}"),
        other => panic!("{other:?}"),
    };
    let with = |line: &str| format!("{}{line}\n", nested());
    let change = |from: &str, to: &str| nested().replacen(from, to, 1);
    refused(with(&format!("witness again {}", key(0))), |problem| matches!(problem, LineProblem::DuplicateKey));
    let alias = sample::signer("another.example/name", KeyKind::Cosigner, "cosigner 0");
    refused(with(&format!("witness again {}", alias.verifier_key())), |problem| {
        matches!(problem, LineProblem::DuplicateKey)
    });
    let log_as_witness = sample::signer(sample::ORIGIN, KeyKind::Cosigner, "log");
    refused(with(&format!("witness log {}", log_as_witness.verifier_key())), |problem| {
        matches!(problem, LineProblem::DuplicateKey)
    });
    refused(with(&format!("witness other {}", log_key())), |problem| {
        matches!(problem, LineProblem::Kind { found: 1, wanted: 4 })
    });
    refused(with(&format!("log {}", key(5))), |problem| matches!(problem, LineProblem::SecondLog));
    refused(change(&log_key(), &key(5)), |problem| matches!(problem, LineProblem::Kind { found: 4, wanted: 1 }));
    refused(with("quorum w0"), |problem| matches!(problem, LineProblem::SecondQuorum));
    for threshold in ["0", "4", "03", "+2", "-1", "two", "18446744073709551617"] {
        refused(change("x 2 w0", &format!("x {threshold} w0")), |problem| matches!(problem, LineProblem::Threshold));
    }
    refused(change("any w3", "any w3 w0"), |problem| matches!(problem, LineProblem::SecondMembership(_)));
    refused(change("w0 w1 w2", "w0 w1 w1"), |problem| matches!(problem, LineProblem::SecondMembership(_)));
    refused(change("any w3", "any y"), |problem| matches!(problem, LineProblem::Undefined(_)));
    refused(change("any w3", "any none"), |problem| matches!(problem, LineProblem::Undefined(_)));
    refused(change("quorum xy", "quorum nobody"), |problem| matches!(problem, LineProblem::Undefined(_)));
    refused(change("group y", "group x"), |problem| matches!(problem, LineProblem::NameTaken(_)));
    refused(change("group y", "group w4"), |problem| matches!(problem, LineProblem::NameTaken(_)));
    refused(change("group y", "group none"), |problem| matches!(problem, LineProblem::NameTaken(_)));
    refused(change("group y any w3", "group y any"), |problem| matches!(problem, LineProblem::Shape(_)));
    refused(change("quorum xy", "quorum x y"), |problem| matches!(problem, LineProblem::Shape(_)));
    refused(change("quorum xy", "quorums xy"), |problem| matches!(problem, LineProblem::Keyword(_)));
    refused(change("builder-0+", "builder-0+0"), |problem| matches!(problem, LineProblem::Key(_)));
}

#[test]
fn policies_that_are_cut_off_or_no_text_are_refused() {
    assert_eq!(parse(nested().trim_end()), Err(PolicyError::Truncated));
    assert_eq!(parse(&nested().replace('\n', "\r\n")), Err(PolicyError::NotText));
    assert_eq!(parse(&nested().replace("who", "\x7f")), Err(PolicyError::NotText));
    assert_eq!(Policy::parse(b"\xff\n"), Err(PolicyError::NotText));
    assert_eq!(parse("quorum none\n"), Err(PolicyError::NoLog));
    assert_eq!(parse(&format!("log {}\n", log_key())), Err(PolicyError::NoQuorum));
    assert_eq!(parse(""), Err(PolicyError::Truncated));
    assert!(matches!(parse(&"#\n".repeat(100_000)), Err(PolicyError::TooLong(_))));
    let many = (0..=PARTS_MAX).map(|member| format!("witness w{member} {}\n", key(member))).collect::<String>();
    assert!(matches!(parse(&many), Err(PolicyError::Line { problem: LineProblem::TooMany, .. })));
    assert!(Policy::any_of(sample::log_signer().verifier_key().clone(), None, vec![], 0).is_err());
}

#[test]
fn too_few_cosigners_are_below_the_threshold_and_named() {
    let proof = sample::proof(sample::reproduced().to_bytes(), &[1, 3]).to_string();
    let error = verify(proof.as_bytes(), &sample::policy(3), None).unwrap_err();
    let VerifyError::BelowThreshold { have, needed } = &error else { panic!("{error}") };
    assert_eq!(
        have.iter().map(|cosigner| cosigner.name.as_str()).collect::<Vec<_>>(),
        [1, 3].map(|member| format!("{}/builder-{member}", sample::ORIGIN))
    );
    assert_eq!(needed, "3 of builder-0, builder-1, builder-2, builder-3");
    assert_eq!(verify(proof.as_bytes(), &sample::policy(2), None).unwrap().cosigners.len(), 2);
}

#[test]
fn a_witness_outside_the_quorum_must_verify_and_counts_for_nothing() {
    let listed = nested().replace("group x 2 w0 w1 w2", "group x any w0").replace("group y any w3", "group y any w1");
    let policy = parse(&listed).unwrap();
    let good = sample::proof(sample::reproduced().to_bytes(), &[0, 1, 4]);
    let verified = verify(good.to_string().as_bytes(), &policy, None).unwrap();
    assert_eq!(verified.cosigners.len(), 2);
    let mut bad = good;
    bad.checkpoint.signatures[3].signature[20] ^= 1;
    assert!(matches!(
        verify(bad.to_string().as_bytes(), &policy, None),
        Err(VerifyError::Invalid(Invalid::Signature(_)))
    ));
    let alone = sample::proof(sample::reproduced().to_bytes(), &[2, 3, 4]);
    assert!(matches!(verify(alone.to_string().as_bytes(), &policy, None), Err(VerifyError::BelowThreshold { .. })));
}

#[test]
fn an_outside_witness_is_ignored_in_a_checkpoint_and_must_be_named_for_a_proof_file() {
    let mut proof = sample::good_proof();
    let outside = sample::signer("witness.example", KeyKind::Cosigner, "outside");
    proof.checkpoint.signatures.push(cosign(&outside, &proof.checkpoint.text, 7).unwrap());
    let policy = sample::policy(3);
    assert_eq!(verify_checkpoint(&proof.checkpoint, &policy).unwrap().cosigners.len(), 4);
    let refused = verify(proof.to_string().as_bytes(), &policy, None);
    assert!(
        matches!(refused, Err(VerifyError::Invalid(Invalid::UnknownKey { name, .. })) if name == "witness.example")
    );
    let named = parse(&format!("{policy}witness outside {}\n", outside.verifier_key())).unwrap();
    assert_eq!(verify(proof.to_string().as_bytes(), &named, None).unwrap().cosigners.len(), 4);
}

#[test]
fn a_log_that_did_not_sign_is_not_believed_whoever_cosigned() {
    let mut note = sample::good_proof().checkpoint;
    note.signatures.remove(0);
    let missing = verify_checkpoint(&note, &sample::policy(1));
    assert!(matches!(missing, Err(VerifyError::Invalid(Invalid::NotSignedByLog(_)))));
    let other = sample::signed(&note.text.replace(sample::ORIGIN, "other.example"), &[0, 1, 2, 3]);
    let origin = verify_checkpoint(&other, &sample::policy(1));
    assert!(matches!(origin, Err(VerifyError::Invalid(Invalid::Origin { .. }))));
}

#[test]
fn a_policy_without_quorum_trusts_the_log_alone() {
    let policy = parse(&format!("log {}\nquorum none\n", log_key())).unwrap();
    let proof = sample::proof(sample::reproduced().to_bytes(), &[]);
    assert_eq!(verify(proof.to_string().as_bytes(), &policy, None).unwrap().cosigners, []);
}

#[test]
fn a_file_is_found_among_the_artifacts_or_is_a_mismatch() {
    let proof = sample::good_proof().to_string();
    let check = |content: &[u8]| verify(proof.as_bytes(), &sample::policy(3), Some(&Digest::of(content)));
    assert_eq!(check(b"the binary").unwrap().file.unwrap().as_str(), "hexyl");
    assert!(matches!(check(b"another"), Err(VerifyError::Mismatch { verified, .. }) if verified.is_evidence()));
}

#[test]
fn an_entry_that_is_no_evidence_is_verified_and_says_so() {
    let failed = Some(BuildResult::Failed(Failure::Network));
    let entry = sample::entry(3, &[failed.clone(), failed.clone(), failed, None]);
    let proof = sample::proof(entry.to_bytes(), &[0, 1, 2, 3]).to_string();
    let verified = verify(proof.as_bytes(), &sample::policy(3), Some(&Digest::of(b"the binary"))).unwrap();
    assert!(!verified.is_evidence());
    assert_eq!(verified.file, None);
}

proptest! {
    #[test]
    fn no_lines_make_the_parser_panic_and_all_it_accepts_is_written_back(
        lines in prop::collection::vec(strategy::proof_line(), 0..16),
    ) {
        let text = format!("{}\n", lines.join("\n"));
        if let Ok(policy) = parse(&text) {
            prop_assert_eq!(parse(&policy.to_string()).unwrap(), policy);
        }
        let _ = SignedNote::parse(text.as_bytes());
    }
}
