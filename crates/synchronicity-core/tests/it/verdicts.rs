//! Every verdict, and who is named in its entry.

use synchronicity_core::group::{KEY_NAME_BYTES_MAX, MEMBERS_MAX};
use synchronicity_core::round::Phase;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{ENTRY_BYTES_MAX, Verdict};
use synchronicity_verify::merkle;
use synchronicity_verify::result::{ARTIFACTS_MAX, Artifact, Artifacts, BuildResult, Failure};

use crate::stage::{Stage, built, indices, request};

#[test]
fn identical_artifacts_from_everybody_are_reproduced() {
    let mut stage = Stage::of(4);
    let entry = stage.conclude(&request("a"), &[built("x"), built("x"), built("x"), built("x")]);
    assert_eq!(entry.verdict, Verdict::Reproduced);
    assert_eq!(entry.agreed, Some(built("x")));
    assert_eq!(entry.agreeing().count(), 4);
    assert_eq!(entry.group, stage.group.id());
    assert_eq!(entry.height, stage.machine.executed().height);
    assert_eq!(entry.time_ms, stage.machine.executed().time_ms);
}

#[test]
fn exactly_threshold_identical_results_are_enough_and_the_dissenter_is_named() {
    let mut stage = Stage::of(4);
    let entry = stage.conclude(&request("a"), &[built("x"), built("x"), built("lie"), built("x")]);
    assert_eq!(entry.verdict, Verdict::Reproduced);
    let dissenters: Vec<_> = entry.dissenting().map(|member| member.builder).collect();
    assert_eq!(dissenters, vec![stage.builder(2)]);
}

#[test]
fn two_against_two_diverge() {
    let mut stage = Stage::of(4);
    let entry = stage.conclude(&request("a"), &[built("x"), built("y"), built("x"), built("y")]);
    assert_eq!((entry.verdict, entry.agreed), (Verdict::Diverged, None));
}

#[test]
fn the_same_named_failure_from_threshold_builders_is_unbuildable() {
    let mut stage = Stage::of(4);
    let failed = BuildResult::Failed(Failure::Network);
    let entry = stage.conclude(&request("a"), &[failed.clone(), failed.clone(), failed.clone(), built("x")]);
    assert_eq!((entry.verdict, entry.agreed), (Verdict::Unbuildable, Some(failed)));
}

#[test]
fn different_failures_are_no_agreement() {
    let mut stage = Stage::of(3);
    let failures = [Failure::Network, Failure::Time, Failure::Memory].map(BuildResult::Failed);
    let entry = stage.conclude(&request("a"), &failures);
    assert_eq!(entry.verdict, Verdict::Diverged);
}

#[test]
fn a_round_in_which_nobody_commits_is_inconclusive() {
    let mut stage = Stage::of(4);
    let id = stage.open(&request("a"));
    let applied = stage.pass_deadline(id);
    assert_eq!(indices(&applied), [0]);
    assert_eq!(stage.last_entry().verdict, Verdict::Inconclusive);
    assert_eq!(stage.last_entry().silent().count(), 4);
}

#[test]
fn commitments_that_nobody_opens_are_inconclusive() {
    let mut stage = Stage::of(4);
    let id = stage.open(&request("a"));
    for member in 0..4 {
        stage.commit(member, id, &built("x")).unwrap();
    }
    stage.pass_deadline(id);
    let entry = stage.last_entry();
    assert_eq!(entry.verdict, Verdict::Inconclusive);
    assert!(entry.members.iter().all(|member| member.commitment.is_some() && member.opening.is_none()));
}

#[test]
fn fewer_reveals_than_threshold_are_inconclusive_even_if_they_agree() {
    let mut stage = Stage::of(4);
    let id = stage.open(&request("a"));
    for member in 0..4 {
        stage.commit(member, id, &built("x")).unwrap();
    }
    for member in 0..2 {
        stage.reveal(member, id, &built("x")).unwrap();
    }
    stage.pass_deadline(id);
    assert_eq!(stage.last_entry().verdict, Verdict::Inconclusive);
}

#[test]
fn one_silent_member_of_four_does_not_stop_the_group_and_is_named() {
    let mut stage = Stage::of(4);
    let id = stage.open(&request("a"));
    for member in [0, 1, 3] {
        stage.commit(member, id, &built("x")).unwrap();
    }
    stage.pass_deadline(id);
    for member in [0, 1, 3] {
        stage.reveal(member, id, &built("x")).unwrap();
    }
    let entry = stage.last_entry();
    assert_eq!(entry.verdict, Verdict::Reproduced);
    let silent: Vec<_> = entry.silent().map(|member| member.builder).collect();
    assert_eq!(silent, vec![stage.builder(2)]);
}

#[test]
fn the_verdict_stands_in_the_round_with_what_each_member_revealed() {
    let mut stage = Stage::of(3);
    let wanted = request("a");
    stage.conclude(&wanted, &[built("x"), built("x"), built("y")]);
    let round = stage.machine.round(&wanted.id()).unwrap();
    assert_eq!(round.phase(), Phase::Concluded { index: 0, verdict: Verdict::Reproduced });
    assert_eq!(round.result(&stage.builder(2)), Some(&built("y")));
}

#[test]
fn every_entry_that_was_handed_out_is_proved_by_the_root_of_the_log() {
    let mut stage = Stage::of(2);
    for name in ["a", "b", "c", "d", "e"] {
        stage.conclude(&request(name), &[built(name), built(name)]);
    }
    let (log, leaves) = (stage.machine.log(), stage.leaves());
    for index in 0..log.size() {
        let path = merkle::inclusion_proof(&leaves, log.size(), index).unwrap();
        merkle::verify_inclusion(&leaves[index as usize], index, log.size(), &path, &log.root()).unwrap();
    }
}

#[test]
fn the_largest_entry_that_can_arise_is_one_that_clients_read() {
    let members = u8::try_from(MEMBERS_MAX).unwrap();
    let mut stage = Stage::of(members);
    // The stage's key names are shorter than the longest: count what they leave out.
    let names: usize = stage.group.members().iter().map(|member| member.cosigner.name().len()).sum();
    let missing = MEMBERS_MAX * KEY_NAME_BYTES_MAX - names;
    let mut wanted = request("a");
    for number in 0.. {
        wanted.features.named.push(format!("{number:064}"));
        if wanted.check().is_err() {
            wanted.features.named.pop();
            break;
        }
    }
    let artifact = |number: usize| Artifact {
        name: format!("{number:0128}").parse().unwrap(),
        size: u64::MAX,
        sha256: Digest::of(&number.to_be_bytes()),
    };
    let result = BuildResult::Built(Artifacts::new((0..ARTIFACTS_MAX).map(artifact).collect()).unwrap());
    let entry = stage.conclude(&wanted, &vec![result; MEMBERS_MAX]);
    assert_eq!(entry.verdict, Verdict::Reproduced);
    assert!(entry.to_bytes().len() + missing < ENTRY_BYTES_MAX);
}
