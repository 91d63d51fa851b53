//! From a policy that is trusted to the one of the last epoch.

use proptest::prelude::*;
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::succession::{
    STEPS_MAX, Succeeded, Succession, SuccessionError, SuccessionTextError, succeed,
};
use synchronicity_verify::verify::{Invalid, VerifyError};

use crate::members::{EPOCHS, log, step, step_in, succession};
use crate::sample::{self, log_signer, policy, witness};

/// The policy of an epoch of the sample.
fn policy_of(epoch: usize) -> Policy {
    let (epoch, log) = (&EPOCHS[epoch], log_signer().verifier_key().clone());
    let witnesses = epoch.members.iter().map(|number| witness(*number)).collect();
    Policy::any_of(log, None, witnesses, epoch.membership().quorum()).unwrap()
}

fn follow(policy: &Policy, change: impl FnOnce(&mut Succession)) -> Result<Succeeded, SuccessionError> {
    let mut succession = succession();
    change(&mut succession);
    succeed(policy, succession.to_string().as_bytes())
}

#[test]
fn the_first_policy_leads_to_the_last_members() {
    let succeeded = follow(&policy_of(0), |_| ()).unwrap();
    assert_eq!(succeeded.policy, policy_of(2));
    assert_eq!(succeeded.changes.iter().map(|change| change.next.epoch).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(policy_of(1).quorum_in_words(), "4 of builder-0, builder-1, builder-2, builder-3, builder-4");
}

#[test]
fn a_policy_of_a_later_epoch_passes_the_earlier_steps_over() {
    let succeeded = follow(&policy_of(1), |_| ()).unwrap();
    assert_eq!((succeeded.policy, succeeded.changes.len()), (policy_of(2), 1));
    let stopped = follow(&policy_of(0), |succession| succession.steps.truncate(1)).unwrap();
    assert_eq!(stopped.policy, policy_of(1));
}

#[test]
fn the_newest_policy_leads_to_itself_at_most_and_one_of_another_log_nowhere() {
    // The last step holds under it, because those who stayed have signed it, and leads to where it is.
    assert_eq!(follow(&policy_of(2), |_| ()).unwrap().policy, policy_of(2));
    let before = follow(&policy_of(2), |succession| succession.steps.truncate(1));
    assert!(matches!(before, Err(SuccessionError::NoBeginning(VerifyError::Invalid(_)))), "{before:?}");
    let other = sample::signer("another.example/log", synchronicity_verify::note::KeyKind::Log, "log");
    let other = Policy::any_of(other.verifier_key().clone(), None, (0..4).map(witness).collect(), 3).unwrap();
    let refused = follow(&other, |_| ());
    assert!(matches!(refused, Err(SuccessionError::NoBeginning(VerifyError::Invalid(Invalid::Origin { .. })))));
}

#[test]
fn a_policy_keeps_where_the_log_is() {
    let with_url = |policy: Policy| {
        Policy::parse(policy.to_string().replacen('\n', " https://log.example/\n", 1).as_bytes()).unwrap()
    };
    let succeeded = follow(&with_url(policy_of(0)), |_| ()).unwrap();
    assert_eq!(succeeded.policy, with_url(policy_of(2)));
}

#[test]
fn each_step_is_signed_by_the_members_in_force() {
    let log = log();
    let first = |cosigners| Succession { steps: vec![step(&log, 1, cosigners)] };
    let too_few = follow(&policy_of(0), |succession| *succession = first(&[0, 1]));
    assert!(matches!(too_few, Err(SuccessionError::NoBeginning(VerifyError::BelowThreshold { .. }))), "{too_few:?}");
    // Enough of the first members, but not of the second.
    let old = follow(&policy_of(0), |succession| succession.steps[1] = step(&log, 3, &[1, 2, 3]));
    assert!(
        matches!(old, Err(SuccessionError::Step { step: 2, error: VerifyError::BelowThreshold { .. } })),
        "{old:?}"
    );
    // The new members cannot speak for the old ones.
    let new = follow(&policy_of(0), |succession| *succession = first(&[1, 2, 3, 4]));
    assert!(
        matches!(new, Err(SuccessionError::NoBeginning(VerifyError::Invalid(Invalid::UnknownKey { .. })))),
        "{new:?}"
    );
}

#[test]
fn a_change_of_long_ago_under_a_checkpoint_of_later_members_leads_nobody_back() {
    let log = log();
    let again = |succession: &mut Succession| succession.steps = vec![step_in(&log, 3, &[1, 2, 3, 4])];
    let led = follow(&policy_of(2), again);
    assert!(matches!(led, Err(SuccessionError::NoBeginning(VerifyError::Invalid(_)))), "{led:?}");
    // Nor do those who were in force then say so later.
    let late = follow(&policy_of(1), |succession| succession.steps[1] = step_in(&log, 3, &[1, 2, 3, 4]));
    assert!(late.is_err(), "{late:?}");
}

#[test]
fn no_step_can_be_passed_off_as_one_of_another_place_in_the_log() {
    // The path of a last entry leads to the same root under every number with as many ones.
    for index in [5, 6, 9, (1 << 61) + 1] {
        let led = follow(&policy_of(0), |succession| {
            succession.steps.truncate(1);
            succession.steps[0] = step(&log(), 3, &[0, 1, 2]);
            succession.steps[0].index = index;
        });
        assert!(matches!(led, Err(SuccessionError::NoBeginning(VerifyError::Invalid(_)))), "{index}: {led:?}");
    }
}

#[test]
fn an_earlier_end_that_all_who_stayed_have_signed_is_passed_over_by_a_later_policy() {
    let all = step(&log(), 1, &[0, 1, 2, 3]);
    let succeeded = follow(&policy_of(1), |succession| succession.steps[0] = all).unwrap();
    assert_eq!((succeeded.policy, succeeded.changes.len()), (policy_of(2), 1));
}

#[test]
fn a_build_is_no_step_and_no_epoch_is_left_out() {
    let log = log();
    let build = follow(&policy_of(0), |succession| succession.steps[0] = step(&log, 0, &[0, 1, 2]));
    assert_eq!(build, Err(SuccessionError::NotAChange { step: 1, reason: None }));
    // An end of epoch 5 in a log that the second members signed.
    let mut gap = log.clone();
    let Leaf::Membership(end) = &mut gap[3] else { panic!("entry 3 ends an epoch") };
    let (five, six) =
        (crate::members::Epoch { number: 5, ..EPOCHS[1] }, crate::members::Epoch { number: 6, ..EPOCHS[2] });
    *end = five.end(&six, &[1, 2, 3, 4]);
    let skipped = follow(&policy_of(0), |succession| succession.steps[1] = step(&gap, 3, &[1, 2, 3, 4]));
    assert_eq!(skipped, Err(SuccessionError::Gap { step: 2, found: 5, begun: 1 }));
}

#[test]
fn a_policy_that_asks_for_an_outsider_is_not_weakened_in_silence() {
    let mut text = policy(3).to_string();
    let outsider = sample::signer("witness.example/w", synchronicity_verify::note::KeyKind::Cosigner, "outsider");
    let named = format!("witness outsider {}\ngroup builders", outsider.verifier_key());
    text = text.replacen("group builders", &named, 1);
    let asking = Policy::parse(text.as_bytes()).unwrap();
    assert_eq!(follow(&asking, |_| ()), Err(SuccessionError::Outsider("outsider".to_owned())));
}

#[test]
fn a_succession_file_has_one_spelling() {
    let text = succession().to_string();
    assert_eq!(Succession::parse(text.as_bytes()), Ok(succession()));
    let refused = |text: &str| Succession::parse(text.as_bytes()).unwrap_err();
    assert_eq!(refused(""), SuccessionTextError::Kind);
    assert_eq!(refused("synchronicity/succession@v1\n"), SuccessionTextError::Line);
    assert_eq!(refused(text.trim_end()), SuccessionTextError::Line);
    assert_eq!(refused(&format!("{text}\n")), SuccessionTextError::Line);
    assert_eq!(refused(&text.replace("proof ", "proof  ")), SuccessionTextError::Line);
    let mut lines: Vec<&str> = text.lines().collect();
    lines.swap(1, 2);
    assert_eq!(refused(&(lines.join("\n") + "\n")), SuccessionTextError::Order);
    let empty = "synchronicity/succession@v1\nproof \n";
    assert!(matches!(refused(empty), SuccessionTextError::Proof { step: 1, .. }));
    let many = format!("synchronicity/succession@v1\n{}", "proof \n".repeat(STEPS_MAX + 1));
    assert!(matches!(refused(&many), SuccessionTextError::Proof { step: 1, .. }));
}

#[test]
fn no_bit_of_a_succession_can_be_flipped() {
    let (policy, bytes) = (policy_of(0), succession().to_string().into_bytes());
    // Every bit of some bytes, and some bit of every byte: signatures are slow to check.
    for at in (0..bytes.len()).step_by(5) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 7);
        assert!(succeed(&policy, &flipped).is_err(), "byte {at}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let text = [b"synchronicity/succession@v1\nproof ".as_slice(), &bytes].concat();
        prop_assert!(succeed(&policy(3), &text).is_err() && succeed(&policy(3), &bytes).is_err());
    }
}
