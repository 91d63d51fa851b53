//! The promise itself: with fewer liars than the threshold, what the group agrees on is what a build gives.

use std::collections::{BTreeMap, BTreeSet};

use synchronicity_core::command::Action;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::Verdict;
use synchronicity_verify::identity::{BuilderId, RequestId};
use synchronicity_verify::result::BuildResult;

use super::require;
use crate::crates;
use crate::world::World;

/// How many entries were judged, and who revealed what on the chain so far.
#[derive(Default)]
pub(super) struct Seen {
    blocks: usize,
    revealed: BTreeMap<(RequestId, u32, Digest), BTreeSet<BuilderId>>,
    counted_entries: u64,
    true_entries: u64,
}

/// A verdict that names a result has at least threshold members behind it whose signed reveals of that very result are
/// on the chain: counted here from the chain, with the threshold that the founders meant.
pub(super) fn invariant_agreement_needs_threshold(world: &World, seen: &mut Seen) -> Result<(), String> {
    read_reveals(world, seen);
    while let Some(Ok(entry)) = world.entry(seen.counted_entries) {
        let index = seen.counted_entries;
        seen.counted_entries += 1;
        let named = matches!(entry.verdict, Verdict::Reproduced | Verdict::Unbuildable);
        require(named == entry.agreed.is_some(), || {
            format!("entry {index} says {} and agrees otherwise", entry.verdict)
        })?;
        if let Some(agreed) = &entry.agreed {
            let revealed = seen.revealed.get(&(entry.request.id(), entry.round, agreed.digest()));
            let opened = entry.members.iter().filter(|member| member.opening.is_some());
            let behind = opened.filter(|member| revealed.is_some_and(|by| by.contains(&member.builder))).count();
            let threshold = usize::from(world.founding.threshold);
            require(behind >= threshold, || {
                format!(
                    "entry {index} says {} with {behind} reveals on the chain, threshold {threshold}",
                    entry.verdict
                )
            })?;
        }
    }
    Ok(())
}

/// `reproduced` and `unbuildable` name what an honest build gives, never what liars made up.
pub(super) fn invariant_never_false_hashes(world: &World, seen: &mut Seen) -> Result<(), String> {
    while let Some(Ok(entry)) = world.entry(seen.true_entries) {
        let index = seen.true_entries;
        seen.true_entries += 1;
        if let Some(agreed) = &entry.agreed {
            let honest = world.founding.commands.iter().map(|key| crates::build(&entry.request, &key.id()));
            require(honest.collect::<Vec<BuildResult>>().contains(agreed), || {
                format!(
                    "entry {index} says {} of hashes that no build of {} gives",
                    entry.verdict,
                    entry.request.source.purl()
                )
            })?;
        }
    }
    Ok(())
}

fn read_reveals(world: &World, seen: &mut Seen) {
    while let Some(block) = world.chain.get(seen.blocks) {
        seen.blocks += 1;
        for command in &block.commands {
            if let Action::Reveal { request, round, result, .. } = command.action() {
                let key = (*request, *round, result.digest());
                seen.revealed.entry(key).or_default().insert(command.author());
            }
        }
    }
}
