//! Members whose engine is not honest: fewer than a third, as the promise assumes.

use core::fmt;
use std::collections::BTreeMap;
use std::future::{Future, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use synchronicity_consensus::{ExecuteError, Executor};
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::Command;
use synchronicity_core::group::Group;
use synchronicity_core::machine::{Executed, Machine};
use synchronicity_core::rejection::Rejection;
use synchronicity_verify::membership::faults;

use crate::dice::Dice;
use crate::role::Role;

/// What is in a member's place instead of its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mask {
    /// Two engines with one key, one for each half of the group: two proposals for a view, two votes.
    Twins,
    /// No engine: two contradictory votes to everybody for every vote that it hears.
    DoubleVoter,
    /// An engine that gives its blocks to a part of the group.
    Withholder,
    /// An engine that takes nobody's commands but its own, in its blocks or in others'.
    Censor,
    /// An engine that claims a state which its blocks do not give.
    Pretender,
    /// No engine: whatever it hears, on any channel, it passes on to everybody, altered.
    Babbler,
}

/// All of them.
pub(super) const MASKS: [Mask; 6] =
    [Mask::Twins, Mask::DoubleVoter, Mask::Withholder, Mask::Censor, Mask::Pretender, Mask::Babbler];

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{self:?}").to_lowercase())
    }
}

/// Deals masks among the members whose node is hostile too: in half of the runs as many as the engine bears, if there are
/// so many, and otherwise fewer or as many.
pub(super) fn deal(roles: &[Role], dice: &mut Dice) -> BTreeMap<usize, Mask> {
    let hostile: Vec<usize> = (0..roles.len()).filter(|seat| !roles[*seat].is_honest()).collect();
    let most = faults(roles.len()).min(hostile.len());
    let count = if dice.once_in(2) { most } else { dice.below(most + 1) };
    let first = dice.below(hostile.len());
    let seats = hostile.iter().cycle().skip(first).take(count);
    seats.map(|seat| (*seat, *dice.pick(&MASKS).unwrap_or(&Mask::Twins))).collect()
}

/// The second of two twins: a node reduced to its machine, which outlives its engine.
#[derive(Clone)]
pub(super) struct Twin {
    group: Group,
    machine: Arc<Mutex<Machine>>,
}

impl Twin {
    pub(super) fn new(group: Group) -> Twin {
        Twin { machine: Arc::new(Mutex::new(Machine::new(group.clone()))), group }
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Executor for Twin {
    fn executed(&self) -> Executed {
        self.machine().executed()
    }

    fn begun(&self) -> Executed {
        Executed::NOTHING
    }

    fn screen(&self, command: &Command) -> Result<(), Rejection> {
        self.machine().screen(command)
    }

    fn group(&self) -> &Group {
        &self.group
    }

    fn execute(&self, block: OrderedBlock) -> impl Future<Output = Result<(), ExecuteError>> + Send {
        let applied = self.machine().apply(&block);
        ready(applied.map(|_| ()).map_err(|error| ExecuteError { height: block.height, reason: error.to_string() }))
    }
}
