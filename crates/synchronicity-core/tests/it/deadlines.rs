//! Deadlines are block times, and nothing else.

use synchronicity_core::machine::HALT_MS;
use synchronicity_core::round::Phase;
use synchronicity_verify::entry::Verdict;

use crate::stage::{COMMIT_WINDOW_MS, Stage, built, commit, indices, request, reveal, submit};

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
    assert_eq!(indices(&applied), [0]);
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
fn a_halt_is_not_held_against_those_who_waited_to_commit() {
    let mut stage = Stage::of(2);
    let id = stage.open(&request("a"));
    let deadline_ms = stage.machine.round(&id).unwrap().deadline_ms().unwrap();
    let back_ms = deadline_ms + HALT_MS;
    let late = stage.sign(1, commit(stage.builder(1), id, 0, &built("x")));
    let applied = stage.block_at(back_ms, vec![late]);
    assert!(applied.changed && applied.rejected.is_empty());
    let phase = stage.machine.round(&id).unwrap().phase();
    assert_eq!(phase, Phase::Committing { deadline_ms: back_ms + COMMIT_WINDOW_MS });
}

#[test]
fn a_halt_is_not_held_against_those_who_waited_to_reveal() {
    let mut stage = Stage::of(2);
    let id = stage.open(&request("a"));
    for member in 0..2 {
        stage.commit(member, id, &built("x")).unwrap();
    }
    let deadline_ms = stage.machine.round(&id).unwrap().deadline_ms().unwrap();
    stage.block_at(100 * deadline_ms, Vec::new());
    stage.reveal(0, id, &built("x")).unwrap();
    stage.reveal(1, id, &built("x")).unwrap();
    assert_eq!(stage.last_entry().verdict, Verdict::Reproduced);
}

#[test]
fn a_group_that_is_only_slow_concludes_at_the_deadline() {
    let mut stage = Stage::of(2);
    let id = stage.open(&request("a"));
    let deadline_ms = stage.machine.round(&id).unwrap().deadline_ms().unwrap();
    stage.block_at(deadline_ms + HALT_MS - 1, Vec::new());
    assert_eq!(stage.last_entry().verdict, Verdict::Inconclusive);
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
    let last_ms = wanted.iter().filter_map(|request| stage.machine.round(&request.id())?.deadline_ms()).max().unwrap();
    let applied = stage.block_at(last_ms, Vec::new());
    assert_eq!(indices(&applied), [0, 1, 2]);
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
