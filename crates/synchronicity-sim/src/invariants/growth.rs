//! The log is append-only, for every observer of every node.

use std::collections::BTreeMap;

use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle;

use super::require;
use crate::world::World;

/// The largest log that each node has shown.
#[derive(Default)]
pub(super) struct Seen {
    largest: BTreeMap<usize, (u64, Digest)>,
}

/// Whatever a node shows extends what it showed before, across crashes too: the consistency proof verifies.
pub(super) fn invariant_the_log_only_grows(world: &World, seen: &mut Seen) -> Result<(), String> {
    let Some(node) = world.touched() else { return Ok(()) };
    let Some(log) = node.machine.as_ref().map(|machine| machine.log()) else { return Ok(()) };
    let (size, root) = (log.size(), log.root());
    let (old_size, old_root) = *seen.largest.entry(node.member).or_insert((size, root));
    if (size, root) == (old_size, old_root) {
        return Ok(());
    }
    require(size >= old_size, || format!("the log of member {} shrank from {old_size} to {size}", node.member))?;
    let path = merkle::consistency_proof(&node.leaves, old_size, size).map_err(|error| error.to_string())?;
    merkle::verify_consistency(old_size, size, &path, &old_root, &root)
        .map_err(|_| format!("the log of member {} at size {size} does not extend its size {old_size}", node.member))?;
    seen.largest.insert(node.member, (size, root));
    Ok(())
}
