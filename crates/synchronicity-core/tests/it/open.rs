//! What the log does not say: its bytes, its digest, and the machine that it completes.

use synchronicity_core::machine::{Executed, Machine};
use synchronicity_core::open::{NOTHING_OPEN, OPEN_STATE_BYTES_MAX, OpenStateError};
use synchronicity_core::resume::{ResumeError, Resuming};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::result::{BuildResult, Failure};

use crate::stage::{Stage, built, request};

fn resumed(stage: &Stage, open: &[u8]) -> Result<Machine, ResumeError> {
    let mut resuming = Resuming::new();
    stage.entries.iter().for_each(|entry| _ = resuming.append(entry).unwrap());
    resuming.finish_at(stage.group.clone(), &stage.machine.executed(), open)
}

/// Two rounds of which one has everything that a round can have, an attempt that has to be repeated, and a verdict.
fn busy() -> Stage {
    let mut stage = Stage::of(4);
    stage.conclude(&request("done"), &[built("x"), built("x"), built("x"), built("x")]);
    let network = BuildResult::Failed(Failure::Network);
    stage.conclude(&request("again"), &[built("x"), built("y"), built("z"), network]);
    open_two(&mut stage);
    stage
}

fn open_two(stage: &mut Stage) {
    let id = stage.open(&request("a"));
    stage.commit(0, id, &built("x")).unwrap();
    stage.commit(0, id, &built("y")).unwrap_err();
    (1..4).for_each(|member| stage.commit(member, id, &built("y")).unwrap());
    stage.reveal(1, id, &built("y")).unwrap();
    stage.open(&request("b"));
}

#[test]
fn where_nothing_is_open_the_digest_is_a_constant() {
    let mut stage = Stage::of(4);
    assert_eq!((stage.machine.open_digest(), Executed::NOTHING.open), (NOTHING_OPEN, NOTHING_OPEN));
    stage.conclude(&request("a"), &[built("x"), built("x"), built("x"), built("x")]);
    assert_eq!(stage.machine.open_digest(), NOTHING_OPEN);
    let fresh = Machine::new(stage.group.clone());
    assert_eq!(stage.machine.open_state(), fresh.open_state());
    assert_eq!(NOTHING_OPEN, Digest::tagged("synchronicity/open-state/v1", &[&fresh.open_state()]));
}

#[test]
fn log_and_open_state_are_the_whole_machine_and_its_digest_tells_one_from_another() {
    let stage = busy();
    let resumed = resumed(&stage, &stage.machine.open_state()).unwrap();
    assert_eq!(resumed.executed(), stage.machine.executed());
    assert_eq!(resumed.open_rounds().collect::<Vec<_>>(), stage.machine.open_rounds().collect::<Vec<_>>());
    assert_eq!(resumed.lock(&request("a").id()), stage.machine.lock(&request("a").id()));
    assert_eq!(resumed.next_round(&request("again").id()), Some(1));

    let mut other = busy();
    other.reveal(2, request("a").id(), &built("y")).unwrap();
    assert_ne!(other.machine.open_digest(), stage.machine.open_digest());
}

#[test]
fn results_that_are_recalled_are_those_whose_digests_the_log_has_and_change_no_state() {
    let stage = busy();
    let (again, done) = (request("again").id(), request("done").id());
    let mut resuming = Resuming::new();
    stage.entries.iter().for_each(|entry| _ = resuming.append(entry).unwrap());
    let network = BuildResult::Failed(Failure::Network);
    for result in [built("x"), built("z"), network.clone(), built("never revealed")] {
        resuming.recall(&again, result);
    }
    resuming.recall(&done, built("y"));
    resuming.recall(&request("never-asked").id(), built("x"));
    let executed = stage.machine.executed();
    let machine = resuming.finish_at(stage.group.clone(), &executed, &stage.machine.open_state()).unwrap();
    assert_eq!(machine.executed(), executed);
    let told = |machine: &Machine, member: usize| {
        let round = machine.round(&again).unwrap();
        round.result(&stage.builder(member)).cloned()
    };
    for member in [0, 2, 3] {
        assert_eq!(told(&machine, member), told(&stage.machine, member), "{member}");
    }
    assert_eq!((told(&machine, 3), told(&machine, 1)), (Some(network), None), "what nobody kept is not known");
    assert_eq!(machine.round(&again).unwrap().results().count(), 3);
    assert_eq!(machine.round(&done).unwrap().results().count(), 1);
}

#[test]
fn bytes_that_are_cut_or_changed_anywhere_are_refused() {
    let mut stage = Stage::of(4);
    open_two(&mut stage);
    let bytes = stage.machine.open_state();
    for end in 0..bytes.len() {
        assert!(resumed(&stage, &bytes[..end]).is_err(), "cut after {end} bytes");
    }
    assert!(resumed(&stage, &[bytes.as_slice(), &[0]].concat()).is_err());
    for at in 0..bytes.len() {
        for flip in [1, 0x20] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            assert!(resumed(&stage, &changed).is_err(), "byte {at} is bound by nothing");
        }
    }
    let longest = vec![0; OPEN_STATE_BYTES_MAX + 1];
    let refused = resumed(&stage, &longest).unwrap_err();
    assert_eq!(refused, ResumeError::Open(OpenStateError::TooLong(OPEN_STATE_BYTES_MAX + 1)));
}

#[test]
fn an_open_state_is_refused_with_another_group_with_another_log_and_before_its_log_ends() {
    let stage = busy();
    let open = stage.machine.open_state();
    let at = stage.machine.executed();
    let finish = |entries: usize, group, at| {
        let mut resuming = Resuming::new();
        stage.entries[..entries].iter().for_each(|entry| _ = resuming.append(entry).unwrap());
        resuming.finish_at(group, &at, &open)
    };
    let other = Stage::of(5).group;
    assert!(matches!(finish(2, other.clone(), at), Err(ResumeError::OtherGroup { .. })));
    assert!(matches!(finish(1, stage.group.clone(), at), Err(ResumeError::OtherLog { .. })));
    let empty = Executed { log_size: 0, log_root: Executed::NOTHING.log_root, ..at };
    assert!(matches!(finish(0, other, empty), Err(ResumeError::Open(OpenStateError::Impossible(_)))));
    let early = Executed { height: 3, time_ms: 3, ..at };
    assert!(matches!(finish(2, stage.group.clone(), early), Err(ResumeError::Behind { .. })));
    let time_ms = stage.machine.round(&request("a").id()).unwrap().deadline_ms().unwrap();
    let late = finish(2, stage.group.clone(), Executed { time_ms, ..at });
    assert!(matches!(late, Err(ResumeError::Open(OpenStateError::Impossible(_)))));
    let elsewhere = finish(2, stage.group.clone(), Executed { open: NOTHING_OPEN, ..at });
    assert_eq!(elsewhere, Err(ResumeError::OtherOpen(at.height)));

    // A round that the log has a final verdict of cannot be open.
    let mut longer = busy();
    let id = request("a").id();
    [0, 2, 3]
        .into_iter()
        .for_each(|member| longer.reveal(member, id, &built(if member == 0 { "x" } else { "y" })).unwrap());
    assert!(matches!(resumed(&longer, &open), Err(ResumeError::Open(OpenStateError::Impossible(_)))));
}
