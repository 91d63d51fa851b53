//! What judges a run over the engine, shown a bug that it must report. Few steps: each run is minutes of simulated time.

use std::time::Duration;

use synchronicity_sim::engine::{Options, Plant, Step, run, shortened};
use synchronicity_sim::run::Broken;

/// Runs seeds of four members with the bug until one breaks this invariant.
fn reported(steps: usize, plant: Plant, invariant: &'static str) -> Broken<Step> {
    let options = planted(steps, plant, invariant);
    let seen = (0..8).find_map(|seed| run(seed, &options).err());
    seen.unwrap_or_else(|| panic!("{invariant} did not report {plant:?}"))
}

fn planted(steps: usize, plant: Plant, invariant: &'static str) -> Options {
    let settling = Duration::from_secs(120);
    Options { members: Some(4), steps, plant: Some(plant), heed: Some(invariant), settling }
}

#[test]
fn an_honest_engine_that_ends_without_a_failing_disk_is_seen() {
    let broken = reported(3, Plant::FailsAtABlock, "no_engine_ends_unless_its_disk_failed");
    assert!(broken.violations[0].what.contains("a planted failure"), "{broken}");
}

#[test]
fn a_node_that_panics_ends_its_engine_and_is_seen() {
    reported(3, Plant::PanicsAtABlock, "no_engine_ends_unless_its_disk_failed");
    reported(3, Plant::PanicsAtABlock, "nothing_panics");
}

#[test]
fn a_member_that_is_handed_another_block_is_seen() {
    reported(3, Plant::SwapsABlock, "everybody_gets_the_same_blocks");
}

#[test]
fn a_block_that_is_older_than_its_parent_is_seen() {
    reported(3, Plant::TurnsTimeBack, "blocks_follow_each_other");
}

#[test]
fn a_group_that_does_not_come_to_rest_is_seen() {
    reported(3, Plant::KeepsCommandsBack, "the_group_comes_to_rest");
}

#[test]
fn a_vote_against_its_own_of_a_member_that_counts_as_honest_is_seen_when_it_happens() {
    let broken = reported(3, Plant::HidesADoubleVoter, "nobody_votes_twice");
    assert!(!broken.trace.iter().any(|line| line.contains(" calm ")), "{broken}");
}

#[test]
fn blocks_that_become_final_without_a_quorum_are_seen_and_what_does_not_matter_is_left_out() {
    let plant = (Plant::SparesTheQuorum, "nothing_is_final_without_a_quorum");
    let broken = reported(3, plant.0, plant.1);
    let short = shortened(broken, &planted(3, plant.0, plant.1));
    assert_eq!(short.script, [Step::Starve]);
}

#[test]
fn a_sync_that_does_nothing_lets_a_power_cut_make_members_vote_twice() {
    let broken = reported(2, Plant::FeignsSyncs, "nobody_votes_twice");
    assert!(broken.trace.iter().any(|line| line.contains(" power cut ")), "{broken}");
}
