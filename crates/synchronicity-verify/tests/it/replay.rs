//! A log as a whole: what an honest group logs is taken, and each broken rule is found.

use synchronicity_verify::entry::Entry;
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::map::{MapKey, PrefixMap};
use synchronicity_verify::merkle::{leaf_hash, root};
use synchronicity_verify::replay::{Replay, ReplayError};
use synchronicity_verify::result::BuildResult;

use crate::sample::{self, built};

pub(crate) fn log() -> Vec<Entry> {
    let agreed = |content: &str| [0; 4].map(|_| Some(built(content)));
    let differ: [Option<BuildResult>; 4] = ["1", "2", "3", "4"].map(|content| Some(built(content)));
    sample::history(&[("fd", differ), ("hexyl", agreed("hexyl")), ("fd", agreed("fd"))])
}

/// Replays the log after a change, with the roots of the map as they follow from it.
fn replay(change: impl FnOnce(&mut Vec<Entry>)) -> Result<Replay, ReplayError> {
    let mut log = log();
    change(&mut log);
    let (mut replay, mut map) = (Replay::new(), PrefixMap::new());
    for (index, mut entry) in log.into_iter().enumerate() {
        MapKey::of_entry(&entry).into_iter().for_each(|key| map.insert(key, index as u64));
        entry.map_root = map.root();
        replay.append(&entry.to_bytes())?;
    }
    Ok(replay)
}

#[test]
fn an_honest_log_is_taken_and_gives_its_root_and_map() {
    let (log, mut replayed) = (log(), Replay::new());
    for entry in &log {
        assert_eq!(replayed.append(&entry.to_bytes()), Ok(Leaf::Build(entry.clone())));
    }
    let leaves: Vec<_> = log.iter().map(|entry| leaf_hash(&entry.to_bytes())).collect();
    assert_eq!((replayed.size(), replayed.root()), (3, root(&leaves)));
    assert_eq!(replayed.map().indices(&MapKey::of_purl("pkg:cargo/fd@0.17.0")), [0, 2]);
    assert!(replay(|_| ()).is_ok());
    // Entries of one block have one time.
    assert!(replay(|log| (log[2].height, log[2].time_ms) = (log[1].height, log[1].time_ms)).is_ok());
}

#[test]
fn a_wrong_root_of_the_map_is_found_and_changes_nothing() {
    let (log, mut replay) = (log(), Replay::new());
    replay.append(&log[0].to_bytes()).unwrap();
    let mut wrong = log[1].clone();
    wrong.map_root = log[0].map_root;
    let (size, map) = (replay.size(), replay.map().clone());
    assert!(matches!(replay.append(&wrong.to_bytes()), Err(ReplayError::MapRoot { .. })));
    assert_eq!((replay.size(), replay.map()), (size, &map));
    assert!(replay.append(&log[1].to_bytes()).is_ok());
}

#[test]
fn blocks_and_times_do_not_run_backwards() {
    let order = |change: fn(&mut Entry, &Entry)| {
        let outcome = replay(|log| {
            let before = log[0].clone();
            change(&mut log[1], &before);
        });
        assert!(matches!(outcome, Err(ReplayError::Order { .. })), "{outcome:?}");
    };
    order(|entry, before| entry.height = before.height - 1);
    order(|entry, before| entry.time_ms = before.time_ms);
    order(|entry, before| entry.height = before.height);
}

#[test]
fn members_and_threshold_do_not_change_within_an_epoch_nor_the_epoch_by_itself() {
    let changed = |log: &mut Vec<Entry>| log[1].members[0].name += "-renamed";
    assert_eq!(replay(changed).unwrap_err(), ReplayError::Group(0));
    assert_eq!(replay(|log| log[1].threshold = 4).unwrap_err(), ReplayError::Group(0));
    assert_eq!(replay(|log| log[1].epoch = 1).unwrap_err(), ReplayError::Epoch { expected: 0, found: 1 });
}

#[test]
fn attempts_follow_one_another_and_end_with_a_verdict_that_stands() {
    let attempt = |change: fn(&mut Vec<Entry>)| match replay(change) {
        Err(ReplayError::Attempt { found, expected, .. }) => (found, expected),
        other => panic!("{other:?}"),
    };
    assert_eq!(attempt(|log| log[0].round = 1), (1, Some(0)));
    assert_eq!(attempt(|log| log[2].round = 0), (0, Some(1)));
    let again = |log: &mut Vec<Entry>| {
        let mut again = log[2].clone();
        (again.round, again.height, again.time_ms) = (2, again.height + 1, again.time_ms + 1);
        log.push(again);
    };
    assert_eq!(attempt(again), (2, None));
}

#[test]
fn what_is_no_entry_is_named_and_changes_nothing() {
    let mut replay = Replay::new();
    assert!(matches!(replay.append(b"no entry"), Err(ReplayError::Entry(_))));
    assert_eq!(replay.size(), 0);
}
