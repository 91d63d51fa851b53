//! What the group has taken on, it does: one entry for each submission that it accepted.

use std::collections::BTreeSet;

use synchronicity_core::command::Action;
use synchronicity_verify::identity::RequestId;

use super::require;
use crate::world::World;

/// The rounds that were accepted and have no entry yet.
#[derive(Default)]
pub(super) struct Seen {
    blocks: usize,
    entries: u64,
    accepted: BTreeSet<(RequestId, u32)>,
}

/// A submission that was ordered and not refused is a round that is open until the log has its entry, and the log has one:
/// no entry is of a round that nobody asked for, or that has one already.
pub(super) fn invariant_no_submission_is_lost(world: &World, seen: &mut Seen) -> Result<(), String> {
    while let (Some(block), Some(effect)) = (world.chain.get(seen.blocks), world.effects.get(seen.blocks)) {
        seen.blocks += 1;
        for command in &block.commands {
            // The same command may stand in a block twice: then it was refused once.
            let refused = effect.rejected.iter().filter(|(id, _)| *id == command.id()).count();
            let there = block.commands.iter().filter(|other| other.id() == command.id()).count();
            if let (Action::Submit { request, round, .. }, true) = (command.action(), refused < there) {
                seen.accepted.insert((request.id(), *round));
            }
        }
    }
    while let Some(Ok(entry)) = world.entry(seen.entries) {
        let (index, round) = (seen.entries, (entry.request.id(), entry.round));
        seen.entries += 1;
        require(seen.accepted.remove(&round), || format!("entry {index} is of {round:?}, which waited for none"))?;
    }
    let open = |(request, number): &&(RequestId, u32)| {
        world.reference.round(request).is_some_and(|round| round.number() == *number && round.is_open())
    };
    let lost = seen.accepted.iter().find(|round| !open(round));
    require(lost.is_none(), || format!("{lost:?} was accepted, has no entry and is not open"))
}
