//! Agreement: what is executed at a height is the same everywhere.

use std::collections::BTreeMap;

use synchronicity_core::machine::Executed;

use super::require;
use crate::world::World;

/// What the first node at each height showed there.
#[derive(Default)]
pub(super) struct Seen {
    by_height: BTreeMap<u64, Executed>,
}

/// Nodes at the same height have the same time, the same log and the same root, whenever they get there.
pub(super) fn invariant_same_height_same_log(world: &World, seen: &mut Seen) -> Result<(), String> {
    let reference = world.reference.executed();
    seen.by_height.entry(reference.height).or_insert(reference);
    let Some(node) = world.touched() else { return Ok(()) };
    let Some(executed) = node.machine.as_ref().map(|machine| machine.executed()) else { return Ok(()) };
    if executed.height == 0 {
        return Ok(());
    }
    let first = seen.by_height.get(&executed.height);
    require(first == Some(&executed), || format!("member {} has {executed:?}, others had {first:?}", node.member))
}
