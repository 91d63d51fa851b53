//! Deadlines are block times, and nothing else.

use synchronicity_core::round::Phase;
use synchronicity_verify::entry::Verdict;

use crate::stage::{COMMIT_WINDOW_MS, REVEAL_WINDOW_MS, Stage, built, commit, request, reveal, submit};

#[test]
fn deadlines_use_block_time_only() {
    let mut stage = Stage::of(4);
    let id = stage.open(&request("a"));
    let opened_ms = stage.machine.executed().time_ms;
    // Any number of blocks: height is no clock.
    for _ in 0..500 {
        assert!(!stage.block(Vec::new()).changed);
    }
    let deadline_ms = opened_ms + COMMIT_WINDOW_MS;
    assert!(!stage.block_at(deadline_ms - 1, Vec::new()).changed);
    assert!(stage.block_at(deadline_ms, Vec::new()).changed);
    assert!(!stage.machine.round(&id).unwrap().is_open());
}

#[test]
fn a_commitment_in_the_block_that_passes_the_deadline_is_late() {
    let mut stage = Stage::of(4);
    let id = stage.open(&request("a"));
    stage.commit(0, id, &built("x")).unwrap();
    let deadline_ms = stage.machine.round(&id).unwrap().deadline_ms().unwrap();
    let late = stage.sign(1, commit(stage.builder(1), id, 0, &built("x")));
    let opening = stage.sign(0, reveal(stage.builder(0), id, 0, &built("x")));
    let applied = stage.block_at(deadline_ms, vec![late, opening]);
    assert_eq!(applied.rejected.len(), 1);
    // The only seal there was is open: nothing is left to wait for.
    assert_eq!(applied.logged, vec![0]);
}

#[test]
fn a_reveal_in_the_block_that_passes_the_deadline_is_late() {
    let mut stage = Stage::of(2);
    let id = stage.open(&request("a"));
    for member in 0..2 {
        stage.commit(member, id, &built("x")).unwrap();
    }
    stage.reveal(0, id, &built("x")).unwrap();
    let deadline_ms = stage.machine.round(&id).unwrap().deadline_ms().unwrap();
    let late = stage.sign(1, reveal(stage.builder(1), id, 0, &built("x")));
    let applied = stage.block_at(deadline_ms, vec![late]);
    assert_eq!(applied.rejected.len(), 1);
    assert_eq!(stage.last_entry().verdict, Verdict::Inconclusive);
    assert_eq!(stage.last_entry().silent().count(), 1);
}

#[test]
fn however_far_time_jumps_those_who_sealed_may_still_reveal() {
    let mut stage = Stage::of(2);
    let id = stage.open(&request("a"));
    stage.commit(0, id, &built("x")).unwrap();
    let now_ms = 100 * (COMMIT_WINDOW_MS + REVEAL_WINDOW_MS);
    stage.block_at(now_ms, Vec::new());
    let phase = stage.machine.round(&id).unwrap().phase();
    assert_eq!(phase, Phase::Revealing { deadline_ms: now_ms + REVEAL_WINDOW_MS });
}

#[test]
fn the_window_grows_with_the_rounds_that_were_open_before() {
    let mut stage = Stage::of(4);
    let first = stage.open(&request("first"));
    let opened_ms = stage.machine.executed().time_ms;
    let second = stage.open(&request("second"));
    let deadline_ms = |id| stage.machine.round(&id).unwrap().deadline_ms().unwrap();
    assert_eq!(deadline_ms(first), opened_ms + COMMIT_WINDOW_MS);
    assert_eq!(deadline_ms(second), opened_ms + 1 + 2 * COMMIT_WINDOW_MS);
}

#[test]
fn one_empty_block_passes_every_deadline_that_is_due() {
    let mut stage = Stage::of(4);
    let wanted = [request("a"), request("b"), request("c")];
    let submits = wanted.iter().map(|request| stage.sign(0, submit(request, 0))).collect();
    stage.block(submits);
    let applied = stage.block_at(10 * COMMIT_WINDOW_MS, Vec::new());
    assert_eq!(applied.logged, vec![0, 1, 2]);
    assert_eq!(stage.machine.open_rounds().count(), 0);
}

#[test]
fn times_at_the_end_of_the_range_do_not_overflow() {
    let mut stage = Stage::of(2);
    stage.block_at(u64::MAX - 2, Vec::new());
    let id = stage.open(&request("a"));
    assert_eq!(stage.machine.round(&id).unwrap().deadline_ms(), Some(u64::MAX));
    assert!(stage.block_at(u64::MAX, Vec::new()).changed);
}
