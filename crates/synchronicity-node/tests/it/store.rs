//! What comes back from the database after a restart is what went in.

use proptest::prelude::*;
use synchronicity_core::machine::Machine;
use synchronicity_node::store::{OpenError, Position, Store};

use crate::world::World;

/// What happens to a node, as far as its database sees it.
#[derive(Clone, Debug)]
enum Step {
    Submission,
    Heartbeat,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![Just(Step::Submission), Just(Step::Heartbeat), Just(Step::Restart)];
    proptest::collection::vec(step, 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_history_folds_to_the_same_machine_after_any_restart(steps in steps()) {
        let world = World::of(4);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.redb");
        let mut store = Store::open(&path, &world.group).unwrap();
        let mut machine = Machine::new(world.group.clone());
        for (number, step) in steps.iter().enumerate() {
            let height = machine.executed().height + 1;
            let block = match step {
                Step::Submission => world.submission(height, number as u64),
                Step::Heartbeat => world.empty(height),
                Step::Restart => {
                    drop(store);
                    store = Store::open(&path, &world.group).unwrap();
                    prop_assert_eq!(&store.machine(&world.group).unwrap(), &machine);
                    continue;
                }
            };
            let changed = machine.apply(&block).unwrap().changed;
            let position = Position { height, time_ms: block.time_ms };
            store.append(position, changed.then_some(&block)).unwrap();
        }
        prop_assert_eq!(store.machine(&world.group).unwrap(), machine);
    }
}

#[test]
fn a_block_that_is_written_twice_is_there_once() {
    let world = World::of(4);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("state.redb"), &world.group).unwrap();
    let block = world.submission(1, 7);
    for _ in 0..2 {
        store.append(Position { height: 1, time_ms: 1000 }, Some(&block)).unwrap();
    }
    let mut machine = Machine::new(world.group.clone());
    machine.apply(&block).unwrap();
    assert_eq!(store.machine(&world.group).unwrap(), machine);
}

#[test]
fn a_database_of_another_group_is_refused_and_stays_as_it_is() {
    let (ours, theirs) = (World::of(4), World::of(4));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.redb");
    let store = Store::open(&path, &ours.group).unwrap();
    store.append(Position { height: 1, time_ms: 1000 }, Some(&ours.submission(1, 1))).unwrap();
    drop(store);
    match Store::open(&path, &theirs.group) {
        Err(OpenError::ForeignGroup { stored, configured, .. }) => {
            assert_eq!((stored, configured), (ours.group.id().to_string(), theirs.group.id()));
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
    let store = Store::open(&path, &ours.group).unwrap();
    assert_eq!(store.machine(&ours.group).unwrap().executed().height, 1);
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let world = World::of(4);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.redb");
    std::fs::write(&path, b"not a database, but long enough to be looked at twice").unwrap();
    assert!(matches!(Store::open(&path, &world.group), Err(OpenError::Database { .. })));
}
