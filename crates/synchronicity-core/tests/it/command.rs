//! What is a command, and what only looks like one.

use std::collections::BTreeSet;

use proptest::prelude::*;
use synchronicity_core::command::{
    Action, BATCH_COMMANDS_MAX, COMMAND_BYTES_MAX, Command, CommandError, CommandKey, LOCK_BYTES_MAX,
};
use synchronicity_core::group::Group;
use synchronicity_verify::digest::Digest;

use crate::stage::{LOCK, Stage, built, charter, commit, request, reveal, submit};

fn one_of_each(stage: &Stage) -> [Command; 3] {
    let (me, id) = (stage.builder(0), request("a").id());
    let actions = [submit(&request("a"), 0), commit(me, id, 0, &built("x")), reveal(me, id, 3, &built("x"))];
    actions.map(|action| stage.sign(0, action))
}

#[test]
fn a_command_reads_back_as_it_was_signed() {
    let stage = Stage::of(4);
    for command in one_of_each(&stage) {
        let read = Command::from_bytes(&command.to_bytes(), &stage.group).unwrap();
        assert_eq!(read, command);
        assert_eq!((read.author(), read.group()), (stage.builder(0), stage.group.id()));
    }
}

#[test]
fn no_byte_of_a_command_can_be_flipped_dropped_or_added() {
    let stage = Stage::of(4);
    assert_only_readable_whole(&one_of_each(&stage), &stage.group);
}

fn assert_only_readable_whole(commands: &[Command], group: &Group) {
    for bytes in commands.iter().map(Command::to_bytes) {
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            assert!(Command::from_bytes(&flipped, group).is_err(), "byte {at} flipped");
            assert!(Command::from_bytes(&bytes[..at], group).is_err(), "cut at {at}");
        }
        assert!(Command::from_bytes(&[bytes.as_slice(), &[0]].concat(), group).is_err());
    }
}

#[test]
fn a_stranger_signs_no_command() {
    let stage = Stage::of(4);
    let stranger = CommandKey::from_seed([42; 32]);
    let refused = Command::sign(&stranger, &stage.group, submit(&request("a"), 0));
    assert_eq!(refused, Err(CommandError::NotAMember(stranger.id())));

    let larger = Stage::of(5);
    let former = larger.keys.iter().position(|key| stage.group.member(&key.id()).is_none()).unwrap();
    let bytes = larger.sign(former, submit(&request("a"), 0)).to_bytes();
    let refused = Command::from_bytes(&bytes, &stage.group);
    assert_eq!(refused, Err(CommandError::NotAMember(larger.builder(former))));
}

#[test]
fn a_command_signed_for_one_group_is_not_valid_in_another_with_the_same_members() {
    let stage = Stage::of(4);
    let mut next = charter(4, 3);
    next.epoch += 1;
    let next = Group::new(next).unwrap();
    let bytes = stage.sign(0, submit(&request("a"), 0)).to_bytes();
    assert_eq!(Command::from_bytes(&bytes, &next), Err(CommandError::BadSignature(stage.builder(0))));
}

#[test]
fn the_identity_is_of_the_statement_not_of_its_signature() {
    let stage = Stage::of(4);
    let [first, second, third] = one_of_each(&stage);
    assert_eq!(first.id(), one_of_each(&stage)[0].id());
    assert!(first.id() != second.id() && second.id() != third.id());
    assert_ne!(first.id(), stage.sign(1, submit(&request("a"), 0)).id());
}

#[test]
fn a_submission_carries_the_lock_that_it_pins() {
    let stage = Stage::of(4);
    let mut wanted = request("a");
    wanted.lock.sha256 = Digest::of(b"another lock");
    let refused = Command::sign(&stage.keys[0], &stage.group, submit(&wanted, 0));
    let mismatch = CommandError::LockMismatch { found: Digest::of(LOCK), pinned: wanted.lock.sha256 };
    assert_eq!(refused, Err(mismatch));
}

#[test]
fn the_largest_submission_fits_and_a_larger_lock_is_refused() {
    let stage = Stage::of(4);
    let sized = |bytes: usize| {
        let lock = vec![b'#'; bytes];
        let mut wanted = request("a");
        wanted.lock.sha256 = Digest::of(&lock);
        let action = Action::Submit { request: wanted, lock, round: 0 };
        Command::sign(&stage.keys[0], &stage.group, action)
    };
    let largest = sized(LOCK_BYTES_MAX).unwrap().to_bytes();
    assert!(largest.len() < COMMAND_BYTES_MAX);
    assert!(Command::from_bytes(&largest, &stage.group).is_ok());
    assert_eq!(sized(LOCK_BYTES_MAX + 1), Err(CommandError::LockTooLong(LOCK_BYTES_MAX + 1)));
    let refused = Command::from_bytes(&vec![0; COMMAND_BYTES_MAX + 1], &stage.group);
    assert_eq!(refused, Err(CommandError::TooLong(COMMAND_BYTES_MAX + 1)));
}

fn commitments(stage: &Stage, count: u8) -> Vec<Action> {
    let me = stage.builder(0);
    (0..count).map(|number| commit(me, request(&format!("crate-{number}")).id(), 0, &built("x"))).collect()
}

#[test]
fn commands_that_were_signed_together_are_the_same_commands_each_readable_alone() {
    let stage = Stage::of(4);
    for count in [0, 1, 2, 3, 63, 64, 65, 130] {
        let actions = commitments(&stage, count);
        let commands = Command::sign_all(&stage.keys[0], &stage.group, actions.clone()).unwrap();
        assert_eq!(commands.len(), usize::from(count));
        for (command, action) in commands.iter().zip(actions) {
            assert_eq!(command.id(), stage.sign(0, action).id());
            assert_eq!(Command::from_bytes(&command.to_bytes(), &stage.group).as_ref(), Ok(command));
        }
        let signatures: BTreeSet<_> = commands.iter().map(Command::signature).collect();
        assert_eq!(signatures.len(), usize::from(count).div_ceil(BATCH_COMMANDS_MAX));
    }
}

#[test]
fn no_byte_of_a_command_in_a_batch_can_be_flipped_dropped_or_added() {
    let stage = Stage::of(4);
    let commands = Command::sign_all(&stage.keys[0], &stage.group, commitments(&stage, 7)).unwrap();
    assert_only_readable_whole(&commands, &stage.group);
}

#[test]
fn an_approval_is_signed_alone_and_so_is_what_was_to_be_signed_beside_it() {
    let stage = Stage::of(4);
    let mut actions = commitments(&stage, 2);
    actions.push(Action::Approve { membership: Digest::of(b"members") });
    let commands = Command::sign_all(&stage.keys[0], &stage.group, actions.clone()).unwrap();
    let alone: Vec<Command> = actions.into_iter().map(|action| stage.sign(0, action)).collect();
    assert_eq!(commands, alone);
}

#[test]
fn an_approval_with_the_signature_of_a_batch_is_refused() {
    let stage = Stage::of(4);
    let approval = stage.sign(0, Action::Approve { membership: Digest::of(b"members") }).to_bytes();
    let commitment =
        Command::sign_all(&stage.keys[0], &stage.group, commitments(&stage, 2)).unwrap().remove(0).to_bytes();
    // A signature alone is 66 bytes; in a batch of two, an array with index, size, and a path of one.
    let (alone, in_batch) = (66, 1 + 66 + 1 + 1 + 1 + 34);
    let forged = [&approval[..approval.len() - alone], &commitment[commitment.len() - in_batch..]].concat();
    let refused = Command::from_bytes(&forged, &stage.group);
    assert!(matches!(&refused, Err(CommandError::Malformed(reason)) if reason.contains("approval")), "{refused:?}");
}

#[test]
fn a_key_in_a_trace_is_its_public_half() {
    let key = CommandKey::from_seed([42; 32]);
    assert_eq!(format!("{key:?}"), format!("CommandKey({})", key.id()));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let stage = Stage::of(1);
        prop_assert!(Command::from_bytes(&bytes, &stage.group).is_err());
    }
}
