//! Commands that wait to be ordered.
//!
//! Bounded per author, so that no member can crowd out another: the whole holds at most the quota times the members.
//! Nothing here is durable. A member that loses its pool recomputes what it owes and submits it again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use synchronicity_core::command::Command;
use synchronicity_core::rejection::Rejection;
use synchronicity_verify::identity::BuilderId;

use crate::block::{BLOCK_AUTHOR_COMMANDS_MAX, BLOCK_COMMANDS_MAX, BLOCK_PAYLOAD_BYTES_MAX, COMMAND_PREFIX_BYTES};
use crate::checked::{Ids, Signed, ids};

/// Most commands of one author that wait at a time.
pub const AUTHOR_COMMANDS_MAX: usize = 1024;

/// Most bytes of one author's waiting commands.
pub const AUTHOR_BYTES_MAX: usize = 2 * 1024 * 1024;

/// For how many blocks a command is kept that the state machine would not take yet.
const EARLY_BLOCKS_MAX: u64 = 256;

/// Up to so many waiting commands are screened after each block; of more, all after every [`SCREENING_BLOCKS`]th. A leader
/// screens what it proposes in any case: this is about room in the quotas only.
const SCREENED_AT_ONCE_MAX: usize = 256;
const SCREENING_BLOCKS: u64 = 16;

/// What became of a command that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// It waits now.
    Accepted,
    /// It waited already.
    Known,
    /// Its author's quota is used up.
    Full,
}

/// The waiting commands, by author and in the order of arrival.
#[derive(Default)]
pub(crate) struct Mempool {
    authors: BTreeMap<BuilderId, Queue>,
    ids: Ids,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

struct Waiting {
    command: Arc<Signed>,
    bytes: usize,
    since_height: u64,
}

impl Mempool {
    /// Takes a command in. `bytes` is its encoded length, `height` the last block executed here.
    pub(crate) fn offer(&mut self, command: Arc<Signed>, bytes: usize, height: u64) -> Offer {
        if self.ids.contains(&command.id()) {
            return Offer::Known;
        }
        if !self.has_room(&command.author(), bytes) {
            return Offer::Full;
        }
        let queue = self.authors.entry(command.author()).or_default();
        self.ids.insert(command.id());
        queue.bytes += bytes;
        queue.waiting.push_back(Waiting { command, bytes, since_height: height });
        Offer::Accepted
    }

    /// Whether a command of an author would be taken in, as far as its quota goes.
    pub(crate) fn has_room(&self, author: &BuilderId, bytes: usize) -> bool {
        self.authors.get(author).map_or(bytes <= AUTHOR_BYTES_MAX, |queue| {
            queue.waiting.len() < AUTHOR_COMMANDS_MAX && queue.bytes + bytes <= AUTHOR_BYTES_MAX
        })
    }

    /// Picks commands for a block within its limits: one of each author in turn, beginning with a different author at
    /// each `turn`, only those that `admissible` lets pass.
    pub(crate) fn select(&self, turn: u64, mut admissible: impl FnMut(&Command) -> bool) -> Vec<Arc<Signed>> {
        let mut queues: Vec<_> = self.authors.values().map(|q| (q.waiting.iter(), 0)).collect();
        if queues.is_empty() {
            return Vec::new();
        }
        let first = (turn % queues.len() as u64) as usize;
        queues.rotate_left(first);
        let (mut picked, mut room) = (Vec::new(), BLOCK_PAYLOAD_BYTES_MAX);
        while !queues.is_empty() {
            queues.retain_mut(|(queue, taken)| {
                let Some(next) = queue.find(|w| admissible(&w.command)) else {
                    return false;
                };
                *taken += 1;
                let needed = next.bytes + COMMAND_PREFIX_BYTES;
                if *taken > BLOCK_AUTHOR_COMMANDS_MAX || picked.len() == BLOCK_COMMANDS_MAX || needed > room {
                    return false;
                }
                room -= needed;
                picked.push(next.command.clone());
                true
            });
        }
        picked
    }

    /// After the block at `height`: forgets what was ordered, what the state machine will never take, and what it has
    /// not been ready to take for very long. What is early here may be due where it comes from: its author may have
    /// executed a block that this member has not.
    pub(crate) fn settle(
        &mut self,
        height: u64,
        ordered: &[Arc<Signed>],
        screen: impl Fn(&Command) -> Result<(), Rejection>,
    ) {
        let ordered = ids(ordered);
        if !ordered.is_empty() {
            self.retain(|waiting| !ordered.contains(&waiting.command.id()));
        }
        if self.len() > SCREENED_AT_ONCE_MAX && !height.is_multiple_of(SCREENING_BLOCKS) {
            return;
        }
        self.retain(|waiting| {
            screen(&waiting.command).err().is_none_or(|rejection| {
                rejection.may_pass_later() && height < waiting.since_height.saturating_add(EARLY_BLOCKS_MAX)
            })
        });
    }

    /// The waiting commands of one author, oldest first.
    pub(crate) fn of(&self, author: &BuilderId) -> impl Iterator<Item = &Arc<Signed>> {
        self.authors.get(author).into_iter().flat_map(|queue| queue.waiting.iter().map(|w| &w.command))
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    fn retain(&mut self, mut keep: impl FnMut(&Waiting) -> bool) {
        let ids = &mut self.ids;
        for queue in self.authors.values_mut() {
            let bytes = &mut queue.bytes;
            queue.waiting.retain(|waiting| {
                let kept = keep(waiting);
                if !kept {
                    ids.remove(&waiting.command.id());
                    *bytes -= waiting.bytes;
                }
                kept
            });
        }
        self.authors.retain(|_, queue| !queue.waiting.is_empty());
    }
}

#[cfg(test)]
mod tests;
