//! The promise itself: with fewer liars than the threshold, what the group agrees on is what a build gives.

use std::collections::BTreeSet;

use synchronicity_core::command::Action;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{Entry, Verdict};
use synchronicity_verify::identity::BuilderId;
use synchronicity_verify::result::BuildResult;

use super::require;
use crate::crates;
use crate::world::World;

/// How many entries were judged.
#[derive(Default)]
pub(super) struct Seen {
    counted_entries: u64,
    true_entries: u64,
}

/// A verdict that names a result has at least threshold members behind it whose signed reveals of that very result are
/// on the chain: counted here from the chain, with the threshold that the founders meant.
pub(super) fn invariant_agreement_needs_threshold(world: &World, seen: &mut Seen) -> Result<(), String> {
    while let Some(Ok(entry)) = world.entry(seen.counted_entries) {
        let index = seen.counted_entries;
        seen.counted_entries += 1;
        let named = matches!(entry.verdict, Verdict::Reproduced | Verdict::Unbuildable);
        require(named == entry.agreed.is_some(), || {
            format!("entry {index} says {} and agrees otherwise", entry.verdict)
        })?;
        if let Some(agreed) = &entry.agreed {
            let behind = revealed_on_chain(world, &entry, &agreed.digest()).len();
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

fn revealed_on_chain(world: &World, entry: &Entry, result: &Digest) -> BTreeSet<BuilderId> {
    let id = entry.request.id();
    let blocks = world.chain.iter().take_while(|block| block.height <= entry.height);
    let reveals = blocks.flat_map(|block| &block.commands).filter(|command| match command.action() {
        Action::Reveal { request, round, result: revealed, .. } => {
            *request == id && *round == entry.round && revealed.digest() == *result
        }
        _ => false,
    });
    let listed =
        |builder: &BuilderId| entry.members.iter().any(|member| member.builder == *builder && member.opening.is_some());
    reveals.map(|command| command.author()).filter(listed).collect()
}
