//! What comes back from the database after a restart is what went in.

use proptest::prelude::*;
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::machine::Machine;
use synchronicity_core::resume::Resuming;
use synchronicity_node::store::{Dissent, Every, OpenError, Position, Progress, Snapshot, Store};
use synchronicity_verify::result::{BuildResult, Failure};

use crate::world::{World, request};

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

/// Few blocks, so that a short history has several snapshots.
const EVERY: Every = Every { blocks: 3, bytes: u64::MAX };

/// What a node does at its start: from the snapshot with which the blocks begin and the log up to there, and how many blocks
/// there are behind it.
fn started(store: &Store, world: &World, entries: &[Vec<u8>]) -> (Machine, usize) {
    let begin = match store.begins_at().unwrap() {
        None => Machine::new(world.group.clone()),
        Some(Snapshot { executed, open, .. }) => {
            let mut resuming = Resuming::new();
            entries[..executed.log_size as usize].iter().for_each(|entry| _ = resuming.append(entry).unwrap());
            resuming.finish_at(world.group.clone(), &executed, &open).unwrap()
        }
    };
    let mut blocks = 0;
    let each = |_, _: &Machine, _| {
        blocks += 1;
        Ok::<_, OpenError>(())
    };
    (store.fold_blocks(begin, each).unwrap(), blocks)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_database_that_drops_old_blocks_gives_the_same_state_with_its_log_after_any_restart(
        steps in proptest::collection::vec((steps(), any::<bool>(), any::<bool>()), 1..6),
    ) {
        let world = World::of(4);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.redb");
        let mut store = Store::open(&path, &world.group).unwrap().with_snapshots(EVERY);
        let mut machine = Machine::new(world.group.clone());
        let (mut entries, mut published, mut number) = (Vec::new(), 0, 0);
        for (steps, verdicts, publish) in steps {
            for step in steps {
                number += 1;
                let executed = machine.executed();
                let (height, time_ms) = (executed.height + 1, executed.time_ms + 1);
                let block = match step {
                    Step::Submission => OrderedBlock { time_ms, ..world.submission(height, number) },
                    Step::Heartbeat if verdicts => {
                        let deadlines = machine.open_rounds().filter_map(|(_, round)| round.deadline_ms());
                        OrderedBlock { height, time_ms: deadlines.min().unwrap_or(time_ms), commands: Vec::new() }
                    }
                    Step::Heartbeat => OrderedBlock { height, time_ms, commands: Vec::new() },
                    Step::Restart => {
                        drop(store);
                        store = Store::open(&path, &world.group).unwrap().with_snapshots(EVERY);
                        let (started, _) = started(&store, &world, &entries);
                        prop_assert_eq!(started.executed(), executed);
                        prop_assert_eq!(started.open_state(), machine.open_state());
                        continue;
                    }
                };
                let applied = machine.apply(&block).unwrap();
                entries.extend(applied.logged.into_iter().map(|logged| logged.entry));
                published = if publish { entries.len() as u64 } else { published };
                let effective: Vec<&OrderedBlock> = applied.changed.then_some(&block).into_iter().collect();
                let position = Position { height, time_ms: block.time_ms };
                store.record(&Progress::to(position, &effective), || Snapshot::of(&machine), || published).unwrap();
                if let Some(begin) = store.begins_at().unwrap() {
                    prop_assert!(begin.executed.log_size <= published, "entries are on no other disk");
                }
            }
        }
    }
}

#[test]
fn blocks_go_behind_the_snapshot_before_the_last_one_and_not_before_their_entries_are_published() {
    let world = World::of(4);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("state.redb"), &world.group).unwrap().with_snapshots(EVERY);
    let mut machine = Machine::new(world.group.clone());
    let (mut entries, mut kept) = (Vec::new(), Vec::new());
    for number in 1..=10 {
        let executed = machine.executed();
        let time_ms = executed.time_ms + 1;
        let late = time_ms + world.group.commit_window_ms();
        for (height, time_ms, empty) in [(2 * number - 1, time_ms, false), (2 * number, late, true)] {
            let block = OrderedBlock { time_ms, ..world.submission(height, number) };
            let block = if empty { OrderedBlock { commands: Vec::new(), ..block } } else { block };
            let applied = machine.apply(&block).unwrap();
            assert!(applied.changed);
            entries.extend(applied.logged.into_iter().map(|logged| logged.entry));
            // Of the first four requests nothing is published before the fifth has its verdict.
            let published = if entries.len() < 5 { 0 } else { entries.len() as u64 };
            let (position, effective) = (Position { height, time_ms }, [&block]);
            let progress = Progress::to(position, &effective);
            store.record(&progress, || Snapshot::of(&machine), || published).unwrap();
        }
        let (again, blocks) = started(&store, &world, &entries);
        assert_eq!(again.executed(), machine.executed());
        kept.push(blocks);
    }
    assert_eq!(kept[..5], [2, 4, 6, 8, 10]);
    assert!(kept[6..].iter().all(|blocks| (3..=6).contains(blocks)), "{kept:?}");
}

#[test]
fn what_builders_did_not_agree_on_is_kept_of_the_latest_attempt_at_each_request() {
    let world = World::of(4);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.redb");
    let store = Store::open(&path, &world.group).unwrap();
    assert_eq!(store.dissent().unwrap(), []);
    let dissent = |number, failures: &[Failure]| {
        let results = failures.iter().map(|failure| BuildResult::Failed(*failure)).collect();
        Dissent { request: request(number).id(), results }
    };
    let position = Position { height: 1, time_ms: 1000 };
    let write = |dissent: &[Dissent]| {
        let progress = Progress { dissent, ..Progress::to(position, &[]) };
        store.record(&progress, || None, || 0).unwrap();
    };
    let (two, other) = (dissent(1, &[Failure::Compile, Failure::Time]), dissent(2, &[Failure::Memory]));
    write(&[two.clone(), dissent(3, &[]), other.clone()]);
    let mut kept = store.dissent().unwrap();
    kept.sort_by_key(|one| one.results.len());
    assert_eq!(kept, [other.clone(), two]);
    // In the next attempts all agree about the one, and some not about the other.
    let again = dissent(2, &[Failure::Compile]);
    write(&[dissent(1, &[]), again.clone()]);
    write(&[]);
    drop(store);
    assert_eq!(Store::open(&path, &world.group).unwrap().dissent().unwrap(), [again]);
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
