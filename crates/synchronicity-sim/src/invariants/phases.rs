//! Phases: nobody is cut off before a window is over, and the first seal is the one that counts.

use std::collections::BTreeMap;

use synchronicity_core::command::Action;
use synchronicity_core::rejection::Rejection;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::Entry;
use synchronicity_verify::identity::{BuilderId, RequestId};

use super::require;
use crate::founding::{COMMIT_WINDOW_MS, REVEAL_WINDOW_MS};
use crate::world::World;

/// When rounds were opened, and the first seal of each builder in them, with its block time.
#[derive(Default)]
pub(super) struct Seen {
    blocks: usize,
    opened_ms: BTreeMap<(RequestId, u32), u64>,
    first_seals: BTreeMap<(BuilderId, RequestId, u32), (Digest, u64)>,
    timed_entries: u64,
    sealed_entries: u64,
}

/// A round without everybody's seal lasted its commitment window, and one with a closed seal its reveal window after
/// the last seal: by the times of the ordered blocks, not by what a machine made of them.
pub(super) fn invariant_windows_are_kept(world: &World, seen: &mut Seen) -> Result<(), String> {
    read_chain(world, seen);
    while let Some(Ok(entry)) = world.entry(seen.timed_entries) {
        let index = seen.timed_entries;
        seen.timed_entries += 1;
        let concluded_ms = world.chain[entry.height as usize - 1].time_ms;
        let opened_ms = seen.opened_ms.get(&(entry.request.id(), entry.round)).copied();
        let opened_ms = opened_ms.ok_or_else(|| format!("entry {index} is of a round that nobody opened"))?;
        let missing = entry.members.iter().any(|member| member.commitment.is_none());
        require(!missing || concluded_ms >= opened_ms + COMMIT_WINDOW_MS, || {
            format!("entry {index} came {} ms after its submission without every seal", concluded_ms - opened_ms)
        })?;
        let closed = entry.members.iter().any(|member| member.commitment.is_some() && member.opening.is_none());
        let last_seal_ms = seals(&entry, seen).map(|(_, ordered_ms)| *ordered_ms).max();
        require(!closed || last_seal_ms.is_none_or(|sealed_ms| concluded_ms >= sealed_ms + REVEAL_WINDOW_MS), || {
            format!("entry {index} came at {concluded_ms} ms, its last seal at {last_seal_ms:?} ms, one is closed")
        })?;
    }
    Ok(())
}

/// The commitment in an entry is the first one that its member had ordered in that round.
pub(super) fn invariant_the_first_seal_counts(world: &World, seen: &mut Seen) -> Result<(), String> {
    read_chain(world, seen);
    while let Some(Ok(entry)) = world.entry(seen.sealed_entries) {
        let index = seen.sealed_entries;
        seen.sealed_entries += 1;
        for member in &entry.members {
            let place = (member.builder, entry.request.id(), entry.round);
            let first = seen.first_seals.get(&place).map(|(commitment, _)| *commitment);
            require(member.commitment == first, || {
                format!("entry {index} counts {:?} of {}, which sealed {first:?}", member.commitment, member.builder)
            })?;
        }
    }
    Ok(())
}

fn seals<'a>(entry: &'a Entry, seen: &'a Seen) -> impl Iterator<Item = &'a (Digest, u64)> {
    let id = entry.request.id();
    entry.members.iter().filter_map(move |member| seen.first_seals.get(&(member.builder, id, entry.round)))
}

fn read_chain(world: &World, seen: &mut Seen) {
    while let (Some(block), Some(effect)) = (world.chain.get(seen.blocks), world.effects.get(seen.blocks)) {
        seen.blocks += 1;
        for command in &block.commands {
            let rejection = effect.rejected.iter().find(|(id, _)| *id == command.id()).map(|(_, rejection)| *rejection);
            match command.action() {
                Action::Submit { request, round, .. } if rejection.is_none() => {
                    seen.opened_ms.insert((request.id(), *round), block.time_ms);
                }
                // A contradiction is refused because of an earlier seal: whether there is one, the chain decides.
                Action::Commit { request, round, commitment }
                    if matches!(rejection, None | Some(Rejection::Equivocation)) =>
                {
                    let place = (command.author(), *request, *round);
                    seen.first_seals.entry(place).or_insert((*commitment, block.time_ms));
                }
                _ => {}
            }
        }
    }
}
