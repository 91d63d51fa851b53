//! The entry that ends an epoch, and what a replay of the log makes of it.

use proptest::prelude::*;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{Entry, EntryError};
use synchronicity_verify::leaf::{Leaf, LeafError};
use synchronicity_verify::membership::{
    ADDRESS_BYTES_MAX, KEY_NAME_BYTES_MAX, MEMBER_NAME_BYTES_MAX, MEMBERS_MAX, MEMBERSHIP_BYTES_MAX, Member,
    Membership, MembershipEntry, MembershipEntryError as Flaw, MembershipError, approvals_needed, faults, quorum,
};
use synchronicity_verify::note::{KeyKind, Signer};
use synchronicity_verify::replay::{Replay, ReplayError};

use crate::members::{self, EPOCHS, approval, builder, log, member};
use crate::sample;

fn end() -> MembershipEntry {
    EPOCHS[0].end(&EPOCHS[1], &[0, 1, 2])
}

/// The entry after a change, as the strict reader sees it.
fn read(change: impl FnOnce(&mut MembershipEntry)) -> Result<MembershipEntry, Flaw> {
    let mut entry = end();
    change(&mut entry);
    MembershipEntry::from_bytes(&entry.to_bytes())
}

/// Approvals of the changed membership, so that nothing else is wrong with it.
fn changed(change: impl FnOnce(&mut Membership)) -> Result<MembershipEntry, Flaw> {
    read(|entry| {
        change(&mut entry.next);
        let digest = entry.next.digest();
        for voter in &mut entry.members {
            let number = (0..4).find(|number| builder(*number) == voter.builder).unwrap();
            voter.approval = Some(approval(&entry.group, number, &digest));
        }
    })
}

#[test]
fn an_entry_that_ends_an_epoch_reads_back_as_it_was_written() {
    assert_eq!(read(|_| ()), Ok(end()));
    assert_eq!(Leaf::from_bytes(&end().to_bytes()), Ok(Leaf::Membership(end())));
    let build = sample::reproduced();
    assert_eq!(Leaf::from_bytes(&build.to_bytes()), Ok(Leaf::Build(build)));
    assert_eq!(Entry::from_bytes(&end().to_bytes()), Err(EntryError::Membership));
    assert!(matches!(Leaf::from_bytes(&[]), Err(LeafError::Build(EntryError::Cbor(_)))));
}

#[test]
fn no_byte_of_such_an_entry_can_be_changed_unnoticed() {
    let (bytes, group) = (end().to_bytes(), end().group);
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        // What nobody but the log's own root binds: heights, times, roots, names of keys, who was absent.
        if let Ok(other) = MembershipEntry::from_bytes(&flipped) {
            assert_eq!((&other.next, other.group, other.epoch), (&end().next, group, 0), "byte {at}");
        }
        assert!(MembershipEntry::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
    }
    assert!(MembershipEntry::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
}

#[test]
fn approvals_are_counted_and_each_must_hold() {
    let without = |numbers: &'static [usize]| {
        read(move |entry| {
            for voter in &mut entry.members {
                if numbers.iter().any(|number| builder(*number) == voter.builder) {
                    voter.approval = None;
                }
            }
        })
    };
    assert_eq!(without(&[0]), Err(Flaw::TooFew { have: 2, needed: 3 }));
    assert_eq!(without(&[3]), Ok(end()), "who never approved");
    let copied = read(|entry| {
        let some = entry.members.iter().find_map(|voter| voter.approval);
        entry.members.iter_mut().filter(|voter| voter.approval.is_none()).for_each(|voter| voter.approval = some);
    });
    assert_eq!(copied, Err(Flaw::Approval(builder(3))));
    let of_another_group = read(|entry| entry.group = Digest::of(b"another group"));
    assert!(matches!(of_another_group, Err(Flaw::Approval(_))), "{of_another_group:?}");
    let of_other_members = read(|entry| entry.next.members[4].address = "198.51.100.1:4800".to_owned());
    assert!(matches!(of_other_members, Err(Flaw::Approval(_))), "{of_other_members:?}");
}

#[test]
fn epochs_members_and_thresholds_that_cannot_be_are_refused() {
    assert_eq!(read(|entry| entry.schema = 2), Err(Flaw::Schema(2)));
    assert_eq!(changed(|next| next.epoch = 2), Err(Flaw::Epoch { epoch: 0, next: 2 }));
    assert_eq!(read(|entry| entry.epoch = u64::MAX), Err(Flaw::Epoch { epoch: u64::MAX, next: 1 }));
    assert_eq!(read(|entry| entry.members.reverse()), Err(Flaw::Members));
    assert_eq!(read(|entry| entry.threshold = 2), Err(Flaw::Members));
    assert_eq!(read(|entry| entry.members.clear()), Err(Flaw::Members));
    let named = read(|entry| entry.members[0].name = "a name".to_owned());
    assert!(matches!(named, Err(Flaw::MemberName { .. })), "{named:?}");

    let next = |change: fn(&mut Membership)| match changed(change) {
        Err(Flaw::Next(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(next(|next| next.members.clear()), MembershipError::Members);
    assert_eq!(next(|next| next.members.reverse()), MembershipError::Members);
    assert_eq!(next(|next| next.members[1].name = next.members[0].name.clone()), MembershipError::Members);
    let threshold = |threshold, building| MembershipError::Threshold { threshold, members: 5, building };
    assert_eq!(next(|next| next.threshold = 2), threshold(2, 5));
    assert_eq!(next(|next| next.threshold = 6), threshold(6, 5));
    assert_eq!(next(|next| next.members[..3].iter_mut().for_each(|member| member.absent = true)), threshold(3, 2));
    assert_eq!(next(|next| next.members[0].name.clear()), MembershipError::Length(String::new()));
    let twice = next(|next| next.members[1].consensus = next.members[0].builder.0);
    assert_eq!(twice, MembershipError::SharedKey("builder-1".to_owned()));
    let log_key = next(|next| next.members[0].cosigner = sample::log_signer().verifier_key().clone());
    assert_eq!(log_key, MembershipError::Kind("builder-0".to_owned()));
}

#[test]
fn the_largest_membership_fits_its_bytes_and_its_entry() {
    let long = |number: usize| Member {
        name: format!("{number:0>width$}", width = MEMBER_NAME_BYTES_MAX),
        cosigner: {
            let name = format!("{number:0>width$}", width = KEY_NAME_BYTES_MAX);
            Signer::from_seed(&name, KeyKind::Cosigner, &[number as u8; 32]).unwrap().verifier_key().clone()
        },
        address: format!("{number:x>width$}", width = ADDRESS_BYTES_MAX),
        ..member(number)
    };
    let members: Vec<Member> = (0..MEMBERS_MAX).map(long).collect();
    let next = Membership { epoch: u64::MAX, threshold: 31, members };
    let bytes = next.to_bytes();
    assert!(bytes.len() <= MEMBERSHIP_BYTES_MAX, "{} bytes", bytes.len());
    assert_eq!(Membership::from_bytes(&bytes), Ok(next));
    // And as many voters, whose names and signatures are some 260 bytes each.
    assert!(bytes.len() + MEMBERS_MAX * 300 + 512 < synchronicity_verify::entry::ENTRY_BYTES_MAX);
}

#[test]
fn whoever_must_approve_is_never_fewer_than_who_must_cosign() {
    for members in 1..=MEMBERS_MAX {
        for threshold in members / 2 + 1..=members {
            let (needed, quorum) = (approvals_needed(members, threshold as u16), quorum(members, threshold as u16));
            assert!(needed >= quorum && needed <= members, "{members} members, threshold {threshold}");
            assert!(2 * quorum > members + faults(members), "two quorums share an honest member");
        }
    }
}

fn replay(change: impl FnOnce(&mut Vec<Leaf>)) -> Result<Replay, ReplayError> {
    let mut log = log();
    change(&mut log);
    members::state_roots(&mut log);
    let mut replay = Replay::new();
    log.iter().try_for_each(|leaf| replay.append(&leaf.to_bytes()).map(drop))?;
    Ok(replay)
}

#[test]
fn a_replay_follows_the_group_through_its_epochs() {
    let replayed = replay(|_| ()).unwrap();
    assert_eq!(replayed.size(), 5);
    // An epoch in which nothing was built.
    assert!(replay(|log| drop(log.remove(2))).is_err(), "the attempts are numbered");
    let idle = replay(|log| {
        log.remove(2);
        build(log, 3).round = 1;
    });
    assert!(idle.is_ok(), "{idle:?}");
    assert!(replay(|log| log.truncate(2)).is_ok());
}

fn build(log: &mut [Leaf], index: usize) -> &mut Entry {
    match &mut log[index] {
        Leaf::Build(entry) => entry,
        Leaf::Membership(_) => panic!("entry {index} is of no build"),
    }
}

fn change(log: &mut [Leaf], index: usize) -> &mut MembershipEntry {
    match &mut log[index] {
        Leaf::Membership(entry) => entry,
        Leaf::Build(_) => panic!("entry {index} is of a build"),
    }
}

#[test]
fn an_epoch_begins_by_an_entry_that_says_so_and_not_otherwise() {
    let skipped = replay(|log| drop(log.remove(1))).unwrap_err();
    assert_eq!(skipped, ReplayError::Epoch { expected: 0, found: 1 });
    let twice = replay(|log| log.insert(2, log[1].clone())).unwrap_err();
    assert_eq!(twice, ReplayError::Epoch { expected: 1, found: 0 });
    let old = replay(|log| build(log, 2).epoch = 0).unwrap_err();
    assert_eq!(old, ReplayError::Epoch { expected: 1, found: 0 });
}

#[test]
fn who_follows_is_who_was_agreed_on() {
    assert_eq!(replay(|log| build(log, 2).group = EPOCHS[0].group()).unwrap_err(), ReplayError::Group(1));
    assert_eq!(replay(|log| build(log, 2).threshold = 4).unwrap_err(), ReplayError::Group(1));
    assert_eq!(replay(|log| drop(build(log, 2).members.remove(0))).unwrap_err(), ReplayError::Group(1));
    assert_eq!(replay(|log| build(log, 2).members[0].name += "-renamed").unwrap_err(), ReplayError::Group(1));
    // The voters are the members of the epoch that ends.
    assert_eq!(replay(|log| change(log, 1).members[3].name += "-renamed").unwrap_err(), ReplayError::Group(0));
}

#[test]
fn the_end_of_an_epoch_is_the_last_entry_of_its_block() {
    let in_its_block = replay(|log| {
        let end = (change(log, 1).height, change(log, 1).time_ms);
        let entry = build(log, 2);
        (entry.height, entry.time_ms) = end;
    });
    assert!(matches!(in_its_block, Err(ReplayError::Order { .. })), "{in_its_block:?}");
    let verdict_in_its_block = replay(|log| {
        let end = (change(log, 1).height, change(log, 1).time_ms);
        let entry = build(log, 0);
        (entry.height, entry.time_ms) = end;
    });
    assert!(verdict_in_its_block.is_ok(), "{verdict_in_its_block:?}");
}

#[test]
fn a_wrong_root_of_the_map_is_found_there_too() {
    let mut log = log();
    log[1].state_map_root(Digest::of(b"another root"));
    let mut replay = Replay::new();
    replay.append(&log[0].to_bytes()).unwrap();
    assert!(matches!(replay.append(&log[1].to_bytes()), Err(ReplayError::MapRoot { .. })));
    assert_eq!(replay.size(), 1);
}

proptest! {
    #[test]
    fn no_bytes_make_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Membership::from_bytes(&bytes);
        let _ = MembershipEntry::from_bytes(&bytes);
        let _ = Leaf::from_bytes(&[&[0xaa, 0, 3], bytes.as_slice()].concat());
    }
}
