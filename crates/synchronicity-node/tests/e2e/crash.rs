//! Nodes killed with SIGKILL, at each phase, and started again.

use std::fs;

use synchronicity_verify::entry::Entry;
use synchronicity_verify::proof::Proof;

use crate::Test;
use crate::devnet::{Ended, data, fixture, run, texts};
use crate::left_over::{containers, no_container_is_left, nothing_is_left};
use crate::machine::Need::{Docker, Embedded};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        Test::new("a_node_killed_while_it_builds_still_does_its_part", &[Embedded], || one("building", "embedded")),
        Test::new("a_node_killed_after_its_commitment_still_opens_it", &[Embedded], || one("committed", "embedded")),
        Test::new("a_node_killed_after_its_reveal_has_the_log_again", &[Embedded], || one("revealed", "embedded")),
        Test::new("a_node_killed_while_docker_builds_leaves_no_container", &[Docker], || one("building", "docker")),
        Test::new("two_of_four_killed_halt_the_group_until_one_returns", &[Embedded], two),
        Test::new("all_nodes_killed_go_on_where_they_were", &[Embedded], all),
    ]
}

/// The fixture that takes longest to compile has nothing slow in it; what matters is that every builder opens.
fn crash(count: &str, at: &str, sandbox: &str) -> Ended {
    let before = containers();
    let ended = run(&[&fixture("plain-binary"), "--sandbox", sandbox, "--crash", count, "--crash-at", at]);
    nothing_is_left(&data());
    no_container_is_left(&before);
    assert_eq!((ended.code, ended.conclusion()["verdict"].as_str()), (0, Some("reproduced")), "{}", ended.stderr);
    ended
}

/// Nothing was lost: every builder has opened its one commitment. Nothing was done twice: one round, one entry.
fn every_builder_did_its_part_once(ended: &Ended) {
    let told = ended.conclusion();
    assert_eq!(texts(&told["agreeing"]).len(), 4, "{told}");
    assert_eq!((&told["index"], &told["log_size"]), (&0.into(), &1.into()));
    let proof = fs::read(ended.results().join("plain-binary-0.1.0.tlog-proof")).unwrap();
    let entry = Entry::from_bytes(&Proof::parse(&proof).unwrap().entry).unwrap();
    assert_eq!(entry.round, 0);
    assert!(entry.members.iter().all(|member| member.opening.is_some()), "{:#?}", entry.members);
}

fn one(at: &str, sandbox: &str) {
    let ended = crash("1", at, sandbox);
    assert_eq!(ended.event("killed")["builder"], "builder-4");
    assert_eq!(ended.event("restarted")["builder"], "builder-4");
    assert!(ended.find("halted").is_none(), "three of four are a quorum");
    every_builder_did_its_part_once(&ended);
}

fn two() {
    let ended = crash("2", "building", "embedded");
    assert_eq!(ended.event("halted")["stood_still"], true, "{:#?}", ended.event("halted"));
    let place = |kind: &str| ended.events.iter().position(|event| event["event"] == kind).unwrap();
    let last_restart = ended.events.iter().rposition(|event| event["event"] == "restarted").unwrap();
    assert!(place("went-on") < last_restart, "it goes on with three, before the fourth is back");
    every_builder_did_its_part_once(&ended);
}

fn all() {
    every_builder_did_its_part_once(&crash("4", "committed", "embedded"));
}
