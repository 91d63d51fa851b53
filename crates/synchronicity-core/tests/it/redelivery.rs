//! The engine delivers at least once; a restarted node reads only the blocks that mattered.

use synchronicity_core::block::{BlockError, OrderedBlock};
use synchronicity_core::machine::{Applied, ApplyError, Machine};

use crate::stage::{Stage, built, commit, request, submit};

#[test]
fn applying_a_block_twice_changes_nothing() {
    let mut stage = Stage::of(3);
    stage.conclude(&request("a"), &[built("x"), built("x"), built("y")]);
    let before = stage.machine.clone();
    for block in stage.blocks.clone() {
        assert_eq!(stage.machine.apply(&block), Ok(Applied::default()));
    }
    assert_eq!(stage.machine, before);
}

#[test]
fn a_replayed_command_changes_nothing() {
    let mut stage = Stage::of(3);
    stage.conclude(&request("a"), &[built("x"), built("x"), built("x")]);
    let commands: Vec<_> = stage.blocks.iter().flat_map(|block| block.commands.clone()).collect();
    let (rounds, log) = (stage.machine.rounds().count(), stage.machine.executed().log_root);
    let applied = stage.block(commands.clone());
    assert!(!applied.changed);
    assert_eq!(applied.rejected.len(), commands.len());
    assert_eq!((stage.machine.rounds().count(), stage.machine.executed().log_root), (rounds, log));
}

#[test]
fn a_command_twice_in_one_block_counts_once() {
    let mut stage = Stage::of(3);
    let id = stage.open(&request("a"));
    let once = stage.sign(0, commit(stage.builder(0), id, 0, &built("x")));
    let applied = stage.block(vec![once.clone(), once]);
    assert!(applied.changed);
    assert_eq!(applied.rejected.len(), 1);
}

#[test]
fn a_gap_or_a_time_that_stands_still_is_refused_and_changes_nothing() {
    let mut stage = Stage::of(3);
    stage.open(&request("a"));
    let before = stage.machine.clone();
    let (height, time_ms) = (before.executed().height, before.executed().time_ms);
    let block = |height, time_ms| OrderedBlock { height, time_ms, commands: Vec::new() };

    let gap = stage.machine.apply(&block(height + 2, time_ms + 1));
    assert_eq!(gap, Err(ApplyError::Gap { executed: height, offered: height + 2 }));
    let still = stage.machine.apply(&block(height + 1, time_ms));
    assert_eq!(still, Err(ApplyError::Time { executed: time_ms, offered: time_ms }));
    assert_eq!(stage.machine, before);
}

#[test]
fn effective_blocks_and_the_last_height_give_an_equal_machine() {
    let mut stage = Stage::of(3);
    for name in ["a", "b"] {
        stage.conclude(&request(name), &[built("x"), built("x"), built("x")]);
        for _ in 0..5 {
            stage.block(Vec::new());
        }
    }
    let mut replayed = Machine::new(stage.group.clone());
    let effective: Vec<_> = stage.blocks.iter().filter(|block| replayed.apply(block).unwrap().changed).collect();
    assert_eq!(effective.len(), stage.blocks.len() - 10);
    let reached = stage.machine.executed();
    let restored = Machine::restore(stage.group.clone(), effective, reached.height, reached.time_ms).unwrap();
    assert_eq!(restored, stage.machine);
}

#[test]
fn skipping_backwards_or_over_a_deadline_is_refused() {
    let mut stage = Stage::of(3);
    let id = stage.open(&request("a"));
    let (height, time_ms) = (stage.machine.executed().height, stage.machine.executed().time_ms);
    let deadline_ms = stage.machine.round(&id).unwrap().deadline_ms().unwrap();
    let before = stage.machine.clone();
    let back = stage.machine.skip_to(height - 1, time_ms);
    assert_eq!(back, Err(ApplyError::Gap { executed: height, offered: height - 1 }));
    let earlier = stage.machine.skip_to(height, time_ms - 1);
    assert_eq!(earlier, Err(ApplyError::Time { executed: time_ms, offered: time_ms - 1 }));
    let over = stage.machine.skip_to(height + 9, deadline_ms);
    assert_eq!(over, Err(ApplyError::SkippedDeadline { offered: deadline_ms }));
    assert_eq!(stage.machine, before);
    stage.machine.skip_to(height + 9, deadline_ms - 1).unwrap();
}

#[test]
fn a_block_reads_back_as_it_was_written_and_in_no_other_spelling() {
    let mut stage = Stage::of(3);
    stage.conclude(&request("a"), &[built("x"), built("x"), built("x")]);
    for block in &stage.blocks {
        let bytes = block.to_bytes();
        assert_eq!(OrderedBlock::from_bytes(&bytes, &stage.group).as_ref(), Ok(block));
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(OrderedBlock::from_bytes(&longer, &stage.group).is_err());
        for end in 0..bytes.len() {
            assert!(OrderedBlock::from_bytes(&bytes[..end], &stage.group).is_err());
        }
    }
}

#[test]
fn a_block_with_a_forged_command_is_no_block() {
    let mut stage = Stage::of(3);
    stage.block(vec![stage.sign(0, submit(&request("a"), 0))]);
    let mut bytes = stage.blocks[0].to_bytes();
    // The last byte belongs to the signature.
    *bytes.last_mut().unwrap() ^= 1;
    let refused = OrderedBlock::from_bytes(&bytes, &stage.group);
    assert!(matches!(refused, Err(BlockError::Command { index: 0, .. })), "{refused:?}");
}
