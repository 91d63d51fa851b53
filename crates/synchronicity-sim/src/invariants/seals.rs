//! Seals: one for each builder and round, opened by its maker only, and only when nobody can seal any more.

use std::collections::BTreeMap;

use synchronicity_core::command::Action;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::Entry;
use synchronicity_verify::identity::{BuilderId, RequestId};

use super::require;
use crate::world::World;

/// A builder in a round.
type Place = (BuilderId, RequestId, u32);

/// What the chain said so far, by position: a count of commands over all blocks.
#[derive(Default)]
pub(super) struct Seen {
    blocks: usize,
    position: u64,
    sealed: BTreeMap<Place, BTreeMap<Digest, u64>>,
    opened: BTreeMap<Place, u64>,
    secrecy_entries: u64,
    ownership_entries: u64,
}

/// An honest builder never seals two results, or one result twice, in one round.
pub(super) fn invariant_nobody_honest_seals_twice(world: &World, seen: &mut Seen) -> Result<(), String> {
    while let Some(block) = world.chain.get(seen.blocks) {
        seen.blocks += 1;
        for command in &block.commands {
            seen.position += 1;
            let author = command.author();
            match command.action() {
                Action::Commit { request, round, commitment } => {
                    let seals = seen.sealed.entry((author, *request, *round)).or_default();
                    seals.entry(*commitment).or_insert(seen.position);
                    let honest = world.role(&author).is_some_and(|role| role.is_honest());
                    let count = seals.len();
                    require(!honest || count == 1, || {
                        format!("{author} sealed round {round} of {request} {count} times")
                    })?;
                }
                Action::Reveal { request, round, .. } => {
                    seen.opened.entry((author, *request, *round)).or_insert(seen.position);
                }
                Action::Submit { .. } | Action::Propose { .. } | Action::Approve { .. } => {}
            }
        }
    }
    Ok(())
}

/// As long as a round is open, an honest member that has let a commitment out has on its disk what opens it.
pub(super) fn invariant_what_was_sealed_can_be_opened(world: &World) -> Result<(), String> {
    let Some(node) = world.touched().filter(|node| node.role.is_honest()) else { return Ok(()) };
    let me = world.founding.commands[node.member].id();
    let opens = |request: &RequestId, round: u32, commitment: &Digest| {
        let sealed = node.journal.sealed(request, round);
        let kept = sealed.is_some_and(|sealed| sealed.commitment(request, &me) == *commitment);
        require(kept, || format!("member {} cannot open its seal of round {round} of {request}", node.member))
    };
    for (request, round) in world.reference.open_rounds() {
        let mine = round.member(&me).filter(|mine| mine.opening().is_none());
        if let Some(commitment) = mine.and_then(|mine| mine.commitment()) {
            opens(request, round.number(), commitment)?;
        }
    }
    // What has left it and is not ordered yet counts as well, unless it will never be taken.
    for command in world.waiting.iter().filter(|command| command.author() == me) {
        let Action::Commit { request, round, commitment } = command.action() else { continue };
        if world.reference.screen(command).is_ok() {
            opens(request, *round, commitment)?;
        }
    }
    Ok(())
}

/// No commitment that an entry counts was ordered after an honest builder of that round had shown its result.
pub(super) fn invariant_nobody_seals_after_an_opening(world: &World, seen: &mut Seen) -> Result<(), String> {
    while let Some(Ok(entry)) = world.entry(seen.secrecy_entries) {
        seen.secrecy_entries += 1;
        let place = |builder: BuilderId| (builder, entry.request.id(), entry.round);
        let honest = |builder: &BuilderId| world.role(builder).is_some_and(|role| role.is_honest());
        let openings = entry.members.iter().map(|member| member.builder).filter(honest);
        let Some(first_opening) = openings.filter_map(|builder| seen.opened.get(&place(builder))).min() else {
            continue;
        };
        for member in &entry.members {
            let Some(commitment) = member.commitment else { continue };
            let sealed = seen.sealed.get(&place(member.builder)).and_then(|seals| seals.get(&commitment));
            require(sealed.is_some_and(|sealed| sealed < first_opening), || {
                format!("{} sealed at {sealed:?}, an honest opening stood at {first_opening}", member.builder)
            })?;
        }
    }
    Ok(())
}

/// Where several members sealed the same commitment, at most one of them, its maker, has an opening.
pub(super) fn invariant_no_seal_opens_for_another(world: &World, seen: &mut Seen) -> Result<(), String> {
    while let Some(Ok(entry)) = world.entry(seen.ownership_entries) {
        let index = seen.ownership_entries;
        seen.ownership_entries += 1;
        let openers = openers(&entry);
        let shared = openers.iter().find(|(_, count)| **count > 1);
        require(shared.is_none(), || format!("in entry {index} one commitment opens for several members: {shared:?}"))?;
    }
    Ok(())
}

fn openers(entry: &Entry) -> BTreeMap<Digest, usize> {
    let mut openers = BTreeMap::new();
    for member in entry.members.iter().filter(|member| member.opening.is_some()) {
        if let Some(commitment) = member.commitment {
            *openers.entry(commitment).or_default() += 1;
        }
    }
    openers
}
