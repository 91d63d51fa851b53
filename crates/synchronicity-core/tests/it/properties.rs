//! Properties over arbitrary sequences of commands, sensible or not.

use proptest::prelude::*;
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::{Action, Command};
use synchronicity_core::machine::{Applied, Machine};
use synchronicity_verify::entry::Entry;
use synchronicity_verify::map::{MapKey, PrefixMap};
use synchronicity_verify::merkle;
use synchronicity_verify::result::{BuildResult, Failure};

use crate::stage::{COMMIT_WINDOW_MS, Stage, built, commit, request, reveal, submit};

const MEMBERS: usize = 4;

/// One thing that some member says, or time that passes. Small numbers, so that members meet.
#[derive(Clone, Debug)]
struct Said {
    member: usize,
    speaks_as: usize,
    kind: u8,
    request: usize,
    round: u32,
    result: usize,
    /// Ends the block here, this much later than the last one.
    ends_block_ms: Option<u64>,
}

fn said() -> impl Strategy<Value = Said> {
    let pause = prop_oneof![6 => Just(None), 3 => Just(Some(1)), 1 => Just(Some(COMMIT_WINDOW_MS))];
    let honest = prop_oneof![8 => Just(None), 1 => (0..MEMBERS).prop_map(Some)];
    let round = prop_oneof![6 => Just(0), 1 => Just(1)];
    let result = prop_oneof![6 => Just(0_usize), 1 => Just(1), 1 => Just(2)];
    (0..MEMBERS, honest, 0..9_u8, 0..2_usize, round, result, pause).prop_map(
        |(member, copied, kind, request, round, result, ends_block_ms)| Said {
            member,
            speaks_as: copied.unwrap_or(member),
            kind,
            request,
            round,
            result,
            ends_block_ms,
        },
    )
}

fn action(stage: &Stage, said: &Said) -> Action {
    let wanted = request(["a", "b"][said.request]);
    let results = [built("x"), built("y"), BuildResult::Failed(Failure::Network)];
    let (builder, result) = (stage.builder(said.speaks_as), &results[said.result]);
    match said.kind {
        0 => submit(&wanted, said.round),
        1..=4 => commit(builder, wanted.id(), said.round, result),
        _ => reveal(builder, wanted.id(), said.round, result),
    }
}

fn blocks(stage: &Stage, history: &[Said]) -> Vec<OrderedBlock> {
    let (mut blocks, mut commands, mut time_ms) = (Vec::new(), Vec::new(), 0);
    for said in history {
        commands.push(stage.sign(said.member, action(stage, said)));
        if let Some(pause_ms) = said.ends_block_ms {
            time_ms += pause_ms;
            let commands: Vec<Command> = std::mem::take(&mut commands);
            blocks.push(OrderedBlock { height: blocks.len() as u64 + 1, time_ms, commands });
        }
    }
    blocks
}

fn history() -> impl Strategy<Value = Vec<Said>> {
    proptest::collection::vec(said(), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_same_blocks_give_the_same_machine_however_often_they_are_delivered(
        history in history(),
        again in any::<u8>(),
    ) {
        let stage = Stage::of(4);
        let blocks = blocks(&stage, &history);
        let (mut once, mut often) = (Machine::new(stage.group.clone()), Machine::new(stage.group.clone()));
        for (at, block) in blocks.iter().enumerate() {
            let applied = once.apply(block).unwrap();
            prop_assert_eq!(often.apply(block).unwrap(), applied);
            let earlier = &blocks[at.saturating_sub(usize::from(again % 7))];
            prop_assert_eq!(often.apply(earlier).unwrap(), Applied::default());
            prop_assert_eq!(&once, &often);
        }
    }

    #[test]
    fn effective_blocks_alone_restore_an_equal_machine_at_every_height(history in history()) {
        let stage = Stage::of(4);
        let mut machine = Machine::new(stage.group.clone());
        let mut effective = Vec::new();
        for block in blocks(&stage, &history) {
            let before = machine.clone();
            if machine.apply(&block).unwrap().changed {
                effective.push(block);
            } else {
                let mut skipped = before;
                skipped.skip_to(block.height, block.time_ms).unwrap();
                prop_assert_eq!(&skipped, &machine);
            }
            let reached = machine.executed();
            let restored = Machine::restore(stage.group.clone(), &effective, reached.height, reached.time_ms);
            prop_assert_eq!(restored.as_ref(), Ok(&machine));
        }
    }

    #[test]
    fn the_log_only_grows_and_every_entry_is_one_that_clients_read_with_the_right_map(history in history()) {
        let stage = Stage::of(4);
        let mut machine = Machine::new(stage.group.clone());
        let (mut map, mut leaves) = (PrefixMap::new(), Vec::new());
        for block in blocks(&stage, &history) {
            for logged in machine.apply(&block).unwrap().logged {
                prop_assert_eq!(logged.index, leaves.len() as u64);
                let entry = Entry::from_bytes(&logged.entry).unwrap();
                // What whoever reads the log computes for the map is what the entry states.
                MapKey::of_entry(&entry).into_iter().for_each(|key| map.insert(key, logged.index));
                prop_assert_eq!(entry.map_root, map.root());
                leaves.push(merkle::leaf_hash(&logged.entry));
                prop_assert_eq!(logged.root, merkle::root(&leaves));
            }
            prop_assert_eq!(machine.log().size(), leaves.len() as u64);
            prop_assert_eq!(machine.log().root(), merkle::root(&leaves));
        }
    }

    #[test]
    fn what_was_not_accepted_leaves_no_trace(history in history()) {
        let stage = Stage::of(4);
        let mut machine = Machine::new(stage.group.clone());
        for block in blocks(&stage, &history) {
            let (mut with, mut without) = (machine.clone(), machine.clone());
            let applied = with.apply(&block).unwrap();
            if !applied.changed {
                let empty = OrderedBlock { commands: Vec::new(), ..block.clone() };
                without.apply(&empty).unwrap();
                prop_assert_eq!(&with, &without);
            }
            machine = with;
        }
    }
}
