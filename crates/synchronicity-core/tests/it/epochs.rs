//! Properties over arbitrary lives of a group whose members change while it works.

use proptest::prelude::*;
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::{Action, Command, CommandKey};
use synchronicity_core::duties::duties;
use synchronicity_core::group::Group;
use synchronicity_core::journal::Journal;
use synchronicity_core::machine::{Applied, ApplyError, Executed, Machine};
use synchronicity_core::open::NOTHING_OPEN;
use synchronicity_core::resume::Resuming;
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::membership::Membership;
use synchronicity_verify::replay::Replay;

use crate::stage::{COMMIT_WINDOW_MS, Stage, built, charter, commit, request, reveal, submit};

/// Everybody who is ever a member.
const PEOPLE: u8 = 6;

/// What somebody says in a block of its own, and how much later that is.
#[derive(Clone, Debug)]
struct Step {
    who: usize,
    what: What,
    later_ms: u64,
}

#[derive(Clone, Debug)]
enum What {
    Submit(usize, u32),
    Commit(usize, u32),
    Reveal(usize, u32),
    /// Who of the people shall be members, who of these absent, and how many above the smallest majority must agree.
    Propose(u8, u8, u16),
    /// Of the proposals, the one at this place.
    Approve(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let what = prop_oneof![
        2 => (0..3_usize, 0..2_u32).prop_map(|(request, round)| What::Submit(request, round)),
        4 => (0..3_usize, 0..2_u32).prop_map(|(request, round)| What::Commit(request, round)),
        4 => (0..3_usize, 0..2_u32).prop_map(|(request, round)| What::Reveal(request, round)),
        1 => (any::<u8>(), any::<u8>(), 0..3_u16).prop_map(|(who, absent, more)| What::Propose(who, absent, more)),
        6 => (0..2_usize).prop_map(What::Approve),
    ];
    let later_ms = prop_oneof![12 => Just(1), 1 => Just(COMMIT_WINDOW_MS)];
    (0..usize::from(PEOPLE), what, later_ms).prop_map(|(who, what, later_ms)| Step { who, what, later_ms })
}

/// The group's life: its machine, and everything that leads to it again.
struct Life {
    people: Stage,
    founding: Group,
    machine: Machine,
    effective: Vec<OrderedBlock>,
    entries: Vec<Vec<u8>>,
    replay: Replay,
}

impl Life {
    fn begin() -> Life {
        // Keys of everybody, of whom the first four found the group.
        let (people, founding) = (Stage::of(PEOPLE), Group::new(charter(4, 3)).unwrap());
        let machine = Machine::new(founding.clone());
        Life { people, founding, machine, effective: Vec::new(), entries: Vec::new(), replay: Replay::new() }
    }

    fn key(&self, who: usize) -> &CommandKey {
        &self.people.keys[who]
    }

    fn action(&self, step: &Step) -> Option<Action> {
        let wanted = |request_at: usize| request(["a", "b", "c"][request_at]);
        let me = self.key(step.who).id();
        Some(match &step.what {
            What::Submit(at, round) => submit(&wanted(*at), *round),
            What::Commit(at, round) => commit(me, wanted(*at).id(), *round, &built("x")),
            What::Reveal(at, round) => reveal(me, wanted(*at).id(), *round, &built("x")),
            What::Propose(who, absent, more) => Action::Propose { membership: self.membership(*who, *absent, *more) },
            What::Approve(at) => Action::Approve { membership: self.machine.proposals().nth(*at)?.1.digest() },
        })
    }

    fn membership(&self, who: u8, absent: u8, more: u16) -> Membership {
        let mut next = self.people.group.membership();
        next.epoch = self.machine.group().epoch() + 1;
        let mut members: Vec<_> = (0..).zip(next.members).filter(|(at, _)| who >> at & 1 == 1).collect();
        members.iter_mut().for_each(|(at, member)| member.absent = absent >> *at & 1 == 1);
        next.threshold = members.len() as u16 / 2 + 1 + more;
        next.members = members.into_iter().map(|(_, member)| member).collect();
        next
    }

    fn take(&mut self, step: &Step) -> (OrderedBlock, Applied) {
        let group = self.machine.group().clone();
        // Whoever is no member can say nothing.
        let signed = self.action(step).and_then(|action| Command::sign(self.key(step.who), &group, action).ok());
        let executed = self.machine.executed();
        let (height, time_ms) = (executed.height + 1, executed.time_ms + step.later_ms);
        let block = OrderedBlock { height, time_ms, commands: signed.into_iter().collect() };
        let read = OrderedBlock::from_bytes(&block.to_bytes(), &group);
        assert_eq!(
            read.is_ok(),
            block.commands.iter().all(|command| Command::from_bytes(&command.to_bytes(), &group).is_ok())
        );
        let applied = self.machine.apply(&block).unwrap();
        for logged in &applied.logged {
            self.replay.append(&logged.entry).unwrap();
            self.entries.push(logged.entry.clone());
        }
        if applied.changed {
            self.effective.push(block.clone());
        }
        if self.machine.closed().is_some() {
            self.go_over();
        }
        (block, applied)
    }

    /// The boundary: nothing follows it in its epoch, and the log leads over it as the blocks do.
    fn go_over(&mut self) {
        let before = self.machine.executed();
        let late = OrderedBlock { height: before.height + 1, time_ms: before.time_ms + 1, commands: Vec::new() };
        assert_eq!(self.machine.apply(&late), Err(ApplyError::EpochOver));
        assert_eq!(self.machine.open_rounds().count(), 0);
        assert!(matches!(Leaf::from_bytes(self.entries.last().unwrap()).unwrap(), Leaf::Membership(_)));
        assert!(self.machine.begin_epoch());
        let mut resuming = Resuming::new();
        self.entries.iter().for_each(|entry| _ = resuming.append(entry).unwrap());
        let resumed = resuming.finish(self.machine.group().clone()).unwrap();
        // The proposals of the epoch that ended are of no account any more.
        let before = Executed { open: NOTHING_OPEN, ..before };
        assert_eq!((resumed.executed(), resumed.log()), (before, self.machine.log()));
        assert_eq!(self.machine.executed(), before);
        for name in ["a", "b", "c"] {
            let id = request(name).id();
            assert_eq!(resumed.next_round(&id), self.machine.next_round(&id));
        }
    }

    fn restored(&self) -> Machine {
        let executed = self.machine.executed();
        Machine::restore(self.founding.clone(), &self.effective, executed.height, executed.time_ms).unwrap()
    }
}

/// The machine again, from its log and what that does not say.
fn resumed(life: &Life) -> Machine {
    let mut resuming = Resuming::new();
    life.entries.iter().for_each(|entry| _ = resuming.append(entry).unwrap());
    let (group, executed) = (life.machine.group().clone(), life.machine.executed());
    resuming.finish_at(group, &executed, &life.machine.open_state()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_machine_that_was_resumed_at_any_height_goes_on_as_the_one_that_executed_every_block(
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let mut life = Life::begin();
        let mut machines: Vec<Machine> = Vec::new();
        for step in &steps {
            machines.push(resumed(&life));
            let (block, applied) = life.take(step);
            for machine in &mut machines {
                prop_assert_eq!(&machine.apply(&block).unwrap(), &applied);
                // Where the block ended the epoch, the life has gone over.
                machine.begin_epoch();
                prop_assert_eq!((machine.executed(), machine.begun()), (life.machine.executed(), life.machine.begun()));
                prop_assert_eq!(machine.open_state(), life.machine.open_state());
                for who in 0..usize::from(PEOPLE) {
                    let me = life.key(who).id();
                    let journal = Journal::new();
                    prop_assert_eq!(duties(machine, &journal, me), duties(&life.machine, &journal, me));
                }
                for name in ["a", "b", "c"] {
                    let id = request(name).id();
                    prop_assert_eq!(machine.next_round(&id), life.machine.next_round(&id));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_group_goes_from_epoch_to_epoch_and_its_log_and_its_blocks_follow(
        steps in proptest::collection::vec(step(), 0..120),
    ) {
        let mut life = Life::begin();
        for step in &steps {
            life.take(step);
            prop_assert_eq!(life.replay.root(), life.machine.log().root());
        }
        let mut restored = life.restored();
        // Where the last block ended an epoch, whoever folds the blocks again has yet to begin the next.
        restored.begin_epoch();
        prop_assert_eq!(restored, life.machine);
    }
}

#[test]
fn such_lives_have_several_epochs() {
    let mut life = Life::begin();
    for mask in [0b01_1111, 0b01_1110, 0b11_1110, 0b00_1111] {
        let epoch = life.machine.group().epoch();
        let members: Vec<usize> = (0..usize::from(PEOPLE))
            .filter(|who| life.machine.group().member(&life.key(*who).id()).is_some())
            .collect();
        life.take(&Step { who: members[0], what: What::Propose(mask, 0, 0), later_ms: 1 });
        for who in members {
            if life.machine.group().epoch() == epoch {
                life.take(&Step { who, what: What::Approve(0), later_ms: 1 });
            }
        }
        assert_eq!(life.machine.group().epoch(), epoch + 1);
    }
    assert_eq!(life.entries.len(), 4);
}
