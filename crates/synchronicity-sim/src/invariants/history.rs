//! The history of a request: one round after the other, and nothing after a verdict that stands.

use std::collections::BTreeMap;

use synchronicity_verify::entry::Verdict;
use synchronicity_verify::identity::RequestId;

use super::require;
use crate::world::World;

/// The last entry of each request.
#[derive(Default)]
pub(super) struct Seen {
    entries: u64,
    last: BTreeMap<RequestId, (u32, Verdict)>,
}

/// Entries of one request count their rounds from 0, and only one without agreement is followed by another.
pub(super) fn invariant_a_verdict_stands(world: &World, seen: &mut Seen) -> Result<(), String> {
    while let Some(Ok(entry)) = world.entry(seen.entries) {
        let index = seen.entries;
        seen.entries += 1;
        let before = seen.last.insert(entry.request.id(), (entry.round, entry.verdict));
        let follows = match before {
            None => entry.round == 0,
            Some((round, Verdict::Inconclusive | Verdict::Diverged)) => entry.round == round + 1,
            Some(_) => false,
        };
        require(follows, || format!("entry {index}, round {}, comes after {before:?} of its request", entry.round))?;
    }
    Ok(())
}
