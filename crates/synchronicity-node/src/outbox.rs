//! Commands on their way to be ordered: handed to the engine again until the state shows their effect.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use synchronicity_core::command::{Action, Command, CommandError, CommandKey};
use synchronicity_core::group::Group;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::RequestId;

/// The pause before a command is handed over again; doubles up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What a command is for. There is one command for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Errand {
    /// To open a round.
    Submit(RequestId, u32),
    /// To seal.
    Commit(RequestId, u32),
    /// To open a seal.
    Reveal(RequestId, u32),
    /// To propose members.
    Propose(Digest),
    /// To approve of them.
    Approve(Digest),
}

/// The commands that this node wants ordered.
#[derive(Debug, Default)]
pub struct Outbox {
    pending: BTreeMap<Errand, Pending>,
}

#[derive(Debug)]
struct Pending {
    command: Command,
    next: Instant,
    pause: Duration,
}

impl Outbox {
    /// Whether a command for this errand is on its way.
    pub fn has(&self, errand: &Errand) -> bool {
        self.pending.contains_key(errand)
    }

    /// The membership whose proposal is on its way.
    pub fn proposing(&self) -> Option<Digest> {
        self.pending.keys().find_map(|errand| match errand {
            Errand::Propose(membership) => Some(*membership),
            _ => None,
        })
    }

    /// Puts a command on its way, due at once. One that is there already stays.
    pub fn add(&mut self, errand: Errand, command: Command, now: Instant) {
        self.pending.entry(errand).or_insert(Pending { command, next: now, pause: PAUSE });
    }

    /// Signs what is not on its way yet, all of it at once, and puts it there: one signature then stands for many commands.
    ///
    /// # Errors
    /// As [`Command::sign_all`]; nothing is put on its way then.
    pub fn sign(
        &mut self,
        mut due: Vec<(Errand, Action)>,
        key: &CommandKey,
        group: &Group,
        now: Instant,
    ) -> Result<(), CommandError> {
        due.retain(|(errand, _)| !self.has(errand));
        let (errands, actions): (Vec<_>, Vec<_>) = due.into_iter().unzip();
        let commands = Command::sign_all(key, group, actions)?;
        errands.into_iter().zip(commands).for_each(|(errand, command)| self.add(errand, command, now));
        Ok(())
    }

    /// Forgets every errand of which `wanted` does not hold any more.
    pub fn keep(&mut self, mut wanted: impl FnMut(&Errand) -> bool) {
        self.pending.retain(|errand, _| wanted(errand));
    }

    /// The commands to hand over now; each is due again after a pause.
    pub fn due(&mut self, now: Instant) -> Vec<(Errand, Command)> {
        let mut due = Vec::new();
        for (errand, pending) in &mut self.pending {
            if pending.next <= now {
                pending.next = now + pending.pause;
                pending.pause = (pending.pause * 2).min(PAUSE_MAX);
                due.push((*errand, pending.command.clone()));
            }
        }
        due
    }
}

#[cfg(test)]
mod tests;
