//! A fixed sample of seeds, small enough for every run of the tests. `synchronicity-sim run` goes on from there.

use std::collections::BTreeSet;

use synchronicity_sim::role::{HOSTILE, Role};
use synchronicity_sim::run::{Finished, Options, run};
use synchronicity_sim::script::Course;

const SAMPLE: u64 = 12;

fn finished(seed: u64, options: &Options) -> Finished {
    run(seed, options).unwrap_or_else(|broken| panic!("{broken}"))
}

#[test]
fn every_invariant_holds_for_a_fixed_sample_of_seeds() {
    for seed in 0..SAMPLE {
        let finished = finished(seed, &Options::default());
        assert!(finished.entries > 0 && finished.published > 0, "seed {seed} tested nothing");
    }
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in [1, 42, u64::MAX] {
        let options = Options { steps: 150, ..Options::default() };
        assert_eq!(finished(seed, &options), finished(seed, &options));
    }
}

#[test]
fn another_seed_gives_another_history() {
    let options = Options { steps: 50, ..Options::default() };
    assert_ne!(finished(1, &options).trace, finished(2, &options).trace);
}

#[test]
fn groups_of_two_and_of_ten_hold_as_well() {
    for members in [2, 3, 10] {
        finished(7, &Options { members: Some(members), steps: 150, ..Options::default() });
    }
}

#[test]
fn every_invariant_holds_while_members_come_and_go() {
    let mut epochs = 0;
    for seed in 0..SAMPLE {
        let options = Options { course: Course::Changing, ..Options::default() };
        epochs += finished(seed, &options).epochs;
    }
    assert!(epochs > SAMPLE / 2, "{epochs} epochs in all: the sample tests too little");
}

#[test]
fn a_hundred_seeds_deal_every_hostile_role() {
    let options = Options { steps: 0, ..Options::default() };
    let dealt = (0..100).map(|seed| finished(seed, &options).trace[0].clone());
    let words: BTreeSet<String> =
        dealt.flat_map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect();
    for role in HOSTILE.into_iter().chain([Role::Honest]) {
        assert!(words.contains(&role.to_string()), "no seed has a {role}");
    }
}

#[test]
fn the_sample_breaks_every_rule_and_reaches_every_verdict() {
    let mut reached = BTreeSet::new();
    for seed in 0..80 {
        reached.extend(finished(seed, &Options { steps: 250, ..Options::default() }).reached);
    }
    let expected = [
        "reproduced",
        "diverged",
        "unbuildable",
        "inconclusive",
        "AlreadyOpen",
        "AlreadyConcluded",
        "QuotaReached",
        "RoundOver",
        "RoundAhead",
        "TooEarly",
        "TooLate",
        "Duplicate",
        "Equivocation",
        "BadOpening",
    ];
    for name in expected {
        assert!(reached.contains(name), "no seed of the sample reaches {name}: {reached:?}");
    }
}
