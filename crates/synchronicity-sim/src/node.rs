//! One simulated node: a machine in memory, and what survives a crash.

use synchronicity_core::block::OrderedBlock;
use synchronicity_core::group::Group;
use synchronicity_core::journal::Journal;
use synchronicity_core::machine::{Applied, ApplyError, Machine};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle;

use crate::plant::{self, Plant};
use crate::role::Role;

/// A node of the group. While it is down it has no machine.
pub struct Node {
    /// Which member's it is, as counted in the group.
    pub member: usize,
    /// How it behaves.
    pub role: Role,
    /// The folded state, while the node runs.
    pub machine: Option<Machine>,
    /// On disk.
    pub journal: Journal,
    /// Why the last restart failed, if it did.
    pub broken: Option<ApplyError>,
    /// The leaf hashes of the log that the machine has, as it handed them out.
    pub leaves: Vec<Digest>,
    /// Whether a block that came again was refused or changed anything.
    pub disturbed: bool,
    effective: Vec<OrderedBlock>,
    reached: (u64, u64),
    plant: Option<Plant>,
}

impl Node {
    /// A node that runs and has seen no block.
    pub fn new(member: usize, role: Role, group: &Group, plant: Option<Plant>) -> Node {
        Node {
            member,
            role,
            machine: Some(Machine::new(group.clone())),
            journal: Journal::new(),
            broken: None,
            leaves: Vec::new(),
            disturbed: false,
            effective: Vec::new(),
            reached: (0, 0),
            plant,
        }
    }

    /// Height and time of the last block that is on disk.
    pub fn reached(&self) -> (u64, u64) {
        self.reached
    }

    /// Applies a block and persists what a node persists: the block if it changed anything, and how far it is.
    ///
    /// # Errors
    /// As [`Machine::apply`]; `None` while the node is down.
    pub fn deliver(&mut self, block: &OrderedBlock) -> Option<Result<Applied, ApplyError>> {
        let machine = self.machine.as_mut()?;
        let seen = plant::block(self.plant, Some(self.member), block);
        let applied = machine.apply(&seen);
        let executed = machine.executed();
        if let Ok(applied) = &applied {
            note_leaves(&mut self.leaves, applied);
            self.effective.extend(applied.changed.then_some(seen));
        }
        // A real node goes over a little later, when the end is signed; nothing is ordered in between.
        machine.begin_epoch();
        self.reached = (executed.height, executed.time_ms);
        Some(applied)
    }

    /// Gets a block again that it has applied.
    pub fn redeliver(&mut self, block: &OrderedBlock) {
        let Some(machine) = self.machine.as_mut() else { return };
        let before = machine.clone();
        let again = plant::again(self.plant, &before, block);
        let ignored = machine.apply(&again).is_ok_and(|applied| applied == Applied::default());
        self.disturbed |= !ignored || *machine != before;
    }

    /// Everything but the disk is gone. A forgetter's journal is gone too.
    pub fn crash(&mut self) {
        self.machine = None;
        let forgets =
            self.role == Role::Forgetter || (self.role.is_honest() && self.plant == Some(Plant::ForgetsTheJournal));
        if forgets {
            self.journal = Journal::new();
        }
        if self.role.is_honest() && self.plant == Some(Plant::LosesABlock) {
            self.effective.pop();
        }
    }

    /// Folds the effective blocks again.
    pub fn restart(&mut self, group: &Group) {
        self.leaves.clear();
        match self.restore(group) {
            Ok(machine) => self.machine = Some(machine),
            Err(error) => self.broken = Some(error),
        }
    }

    fn restore(&mut self, group: &Group) -> Result<Machine, ApplyError> {
        let (height, time_ms) = self.reached;
        let mut machine = Machine::new(group.clone());
        for block in &self.effective {
            note_leaves(&mut self.leaves, &machine.apply_effective(block)?);
            machine.begin_epoch();
        }
        machine.skip_to(height, time_ms)?;
        Ok(machine)
    }
}

fn note_leaves(leaves: &mut Vec<Digest>, applied: &Applied) {
    leaves.extend(applied.logged.iter().map(|logged| merkle::leaf_hash(&logged.entry)));
}
