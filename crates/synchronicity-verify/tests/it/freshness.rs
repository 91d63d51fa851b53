use proptest::prelude::*;
use synchronicity_verify::cosignature::cosign;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::verify::{verify, verify_checkpoint};

use crate::sample;

const MEMBERS: usize = 6;

/// The policy's log and six witnesses, and then `quorum`.
fn policy(quorum: &str) -> Policy {
    let witnesses =
        (0..MEMBERS).map(|member| format!("witness w{member} {}\n", sample::cosigner(member).verifier_key()));
    let text = format!("log {}\n{}{quorum}", sample::log_signer().verifier_key(), witnesses.collect::<String>());
    Policy::parse(text.as_bytes()).unwrap()
}

/// The time that `policy` vouches for when witness `i` cosigned at `times[i]`; `None` below its threshold too.
fn vouched(policy: &Policy, times: &[Option<u64>]) -> Option<u64> {
    let mut note = sample::signed(&sample::good_proof().checkpoint.text, &[]);
    for (member, time) in times.iter().enumerate() {
        let line = time.map(|time| cosign(&sample::cosigner(member), &note.text, time).unwrap());
        note.signatures.extend(line);
    }
    verify_checkpoint(&note, policy).ok()?.vouched_s
}

#[test]
fn the_quorums_last_member_sets_the_time_and_not_the_newest_liar() {
    let three = policy("group g 3 w0 w1 w2 w3\nquorum g\n");
    let all = |times: [u64; 4]| times.map(Some);
    assert_eq!(vouched(&three, &all([10, 20, 30, 40])), Some(20));
    assert_eq!(vouched(&three, &all([10, 20, 30, u64::MAX >> 1])), Some(20));
    assert_eq!(vouched(&three, &[Some(10), None, Some(30), Some(40)]), Some(10));
    assert_eq!(vouched(&three, &[Some(10), None, None, Some(40)]), None);
    // Five is named and does not count.
    let beside = [Some(10), Some(10), Some(10), None, Some(99), Some(99)];
    assert_eq!(vouched(&three, &beside), Some(10));
    assert_eq!(vouched(&policy("quorum w5\n"), &beside), Some(99));
}

#[test]
fn without_a_quorum_nobody_vouches_for_a_time() {
    let none = policy("quorum none\n");
    let note = sample::signed(&sample::good_proof().checkpoint.text, &[0, 1]);
    assert_eq!(verify_checkpoint(&note, &none).unwrap().vouched_s, None);
}

#[test]
fn a_proof_says_how_fresh_it_is_too() {
    let verified = verify(sample::good_proof().to_string().as_bytes(), &sample::policy(3), None).unwrap();
    assert_eq!(verified.vouched_s, Some(sample::TIME_S));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// By brute force, for two groups inside a third: the latest time whose later cosignatures still reach the quorum.
    #[test]
    fn the_time_is_the_latest_that_a_quorum_reaches(
        (x, y, xy) in (1..=3_usize, 1..=2_usize, 1..=3_usize),
        times in prop::collection::vec(prop::option::weighted(0.8, 0..6_u64), MEMBERS),
    ) {
        let policy = policy(&format!(
            "group x {x} w0 w1 w2\ngroup y {y} w3 w4\ngroup xy {xy} x w5 y\nquorum xy\n"
        ));
        let reached = |since: u64| {
            let count = |members: &[Option<u64>]| members.iter().flatten().filter(|time| **time >= since).count();
            let parts = [count(&times[..3]) >= x, count(&times[5..]) == 1, count(&times[3..5]) >= y];
            parts.into_iter().filter(|part| *part).count() >= xy
        };
        prop_assert_eq!(vouched(&policy, &times), (0..6).rev().find(|since| reached(*since)));
    }
}
