//! What counts and what does not: one test for each rule of a round.

use synchronicity_core::command::Action;
use synchronicity_core::machine::{MAX_OPEN_ROUNDS, MAX_OPEN_ROUNDS_PER_AUTHOR};
use synchronicity_core::rejection::Rejection;
use synchronicity_core::round::Phase;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::Verdict;
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::{BuildResult, Failure};

use crate::stage::{Stage, built, commit, nonce, request, reveal, submit};

#[test]
fn a_reveal_without_a_commitment_counts_for_nothing() {
    let mut stage = Stage::of(4);
    let id = stage.open(&request("a"));
    for member in 0..3 {
        stage.commit(member, id, &built("x")).unwrap();
    }
    stage.pass_deadline(id);
    assert_eq!(stage.reveal(3, id, &built("x")), Err(Rejection::NoCommitment));
    assert_eq!(stage.machine.round(&id).unwrap().result(&stage.builder(3)), None);
}

#[test]
fn a_copied_commitment_opens_for_nobody() {
    let mut stage = Stage::of(4);
    let id = stage.open(&request("a"));
    let original = commit(stage.builder(0), id, 0, &built("x"));
    stage.act(0, original.clone()).unwrap();
    // The copy cannot be told from an honest seal, so it is taken.
    stage.act(3, original).unwrap();
    for member in 1..3 {
        stage.commit(member, id, &built("x")).unwrap();
    }
    stage.reveal(0, id, &built("x")).unwrap();
    // The copier now knows everything that the author knew, and still cannot open.
    let copied = reveal(stage.builder(0), id, 0, &built("x"));
    assert_eq!(stage.act(3, copied), Err(Rejection::BadOpening));
    assert_eq!(stage.reveal(3, id, &built("x")), Err(Rejection::BadOpening));
}

#[test]
fn a_reveal_while_others_may_still_commit_is_refused() {
    let mut stage = Stage::of(4);
    let id = stage.open(&request("a"));
    stage.commit(0, id, &built("x")).unwrap();
    assert_eq!(stage.reveal(0, id, &built("x")), Err(Rejection::TooEarly));
    assert!(Rejection::TooEarly.may_pass_later());
}

#[test]
fn a_commitment_after_the_reveals_began_is_refused() {
    let mut stage = Stage::of(4);
    let id = stage.open(&request("a"));
    stage.commit(0, id, &built("x")).unwrap();
    stage.pass_deadline(id);
    assert_eq!(stage.commit(1, id, &built("x")), Err(Rejection::TooLate));
}

#[test]
fn a_reveal_of_another_result_or_nonce_is_refused() {
    let mut stage = Stage::of(4);
    let id = stage.open(&request("a"));
    for member in 0..4 {
        stage.commit(member, id, &built("x")).unwrap();
    }
    assert_eq!(stage.reveal(0, id, &built("y")), Err(Rejection::BadOpening));
    let other_nonce = Action::Reveal { request: id, round: 0, result: built("x"), nonce: [7; 32] };
    assert_eq!(stage.act(0, other_nonce), Err(Rejection::BadOpening));
    stage.reveal(0, id, &built("x")).unwrap();
}

#[test]
fn the_first_commitment_counts_and_the_first_contradiction_is_kept() {
    let mut stage = Stage::of(4);
    let id = stage.open(&request("a"));
    stage.commit(0, id, &built("x")).unwrap();
    assert_eq!(stage.commit(0, id, &built("y")), Err(Rejection::Equivocation));
    let noted = stage.machine.clone();
    assert_eq!(stage.commit(0, id, &built("z")), Err(Rejection::Equivocation));

    let me = stage.builder(0);
    let kept = stage.machine.round(&id).unwrap().member(&me).unwrap();
    let sealed = |content: &str| match commit(me, id, 0, &built(content)) {
        Action::Commit { commitment, .. } => commitment,
        _ => unreachable!("commit makes commitments"),
    };
    assert_eq!(kept.commitment(), Some(&sealed("x")));
    assert_eq!(kept.contradicted(), Some(&sealed("y")));
    // The third one changed nothing: a liar cannot fill everybody's disk with contradictions.
    assert_eq!(stage.machine.round(&id), noted.round(&id));
}

#[test]
fn reveals_begin_with_the_last_commitment() {
    let mut stage = Stage::of(3);
    let id = stage.open(&request("a"));
    for member in 0..2 {
        stage.commit(member, id, &built("x")).unwrap();
        assert!(matches!(stage.machine.round(&id).unwrap().phase(), Phase::Committing { .. }));
    }
    stage.commit(2, id, &built("x")).unwrap();
    assert!(matches!(stage.machine.round(&id).unwrap().phase(), Phase::Revealing { .. }));
}

#[test]
fn a_commitment_or_reveal_for_an_unknown_request_is_refused() {
    let mut stage = Stage::of(4);
    let id = request("nobody-asked").id();
    assert_eq!(stage.commit(0, id, &built("x")), Err(Rejection::UnknownRequest));
    assert_eq!(stage.reveal(0, id, &built("x")), Err(Rejection::UnknownRequest));
}

#[test]
fn commitments_and_reveals_of_another_round_are_refused() {
    let mut stage = Stage::of(4);
    let id = stage.open(&request("a"));
    let me = stage.builder(0);
    let ahead = Rejection::RoundAhead { expected: 0 };
    assert_eq!(stage.act(0, commit(me, id, 1, &built("x"))), Err(ahead));

    stage.pass_deadline(id);
    assert_eq!(stage.commit(0, id, &built("x")), Err(Rejection::RoundOver));
    let ahead = Rejection::RoundAhead { expected: 1 };
    assert_eq!(stage.act(0, commit(me, id, 1, &built("x"))), Err(ahead));
    stage.act(0, submit(&request("a"), 1)).unwrap();
    assert_eq!(stage.commit(0, id, &built("x")), Err(Rejection::RoundOver));
    stage.act(0, commit(me, id, 1, &built("x"))).unwrap();
}

#[test]
fn a_request_is_rebuilt_once_at_a_time_and_again_only_after_a_round_without_agreement() {
    let mut stage = Stage::of(2);
    let wanted = request("a");
    assert_eq!(stage.machine.next_round(&wanted.id()), Some(0));
    assert_eq!(stage.act(0, submit(&wanted, 1)), Err(Rejection::RoundAhead { expected: 0 }));
    let id = stage.open(&wanted);
    assert_eq!(stage.machine.next_round(&id), None);
    assert_eq!(stage.act(1, submit(&wanted, 0)), Err(Rejection::AlreadyOpen));
    stage.pass_deadline(id);
    assert_eq!(stage.last_entry().verdict, Verdict::Inconclusive);

    assert_eq!(stage.machine.next_round(&id), Some(1));
    assert_eq!(stage.act(0, submit(&wanted, 0)), Err(Rejection::RoundOver));
    stage.act(1, submit(&wanted, 1)).unwrap();
    for member in 0..2 {
        stage.act(member, commit(stage.builder(member), id, 1, &built("x"))).unwrap();
    }
    for member in 0..2 {
        stage.act(member, reveal(stage.builder(member), id, 1, &built("x"))).unwrap();
    }
    assert_eq!(stage.last_entry().verdict, Verdict::Reproduced);
    assert_eq!(stage.last_entry().round, 1);
    assert_eq!(stage.machine.next_round(&id), None);
    assert_eq!(stage.act(0, submit(&wanted, 2)), Err(Rejection::AlreadyConcluded { index: 1 }));
}

#[test]
fn a_request_that_diverged_may_be_tried_again_and_one_that_cannot_be_built_may_not() {
    let mut stage = Stage::of(2);
    let wanted = request("a");
    stage.conclude(&wanted, &[built("x"), built("y")]);
    assert_eq!(stage.last_entry().verdict, Verdict::Diverged);
    assert_eq!(stage.machine.next_round(&wanted.id()), Some(1));
    assert_eq!(stage.act(0, submit(&wanted, 0)), Err(Rejection::RoundOver));
    stage.act(0, submit(&wanted, 1)).unwrap();

    let broken = request("b");
    stage.conclude(&broken, &[BuildResult::Failed(Failure::Network), BuildResult::Failed(Failure::Network)]);
    assert_eq!(stage.machine.next_round(&broken.id()), None);
    assert_eq!(stage.act(0, submit(&broken, 1)), Err(Rejection::AlreadyConcluded { index: 1 }));
}

#[test]
fn one_member_cannot_fill_the_group_with_open_rounds() {
    let mut stage = Stage::of(7);
    for number in 0..MAX_OPEN_ROUNDS_PER_AUTHOR {
        stage.act(0, submit(&request(&format!("flood-{number}")), 0)).unwrap();
    }
    assert_eq!(stage.act(0, submit(&request("one-more"), 0)), Err(Rejection::QuotaReached));
    stage.act(1, submit(&request("honest"), 0)).unwrap();
}

#[test]
fn the_group_has_a_largest_number_of_open_rounds() {
    let mut stage = Stage::of(7);
    for number in 0..MAX_OPEN_ROUNDS {
        let member = number / MAX_OPEN_ROUNDS_PER_AUTHOR;
        stage.act(member, submit(&request(&format!("flood-{number}")), 0)).unwrap();
    }
    assert_eq!(stage.machine.open_rounds().count(), MAX_OPEN_ROUNDS);
    assert_eq!(stage.act(6, submit(&request("one-more"), 0)), Err(Rejection::TooManyOpen));
    assert!(Rejection::TooManyOpen.may_pass_later());
}

#[test]
fn a_request_with_variables_or_flags_of_its_own_is_refused() {
    let mut stage = Stage::of(4);
    let changes: [fn(&mut BuildRequest); 5] = [
        |request| request.env.clear(),
        |request| drop(request.env.insert("RUSTC_WRAPPER".into(), "/opt/rustwide/workdir/wrapper".into())),
        |request| drop(request.env.insert("TZ".into(), "CET".into())),
        |request| request.rustflags.push("-Clinker=/opt/rustwide/workdir/linker".into()),
        |request| request.rustflags.clear(),
    ];
    for change in changes {
        let mut hostile = request("a");
        change(&mut hostile);
        hostile.check().unwrap();
        assert_eq!(stage.act(0, submit(&hostile, 0)), Err(Rejection::OtherRecipe));
        assert!(stage.machine.round(&hostile.id()).is_none());
    }
    assert!(!Rejection::OtherRecipe.may_pass_later());
    stage.act(0, submit(&request("a"), 0)).unwrap();
}

#[test]
fn the_lock_is_at_hand_while_the_round_is_open_and_forgotten_with_the_verdict() {
    let mut stage = Stage::of(2);
    let id = stage.open(&request("a"));
    assert_eq!(stage.machine.lock(&id).map(Digest::of), Some(request("a").lock.sha256));
    stage.pass_deadline(id);
    assert_eq!(stage.machine.lock(&id), None);
}

#[test]
fn a_command_of_another_group_is_noise() {
    let mut ours = Stage::of(4);
    let theirs = Stage::with_threshold(4, 4);
    let id = ours.open(&request("a"));
    let foreign = theirs.sign(0, commit(theirs.builder(0), id, 0, &built("x")));
    assert_eq!(ours.machine.screen(&foreign), Err(Rejection::OtherGroup));
    assert!(!ours.block(vec![foreign]).changed);
}

#[test]
fn a_nonce_hides_which_result_was_sealed() {
    let stage = Stage::of(2);
    let id = request("a").id();
    // Both builders seal the same result; nobody sees that from the seals.
    assert_ne!(nonce(stage.builder(0)), nonce(stage.builder(1)));
    assert_ne!(commit(stage.builder(0), id, 0, &built("x")), commit(stage.builder(1), id, 0, &built("x")));
}
