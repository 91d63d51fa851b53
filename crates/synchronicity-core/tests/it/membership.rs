//! From one epoch to the next: who decides, when it ends, and what counts after.

use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::{Action, Command, CommandError};
use synchronicity_core::duties::{Duty, duties};
use synchronicity_core::group::{Group, GroupError};
use synchronicity_core::journal::Journal;
use synchronicity_core::machine::{ApplyError, Machine};
use synchronicity_core::membership::MAX_PROPOSALS_PER_AUTHOR;
use synchronicity_core::rejection::Rejection;
use synchronicity_core::resume::{ResumeError, Resuming};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::membership::{Membership, MembershipEntry, approval_message};
use synchronicity_verify::replay::Replay;

use crate::stage::{Stage, built, charter, request, submit};

/// The stage's members and one more.
fn with_a_fifth(stage: &Stage) -> Membership {
    let mut fifth = Group::new(charter(5, 3)).unwrap().membership();
    fifth.epoch = stage.group.epoch() + 1;
    fifth
}

fn propose(stage: &mut Stage, member: usize, membership: &Membership) -> Result<(), Rejection> {
    stage.act(member, Action::Propose { membership: membership.clone() })
}

fn approve(stage: &mut Stage, member: usize, membership: &Membership) -> Result<(), Rejection> {
    stage.act(member, Action::Approve { membership: membership.digest() })
}

fn last_change(stage: &Stage) -> MembershipEntry {
    match Leaf::from_bytes(stage.last_bytes()).unwrap() {
        Leaf::Membership(entry) => entry,
        Leaf::Build(_) => panic!("the last entry is of a build"),
    }
}

#[test]
fn the_epoch_ends_when_enough_members_have_approved_and_the_log_says_who_follows() {
    let mut stage = Stage::of(4);
    let next = with_a_fifth(&stage);
    propose(&mut stage, 0, &next).unwrap();
    for member in 0..2 {
        approve(&mut stage, member, &next).unwrap();
        assert!(stage.machine.agreed().is_none(), "3 of 4 must approve");
    }
    approve(&mut stage, 3, &next).unwrap();
    let entry = last_change(&stage);
    assert_eq!((entry.epoch, &entry.next, entry.height), (0, &next, stage.machine.executed().height));
    assert_eq!(stage.machine.closed().unwrap().id(), entry.next_group);
    let silent: Vec<_> = entry.members.iter().filter(|voter| voter.approval.is_none()).collect();
    assert_eq!(silent.iter().map(|voter| voter.builder).collect::<Vec<_>>(), [stage.builder(2)]);
    assert_eq!(entry.next_group, stage.group.followed_by(&next).unwrap().id());
}

#[test]
fn what_an_approval_signs_is_what_the_verifier_takes_it_to_sign() {
    let stage = Stage::of(4);
    let digest = with_a_fifth(&stage).digest();
    let command = stage.sign(1, Action::Approve { membership: digest });
    let key = ed25519_dalek::VerifyingKey::from_bytes(&stage.builder(1).0).unwrap();
    let message = approval_message(&stage.group.id(), &stage.builder(1), &digest);
    let signature = ed25519_dalek::Signature::from_bytes(&command.signature());
    assert!(key.verify_strict(&message, &signature).is_ok());
}

#[test]
fn open_rounds_go_on_to_their_verdicts_and_no_new_one_opens_before_the_epoch_ends() {
    let mut stage = Stage::of(4);
    let (id, next) = (stage.open(&request("a")), with_a_fifth(&stage));
    propose(&mut stage, 0, &next).unwrap();
    (0..3).for_each(|member| approve(&mut stage, member, &next).unwrap());
    assert!(stage.machine.closed().is_none());
    assert_eq!(stage.act(1, submit(&request("b"), 0)), Err(Rejection::EpochEnds));
    assert_eq!(approve(&mut stage, 3, &next), Err(Rejection::EpochEnds));
    assert_eq!(propose(&mut stage, 1, &next), Err(Rejection::EpochEnds));
    for member in 0..4 {
        stage.commit(member, id, &built("x")).unwrap();
    }
    for member in 0..4 {
        assert!(stage.machine.closed().is_none());
        stage.reveal(member, id, &built("x")).unwrap();
    }
    let entry = last_change(&stage);
    assert_eq!((stage.machine.log().size(), entry.height), (2, stage.machine.executed().height));
}

#[test]
fn a_deadline_that_passes_ends_the_last_round_and_with_it_the_epoch() {
    let mut stage = Stage::of(4);
    let (id, next) = (stage.open(&request("a")), with_a_fifth(&stage));
    propose(&mut stage, 0, &next).unwrap();
    (0..3).for_each(|member| approve(&mut stage, member, &next).unwrap());
    let applied = stage.pass_deadline(id);
    assert_eq!((applied.logged.len(), stage.machine.closed().is_some()), (2, true));
}

#[test]
fn nothing_counts_after_the_last_block_until_the_next_epoch_begins() {
    let mut stage = closed();
    let (height, time_ms) = (stage.machine.executed().height, stage.machine.executed().time_ms);
    let late = stage.sign(0, submit(&request("late"), 0));
    assert_eq!(stage.machine.screen(&late), Err(Rejection::EpochOver));
    let block = OrderedBlock { height: height + 1, time_ms: time_ms + 1, commands: vec![late.clone()] };
    assert_eq!(stage.machine.apply(&block), Err(ApplyError::EpochOver));
    assert_eq!(stage.machine.skip_to(height + 1, time_ms + 1), Err(ApplyError::EpochOver));
    assert_eq!(stage.machine.executed().height, height);
    assert!(stage.machine.begin_epoch());
    assert!(!stage.machine.begin_epoch());
    assert_eq!(stage.machine.begun(), stage.machine.executed());
    assert_eq!(stage.machine.screen(&late), Err(Rejection::OtherGroup), "signed for the group of the epoch before");
}

#[test]
fn members_in_force_cosign_the_end_of_their_epoch_also_those_who_leave() {
    let mut stage = Stage::of(4);
    let mut next = stage.group.membership();
    next.members.remove(3);
    next.threshold = 2;
    propose(&mut stage, 0, &next).unwrap();
    (0..3).for_each(|member| approve(&mut stage, member, &next).unwrap());
    let leaving = stage.builder(3);
    let (size, root) = (stage.machine.log().size(), stage.machine.log().root());
    assert_eq!(duties(&stage.machine, &Journal::new(), leaving), [Duty::Cosign { size, root }]);
    stage.machine.begin_epoch();
    assert_eq!(duties(&stage.machine, &Journal::new(), leaving), []);
}

#[test]
fn a_removed_member_signs_no_command_of_the_next_epoch() {
    let stage = closed();
    let mut next = stage.group.membership();
    next.members.remove(0);
    next.threshold = 2;
    let group = stage.group.followed_by(&next).unwrap();
    let action = submit(&request("a"), 0);
    let removed = stage.keys.iter().find(|key| group.member(&key.id()).is_none()).unwrap();
    assert_eq!(Command::sign(removed, &group, action.clone()), Err(CommandError::NotAMember(removed.id())));
    let kept = stage.keys.iter().find(|key| group.member(&key.id()).is_some()).unwrap();
    let old = Command::sign(kept, &stage.group, action).unwrap().to_bytes();
    assert_eq!(Command::from_bytes(&old, &group), Err(CommandError::BadSignature(kept.id())));
}

#[test]
fn an_absent_member_is_not_waited_for_and_not_silent() {
    let mut charter = charter(4, 3);
    charter.members[3].absent = true;
    let mut stage = Stage::of_group(Group::new(charter).unwrap());
    let id = stage.open(&request("a"));
    assert_eq!(duties(&stage.machine, &Journal::new(), stage.builder(3)), []);
    assert_eq!(stage.commit(3, id, &built("x")), Err(Rejection::Absent));
    for member in 0..3 {
        stage.commit(member, id, &built("x")).unwrap();
    }
    for member in 0..3 {
        stage.reveal(member, id, &built("x")).unwrap();
    }
    let entry = stage.last_entry();
    assert_eq!((entry.members.len(), entry.silent().count(), entry.agreeing().count()), (3, 0, 3));
}

#[test]
fn absence_is_part_of_the_identity_and_leaves_enough_to_agree() {
    let with = |absent: &[usize]| {
        let mut charter = charter(4, 3);
        absent.iter().for_each(|member| charter.members[*member].absent = true);
        Group::new(charter)
    };
    assert_ne!(with(&[0]).unwrap().id(), with(&[]).unwrap().id());
    assert_ne!(with(&[0]).unwrap().id(), with(&[1]).unwrap().id());
    assert_eq!(with(&[0, 1]), Err(GroupError::Absent { threshold: 3, building: 2 }));
    let group = with(&[2]).unwrap();
    assert_eq!(Group::parse(&group.to_text()).unwrap(), group);
    assert!(!with(&[]).unwrap().to_text().contains("absent"), "older programs must read it");
}

#[test]
fn only_members_that_make_a_group_of_the_next_epoch_can_be_proposed() {
    let mut stage = Stage::of(4);
    let mut refused = |change: fn(&mut Membership)| {
        let mut next = with_a_fifth(&Stage::of(4));
        change(&mut next);
        stage.act(0, Action::Propose { membership: next })
    };
    assert_eq!(refused(|next| next.epoch = 2), Err(Rejection::NoSuccessor));
    assert_eq!(refused(|next| next.members[0].name = "builders".into()), Err(Rejection::NoSuccessor));
    assert_eq!(refused(|next| next.members[0].address = "nowhere".into()), Err(Rejection::NoSuccessor));
    assert_eq!(refused(|_| ()), Ok(()));
    assert_eq!(refused(|_| ()), Err(Rejection::Duplicate));
}

#[test]
fn a_later_proposal_of_a_member_replaces_its_own_with_the_approvals_and_nobody_elses() {
    let mut stage = Stage::of(4);
    let (first, mut second, mut third) = (with_a_fifth(&stage), stage.group.membership(), stage.group.membership());
    second.threshold = 4;
    third.members[0].absent = true;
    propose(&mut stage, 0, &first).unwrap();
    propose(&mut stage, 1, &third).unwrap();
    approve(&mut stage, 2, &first).unwrap();
    assert_eq!(approve(&mut stage, 2, &first), Err(Rejection::Duplicate));
    propose(&mut stage, 0, &second).unwrap();
    assert_eq!(approve(&mut stage, 1, &first), Err(Rejection::UnknownProposal));
    let open: Vec<_> = stage.machine.proposals().map(|(_, proposal)| proposal.digest()).collect();
    assert!(open.len() == 2 && open.contains(&second.digest()) && open.contains(&third.digest()));
    propose(&mut stage, 0, &first).unwrap();
    let again = stage.machine.proposals().find(|(_, proposal)| proposal.digest() == first.digest()).unwrap().1;
    assert_eq!(again.approved_by().count(), 0, "approvals of what was withdrawn do not come back");
}

#[test]
fn a_member_proposes_a_bounded_number_of_times_in_an_epoch() {
    let mut stage = Stage::of(4);
    let numbered = |stage: &Stage, number: u32| {
        let mut next = with_a_fifth(stage);
        next.members[0].address = format!("192.0.2.1:{}", 1000 + number);
        next
    };
    for number in 0..MAX_PROPOSALS_PER_AUTHOR {
        let next = numbered(&stage, number);
        propose(&mut stage, 2, &next).unwrap();
    }
    let more = numbered(&stage, MAX_PROPOSALS_PER_AUTHOR);
    assert_eq!(propose(&mut stage, 2, &more), Err(Rejection::TooManyProposals));
    assert_eq!(propose(&mut stage, 1, &more), Ok(()));
    (0..3).for_each(|member| approve(&mut stage, member, &more).unwrap());
    stage.machine.begin_epoch();
    let next = stage.machine.group().membership();
    let command = Command::sign(&stage.keys[2], stage.machine.group(), Action::Propose { membership: next }).unwrap();
    assert_eq!(stage.machine.screen(&command), Ok(()), "another epoch counts anew");
}

#[test]
fn the_larger_of_threshold_and_ordering_quorum_must_approve() {
    let needed = |members, threshold| Group::new(charter(members, threshold)).unwrap().approvals_needed();
    assert_eq!(
        [needed(4, 3), needed(4, 4), needed(7, 4), needed(7, 6), needed(1, 1), needed(31, 16)],
        [3, 4, 5, 6, 1, 21]
    );
    for members in 1..=31 {
        for threshold in (u16::from(members) / 2 + 1)..=members.into() {
            let group = Group::new(charter(members, threshold)).unwrap();
            assert!(group.approvals_needed() >= group.quorum() && group.approvals_needed() >= group.ordering_quorum());
        }
    }
}

#[test]
fn the_log_alone_gives_the_machine_with_which_an_epoch_begins() {
    let (mut stage, next) = closed_after_builds();
    stage.machine.begin_epoch();
    let mut resuming = Resuming::new();
    stage.entries.iter().for_each(|entry| _ = resuming.append(entry).unwrap());
    let mut resumed = resuming.finish(next.clone()).unwrap();
    assert_eq!((resumed.executed(), resumed.begun()), (stage.machine.executed(), stage.machine.begun()));
    assert_eq!(resumed.log(), stage.machine.log());
    for name in ["a", "b"] {
        let id = request(name).id();
        assert_eq!(resumed.next_round(&id), stage.machine.next_round(&id), "{name}");
        let (ours, theirs) = (resumed.round(&id).unwrap(), stage.machine.round(&id).unwrap());
        assert_eq!((ours.number(), ours.phase()), (theirs.number(), theirs.phase()));
    }
    // Both go on alike: a request that diverged may be repeated, one whose verdict stands may not.
    let commands: Vec<Command> = [("a", 0), ("b", 1), ("c", 0)]
        .map(|(name, round)| Command::sign(&stage.keys[0], &next, submit(&request(name), round)).unwrap())
        .into();
    let executed = resumed.executed();
    let block = OrderedBlock { height: executed.height + 1, time_ms: executed.time_ms + 1, commands };
    let (ours, theirs) = (resumed.apply(&block).unwrap(), stage.machine.apply(&block).unwrap());
    assert_eq!(ours, theirs);
    assert_eq!((ours.rejected.len(), resumed.open_rounds().count()), (1, 2));
}

#[test]
fn a_log_that_does_not_end_an_epoch_or_ends_another_begins_none() {
    let (stage, next) = closed_after_builds();
    let resumed = |entries: &[Vec<u8>], group: Group| {
        let mut resuming = Resuming::new();
        entries.iter().for_each(|entry| _ = resuming.append(entry).unwrap());
        resuming.finish(group).map(drop)
    };
    let entries = &stage.entries[..];
    assert_eq!(resumed(entries, next.clone()), Ok(()));
    assert_eq!(resumed(&entries[..entries.len() - 1], next.clone()), Err(ResumeError::NoBoundary));
    assert_eq!(resumed(&[], next.clone()), Err(ResumeError::NoBoundary));
    let other = ResumeError::OtherGroup { found: next.id(), wanted: stage.group.id() };
    assert_eq!(resumed(entries, stage.group.clone()), Err(other));
    let mut resuming = Resuming::new();
    assert!(matches!(resuming.append(b"no entry"), Err(ResumeError::Entry { index: 0, .. })));
}

#[test]
fn whoever_replays_the_log_follows_it_into_the_next_epoch() {
    let (mut stage, next) = closed_after_builds();
    stage.machine.begin_epoch();
    let keys: Vec<_> = stage.keys.drain(..).collect();
    let mut later = Stage { group: next, keys, ..stage };
    let id = request("later").id();
    later.act(0, submit(&request("later"), 0)).unwrap();
    later.pass_deadline(id);
    let mut replay = Replay::new();
    let leaves: Vec<Leaf> = later.entries.iter().map(|entry| replay.append(entry).unwrap()).collect();
    assert_eq!((replay.size(), replay.root()), (later.machine.log().size(), later.machine.log().root()));
    assert!(
        matches!(&leaves[..], [Leaf::Build(_), Leaf::Build(_), Leaf::Membership(_), Leaf::Build(last)] if last.epoch == 1)
    );
}

#[test]
fn effective_blocks_lead_over_the_boundary_as_all_blocks_do() {
    let (stage, _) = closed_after_builds();
    let mut machine = Machine::new(stage.group.clone());
    for block in &stage.blocks {
        machine.apply_effective(block).unwrap();
    }
    assert_eq!(machine, stage.machine);
    let executed = machine.executed();
    assert!(machine.skip_to(executed.height, executed.time_ms).is_ok());
}

#[test]
fn a_change_of_membership_is_a_command_like_any_other() {
    let stage = Stage::of(4);
    let next = with_a_fifth(&stage);
    for action in [Action::Propose { membership: next.clone() }, Action::Approve { membership: next.digest() }] {
        let command = stage.sign(2, action);
        let bytes = command.to_bytes();
        assert_eq!(Command::from_bytes(&bytes, &stage.group), Ok(command));
        for at in (0..bytes.len()).step_by(7) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            assert!(Command::from_bytes(&flipped, &stage.group).is_err(), "byte {at} flipped");
        }
    }
    let digest = Digest::of(b"nothing that anybody proposed");
    assert_eq!(
        stage.machine.screen(&stage.sign(0, Action::Approve { membership: digest })),
        Err(Rejection::UnknownProposal)
    );
    assert!(Rejection::UnknownProposal.may_pass_later());
}

/// Four members whose epoch is over; the same four and a fifth follow.
fn closed() -> Stage {
    let mut stage = Stage::of(4);
    let next = with_a_fifth(&stage);
    propose(&mut stage, 0, &next).unwrap();
    (0..3).for_each(|member| approve(&mut stage, member, &next).unwrap());
    assert!(stage.machine.closed().is_some());
    stage
}

/// The same after a build that was reproduced and one that diverged; and the group that follows.
fn closed_after_builds() -> (Stage, Group) {
    let mut stage = Stage::of(4);
    stage.conclude(&request("a"), &[0; 4].map(|_| built("a")));
    stage.conclude(&request("b"), &["1", "2", "3", "4"].map(built));
    let next = with_a_fifth(&stage);
    propose(&mut stage, 0, &next).unwrap();
    (0..3).for_each(|member| approve(&mut stage, member, &next).unwrap());
    let group = stage.machine.closed().unwrap().clone();
    (stage, group)
}
